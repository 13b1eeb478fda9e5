"""The arrays that four papers' networks take, of one recording: computed while training, or stored by a build."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from ...loaders.resample import resample
from .device import one_thread
from .sound import FULL_SCALE, PICZAK, piczak, sf2f, speech2face, vfmr

RATE = 16_000
"""Hz of the recordings."""


def wave(sound: NDArray[np.int16]) -> torch.Tensor:
    """(samples,) int16 -> float32 in -1..1."""
    return torch.from_numpy(sound.astype(np.float32) / FULL_SCALE)


def _piczak(sound: NDArray[np.int16], spoken: NDArray[np.int16]) -> torch.Tensor:
    return piczak(wave(resample(sound, RATE, PICZAK.rate)))


FEATURES: dict[str, Callable[[NDArray[np.int16], NDArray[np.int16]], torch.Tensor]] = {
    "sf2f": lambda sound, spoken: sf2f(wave(spoken)),
    "piczak": _piczak,
    "vfmr": lambda sound, spoken: vfmr(wave(sound)),
    "speech2face": lambda sound, spoken: speech2face(wave(sound)),
}
"""Function of (whole recording, its speech): SF2F alone looks at speech only."""


def voice_features(
    sound: NDArray[np.int16], segments: Sequence[tuple[int, int]], names: Sequence[str]
) -> dict[str, NDArray[np.float32]]:
    """(samples,) int16 at 16 kHz and its speech (first sample, one past the last) -> one array per name, float32.

    sf2f (40, frames of the joined speech), normalised; piczak (audible segments, 2, 60, 41) of the sound at 22,050 Hz;
    vfmr (257, samples // 160); speech2face (2, 598, 257) of the first six seconds. Options are each function's own
    defaults. One thread on the CPU, so that equal sounds give equal bytes.
    Raises KeyError for a name that is none of FEATURES, ValueError for a sound too short.
    """
    spoken = np.concatenate([sound[:0], *(sound[first:end] for first, end in segments)])
    with one_thread():
        return {name: np.asarray(FEATURES[name](sound, spoken).numpy(), np.float32) for name in names}
