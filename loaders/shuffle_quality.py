"""How well an order of samples is shuffled: against storage order, and in who meets whom in a batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import lgamma

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Mixing:
    """Subjects in a batch: the mean number of different ones, and what sampling without order would give."""

    subjects: float
    expected: float

    @property
    def ratio(self) -> float:
        """1 for a full shuffle, below it where samples of one subject stay together."""
        return self.subjects / self.expected


def rank_correlation(order: NDArray[np.int64]) -> float:
    """Spearman correlation of place in the order with place in storage: 1 unshuffled, 0 +- 1 / sqrt(n - 1) shuffled.

    `order` (n,) holds storage places, all different. Raises ValueError for fewer than two samples.
    """
    if len(order) < 2:
        raise ValueError(f"{len(order)} samples: a correlation needs two")
    ranks = np.argsort(np.argsort(order, kind="stable"), kind="stable")
    return float(np.corrcoef(ranks, np.arange(len(order)))[0, 1])


def displacement(order: NDArray[np.int64]) -> float:
    """Mean distance between place in the order and in storage, in parts of that of a full shuffle, (n^2 - 1) / 3n.

    A shuffle buffer of b among n samples stays near b / n, however small its rank correlation may look in parts.
    """
    count = len(order)
    if count < 2:
        raise ValueError(f"{count} samples: a distance needs two")
    return float(np.abs(order - np.arange(count)).mean() / ((count**2 - 1) / (3 * count)))


def kept_neighbours(order: NDArray[np.int64]) -> float:
    """Share of samples followed by the one that follows them in storage: 1 unshuffled, 1 / n for a full shuffle."""
    return float((np.diff(order) == 1).mean())


def mixing(subjects: Sequence[str], batches: Sequence[NDArray[np.int64]]) -> Mixing:
    """Different subjects in a batch of row numbers; `subjects` (n,) names that of every row.

    Expected, from n rows without replacement: the sum over subjects of 1 - C(n - n_s, b) / C(n, b).
    """
    codes = np.unique(np.asarray(subjects), return_inverse=True)[1]
    counts, total = np.bincount(codes), len(codes)
    found = [len(np.unique(codes[batch])) for batch in batches]
    return Mixing(float(np.mean(found)), float(np.mean([_expected(counts, total, len(b)) for b in batches])))


def _expected(counts: NDArray[np.int64], total: int, size: int) -> float:
    nobody = [
        np.exp(_choose(total - int(count), size) - _choose(total, size)) if total - count >= size else 0.0
        for count in counts
    ]
    return float(len(counts) - np.sum(nobody))


def _choose(n: int, k: int) -> float:
    """Logarithm of the binomial coefficient."""
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
