"""Uncompressed AVI as MATLAB wrote it: 24-bit BGR, bottom row first, rows filled up to four bytes, an index."""

import struct
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

_KEYFRAME = 0x10
_HAS_INDEX = 0x10


class AviWriter:
    """Write frames to a file one by one; sizes and the index are filled in at the end.

    Raises ValueError for a file that would pass 1 GiB, where a second RIFF chunk would have to begin.
    """

    def __init__(self, path: Path, width: int, height: int, fps: int) -> None:
        self.width, self.height, self.fps, self.frames = width, height, fps, 0
        self.row = (3 * width + 3) // 4 * 4
        self._file = path.open("wb")
        self._file.write(self._head())

    def __enter__(self) -> "AviWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if kind is None:
            self._finish()
        self._file.close()

    def add(self, frame: NDArray[np.uint8]) -> None:
        """One (height, width, 3) uint8 BGR frame."""
        if frame.shape != (self.height, self.width, 3):
            raise ValueError(f"frame {frame.shape}, expected {(self.height, self.width, 3)}")
        if (self.frames + 1) * (self.row * self.height + 24) > 1 << 30:
            raise ValueError("an AVI of more than 1 GiB: forge fewer or shorter utterances, or small frames")
        rows = np.zeros((self.height, self.row), np.uint8)
        rows[:, : 3 * self.width] = frame[::-1].reshape(self.height, -1)
        self._file.write(struct.pack("<4sI", b"00db", rows.size) + rows.tobytes())
        self.frames += 1

    def _head(self) -> bytes:
        size, count = self.row * self.height, self.frames
        movi = 4 + count * (8 + size)
        timing = (1_000_000 // self.fps, size * self.fps, 0, _HAS_INDEX, count, 0, 1, size, self.width, self.height)
        avih = struct.pack("<10I16x", *timing)
        strh = struct.pack("<4s4sIIIIIIIIII4h", b"vids", b"DIB ", 0, 0, 0, 1, self.fps, 0, count, size, 0, 0, 0, 0,
                           self.width, self.height)  # fmt: skip
        strf = struct.pack("<IiiHHIIiiII", 40, self.width, self.height, 1, 24, 0, size, 0, 0, 0, 0)
        stream = b"strl" + _chunk(b"strh", strh) + _chunk(b"strf", strf)
        header = _chunk(b"LIST", b"hdrl" + _chunk(b"avih", avih) + _chunk(b"LIST", stream))
        whole = 4 + len(header) + 8 + movi + 8 + 16 * count
        return struct.pack("<4sI4s", b"RIFF", whole, b"AVI ") + header + struct.pack("<4sI4s", b"LIST", movi, b"movi")

    def _finish(self) -> None:
        step = self.row * self.height + 8
        places = (struct.pack("<4sIII", b"00db", _KEYFRAME, 4 + n * step, step - 8) for n in range(self.frames))
        self._file.write(_chunk(b"idx1", b"".join(places)))
        self._file.seek(0)
        self._file.write(self._head())


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack("<4sI", name, len(content)) + content
