"""Checks of scores over galleries and tuples by vectors of which it is known what must come out."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .controls import TOLERATED, Control
from .distances import distances
from .embeddings import Embeddings, by_identity
from .exact import MOST, pair_matching, tuple_matching, verification
from .metrics import unit
from .retrieval import retrieval

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


def matching_controls(about: str, embeddings: Embeddings, metric: str, device: str, seed: int = 0) -> list[Control]:
    """1:2 of everybody, then `tuple_controls` and `search_controls` of some.

    Faces given to others must score chance, and vectors that are the same for a person's samples everything.
    """
    values = embeddings.faces.values[np.random.default_rng(seed).permutation(len(embeddings.faces.values))]
    shuffled = pair_matching(replace(embeddings, faces=replace(embeddings.faces, values=values)), metric, device)
    chance, between = shuffled.accuracy(), shuffled.interval(seed=seed)
    error = max((between.high - between.low) / 3.92, ROUNDING)
    oracle = pair_matching(_coded(embeddings), "cosine", device).accuracy()
    words = f"{100 * chance:.2f} % with shuffled faces, 50.00 % by formula"
    return [
        Control("chance", about, words, abs(chance - 0.5) <= TOLERATED * error),
        Control("oracle", about, f"one vector a person scores {100 * oracle:.2f} %, expected 100", oracle == 1),
        *tuple_controls("1:n", embeddings, metric, device, seed),
        *search_controls("AUC and mAP", embeddings, metric, device, seed),
    ]


def tuple_controls(about: str, embeddings: Embeddings, metric: str, device: str, seed: int = 0) -> list[Control]:
    """1:n of some people: faces given to others at random score 1 in n for every n, one vector a person everything."""
    some = _some(embeddings)
    most = min(MOST, len(some.people))
    rounds = [tuple_matching(one, most, metric, device).mean(0) for one in _shuffled(some, seed)]
    mean, error = _mean(rounds)
    formula = 1 / np.arange(2, most + 1)
    told = ", ".join(f"1:{n} {100 * one:.2f}" for n, one in enumerate(mean, 2))
    said = f"with shuffled faces of {len(some.people)} people {told} %; 100 / n by formula"
    chance = Control("chance", about, said, bool((np.abs(mean - formula) <= TOLERATED * error + ROUNDING).all()))
    least = float(tuple_matching(_coded(some), most, "cosine", device).min())
    words = f"one vector a person scores {100 * least:.2f} % or more in every 1:n, expected 100"
    return [chance, Control("oracle", about, words, least > 1 - ROUNDING)]


def search_controls(about: str, embeddings: Embeddings, metric: str, device: str, seed: int = 0) -> list[Control]:
    """AUC and mAP of some people: a half and the galleries' chance with shuffled faces, 1 with one vector each."""
    some = _some(embeddings)
    rounds = []
    for number, one in enumerate(_shuffled(some, seed)):
        found = retrieval(one, repeats=1, seed=seed + number, metric=metric)
        rounds.append(np.array([verification(one, metric, device).mean(), found.mean, found.chance]))
    mean, error = _mean(rounds)
    formula = np.array([0.5, mean[2]])
    said = f"with shuffled faces of {len(some.people)} people AUC {100 * mean[0]:.2f} %, mAP {100 * mean[1]:.2f} %; "
    said += f"50.00 and {100 * formula[1]:.2f} by formula"
    right = bool((np.abs(mean[:2] - formula) <= TOLERATED * error[:2] + ROUNDING).all())
    coded = _coded(some)
    best = (float(verification(coded, "cosine", device).mean()), retrieval(coded, repeats=1, seed=seed).mean)
    told = f"one vector a person has AUC {100 * best[0]:.2f} % and mAP {100 * best[1]:.2f} %, expected 100"
    return [Control("chance", about, said, right), Control("oracle", about, told, min(best) > 1 - ROUNDING)]


def distance_controls(about: str, embeddings: Embeddings, scale: float, device: str, seed: int = 0) -> list[Control]:
    """Distances of some people: no gap between own and others' faces when shuffled, 0 and a square root of 2 when one
    vector a person is given."""
    some = _some(embeddings)
    rounds = []
    for one in _shuffled(some, seed):
        found = distances(one, scale, device)
        rounds.append(np.array([(found.negative - found.positive).mean()]))
    mean, error = (float(values[0]) for values in _mean(rounds))
    said = f"negative less positive is {mean:.5f} with shuffled faces of {len(some.people)} people, 0 by formula"
    chance = Control("chance", about, said, abs(mean) <= TOLERATED * error + ROUNDING)
    coded = distances(_coded(some), 1.0, device)
    near, far = float(np.abs(coded.positive).max()), float(np.abs(coded.negative - 2**0.5).max())
    told = f"one vector a person has distances {coded.positive.mean():.6g}, {coded.negative.mean():.6g}, expected 0"
    return [chance, Control("oracle", about, f"{told} and {2**0.5:.6g}", max(near, far) < ROUNDING)]


def _shuffled(some: Embeddings, seed: int) -> Iterator[Embeddings]:
    """Faces given to others at random, SHUFFLES times."""
    random, values = np.random.default_rng(seed), some.faces.values
    for _ in range(SHUFFLES):
        yield replace(some, faces=replace(some.faces, values=values[random.permutation(len(values))]))


def _mean(rounds: Sequence[NDArray[np.float64]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of rounds (R, K) the mean and its standard error, (K,) both."""
    return np.mean(rounds, axis=0), np.std(rounds, axis=0, ddof=1) / len(rounds) ** 0.5


def _coded(some: Embeddings) -> Embeddings:
    """The same vector for all voices and faces of a person, at a right angle to all others."""
    codes = dict(zip(some.people, np.eye(len(some.people), dtype=np.float32), strict=True))
    voices, faces = (
        replace(part, values=np.stack([codes[name] for name in part.identities.tolist()]))
        for part in (some.voices, some.faces)
    )
    return replace(some, voices=voices, faces=faces)


def _some(embeddings: Embeddings) -> Embeddings:
    """Equally spaced people, and the first samples of each."""
    chosen = np.unique(np.linspace(0, len(embeddings.people) - 1, FEW_PEOPLE).astype(int))
    own = embeddings.only([embeddings.people[at] for at in chosen])
    voices, faces = (
        part.rows(np.concatenate([rows[:FEW_SAMPLES] for rows in by_identity(part.identities)]))
        for part in (own.voices, own.faces)
    )
    return replace(own, voices=voices, faces=faces)
