"""Background noise: a signal-to-noise ratio from the levels of short windows."""

import numpy as np
from numpy.typing import NDArray

WINDOW_SECONDS = 0.01
FLOOR_QUANTILE = 0.05
"""Share of the windows, the quietest, whose loudest one is taken as noise: speech pauses for more than that."""
LOUD_QUANTILE = 0.95
NOISY_BELOW_DB = 20.0
"""Decibels under which a sound counts as noisy: LibriSpeech, GRID and web recordings measured 28 to 70, LibriSpeech
with white noise added at a true ratio of 10 dB 15 to 19."""
_LEAST_POWER = 1.0 / 12
"""Power of rounding to whole numbers: digital silence has no noise floor of its own."""


def snr_db(samples: NDArray[np.int16], rate: int) -> float:
    """Signal-to-noise ratio in dB of (samples,) int16 at `rate` Hz: the loud windows' power over the quiet ones'.

    Windows of 10 ms without their mean; noise is the fifth quietest of a hundred, signal and noise together the
    fifth loudest. Never below 0. A hum or a hiss that goes on during the pauses lowers it, one that stops does not.
    """
    length = max(1, round(rate * WINDOW_SECONDS))
    count = max(1, len(samples) // length)
    windows = samples[: count * length].reshape(count, -1).astype(np.float64)
    power = np.maximum(windows.var(axis=1), _LEAST_POWER)
    noise, loud = np.quantile(power, (FLOOR_QUANTILE, LOUD_QUANTILE))
    return float(10 * np.log10(max(loud / noise, 1.0)))
