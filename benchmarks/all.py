"""Every table on the folders at hand, in one process, as one report: HTML, Markdown, JSON."""

import gc
import importlib.metadata
import os
import platform
import shlex
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from zipfile import BadZipFile

import cv2
import numpy as np
import torch

from ..loaders.durable import write_bytes
from ..loaders.folder import Folder, FolderError
from .core.bench import BenchOptions, command_words
from .core.bench import run as run_table
from .core.catalogue import Entry, entries
from .core.folder_card import read_card
from .core.report import Report, Result
from .core.report_html import page
from .core.table import Table

TITLE = "Every table that fits the folders, one report"
APART = "runs the others: `facevox bench all --data O --runs W --out R`"
FAILURES = (
    ArithmeticError,
    AttributeError,
    BadZipFile,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    StopIteration,
    TypeError,
    ValueError,
    cv2.error,
    zlib.error,
)
"""What a table may break with: the others are measured nevertheless, and the report says so."""


@dataclass(frozen=True)
class AllOptions:
    """On which folders, with which checkpoints, and where the report goes."""

    data: tuple[str | Path, ...]
    out: str | Path
    tables: tuple[str, ...] = ()
    """Only these; empty: all."""
    common: BenchOptions = field(default_factory=BenchOptions)
    """What every table is given beside its folder."""
    runs: tuple[str | Path, ...] = ()
    """Where the checkpoints lie: one folder for all, or one for each of `data`; empty: that of `common`."""

    def common_of(self, number: int) -> BenchOptions:
        """What tables on the folder of that number, from 0, are given. Raises ValueError for other numbers of runs."""
        if len(self.runs) not in (0, 1, len(self.data)):
            raise ValueError(
                f"{len(self.runs)} folders of checkpoints for {len(self.data)} datasets: give --runs once, or once for "
                "each --data in their order"
            )
        return replace(self.common, runs=self.runs[number % len(self.runs)]) if self.runs else self.common


def run(options: AllOptions, say: Callable[[str], None] = lambda words: None) -> Report:
    """Measure every table that fits one of the folders and write OUT/report.html, report.md and report.json.

    `say` is told every table when it is done; then the report so far is written. A table that breaks, in measuring or
    in writing, becomes a row of the report.
    Raises ValueError without a folder, or for an unknown table; FolderError for a folder that is none.
    """
    if not options.data:
        raise ValueError("bench all needs --data, a built dataset folder; it may be given several times")
    chosen = [one for one in entries() if not one.apart and (not options.tables or one.name in options.tables)]
    if unknown := {*options.tables} - {one.name for one in chosen}:
        raise ValueError(
            f"no table {sorted(unknown)[0]!r} for bench all; there is: {', '.join(e.name for e in chosen)}"
        )
    given = [options.common_of(number) for number in range(len(options.data))]
    started, folders = time.perf_counter(), [Folder(place) for place in options.data]
    cards = tuple(read_card(folder) for folder in folders)
    out = Path(options.out)
    if any(out.resolve().is_relative_to(folder.path.resolve()) for folder in folders):
        raise ValueError(f"{out} lies in a dataset folder, which takes no further files; choose another --out")
    report = Report((), cards, command_of(options), facts_of(0, 0, len(chosen)))
    write(report, out)
    for done, one in enumerate(chosen, 1):
        for result in measured(one, folders, given):
            report = replace(report, results=(*report.results, result))
            why = f" ({result.reason})" if result.reason else ""
            say(f"{result.name}: {result.status}{why}, {result.seconds:.1f} s")
        report = replace(report, facts=facts_of(time.perf_counter() - started, done, len(chosen)))
        write(report, out)
    return report


def measured(one: Entry, folders: Sequence[Folder], given: Sequence[BenchOptions]) -> list[Result]:
    """A table on every folder that it fits with what is given for it, or why it fits none."""
    common = given[0]
    flags = [f"--{name.replace('_', '-')}" for name in one.asks]
    if lacking := [flag for flag, name in zip(flags, one.asks, strict=True) if not getattr(common, name)]:
        command = one.command or f"facevox bench {one.name} {' '.join(f'{flag} FILE' for flag in flags)}"
        return [Result(one.name, one.title, reason=f"it needs {', '.join(lacking)}", command=command)]
    if one.asks:
        return [attempt(one, None, common)]
    unfit = [one.unfit(folder.dataset, folder.configs) for folder in folders]
    if fitting := [number for number, reason in enumerate(unfit) if not reason]:
        return [attempt(one, folders[number], given[number]) for number in fitting]
    dataset = (one.datasets or ("DATASET",))[0]
    configs = "".join(f" --config {name}" for name in one.configs)
    build = f"facevox build {dataset} --raw RELEASE --out O{configs} && facevox bench {one.name} --data O --runs W"
    return [Result(one.name, one.title, reason="; ".join(dict.fromkeys(unfit)), command=build)]


def attempt(one: Entry, folder: Folder | None, common: BenchOptions) -> Result:
    """One table on one folder. What it was the mean of is let go, so that memory stays flat."""
    place = "" if folder is None else str(folder)
    given = replace(common, data=place, slices=True, pictures=True)
    words = ["facevox", "bench", one.name, *(["--data", place] if place else []), *command_words(given)]
    started = time.perf_counter()
    result = Result(one.name, one.title, place, command=shlex.join(words))
    try:
        table: Table = run_table(one.name, given)
        filled = replace(result, title=table.title, table=replace(table, outcomes=()))
        rendered(filled)
        result = filled
    except ImportError as error:
        result = replace(result, reason=f"{error}")
    except FolderError as error:
        # A table of no named dataset cannot say beforehand which folders it takes; else the folder is at fault.
        result = replace(result, reason=f"{error}", failed=bool(one.datasets))
    except FAILURES as error:
        result = replace(result, reason=f"{type(error).__name__}: {' '.join(str(error).split())}", failed=True)
    gc.collect()
    return replace(result, seconds=time.perf_counter() - started)


def rendered(result: Result) -> None:
    """Write one result to nowhere, so that what cannot be written breaks its table alone and not the report."""
    alone = Report((result,), (), result.command)
    for form in (alone.json, alone.markdown, lambda: page(alone)):
        form().encode()


def facts_of(seconds: float, done: int, tables: int) -> dict[str, str]:
    """With what it was measured, where, when, for how long, and how much of it is done."""
    return {
        "facevox": importlib.metadata.version("facevox"),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "written": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "took": f"{seconds:.0f} s",
        "tables": f"all {tables}" if done == tables else f"UNFINISHED: {done} of {tables} so far",
    }


def command_of(options: AllOptions) -> str:
    """The command line that makes this report."""
    words = ["facevox", "bench", "all"]
    for place in options.data:
        words += ["--data", str(place)]
    for place in options.runs:
        words += ["--runs", str(place)]
    words += command_words(options.common)
    words += ["--tables", ",".join(options.tables)] if options.tables else []
    return shlex.join([*words, "--out", str(options.out)])


def write(report: Report, out: Path) -> None:
    """Write report.html, report.md and report.json into `out`, each whole or not at all."""
    out.mkdir(parents=True, exist_ok=True)
    write_bytes(out / "report.json", report.json().encode())
    write_bytes(out / "report.md", report.markdown().encode())
    write_bytes(out / "report.html", page(report).encode())
