"""Video files of made-up people: pictures and sound muxed by FFmpeg's own encoders."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .voices import RATE

OPUS_RATE = 48_000
PIECE = RATE // 2
"""Samples of sound encoded at a time, so that sound and pictures of one moment lie near each other in the file."""
CONTAINERS = {".mp4": "mp4", ".webm": "webm", ".mkv": "matroska"}


@dataclass(frozen=True)
class Encoding:
    """How pictures are packed."""

    key_frame_every: int = 250
    """Frames."""
    quality: int = 18
    """x264's constant rate factor: 18 looks like the source, 23 is the encoder's own default."""
    codec: str = "libx264"
    """For all but webm."""
    sound_bits: int = 96_000
    """Per second."""


def write_video(
    path: Path,
    pictures: Iterable[NDArray[np.uint8]],
    fps: int | Fraction,
    sound: NDArray[np.floating[Any]] | None,
    encoding: Encoding | None = None,
) -> None:
    """(H, W, 3) uint8 BGR pictures of even sides and (samples,) float in -1..1 at 44,100 Hz, or None -> one file.

    An mp4 or mkv holds H.264 with B-frames and AAC, a webm VP8 and Opus. One thread each: the bytes do not depend on
    the machine's cores. Raises ImportError without PyAV.
    """
    try:
        import av
    except ImportError:
        raise ImportError("forging videos: PyAV is missing; pip install 'facevox[build]'") from None
    encoding = encoding or Encoding()
    webm = path.suffix == ".webm"
    # Bit-exact leaves random track numbers out of Matroska files.
    with av.open(str(path), "w", format=CONTAINERS[path.suffix], options={"fflags": "+bitexact"}) as container:
        video: Any = container.add_stream("libvpx" if webm else encoding.codec, rate=fps)
        video.pix_fmt, video.codec_context.gop_size = "yuv420p", encoding.key_frame_every
        video.options = _options("libvpx" if webm else encoding.codec, encoding.quality)
        parts: Iterator[list[Any]] = iter(())
        if sound is not None:
            audio: Any = container.add_stream(
                "libopus" if webm else "aac", rate=OPUS_RATE if webm else RATE, layout="mono"
            )
            audio.bit_rate = encoding.sound_bits
            parts = _encoded(audio, sound)
        heard = Fraction(0)
        for number, picture in enumerate(pictures):
            if not number:
                video.height, video.width = picture.shape[:2]
            frame = av.VideoFrame.from_ndarray(cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420), format="yuv420p")
            frame.pts, frame.time_base = number, 1 / Fraction(fps)
            container.mux(video.encode(frame))
            while heard * fps <= number and (packets := next(parts, None)) is not None:
                container.mux(packets)
                heard += Fraction(PIECE, RATE)
        for packets in parts:
            container.mux(packets)
        container.mux(video.encode(None))


def _options(codec: str, quality: int) -> dict[str, str]:
    if codec == "libvpx":
        return {"threads": "1", "deadline": "realtime", "cpu-used": "8", "crf": "10", "b": "2M"}
    if codec == "libx264":
        # Its macroblock tree reads memory that it has not written: the same pictures gave other bytes now and then.
        return {"threads": "1", "preset": "veryfast", "crf": str(quality), "mbtree": "0"}
    return {"threads": "1"}


def _encoded(audio: Any, sound: NDArray[np.floating[Any]]) -> Iterator[list[Any]]:
    """The packets of one PIECE of sound after the other, then those left in the encoder."""
    import av

    resampler = av.AudioResampler(format=audio.format, layout="mono", rate=audio.rate)
    for first in range(0, len(sound), PIECE):
        track = av.AudioFrame.from_ndarray(_int16(sound[first : first + PIECE])[None], format="s16", layout="mono")
        track.sample_rate, track.pts, track.time_base = RATE, first, Fraction(1, RATE)
        yield [packet for part in resampler.resample(track) for packet in audio.encode(part)]
    rest = [packet for part in resampler.resample(None) for packet in audio.encode(part)]
    yield [*rest, *audio.encode(None)]


def _int16(sound: NDArray[np.floating[Any]]) -> NDArray[np.int16]:
    return np.asarray(np.clip(np.round(sound * 32_767), -32_768, 32_767), np.int16)
