"""What matching scores when people are drawn with replacement, as those who are asked for and as all the others.

Every function takes `drawn` (R, P): how often each person is in each draw, the first row one of everybody. What the
first row scores is what is told; the others' distances from it are its uncertainty. Somebody drawn twice counts as two
people who are never matched with each other.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from .embeddings import Embeddings, Vectors, by_identity
from .exact import Space, shares_below
from .metrics import COVERED, Interval, nearness
from .verification import Pairs, areas

DRAWS = 500
EACH = 4
"""Voices and faces of each person, equally spaced, by which 1:n and AUC are drawn; what is told is of all."""
AREA_DRAWS = 200
MOST_PAIRS = 4_000_000
"""Of a voice and a face, by which the AUC is drawn."""
AT_ONCE = 1 << 22
Statistic = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def drawings(people: int, seed: int = 0, draws: int = DRAWS) -> NDArray[np.float64]:
    """(1 + draws, people): everybody once, then draws of as many with replacement."""
    drawn = np.random.default_rng(seed).multinomial(people, np.full(people, 1 / people), draws)
    return np.concatenate([np.ones((1, people)), drawn]).astype(np.float64)


def interval(value: float, scores: NDArray[np.float64]) -> Interval:
    """95 % around a share, of what draws scored (R,), the first one everybody; draws of nobody (NaN) are left out."""
    apart = scores[1:][~np.isnan(scores[1:])] - scores[0]
    low, high = np.quantile(apart, ((1 - COVERED) / 2, (1 + COVERED) / 2)) if len(apart) else (0.0, 0.0)
    return Interval(max(0.0, value + float(low)), min(1.0, value + float(high)))


def individuals_drawn(right: NDArray[np.float64], drawn: NDArray[np.float64], of: Statistic) -> NDArray[np.float64]:
    """Mean over people of a statistic of their accuracy against all others, (R,); `right` (P, P) has NaN for nobody."""
    there = ~np.isnan(right)
    values, found = np.where(there, right, 0.0), []
    for some in np.array_split(drawn, max(1, drawn.size // AT_ONCE)):
        against = some @ there.T
        with np.errstate(invalid="ignore"):
            found.append(_mean(of((some @ values.T) / against), some * (against > 0)))
    return np.concatenate(found)


def trials_drawn(
    right: NDArray[np.float64], members: NDArray[np.int64], drawn: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Accuracy (R,) of drawn trials (N,), each as often as all its people, (N, n) places, are drawn together."""
    found = []
    for some in np.array_split(drawn, max(1, len(drawn) * len(right) // AT_ONCE)):
        weights = some[:, members[:, 0]]
        for column in members.T[1:]:
            weights = weights * some[:, column]
        found.append(_mean(right[None], weights))
    return np.concatenate(found)


def tuples_drawn(
    embeddings: Embeddings, most: int, metric: str, device: str, drawn: NDArray[np.float64]
) -> NDArray[np.float64]:
    """1:n for n = 2 .. `most`, (most - 1, R), over all choices of others there are in each draw.

    The elementary symmetric sums of the others' shares come from their power sums (Newton), which weights by how often
    somebody was drawn leave exact.
    """
    thin = _thinned(embeddings, EACH)
    space = Space.of(thin, metric, device)
    counts, people = space.first.diff(), len(thin.people)
    who = torch.repeat_interleave(torch.arange(people, device=counts.device), counts)
    weights = torch.from_numpy(drawn).to(counts.device)
    voices = torch.bincount(space.whose, minlength=people)
    sums, total = (torch.zeros(most - 1, len(drawn), dtype=torch.float64, device=counts.device) for _ in range(2))
    rows = max(AT_ONCE // (int(counts.max()) * max(6 * people, len(drawn))), 1)
    for whose, scores, own, have in space.scored(rows):
        below, tied = shares_below(own, scores, who, counts)
        shares = (below + tied / 2).double()
        shares[torch.arange(len(whose)), whose] = 0.0
        flat, own_drawn = shares.transpose(1, 2).reshape(-1, people), weights[:, whose].T
        there = torch.arange(own.shape[1], device=own.device)[None] < have[:, None]
        powers, raised = [flat @ weights.T], flat
        for _ in range(2, most):
            raised = raised * flat
            powers.append(raised @ weights.T)
        for k, summed in enumerate(_symmetric(powers), 1):
            choices = _binomial(weights.sum(1)[None] - own_drawn, k)
            means = (summed.view(*there.shape, -1) * there[..., None]).sum(1) / have[:, None]
            each = own_drawn / voices[whose][:, None] * (choices > 0)
            sums[k - 1] += (each * means / choices.clamp(min=1.0)).sum(0)
            total[k - 1] += each.sum(0)
    return np.asarray((sums / total).cpu().numpy(), np.float64)


def _symmetric(powers: list[torch.Tensor]) -> list[torch.Tensor]:
    """Elementary symmetric sums of order 1 and above from the power sums: k e_k = sum of (-1)^(i-1) e_(k-i) p_i."""
    found = [torch.ones_like(powers[0])]
    for k in range(1, len(powers) + 1):
        total = torch.zeros_like(powers[0])
        for i in range(1, k + 1):
            total.addcmul_(found[k - i], powers[i - 1], value=(-1) ** (i - 1) / k)
        found.append(total)
    return found[1:]


def _binomial(of: torch.Tensor, k: int) -> torch.Tensor:
    """Choices of k from so many; 0 of fewer."""
    found = torch.ones_like(of)
    for step in range(k):
        found = found * (of - step).clamp(min=0.0)
    return found / float(np.prod(np.arange(1, k + 1)))


def area_drawn(embeddings: Embeddings, metric: str, drawn: NDArray[np.float64]) -> NDArray[np.float64]:
    """AUC (R,) of pairs of a voice and a face, as many of everybody; of the first draws, AREA_DRAWS at most."""
    people = len(embeddings.people)
    thin = _thinned(embeddings, max(1, min(EACH, int(MOST_PAIRS**0.5) // people)))
    scores = nearness(thin.voices.values, thin.faces.values, metric)
    if metric == "euclidean":
        # Of all voices together the nearness is the distance itself.
        scores = scores - (thin.voices.values.astype(np.float64) ** 2).sum(1)[:, None] / 2
    names = np.array(embeddings.people)
    heard, seen = (np.searchsorted(names, part.identities) for part in (thin.voices, thin.faces))
    first, second = (one.ravel() for one in np.broadcast_arrays(heard[:, None], seen[None]))
    return areas(Pairs(names, -scores.ravel(), first, second), drawn[: 1 + AREA_DRAWS])


def _thinned(embeddings: Embeddings, each: int) -> Embeddings:
    """Equally spaced voices and faces, `each` of everybody; of who has fewer, some twice."""
    parts = []
    for part in (embeddings.voices, embeddings.faces):
        rows = [own[np.linspace(0, len(own) - 1, each).astype(int)] for own in by_identity(part.identities)]
        chosen = np.concatenate(rows)
        keys = np.array([f"{at} {part.keys[row]}" for at, row in enumerate(chosen)])
        parts.append(Vectors(part.values[chosen], keys, part.identities[chosen]))
    return replace(embeddings, voices=parts[0], faces=parts[1])


def _mean(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weighted means along the last axis, NaN of no weight."""
    with np.errstate(invalid="ignore"):
        found: NDArray[np.float64] = np.where(weights > 0, values * weights, 0.0).sum(-1) / weights.sum(-1)
    return found
