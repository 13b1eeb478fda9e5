"""Byte ranges of shard files: near ones read together, nothing read that was not asked for."""

import os
import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from types import TracebackType
from typing import Any

OPEN_AT_ONCE = 64
MERGE_GAP = 16 << 10
"""Two wanted ranges closer than this are read as one: a seek costs more than 16 KiB."""


Range = tuple[int, int]
"""Offset in a shard and size, bytes."""
Parts = dict[str, dict[Range, memoryview]]
"""The bytes of ranges, by shard name."""


@dataclass(frozen=True)
class Request:
    """The byte ranges that one batch needs, by shard name, and what its reader keeps to make samples of them."""

    ranges: Mapping[str, Sequence[Range]]
    kept: Any


class FolderError(ValueError):
    """A dataset folder is not what it should be: missing, unfinished, damaged, or asked for something it lacks."""


SHARD_NAME = re.compile(r"data/[a-z0-9_]+/(train|validation|test)-\d{5,}\.(tar|parquet|arrow)")


def file_sha256(path: Path) -> str:
    """Hash of a whole file, read in pieces."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def shard_name(folder: str, name: str) -> str:
    """The name of a shard in a table. Raises FolderError for one that could lead out of the folder."""
    if not SHARD_NAME.fullmatch(name):
        raise FolderError(
            f"{folder}: shard name {name!r} in its tables, expected one like data/utterances/train-00000.tar"
        )
    return name


def shard_path(folder: Path, name: str) -> Path:
    """The file of a shard named in a table. Raises FolderError for a name that could lead out of the folder."""
    return folder / shard_name(str(folder), name)


def merged(ranges: Iterable[Range], gap: int = MERGE_GAP) -> list[Range]:
    """Sort (offset, size) ranges and join those that touch or lie within `gap` bytes of each other."""
    joined: list[Range] = []
    for offset, size in sorted(ranges):
        if joined and offset <= sum(joined[-1]) + gap:
            first = joined[-1][0]
            joined[-1] = (first, max(sum(joined[-1]), offset + size) - first)
        else:
            joined.append((offset, size))
    return joined


class Shards:
    """Open shard files of a folder and reads of merged byte ranges; a context manager that closes them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._open: OrderedDict[Path, int] = OrderedDict()

    def ahead(self, requests: Iterable[Request]) -> Iterator[tuple[Request, Parts]]:
        """Each request with its bytes, in the order of the requests; the kernel is told of one request more."""
        first: Request | None = None
        for request in requests:
            self._announce(request.ranges)
            if first is not None:
                yield first, self.read(first.ranges)
            first = request
        if first is not None:
            yield first, self.read(first.ranges)

    def _announce(self, wanted: Mapping[str, Sequence[Range]]) -> None:
        """Have the kernel fetch ranges, all at once, meanwhile; what is wrong with them the reading will say."""
        for name in sorted(wanted):
            try:
                handle = self._handle(shard_path(self.folder, name))
                for first, length in merged(set(wanted[name])):
                    os.posix_fadvise(handle, first, length, os.POSIX_FADV_WILLNEED)
            except (FolderError, OSError):
                continue

    def read(self, wanted: Mapping[str, Sequence[Range]]) -> Parts:
        """The bytes of ranges by shard name. Raises FolderError when a shard is missing or cut short."""
        return {name: self._read(shard_path(self.folder, name), wanted[name]) for name in sorted(wanted)}

    def _read(self, path: Path, ranges: Sequence[Range]) -> dict[Range, memoryview]:
        handle = self._handle(path)
        found: dict[Range, memoryview] = {}
        ordered, at = sorted(set(ranges)), 0
        for first, length in merged(ordered):
            data = memoryview(bytearray(length))
            if (came := os.preadv(handle, [data], first)) != length:
                raise FolderError(
                    f"{path}: {came} of {length} bytes at {first}; the shard is cut short. Build it again"
                )
            while at < len(ordered) and ordered[at][0] + ordered[at][1] <= first + length:
                offset, size = ordered[at]
                found[offset, size] = data[offset - first : offset - first + size]
                at += 1
        return found

    def _handle(self, path: Path) -> int:
        if path in self._open:
            self._open.move_to_end(path)
            return self._open[path]
        try:
            handle = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            raise FolderError(
                f"{path}: shard is missing. Run `facevox verify` on the folder, then the build command"
            ) from None
        # Without the hint the kernel reads ahead up to twenty times what a few frames need.
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_RANDOM)
        self._open[path] = handle
        while len(self._open) > OPEN_AT_ONCE:
            os.close(self._open.popitem(last=False)[1])
        return handle

    def __enter__(self) -> "Shards":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._open:
            os.close(self._open.popitem()[1])
