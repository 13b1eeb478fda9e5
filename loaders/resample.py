"""Change the sampling rate of a sound."""

import numpy as np
import soxr
from numpy.typing import NDArray

MAX_RATE = 384_000
"""Highest sampling rate accepted, in Hz."""


def resample(samples: NDArray[np.int16], rate: int, to: int) -> NDArray[np.int16]:
    """(samples,) int16 at `rate` Hz -> (about samples * to / rate,) int16 at `to` Hz, rounded and clipped.

    soxr at its high quality: as fast as scipy's polyphase filter, sharper, and librosa brings it already. It works on
    float32 here, since it adds noise (dither) to whole numbers. The same array comes back when the rates are equal.
    Raises ValueError for rates outside 1..384,000 Hz.
    """
    if not (0 < rate <= MAX_RATE and 0 < to <= MAX_RATE):
        raise ValueError(f"sound at {rate:,} Hz, wanted at {to:,} Hz: expected rates of 1 to {MAX_RATE:,} Hz")
    if rate == to or not len(samples):
        return samples
    changed = soxr.resample(samples.astype(np.float32), rate, to, quality="HQ")
    return np.asarray(np.clip(np.rint(changed), -32_768, 32_767), np.int16)
