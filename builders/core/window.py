"""A part of an open file, read as a file of its own."""

import io
import os
from typing import Any


class Window(io.RawIOBase):
    """Bytes start..start+size of an archive, as a file of its own; closing it leaves the archive open."""

    def __init__(self, file: Any, start: int, size: int) -> None:
        self._file, self._start, self._size, self._at = file, start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = max(0, offset + (0, self._at, self._size)[whence])
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        wanted = max(0, min(len(buffer), self._size - self._at))
        self._file.seek(self._start + self._at)
        data: bytes = self._file.read(wanted)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
