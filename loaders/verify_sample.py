"""A random sample of a folder's members, by the byte ranges that the index gives: what a look at terabytes costs."""

from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from .folder import Folder, FolderError
from .remote import RemoteShards, open_shards
from .shards import Shards
from .verify_files import Files
from .verify_shard import Tell, check_member, has_nulls

ROWS_AT_ONCE = 64


def drawn(tables: Mapping[str, pa.Table], shards: list[str], sample: float, seed: int) -> pa.Table:
    """Index rows of a random sample in index order: `sample` of them, or this share (below 1) of all, at least one.

    Only rows whose shard is one of `shards`: what is missing is a problem already.
    """
    if "index" not in tables:
        return pa.table({"key": [], "shard": [], "fields": []})
    index = tables["index"].select(["key", "shard", "fields"])
    there = index.filter(pc.is_in(index["shard"], value_set=pa.array(shards, pa.string())))
    count = there.num_rows
    wanted = int(sample) if sample >= 1 else max(round(sample * count), 1)
    return there.take(sorted(Random(seed).sample(range(count), min(wanted, count))))


def in_shards(tables: Mapping[str, pa.Table], shards: list[str]) -> int:
    """How many members the index lists in these shards."""
    if "index" not in tables:
        return 0
    index = tables["index"]
    lengths = pc.list_value_length(
        index.filter(pc.is_in(index["shard"], value_set=pa.array(shards, pa.string())))["fields"]
    )
    return int(pc.sum(lengths).as_py() or 0)


def check_sizes(files: Files, tables: Mapping[str, pa.Table], shards: list[str], pool: Executor) -> Iterator[str]:
    """Shards that are missing, or longer or shorter than the manifest says."""
    if "manifest" not in tables:
        return
    manifest = tables["manifest"]
    told = dict(zip(manifest["file"].to_pylist(), manifest["size"].to_pylist(), strict=True))
    known = [name for name in shards if name in told]
    for name, wrong in zip(known, pool.map(lambda name: files.size_differs(name, told[name]), known), strict=True):
        if wrong:
            yield f"{name}: {wrong}"


def read_samples(folder: Folder, chosen: pa.Table, pool: Executor, tell: Tell) -> Iterator[str]:
    """Problems of the members of some index rows, read by byte ranges and nothing beside them."""

    def piece(first: int) -> list[str]:
        with open_shards(folder.source) as shards:
            rows = chosen.slice(first, ROWS_AT_ONCE).to_pylist()
            return [problem for row in rows for problem in _sample(shards, row, tell)]

    for problems in pool.map(piece, range(0, chosen.num_rows, ROWS_AT_ONCE)):
        yield from problems


def _sample(shards: Shards | RemoteShards, row: Mapping[str, Any], tell: Tell) -> Iterator[str]:
    for entry in row["fields"]:
        what = f"{row['shard']}: {row['key']}.{entry['name']}"
        if has_nulls(entry):
            yield f"{what} has nulls in the index"
            continue
        place = (entry["offset"], entry["size"])
        try:
            data = bytes(shards.read({row["shard"]: [place]})[row["shard"]][place])
        except FolderError as error:
            yield f"{what}: {error}"
            continue
        tell(len(data))
        yield from check_member(data, what, entry)
