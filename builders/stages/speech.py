"""Where in a recording somebody speaks, as SF2F and voice2face cut it."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

try:
    import webrtcvad
except ImportError:
    webrtcvad = None

Vad = Literal["auto", "webrtc", "energy"]
RATES = (8_000, 16_000, 32_000, 48_000)
FRAME_MS = (10, 20, 30)
"""What the WebRTC detector takes."""
QUIET, LOUD = 10, 95
"""Percentiles of the frames' levels that stand for a recording's noise and for its speech."""
LEAST_CONTRAST = 12.0
"""dB between quiet and loud below which there is no telling speech from noise: then nothing passes."""
SHARE, LEAST_ABOVE = 0.3, 6.0
"""Speech lies this share of the contrast, and at least so many dB, above the quiet."""
LEAST_LEVEL = -60.0
"""dB of full scale that speech must reach."""


@dataclass(frozen=True)
class SpeechOptions:
    """Which frames are speech and how runs of them become segments; the defaults are SF2F's.

    A segment starts when more than `share` of the last ring is voiced, and holds that ring; it ends when more than
    `share` of the last ring is unvoiced.
    """

    aggressiveness: int = 1
    """Of WebRTC: 0 lets most pass, 3 least."""
    frame_ms: int = 30
    ring_ms: int = 300
    share: float = 0.9
    vad: Vad = "auto"

    def __post_init__(self) -> None:
        if self.frame_ms not in FRAME_MS or self.aggressiveness not in range(4) or self.ring_ms < self.frame_ms:
            raise ValueError(
                f"{self}: expected frames of {', '.join(map(str, FRAME_MS))} ms, an aggressiveness of 0 to 3 and "
                "a ring of at least one frame"
            )


SF2F = SpeechOptions()
VOICE2FACE = SpeechOptions(aggressiveness=2, frame_ms=20, ring_ms=50)


@dataclass(frozen=True)
class Speech:
    """Segments as (first sample, one past the last), in order and apart, and the detector that found them."""

    segments: tuple[tuple[int, int], ...]
    vad: str

    @property
    def samples(self) -> int:
        return sum(end - start for start, end in self.segments)

    def cut(self, sound: NDArray[np.int16]) -> NDArray[np.int16]:
        """(samples,) -> only the speech, joined; empty when there is none."""
        return np.concatenate([sound[:0], *(sound[start:end] for start, end in self.segments)])


def settled_vad(vad: Vad) -> Literal["webrtc", "energy"]:
    """What `auto` stands for on this machine: webrtc where its package is installed, else energy."""
    if vad == "auto":
        return "energy" if webrtcvad is None else "webrtc"
    return vad


def find_speech(sound: NDArray[np.int16], rate: int = 16_000, options: SpeechOptions = SF2F) -> Speech:
    """(samples,) int16, one channel -> its speech. An incomplete last frame is never part of it.

    Each frame is judged once, in order, by a detector of its own per sound. Raises ValueError for a rate that WebRTC
    does not take, and ImportError when webrtc is asked for by name and not installed.
    """
    if sound.dtype != np.int16 or sound.ndim != 1:
        raise ValueError(f"sound of {sound.dtype} {sound.shape}, expected int16 of one channel")
    if rate not in RATES:
        raise ValueError(f"sound at {rate:,} Hz, expected {', '.join(map(str, RATES))}; resample it first")
    vad = settled_vad(options.vad)
    if vad == "webrtc" and webrtcvad is None:
        raise ImportError("speech by webrtc: webrtcvad is missing; pip install 'facevox[build]', or choose vad=energy")
    size = rate * options.frame_ms // 1000
    frames = sound[: len(sound) // size * size].reshape(-1, size)
    voiced = _webrtc(frames, rate, options.aggressiveness) if vad == "webrtc" else _energy(frames)
    runs = segments(voiced, options.ring_ms // options.frame_ms, options.share)
    return Speech(tuple((start * size, end * size) for start, end in runs), vad)


def segments(voiced: Sequence[bool], ring: int, share: float) -> list[tuple[int, int]]:
    """Frames' verdicts -> segments as (first frame, one past the last), by a ring of the last `ring` frames."""
    found: list[tuple[int, int]] = []
    last: deque[bool] = deque(maxlen=ring)
    start = -1
    for at, speech in enumerate(voiced):
        last.append(speech == (start < 0))
        if sum(last) <= share * ring:
            continue
        if start < 0:
            start = at + 1 - len(last)
        else:
            found.append((start, at + 1))
            start = -1
        last.clear()
    return [*found, (start, len(voiced))] if start >= 0 else found


def _webrtc(frames: NDArray[np.int16], rate: int, aggressiveness: int) -> list[bool]:
    detector = webrtcvad.Vad(aggressiveness)
    return [detector.is_speech(frame.tobytes(), rate) for frame in frames]


def _energy(frames: NDArray[np.int16]) -> list[bool]:
    if not len(frames):
        return []
    power = np.mean(np.square(frames.astype(np.float64) / 32_768), 1)
    level = 10 * np.log10(np.maximum(power, 1e-10))
    quiet, loud = np.percentile(level, (QUIET, LOUD))
    if loud - quiet < LEAST_CONTRAST:
        return [False] * len(frames)
    above = quiet + max(LEAST_ABOVE, SHARE * (loud - quiet))
    return [bool(one) for one in level > max(above, LEAST_LEVEL)]
