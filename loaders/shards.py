"""Byte ranges of shard files: near ones read together, nothing read that was not asked for."""

import os
import re
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from hashlib import file_digest
from pathlib import Path
from types import TracebackType

OPEN_AT_ONCE = 64
MERGE_GAP = 16 << 10
"""Two wanted ranges closer than this are read as one: a seek costs more than 16 KiB."""


class FolderError(ValueError):
    """A dataset folder is not what it should be: missing, unfinished, damaged, or asked for something it lacks."""


SHARD_NAME = re.compile(r"data/[a-z0-9_]+/(train|validation|test)-\d{5,}\.(tar|parquet|arrow)")


def file_sha256(path: Path) -> str:
    """Hash of a whole file, read in pieces."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def shard_path(folder: Path, name: str) -> Path:
    """The file of a shard named in a table. Raises FolderError for a name that could lead out of the folder."""
    if not SHARD_NAME.fullmatch(name):
        raise FolderError(
            f"{folder}: shard name {name!r} in its tables, expected one like data/utterances/train-00000.tar"
        )
    return folder / name


def merged(ranges: Iterable[tuple[int, int]], gap: int = MERGE_GAP) -> list[tuple[int, int]]:
    """Sort (offset, size) ranges and join those that touch or lie within `gap` bytes of each other."""
    joined: list[tuple[int, int]] = []
    for offset, size in sorted(ranges):
        if joined and offset <= sum(joined[-1]) + gap:
            first = joined[-1][0]
            joined[-1] = (first, max(sum(joined[-1]), offset + size) - first)
        else:
            joined.append((offset, size))
    return joined


class Shards:
    """Open shard files and reads of merged byte ranges; a context manager that closes them."""

    def __init__(self) -> None:
        self._open: OrderedDict[Path, int] = OrderedDict()

    def read(self, path: Path, ranges: Sequence[tuple[int, int]]) -> dict[tuple[int, int], memoryview]:
        """The bytes of every (offset, size) range. Raises FolderError when the shard is missing or cut short."""
        handle = self._handle(path)
        found: dict[tuple[int, int], memoryview] = {}
        for first, length in merged(ranges):
            data = memoryview(os.pread(handle, length, first))
            if len(data) != length:
                raise FolderError(
                    f"{path}: {len(data)} of {length} bytes at {first}; the shard is cut short. Build it again"
                )
            inside = [(o, s) for o, s in ranges if first <= o and o + s <= first + length]
            found.update({(o, s): data[o - first : o - first + s] for o, s in inside})
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
