"""Video files of made-up people: pictures and sound muxed by FFmpeg's own encoders."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .voices import RATE, Wave

OPUS_RATE = 48_000


def write_video(
    path: Path, pictures: Iterable[NDArray[np.uint8]], fps: int, sound: Wave | None, key_frame_every: int = 250
) -> None:
    """(H, W, 3) uint8 BGR pictures and (samples,) float64 at 44,100 Hz, or None -> one file.

    An mp4 holds H.264 with B-frames and AAC, a webm VP8 and Opus. One thread each: the bytes do not depend on the
    machine's cores. Raises ImportError without PyAV.
    """
    try:
        import av
    except ImportError:
        raise ImportError("forging videos: PyAV is missing; pip install 'facevox[build]'") from None
    webm = path.suffix == ".webm"
    with av.open(str(path), "w", format="webm" if webm else "mp4") as container:
        video: Any = container.add_stream("libvpx" if webm else "libx264", rate=fps)
        video.pix_fmt, video.codec_context.gop_size = "yuv420p", key_frame_every
        video.options = (
            {"threads": "1", "deadline": "realtime", "cpu-used": "8", "crf": "10", "b": "2M"}
            if webm
            else {"threads": "1", "preset": "veryfast", "crf": "18", "bf": "2"}
        )
        audio: Any = None
        if sound is not None:
            audio = container.add_stream("libopus" if webm else "aac", rate=OPUS_RATE if webm else RATE, layout="mono")
            audio.bit_rate = 96_000
        for number, picture in enumerate(pictures):
            if not number:
                video.height, video.width = picture.shape[:2]
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, fps)
            container.mux(video.encode(frame))
        if sound is not None:
            track = av.AudioFrame.from_ndarray(_int16(sound)[None], format="s16", layout="mono")
            track.sample_rate, track.pts, track.time_base = RATE, 0, Fraction(1, RATE)
            resampler = av.AudioResampler(format=audio.format, layout="mono", rate=audio.rate)
            for part in (*resampler.resample(track), *resampler.resample(None)):
                container.mux(audio.encode(part))
            container.mux(audio.encode(None))
        container.mux(video.encode(None))


def _int16(sound: Wave) -> NDArray[np.int16]:
    return np.asarray(np.clip(np.round(sound * 32_767), -32_768, 32_767), np.int16)
