"""Matching of voices and faces over all triplets and tuples there are, by ranking: no draws, no sampling error.

Every identity counts alike, and of an identity every voice and every face. What is right in a tie is what a fair draw
among the equals gives: 1/2 of two, 1/n of n.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...models.core.device import choose
from .embeddings import Embeddings, by_identity
from .metrics import METRICS, Interval, bootstrap_pairs, unit

SCORES_AT_ONCE = 1 << 23
"""Scores of voices and faces held together: some 200 MB. Changes no number."""
MOST = 10
"""Largest n of 1:n (VFMR figure 6); the nodes below are exact up to it."""
TIE_NODES, TIE_WEIGHTS = (torch.from_numpy(x) for x in np.polynomial.legendre.leggauss(5))


@dataclass(frozen=True)
class PairMatching:
    """1:2 matching of every ordered pair of identities.

    `right[i, j]`, (P, P) float64: of a voice of i, one of its own faces and one of j's, the share of all choices in
    which the own face is nearer; NaN where i = j. `genders` (P,) are male, female or "".
    """

    people: tuple[str, ...]
    genders: NDArray[np.str_]
    voices: NDArray[np.int64]
    faces: NDArray[np.int64]
    """How many of each person, (P,)."""
    right: NDArray[np.float64]
    keys: NDArray[np.str_]
    """Of the voices, (N,), person after person."""
    merit: NDArray[np.float64]
    """Of every voice, (N,): right against all others alike."""

    @property
    def triplets(self) -> int:
        """How many there are: a voice, an own face, another's face."""
        # Python's numbers: 150,000 voices and 573,000 faces give more than int64 holds for few people.
        total = int(self.faces.sum())
        return sum(int(v) * int(f) * (total - int(f)) for v, f in zip(self.voices, self.faces, strict=True))

    @property
    def everybody(self) -> NDArray[np.float64]:
        """Weights (P, P) by which every ordered pair counts alike."""
        return 1.0 - np.eye(len(self.people))

    @property
    def by_triplet(self) -> NDArray[np.float64]:
        """Weights by which every triplet counts alike, so that people with more samples count more."""
        own = (self.voices * self.faces).astype(np.float64)
        return own[:, None] * self.faces[None] * self.everybody

    def of_genders(self, first: str, second: str) -> NDArray[np.float64]:
        """Weights of the pairs in which the voice is of one gender and the other's face of one."""
        return np.outer(self.genders == first, self.genders == second) * self.everybody

    @property
    def balanced(self) -> NDArray[np.float64]:
        """Weights as of VFMR's 3:1 and 1:3 batches by turns: half the pairs of one gender, half of two (VFMR 5.1).

        Raises ValueError unless there are two men and two women at least.
        """
        cells = [self.of_genders(one, other) for one in ("male", "female") for other in ("male", "female")]
        if not all(cell.any() for cell in cells):
            found = {name: int((self.genders == name).sum()) for name in ("male", "female")}
            raise ValueError(f"{found['male']} men and {found['female']} women: a balance needs two of each")
        return np.asarray(sum(cell / cell.sum() for cell in cells), np.float64)

    def accuracy(self, weights: NDArray[np.float64] | None = None) -> float:
        """Share of right triplets, 0 to 1. Raises ValueError for weights of no pair."""
        chosen = self.everybody if weights is None else weights
        if not chosen.any():
            raise ValueError("no pair of such people: nothing to match")
        return float((np.nan_to_num(self.right) * chosen).sum() / chosen.sum())

    def interval(self, weights: NDArray[np.float64] | None = None, seed: int = 0) -> Interval:
        """95 % of `accuracy` when people are drawn, as targets and as the others."""
        return bootstrap_pairs(self.right, self.everybody if weights is None else weights, seed)

    @property
    def individual(self) -> NDArray[np.float64]:
        """Accuracy of every identity against all others, (P,): what VFMR's individual test samples."""
        return np.asarray(np.nanmean(self.right, axis=1), np.float64)


