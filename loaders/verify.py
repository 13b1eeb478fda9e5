"""Every byte, count and promise of a built folder; or all of its tables and cards, and a random sample of the rest."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path

import pyarrow as pa

from . import candidates
from .folder import Folder, FolderError
from .places import Place
from .sample import INDEX_KEYS
from .shards import SHARD_NAME
from .verify_files import AT_ONCE, Files, files_of, open_unkept
from .verify_sample import check_sizes, drawn, in_shards, read_samples
from .verify_shard import Tell, check_file
from .verify_tables import check_tables
from .verify_working import check_decisions, check_working

COLUMNS = {
    "index": {*(name for name, _ in INDEX_KEYS), "fields"},
    "manifest": {"name", "config", "split", "file", "size", "sha256", "units", "samples", "rejected"},
    "quarantine": {"key", "config", "split", "stage", "place", "reason"},
    "identities": {"identity", "split"},
}
NEVER_NULL = {
    "key",
    "config",
    "split",
    "shard",
    "row",
    "identity",
    "fields",
    "name",
    "units",
    "samples",
    "stage",
    "reason",
}


MENDED = "build again with --recheck to mend shards and tables"


@dataclass(frozen=True)
class VerifyOptions:
    """How much of the shards to read, and by how many threads (hashing leaves the interpreter alone)."""

    workers: int = 1
    sample: float | None = None
    """Of the shards read only this many random samples, or this share (below 1) of all."""
    seed: int = 0

    def check(self) -> None:
        """Raise ValueError for numbers that mean nothing."""
        if self.workers < 1:
            raise ValueError(f"{self.workers} workers: expected 1 or more")
        if self.sample is None:
            return
        if not isfinite(self.sample) or self.sample <= 0 or (self.sample > 1 and self.sample % 1):
            raise ValueError(f"sample {self.sample:g}: expected a share between 0 and 1, or a whole number of samples")


@dataclass
class Verdict:
    """What was checked and what is wrong; `problems` is empty for a sound folder."""

    files: int = 0
    """Read whole."""
    bytes: int = 0
    """Read."""
    members: int = 0
    """Read and held against the index."""
    samples: int = 0
    """In the index."""
    quarantined: int = 0
    elapsed: float = 0.0
    unlisted: bool = False
    """Whether files that no checksum names could not be looked for."""
    sampled: int | None = None
    """Samples whose members were read; None when all shards were read whole."""
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What is no damage and should be known, as decisions that no build has followed yet."""

    def lines(self) -> list[str]:
        """The closing words of `facevox verify`."""
        megabytes = self.bytes / 1e6
        pace = f"{megabytes:,.1f} MB in {self.elapsed:.1f} s ({megabytes / max(self.elapsed, 1e-9):,.0f} MB/s)"
        kept = f"{self.samples:,} samples, {self.quarantined:,} left out"
        counts = [f"{self.files} files, {self.members:,} members, {kept}; {pace}"]
        verdict = "sound, but for files that no checksum names: this place lists none" if self.unlisted else "sound"
        if self.sampled is not None:
            drawn = f"{self.members:,} members of {self.sampled:,} of {self.samples:,} samples"
            counts = [
                f"read: {self.files} tables and cards whole, {drawn}; {pace}",
                "not read: everything else in the shards, of which names and sizes were compared"
                + ("; this place lists no files that checksums.sha256 does not name" if self.unlisted else ""),
            ]
            verdict = "nothing wrong in what was read; without --sample everything is read"
        if self.problems:
            verdict = f"{len(self.problems)} problems; {MENDED}"
        return [*self.problems, *(f"note: {note}" for note in self.notes), *counts, verdict]


def check(
    path: Folder | str | Path | Place,
    progress: Callable[[int], object] | None = None,
    options: VerifyOptions | None = None,
) -> Verdict:
    """Check hashes, members, frames, facts, counts, keys and splits. `progress` is told of bytes as they are read.

    Every file is read once; those of a remote place are not kept, nor is what is in the cache trusted. With
    `options.sample` tables and cards are read whole; of the shards names, sizes and, by byte ranges, the members of
    random samples. Raises FolderError when there is no finished folder at all, or a remote one whose tables or
    listing cannot be had whole, ValueError for options that mean nothing; everything else becomes a problem in the
    verdict.
    """
    started, options = time.perf_counter(), options or VerifyOptions()
    options.check()
    folder, verdict = open_unkept(path), Verdict()
    files, tell = files_of(folder), _counting(verdict, progress)
    sums, verdict.problems = _sums(folder)
    lost, strangers = files.missing(sums), files.strangers(sums)
    verdict.unlisted = strangers is None
    verdict.problems += [f"{name}: listed in checksums.sha256 but missing" for name in lost]
    verdict.problems += [f"{name}: not listed in checksums.sha256" for name in strangers or ()]
    known = sorted({*sums} - {*lost})
    shards = [name for name in known if SHARD_NAME.fullmatch(name)]
    others = sorted({*known} - {*shards})
    at_once = options.workers if isinstance(folder.place, Path) else max(options.workers, AT_ONCE)
    with ThreadPoolExecutor(at_once) as pool:
        wrong = dict(zip(others, pool.map(lambda name: _checked(files, name, sums, None, tell), others), strict=True))
        verdict.problems += [problem for problems in wrong.values() for problem in problems]
        tables, problems = _tables(folder, {name for name, found in wrong.items() if found})
        verdict.problems += problems
        if options.sample is None:
            verdict.problems += _whole_shards(files, shards, sums, tables, pool, tell)
            verdict.members = in_shards(tables, shards)
        else:
            chosen = drawn(tables, shards, options.sample, options.seed)
            verdict.problems += check_sizes(files, tables, shards, pool)
            verdict.problems += read_samples(folder, chosen, pool, tell)
            verdict.sampled, verdict.members = chosen.num_rows, in_shards({"index": chosen}, shards)
    verdict.notes = list(check_decisions(folder.path))
    verdict.files = len(others if options.sample is not None else known)
    if len(tables) == len(COLUMNS):
        verdict.samples, verdict.quarantined = tables["index"].num_rows, tables["quarantine"].num_rows
        verdict.problems += [*check_tables(tables, sums), *check_working(folder.path, tables, options.sample is None)]
        verdict.problems += _check_added(folder, tables, wrong)
    verdict.elapsed = time.perf_counter() - started
    return verdict


