"""What a dataset file fills in: facts about the release, its configurations, and how its samples are read."""

import hashlib
import importlib
import json
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa

from ...loaders.names import nearest
from ...loaders.sample import Config, Sample
from .decisions import VERDICTS, Decision
from .decoded_copies import times, with_copies
from .raw import Folder
from .source_files import SourceFiles
from .stage import Clock, Rejection


@dataclass(frozen=True)
class Unit:
    """One future sample, known from names and sizes alone; `details` (plain JSON) is all that `read` needs.

    A unit of several `samples` gives keys that begin with its own and `_`. `decisions` are those of people about its
    samples; they are no part of its digest, and a changed one rebuilds its shard.
    """

    key: str
    config: str
    split: str
    identity: str
    size: int
    details: Mapping[str, Any] = field(default_factory=dict)
    samples: int = 1
    decisions: tuple[Decision, ...] = ()

    def digest(self) -> str:
        content = [self.key, self.config, self.split, self.identity, self.size, self.details]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class ReleaseOptions:
    """Options that every dataset has; a dataset file extends them with its own, each with a `help` text."""

    subjects: str = field(default="", metadata={"help": "only these people, as in 1-5,17 (default: all)"})
    limit: int = field(default=0, metadata={"help": "at most this many samples per config and split (0: all)"})
    decoded: bool = field(
        default=False,
        metadata={
            "help": "store what every sound and still picture decodes to beside it; readers take that instead: several "
            "times the disk, and training on small samples no longer waits for decoding"
        },
    )

    def settled(self) -> "ReleaseOptions":
        """The same options with the content of the files they name: workers must not read those anew."""
        return self

    def as_dict(self) -> dict[str, Any]:
        """What the plan's digest covers; where an option names a file, its content must stand here."""
        told = {f.name: getattr(self, f.name) for f in fields(self)}
        # Folders that were planned before there were copies can still be resumed.
        return told if self.decoded else {name: value for name, value in told.items() if name != "decoded"}


@dataclass(frozen=True)
class AddedTable:
    """A table that a dataset has beside index, manifest, quarantine and identities; the tables' card shows `meaning`.

    One of name `candidates` says of everything that could have become a sample whether it was `kept` (see
    loaders/candidates.py); `verify` holds it against the other tables.
    """

    name: str
    meaning: str
    schema: pa.Schema


class Builder(ABC):
    """A dataset: subclasses state the facts and fill in `units` and `read`."""

    name: ClassVar[str]
    title: ClassVar[str]
    licence: ClassVar[str]
    tags: ClassVar[tuple[str, ...]]
    person_facts: ClassVar[tuple[str, ...]]
    configs: tuple[Config, ...]
    verdicts: ClassVar[Mapping[str, Mapping[str, int]]] = {}
    """Fact that sums up artifacts -> the facts with our verdicts on each, and their bits; people's word comes first."""
    tables: ClassVar[tuple[AddedTable, ...]] = ()
    options_type: ClassVar[type[ReleaseOptions]] = ReleaseOptions

    def __init__(self, options: ReleaseOptions) -> None:
        self.options = options
        if options.decoded:
            self.configs = tuple(with_copies(config) for config in self.configs)

    def config(self, name: str) -> Config:
        """The configuration of that name. Raises ValueError naming the nearest one."""
        known = [config.name for config in self.configs]
        if name not in known:
            raise ValueError(f"{self.name} has no config {name!r}; {nearest(name, known)}")
        return self.configs[known.index(name)]

    @abstractmethod
    def units(self, raw: Folder, config: str) -> Iterator[Unit | Rejection]:
        """List a release by names and sizes: what can be built, and what is already known to be unusable."""

    @abstractmethod
    def read(self, raw: Folder, unit: Unit, clock: Clock) -> Iterator[Sample | Rejection]:
        """Read, check and encode one unit into one or more samples, and rows for those of several that are left out.

        Raises Reject when the whole unit is to be left out.
        """

    def rows(self, raw: Folder, table: str, planned: Mapping[str, Collection[str]]) -> Iterator[pa.RecordBatch]:
        """The rows of one of `tables`, in an order that the release decides, few enough at a time for memory.

        `planned` has the keys of the units of every config asked for.
        """
        raise ValueError(
            f"{self.name} has no table {table!r}; there is: {', '.join(t.name for t in self.tables) or 'none'}"
        )

    def source_files(self, unit: Unit, key: str) -> SourceFiles | None:
        """What of the release the sample `key` of a unit is made of; None where the unit has no such sample.

        The same for every config that has the key, and whatever was decided. Here: the one file of the unit's details.
        """
        if key != unit.key or "file" not in unit.details:
            return None
        archive, name = unit.details["file"]
        return SourceFiles(((archive, name),))

    def decidable(self, config: Config) -> dict[str, tuple[str, ...]]:
        """What people may decide about samples of a config here: about -> verdicts, of artifacts their names."""
        declared = {fact.name for fact in config.facts}
        summed = [bits for column, bits in self.verdicts.items() if column in declared]
        can = {"quarantine": VERDICTS["quarantine"], "mark": VERDICTS["mark"]}
        if artifacts := tuple(sorted({artifact for bits in summed for artifact in bits if artifact in declared})):
            can["artifact"] = artifacts
        if any(field.kind == "image" for field in config.fields):
            can["face"] = ("leave out",)
        return can

    def expected_bytes(self, unit: Unit) -> float:
        """What a unit will take on disk, generously and without decoded copies."""
        return unit.size

    def disk_bytes(self, unit: Unit) -> float:
        """What a unit will take on disk, generously: added up before a build starts."""
        expected = self.expected_bytes(unit)
        return expected * (1 + times(self.config(unit.config))) if self.options.decoded else expected

    def notes(self) -> list[str]:
        """What a reader of the card must not miss about these options, such as lossy media."""
        return []

    def card(self) -> str:
        """The dataset's part of the card (Markdown): licence, consent, intended use, bias, citation."""
        return (Path(__file__).parent.parent / "cards" / f"{self.name}.md").read_text(encoding="utf-8")


def datasets() -> list[str]:
    """Names of all datasets: the files beside this package's `core`."""
    here = Path(__file__).parent.parent
    return sorted(path.stem for path in here.glob("*.py") if not path.stem.startswith("_"))


def find(name: str) -> type[Builder]:
    """The Builder of a dataset, imported by name. Raises ValueError naming the nearest dataset."""
    if name not in datasets():
        raise ValueError(f"no dataset {name!r}; {nearest(name, datasets())}")
    module = importlib.import_module(f"...{name}", __name__)
    builder: type[Builder] = module.BUILDER
    return builder