@dataclass(frozen=True)
class Space:
    """Voices and faces on a device, in the order of their people."""

    voices: Tensor
    whose: Tensor
    """(N,) place of each voice's person."""
    faces: Tensor
    half_norms: tuple[Tensor, Tensor] | None
    """(N, 1), (M,) half the squared lengths, which a distance has beside the product; None for the cosine."""
    first: Tensor
    """(P + 1,) where each person's faces begin, and the end."""

    @classmethod
    def of(cls, embeddings: Embeddings, metric: str, device: str) -> "Space":
        if metric not in METRICS:
            raise ValueError(f"metric {metric!r}: expected one of {', '.join(METRICS)}")
        if len(embeddings.people) < 2:
            raise ValueError("embeddings of one identity alone: nobody to tell it from")
        place, sorted_by_person = choose(device, "fp32").device, []
        for part in (embeddings.voices, embeddings.faces):
            rows = by_identity(part.identities)
            values = part.values[np.concatenate(rows)]
            values = unit(values).astype(np.float32) if metric == "cosine" else values
            sorted_by_person.append((torch.from_numpy(values).to(place), torch.tensor([len(own) for own in rows])))
        (voices, heard), (faces, seen) = sorted_by_person
        whose = torch.repeat_interleave(torch.arange(len(heard)), heard).to(place)
        first = torch.nn.functional.pad(seen.cumsum(0), (1, 0)).to(place)
        squared = [(part.double() ** 2).sum(1).float() / 2 for part in (voices, faces)]
        norms = (squared[0][:, None], squared[1]) if metric == "euclidean" else None
        return cls(voices, whose, faces, norms, first)

    def scored(self, rows: int) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
        """Of `rows` voices at a time: whose (B,), scores of all faces (B, M), of the own ones (B, A) sorted, how many.

        Higher is nearer. Where somebody has fewer than A faces, infinity stands behind.
        """
        counts = self.first.diff()
        for start in range(0, len(self.voices), rows):
            whose = self.whose[start : start + rows]
            scores = self.voices[start : start + rows] @ self.faces.T
            if self.half_norms is not None:
                scores.sub_(self.half_norms[0][start : start + rows]).sub_(self.half_norms[1])
            have = counts[whose]
            places = torch.arange(int(have.max()), device=whose.device)[None]
            there = places < have[:, None]
            own = scores.gather(1, (self.first[whose][:, None] + places).clamp(max=scores.shape[1] - 1))
            yield whose, scores, own.masked_fill_(~there, torch.inf).sort(1).values, have

    def rows(self, per_row: int) -> int:
        return max(SCORES_AT_ONCE // max(per_row, 1), 1)


def pair_matching(embeddings: Embeddings, metric: str = "cosine", device: str = "auto") -> PairMatching:
    """Rank every own face among all others for every voice; `embeddings.swapped()` ranks voices for faces.

    Raises ValueError for one identity alone, an unknown metric or a device that is not there.
    """
    space = Space.of(embeddings, metric, device)
    people, total = len(embeddings.people), space.first[1:].diff(prepend=space.first[:1])
    sums = torch.zeros(people, people, dtype=torch.float64, device=total.device)
    each, merits = torch.repeat_interleave(1 / total, total).float(), []
    for whose, scores, own, have in space.scored(space.rows(len(space.faces))):
        farther = _share_above(own, have, scores)
        # Of own faces among themselves half are above: they are no others.
        merits.append((farther @ each - 0.5) / (people - 1))
        present, place = torch.unique_consecutive(whose, return_inverse=True)
        columns = torch.zeros(len(present), scores.shape[1], device=scores.device).index_add_(0, place, farther)
        until = torch.nn.functional.pad(columns.cumsum(1, dtype=torch.float64), (1, 0))[:, space.first]
        sums.index_add_(0, present, until.diff(dim=1))
    voices = torch.bincount(space.whose, minlength=people)
    right = (sums / voices[:, None] / total[None]).cpu().numpy()
    np.fill_diagonal(right, np.nan)
    keys = embeddings.voices.keys[np.concatenate(by_identity(embeddings.voices.identities))]
    counts = (voices.cpu().numpy(), total.cpu().numpy())
    merit = torch.cat(merits).double().cpu().numpy()
    return PairMatching(embeddings.people, embeddings.genders, *counts, right, keys, merit)


def verification(embeddings: Embeddings, metric: str = "cosine", device: str = "auto") -> NDArray[np.float64]:
    """Of every identity, (P,), the share of all pairs of two people that its own pairs of voice and face are above.

    Equal ones 1/2; the mean is the area under the curve in which every identity counts alike. Raises ValueError as
    `pair_matching`.
    """
    space = Space.of(embeddings, metric, device)
    counts, people, found = space.first.diff(), len(embeddings.people), []
    for whose, _, own, have in space.scored(space.rows(len(space.faces))):
        there = torch.arange(own.shape[1], device=own.device)[None] < have[:, None]
        found.append((own[there], whose[:, None].expand_as(own)[there]))
    own, person = (torch.cat(parts) for parts in zip(*found, strict=True))
    values, place = torch.unique(own, return_inverse=True)
    tallies = torch.zeros(2, len(values) + 1, dtype=torch.int64, device=own.device)
    for _, scores, _, _ in space.scored(space.rows(len(space.faces))):
        for tally, right in zip(tallies, (True, False), strict=True):
            places = torch.searchsorted(values, scores.view(-1), right=right)
            tally += torch.bincount(places, minlength=len(tally))
    # Below a value are those up to its place by the right, not above it those by the left; own pairs are no others.
    equal = torch.bincount(place, minlength=len(values))
    own_below = equal.cumsum(0) - equal
    below, not_above = tallies.cumsum(1)[:, :-1] - torch.stack((own_below, own_below + equal))
    others = len(space.voices) * len(space.faces) - len(own)
    share = (below + not_above)[place].double() / (2 * others)
    sums = torch.zeros(people, dtype=torch.float64, device=own.device).index_add_(0, person, share)
    pairs = torch.bincount(space.whose, minlength=people) * counts
    return np.asarray((sums / pairs).cpu().numpy(), np.float64)


def _edges(own: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Sorted own scores (B, A) -> edges (B, 2A) of bins that keep ties apart, and in which bin each own score's ties
    begin and end, (B, A) both: a score in a bin up to the first is below the own one, up to the second not above it.
    """
    after = torch.nextafter(own, torch.full_like(own, torch.inf))
    edges = torch.cat((own, after), 1).sort(1).values
    return edges, torch.searchsorted(edges, own), torch.searchsorted(edges, own, right=True)


def _share_above(own: Tensor, have: Tensor, scores: Tensor) -> Tensor:
    """Of every score (B, M) the share of the own ones (B, A), of which `have` (B,) count, above it; equal ones 1/2."""
    edges, below, not_above = _edges(own)
    there = torch.arange(own.shape[1], device=own.device)[None] < have[:, None]
    each = there / (2.0 * have[:, None])
    steps = torch.zeros(len(own), edges.shape[1] + 1, device=own.device)
    steps = steps.scatter_add_(1, below, each).scatter_add_(1, not_above, each)
    above = steps.flip(1).cumsum(1).flip(1)
    return above.gather(1, torch.searchsorted(edges, scores, right=True))


def tuple_matching(
    embeddings: Embeddings, most: int = MOST, metric: str = "cosine", device: str = "auto"
) -> NDArray[np.float64]:
    """Share right of 1:n matching for n = 2 .. `most` of every identity, (P, most - 1), in the order of the names.

    Over all voices, own faces, choices of n - 1 other identities and of a face of each: of the shares of each other
    identity's faces that are farther than the own one, the mean product of n - 1 of them. Raises ValueError as
    `pair_matching`, and for `most` beyond 2 .. 10 or above the number of identities.
    """
    if not 2 <= most <= min(MOST, len(embeddings.people)):
        raise ValueError(f"1:{most} of {len(embeddings.people)} identities: expected 2 to {MOST}, and as many people")
    space = Space.of(embeddings, metric, device)
    counts, people = space.first.diff(), len(embeddings.people)
    sums = torch.zeros(people, most - 1, dtype=torch.float64, device=counts.device)
    who_of_face = torch.repeat_interleave(torch.arange(people, device=counts.device), counts)
    for whose, scores, own, have in space.scored(space.rows(len(space.faces) + 6 * people * int(counts.max()))):
        below, tied = shares_below(own, scores, who_of_face, counts)
        for part in (below, tied):
            # The own column is in no product: the last one takes its place, and the products end before it.
            part[torch.arange(len(whose)), whose] = part[:, -1].clone()
        right = _products(below[:, :-1], tied[:, :-1], most - 1)
        there = torch.arange(own.shape[1], device=own.device)[None] < have[:, None]
        sums.index_add_(0, whose, ((right * there).sum(2) / have).T)
    voices = torch.bincount(space.whose, minlength=people)
    return np.asarray((sums / voices[:, None]).cpu().numpy(), np.float64)


def shares_below(own: Tensor, scores: Tensor, who: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    """Of every identity's faces the shares below each own score and equal to it: (B, P, A) float64 both."""
    edges, below, not_above = _edges(own)
    rows, bins, people = len(own), edges.shape[1] + 1, len(counts)
    places = torch.searchsorted(edges, scores, right=True)
    places += (torch.arange(rows, device=own.device)[:, None] * people + who) * bins
    found = torch.bincount(places.view(-1), minlength=rows * people * bins).view(rows, people, bins).cumsum(2)
    first, last = (found.gather(2, at[:, None].expand(-1, people, -1)) for at in (below, not_above))
    return first / counts[:, None], (last - first) / counts[:, None]


def _products(below: Tensor, tied: Tensor, most: int) -> Tensor:
    """Chance (most, B, A) to be nearer than 1 .. `most` different others (B, P - 1, A).

    The elementary symmetric sums over their number, one other at a time: always a mean of shares, so that nothing
    cancels or overflows. With ties the own face's place among equals is drawn: an integral that 5 nodes give exactly.
    """
    drawn = [((node.item() + 1) / 2, weight.item() / 2) for node, weight in zip(TIE_NODES, TIE_WEIGHTS, strict=True)]
    order = torch.arange(1, most + 1, dtype=torch.float64, device=below.device)[:, None, None]
    total = torch.zeros(most, len(below), below.shape[2], dtype=torch.float64, device=below.device)
    for node, weight in drawn if bool(tied.any()) else [(0.0, 1.0)]:
        means = torch.zeros(most + 1, *total.shape[1:], dtype=torch.float64, device=below.device)
        means[0] = 1.0
        for seen in range(below.shape[1]):
            share = (order / (seen + 1)).clamp(max=1.0)
            nearer = below[:, seen] + node * tied[:, seen]
            means[1:] = torch.lerp(means[1:], nearer * means[:-1], share)
        total += weight * means[1:]
    return total
