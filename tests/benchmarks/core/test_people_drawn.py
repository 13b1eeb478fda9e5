"""Scores of people who were drawn equal plain loops over the people that each draw holds."""

from itertools import combinations, permutations

import numpy as np
import pytest
from facevox.benchmarks.core.embeddings import Embeddings, Vectors
from facevox.benchmarks.core.exact import pair_matching, tuple_matching, verification
from facevox.benchmarks.core.metrics import unit
from facevox.benchmarks.core.people_drawn import (
    EACH,
    area_drawn,
    drawings,
    individuals_drawn,
    interval,
    trials_drawn,
    tuples_drawn,
)
from facevox.benchmarks.core.retrieval import retrieval

PEOPLE = 6


def made(people: int = PEOPLE, voices: int = EACH, faces: int = EACH, seed: int = 0, signal: float = 0.7) -> Embeddings:
    random, parts = np.random.default_rng(seed), []
    centre = random.standard_normal((people, 6))
    for kind, each in (("v", voices), ("f", faces)):
        who = np.repeat(np.arange(people), each)
        values = random.standard_normal((len(who), 6)) + signal * centre[who]
        keys = np.array([f"{kind}{at}" for at in range(len(who))])
        parts.append(Vectors(values.astype(np.float32), keys, np.array([f"p{at:03d}" for at in who])))
    return Embeddings(*parts, "d")


EMBEDDINGS = made()
DRAWN = drawings(PEOPLE, seed=3, draws=12)


def cosines() -> np.ndarray:
    """(people, voices, people, faces)."""
    found = unit(EMBEDDINGS.voices.values) @ unit(EMBEDDINGS.faces.values).T
    return found.reshape(PEOPLE, EACH, PEOPLE, EACH)


@pytest.mark.parametrize("n", [2, 3, 5])
def test_one_of_n_over_all_choices_of_those_drawn(n):
    scores = cosines()
    found = tuples_drawn(EMBEDDINGS, 5, "cosine", "cpu", DRAWN)[n - 2]
    assert found[0] == pytest.approx(tuple_matching(EMBEDDINGS, 5, "cosine", "cpu")[:, n - 2].mean(), abs=1e-6)
    for draw, score in zip(DRAWN.astype(int), found, strict=True):
        means = []
        for one in np.repeat(np.arange(PEOPLE), draw):
            others = [other for other in np.repeat(np.arange(PEOPLE), draw) if other != one]
            below = [(scores[one, :, one][:, :, None] > scores[one, :, other][:, None]).mean(2) for other in others]
            choices = list(combinations(below, n - 1))
            means += [np.mean([np.prod(chosen, axis=0).mean() for chosen in choices])] if choices else []
        assert score == pytest.approx(np.mean(means), abs=1e-6)


def test_individuals_of_those_drawn():
    right = pair_matching(EMBEDDINGS, device="cpu").right
    found = individuals_drawn(right, DRAWN, lambda one: one > 0.7)
    for draw, score in zip(DRAWN.astype(int), found, strict=True):
        people = np.repeat(np.arange(PEOPLE), draw)
        each = [np.mean([right[one, other] for other in people if other != one]) > 0.7 for one in people]
        assert score == pytest.approx(np.mean(each))


def test_trials_of_those_drawn_count_as_often_as_all_their_people():
    random = np.random.default_rng(0)
    members, right = np.array(list(permutations(range(PEOPLE), 3))), random.random(PEOPLE * (PEOPLE - 1) * (PEOPLE - 2))
    found = trials_drawn(right, members, DRAWN)
    assert found[0] == pytest.approx(right.mean())
    share = dict(zip(map(tuple, members.tolist()), right, strict=True))
    for draw, score in zip(DRAWN.astype(int), found, strict=True):
        chosen = [tuple(map(int, one)) for one in permutations(np.repeat(np.arange(PEOPLE), draw), 3)]
        values = [share[one] for one in chosen if len(set(one)) == 3]
        assert score == pytest.approx(np.mean(values)) if values else np.isnan(score)


def test_area_of_those_drawn():
    scores = cosines()
    found = area_drawn(EMBEDDINGS, "cosine", DRAWN)
    assert found[0] == pytest.approx(verification(EMBEDDINGS, "cosine", "cpu").mean(), abs=1e-6)
    for draw, score in zip(DRAWN.astype(int), found, strict=True):
        people = np.repeat(np.arange(PEOPLE), draw)
        same = np.concatenate([scores[one, :, one].ravel() for one in people])
        apart = np.concatenate(
            [scores[one, :, other].ravel() for one, other in permutations(people, 2) if one != other]
        )
        assert score == pytest.approx((same[:, None] > apart[None]).mean(), abs=1e-6)
    euclidean = area_drawn(EMBEDDINGS, "euclidean", DRAWN[:1])
    gaps = np.linalg.norm(EMBEDDINGS.voices.values[:, None] - EMBEDDINGS.faces.values[None], axis=2)
    own = EMBEDDINGS.voices.identities[:, None] == EMBEDDINGS.faces.identities[None]
    assert euclidean[0] == pytest.approx((gaps[own][:, None] < gaps[~own][None]).mean(), abs=1e-6)


def test_retrieval_of_those_drawn():
    found, scores = retrieval(EMBEDDINGS, repeats=1, drawn=DRAWN), cosines()
    assert found.draws[0] == pytest.approx(found.mean)
    for draw, score in zip(DRAWN, found.draws, strict=True):
        each = np.zeros(PEOPLE)
        for one in np.flatnonzero(draw):
            scale = (PEOPLE - 1) / (draw.sum() - draw[one])
            for voice in scores[one]:
                own = np.sort(voice[one])[::-1]
                others = [other for other in range(PEOPLE) if other != one]
                ahead = [sum(draw[other] * (voice[other] > mine).sum() for other in others) for mine in own]
                places = np.arange(1, EACH + 1) + scale * np.array(ahead)
                each[one] += np.mean(np.arange(1, EACH + 1) / places) / EACH
        assert score == pytest.approx((draw * each).sum() / draw.sum())


def test_intervals_cover_what_other_people_of_both_roles_would_score():
    """Of populations drawn anew: as targets alone they would be too narrow."""
    wide = made(400, 2, 2, seed=9, signal=0.5)
    covered = {"1:3": 0, "AUC": 0}
    truth = {
        "1:3": tuple_matching(wide, 3, "cosine", "cpu")[:, 1].mean(),
        "AUC": verification(wide, "cosine", "cpu").mean(),
    }
    for trial in range(40):
        random = np.random.default_rng(trial)
        some = wide.only([wide.people[at] for at in random.permutation(400)[:20]])
        drawn = drawings(20, trial, 200)
        value = tuple_matching(some, 3, "cosine", "cpu")[:, 1].mean()
        one = interval(value, tuples_drawn(some, 3, "cosine", "cpu", drawn)[1])
        covered["1:3"] += one.low <= truth["1:3"] <= one.high
        one = interval(verification(some, "cosine", "cpu").mean(), area_drawn(some, "cosine", drawn))
        covered["AUC"] += one.low <= truth["AUC"] <= one.high
    assert covered["1:3"] >= 33 and covered["AUC"] >= 33


def test_draws_of_nobody_are_left_out():
    one = interval(0.5, np.array([0.4, 0.3, np.nan, 0.5]))
    assert (one.low, one.high) == (pytest.approx(0.405), pytest.approx(0.595))
    assert interval(0.5, np.array([0.4, np.nan])) == interval(0.5, np.array([0.4]))
