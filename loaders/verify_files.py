"""The files of a folder as `verify` meets them: on a disk, or in a remote place read in order and not kept."""

import io
from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

from .answers import Answer, Fault
from .folder import Folder
from .places import Filesystem, Place, outcome
from .range_cache import CacheOptions
from .remote import ask_span
from .remote_tables import SUMS
from .retries import tried
from .shards import SHARD_NAME, FolderError

SPAN = 8 << 20
"""Bytes of one request."""
AT_ONCE = 8
"""Files read at the same time from a remote place, at least."""
OUTSIDE_SUMS = (SUMS, "review.jsonl")


class Files(Protocol):
    """What `verify` asks about files, by their names in checksums.sha256."""

    def missing(self, names: Collection[str]) -> list[str]: ...

    def strangers(self, names: Collection[str]) -> list[str] | None:
        """Files that are not among `names`; None where the place cannot be listed, or not by us.

        Raises FolderError when the listing cannot be had after the last try.
        """

    def opened(self, name: str) -> BinaryIO: ...

    def size_differs(self, name: str, size: int) -> str:
        """What is wrong with the size of a shard; "" when it is `size`."""


def files_of(folder: Folder) -> Files:
    """The files of an open folder."""
    return LocalFiles(folder.path) if isinstance(folder.place, Path) else RemoteFiles(folder, folder.place)


def open_unkept(path: Folder | str | Path | Place) -> Folder:
    """A folder of which nothing stays on this machine: what was copied before says nothing about the place."""
    return Folder(path.place if isinstance(path, Folder) else path, cache=CacheOptions(gb=0))


class LocalFiles:
    """On a disk."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def missing(self, names: Collection[str]) -> list[str]:
        return sorted(name for name in names if not (self.path / name).is_file())

    def strangers(self, names: Collection[str]) -> list[str] | None:
        there = [file.relative_to(self.path).as_posix() for file in self.path.rglob("*") if file.is_file()]
        return _not_among(there, names)

    def opened(self, name: str) -> BinaryIO:
        return cast(BinaryIO, (self.path / name).open("rb", buffering=0))

    def size_differs(self, name: str, size: int) -> str:
        there = (self.path / name).stat().st_size
        return f"{there:,} bytes, the manifest says {size:,}" if there != size else ""


class RemoteFiles:
    """In a remote place: tables and cards were fetched anew and checked when the folder was opened."""

    def __init__(self, folder: Folder, place: Place) -> None:
        self.copies, self.place = LocalFiles(folder.path), place
        self._sizes = {row["file"]: row["size"] for row in folder.manifest.to_pylist() if row["file"]}

    def missing(self, names: Collection[str]) -> list[str]:
        return self.copies.missing([name for name in names if not SHARD_NAME.fullmatch(name)])

    def strangers(self, names: Collection[str]) -> list[str] | None:
        opened = self.place.opened()
        if not isinstance(opened, Filesystem):
            return None
        root = str(opened.fs._strip_protocol(self.place.base)).rstrip("/") + "/"
        opened.fs.invalidate_cache()
        what = f"{self.place}: its listing"
        listed: Any = tried(lambda: _none_if_denied(outcome(partial(opened.fs.find, root))), what).data
        if listed is None:
            return None
        there = [str(found) for found in listed]
        return _not_among([found.removeprefix(root) for found in there if found.startswith(root)], names)

    def opened(self, name: str) -> BinaryIO:
        if not SHARD_NAME.fullmatch(name):
            return self.copies.opened(name)
        if name not in self._sizes:
            raise FolderError("in no row of the manifest")
        return cast(BinaryIO, io.BufferedReader(_InOrder(self.place, name, self._sizes[name]), SPAN))

    def size_differs(self, name: str, size: int) -> str:
        try:
            _InOrder(self.place, name, size).end()
        except FolderError as error:
            return str(error)
        return ""


class _InOrder(io.RawIOBase):
    """A shard of a known size, asked for span by span. Raises FolderError when it is missing, longer or shorter."""

    def __init__(self, place: Place, name: str, size: int) -> None:
        self.place, self.name, self.size, self._at = place, name, size, 0
        self._held = memoryview(b"")

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at, self._held = offset + (0, self._at, self.size)[whence], memoryview(b"")
        return self._at

    def readinto(self, buffer: Any) -> int:
        if not self._held and self._at < self.size:
            self._held = memoryview(self._span(self._at, min(SPAN, self.size - self._at)))
            if self._at + len(self._held) == self.size:
                self.end()
        view = memoryview(buffer).cast("B")
        count = min(len(view), len(self._held))
        view[:count], self._held = self._held[:count], self._held[count:]
        self._at += count
        return count

    def end(self) -> None:
        """Ask for the last byte: the shard ends there."""
        self._span(self.size - 1, 1)

    def _span(self, first: int, size: int) -> bytes:
        what = f"{self.place}/{self.name}, bytes {first:,} to {first + size:,}"
        return tried(partial(ask_span, self.place, self.name, (first, size), self.size), what).data


def _none_if_denied(found: Answer | Fault) -> Answer | Fault:
    """Who may read need not be allowed to list."""
    return Answer(cast(bytes, None)) if isinstance(found, Fault) and found.denied else found


def _not_among(there: Collection[str], names: Collection[str]) -> list[str]:
    """Every file of the folder but the working state and human decisions."""
    own = {*names, *OUTSIDE_SUMS}
    return sorted(name for name in there if not name.startswith(".build/") and name not in own)
