"""One file of a folder against its checksum, and one shard against every index row that points into it."""

import json
import mmap
import tarfile
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from .media import clip_layout
from .shards import file_sha256


def check_file(path: Path, name: str, digest: str, rows: pa.Table | None) -> Iterator[str]:
    """Problems of a file: its hash, and for a shard its members, frames and facts against the index rows."""
    if file_sha256(path) != digest:
        yield f"{name}: content does not match its checksum"
    if rows is None or not path.stat().st_size:
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
        for row in rows.select(["key", "fields"]).to_pylist():
            for entry in row["fields"]:
                yield from _member(view, f"{name}: {row['key']}.{entry['name']}", entry)
    yield from _facts(path, name, rows)


def _member(view: mmap.mmap, what: str, entry: Mapping[str, Any]) -> Iterator[str]:
    if any(entry[number] is None for number in ("offset", "size", "frame_offset", "frame_size")):
        yield f"{what} has nulls in the index"
        return
    start, end = entry["offset"], entry["offset"] + entry["size"]
    if end > len(view):
        yield f"{what} should end at byte {end:,}, the shard has {len(view):,}"
        return
    data = view[start:end]
    if sha256(data).hexdigest() != entry["sha256"]:
        yield f"{what} does not match the index"
    elif entry["frame_offset"]:
        try:
            clip = clip_layout(data)
        except ValueError as error:
            yield f"{what}: {error}"
            return
        told = (entry["width"], entry["height"], tuple(entry["frame_offset"]), tuple(entry["frame_size"]))
        if told != (clip.width, clip.height, clip.offsets, clip.sizes):
            yield f"{what}: size or frame table of the index is not the clip's"


def _facts(path: Path, name: str, rows: pa.Table) -> Iterator[str]:
    """The facts and member names inside a shard against the index."""
    try:
        inside = _tar_samples(path) if path.suffix == ".tar" else _table_samples(path)
    except (tarfile.TarError, pa.ArrowException, OSError, ValueError, KeyError) as error:
        yield f"{name}: unreadable ({error})"
        return
    if sorted(inside) != sorted(rows["key"].to_pylist()):
        yield f"{name}: {len(inside)} samples inside, {rows.num_rows} in the index, or other keys"
        return
    kinds = {field.name: field.type for field in rows.schema}
    for row in rows.to_pylist():
        facts, members = inside[row["key"]]
        if set(members) != {entry["name"] for entry in row["fields"]}:
            yield f"{name}: {row['key']} has members {', '.join(sorted(members))}, the index lists others"
        for fact, value in facts.items():
            if fact in kinds and pa.array([value], kinds[fact]).to_pylist()[0] != row[fact]:
                yield f"{name}: {row['key']}: {fact} is {value!r} in the shard, {row[fact]!r} in the index"


def _tar_samples(path: Path) -> dict[str, tuple[dict[str, Any], list[str]]]:
    found: dict[str, tuple[dict[str, Any], list[str]]] = {}
    with tarfile.open(path, "r:") as tar:
        for info in tar:
            key, _, member = info.name.partition(".")
            facts, members = found.setdefault(key, ({}, []))
            if member == "json":
                content = tar.extractfile(info)
                facts.update(json.loads(content.read()) if content else {})
            else:
                members.append(member)
    return found


def _table_samples(path: Path) -> dict[str, tuple[dict[str, Any], list[str]]]:
    """Parquet or Arrow, one batch at a time: which media are there, not their bytes."""
    found: dict[str, tuple[dict[str, Any], list[str]]] = {}
    for batch in _batches(path):
        media = [name for name in batch.schema.names if name not in ("__key__", "json")]
        there = {name: batch[name].is_valid().to_pylist() for name in media}
        keys, facts = batch["__key__"].to_pylist(), batch["json"].to_pylist()
        for at, key in enumerate(keys):
            found[key] = (facts[at], [name for name in media if there[name][at]])
    return found


def _batches(path: Path) -> Iterator[pa.RecordBatch]:
    if path.suffix == ".parquet":
        file = pq.ParquetFile(path, memory_map=True)
        for group in range(file.num_row_groups):
            yield from file.read_row_group(group).to_batches()
    else:
        with pa.memory_map(str(path)) as source:
            yield from pa.ipc.open_stream(source)
