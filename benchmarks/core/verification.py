"""Same person or not, of pairs: area under the curve, equal error, and the threshold that is best by a rule."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .metrics import COVERED, Interval, unit

MOST_PAIRS = 8_000_000
"""More are drawn by chance; the 3,808 faces of the voice-GAN's search make 7,248,528."""
TAUS = np.arange(30, 100) / 100
"""The voice-GAN's grid: 0.30 to 0.99."""
ALL_TAUS = np.arange(1, 200) / 100
"""The same steps over all distances of unit vectors, whose network may draw people nearer together."""
METRICS = ("euclidean", "squared", "cosine")
RESAMPLES = 200
ENDS = ((1 - COVERED) / 2, (1 + COVERED) / 2)


@dataclass(frozen=True)
class Pairs:
    """Distances of P pairs, and the two people of each as places in `people`; smaller is more alike."""

    people: NDArray[np.str_]
    distances: NDArray[np.float64]
    first: NDArray[np.int64]
    second: NDArray[np.int64]

    @property
    def same(self) -> NDArray[np.bool_]:
        """(P,) True where both are of one person."""
        return np.asarray(self.first == self.second)


def pairs(vectors: NDArray[Any], labels: NDArray[Any], metric: str, most: int = MOST_PAIRS, seed: int = 0) -> Pairs:
    """All unordered pairs of rows of (N, D), or `most` different ones drawn by `seed`; cosine: 1 minus it.

    Raises ValueError for an unknown metric, or where there is no pair of one person or none of two.
    """
    if metric not in METRICS:
        raise ValueError(f"metric {metric!r}: expected one of {', '.join(METRICS)}")
    people, member = np.unique(labels, return_inverse=True)
    left, right = numbered_pairs(drawn_numbers(len(vectors) * (len(vectors) - 1) // 2, most, seed))
    if len(people) < 2 or not (member[left] == member[right]).any():
        raise ValueError("pairs of the same and of different people are needed; some person must have two vectors")
    rows = unit(vectors) if metric == "cosine" else np.asarray(vectors, np.float64)
    distances = np.empty(len(left))
    starts = np.searchsorted(right, np.arange(len(rows) + 1))
    for one, (start, end) in enumerate(pairwise(starts)):
        others = rows[left[start:end]]
        distances[start:end] = 1 - others @ rows[one] if metric == "cosine" else ((others - rows[one]) ** 2).sum(1)
    return Pairs(people, np.sqrt(distances) if metric == "euclidean" else distances, member[left], member[right])


def drawn_numbers(count: int, most: int, seed: int) -> NDArray[np.int64]:
    """0 to `count` - 1, or `most` different ones of them drawn by `seed`, in order; memory is of those drawn alone."""
    if count <= most:
        return np.arange(count)
    random = np.random.default_rng(seed)
    if count <= 4 * most:
        return np.sort(random.choice(count, most, replace=False, shuffle=False))
    found = np.unique(random.integers(0, count, most))
    while len(found) < most:
        found = np.unique(np.append(found, random.integers(0, count, most)))
    return np.sort(random.choice(found, most, replace=False, shuffle=False))


def numbered_pairs(numbers: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows left < right of pairs numbered (0, 1), (0, 2), (1, 2), (0, 3), ...; in order of right."""
    right = np.asarray((1 + np.sqrt(1 + 8 * numbers.astype(np.float64))) / 2, np.int64)
    # The root is rounded: one pair too far or too near at most.
    right -= right * (right - 1) // 2 > numbers
    right += right * (right + 1) // 2 <= numbers
    return numbers - right * (right - 1) // 2, right


# --- over all thresholds ---


@dataclass(frozen=True)
class Curve:
    """Shares accepted at rising thresholds, from none to all: (K,) each, linear between."""

    thresholds: NDArray[np.float64]
    false_accepts: NDArray[np.float64]
    true_accepts: NDArray[np.float64]

    @property
    def area(self) -> float:
        """Chance that a pair of one person is nearer than one of two people; equal ones count half."""
        return float(np.trapezoid(self.true_accepts, self.false_accepts))

    @property
    def equal_error(self) -> tuple[float, float]:
        """Where as many pairs of two people are accepted as pairs of one are refused: that share, and the threshold."""
        gap = self.false_accepts - (1 - self.true_accepts)
        at = int(np.argmax(gap >= 0))
        before, after = gap[at - 1], gap[at]
        share = -before / (after - before)
        rate = self.false_accepts[at - 1] + share * (self.false_accepts[at] - self.false_accepts[at - 1])
        threshold = self.thresholds[at] if at == 1 else np.interp(share, (0, 1), self.thresholds[at - 1 : at + 1])
        return float(rate), float(threshold)


def curve(found: Pairs) -> Curve:
    """The curve of all pairs."""
    return _Sorted(found).curve(np.ones(len(found.people)))


def intervals(found: Pairs, seed: int = 0, resamples: int = RESAMPLES) -> tuple[Interval, Interval]:
    """95 % of area and equal error when people are drawn with replacement, somebody drawn twice as two people.

    Draws without pairs of one person, or without pairs of two, are left out.
    """
    ordered, random = _Sorted(found), np.random.default_rng(seed)
    areas: list[float] = []
    errors: list[float] = []
    while len(areas) < resamples:
        times = np.bincount(random.integers(0, len(found.people), len(found.people)), minlength=len(found.people))
        if min((drawn := ordered.curve(times)).true_accepts[-1], drawn.false_accepts[-1]) > 0:
            areas.append(drawn.area)
            errors.append(drawn.equal_error[0])
    return Interval(*np.quantile(areas, ENDS).tolist()), Interval(*np.quantile(errors, ENDS).tolist())


def areas(found: Pairs, drawn: NDArray[Any]) -> NDArray[np.float64]:
    """Area under the curve of each draw of people, (R, P) how often; NaN where no pair of one, or of two, is left."""
    ordered, values = _Sorted(found), []
    for times in drawn:
        one = ordered.curve(times)
        values.append(one.area if min(one.true_accepts[-1], one.false_accepts[-1]) > 0 else np.nan)
    return np.array(values, np.float64)


class _Sorted:
    """Pairs by distance, sorted once for all draws of people."""

    def __init__(self, found: Pairs) -> None:
        self.codes: list[NDArray[np.int64]] = []
        distances, values = [], np.unique(found.distances)
        for kind in (~found.same, found.same):
            order = np.argsort(found.distances[kind], kind="stable")
            distances.append(found.distances[kind][order])
            self.codes.append((found.first * len(found.people) + found.second)[kind][order])
        # Between two pairs of one person the curve is a straight line: only its corners are kept.
        near = np.searchsorted(distances[1], values, "right")
        steps = np.diff(near, prepend=0) > 0
        corners = steps | np.append(steps[1:], True)
        self.thresholds = values[corners]
        self.ends = [np.searchsorted(part, self.thresholds, "right") for part in distances]

    def curve(self, times: NDArray[Any]) -> Curve:
        """With each person as often as `times` says, 0 for not at all."""
        weights = np.outer(times, times).astype(np.float64)
        np.fill_diagonal(weights, times)
        shares = []
        for codes, ends in zip(self.codes, self.ends, strict=True):
            counts = np.append(0, np.cumsum(weights.ravel()[codes]))
            shares.append(np.append(0, counts[ends] / max(counts[-1], 1)))
        return Curve(np.append(-np.inf, self.thresholds), *shares)


# --- at one threshold ---


@dataclass(frozen=True)
class TauSearch:
    """Of each threshold (K,): share of pairs told rightly, and F1 of "same"."""

    taus: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    f1: NDArray[np.float64]
    always_different: float
    """Accuracy of saying "different" to every pair."""

    def best(self, by: str = "accuracy") -> int:
        """Place of the best threshold by `accuracy` or `f1`, the smallest of equals. Raises ValueError otherwise."""
        if by not in ("accuracy", "f1"):
            raise ValueError(f"best by {by!r}: expected accuracy or f1")
        return int(np.argmax(self.accuracy if by == "accuracy" else self.f1))


def tau_search(distances: NDArray[Any], same: NDArray[np.bool_], taus: NDArray[np.float64] = TAUS) -> TauSearch:
    """Say "same" below each threshold, of (P,) distances and truths (voice-GAN, figure 4)."""
    near, far = np.sort(distances[same]), np.sort(distances[~same])
    true, false = np.searchsorted(near, taus), np.searchsorted(far, taus)
    accuracy = (true + len(far) - false) / len(distances)
    f1 = 2 * true / np.maximum(true + false + len(near), 1)
    return TauSearch(taus, accuracy, f1, len(far) / len(distances))


@dataclass(frozen=True)
class TauDraws:
    """Accuracy and F1 of B draws of people at each threshold, (B, K)."""

    accuracy: NDArray[np.float64]
    f1: NDArray[np.float64]

    def ends(self, found: TauSearch, by: str) -> NDArray[np.float64]:
        """95 % of `accuracy` or `f1` at each threshold, (2, K), around what was found.

        Draws hold fewer pairs of two people, since nobody is paired with a copy: their mean is moved to what was found.
        """
        drawn = getattr(self, by)
        low, high = np.quantile(drawn, ENDS, axis=0) + getattr(found, by) - drawn.mean(0)
        return np.asarray(np.clip([low, high], 0, 1), np.float64)

    def interval(self, found: TauSearch, by: str, at: int) -> Interval:
        """`ends` at one threshold."""
        low, high = self.ends(found, by)[:, at]
        return Interval(float(low), float(high))


def tau_draws(found: Pairs, taus: NDArray[np.float64] = TAUS, seed: int = 0, resamples: int = RESAMPLES) -> TauDraws:
    """`tau_search` when people are drawn with replacement, somebody drawn twice as two people."""
    count = len(found.people)
    cells, cell = np.unique(found.first * count + found.second, return_inverse=True)
    near = np.zeros((len(cells), len(taus) + 1))
    np.add.at(near, (cell, np.searchsorted(taus, found.distances, "right")), 1)
    near, total = near.cumsum(1)[:, :-1], np.bincount(cell).astype(np.float64)
    first, second = np.divmod(cells, count)
    same = first == second
    times = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), resamples).astype(np.float64)
    weights = np.where(same, times[:, first], times[:, first] * times[:, second])
    true, false = (weights * same) @ near, (weights * ~same) @ near
    positive, negative = (weights * same) @ total, (weights * ~same) @ total
    accuracy = (true + negative[:, None] - false) / (positive + negative)[:, None]
    return TauDraws(accuracy, 2 * true / np.maximum(true + false + positive[:, None], 1))
