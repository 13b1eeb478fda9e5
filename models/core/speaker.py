"""Speaker embedders: one unit vector for each window of sound, near those of the same voice."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ...loaders.names import nearest
from .voice_frames import FRAME, HOP, VoiceFrames, voice_frames
from .voice_vector import voice_vector

RATE = 16_000
"""Hz of every sound here."""
NAMES = ("mfcc",)
SHORTEST = FRAME
"""Samples (40 ms) that a window has at least."""
CHUNK = 10 * RATE
"""Samples that a track reads at once."""

Read = Callable[[int, int], NDArray[np.int16]]
"""(first sample, one past the last) of a track -> those samples, (samples,) int16 at 16 kHz."""


class Track(Protocol):
    """A sound looked at window by window: (first sample, one past the last) -> (D,) float32 unit vector.

    Windows that grow or overlap share their work. Memory holds the sound from the last window's start on, so that a
    window starting before the last one's start costs a second reading. Raises ValueError for a window that is shorter
    than 40 ms or not inside the track.
    """

    def __call__(self, first: int, end: int) -> NDArray[np.float32]: ...


class SpeakerEmbedder(Protocol):
    """Windows of one voice, (samples,) int16 at 16 kHz each -> (N, D) float32 unit vectors; a cosine is their product.

    Raises ValueError for another dtype or shape, or a window shorter than 40 ms.
    """

    @property
    def name(self) -> str: ...

    def __call__(self, windows: Sequence[NDArray[np.int16]]) -> NDArray[np.float32]: ...

    def track(self, read: Read, samples: int) -> Track: ...


def open_speaker_embedder(name: str, models: Path | None = None) -> SpeakerEmbedder:
    """An embedder by name (`NAMES`). Raises ValueError for an unknown name."""
    if name == "mfcc":
        return MfccEmbedder()
    raise ValueError(f"no speaker embedder {name!r}; {nearest(name, NAMES)}")


class MfccEmbedder:
    """Statistics of a window's cepstra and pitch, over its voiced frames."""

    name = "mfcc"

    def __call__(self, windows: Sequence[NDArray[np.int16]]) -> NDArray[np.float32]:
        vectors = [voice_vector(voice_frames(checked_window(window))) for window in windows]
        return np.stack(vectors) if vectors else np.zeros((0, 0), np.float32)

    def track(self, read: Read, samples: int) -> Track:
        return MfccTrack(read, samples)


class MfccTrack:
    """A track whose frames are analysed once each, however many windows hold them."""

    def __init__(self, read: Read, samples: int) -> None:
        self.read, self.samples = read, samples
        self.start = self.reached = 0
        self.frames = voice_frames(np.zeros(0, np.int16))

    def __call__(self, first: int, end: int) -> NDArray[np.float32]:
        check_span(first, end, self.samples)
        # Frames lie on a grid of their own: a window that starts between two has all that lie wholly inside it.
        begin, beyond = -(-first // HOP), (end - FRAME) // HOP + 1
        if begin < self.start or begin > self.reached:
            self.start = self.reached = begin
            self.frames = self.frames[:0]
        while self.reached < beyond:
            self._analyse()
        self.frames, self.start = self.frames[begin - self.start :], begin
        return voice_vector(self.frames[: max(0, beyond - begin)])

    def _analyse(self) -> None:
        first = self.reached * HOP
        end = min(self.samples, first + CHUNK // HOP * HOP + FRAME - HOP)
        sound = self.read(first, end)
        if len(sound) != end - first:
            raise ValueError(f"samples {first:,} to {end:,} of a track: only {len(sound):,} of them came")
        new = voice_frames(checked_window(sound))
        self.frames = VoiceFrames.join(self.frames, new)
        self.reached += len(new)


def check_span(first: int, end: int, samples: int) -> None:
    """Raises ValueError for a window that is too short or not inside a track of so many samples."""
    if not 0 <= first <= end - SHORTEST or end > samples:
        raise ValueError(f"window {first:,} to {end:,}: expected {SHORTEST} samples or more inside {samples:,}")


def checked_window(window: NDArray[np.int16]) -> NDArray[np.int16]:
    """The window as it is. Raises ValueError for another dtype or shape, or one too short."""
    if getattr(window, "dtype", None) != np.int16 or window.ndim != 1 or len(window) < SHORTEST:
        found = f"{getattr(window, 'dtype', type(window).__name__)} {getattr(window, 'shape', '')}"
        raise ValueError(f"window of {found}: expected int16 of one channel, {SHORTEST} samples or more, at 16 kHz")
    return window
