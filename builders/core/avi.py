"""Uncompressed AVI video read frame by frame, in place with flat memory: RIFF as Microsoft and OpenDML define it."""

import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

MAX_SIDE = 4096
MAX_FRAMES = 200_000
MAX_CHUNKS_BETWEEN = 10_000
"""Chunks that are no frame in a row, after which a file is taken for damaged."""
_UNCOMPRESSED = (b"\0\0\0\0", b"DIB ", b"RGB ", b"RAW ")


class Avi:
    """The first video stream of a file that holds 24-bit BGR frames, bottom row first or top row first.

    `stated` is the number of frames by the header (0 where the recording broke off before it was written); whether
    they are all there shows when they are read. Raises ValueError for any other kind of file.
    """

    def __init__(self, file: BinaryIO, label: str) -> None:
        self._file, self._label = file, label
        self.stated, self.width, self.height = 0, 0, 0
        self.fps = (0, 1)
        """Frames and seconds, as the header's rate and scale."""
        self._stream, self._streams, self._top_down = -1, 0, False
        self._offsets: list[tuple[int, int]] = []
        if self._bytes(0, 4) != b"RIFF" or self._bytes(8, 4) != b"AVI ":
            raise self._unfit("not an AVI file")
        self._frames = self._walk()
        first = next(self._frames, None)
        if not self.width:
            raise self._unfit("no video stream")
        if first is not None:
            self._offsets.append(first)

    def has(self, number: int) -> bool:
        """Whether frame `number`, from 1, is there in full size. Looks no further than that frame."""
        while len(self._offsets) < number:
            found = next(self._frames, None)
            if found is None:
                return False
            self._offsets.append(found)
            if len(self._offsets) > MAX_FRAMES:
                raise self._unfit(f"more than {MAX_FRAMES:,} frames")
        offset, size = self._offsets[number - 1]
        return size == self._row * self.height and len(self._bytes(offset + size - 1, 1)) == 1

    def frame(self, number: int) -> NDArray[np.uint8]:
        """(height, width, 3) uint8 RGB of frame `number`, from 1. Raises ValueError when it is not there."""
        while len(self._offsets) < number and (found := next(self._frames, None)) is not None:
            self._offsets.append(found)
        if len(self._offsets) < number:
            raise self._unfit(f"frame {number} is not there, only {len(self._offsets)}")
        offset, size = self._offsets[number - 1]
        if size != self._row * self.height:
            raise self._unfit(f"frame {number} has {size:,} bytes, expected {self._row * self.height:,}")
        data = self._bytes(offset, size)
        if len(data) != size:
            raise self._unfit(f"frame {number} is cut short")
        rows = np.frombuffer(data, np.uint8).reshape(self.height, self._row)[:, : 3 * self.width]
        picture = rows.reshape(self.height, self.width, 3)[:, :, ::-1]
        return np.ascontiguousarray(picture if self._top_down else picture[::-1])

    @property
    def _row(self) -> int:
        """Bytes of a row: filled up to a multiple of four."""
        return (3 * self.width + 3) // 4 * 4

    def _bytes(self, offset: int, size: int) -> bytes:
        data = b""
        try:
            self._file.seek(offset)
            while len(data) < size and (more := self._file.read(size - len(data))):
                data += more
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise self._unfit(f"cannot be read ({error}). Download the archive again") from None
        return data

    def _unfit(self, reason: str) -> ValueError:
        return ValueError(f"{self._label}: {reason}")

    def _chunks(self, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
        """(name, offset of the content, size) of the chunks between two offsets."""
        at = start
        while at + 8 <= end:
            head = self._bytes(at, 8)
            if len(head) < 8:
                return
            name, size = head[:4], struct.unpack("<I", head[4:])[0]
            yield name, at + 8, size
            at += 8 + size + size % 2

    def _walk(self) -> Iterator[tuple[int, int]]:
        """(offset, size) of every frame of the stream, in order; reads the headers it meets on the way.

        A file longer than 1 GB goes on in further RIFF chunks, whose sizes are trusted no further than the file.
        """
        others = 0
        for riff, inside, size in self._chunks(0, 1 << 62):
            if riff != b"RIFF":
                continue
            for name, offset, length in self._chunks(inside + 4, inside + size):
                kind = self._bytes(offset, 4) if name == b"LIST" else b""
                if kind == b"hdrl":
                    self._header(offset + 4, offset + length)
                elif kind == b"movi":
                    for found in self._movi(offset + 4, offset + length):
                        others = others + 1 if found is None else 0
                        if others > MAX_CHUNKS_BETWEEN:
                            raise self._unfit("no frames among its chunks")
                        if found is not None:
                            yield found

    def _movi(self, start: int, end: int) -> Iterator[tuple[int, int] | None]:
        if not self.width:
            return
        for name, offset, size in self._chunks(start, end):
            if name == b"LIST":
                yield from self._movi(offset + 4, offset + size)
            else:
                ours = name[:2] == b"%02d" % self._stream and name[2:] in (b"db", b"dc")
                yield (offset, size) if ours else None

    def _header(self, start: int, end: int) -> None:
        for name, offset, size in self._chunks(start, end):
            kind = self._bytes(offset, 4) if name == b"LIST" else b""
            if name == b"avih" and size >= 20:
                self.stated = struct.unpack("<I", self._bytes(offset + 16, 4))[0]
            elif kind == b"strl":
                self._describe(offset + 4, offset + size)
            elif kind == b"odml":
                for inner, place, length in self._chunks(offset + 4, offset + size):
                    if inner == b"dmlh" and length >= 4:
                        self.stated = struct.unpack("<I", self._bytes(place, 4))[0] or self.stated

    def _describe(self, start: int, end: int) -> None:
        """One stream's header; the first video stream counts."""
        found = {name: self._bytes(offset, min(size, 64)) for name, offset, size in self._chunks(start, end)}
        number, self._streams = self._streams, self._streams + 1
        header, picture = found.get(b"strh", b""), found.get(b"strf", b"")
        if header[:4] != b"vids" or self._stream >= 0 or len(header) < 28:
            return
        if len(picture) < 20:
            raise self._unfit("video stream without a format")
        _, width, height, _, bits, codec = struct.unpack("<IiiHH4s", picture[:20])
        if bits != 24 or codec not in _UNCOMPRESSED:
            name = codec.decode("ascii", "backslashreplace") if codec.strip(b"\0") else "none"
            raise self._unfit(f"expected uncompressed 24-bit video, found {bits} bits, codec {name}")
        if not (0 < width <= MAX_SIDE and 0 < abs(height) <= MAX_SIDE):
            raise self._unfit(f"frames of {width}x{abs(height)}, expected at most {MAX_SIDE}x{MAX_SIDE}")
        scale, rate = struct.unpack("<II", header[20:28])
        self.width, self.height, self.fps = width, abs(height), (rate, max(1, scale))
        self._stream, self._top_down = number, height < 0
