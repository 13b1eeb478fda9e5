"""Numbers out of per-sample results, with honest intervals: people are drawn, not samples."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 4000
BOOTSTRAP_ROWS = 250
"""Resamples that are multiplied together; changes the memory, and no draw."""
COVERED = 0.95
METRICS = ("cosine", "euclidean")


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


def mean_accuracy(truth: NDArray[Any], predicted: NDArray[Any]) -> float:
    """Classes (N,) and those that each of S seeds gave, (S, N) -> share that is right, 0 to 1."""
    return accuracy(np.mean(predicted == truth, axis=0))


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


def bootstrap_pairs(right: NDArray[Any], weights: NDArray[Any], seed: int = 0, resamples: int = RESAMPLES) -> Interval:
    """95 % interval of the mean of (P, P) values over pairs of people, weighted (P, P), when people are drawn.

    A person drawn is in all its pairs, as the first and as the second: both are samples of the people there are.
    The diagonal needs the weight 0. Draws that leave no pair are left out.
    """
    values = np.where(weights > 0, right, 0.0) * weights
    random, people, means = np.random.default_rng(seed), len(values), []
    for start in range(0, resamples, BOOTSTRAP_ROWS):
        some = min(BOOTSTRAP_ROWS, resamples - start)
        drawn = random.multinomial(people, np.full(people, 1 / people), some).astype(np.float64)
        total = ((drawn @ weights) * drawn).sum(1)
        means.append((((drawn @ values) * drawn).sum(1))[total > 0] / total[total > 0])
    low, high = np.quantile(np.concatenate(means), ((1 - COVERED) / 2, (1 + COVERED) / 2))
    return Interval(float(low), float(high))


@dataclass(frozen=True)
class Comparison:
    """What a first model has more than a second one on the same people."""

    difference: float
    interval: Interval
    p: float
    """Two-sided, of differences as far from 0 when each person's sign is a coin's."""


def paired(
    first: NDArray[Any], second: NDArray[Any], groups: NDArray[Any], seed: int = 0, resamples: int = RESAMPLES
) -> Comparison:
    """Two models' (N,) values of the same samples compared, with people, (N,), as the units.

    The interval is `bootstrap`'s of the differences; p is of the sign-flip permutation test, (1 + as far) / (1 + draws)
    (Phipson and Smyth 2010). Raises ValueError for other lengths.
    """
    if not len(first) == len(second) == len(groups):
        raise ValueError(f"{len(first)} and {len(second)} values of {len(groups)} samples: expected the same samples")
    gaps = np.asarray(first, np.float64) - np.asarray(second, np.float64)
    _, member = np.unique(groups, return_inverse=True)
    sums = np.bincount(member, gaps)
    signs = np.random.default_rng(seed).choice((-1.0, 1.0), (resamples, len(sums)))
    far = np.abs(signs @ sums) >= abs(sums.sum()) * (1 - 1e-12)
    return Comparison(float(gaps.mean()), bootstrap(gaps, groups, seed, resamples), (1 + far.sum()) / (1 + resamples))


def spread(values: NDArray[Any]) -> float | None:
    """Standard deviation over runs (N - 1 in the denominator), None for fewer than two."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else None


# --- vectors: rows of (N, D), compared by the cosine unless said otherwise ---


def unit(vectors: NDArray[Any]) -> NDArray[np.float64]:
    """(N, D) -> rows of length 1; a row of zeros stays."""
    found = np.asarray(vectors, np.float64)
    scaled: NDArray[np.float64] = found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)
    return scaled


def nearness(rows: NDArray[Any], others: NDArray[Any], metric: str = "cosine") -> NDArray[np.float64]:
    """(N, D) and (M, D) -> (N, M), higher is nearer: cosines, or products less half of the others' squared lengths.

    The second orders each row's others as their distances do. Raises ValueError for another metric.
    """
    if metric not in METRICS:
        raise ValueError(f"metric {metric!r}: expected one of {', '.join(METRICS)}")
    if metric == "cosine":
        return np.asarray(unit(rows) @ unit(others).T)
    ours, theirs = (np.asarray(part, np.float64) for part in (rows, others))
    return np.asarray(ours @ theirs.T - (theirs**2).sum(1) / 2)


