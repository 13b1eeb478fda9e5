"""Recognition by a vote over a gallery of real faces, SpeakingFaces' test of translations (Sensors 21(10), 3465)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .metrics import COVERED, RESAMPLES, Interval, unit

METRICS = ("euclidean", "cosine")
NOBODY = -1
CHUNK = 1 << 25
"""Distances held at a time."""
ROUNDING = 1e-7
"""Distances nearer to the tolerance than this are computed again without the inner product's rounding."""


@dataclass(frozen=True)
class Rule:
    """When a gallery vector counts as the probe's: a distance of at most, or a cosine above, the tolerance."""

    metric: str
    tolerance: float

    def __post_init__(self) -> None:
        if self.metric not in METRICS:
            raise ValueError(f"metric {self.metric!r}: expected one of {', '.join(METRICS)}")

    def matches(self, probes: NDArray[np.float64], gallery: NDArray[np.float64]) -> NDArray[np.bool_]:
        """(N, D) and (M, D) -> (N, M). With the cosine, both have rows of length 1."""
        product = probes @ gallery.T
        if self.metric == "cosine":
            return np.asarray(product > self.tolerance)
        squared = (probes**2).sum(1)[:, None] + (gallery**2).sum(1)[None] - 2 * product
        far = np.sqrt(np.maximum(squared, 0))
        for row, column in np.argwhere(np.abs(far - self.tolerance) < ROUNDING):
            far[row, column] = np.linalg.norm(probes[row] - gallery[column])
        return np.asarray(far <= self.tolerance)


@dataclass(frozen=True)
class Vote:
    """Of each probe (N,): who it is and who the vote named, as places in `people`; who is `NOBODY` had no match."""

    people: NDArray[np.str_]
    own: NDArray[np.int64]
    named: NDArray[np.int64]
    tied: NDArray[np.bool_]
    """Where several people had most matches."""

    @property
    def counts(self) -> dict[str, int]:
        """TP: the right name, FP: another, FN: nobody; they add up to the probes."""
        return dict(zip(("TP", "FP", "FN"), map(int, self._kinds().sum(0)), strict=True))

    def _kinds(self) -> NDArray[np.int64]:
        right, none = self.named == self.own, self.named == NOBODY
        return np.stack([right, ~right & ~none, none], axis=1).astype(np.int64)

    def scores(self) -> dict[str, float]:
        """`counts`, precision, recall, F1 and accuracy, 0 to 1 (0 where there is nothing to divide by)."""
        return {name: float(value[0]) for name, value in _scores(self._kinds().sum(0)[None]).items()}

    def intervals(self, seed: int = 0, resamples: int = RESAMPLES) -> dict[str, Interval]:
        """95 % of every score when the probes' people are drawn with replacement; the gallery stays as it is."""
        names, member = np.unique(self.own, return_inverse=True)
        kinds = np.zeros((len(names), 3), np.int64)
        np.add.at(kinds, member, self._kinds())
        drawn = np.random.default_rng(seed).integers(0, len(names), (resamples, len(names)))
        ends = ((1 - COVERED) / 2, (1 + COVERED) / 2)
        sampled = _scores(kinds[drawn].sum(1))
        return {name: Interval(*np.quantile(values, ends).tolist()) for name, values in sampled.items()}


def _scores(kinds: NDArray[np.int64]) -> Mapping[str, NDArray[Any]]:
    """(R, 3) counts of TP, FP, FN -> each score, (R,)."""
    right, wrong, none = kinds.T
    precision = right / np.maximum(right + wrong, 1)
    recall = right / np.maximum(right + none, 1)
    together = np.maximum(precision + recall, np.finfo(np.float64).tiny)
    return {
        **{"TP": right, "FP": wrong, "FN": none, "precision": precision, "recall": recall},
        "F1": 2 * precision * recall / together,
        "accuracy": right / kinds.sum(1),
    }


def vote(
    probes: NDArray[Any],
    own: NDArray[Any],
    gallery: NDArray[Any],
    whose: NDArray[Any],
    rule: Rule,
    leave_one_out: bool = False,
) -> Vote:
    """Name each probe (N, D) of `own` (N,) after the person with most matches in the gallery (M, D) of `whose` (M,).

    Of several with most, the one whose match comes first in the gallery. With `leave_one_out` the probes are the
    gallery, and a probe's own row does not match it. Raises ValueError for vectors of other sizes, a vector of no
    length where the cosine is asked for, a person of whom the gallery holds nobody.
    """
    people, member = np.unique(whose, return_inverse=True)
    _check(probes, np.asarray(own), gallery, np.asarray(whose), rule, leave_one_out)
    first, second = (unit(v) if rule.metric == "cosine" else np.asarray(v, np.float64) for v in (probes, gallery))
    one_hot = np.eye(len(people), dtype=np.float32)[member]
    named = np.full(len(probes), NOBODY, np.int64)
    tied = np.zeros(len(probes), np.bool_)
    step = max(1, CHUNK // len(gallery))
    for start in range(0, len(probes), step):
        matches = rule.matches(first[start : start + step], second)
        if leave_one_out:
            matches[np.arange(len(matches)), np.arange(start, start + len(matches))] = False
        votes = matches.astype(np.float32) @ one_hot
        most = votes == votes.max(1, keepdims=True)
        winners = matches & most[:, member]
        some = np.flatnonzero(matches.any(1))
        named[start + some] = member[winners[some].argmax(1)]
        tied[start + some] = most[some].sum(1) > 1
    return Vote(people, np.searchsorted(people, own), named, tied)


def vote_accuracy(people: NDArray[np.str_], own: NDArray[np.int64], named: NDArray[np.int64]) -> float:
    """Of each probe (N,) who it is, and whom each of S votes named, (S, N): nobody as NOBODY or a place beyond all."""
    found = np.where(named >= len(people), NOBODY, named)
    return float(np.mean([Vote(people, own, one, np.zeros(len(own), bool)).scores()["accuracy"] for one in found]))


def _check(
    probes: NDArray[Any], own: NDArray[Any], gallery: NDArray[Any], whose: NDArray[Any], rule: Rule, leave: bool
) -> None:
    if probes.shape[1] != gallery.shape[1]:
        raise ValueError(f"probes of {probes.shape[1]} numbers, a gallery of {gallery.shape[1]}: not of one network")
    for what, vectors, names in (("probe", probes, own), ("gallery row", gallery, whose)):
        if rule.metric == "cosine" and (lengths := np.linalg.norm(vectors, axis=1)).min() == 0:
            row = int(lengths.argmin())
            raise ValueError(f"{what} {row} of {names[row]}: a vector of zeros has no cosine; leave it out")
    people, counts = np.unique(whose, return_counts=True)
    if absent := sorted({*own.tolist()} - {*people.tolist()}):
        raise ValueError(f"{absent[0]} and {len(absent) - 1} more have probes and nothing in the gallery")
    if leave and counts.min() < 2:
        alone = people[counts.argmin()]
        raise ValueError(f"{alone} has one vector: leaving it out leaves nothing to match; give every person two")
