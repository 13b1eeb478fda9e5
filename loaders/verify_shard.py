"""One file of a folder against its checksum, and one shard against every index row that points into it, in one read."""

import io
import json
import tarfile
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from .media import clip_layout

PIECE = 4 << 20
IN_MEMORY = 64 << 20
"""Of a shard's bytes that belong to no member, at most this many are held in memory; more go to a temporary file."""
Tell = Callable[[int], object]
"""Told how many bytes were read."""


def check_file(file: BinaryIO, name: str, digest: str, rows: pa.Table | None, tell: Tell) -> Iterator[str]:
    """Problems of a file: its hash, and for a shard (`rows`: its index rows) its members, frames and facts.

    Every byte is read once, in order.
    """
    read = OneRead(file, tell)
    wrong = list(_members(read, name, rows)) if rows is not None else []
    read.rest(keep=rows is not None)
    if read.digest != digest:
        yield f"{name}: content does not match its checksum"
    yield from wrong
    if rows is not None and not wrong and read.digest == digest:
        # Of a shard with another content nobody can say what its own words are worth.
        yield from _facts(read.outside, name, rows)


class Outside(io.RawIOBase):
    """A file of which only some stretches are known; the others read as zeros."""

    def __init__(self) -> None:
        # Closed with this object.
        self._kept = SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115
        self._starts: list[int] = []
        self._stretches: list[tuple[int, int, int]] = []
        self._at = 0
        self.size = 0

    def keep(self, offset: int, data: bytes) -> None:
        """Know `data` at `offset`; stretches come in order."""
        at = self._kept.seek(0, io.SEEK_END)
        self._kept.write(data)
        self._starts.append(offset)
        self._stretches.append((offset, len(data), at))

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + (0, self._at, self.size)[whence]
        return self._at

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        count = max(min(len(view), self.size - self._at), 0)
        end = self._at + count
        view[:count] = bytes(count)
        for offset, size, kept in self._stretches[max(bisect_right(self._starts, self._at) - 1, 0) :]:
            if offset >= end:
                break
            first, last = max(offset, self._at), min(offset + size, end)
            if first < last:
                self._kept.seek(kept + first - offset)
                view[first - self._at : last - self._at] = self._kept.read(last - first)
        self._at = end
        return count

    def close(self) -> None:
        self._kept.close()
        super().close()


class OneRead:
    """A file on its way through a hash: members are handed out, `outside` keeps what lies between them."""

    def __init__(self, file: BinaryIO, tell: Tell) -> None:
        self._file, self._tell, self._hash, self.at = file, tell, sha256(), 0
        self.size = file.seek(0, io.SEEK_END)
        file.seek(0)
        self.outside = Outside()
        self.outside.size = self.size

    @property
    def digest(self) -> str:
        """sha256 of what was read so far, hexadecimal."""
        return self._hash.hexdigest()

    def skip_to(self, offset: int, keep: bool = True) -> None:
        """Read up to `offset`."""
        while self.at < offset:
            start, data = self.at, self.take(min(PIECE, offset - self.at))
            if keep:
                self.outside.keep(start, data)

    def take(self, size: int) -> bytes:
        """The next `size` bytes. Raises OSError when the file ends before, though its size said otherwise."""
        parts = []
        while size:
            part = self._file.read(min(size, PIECE))
            if not part:
                raise OSError(f"{self.at:,} of {self.size:,} bytes could be read")
            self._hash.update(part)
            self._tell(len(part))
            self.at += len(part)
            size -= len(part)
            parts.append(part)
        return b"".join(parts)

    def rest(self, keep: bool) -> None:
        """Read to the end."""
        self.skip_to(self.size, keep)


def _members(read: OneRead, name: str, rows: pa.Table) -> Iterator[str]:
    entries = [
        (f"{name}: {row['key']}.{e['name']}", e)
        for row in rows.select(["key", "fields"]).to_pylist()
        for e in row["fields"]
    ]
    for what, entry in entries:
        if has_nulls(entry):
            yield f"{what} has nulls in the index"
    placed = [(what, entry) for what, entry in entries if not has_nulls(entry)]
    for what, entry in sorted(placed, key=lambda one: (one[1]["offset"], one[1]["size"])):
        start, end = entry["offset"], entry["offset"] + entry["size"]
        if end > read.size:
            yield f"{what} should end at byte {end:,}, the shard has {read.size:,}"
        elif start < read.at:
            yield f"{what} begins at byte {start:,}, inside the member before it, so that it does not match the index"
        else:
            read.skip_to(start)
            yield from check_member(read.take(entry["size"]), what, entry)


