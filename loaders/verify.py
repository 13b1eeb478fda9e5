"""Every byte, count and promise of a built folder."""

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from . import candidates
from .folder import Folder, FolderError
from .sample import INDEX_KEYS
from .verify_shard import check_file
from .verify_tables import check_tables

OUTSIDE_SUMS = ("checksums.sha256", "review.jsonl")
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


@dataclass
class Verdict:
    """What was checked and what is wrong; `problems` is empty for a sound folder."""

    files: int = 0
    bytes: int = 0
    members: int = 0
    samples: int = 0
    quarantined: int = 0
    elapsed: float = 0.0
    problems: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The closing words of `facevox verify`."""
        megabytes = self.bytes / 1e6
        pace = f"{megabytes:,.1f} MB in {self.elapsed:.1f} s ({megabytes / max(self.elapsed, 1e-9):,.0f} MB/s)"
        kept = f"{self.samples:,} samples, {self.quarantined:,} left out"
        counts = f"{self.files} files, {self.members:,} members, {kept}; {pace}"
        verdict = (
            "sound"
            if not self.problems
            else f"{len(self.problems)} problems; build again with --recheck to mend shards and tables"
        )
        return [*self.problems, counts, verdict]


def check(path: str | Path, progress: Callable[[int], object] | None = None) -> Verdict:
    """Check hashes, members, frames, facts, counts, keys and splits. `progress` is told the bytes of every file read.

    Raises FolderError when there is no finished folder at all; everything else becomes a problem in the verdict.
    """
    started = time.perf_counter()
    folder, verdict = Folder(path), Verdict()
    sums = _sums(folder)
    known = {name for name in sums if (folder.path / name).is_file()}
    verdict.problems += [f"{name}: listed in checksums.sha256 but missing" for name in sorted(sums.keys() - known)]
    verdict.problems += [f"{name}: not listed in checksums.sha256" for name in _files(folder.path) if name not in sums]
    tables, problems = _tables(folder)
    verdict.problems += problems
    index = tables.get("index")
    per_shard = _rows_by_shard(index) if index is not None else {}
    for name in sorted(known):
        rows = index.take(per_shard[name]) if index is not None and name in per_shard else None
        verdict.problems += check_file(folder.path / name, name, sums[name], rows)
        verdict.members += sum(len(fields) for fields in rows["fields"].to_pylist()) if rows is not None else 0
        verdict.bytes += (folder.path / name).stat().st_size
        if progress:
            progress((folder.path / name).stat().st_size)
    verdict.files = len(known)
    if len(tables) == len(COLUMNS):
        verdict.samples, verdict.quarantined = tables["index"].num_rows, tables["quarantine"].num_rows
        verdict.problems += [*check_tables(tables, sums), *_check_plan(folder.path, tables)]
        verdict.problems += _check_added(folder, tables)
    verdict.elapsed = time.perf_counter() - started
    return verdict


def _tables(folder: Folder) -> tuple[dict[str, pa.Table], list[str]]:
    """The tables that can be read and have their columns, and what is wrong with the others."""
    found: dict[str, pa.Table] = {}
    problems = []
    for name, columns in COLUMNS.items():
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


def _check_added(folder: Folder, tables: dict[str, pa.Table]) -> Iterator[str]:
    """What a dataset's own tables promise."""
    path = folder.path / "tables" / f"{candidates.NAME}.parquet"
    if not path.is_file():
        return
    try:
        yield from candidates.check_candidates(path, tables["index"], tables["quarantine"])
    except (OSError, pa.ArrowException) as error:
        yield f"tables/{path.name}: unreadable ({error})"


def _never_null(table: str) -> set[str]:
    # People whom a split divides have none.
    return (COLUMNS[table] & NEVER_NULL) - ({"split"} if table == "identities" else set())


def _rows_by_shard(index: pa.Table) -> dict[str, list[int]]:
    rows: dict[str, list[int]] = defaultdict(list)
    for row, shard in enumerate(index["shard"].to_pylist()):
        rows[shard].append(row)
    return rows


def _sums(folder: Folder) -> dict[str, str]:
    file = folder.path / "checksums.sha256"
    if not file.is_file():
        raise FolderError(f"{file}: missing; run the build command again to finish the folder")
    pairs = [line.split("  ", 1) for line in file.read_text(errors="replace").splitlines()]
    if any(len(pair) != 2 or len(pair[0]) != 64 or ".." in pair[1] or pair[1].startswith("/") for pair in pairs):
        raise FolderError(f"{file}: not a list of '<sha256>  <path>' lines; build the folder again")
    return {name: digest for digest, name in pairs}


def _files(path: Path) -> list[str]:
    """Every file of the folder but the working state and human decisions."""
    names = [file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file()]
    return sorted(name for name in names if not name.startswith(".build/") and name not in OUTSIDE_SUMS)


def _check_plan(path: Path, tables: dict[str, pa.Table]) -> Iterator[str]:
    """Every planned unit was kept or has its row in the quarantine; a folder published without .build has no plan."""
    plan_file = path / ".build" / "plan.json"
    if not plan_file.is_file():
        return
    index, quarantine = tables["index"], tables["quarantine"].to_pylist()
    try:
        plan = json.loads(plan_file.read_text())
        planned = [(shard["name"].split("/")[0], unit[0]) for shard in plan["shards"] for unit in shard["units"]]
        refused = [(r["config"], r["place"], r["reason"]) for r in plan["rejections"]]
    except (ValueError, KeyError, TypeError, IndexError) as error:
        yield f".build/plan.json: unreadable ({error!r}); build the folder again elsewhere"
        return
    accounted = set(zip(index["config"].to_pylist(), index["key"].to_pylist(), strict=True))
    accounted |= {(row["config"], row["key"]) for row in quarantine}
    # A unit of several samples gives keys that begin with its own.
    stems = {(config, key[:at]) for config, key in accounted for at, mark in enumerate(key) if mark == "_"}
    if lost := [unit for unit in planned if unit not in accounted and unit not in stems]:
        yield f"{len(lost)} planned samples neither kept nor left out, first {lost[0][1]} of {lost[0][0]}"
    present = {(row["config"], row["place"], row["reason"]) for row in quarantine}
    if missing := [row for row in refused if row not in present]:
        yield f"quarantine lacks {len(missing)} rows of the plan, first {missing[0][1]}"
