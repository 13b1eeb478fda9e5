"""Bytes to arrays and back: pictures, lossless clips (animated WebP), audio. Every decoder is bounded in size."""

import io
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import soundfile
from numpy.typing import NDArray

from .frame_decoder import FrameDecoder

if TYPE_CHECKING:
    from .vp8l import Vp8lEncoder

MAX_PIXELS = 1 << 25
"""Largest picture decoded, 32 M pixels (96 MiB as RGB): checked in the header, before any pixel is touched."""
MAX_AUDIO_SAMPLES = 1 << 28
"""Largest sound decoded, 2**28 values over all channels (512 MiB as int16)."""
_AS_STORED = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
"""Pixels as they lie in the file: OpenCV would turn a picture by its EXIF note, Pillow would not."""
_FRAMES = FrameDecoder()
_PLAIN = {b"IHDR", b"IDAT", b"IEND", b"pHYs", b"tEXt", b"zTXt", b"iTXt", b"tIME"}
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class PictureHeader:
    """Size in pixels and, for PNG, bits per channel, colour type (2 = RGB) and whether pixels are all it says."""

    width: int
    height: int
    bits: int = 8
    colour_type: int = 2
    plain: bool = False
    """Only chunks that do not bear on the pixels' values."""


def png_header(data: bytes, most: int = MAX_PIXELS) -> PictureHeader:
    """Header of a whole PNG. Raises ValueError: no PNG, cut short, damaged, or more than `most` pixels.

    Every chunk is walked and its CRC compared, so that a flipped bit or a missing tail never becomes pixels.
    """
    if not data.startswith(PNG_SIGNATURE):
        raise ValueError(f"not a PNG: begins with {data[:8]!r}")
    if len(data) < 33 or data[12:16] != b"IHDR":
        raise ValueError(f"PNG cut short: {len(data)} bytes, no header chunk")
    width, height, bits, colour_type = struct.unpack(">IIBB", data[16:26])
    if not 0 < width * height <= most:
        raise ValueError(f"PNG of {width} x {height} pixels: " + (_too_large(most) if width * height else "empty"))
    view, at, kind, plain = memoryview(data), 8, b"", True
    while at + 12 <= len(data) and kind != b"IEND":
        (length,), kind = struct.unpack(">I", data[at : at + 4]), data[at + 4 : at + 8]
        end = at + 8 + length
        if end + 4 > len(data):
            break
        if zlib.crc32(view[at + 4 : end]) != int.from_bytes(data[end : end + 4], "big"):
            raise ValueError(f"PNG damaged: checksum of chunk {kind!r} at byte {at} does not match")
        at, plain = end + 4, plain and kind in _PLAIN
    if kind != b"IEND" or at > len(data):
        raise ValueError(f"PNG cut short: {len(data)} bytes, no closing chunk")
    return PictureHeader(width, height, bits, colour_type, plain)


def decode_png(data: bytes, header: PictureHeader | None = None) -> NDArray[np.uint8]:
    """Whole PNG -> (H, W, 3) uint8 RGB. Raises ValueError like png_header, or when the pixel data does not decode."""
    header = header or png_header(data)
    decoder = _wuffs() if (header.bits, header.colour_type, header.plain) == (8, 2, True) else None
    found = decoder.decode(data) if decoder else None
    if found and not found.error_message and found.pixbuf.shape == (header.height, header.width, 3):
        return np.asarray(found.pixbuf, np.uint8)
    # OpenCV has the last word on odd files, so that the verdict does not depend on what is installed.
    return _decode(data, header.width, header.height, "PNG")


@cache
def _wuffs() -> Any:
    """Wuffs' PNG decoder where it is installed (`facevox[fast]`), 1.7 times as fast as OpenCV's; else None."""
    if find_spec("pywuffs") is None:
        return None
    import pywuffs
    from pywuffs.aux import ImageDecoder, ImageDecoderConfig

    config = ImageDecoderConfig()
    config.enabled_decoders = [pywuffs.ImageDecoderType.PNG]
    config.pixel_format = pywuffs.PixelFormat.RGB
    return ImageDecoder(config)


