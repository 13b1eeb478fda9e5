"""Every number of VFMR's tables from vectors of one split, by each seed's network: exactly, or drawn as published."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...models.core.triplets import confidence
from .controls import Control
from .embeddings import Embeddings
from .exact import MOST, PairMatching, pair_matching, tuple_matching, verification
from .gallery_controls import matching_controls
from .metrics import Interval, spread
from .outcomes import Outcomes
from .people_drawn import (
    Statistic,
    area_drawn,
    drawings,
    individuals_drawn,
    interval,
    trials_drawn,
    tuples_drawn,
)
from .protocol import Protocol
from .retrieval import FACES, REPEATS, Retrieval, retrieval
from .sampled import IDENTITIES, INDIVIDUAL_REPEATS, STEPS, TUPLES, Asked, draw_batches, draw_tuples
from .table import Measured
from .trials import Trials

GENDERS = ("male", "female")
PAPER_VOICES = 40
"""Of a person that VFMR asks in its one gallery."""


PEOPLE_DRAWN = (
    "95 %: people are drawn as those asked for and as the others, for every number; for 1:n and AUC with 4 voices and "
    "4 faces of each, around the number told"
)


@dataclass(frozen=True)
class Scores:
    """Numbers in % of the same samples embedded by one network for each seed; what cannot be had is None."""

    seeds: Sequence[Embeddings]
    metric: str = "cosine"
    protocol: str = "exact"
    """exact, or paper: `steps` batches, also of one gender, 10,000 tuples, 10 triplets of two people."""
    device: str = "auto"
    seed: int = 0
    steps: int = STEPS
    """Batches of 1:2 that the paper draws."""
    trials: Path | None = None
    """Folder of what is drawn: trials that are there are asked, others are written there."""
    told: tuple[str, ...] = ()
    """In words, whose numbers they are: the networks, the people."""
    as_published: bool = True
    """Whether networks and training are the paper's, so that a difference from its numbers means something."""
    picture: str = ""
    """Field of the faces that the networks saw."""
    leakage: tuple[Control, ...] = ()
    """Of networks that were trained on another folder."""

    @cached_property
    def digest(self) -> str:
        """Of the keys of voices and faces: of exact numbers the protocol."""
        keys = (f"{kind} {key}" for kind in ("voices", "faces") for key in getattr(self.seeds[0], kind).keys)
        return Protocol.of("exact", keys).digest

    @cached_property
    def pairs(self) -> list[PairMatching]:
        return [pair_matching(one, self.metric, self.device) for one in self.seeds]

    @cached_property
    def tuples(self) -> list[NDArray[np.float64]]:
        most = min(MOST, len(self.seeds[0].people))
        return [tuple_matching(one, most, self.metric, self.device) for one in self.seeds]

    @cached_property
    def drawn(self) -> NDArray[np.float64]:
        """Everybody once, then draws of people with replacement."""
        return drawings(len(self.seeds[0].people), self.seed)

    @cached_property
    def tuples_drawn(self) -> list[NDArray[np.float64]]:
        most = min(MOST, len(self.seeds[0].people))
        return [tuples_drawn(one, most, self.metric, self.device, self.drawn) for one in self.seeds]

    def table(self) -> dict[str, Measured]:
        """The columns of Tables 5, 6 and 8: 1:2 (half of one gender), 1:3, 1:4, Male, Female, mAP."""
        found = {"1:2": self.matching(), **{f"1:{n}": self.among(n) for n in (3, 4)}}
        found |= {gender.title(): self.of_gender(gender) for gender in GENDERS}
        found["mAP"] = self.found()
        return {name: one for name, one in found.items() if one is not None}

    def matching(self) -> Measured | None:
        """1:2, half the triplets of one gender; None without two men and two women (paper: three)."""
        return self._matching("batches")

    def _matching(self, name: str) -> Measured | None:
        if min((self.seeds[0].genders == name).sum() for name in GENDERS) < (3 if self.protocol == "paper" else 2):
            return None
        if self.protocol == "paper":
            return self._sampled(name)
        return self._of_pairs(self.pairs[0].balanced)

    def matching_unbalanced(self) -> Measured:
        """1:2 over all pairs of people alike."""
        return self._of_pairs(self.pairs[0].everybody)

    def of_gender(self, gender: str) -> Measured | None:
        """1:2 among people of one gender; None where there are fewer than two (paper: four)."""
        if self.protocol == "paper":
            there = int((self.seeds[0].genders == gender).sum())
            return self._sampled(f"batches-{gender}", gender=gender) if there >= IDENTITIES else None
        weights = self.pairs[0].of_genders(gender, gender)
        return self._of_pairs(weights) if weights.any() else None

    def among(self, n: int) -> Measured | None:
        """1:n; None for more than the people there are."""
        if n > len(self.seeds[0].people):
            return None
        if self.protocol == "paper":
            return self._sampled(f"tuples-{n}", n)
        values = [float(found[:, n - 2].mean()) for found in self.tuples]
        draws = [found[n - 2] for found in self.tuples_drawn]
        return self._of_draws(values, draws, len(self.seeds[0].voices.keys), self.digest)

    def found(self, voices: int = 1, faces: int = 1) -> Measured | None:
        """mAP in galleries of 100 people and 5 faces, or one of `faces` joined (VFMR Table 4); None as `joined`."""
        each = self.retrieved(voices, faces)
        if not each:
            return None
        values, draws = [one.mean for one in each], [one.draws for one in each]
        return self._of_draws(values, draws, each[0].queries, each[0].protocol, len(each[0].precision))

    def retrieved(self, voices: int = 1, faces: int = 1) -> list[Retrieval]:
        """Of every seed, with the chance of such galleries; faces that are joined are one of each person in them.

        Nothing where fewer than two people have as many.
        """
        if (voices, faces) not in self._retrieved:
            joined, drawn = self.joined(voices, faces), self.protocol == "paper"
            self._retrieved[voices, faces] = [
                retrieval(
                    one,
                    faces=1 if faces > 1 else FACES,
                    voices=self.asked_voices,
                    repeats=1 if drawn else REPEATS,
                    seed=self.seed,
                    metric=self.metric,
                    drawn=joined.drawn if joined else None,
                )
                for one in (joined.seeds if joined else ())
            ]
        return self._retrieved[voices, faces]

    @property
    def asked_voices(self) -> int:
        """Of everybody in a gallery; 0: all."""
        return PAPER_VOICES if self.protocol == "paper" else 0

    @cached_property
    def _retrieved(self) -> dict[tuple[int, int], list[Retrieval]]:
        return {}

    def joined(self, voices: int = 1, faces: int = 1) -> "Scores | None":
        """Means of so many voices and faces of the people who have as many; None where fewer than two have."""
        if (voices, faces) == (1, 1):
            return self
        own = self.seeds[0]
        counts = [np.unique(part.identities, return_counts=True)[1] for part in (own.voices, own.faces)]
        chosen = [own.people[at] for at in np.flatnonzero((counts[0] >= voices) & (counts[1] >= faces))]
        if len(chosen) < 2:
            return None
        return replace(
            self, seeds=[one.only(chosen).joined(voices, faces, self.seed, self.metric) for one in self.seeds]
        )

    def verification(self) -> Measured:
        """Chance that a voice and a face of one person score higher than a voice and a face of two: the AUC.

        Every person's own pairs count alike.
        """
        each = [verification(one, self.metric, self.device) for one in self.seeds]
        draws = [area_drawn(one, self.metric, self.drawn) for one in self.seeds]
        own, values = self.seeds[0], [float(one.mean()) for one in each]
        return self._of_draws(values, draws, len(own.voices.keys) * len(own.faces.keys), self.digest)

    def joint(self, voices: int, faces: int) -> Measured | None:
        """1:2 as `matching`, of means of so many voices and faces, of the people who have as many; None as `joined`."""
        joined = self.joined(voices, faces)
        # Only the plain test of VFMR1 has more than 1,000 batches.
        return replace(joined, steps=STEPS)._matching(f"batches-joined-{voices}-{faces}") if joined else None

    @cached_property
    def against(self) -> list[NDArray[np.float64]]:
        """Accuracy of every identity against each other, (P, P) of each seed: of all triplets, or as VFMR drew them."""
        if self.protocol == "paper":
            return [Asked(one, self.metric).individuals(seed=self.seed) for one in self.seeds]
        return [pairs.right for pairs in self.pairs]

    @property
    def individuals(self) -> list[NDArray[np.float64]]:
        """Accuracy of every identity against all others, (P,) of each seed."""
        return [np.nanmean(one, axis=1) for one in self.against]

    def of_people(self, statistic: Statistic) -> Measured:
        """Mean over identities of a statistic, 0 to 1, of their accuracies (.., P)."""
        values = [float(np.mean(statistic(one))) for one in self.individuals]
        draws = [individuals_drawn(one, self.drawn, statistic) for one in self.against]
        if self.protocol == "exact":
            return self._of_draws(values, draws, self.pairs[0].triplets, self.digest)
        people = len(self.seeds[0].people)
        drawn = people * (people - 1) * INDIVIDUAL_REPEATS
        self._drawn["individual"] = (people, drawn)
        digest = Protocol.of(f"individual {INDIVIDUAL_REPEATS}", [self.digest, f"seed {self.seed}"]).digest
        return self._of_draws(values, draws, drawn, digest)

    # --- from results of each seed to a number with its interval ---

    def _of_pairs(self, weights: NDArray[np.float64]) -> Measured:
        together = replace(self.pairs[0], right=np.mean([one.right for one in self.pairs], axis=0))
        chosen = weights > 0
        own = np.outer(together.voices * together.faces, together.faces)[chosen].sum()
        values = [one.accuracy(weights) for one in self.pairs]
        people = int((chosen.any(0) | chosen.any(1)).sum())
        return _percent(values, together.interval(weights, self.seed), int(own), people, self.digest)

    def _of_draws(
        self, values: Sequence[float], draws: Sequence[NDArray[np.float64]], count: int, digest: str, people: int = 0
    ) -> Measured:
        """Of the value of each seed, and of what draws of people scored by it, (R,) each."""
        between = interval(float(np.mean(values)), np.mean(draws, axis=0))
        return _percent(values, between, count, people or len(self.seeds[0].people), digest)

    def _sampled(self, name: str, n: int = 0, gender: str = "") -> Measured:
        """Of tuples of n, or of batches (n 0), of one gender or half; people drawn weight their trials."""
        trials = self._trials(name, n, gender)
        asked = [Asked(one, self.metric) for one in self.seeds]
        found = [one.tuples(trials, n) if n else one.batches(trials) for one in asked]
        names = np.column_stack([found[0].asked, found[0].others])
        members = np.searchsorted(np.array(self.seeds[0].people), names)
        draws = [trials_drawn(one.right, members, self.drawn) for one in found]
        people = len(np.unique(found[0].asked))
        if gender:
            self._drawn[gender] = (int((self.seeds[0].genders == gender).sum()), found[0].trials)
        return self._of_draws([one.accuracy for one in found], draws, found[0].trials, trials.digest, people)

    @cached_property
    def _drawn(self) -> dict[str, tuple[int, int]]:
        """Of what was drawn beside 1:2: how many people there are, and triplets."""
        return {}

    def _trials(self, name: str, n: int, gender: str) -> Trials:
        path = self.trials / f"{name}.parquet" if self.trials else None
        if path and path.exists():
            return Trials.load(path)
        first = self.seeds[0]
        drawn = draw_tuples(first, n, TUPLES, self.seed) if n else draw_batches(first, self.steps, self.seed, gender)
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
            drawn.save(path)
        return drawn

    # --- what goes with the numbers ---

    def outcomes(self, row: tuple[str, ...], split: str) -> Outcomes:
        """Of every voice, over all own faces and others: what slices and the leakage check are made of."""
        first = self.pairs[0]
        who = dict(zip(self.seeds[0].voices.keys.tolist(), self.seeds[0].voices.identities.tolist(), strict=True))
        groups = np.array([who[key] for key in first.keys.tolist()])
        merit = np.mean([one.merit for one in self.pairs], axis=0)
        return Outcomes(row, split, first.keys, merit, groups, config="voices")

    def controls(self, about: str) -> list[Control]:
        """Faces given to others must score chance, and vectors that are the same for a person's samples everything."""
        return [*self.leakage, *matching_controls(about, self.seeds[0], self.metric, self.device, self.seed)]

    def drawn_notes(self) -> list[str]:
        """What of mAP is drawn, and how sure that leaves it."""
        found = []
        for (voices, faces), each in self._retrieved.items():
            if each and (error := each[0].error) is not None:
                joined = f" of {voices} voices and {faces} faces joined" if voices * faces > 1 else ""
                drawn = f"{len(each[0].rounds)} rounds of galleries, drawn by seed {self.seed}"
                left = f"the draw leaves a standard error of {100 * error:.2f}"
                found.append(
                    f"mAP{joined}: every voice in {drawn}; {left}, which its interval over people does not hold"
                )
        return found

    def notes(self) -> list[str]:
        """Which trials the numbers are over, how many and how sure that makes them."""
        pairs, people = self.pairs[0], len(self.seeds[0].people)
        if self.protocol == "paper":
            drawn = self.steps * 3072
            sure = f"T = {confidence(people, drawn):.1f} of {people} identities and n = {drawn:,}"
            drawn_here = f"1:2 and 1:n of trials drawn as published, seed {self.seed}: {self.steps:,} batches, "
            kept = f"trials: those in {self.trials}, asked again or written there; their digests stand beside"
            more = [
                f"T of {name} = {confidence(*one):.1f} of N {one[0]} and n {one[1]:,}"
                for name, one in self._drawn.items()
            ]
            return [
                kept if self.trials else f"{drawn_here}{TUPLES:,} tuples; {sure}",
                *more,
                PEOPLE_DRAWN,
                f"of one gender: as many batches of {IDENTITIES} people of it; individuals: everybody against all "
                f"others, {INDIVIDUAL_REPEATS} times, by seed {self.seed} and in no file; mAP of one gallery for each "
                f"person, asked by {PAPER_VOICES} voices; AUC exactly, since the paper says nothing of pairs",
                *self.told,
            ]
        sure = f"T = {confidence(people, pairs.triplets):.1f} of {people} identities and n = {pairs.triplets:,}"
        return [
            f"1:2, 1:n, AUC exact: all {pairs.triplets:,} triplets, all choices of others; nothing of these is "
            f"sampled, so that their intervals are about people alone. {sure}",
            PEOPLE_DRAWN,
            *self.drawn_notes(),
            *self.told,
        ]


def _percent(values: Sequence[float], between: Interval, count: int, people: int, digest: str) -> Measured:
    found = spread(np.array(values))
    return Measured(
        value=100 * float(np.mean(values)),
        count=count,
        groups=people,
        interval=Interval(100 * between.low, 100 * between.high),
        spread=None if found is None else 100 * found,
        seeds=len(values),
        protocol=digest,
    )
