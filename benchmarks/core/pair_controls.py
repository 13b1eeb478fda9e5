"""Checks of telling people apart by pairs of vectors and a threshold: shuffled labels, and vectors that say it all."""

import numpy as np
from numpy.typing import NDArray

from .controls import TOLERATED, Control
from .embedding_table import EmbeddingTable
from .verification import ALL_TAUS, pairs, tau_search

SHUFFLES = 40
MOST = 300
"""Vectors whose pairs are shuffled, equally spaced people first: the search is checked, not the model."""
EACH = 5
"""Vectors of each person, the first ones."""


def pair_controls(about: str, table: EmbeddingTable, metric: str, tau: float, seed: int = 0) -> list[Control]:
    """Accuracy of "same below `tau`" with labels shuffled over vectors, and the search on one vector a person.

    Of shuffled labels the share told rightly is that of near pairs times that of same ones, and of far times different;
    chance fails beside it by `TOLERATED` standard errors. The oracle fails below 100 % of accuracy or of F1.
    """
    some = _some(table.labels)
    vectors, labels, random = table.vectors[some], table.labels[some], np.random.default_rng(seed)
    found = []
    for _ in range(SHUFFLES):
        own = pairs(vectors, random.permutation(labels), metric, seed=seed)
        found.append(float(tau_search(own.distances, own.same, np.array([tau])).accuracy[0]))
    near, same = float((own.distances < tau).mean()), float(own.same.mean())
    formula = near * same + (1 - near) * (1 - same)
    mean, error = float(np.mean(found)), float(np.std(found, ddof=1)) / SHUFFLES**0.5
    said = f"{100 * mean:.2f} % below {tau:.2f} with shuffled labels, {100 * formula:.2f} % by formula"
    chance = Control("chance", about, said, abs(mean - formula) <= TOLERATED * error + 1e-9)
    codes = np.eye(len(np.unique(labels)))[np.unique(labels, return_inverse=True)[1]]
    own = pairs(codes, labels, metric, seed=seed)
    search = tau_search(own.distances, own.same, ALL_TAUS)
    best = {by: 100 * float(getattr(search, by)[search.best(by)]) for by in ("accuracy", "f1")}
    told = f"one vector a person has a best accuracy of {best['accuracy']:.2f} % and a best F1 of {best['f1']:.2f} %"
    return [chance, Control("oracle", about, f"{told}, expected 100", min(best.values()) > 100 - 1e-9)]


def _some(labels: NDArray[np.str_]) -> NDArray[np.int64]:
    """Places of the first EACH vectors of people who have two or more; equally spaced people, MOST vectors."""
    names, counts = np.unique(labels, return_counts=True)
    several = names[counts > 1]
    chosen = several[np.unique(np.linspace(0, len(several) - 1, MOST // EACH).astype(int))] if len(several) else names
    return np.concatenate([np.flatnonzero(labels == name)[:EACH] for name in (chosen if len(chosen) > 1 else names)])
