"""The tables there are, by file name, and what every one of them is given."""

import importlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...loaders.names import nearest
from ...models.core.device import DEVICES
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
    limit: int = field(default=0, metadata={"help": "at most this many samples per split (0: all)"})
    embeddings: str | Path = field(default="", metadata={"help": "recognition: table of vectors and labels"})
    gallery: str | Path = field(default="", metadata={"help": "recognition: table to look the others up in"})
    leave_one_out: bool = field(default=False, metadata={"help": "recognition: every vector against all others"})
    metric: str = field(default="euclidean", metadata={"help": "recognition", "choices": ("euclidean", "cosine")})
    tolerance: float = field(default=0.0, metadata={"help": "of a match (0: all that are published)"})


def benches() -> list[str]:
    """Names of all tables: the files beside this package's `core`. Nothing is imported."""
    here = Path(__file__).parent.parent
    return sorted(path.stem for path in here.glob("*.py") if not path.stem.startswith("_"))


def find(name: str) -> Any:
    """The module of a table: TITLE and `run(options) -> Table`. Raises ValueError naming the nearest one."""
    known = benches()
    if name not in known:
        raise ValueError(f"no table {name!r}; {nearest(name, known)}")
    return importlib.import_module(f"...{name}", __name__)


def run(name: str, options: BenchOptions) -> Table:
    """Measure one table. Raises ValueError for an unknown name, FolderError for a folder that does not fit."""
    if name == "learn":
        raise ValueError("learn is about no folder: run `facevox bench learn --out W`")
    table: Table = find(name).run(options)
    return table
