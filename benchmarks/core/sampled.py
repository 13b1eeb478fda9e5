"""Trials drawn as VFMR drew them, and what vectors score on trials: the protocol that `exact` does without."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from ...models.core.triplets import confidence
from .embeddings import Embeddings, Vectors, by_identity
from .metrics import METRICS, average_precision, matching, unit
from .trials import Trials, without_crop_scale

IDENTITIES, VOICES, FACES = 4, 4, 8
"""Of a test batch (VFMR 5.1): 3,072 triplets."""
STEPS = 1000
"""Batches; VFMR1 was tested with 10,000."""
TUPLES = 10_000
INDIVIDUAL_REPEATS = 10
"""Triplets of every ordered pair of people in VFMR's individual test (5.4)."""
AT_ONCE = 256
"""Batches that are computed together; changes no number."""


def draw_batches(embeddings: Embeddings, steps: int = STEPS, seed: int = 0, gender: str = "") -> Trials:
    """Batches of three men and a woman and of three women and a man by turns: half the triplets of one gender.

    Of one `gender`, male or female, batches of four of it. Who has fewer voices or faces than are drawn gives some
    again. Raises ValueError for fewer than three of a gender, or than four of the one that is asked for.
    """
    random, genders = np.random.default_rng(seed), embeddings.genders
    pools = [np.flatnonzero(genders == name) for name in ("male", "female")]
    alone = np.flatnonzero(genders == gender) if gender else None
    if alone is not None and len(alone) < IDENTITIES:
        raise ValueError(f"{len(alone)} people are {gender}: batches of one gender need {IDENTITIES}")
    if alone is None and min(map(len, pools)) < 3:
        raise ValueError(f"{len(pools[0])} men and {len(pools[1])} women: batches of 3:1 need three of each")
    heard, seen = (by_identity(part.identities) for part in (embeddings.voices, embeddings.faces))
    rows = []
    for step in range(steps):
        if alone is None:
            three, one = pools[step % 2], pools[1 - step % 2]
            chosen = [*random.choice(three, 3, replace=False), random.choice(one)]
        else:
            chosen = [*random.choice(alone, IDENTITIES, replace=False)]
        voices = [key for who in chosen for key in _draw(embeddings.voices, heard[who], VOICES, random)]
        faces = [key for who in chosen for key in _draw(embeddings.faces, seen[who], FACES, random)]
        rows.append(([embeddings.people[who] for who in chosen], voices, faces))
    told = f"1:2, {gender}, {steps} batches" if gender else f"1:2, {steps} batches"
    return Trials.of(f"{told}, seed {seed}", "batches", rows)


def draw_tuples(embeddings: Embeddings, n: int, count: int = TUPLES, seed: int = 0) -> Trials:
    """A voice and a face of each of n different people, `count` times; the first one's voice is asked.

    Raises ValueError for more than the people there are.
    """
    if not 2 <= n <= len(embeddings.people):
        raise ValueError(f"1:{n} of {len(embeddings.people)} identities: expected at least two and as many people")
    random = np.random.default_rng(seed)
    heard, seen = (by_identity(part.identities) for part in (embeddings.voices, embeddings.faces))
    rows = []
    for _ in range(count):
        chosen = random.permutation(len(embeddings.people))[:n]
        voices = [key for who in chosen for key in _draw(embeddings.voices, heard[who], 1, random)]
        faces = [key for who in chosen for key in _draw(embeddings.faces, seen[who], 1, random)]
        rows.append((voices, faces))
    return Trials.of(f"1:{n}, {count} tuples, seed {seed}", "tuples", rows)


def _draw(vectors: Vectors, own: NDArray[np.int64], count: int, random: np.random.Generator) -> list[str]:
    rows = random.choice(own, count, replace=len(own) < count)
    return [str(key) for key in vectors.keys[rows]]


@dataclass(frozen=True)
class Answered:
    """What vectors make of matching trials: `right` (N,) of each, in 0 to 1, and the person asked for, (N,)."""

    right: NDArray[np.float64]
    asked: NDArray[np.str_]
    each: int
    """Triplets or tuples that one of `right` is the mean of."""
    others: NDArray[np.str_]
    """(N, n - 1) the people whom each was to be told from."""

    @property
    def accuracy(self) -> float:
        """Over all trials alike."""
        return float(self.right.mean())

    @property
    def trials(self) -> int:
        """n: triplets or tuples."""
        return len(self.right) * self.each

    def confidence(self, people: int) -> float:
        """VFMR's T = N ln K of so many identities (`models.core.triplets.confidence`)."""
        return confidence(people, self.trials)


