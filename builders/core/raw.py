"""A raw release read in place: folder, zip and tar look the same, on any fsspec file system; nothing is unpacked."""

import os
import struct
import tarfile
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

import fsspec
from fsspec.implementations.local import LocalFileSystem

from .window import Window

ARCHIVES = (".zip", ".tar")
OPEN_AT_ONCE = 2
_LOCAL_HEADER, _LOCAL_LENGTHS = 30, 26
"""Bytes before a zip member's name, and where the lengths of its name and extra field stand in them."""
_BLOCK = 1 << 20
MAX_ENTRIES = 2_000_000
"""Members of one archive; the largest real one, VoxCeleb2's dev set, has about 1,240,000 with its folders."""
LEADS_OUT = "a link that leads out of the release"


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a release: name relative to its root, size in bytes, CRC-32 where the container states one.

    `problem` says why it must not be opened (a device, a link that leads out of the release), or is "".
    """

    name: str
    size: int
    crc: int | None = None
    problem: str = ""


def unsafe(name: str) -> str | None:
    """Why a member name is not to be trusted (absolute, `..`, backslash, control characters), or None."""
    if name.startswith("/") or (len(name) > 1 and name[1] == ":"):
        return "absolute path"
    if ".." in PurePosixPath(name).parts:
        return "path with '..'"
    if "\\" in name:
        return "path with a backslash"
    if any(ord(letter) < 32 or 0xD800 <= ord(letter) < 0xE000 for letter in name):
        return "control character or invalid text in the name"
    return None


class Raw(ABC):
    """Something that lists files and reads them. `label` names it in errors, relative to the release."""

    label: str

    @abstractmethod
    def entries(self) -> Iterator[Entry]:
        """Every file, in the container's own order; a name may be unsafe or occur twice."""

    @abstractmethod
    def read(self, name: str, limit: int) -> bytes:
        """All bytes of one file. Raises ValueError above `limit` bytes or on damage, FileNotFoundError if absent."""

    @abstractmethod
    def open(self, name: str) -> BinaryIO:
        """One file to read and seek in, of any size; close it after use. Raises ValueError and FileNotFoundError."""

    @abstractmethod
    def close(self) -> None:
        """Release file handles."""

    def checksum(self, name: str) -> tuple[int, int]:
        """(size in bytes, CRC-32) of one file, read through. Raises ValueError and FileNotFoundError as `open` does."""
        size = crc = 0
        with self.open(name) as file:
            while block := file.read(_BLOCK):
                size, crc = size + len(block), zlib.crc32(block, crc)
        return size, crc

    def _too_large(self, name: str, size: int, limit: int) -> ValueError:
        return ValueError(f"{self.label}/{name}: {size:,} bytes, expected at most {limit:,}; not read")


