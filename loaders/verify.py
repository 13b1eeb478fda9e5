"""Every byte, count and promise of a built folder."""

import json
import mmap
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa

from .folder import Folder, FolderError, file_sha256

OUTSIDE_SUMS = ("checksums.sha256", "review.jsonl")


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
            "sound" if not self.problems else f"{len(self.problems)} problems; build again to mend what the build owns"
        )
        return [*self.problems, counts, verdict]


def check(path: str | Path, progress: Callable[[int], object] | None = None) -> Verdict:
    """Check hashes, members, counts, keys and splits of a folder. `progress` is told the bytes of every file read.

    Raises FolderError when there is no finished folder at all; everything else becomes a problem in the verdict.
    """
    started = time.perf_counter()
    folder, verdict = Folder(path), Verdict()
    sums = _sums(folder)
    known = {name for name in sums if (folder.path / name).is_file()}
    verdict.problems += [f"{name}: listed in checksums.sha256 but missing" for name in sorted(sums.keys() - known)]
    verdict.problems += [f"{name}: not listed in checksums.sha256" for name in _files(folder.path) if name not in sums]
    try:
        index, manifest = folder.index, folder.manifest.to_pylist()
        quarantine = folder.quarantine.to_pylist()
    except (OSError, pa.ArrowException) as error:
        verdict.problems.append(f"tables: unreadable ({error})")
        index, manifest, quarantine = pa.table({"key": []}), [], []
    members = _members_by_shard(index)
    for name in sorted(known):
        verdict.problems += _check_file(folder.path / name, name, sums[name], members.get(name, []))
        verdict.members += len(members.get(name, []))
        verdict.bytes += (folder.path / name).stat().st_size
        if progress:
            progress((folder.path / name).stat().st_size)
    verdict.files, verdict.samples, verdict.quarantined = len(known), index.num_rows, len(quarantine)
    if manifest:
        verdict.problems += [*_check_counts(index, manifest, quarantine), *_check_keys(index)]
        verdict.problems += _check_plan(folder.path, index, quarantine)
    verdict.elapsed = time.perf_counter() - started
    return verdict


def _sums(folder: Folder) -> dict[str, str]:
    file = folder.path / "checksums.sha256"
    if not file.is_file():
        raise FolderError(f"{file}: missing; run the build command again to finish the folder")
    pairs = [line.split("  ", 1) for line in file.read_text().splitlines()]
    if any(len(pair) != 2 or len(pair[0]) != 64 or ".." in pair[1] or pair[1].startswith("/") for pair in pairs):
        raise FolderError(f"{file}: not a list of '<sha256>  <path>' lines; build the folder again")
    return {name: digest for digest, name in pairs}


def _files(path: Path) -> list[str]:
    """Every file of the folder but the working state and human decisions."""
    names = [file.relative_to(path) for file in path.rglob("*") if file.is_file()]
    return sorted(name.as_posix() for name in names if name.parts[0] != ".build" and name.name not in OUTSIDE_SUMS)


def _members_by_shard(index: pa.Table) -> dict[str, list[tuple[str, dict[str, Any]]]]:
    shards: dict[str, list[tuple[str, dict[str, Any]]]] = defaultdict(list)
    if "fields" not in index.column_names:
        return shards
    for batch in index.select(["key", "shard", "fields"]).to_batches(max_chunksize=1024):
        for row in batch.to_pylist():
            shards[row["shard"]] += [(row["key"], entry) for entry in row["fields"]]
    return shards


