"""Checks of scores over galleries and tuples by vectors of which it is known what must come out."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .controls import TOLERATED, Control
from .embeddings import Embeddings, by_identity
from .exact import MOST, tuple_matching
from .metrics import unit

SHUFFLES = 40
FEW_PEOPLE, FEW_SAMPLES = 40, 3
"""Whose tuples are matched, and voices and faces of each: the metric is checked, not the model."""
ROUNDING = 1e-6

Scores = Callable[[NDArray[np.float64], NDArray[np.float64]], Mapping[str, NDArray[np.float64]]]
"""Of told and true vectors (P, D): by score the values (P,), NaN where one counts in none; `R@1` in %."""


def gallery_controls(
    about: str, truth: NDArray[np.float64], scores: Scores, perfect: Mapping[str, float], most: int, seed: int = 0
) -> list[Control]:
    """True vectors (P, D) told as they are, and told of others at random, in galleries of `most` or of all; equal
    ones once, since nobody can tell them apart.

    The oracle fails unless every score of `perfect` comes out; chance where R@1 of shuffled ones is not 1 in so many by
    `TOLERATED` standard errors of the shuffles.
    """
    _, first = np.unique(unit(truth).round(6), axis=0, return_index=True)
    truth = truth[first]
    found = {name: float(np.nanmean(values)) for name, values in scores(truth, truth).items() if name in perfect}
    told = ", ".join(f"{name} {value:.6g}" for name, value in found.items())
    wanted = ", ".join(f"{perfect[name]:.6g}" for name in found)
    right = all(abs(value - perfect[name]) <= ROUNDING * max(perfect[name], 1) for name, value in found.items())
    oracle = Control("oracle", about, f"the true faces themselves score {told}; expected {wanted}", right)
    random = np.random.default_rng(seed)
    shares = [float(np.nanmean(scores(random.permutation(truth), truth)["R@1"])) for _ in range(SHUFFLES)]
    mean, error, formula = (
        float(np.mean(shares)),
        float(np.std(shares, ddof=1)) / SHUFFLES**0.5,
        100 / min(most, len(truth)),
    )
    said = f"R@1 of true faces of people at random is {mean:.2f} %, {formula:.2f} by formula"
    return [oracle, Control("chance", about, said, abs(mean - formula) <= TOLERATED * error + ROUNDING)]


def tuple_controls(about: str, embeddings: Embeddings, metric: str, device: str, seed: int = 0) -> list[Control]:
    """1:n of some people: faces given to others at random score 1 in n for every n, one vector a person everything."""
    some, random = _some(embeddings), np.random.default_rng(seed)
    most = min(MOST, len(some.people))
    values, rounds = some.faces.values, []
    for _ in range(SHUFFLES):
        faces = replace(some.faces, values=values[random.permutation(len(values))])
        rounds.append(tuple_matching(replace(some, faces=faces), most, metric, device).mean(0))
    mean, error = np.mean(rounds, axis=0), np.std(rounds, axis=0, ddof=1) / SHUFFLES**0.5
    formula = 1 / np.arange(2, most + 1)
    told = ", ".join(f"1:{n} {100 * one:.2f}" for n, one in enumerate(mean, 2))
    said = f"with shuffled faces of {len(some.people)} people {told} %; 100 / n by formula"
    chance = Control("chance", about, said, bool((np.abs(mean - formula) <= TOLERATED * error + ROUNDING).all()))
    codes = dict(zip(some.people, np.eye(len(some.people), dtype=np.float32), strict=True))
    voices, faces = (
        replace(part, values=np.stack([codes[name] for name in part.identities.tolist()]))
        for part in (some.voices, some.faces)
    )
    least = float(tuple_matching(replace(some, voices=voices, faces=faces), most, "cosine", device).min())
    words = f"one vector a person scores {100 * least:.2f} % or more in every 1:n, expected 100"
    return [chance, Control("oracle", about, words, least > 1 - ROUNDING)]


def _some(embeddings: Embeddings) -> Embeddings:
    """Equally spaced people, and the first samples of each."""
    chosen = np.unique(np.linspace(0, len(embeddings.people) - 1, FEW_PEOPLE).astype(int))
    own = embeddings.only([embeddings.people[at] for at in chosen])
    voices, faces = (
        part.rows(np.concatenate([rows[:FEW_SAMPLES] for rows in by_identity(part.identities)]))
        for part in (own.voices, own.faces)
    )
    return replace(own, voices=voices, faces=faces)