def has_nulls(entry: Mapping[str, Any]) -> bool:
    """Whether an index entry lacks what says where its member lies."""
    return any(entry[number] is None for number in ("offset", "size", "sha256", "frame_offset", "frame_size"))


def check_member(data: bytes, what: str, entry: Mapping[str, Any]) -> Iterator[str]:
    """The bytes of one member against its index entry: digest, and of a clip its size and frame table."""
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


def _facts(shard: Outside, name: str, rows: pa.Table) -> Iterator[str]:
    """The facts and member names inside a shard against the index."""
    try:
        inside = _tar_samples(shard) if name.endswith(".tar") else _table_samples(shard, name)
    except (tarfile.TarError, pa.ArrowException, OSError, ValueError, KeyError) as error:
        yield f"{name}: unreadable ({error})"
        return
    keys = rows["key"].to_pylist()
    if sorted(inside) != sorted(keys):
        yield f"{name}: {len(inside)} samples inside, {rows.num_rows} in the index, or other keys"
        return
    for key, entries in zip(keys, rows["fields"].to_pylist(), strict=True):
        if set(inside[key][1]) != {entry["name"] for entry in entries}:
            yield f"{name}: {key} has members {', '.join(sorted(inside[key][1]))}, the index lists others"
    for column in rows.schema:
        told = [(key, inside[key][0][column.name], at) for at, key in enumerate(keys) if column.name in inside[key][0]]
        if told:
            yield from _fact(name, column, told, rows[column.name].to_pylist())


def _fact(name: str, column: pa.Field, told: list[tuple[str, Any, int]], index: list[Any]) -> Iterator[str]:
    """One fact as the samples of a shard tell it (key, value, row) against its column of the index."""
    try:
        values = pa.array([value for _, value, _ in told], column.type).to_pylist()
    except (pa.ArrowException, TypeError, OverflowError, ValueError) as error:
        yield f"{name}: {column.name} does not fit the index ({error})"
        return
    for (key, original, at), value in zip(told, values, strict=True):
        if value != index[at]:
            yield f"{name}: {key}: {column.name} is {original!r} in the shard, {index[at]!r} in the index"


def _tar_samples(shard: Outside) -> dict[str, tuple[dict[str, Any], list[str]]]:
    found: dict[str, tuple[dict[str, Any], list[str]]] = {}
    shard.seek(0)
    with tarfile.open(fileobj=shard, mode="r:") as tar:
        for info in tar:
            key, _, member = info.name.partition(".")
            facts, members = found.setdefault(key, ({}, []))
            if member == "json":
                content = tar.extractfile(info)
                facts.update(json.loads(content.read()) if content else {})
            else:
                members.append(member)
    return found


def _table_samples(shard: Outside, name: str) -> dict[str, tuple[dict[str, Any], list[str]]]:
    """Parquet or Arrow, one batch at a time: which media are there, not their bytes."""
    found: dict[str, tuple[dict[str, Any], list[str]]] = {}
    shard.seek(0)
    for batch in _batches(shard, name):
        media = [name for name in batch.schema.names if name not in ("__key__", "json")]
        there = {name: batch[name].is_valid().to_pylist() for name in media}
        keys, facts = batch["__key__"].to_pylist(), batch["json"].to_pylist()
        for at, key in enumerate(keys):
            found[key] = (facts[at], [name for name in media if there[name][at]])
    return found


def _batches(shard: Outside, name: str) -> Iterator[pa.RecordBatch]:
    if name.endswith(".parquet"):
        file = pq.ParquetFile(pa.PythonFile(shard, mode="r"))
        for group in range(file.num_row_groups):
            yield from file.read_row_group(group).to_batches()
    else:
        yield from pa.ipc.open_stream(pa.PythonFile(shard, mode="r"))