class Folder(Raw):
    """A folder of an fsspec file system, with archives beside the files."""

    def __init__(self, fs: Any, root: str, label: str = "", release: str = "") -> None:
        """`release` is the root that no link may lead out of, the folder itself by default."""
        self.fs, self.root, self.label = fs, root.rstrip("/"), label or root
        self._release = release or self.root
        self._archives: OrderedDict[str, Raw] = OrderedDict()

    def _path(self, name: str) -> str:
        if reason := unsafe(name):
            raise ValueError(f"{self.label}: {name!r} refused: {reason}")
        return f"{self.root}/{name}"

    def entries(self, skip: Collection[str] = ()) -> Iterator[Entry]:
        """Every file, sorted folder by folder; nothing is looked at below the places in `skip`."""
        parents = {"" if str(above) == "." else str(above) for place in skip for above in PurePosixPath(place).parents}
        yield from self._below("", frozenset(skip), parents)

    def _below(self, folder: str, skip: Collection[str], parents: Collection[str]) -> Iterator[Entry]:
        path = f"{self.root}/{folder}".rstrip("/")
        if folder not in parents:
            found = self.fs.find(path, detail=True)
            yield from (self._entry(found[name]) for name in sorted(found))
            return
        for info in sorted(self.fs.ls(path, detail=True), key=lambda info: str(info["name"])):
            entry = self._entry(info)
            if entry.name in skip:
                continue
            if info["type"] == "directory":
                yield from self._below(entry.name, skip, parents)
            else:
                yield entry

    def _entry(self, info: dict[str, Any]) -> Entry:
        name = str(info["name"])[len(self.root) :].strip("/")
        return Entry(name, int(info["size"]), problem=self._problem(info))

    def _problem(self, info: dict[str, Any]) -> str:
        if info.get("islink") and self._leads_out(info["name"]):
            return LEADS_OUT
        return "" if info.get("type") == "file" else "not a regular file"

    def _leads_out(self, path: str) -> bool:
        """Whether a local path, its folders' links followed, ends outside of the release."""
        if not isinstance(self.fs, LocalFileSystem):
            return False
        own = os.path.realpath(self._release or "/").rstrip(os.sep)
        real = os.path.realpath(path)
        return real != own and not real.startswith(own + os.sep)

    def leads_out(self, name: str) -> bool:
        """Whether a link on the way to this place leads out of the release. Raises ValueError for an unsafe name."""
        return self._leads_out(self._path(name))

    def _regular(self, name: str) -> tuple[str, int]:
        path = self._path(name)
        info = self.fs.info(path)
        if problem := LEADS_OUT if self._leads_out(path) else self._problem(info):
            raise ValueError(f"{self.label}/{name}: {problem}; not read")
        return path, int(info["size"])

    def exists(self, name: str) -> bool:
        return bool(self.fs.exists(self._path(name)))

    def names(self, folder: str) -> list[str]:
        """Names directly inside a subfolder, sorted; [] when it does not exist."""
        path = self._path(folder)
        return sorted(PurePosixPath(p).name for p in self.fs.ls(path, detail=False)) if self.fs.isdir(path) else []

    def read(self, name: str, limit: int) -> bytes:
        path, size = self._regular(name)
        if size > limit:
            raise self._too_large(name, size, limit)
        with self.fs.open(path, "rb") as file:
            data: bytes = file.read(limit + 1)
        if len(data) > limit:
            raise self._too_large(name, len(data), limit)
        return data

    def open(self, name: str) -> BinaryIO:
        return cast(BinaryIO, self.fs.open(self._regular(name)[0], "rb"))

    def inside(self, stem: str) -> Raw | None:
        """The archive `stem.zip` or `stem.tar`, else the folder `stem`, opened in place; None when there is none.

        The members of a folder are named as in an archive of it: with its own name first. Raises ValueError when
        the archive cannot be read, or is reached over a link that leads out of the release.
        """
        if stem in self._archives:
            self._archives.move_to_end(stem)
            return self._archives[stem]
        for ending in ARCHIVES:
            if self.fs.isfile(self._path(stem + ending)):
                self._keep_in(stem + ending)
                opened: Raw = _open_archive(self.fs, self._path(stem + ending), f"{stem}{ending}")
                break
        else:
            if not self.fs.isdir(self._path(stem)):
                return None
            self._keep_in(stem)
            opened = _Within(self, stem)
        self._archives[stem] = opened
        while len(self._archives) > OPEN_AT_ONCE:
            self._archives.popitem(last=False)[1].close()
        return opened

    def _keep_in(self, name: str) -> None:
        if self.leads_out(name):
            raise ValueError(f"{name}: {LEADS_OUT}; not read")

    def close(self) -> None:
        while self._archives:
            self._archives.popitem()[1].close()


class _Within(Raw):
    """An extracted archive: a folder whose members are named with the folder's own name first."""

    def __init__(self, parent: Folder, stem: str) -> None:
        above = str(PurePosixPath(stem).parent)
        self._above = Folder(parent.fs, parent._path(above), above, parent._release)
        self._own = Folder(parent.fs, parent._path(stem), stem, parent._release)
        self._name, self.label = PurePosixPath(stem).name, above

    def entries(self) -> Iterator[Entry]:
        for entry in self._own.entries():
            yield Entry(f"{self._name}/{entry.name}", entry.size, problem=entry.problem)

    def read(self, name: str, limit: int) -> bytes:
        return self._above.read(name, limit)

    def open(self, name: str) -> BinaryIO:
        return self._above.open(name)

    def close(self) -> None:
        """Nothing is held open."""


