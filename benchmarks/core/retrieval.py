"""Faces found by a voice among those of a hundred people, every voice asked in every gallery (VFMR 5.2)."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .embeddings import Embeddings, by_identity
from .metrics import average_precision, chance_average_precision
from .protocol import Protocol

PEOPLE, FACES = 100, 5
"""Of a gallery."""
REPEATS = 10
"""Galleries that every person is asked in."""


@dataclass(frozen=True)
class Gallery:
    """Rows of the faces in it, (M,), and of the voices that are asked, (Q,)."""

    faces: NDArray[np.int64]
    voices: NDArray[np.int64]


@dataclass(frozen=True)
class Retrieval:
    """Average precision of every person, (P,) 0 to 1 in the order of the names: mean of voices and galleries."""

    precision: NDArray[np.float64]
    queries: int
    chance: float
    """Mean average precision of a random order of such galleries."""
    rounds: NDArray[np.float64]
    """mAP of each round of galleries, (R,)."""
    protocol: str
    """Digest of the keys of all galleries and of the voices asked in them."""

    @property
    def mean(self) -> float:
        """mAP, every person counting alike."""
        return float(self.precision.mean())

    @property
    def error(self) -> float | None:
        """Standard error of the mean from the draw of galleries alone; None for one round."""
        count = len(self.rounds)
        return None if count < 2 else float(self.rounds.std(ddof=1) / count**0.5)


def galleries(
    embeddings: Embeddings, people: int = PEOPLE, faces: int = FACES, voices: int = 0, seed: int = 0
) -> Iterator[Gallery]:
    """Everybody shuffled into groups of `people`, of each `faces` faces drawn, in random order.

    The last group is filled up with people of others, who are not asked again. Of each `voices` voices are drawn (0:
    all). Who has fewer gives what there is. Deterministic in `seed`.
    """
    random, count = np.random.default_rng(seed), len(embeddings.people)
    heard, seen = by_identity(embeddings.voices.identities), by_identity(embeddings.faces.identities)
    order, size = random.permutation(count), min(people, count)
    for start in range(0, count, size):
        asked = order[start : start + size]
        shown = np.concatenate((asked, random.permutation(order[:start])[: size - len(asked)]))
        drawn = [random.permutation(seen[one])[:faces] for one in shown]
        spoken = [random.permutation(heard[one])[:voices] if voices else heard[one] for one in asked]
        # Of equals the first counts as nearer: the order must say nothing about who it is.
        yield Gallery(random.permutation(np.concatenate(drawn)), np.concatenate(spoken))


def round_seeds(seed: int, repeats: int) -> list[int]:
    """Of each round's galleries; more rounds begin with the same."""
    found: list[int] = np.random.SeedSequence(seed).generate_state(repeats).tolist()
    return found


def retrieval(
    embeddings: Embeddings,
    people: int = PEOPLE,
    faces: int = FACES,
    voices: int = 0,
    repeats: int = REPEATS,
    seed: int = 0,
    metric: str = "cosine",
) -> Retrieval:
    """Mean over `repeats` rounds of galleries, by cosine or euclidean, every voice asked once a round (`voices` 0).

    Raises ValueError for fewer than two people.
    """
    if len(embeddings.people) < 2:
        raise ValueError("embeddings of one identity alone: a gallery needs others")
    names = np.array(embeddings.people)
    sums, counts, chances = np.zeros(len(names)), np.zeros(len(names), np.int64), []
    rounds, drawn = list[float](), list[str]()
    for at, round_seed in enumerate(round_seeds(seed, repeats)):
        own, asked = np.zeros(len(names)), np.zeros(len(names), np.int64)
        for number, gallery in enumerate(galleries(embeddings, people, faces, voices, round_seed)):
            found, who = embeddings.faces.rows(gallery.faces), embeddings.voices.identities[gallery.voices]
            queries = embeddings.voices.values[gallery.voices]
            precision = average_precision(queries, who, found.values, found.identities, metric)
            member = np.searchsorted(names, who)
            np.add.at(own, member, precision)
            np.add.at(asked, member, 1)
            for kind, keys in (("face", found.keys), ("voice", embeddings.voices.keys[gallery.voices])):
                drawn += [f"{at} {number} {kind} {key}" for key in keys]
            relevant = np.unique(found.identities, return_counts=True)[1].mean()
            chances.append(chance_average_precision(len(gallery.faces), relevant))
        rounds.append(float((own / asked).mean()))
        sums, counts = sums + own, counts + asked
    digest = Protocol.of("galleries", drawn).digest
    return Retrieval(sums / counts, int(counts.sum()), float(np.mean(chances)), np.array(rounds), digest)
