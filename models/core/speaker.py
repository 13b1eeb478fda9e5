"""Speaker embedders: one unit vector for each window of sound, near those of the same voice."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from ...loaders.names import nearest
from .voice_frames import FRAME, HOP, VoiceFrames, voice_frames
from .voice_vector import voice_vector

if TYPE_CHECKING:
    from .speaker_networks import SpeakerNetwork

RATE = 16_000
"""Hz of every sound here."""
NAMES = ("mfcc", "onnx:FILE", "onnx-mel:FILE", "torch:FILE", "torch-mel:FILE")
"""mfcc comes with facevox. A FILE is a network of the user's, ONNX or TorchScript (torch.jit.save), that takes one
window: a wave (1, samples) float32 of -1 to 1, or with `-mel` log-mel (1, frames, 80), see speaker_input.py; it gives
one vector (1, D). Exported programs (torch.export) and pickled modules are not read, since reading them runs what they
hold."""
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
    """An embedder by name (`NAMES`); a relative FILE is first looked for in the folder `models`.

    Raises ValueError for an unknown name or a file that is no such network, FileNotFoundError for a missing file.
    """
    if name == "mfcc":
        return MfccEmbedder()
    kind, _, file = name.partition(":")
    if not file or f"{kind}:FILE" not in NAMES:
        raise ValueError(f"no speaker embedder {name!r}; {nearest(name, NAMES)}")
    places = [Path(file)] if models is None else [models / file, Path(file)]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        raise FileNotFoundError(f"{file}: no such file here{'' if models is None else f' or in {models}'}")
    # torch is wanted by these embedders alone.
    from .speaker_networks import speaker_network

    return NetworkEmbedder(speaker_network(kind, path))


class NetworkEmbedder:
    """A network of the user's, run once for each window."""

    def __init__(self, network: "SpeakerNetwork") -> None:
        self.name, self._network = network.name, network

    def __call__(self, windows: Sequence[NDArray[np.int16]]) -> NDArray[np.float32]:
        return self._network([checked_window(window) for window in windows])

    def track(self, read: Read, samples: int) -> Track:
        def window(first: int, end: int) -> NDArray[np.float32]:
            check_span(first, end, samples)
            vector: NDArray[np.float32] = self([read(first, end)])[0]
            return vector

        return window


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
