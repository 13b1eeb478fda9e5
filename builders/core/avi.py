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
MAX_DEPTH = 4
"""Lists within the list of frames; recorders write one ('rec ') at most."""
_TO_THE_END = 1 << 62
_UNCOMPRESSED = (b"\0\0\0\0", b"DIB ", b"RGB ", b"RAW ")


class Avi:
    """The first video stream of a file that holds 24-bit BGR frames, bottom row first or top row first.

    `stated` is the number of frames by the header (0 where the recording broke off before it was written); whether
    they are all there shows when they are read or counted. Raises ValueError for any other kind of file.
    """

    def __init__(self, file: BinaryIO, label: str) -> None:
        self._file, self._label = file, label
        self.stated, self.width, self.height = 0, 0, 0
        self.fps = (0, 1)
        """Frames and seconds, as the header's rate and scale."""
        self._stream, self._streams, self._top_down = -1, 0, False
        self._offsets: list[tuple[int, int]] = []
        self._others = 0
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
        if not self._reach(number):
            return False
        offset, size = self._offsets[number - 1]
        return size == self._row * self.height and len(self._bytes(offset + size - 1, 1)) == 1

    def count(self, size: int) -> int:
        """Frames that are there in a file of `size` bytes: the header's number where it fits, else by every chunk.

        A last frame that is cut short does not count. Raises ValueError above MAX_FRAMES frames.
        """
        frame = self._row * self.height
        if self.stated and 0 <= size - self.stated * (frame + 8) < frame:
            return self.stated
        self._reach(MAX_FRAMES + 1)
        there = len(self._offsets)
        return there if not there or self.has(there) else there - 1

    def frame(self, number: int) -> NDArray[np.uint8]:
        """(height, width, 3) uint8 RGB of frame `number`, from 1. Raises ValueError when it is not there."""
        if not self._reach(number):
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

    def _reach(self, number: int) -> bool:
        """Walk on to frame `number`; False when the file ends before it."""
        while len(self._offsets) < number and (found := next(self._frames, None)) is not None:
            self._offsets.append(found)
            if len(self._offsets) > MAX_FRAMES:
                raise self._unfit(f"more than {MAX_FRAMES:,} frames")
        return len(self._offsets) >= number

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

    def _integer(self, offset: int) -> int:
        data = self._bytes(offset, 4)
        if len(data) < 4:
            raise self._unfit(f"ends inside its header, at byte {offset + len(data):,}")
        return int.from_bytes(data, "little")

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
            self._others += 1
            if self._others > MAX_CHUNKS_BETWEEN:
                raise self._unfit("no frames among its chunks")
            yield name, at + 8, size
            at += 8 + size + size % 2

    def _walk(self) -> Iterator[tuple[int, int]]:
        """(offset, size) of every frame of the stream, in order; reads the headers it meets on the way.

        A file longer than 1 GB goes on in further RIFF chunks, whose sizes are trusted no further than the file. A size
        of 0 is one that was never filled in, since the recording broke off: such a chunk goes on to the end.
        """
        for riff, inside, size in self._chunks(0, _TO_THE_END):
            if riff != b"RIFF":
                continue
            for name, offset, length in self._chunks(inside + 4, inside + (size or _TO_THE_END)):
                kind = self._bytes(offset, 4) if name == b"LIST" else b""
                if kind == b"hdrl":
                    self._header(offset + 4, offset + length)
                elif kind == b"movi":
                    yield from self._movi(offset + 4, offset + (length or _TO_THE_END), 0)

    def _movi(self, start: int, end: int, depth: int) -> Iterator[tuple[int, int]]:
        if not self.width:
            return
        if depth > MAX_DEPTH:
            raise self._unfit(f"lists of frames within each other, more than {MAX_DEPTH} deep")
        for name, offset, size in self._chunks(start, end):
            if name == b"LIST":
                yield from self._movi(offset + 4, offset + size, depth + 1)
            elif name[:2] == b"%02d" % self._stream and name[2:] in (b"db", b"dc"):
                self._others = 0
                yield offset, size

    def _header(self, start: int, end: int) -> None:
        for name, offset, size in self._chunks(start, end):
            kind = self._bytes(offset, 4) if name == b"LIST" else b""
            if name == b"avih" and size >= 20:
                self.stated = self._integer(offset + 16)
            elif kind == b"strl":
                self._describe(offset + 4, offset + size)
            elif kind == b"odml":
                for inner, place, length in self._chunks(offset + 4, offset + size):
                    if inner == b"dmlh" and length >= 4:
                        self.stated = self._integer(place) or self.stated

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
