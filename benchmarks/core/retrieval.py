"""Faces found by a voice among those of a hundred people, every voice asked in every gallery (VFMR 5.2)."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .embeddings import Embeddings, by_identity
from .metrics import average_precision, chance_average_precision, nearness
from .protocol import Protocol

PEOPLE, FACES = 100, 5
"""Of a gallery."""
AT_ONCE = 64
"""Queries that are weighted together; changes no number."""
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
    draws: NDArray[np.float64]
    """mAP of the first round in each draw of people that was asked for, (R,)."""

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
    drawn: NDArray[np.float64] | None = None,
) -> Retrieval:
    """Mean over `repeats` rounds of galleries, by cosine or euclidean, every voice asked once a round (`voices` 0).

    `drawn` (R, P), how often each person is in each of R draws, weights those asked and all others of the
    first round's galleries.
    Raises ValueError for fewer than two people.
    """
    if len(embeddings.people) < 2:
        raise ValueError("embeddings of one identity alone: a gallery needs others")
    names = np.array(embeddings.people)
    times = np.ones((0, len(names))) if drawn is None else drawn
    weighted = np.zeros((len(names), len(times)))
    sums, counts, chances = np.zeros(len(names)), np.zeros(len(names), np.int64), []
    rounds, listed = list[float](), list[str]()
    for at, round_seed in enumerate(round_seeds(seed, repeats)):
        own, asked = np.zeros(len(names)), np.zeros(len(names), np.int64)
        for number, gallery in enumerate(galleries(embeddings, people, faces, voices, round_seed)):
            found, who = embeddings.faces.rows(gallery.faces), embeddings.voices.identities[gallery.voices]
            queries = embeddings.voices.values[gallery.voices]
            precision = average_precision(queries, who, found.values, found.identities, metric)
            member = np.searchsorted(names, who)
            np.add.at(own, member, precision)
            if len(times) and not at:
                scores = nearness(queries, found.values, metric)
                each = drawn_precision(scores, member, np.searchsorted(names, found.identities), times)
                people_asked, place = np.unique(member, return_inverse=True)
                weighted[people_asked] += np.eye(len(people_asked))[place].T @ each
            np.add.at(asked, member, 1)
            for kind, keys in (("face", found.keys), ("voice", embeddings.voices.keys[gallery.voices])):
                listed += [f"{at} {number} {kind} {key}" for key in keys]
            relevant = np.unique(found.identities, return_counts=True)[1].mean()
            chances.append(chance_average_precision(len(gallery.faces), relevant))
        weighted /= 1 if at else asked[:, None]
        rounds.append(float((own / asked).mean()))
        sums, counts = sums + own, counts + asked
    digest = Protocol.of("galleries", listed).digest
    draws = (times * weighted.T).sum(1) / times.sum(1)
    return Retrieval(sums / counts, int(counts.sum()), float(np.mean(chances)), np.array(rounds), digest, draws)


def drawn_precision(
    scores: NDArray[np.float64], asked: NDArray[np.int64], shown: NDArray[np.int64], drawn: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Average precision (Q, R) of queries by people `asked` (Q,) among faces of people `shown` (M,), scores (Q, M).

    In each draw every other person's faces count as often as drawn, of as large a gallery; one of nobody else counts
    as it is. With everybody once it is `average_precision`.
    """
    people, member = np.unique(shown, return_inverse=True)
    faces, whole = np.eye(len(people))[member], []
    rest = np.searchsorted(people, asked)
    for start in range(0, len(asked), AT_ONCE):
        part, own = scores[start : start + AT_ONCE], rest[start : start + AT_ONCE]
        place = np.empty_like(part, np.int64)
        order = np.argsort(-part, axis=1, kind="stable")
        np.put_along_axis(place, order, np.arange(part.shape[1])[None], axis=1)
        query, face = np.nonzero(member[None] == own[:, None])
        nearer = (place[query] < place[query, face][:, None]) @ faces
        mine = nearer[np.arange(len(query)), own[query]] + 1
        nearer[np.arange(len(query)), own[query]] = 0.0
        weights = drawn[:, people]
        left = weights.sum(1)[None] - weights.T[own[query]]
        ahead = np.where(left > 0, nearer @ weights.T * (len(people) - 1) / np.maximum(left, 1), nearer.sum(1)[:, None])
        counts = np.bincount(query, minlength=len(own))
        precision = np.add.reduceat(mine[:, None] / (mine[:, None] + ahead), np.cumsum(counts) - counts)
        whole.append(precision / counts[:, None])
    return np.concatenate(whole)