class Zip(Raw):
    """A zip archive; only its directory is read until a member is asked for."""

    def __init__(self, file: Any, label: str) -> None:
        self.label, self._file = label, file
        try:
            self._zip = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error) as error:
            file.close()
            raise ValueError(f"{label}: not a readable zip ({error}). Download it again") from None
        if len(self._zip.infolist()) > MAX_ENTRIES:
            raise ValueError(f"{label}: {len(self._zip.infolist()):,} members, expected at most {MAX_ENTRIES:,}")

    def entries(self) -> Iterator[Entry]:
        for info in self._zip.infolist():
            if not info.is_dir():
                yield Entry(info.filename, info.file_size, info.CRC)

    def read(self, name: str, limit: int) -> bytes:
        try:
            info = self._zip.getinfo(name)
        except KeyError:
            raise FileNotFoundError(f"{self.label}/{name}: not in the archive") from None
        if info.file_size > limit:
            raise self._too_large(name, info.file_size, limit)
        try:
            with self._zip.open(info) as member:
                data = member.read(limit + 1)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, struct.error) as error:
            # An OSError is the disk's or the network's fault, not the data's: it stops the build, which can resume.
            again = "Download the archive again, then build with --recheck"
            raise ValueError(f"{self.label}/{name}: cannot be read ({error}). {again}") from None
        if len(data) != info.file_size:
            raise ValueError(f"{self.label}/{name}: {len(data):,} bytes, the directory says {info.file_size:,}")
        return data

    def open(self, name: str) -> BinaryIO:
        """A stored member is read in place; a compressed one from its start whenever it is read backwards."""
        try:
            info = self._zip.getinfo(name)
            member = self._zip.open(info)
        except KeyError:
            raise FileNotFoundError(f"{self.label}/{name}: not in the archive") from None
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, struct.error) as error:
            raise ValueError(f"{self.label}/{name}: cannot be read ({error}). Download the archive again") from None
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
            return cast(BinaryIO, member)
        member.close()
        self._file.seek(info.header_offset + _LOCAL_LENGTHS)
        start = info.header_offset + _LOCAL_HEADER + sum(struct.unpack("<HH", self._file.read(4)))
        return cast(BinaryIO, Window(self._file, start, info.file_size))

    def checksum(self, name: str) -> tuple[int, int]:
        """As the archive's directory states them; what is read is held against them."""
        try:
            info = self._zip.getinfo(name)
        except KeyError:
            raise FileNotFoundError(f"{self.label}/{name}: not in the archive") from None
        return info.file_size, info.CRC

    def close(self) -> None:
        self._zip.close()
        self._file.close()


class Tar(Raw):
    """An uncompressed tar archive, listed once by its headers and read by offset."""

    def __init__(self, file: Any, label: str) -> None:
        self.label, self._file = label, file
        try:
            with tarfile.open(fileobj=file, mode="r:") as archive:
                self._members = [(m.name, m.offset_data, m.size) for m in archive if m.isreg()]
        except (tarfile.TarError, EOFError) as error:
            file.close()
            raise ValueError(f"{label}: not a readable uncompressed tar ({error}). Download or repack it") from None
        self._at = {name: (offset, size) for name, offset, size in self._members}

    def entries(self) -> Iterator[Entry]:
        for name, _, size in self._members:
            yield Entry(name, size)

    def read(self, name: str, limit: int) -> bytes:
        if name not in self._at:
            raise FileNotFoundError(f"{self.label}/{name}: not in the archive")
        offset, size = self._at[name]
        if size > limit:
            raise self._too_large(name, size, limit)
        self._file.seek(offset)
        data: bytes = self._file.read(size)
        if len(data) != size:
            raise ValueError(f"{self.label}/{name}: {len(data):,} of {size:,} bytes, the archive is cut short")
        return data

    def open(self, name: str) -> BinaryIO:
        if name not in self._at:
            raise FileNotFoundError(f"{self.label}/{name}: not in the archive")
        return cast(BinaryIO, Window(self._file, *self._at[name]))

    def close(self) -> None:
        self._file.close()


def _open_archive(fs: Any, path: str, label: str) -> Raw:
    if fs.size(path) == 0:
        raise ValueError(f"{label}: empty file (0 bytes). Download it again")
    return (Zip if path.endswith(".zip") else Tar)(fs.open(path, "rb"), label)


def open_raw(place: str, base: str = "") -> Folder:
    """Open a release folder, local or any fsspec URL. Raises FileNotFoundError when it is no folder.

    A relative path starts at `base`, by default where this process is; errors name it as it was given.
    """
    fs, root = fsspec.core.url_to_fs(str(Path(base, place)) if base and "://" not in place else place)
    if not fs.isdir(root):
        raise FileNotFoundError(
            f"{place}: no such release folder. Pass the folder that holds the release's own folders"
        )
    if isinstance(fs, LocalFileSystem) and not os.access(root, os.R_OK | os.X_OK):
        raise PermissionError(f"{place}: Permission denied. Ask for the right to read the release folder")
    return Folder(fs, root, place)
