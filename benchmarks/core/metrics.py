"""Numbers out of per-sample results, with honest intervals: people are drawn, not samples."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 4000
COVERED = 0.95


@dataclass(frozen=True)
class Interval:
    """Lower and upper end, in the unit of the number."""

    low: float
    high: float


def accuracy(right: NDArray[Any]) -> float:
    """(N,) of 0 and 1 (or shares between) -> their mean, 0 to 1. Raises ValueError without samples."""
    if not len(right):
        raise ValueError("accuracy of no samples")
    return float(np.mean(right))


def bootstrap(values: NDArray[Any], groups: NDArray[Any], seed: int = 0, resamples: int = RESAMPLES) -> Interval:
    """95 % percentile interval of the mean of (N,) values when whole groups, (N,), are drawn with replacement.

    Utterances of one person are alike: drawing utterances would give intervals several times too narrow.
    Deterministic in `seed`. One group alone gives the mean itself twice.
    """
    names, member = np.unique(groups, return_inverse=True)
    sums = np.bincount(member, values, len(names))
    counts = np.bincount(member, minlength=len(names))
    drawn = np.random.default_rng(seed).integers(0, len(names), (resamples, len(names)))
    means = sums[drawn].sum(1) / counts[drawn].sum(1)
    low, high = np.quantile(means, ((1 - COVERED) / 2, (1 + COVERED) / 2))
    return Interval(float(low), float(high))


def spread(values: NDArray[Any]) -> float | None:
    """Standard deviation over runs (N - 1 in the denominator), None for fewer than two."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else None