class Asked:
    """Embeddings by the keys of trials; nearer is by the cosine, or by the distance of vectors as they are."""

    def __init__(self, embeddings: Embeddings, metric: str = "cosine") -> None:
        if metric not in METRICS:
            raise ValueError(f"metric {metric!r}: expected one of {', '.join(METRICS)}")
        self.embeddings, self.metric = embeddings, metric
        parts = (part.values.astype(np.float64) for part in (embeddings.voices, embeddings.faces))
        self.voices, self.faces = (unit(values) if metric == "cosine" else values for values in parts)

    @cached_property
    def _places(self) -> tuple[Mapping[str, int], Mapping[str, int]]:
        heard, seen = (part.keys.tolist() for part in (self.embeddings.voices, self.embeddings.faces))
        bare = {without_crop_scale(key): at for at, key in enumerate(seen)}
        return {key: at for at, key in enumerate(heard)}, bare | {key: at for at, key in enumerate(seen)}

    def places(self, kind: int, keys: list[str]) -> NDArray[np.int64]:
        """Rows of voices (kind 0) or faces (1). Raises ValueError for a key without a vector."""
        known = self._places[kind]
        if lacking := next((key for key in keys if key not in known), None):
            raise ValueError(
                f"no vector of the {('voice', 'face')[kind]} {lacking!r} that the trials name: they are of other "
                "samples. Draw them anew, or give the embeddings they were drawn from"
            )
        return np.array([known[key] for key in keys], np.int64)

    def batches(self, trials: Trials) -> Answered:
        """All triplets of every batch; one value for each two people of a batch, batch after batch.

        Raises ValueError for trials of another kind, and for batches of different sizes.
        """
        people, voices, faces = _sizes(trials)
        rows, found = iter(_of(trials, "batches")), list[NDArray[np.float64]]()
        names: list[tuple[str, ...]] = []
        others = [[other for other in range(people) if other != one] for one in range(people)]
        while part := list(islice(rows, AT_ONCE)):
            size = len(part)
            heard, seen = (
                self.places(kind, [key for row in part for key in row[1 + kind]]).reshape(size, people, -1)
                for kind in (0, 1)
            )
            scores = np.einsum("sivd,sjfd->sijvf", self.voices[heard], self.faces[seen], optimize=True)
            if self.metric == "euclidean":
                # Of one voice the distances are ordered as the products less half the faces' squared lengths.
                scores -= (self.faces[seen] ** 2).sum(-1)[:, None, :, None] / 2
            shares = np.empty((size, people, people - 1))
            for one in range(people):
                own = scores[:, one, one][:, None, :, :, None]
                far = scores[:, one, others[one]][:, :, :, None]
                shares[:, one] = ((own > far) + 0.5 * (own == far)).mean((2, 3, 4))
            found.append(shares.ravel())
            names += [tuple(row[0]) for row in part]
        whose = np.array(names)
        asked, told_from = np.repeat(whose, people - 1), whose[:, np.array(others)].reshape(-1, 1)
        return Answered(np.concatenate(found), asked, voices * faces**2, told_from)

    def individuals(self, repeats: int = INDIVIDUAL_REPEATS, seed: int = 0) -> NDArray[np.float64]:
        """VFMR's individual test: of every person the share right against each other one, (P, P), NaN against oneself.

        So often each. A voice, an own face and a face of the other are drawn anew each time, by `seed`.
        """
        random, people = np.random.default_rng(seed), len(self.embeddings.people)
        parts = (self.embeddings.voices, self.embeddings.faces)
        (heard, voices), (seen, faces) = (
            (np.concatenate(rows), np.array([len(own) for own in rows]))
            for rows in (by_identity(part.identities) for part in parts)
        )
        first_voice, first_face = (np.cumsum(counts) - counts for counts in (voices, faces))
        found = np.full((people, people), np.nan)
        for one in range(people):
            others = np.repeat(np.delete(np.arange(people), one), repeats)
            asked = heard[first_voice[one] + random.integers(0, voices[one], len(others))]
            own = seen[first_face[one] + random.integers(0, faces[one], len(others))]
            far = seen[first_face[others] + random.integers(0, faces[others])]
            right = matching(self.voices[asked], self.faces[own], self.faces[far][:, None])
            found[one, np.arange(people) != one] = right.reshape(-1, repeats).mean(1)
        return found

    def tuples(self, trials: Trials, n: int) -> Answered:
        """1:n by the first n of every tuple. Raises ValueError for another kind or shorter tuples."""
        rows = _of(trials, "tuples")
        if short := [len(row[1]) for row in rows if len(row[1]) < n]:
            raise ValueError(f"trials {trials.name}: a tuple of {short[0]}, expected {n} or more")
        voice = self.places(0, [row[0][0] for row in rows])
        faces = self.places(1, [key for row in rows for key in row[1][:n]]).reshape(-1, n)
        right = matching(self.voices[voice], self.faces[faces[:, 0]], self.faces[faces[:, 1:]])
        return Answered(
            right, self.embeddings.voices.identities[voice], 1, self.embeddings.faces.identities[faces[:, 1:]]
        )

    def pairs(self, trials: Trials) -> tuple[Answered, Answered]:
        """vfal-eva's matching: the first person's face for their voice, and their voice for their face."""
        rows = _of(trials, "matching")
        first, second = ((self._column(0, rows, at), self._column(1, rows, at + 1)) for at in (1, 4))
        asked = np.array([row[0] for row in rows])
        others = self.embeddings.faces.identities[second[1]][:, None]
        found = (
            matching(self.voices[first[0]], self.faces[first[1]], self.faces[second[1]][:, None]),
            matching(self.faces[first[1]], self.voices[first[0]], self.voices[second[0]][:, None]),
        )
        return Answered(found[0], asked, 1, others), Answered(found[1], asked, 1, others)

    def verification(self, trials: Trials) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Nearness (N,) and whether voice and face are of one person (N,), for `metrics.area_under_curve`.

        Nearness is the cosine, or the distance below 0.
        """
        rows = _of(trials, "verification")
        heard, seen = self._column(0, rows, 0), self._column(1, rows, 1)
        voices, faces = self.voices[heard], self.faces[seen]
        scores = (voices * faces).sum(1) if self.metric == "cosine" else -np.linalg.norm(voices - faces, axis=1)
        return scores, np.array([bool(row[2]) for row in rows])

    def retrieval(self, trials: Trials) -> tuple[float, float]:
        """mAP of faces for voices and of voices for faces, mean over the groups."""
        found, rows = [], _of(trials, "retrieval")
        for group in sorted({row[0] for row in rows}):
            own = [row for row in rows if row[0] == group]
            who = np.array([row[3] for row in own])
            heard, seen = self.voices[self._column(0, own, 1)], self.faces[self._column(1, own, 2)]
            both = ((heard, seen), (seen, heard))
            found.append([average_precision(asked, who, shown, who, self.metric) for asked, shown in both])
        forth, back = (float(np.mean([group[way].mean() for group in found])) for way in (0, 1))
        return forth, back

    def _column(self, kind: int, rows: list[tuple[str, ...]], at: int) -> NDArray[np.int64]:
        return self.places(kind, [row[at] for row in rows])


def _sizes(trials: Trials) -> tuple[int, int, int]:
    """People of every batch, and voices and faces of each of them."""
    sizes = {tuple(map(len, row)) for row in _of(trials, "batches")}
    (people, voices, faces), *others = sorted(sizes)
    if others or people < 2 or not voices or not faces or voices % people or faces % people:
        told = "; ".join("{} people, {} voices, {} faces".format(*size) for size in sorted(sizes)[:2])
        raise ValueError(
            f"trials {trials.name}: batches of {told}; expected two people or more in each, and of each as many voices "
            "and faces"
        )
    return people, voices // people, faces // people


def _of(trials: Trials, kind: str) -> list[tuple[str, ...]]:
    if trials.kind != kind:
        raise ValueError(f"trials {trials.name}: {trials.kind}, expected {kind}")
    return trials.rows