def identity_means(vectors: NDArray[Any], who: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Names in order (P,), and of each the mean of its unit vectors (P, D), as SF2F's galleries are; shorter than 1."""
    names, member = np.unique(who, return_inverse=True)
    sums = np.zeros((len(names), vectors.shape[1]))
    np.add.at(sums, member, unit(vectors))
    return names, sums / np.bincount(member)[:, None]


def ranks(queries: NDArray[Any], gallery: NDArray[Any], own: NDArray[Any]) -> NDArray[np.int64]:
    """Place from 0 of gallery row `own[i]` when the gallery (M, D) is ordered by cosine to query i of (N, D); (N,).

    Of equals the earlier row comes first, as in SF2F's code.
    """
    scores = unit(queries) @ unit(gallery).T
    mine = scores[np.arange(len(scores)), own][:, None]
    before = np.arange(len(gallery))[None] < np.asarray(own)[:, None]
    return np.asarray(((scores > mine) | ((scores == mine) & before)).sum(1), np.int64)


def recall_at(places: NDArray[np.int64], k: int) -> float:
    """Share of queries whose own row is among the first k, of `ranks`."""
    return float((places < k).mean())


def average_precision(
    queries: NDArray[Any], wanted: NDArray[Any], gallery: NDArray[Any], who: NDArray[Any], metric: str = "cosine"
) -> NDArray[Any]:
    """Average precision of every query (N,): its identity `wanted[i]` among gallery rows of identities `who` (M,).

    (1 / R) times the sum of precision@k over the ranks k of the R relevant rows (VFMR 5.2). `metric` is cosine or
    euclidean. Raises ValueError for a query whose identity is not in the gallery.
    """
    order = np.argsort(-nearness(queries, gallery, metric), axis=1, kind="stable")
    hits = np.asarray(who)[order] == np.asarray(wanted)[:, None]
    relevant = hits.sum(1)
    if not relevant.all():
        raise ValueError(f"{wanted[int(np.argmin(relevant))]}: nobody of that name is in the gallery")
    precision = np.cumsum(hits, axis=1) / np.arange(1, len(who) + 1)
    return np.asarray((precision * hits).sum(1) / relevant)


def chance_average_precision(size: int, relevant: int) -> float:
    """What random order gives: H_n / n + (R - 1) / (n - 1) (1 - H_n / n), H_n the n-th harmonic number."""
    share = float((1 / np.arange(1, size + 1)).sum() / size)
    return share + (relevant - 1) / (size - 1) * (1 - share)


def matching(anchors: NDArray[Any], own: NDArray[Any], others: NDArray[Any]) -> NDArray[np.float64]:
    """1 where the anchor (N, D) is nearer to its own (N, D) than to all others (N, n - 1, D), Euclidean.

    A tie with t others is 1 / (t + 1), what a fair draw among the equals gives: 1/2 for two.
    """
    near = np.linalg.norm(anchors - own, axis=1)[:, None]
    far = np.linalg.norm(anchors[:, None] - others, axis=2)
    return np.asarray((near <= far).all(1) / (1 + (near == far).sum(1)), np.float64)


def area_under_curve(scores: NDArray[Any], same: NDArray[Any]) -> float:
    """Chance that a score (N,) of a `same` pair, (N,) True, is above one of another pair, a tie 1/2: the AUC.

    Raises ValueError unless there are pairs of both kinds.
    """
    positive = np.asarray(same, bool)
    if positive.all() or not positive.any():
        raise ValueError(f"{positive.sum()} pairs of one person and {(~positive).sum()} others: expected both kinds")
    ordered = np.sort(np.asarray(scores)[~positive])
    below, not_above = (np.searchsorted(ordered, np.asarray(scores)[positive], side) for side in ("left", "right"))
    return float((below + not_above).mean() / 2 / len(ordered))


def absolute_difference(predicted: NDArray[Any], truth: NDArray[Any]) -> float:
    """SF2F's L1: the sum over dimensions of |u - p|, mean over rows; 25.5 for random unit vectors of 512."""
    return float(np.abs(predicted - truth).sum(1).mean())


# --- sets of pictures, by what a network makes of them ---


def class_score(probabilities: NDArray[Any], splits: int = 5, seed: int = 0) -> tuple[float, float]:
    """Inception Score, or VGGFace Score of face classes: exp of the mean KL(p(y|x) || p(y)); mean and deviation.

    `probabilities` (N, classes), shuffled into equal splits (SF2F: 5); deviation of the splits, N in the denominator.
    From 1 (all alike) to N / splits. Raises ValueError for fewer pictures than splits.
    """
    if len(probabilities) < splits:
        raise ValueError(f"{len(probabilities)} pictures for {splits} splits: expected at least one each")
    order, size = np.random.default_rng(seed).permutation(len(probabilities)), len(probabilities) // splits
    scores = []
    for at in range(splits):
        part = np.asarray(probabilities, np.float64)[order[at * size : (at + 1) * size]]
        together = part.mean(0)
        divergence = (part * (np.log(part + 1e-12) - np.log(together + 1e-12))).sum(1)
        scores.append(float(np.exp(divergence.mean())))
    return float(np.mean(scores)), float(np.std(scores))


def frechet_distance(real: NDArray[Any], made: NDArray[Any]) -> float:
    """Between Gaussians fitted to features (N, D) and (M, D): |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^1/2)."""
    spread = 0.0
    factors: list[NDArray[np.float64]] = []
    for features in (np.asarray(real, np.float64), np.asarray(made, np.float64)):
        centred = (features - features.mean(0)) / np.sqrt(len(features) - 1)
        spread += float((centred**2).sum())
        # Of more pictures than features, a factor of as few rows says the same.
        tall = len(centred) > centred.shape[1]
        factors.append(np.asarray(np.linalg.qr(centred, mode="r"), np.float64) if tall else centred)
    # With C1 = A'A and C2 = B'B the trace of (C1 C2)^1/2 is the sum of the singular values of A B', which is exact for
    # fewer pictures than features too, where eigenvalues of the product are rounding.
    together = float(np.linalg.svd(factors[0] @ factors[1].T, compute_uv=False).sum())
    return float(((real.mean(0) - made.mean(0)) ** 2).sum() + spread - 2 * together)


def kernel_distance(real: NDArray[Any], made: NDArray[Any]) -> float:
    """Kernel distance (KID, Binkowski and others 2018) of features (N, D) and (M, D): unbiased, so it may be below 0.

    Squared maximum mean discrepancy by (x y / D + 1)^3, over all pictures at once.
    """
    first, second = np.asarray(real, np.float64), np.asarray(made, np.float64)

    def kernel(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray((a @ b.T / a.shape[1] + 1) ** 3, np.float64)

    within = 0.0
    for one in (first, second):
        products = kernel(one, one)
        within += float((products.sum() - np.trace(products)) / (len(one) * (len(one) - 1)))
    return within - 2 * float(kernel(first, second).mean())