def _counting(verdict: Verdict, progress: Callable[[int], object] | None) -> Tell:
    """Count the bytes that several threads read, and pass them on one at a time."""
    lock = threading.Lock()

    def tell(size: int) -> None:
        with lock:
            verdict.bytes += size
            if progress:
                progress(size)

    return tell


def _checked(files: Files, name: str, sums: dict[str, str], rows: pa.Table | None, tell: Tell) -> list[str]:
    try:
        with files.opened(name) as file:
            return list(check_file(file, name, sums[name], rows, tell))
    except (OSError, FolderError) as error:
        return [f"{name}: unreadable ({error})"]


def _whole_shards(
    files: Files,
    shards: list[str],
    sums: dict[str, str],
    tables: dict[str, pa.Table],
    pool: ThreadPoolExecutor,
    tell: Tell,
) -> list[str]:
    rows: dict[str, list[int]] = defaultdict(list)
    for row, shard in enumerate(tables["index"]["shard"].to_pylist() if "index" in tables else ()):
        rows[shard].append(row)

    def whole(name: str) -> list[str]:
        return _checked(files, name, sums, tables["index"].take(rows[name]) if name in rows else None, tell)

    return [problem for problems in pool.map(whole, shards) for problem in problems]


def _tables(folder: Folder, broken: Collection[str]) -> tuple[dict[str, pa.Table], list[str]]:
    """The tables that can be read and have their columns, and what is wrong with the others that are not `broken`."""
    found: dict[str, pa.Table] = {}
    problems = []
    for name, columns in COLUMNS.items():
        if f"tables/{name}.parquet" in broken:
            # Its bytes are not those that were written: nothing it says is worth a word.
            continue
        try:
            table = folder.table(name)
        except (OSError, pa.ArrowException) as error:
            problems.append(f"tables/{name}.parquet: unreadable ({error})")
            continue
        if missing := sorted(columns - set(table.column_names)):
            problems.append(f"tables/{name}.parquet: columns missing: {', '.join(missing)}")
        elif holes := [column for column in _never_null(name) if table[column].null_count]:
            problems.append(f"tables/{name}.parquet: nulls in {', '.join(sorted(holes))}")
        else:
            found[name] = table
    return found, problems


def _check_added(folder: Folder, tables: dict[str, pa.Table], wrong: dict[str, list[str]]) -> Iterator[str]:
    """What a dataset's own tables promise."""
    path = folder.path / "tables" / f"{candidates.NAME}.parquet"
    if not path.is_file() or wrong.get(f"tables/{path.name}"):
        return
    try:
        yield from candidates.check_candidates(path, tables["index"], tables["quarantine"])
    except (OSError, pa.ArrowException) as error:
        yield f"tables/{path.name}: unreadable ({error})"


def _never_null(table: str) -> set[str]:
    # People whom a split divides have none.
    return (COLUMNS[table] & NEVER_NULL) - ({"split"} if table == "identities" else set())


def checksums(folder: Folder) -> dict[str, str]:
    """sha256 by file name, as checksums.sha256 of a finished folder lists them. Raises FolderError without the list."""
    return _sums(folder)[0]


def _sums(folder: Folder) -> tuple[dict[str, str], list[str]]:
    """Digest by file name, and a problem where the list is not written as builds write it."""
    file = folder.path / "checksums.sha256"
    if not file.is_file():
        raise FolderError(f"{file}: missing; run the build command again to finish the folder")
    return _parsed_sums(file.read_bytes(), file)


def _parsed_sums(data: bytes, file: Path) -> tuple[dict[str, str], list[str]]:
    pairs = [line.split("  ", 1) for line in data.decode(errors="replace").removesuffix("\n").split("\n")]
    if any(len(pair) != 2 or len(pair[0]) != 64 or ".." in pair[1] or pair[1].startswith("/") for pair in pairs):
        raise FolderError(f"{file}: not a list of '<sha256>  <path>' lines; build the folder again")
    sums = {name: digest for digest, name in pairs}
    # What no digest can tell of the list itself: an odd line end, a name twice.
    as_written = "".join(f"{sums[name]}  {name}\n" for name in sorted(sums)).encode()
    return sums, [] if as_written == data else [f"{file.name}: not written as a build writes it"]
