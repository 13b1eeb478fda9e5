"""A stream of identity batches: samples of several configs of one folder that belong to the same people."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from .batches import Batches, Inputs, SampleReader, StreamOptions, together
from .folder import Folder, Frames, opened
from .identities import GenderBalanced, IdentityBatch, IdentityOrder, People, RowsByIdentity, codes
from .order import Order
from .shards import FolderError, Parts, Request
from .stream import BatchStream, check_reading, keys_digest, split_rows


@dataclass(frozen=True)
class IdentityOptions:
    """P `identities` in a batch with `samples[config]` samples of each; VFMR's 4 people, 4 voices and 8 faces.

    `fields` by config: media by name; a config that is not named there gives all of its media. `balance` names a fact
    with two values, as "gender": batches then are 3:1 and 1:3 by turns. `drop_last` leaves the last people out where
    they fill no batch on every rank (`balance` always does). `where`, `facts` and `frames` are for every config, as in
    StreamOptions. `random_seconds` decodes only so many seconds of every sound, from a place drawn anew in each epoch,
    the whole where it is shorter; 0 decodes all. `workers` and `threads` as in StreamOptions.
    """

    identities: int = 4
    samples: Mapping[str, int] = field(default_factory=lambda: {"voices": 4, "faces": 8})
    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    facts: tuple[str, ...] | None = None
    frames: Frames = "all"
    decode: bool = True
    random_seconds: float = 0
    where: str = ""
    balance: str = ""
    seed: int = 0
    drop_last: bool = True
    workers: int = 0
    threads: int = 0
    rank: int = 0
    world: int = 1


def together_by_config(samples: dict[str, Any]) -> dict[str, Any]:
    """A batch as a dictionary: `identities` (names), and each config's samples as `together` makes them."""
    return {name: value if name == "identities" else together(value) for name, value in samples.items()}


class IdentityReader:
    """The samples of identity batches, config by config; plain data, so that it can be pickled."""

    def __init__(self, names: list[str], parts: Mapping[str, SampleReader], anywhere: bool = False) -> None:
        self.names, self.parts, self.anywhere = names, dict(parts), anywhere

    def request(self, rows: IdentityBatch) -> Request:
        """The byte ranges of all configs: their shards have different names."""
        places = rows.places if self.anywhere else {}
        own = {config: part.request(rows.rows[config], places.get(config)) for config, part in self.parts.items()}
        ranges = {shard: wanted for request in own.values() for shard, wanted in request.ranges.items()}
        return Request(ranges, (rows.identities, own))

    def samples(self, request: Request, parts: Parts) -> dict[str, Any]:
        """`identities`: names (P,); each config: samples (P x K,), identity after identity."""
        identities, own = request.kept
        read = {config: part.samples(own[config], parts) for config, part in self.parts.items()}
        return {"identities": [self.names[int(who)] for who in identities], **read}


class IdentityStream(BatchStream):
    """One rank's identity batches of one split, epoch after epoch; an epoch has every identity once.

    People without a sample in one of the configs (or without the fact of `balance`) are in no batch: `left_out` counts
    them. `repeats` counts what an epoch draws twice because an identity has too few samples. `inputs(samples)` gets
    {"identities": names, config: list of samples, ...}; without it `together_by_config` makes the batch.
    Resumes like `Stream`, on any number of ranks and workers.
    Raises FolderError for a missing config, split or field, ValueError for too few people.
    """

    def __init__(
        self, folder: Folder | str | Path, split: str, options: IdentityOptions, inputs: Inputs | None = None
    ) -> None:
        self.folder = opened(folder)
        self.split, self.options = split, options
        if options.random_seconds and not (0.001 <= options.random_seconds < float("inf") and options.decode):
            raise ValueError(
                f"random_seconds {options.random_seconds}, decode {options.decode}: expected 0 (all), or 0.001 or more "
                "of what is decoded"
            )
        reading = {config: self._reading(config) for config in options.samples}
        tables = {config: split_rows(self.folder, config, split, chosen) for config, chosen in reading.items()}
        everyone = [set(table["identity"].to_pylist()) for table in tables.values()]
        self.names = sorted(set.intersection(*everyone))
        if options.balance:
            traits = _traits(self.folder, tables, options.balance)
            self.names = [name for name in self.names if name in traits]
        self.left_out = len(set.union(*everyone)) - len(self.names)
        if not self.names:
            raise FolderError(f"{self.folder}: nobody has samples in all of {', '.join(tables)} {split}")
        if options.drop_last and len(self.names) < options.identities:
            raise ValueError(
                f"{self.folder}: {len(self.names)} people have samples in {' and '.join(tables)} {split}, fewer "
                f"than the {options.identities} of a batch. Take {len(self.names)} or fewer (--batch-size), or "
                "build more people"
            )
        rows = {
            config: RowsByIdentity.of(codes(table["identity"].to_pylist(), self.names), len(self.names))
            for config, table in tables.items()
        }
        people: People
        if options.balance:
            second = np.array([traits[name] for name in self.names]) == max(traits.values())
            people = GenderBalanced(second, options.identities, options.seed, options.rank, options.world)
        else:
            people = Order(
                *(len(self.names), options.identities, options.seed, True),
                *(options.drop_last, options.rank, options.world),
            )
        order = IdentityOrder(people, rows, options.samples)
        self.repeats = order.repeats()
        parts = {config: SampleReader(self.folder, table, reading[config]) for config, table in tables.items()}
        reader = IdentityReader(self.names, parts, bool(options.random_seconds))
        batches = Batches(self.folder.source, reader, order, inputs or together_by_config)
        self._keys = {config: table["key"] for config, table in tables.items()}
        super().__init__(order, batches, options.workers, options.threads)

    def _reading(self, config: str) -> StreamOptions:
        own = self.options
        chosen = StreamOptions(
            *(own.fields.get(config), own.facts, own.frames),
            decode=own.decode,
            where=own.where,
            sound_seconds=own.random_seconds,
            threads=own.threads,
        )
        check_reading(chosen)
        return chosen

    def _identity(self) -> dict[str, Any]:
        own = self.options
        rows = {config: keys_digest(keys) for config, keys in self._keys.items()}
        facts = {"split": self.split, "rows": rows, "folder": self.folder.digest, "samples": dict(own.samples)}
        # Balanced batches are counted; otherwise identities are, and a batch may have another number of them.
        size = {"identities": own.identities} if own.balance else {}
        return {**facts, "seed": own.seed, "balance": own.balance, **size}


def _traits(folder: Folder, tables: Mapping[str, pa.Table], fact: str) -> dict[str, Any]:
    """The fact of every identity that has it. Raises FolderError unless it has two values, one for each identity."""
    found: dict[str, set[Any]] = {}
    for config, table in tables.items():
        if fact not in table.column_names:
            raise FolderError(f"{folder}: {config} has no fact {fact!r} to balance by")
        for name, value in zip(table["identity"].to_pylist(), table[fact].to_pylist(), strict=True):
            if value is not None:
                found.setdefault(name, set()).add(value)
    if several := sorted(name for name, values in found.items() if len(values) > 1):
        raise FolderError(f"{folder}: identity {several[0]!r} has several values of {fact!r}; cannot balance by it")
    values = sorted({value for own in found.values() for value in own})
    if len(values) != 2:
        raise FolderError(f"{folder}: fact {fact!r} has {len(values)} values ({values[:5]}); balancing needs two")
    return {name: next(iter(own)) for name, own in found.items()}