def _check_file(path: Path, name: str, digest: str, members: Sequence[tuple[str, Mapping[str, Any]]]) -> Iterator[str]:
    if file_sha256(path) != digest:
        yield f"{name}: content does not match its checksum"
    if not members or not path.stat().st_size:
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
        for key, entry in members:
            start, end = entry["offset"], entry["offset"] + entry["size"]
            if end > len(view):
                yield f"{name}: {key}.{entry['name']} should end at byte {end:,}, the shard has {len(view):,}"
            elif sha256(view[start:end]).hexdigest() != entry["sha256"]:
                yield f"{name}: {key}.{entry['name']} does not match the index"
            ends = [at + size for at, size in zip(entry["frame_offset"], entry["frame_size"], strict=True)]
            if any(frame_end > entry["size"] for frame_end in ends):
                yield f"{name}: {key}.{entry['name']} has frames outside its bytes"


def _check_counts(index: pa.Table, manifest: list[dict[str, Any]], quarantine: list[dict[str, Any]]) -> Iterator[str]:
    per_shard = Counter(index["shard"].to_pylist())
    for shard in manifest:
        if per_shard[shard["file"]] != shard["samples"] and shard["file"]:
            count = per_shard[shard["file"]]
            yield f"{shard['file']}: {count} samples in the index, {shard['samples']} in the manifest"
        if shard["samples"] + shard["rejected"] < shard["units"]:
            kept = f"{shard['samples']} kept and {shard['rejected']} left out"
            yield f"{shard['name']}: {shard['units']} read, but {kept}"
    if unknown := sorted(per_shard.keys() - {shard["file"] for shard in manifest}):
        yield f"index: shards that the manifest lacks: {', '.join(unknown[:3])}"
    in_shards = sum(shard["rejected"] for shard in manifest)
    if in_shards > len(quarantine):
        yield f"quarantine: {len(quarantine)} rows, the manifest counts {in_shards}"
    if bare := [row for row in quarantine if not (row["stage"] and row["reason"])]:
        yield f"quarantine: {len(bare)} rows without stage or reason, first {bare[0]['key'] or bare[0]['place']}"


def _check_keys(index: pa.Table) -> Iterator[str]:
    names = list(zip(index["config"].to_pylist(), index["key"].to_pylist(), strict=True))
    if twice := [key for key, count in Counter(names).items() if count > 1]:
        yield f"index: {len(twice)} keys occur twice, first {twice[0][1]} of {twice[0][0]}"
    where = list(zip(index["shard"].to_pylist(), index["key"].to_pylist(), strict=True))
    if any(a[0] == b[0] and a[1] > b[1] for a, b in pairwise(where)):
        yield "index: keys inside a shard are out of order"
    splits: dict[str, set[str]] = defaultdict(set)
    for who, split in zip(index["identity"].to_pylist(), index["split"].to_pylist(), strict=True):
        splits[who].add(split)
    if shared := sorted(who for who, found in splits.items() if len(found) > 1):
        where_found = ", ".join(sorted(splits[shared[0]]))
        yield f"index: {len(shared)} people are in more than one split, first {shared[0]} in {where_found}"


def _check_plan(path: Path, index: pa.Table, quarantine: list[dict[str, Any]]) -> Iterator[str]:
    """Every planned unit was kept or has its row in the quarantine; a folder published without .build has no plan."""
    plan_file = path / ".build" / "plan.json"
    if not plan_file.is_file():
        return
    plan = json.loads(plan_file.read_text())
    accounted = set(zip(index["config"].to_pylist(), index["key"].to_pylist(), strict=True))
    accounted |= {(row["config"], row["key"]) for row in quarantine}
    stems = {(config, key.rsplit("_", 1)[0]) for config, key in accounted}
    planned = [(shard["name"].split("/")[0], unit[0]) for shard in plan["shards"] for unit in shard["units"]]
    if lost := [unit for unit in planned if unit not in accounted and unit not in stems]:
        yield f"{len(lost)} planned samples neither kept nor left out, first {lost[0][1]} of {lost[0][0]}"
    refused = {(row["config"], row["place"], row["reason"]) for row in quarantine}
    if missing := [r for r in plan["rejections"] if (r["config"], r["place"], r["reason"]) not in refused]:
        yield f"quarantine lacks {len(missing)} rows of the plan, first {missing[0]['place']}"
