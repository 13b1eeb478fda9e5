"""What every table is given, and how one of them is run."""

import importlib
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from ...loaders.folder import Folder
from ...loaders.names import nearest
from ...models.core.device import DEVICES
from .catalogue import benches
from .examine import completed, examined
from .table import Table


@dataclass(frozen=True)
class BenchOptions:
    """What to measure: a dataset folder, and where `facevox train --out` left its checkpoints."""

    data: str | Path = ""
    runs: str | Path = field(default="", metadata={"help": "folder of the trained models"})
    config: str = field(default="utterances", metadata={"help": "config of the dataset folder"})
    as_published: bool = field(default=False, metadata={"help": "with the slips of the published code"})
    device: str = field(default="auto", metadata={"help": "where to run", "choices": DEVICES})
    batch_size: int = field(default=32, metadata={"help": "samples at a time; changes no number"})
    workers: int = field(default=0, metadata={"help": "reading processes; 0 reads in the main one"})
    seed: int = field(default=0, metadata={"help": "of noise and bootstrap"})
    slices: bool = field(default=False, metadata={"help": "also by gender, age, position, .. with the largest gaps"})
    pictures: bool = field(default=False, metadata={"help": "also what was generated or found, for a report"})
    protocol: str = field(
        default="exact", metadata={"help": "all trials there are, or drawn as published", "choices": ("exact", "paper")}
    )
    trials: str | Path = field(default="", metadata={"help": "folder of trials, asked where they are there"})
    vectors: str | Path = field(default="", metadata={"help": "matching: files of voices' and faces' vectors"})
    vectors_out: str | Path = field(default="", metadata={"help": "folder for vectors of voices and faces"})
    limit: int = field(default=0, metadata={"help": "at most this many samples per split (0: all)"})
    embeddings: str | Path = field(default="", metadata={"help": "recognition: table of vectors and labels"})
    gallery: str | Path = field(default="", metadata={"help": "recognition: table to look the others up in"})
    leave_one_out: bool = field(default=False, metadata={"help": "recognition: every vector against all others"})
    metric: str = field(default="euclidean", metadata={"help": "recognition", "choices": ("euclidean", "cosine")})
    judge: str = field(default="dlib", metadata={"help": "of made faces: dlib, inception-2015 or vfmr:CHECKPOINT"})
    people: int = field(default=2000, metadata={"help": "matching_speed: identities that are made up"})
    each: int = field(default=20, metadata={"help": "matching_speed: voices, and faces, of each"})
    triplets: int = field(default=30_720_000, metadata={"help": "matching_speed: to sample"})
    class_judge: str = field(
        default="vggface-resnet50", metadata={"help": "of classes of made faces, for SF2F's VGGFace Score"}
    )
    models: str | Path = field(default="", metadata={"help": "folder that holds networks trained by others"})
    training: str | Path = field(
        default="", metadata={"help": "what the vectors' network was trained on: a folder, or a table of vectors"}
    )
    tolerance: float = field(default=0.0, metadata={"help": "of a match (0: all that are published)"})


COMMANDED = (
    "runs",
    "protocol",
    "judge",
    "class_judge",
    "models",
    "trials",
    "vectors",
    "vectors_out",
    "device",
    "embeddings",
    "gallery",
    "leave_one_out",
    "metric",
    "training",
    "tolerance",
    "people",
    "each",
    "triplets",
    "as_published",
    "slices",
)
"""Options that the command line takes, beside --data."""


def command_words(options: BenchOptions, names: Sequence[str] = COMMANDED) -> list[str]:
    """The options of `names` that are not at their default, as words of a command line."""
    defaults = {one.name: one.default for one in fields(BenchOptions)}
    words: list[str] = []
    for name in names:
        value = getattr(options, name)
        if value != defaults[name]:
            words += [f"--{name.replace('_', '-')}"] + ([] if value is True else [str(value)])
    return words


def find(name: str) -> Any:
    """The module of a table: TITLE and `run(options) -> Table`. Raises ValueError naming the nearest one."""
    known = benches()
    if name not in known:
        raise ValueError(f"no table {name!r}; {nearest(name, known)}")
    return importlib.import_module(f"...{name}", __name__)


def run(name: str, options: BenchOptions) -> Table:
    """Measure one table, with its controls. Raises ValueError for an unknown name, FolderError for a folder unfit."""
    if name in ("all", "learn", "train"):
        raise ValueError(f"{name} is no table: `facevox bench --help` says how it is run")
    module = find(name)
    table: Table = module.run(options)
    if not isinstance(table, Table):
        # Those that measure times make none.
        return table
    if table.outcomes or table.tested:
        # Other configs of the folder may be split by something else than what the table is about.
        table = replace(table, read=table.read or getattr(module, "CONFIGS", ()))
        table = examined(table, Folder(options.data), options.seed, options.slices)
    return completed(table, getattr(module, "WITHOUT", {}))