def decode_picture(data: bytes, most: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """PNG, JPEG or still WebP -> (H, W, 3) uint8 RGB. Raises ValueError on anything else, damage, or over `most` px."""
    if data.startswith(PNG_SIGNATURE):
        return decode_png(data, png_header(data, most))
    return _decode(data, *picture_size(data, most), "picture")


def picture_size(data: bytes, most: int = MAX_PIXELS) -> tuple[int, int]:
    """Width and height of a PNG, JPEG or still WebP by its header. Raises ValueError: unreadable, or over `most` px."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP")) as picture:
            width, height = picture.size
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"not a readable picture: {error}") from None
    if width * height > most:
        raise ValueError(f"picture of {width} x {height} pixels: {_too_large(most)}")
    return width, height


def _too_large(most: int) -> str:
    return f"more than {most:,} pixels; refused by its header"


def encode_still(picture: NDArray[np.uint8], quality: int = -1) -> bytes:
    """One still WebP of (H, W, 3) uint8 RGB, lossless for a quality below 0; lossless ones are decoded and compared."""
    data = still_webp(ClipWriter(quality=quality if quality >= 0 else None).add(picture))
    if quality < 0 and not np.array_equal(decode_picture(data), picture):
        raise ValueError("the encoded picture does not decode to the same pixels")
    return data


def _decode(data: bytes | NDArray[np.uint8], width: int, height: int, what: str) -> NDArray[np.uint8]:
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), _AS_STORED)
    except cv2.error as error:
        raise ValueError(f"{what} does not decode: {error}") from None
    if pixels is None or pixels.shape != (height, width, 3):
        raise ValueError(f"{what} of {width} x {height} pixels does not decode")
    return np.asarray(pixels, np.uint8)


# --- clips: one animated WebP, every frame whole and a plain byte range ---


def _chunk(name: bytes, payload: bytes) -> bytes:
    return name + struct.pack("<I", len(payload)) + payload + b"\0" * (len(payload) % 2)


def _u24(value: int) -> bytes:
    return value.to_bytes(3, "little")


class ClipWriter:
    """Encode frames one by one into an animated WebP; `finish` closes the container.

    `effort` 0 (fast) to 6 (small) is lossless: 0 is this package's encoder, above it libwebp of that method writes the
    frame too and the shorter one stays. A `quality` of 0 to 100 writes lossy frames in the same container.
    """

    def __init__(self, effort: int = 0, quality: int | None = None, fps: int = 28) -> None:
        if not 0 <= effort <= 6 or not (quality is None or 0 <= quality <= 100):
            raise ValueError(
                f"effort {effort}, quality {quality}: expected an effort of 0 to 6 and a quality of 0 to 100"
            )
        self.effort, self.quality, self.fps = effort, quality, fps
        self.size: tuple[int, int] | None = None
        self._count = 0
        self._parts: list[bytes] = []
        self._lossless: Vp8lEncoder | None = None

    def add(self, frame: NDArray[np.uint8]) -> bytes:
        """Append (H, W, 3) uint8 RGB and return its encoded payload. Raises ValueError if the size changes."""
        size = (frame.shape[1], frame.shape[0])
        if self.size not in (None, size):
            raise ValueError(f"frame {self._count + 1} is {size[0]}x{size[1]}, the clip {self.size}")
        self.size = size
        payload = self._encoded(frame)
        canvas = _u24(size[0] - 1) + _u24(size[1] - 1)
        if not self._count:
            self._parts = [_chunk(b"VP8X", b"\x02\0\0\0" + canvas), _chunk(b"ANIM", b"\0" * 6)]
        # WebP counts whole milliseconds: round the frame's end, so that rounding never adds up.
        lasts = round((self._count + 1) * 1000 / self.fps) - round(self._count * 1000 / self.fps)
        head = b"\0" * 6 + canvas + _u24(lasts) + b"\x02"
        self._parts.append(_chunk(b"ANMF", head + _chunk(_payload_name(payload), payload)))
        self._count += 1
        return payload

    def _encoded(self, frame: NDArray[np.uint8]) -> bytes:
        if self.quality is not None:
            return _libwebp(frame, quality=self.quality, method=max(self.effort, 4))
        self._lossless = self._lossless or _vp8l()
        payload = self._lossless(frame)
        if self.effort == 0:
            return payload
        # Pillow's quality is a second effort dial when lossless; beyond 50 it costs much and saves 1 %.
        return min(payload, _libwebp(frame, lossless=True, method=self.effort, quality=50), key=len)

    def finish(self) -> bytes:
        """The whole file; the writer is empty afterwards. Raises ValueError without frames."""
        if not self._count:
            raise ValueError("a clip needs at least one frame")
        size = 4 + sum(len(part) for part in self._parts)
        data = b"".join([b"RIFF", struct.pack("<I", size), b"WEBP", *self._parts])
        self._parts, self._count = [], 0
        return data


def _vp8l() -> "Vp8lEncoder":
    # Loads a compiler, which whoever only reads has no use for.
    try:
        from .vp8l import Vp8lEncoder
    except RuntimeError as error:
        advice = "set NUMBA_CACHE_DIR to a folder that can be written"
        raise RuntimeError(f"no place to keep the compiled encoder: {advice} ({error})") from None
    return Vp8lEncoder()


def _libwebp(frame: NDArray[np.uint8], **options: Any) -> bytes:
    from PIL import Image

    Image.fromarray(frame).save(still := io.BytesIO(), "WEBP", **options)
    return _still_payload(still.getvalue())


def _payload_name(payload: bytes | memoryview) -> bytes:
    # A lossless payload opens with the signature byte 0x2f; a lossy key frame has a clear lowest bit there.
    return b"VP8L" if payload[:1] == b"\x2f" else b"VP8 "


def _still_payload(still: bytes) -> bytes:
    if still[:4] != b"RIFF" or still[12:16] not in (b"VP8L", b"VP8 "):
        raise ValueError(f"unexpected WebP layout {still[12:16]!r}")
    (size,) = struct.unpack("<I", still[16:20])
    return still[20 : 20 + size]


@dataclass(frozen=True)
class ClipLayout:
    """Where the frames of a clip lie: offsets and sizes of their payloads, counted from the clip's first byte."""

    width: int
    height: int
    offsets: tuple[int, ...]
    sizes: tuple[int, ...]


def clip_layout(data: bytes | memoryview) -> ClipLayout:
    """Read the container of an animated WebP written by ClipWriter. Raises ValueError when it is cut or malformed."""
    view = memoryview(data)
    if len(view) < 30 or (bytes(view[:4]), bytes(view[8:16])) != (b"RIFF", b"WEBPVP8X"):
        raise ValueError(f"not an animated WebP: begins with {bytes(view[:16])!r}")
    width, height = (int.from_bytes(view[at : at + 3], "little") + 1 for at in (24, 27))
    offsets, sizes, at = [], [], 30
    while at < len(view):
        if at + 8 > len(view):
            raise ValueError(f"WebP clip cut short at byte {at}")
        name, (size,) = bytes(view[at : at + 4]), struct.unpack("<I", view[at + 4 : at + 8])
        if at + 8 + size > len(view):
            raise ValueError(f"WebP clip cut short: chunk {name!r} at byte {at} needs {size} bytes")
        if name == b"ANMF":
            (inner,) = struct.unpack("<I", view[at + 28 : at + 32])
            if inner + 24 > size:
                raise ValueError(f"WebP clip malformed: frame at byte {at} overruns its chunk")
            offsets.append(at + 32)
            sizes.append(inner)
        at += 8 + size + size % 2
    return ClipLayout(width, height, tuple(offsets), tuple(sizes))


def still_webp(payload: bytes | memoryview) -> bytes:
    """A clip's frame payload as a WebP file of its own, which any WebP decoder takes."""
    chunk = _chunk(_payload_name(bytes(payload[:1])), bytes(payload))
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


def decode_frame(
    payload: bytes | memoryview, width: int, height: int, out: NDArray[np.uint8] | None = None
) -> NDArray[np.uint8]:
    """Payload of a frame -> (height, width, 3) uint8 RGB, also in `out` (C-contiguous). Raises ValueError otherwise."""
    if width * height > MAX_PIXELS or _payload_size(payload) != (width, height):
        raise ValueError(f"frame of {_payload_size(payload)} pixels, expected {width} x {height}")
    if _payload_name(payload) == b"VP8L" and (own := _FRAMES.own()):
        pixels = np.empty((height, width, 3), np.uint8) if out is None else out
        if own(payload, pixels):
            return pixels
    pixels = _decode(still_webp(payload), width, height, "WebP frame")
    if out is not None:
        out[:] = pixels
    return pixels


def _payload_size(payload: bytes | memoryview) -> tuple[int, int]:
    head = bytes(payload[:10])
    if len(head) == 10 and head[0] == 0x2F:
        bits = int.from_bytes(head[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if len(head) == 10 and head[3:6] == b"\x9d\x01\x2a":
        return int.from_bytes(head[6:8], "little") & 0x3FFF, int.from_bytes(head[8:10], "little") & 0x3FFF
    raise ValueError("not a WebP frame")


def decode_clip(data: bytes | memoryview, frames: Sequence[int] | None = None) -> Iterator[NDArray[np.uint8]]:
    """Frames of a clip, all or those numbered (from 0), each (H, W, 3) uint8 RGB."""
    layout, view = clip_layout(data), memoryview(data)
    for number in range(len(layout.offsets)) if frames is None else frames:
        at = layout.offsets[number]
        yield decode_frame(view[at : at + layout.sizes[number]], layout.width, layout.height)


# --- audio ---


def decode_audio(data: bytes, limit: int = MAX_AUDIO_SAMPLES) -> tuple[NDArray[np.int16], int]:
    """WAV or FLAC of 16 bits -> ((samples,) or (samples, channels) int16, rate in Hz). Raises ValueError on damage.

    Refused too: a WAV that check_wav refuses, and a sound of more than `limit` values over all channels.
    """
    if not data:
        raise ValueError("sound file of 0 bytes")
    if data[:4] == b"RIFF":
        check_wav(data)
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as sound:
            if sound.frames * sound.channels > limit:
                raise ValueError(f"sound of {sound.frames:,} samples: more than {limit:,}; refused")
            if sound.subtype != "PCM_16":
                raise ValueError(f"sound stored as {sound.subtype}, expected PCM_16")
            samples, rate = sound.read(dtype="int16"), int(sound.samplerate)
            if len(samples) != sound.frames:
                raise ValueError(f"sound cut short: {len(samples)} of {sound.frames} samples")
    except soundfile.LibsndfileError as error:
        raise ValueError(f"not a readable sound file: {error}") from None
    return samples, rate


def check_wav(data: bytes | memoryview) -> None:
    """Raise ValueError for a WAV whose data chunk is cut short or absent: libsndfile would shorten it in silence."""
    at = 12
    while at + 8 <= len(data):
        name, (size,) = data[at : at + 4], struct.unpack("<I", data[at + 4 : at + 8])
        if name == b"data":
            if at + 8 + size > len(data):
                raise ValueError(f"WAV cut short: {len(data) - at - 8} of {size} data bytes")
            return
        at += 8 + size + size % 2
    raise ValueError("WAV without a data chunk")


def encode_flac(samples: NDArray[np.int16], rate: int) -> bytes:
    """(samples,) int16 -> FLAC with the identical samples."""
    out = io.BytesIO()
    soundfile.write(out, samples, rate, format="FLAC", subtype="PCM_16")
    return out.getvalue()
