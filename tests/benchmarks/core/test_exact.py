"""Exact matching equals plain loops, chance and perfection, and what is sampled."""

from dataclasses import replace
from itertools import combinations, product

import numpy as np
import pytest
from facevox.benchmarks.core import exact
from facevox.benchmarks.core.embeddings import Embeddings, Vectors
from facevox.benchmarks.core.exact import pair_matching, tuple_matching, verification
from facevox.benchmarks.core.metrics import bootstrap, bootstrap_pairs, matching, paired
from sklearn.metrics import roc_auc_score


def made(voices, faces, dimension=8, seed=0, signal=0.0, whole=False):
    """People with as many voices and faces each as listed; `whole` numbers make many ties."""
    random, parts = np.random.default_rng(seed), []
    centre = random.standard_normal((len(voices), dimension))
    for kind, counts in (("v", voices), ("f", faces)):
        who = np.repeat(np.arange(len(counts)), counts)
        values = random.standard_normal((len(who), dimension)) + signal * centre[who]
        values = np.sign(values) if whole else values
        keys = np.array([f"{kind}{n}" for n in range(len(who))])
        shuffled = random.permutation(len(who))
        parts.append(Vectors(values[shuffled], keys, np.array([f"p{n:03d}" for n in who[shuffled]])))
    facts = {f"p{n:03d}": {"gender": ("male", "female")[n % 2]} for n in range(len(voices))}
    return Embeddings(*parts, "d", facts)


def plain_scores(embeddings, metric):
    heard, seen = (part.values.astype(np.float64) for part in (embeddings.voices, embeddings.faces))
    if metric == "euclidean":
        return -np.linalg.norm(heard[:, None] - seen[None], axis=2)
    heard, seen = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (heard, seen))
    return heard @ seen.T


def fair(own, others):
    """1 for the highest, shared among equals."""
    return float(all(own > o or np.isclose(own, o) for o in others)) / (1 + sum(np.isclose(own, o) for o in others))


def brute_force(embeddings, n, metric):
    """Per identity, by loops over everything: mean over voices, own faces, other identities, a face of each."""
    scores, found = plain_scores(embeddings, metric), []
    faces = {name: np.flatnonzero(embeddings.faces.identities == name) for name in embeddings.people}
    for name in embeddings.people:
        right = []
        for voice in np.flatnonzero(embeddings.voices.identities == name):
            for own in faces[name]:
                for chosen in combinations([other for other in embeddings.people if other != name], n - 1):
                    shares = [
                        fair(scores[voice, own], scores[voice, list(f)]) for f in product(*map(faces.get, chosen))
                    ]
                    right.append(np.mean(shares))
        found.append(np.mean(right))
    return np.array(found)


@pytest.mark.parametrize("metric", exact.METRICS)
@pytest.mark.parametrize("whole", [False, True])
def test_exact_equals_brute_force(metric, whole, monkeypatch):
    monkeypatch.setattr(exact, "SCORES_AT_ONCE", 40)
    embeddings = made((2, 1, 3, 2, 1), (2, 3, 1, 2, 2), dimension=3, signal=0.4, whole=whole)
    found = tuple_matching(embeddings, 5, metric, "cpu")
    for n in (2, 3, 4, 5):
        assert found[:, n - 2] == pytest.approx(brute_force(embeddings, n, metric), abs=1e-6)
    pairs = pair_matching(embeddings, metric, "cpu")
    assert pairs.individual == pytest.approx(found[:, 0], abs=1e-6)
    swapped = pair_matching(embeddings.swapped(), metric, "cpu")
    assert swapped.individual == pytest.approx(brute_force(embeddings.swapped(), 2, metric), abs=1e-6)


def test_every_pair_and_the_weights():
    embeddings = made((2, 1, 3, 2), (2, 3, 1, 2), signal=0.5)
    pairs, scores = pair_matching(embeddings, device="cpu"), plain_scores(embeddings, "cosine")
    every = []
    for (i, one), (j, other) in product(enumerate(embeddings.people), repeat=2):
        if one != other:
            here = scores[embeddings.voices.identities == one]
            own, far = (here[:, embeddings.faces.identities == name] for name in (one, other))
            right = (own[:, :, None] > far[:, None]).ravel()
            assert pairs.right[i, j] == pytest.approx(right.mean(), abs=1e-6)
            every.append(right)
    for name, own in zip(embeddings.people, pairs.individual, strict=True):
        keys = embeddings.voices.keys[embeddings.voices.identities == name]
        assert pairs.merit[np.isin(pairs.keys, keys)].mean() == pytest.approx(own, abs=1e-6)
    assert pairs.triplets == sum(map(len, every))
    assert pairs.accuracy(pairs.by_triplet) == pytest.approx(np.concatenate(every).mean())
    assert pairs.accuracy() == pytest.approx(np.mean([right.mean() for right in every]))
    cells = [pairs.accuracy(pairs.of_genders(a, b)) for a, b in product(("male", "female"), repeat=2)]
    assert pairs.accuracy(pairs.balanced) == pytest.approx(np.mean(cells))


@pytest.mark.parametrize("whole", [False, True])
def test_verification_equals_scikit_learn(whole):
    embeddings = made((2,) * 9, (3,) * 9, dimension=3, signal=0.5, whole=whole)
    same = embeddings.voices.identities[:, None] == embeddings.faces.identities[None]
    # Products of whole numbers are exact, so that equal ones are.
    metric = "euclidean" if whole else "cosine"
    scores = np.round(plain_scores(embeddings, metric), 5)
    found = verification(embeddings, metric, "cpu")
    assert found.mean() == pytest.approx(roc_auc_score(same.ravel(), scores.ravel()))
    one = embeddings.voices.identities == "p003"
    above = scores[one][same[one]][:, None] - scores[~same][None]
    assert found[3] == pytest.approx(((above > 0) + (above == 0) / 2).mean())


def test_random_vectors_give_chance_and_perfect_ones_everything():
    random = made((3,) * 200, (3,) * 200, dimension=64)
    pairs, tuples = pair_matching(random, device="cpu"), tuple_matching(random, device="cpu")
    assert pairs.accuracy() == pytest.approx(0.5, abs=0.02)
    assert pairs.accuracy(pairs.balanced) == pytest.approx(0.5, abs=0.02)
    assert tuples.mean(0) == pytest.approx(1 / np.arange(2, 11), abs=0.02)
    alike = made((3,) * 20, (3,) * 20, signal=1e4)
    assert pair_matching(alike, device="cpu").accuracy() == 1
    assert tuple_matching(alike, device="cpu") == pytest.approx(1)


def test_one_vector_for_all_is_chance():
    embeddings = made((2,) * 12, (3,) * 12)
    flat = [replace(part, values=np.ones_like(part.values)) for part in (embeddings.voices, embeddings.faces)]
    same = replace(embeddings, voices=flat[0], faces=flat[1])
    assert pair_matching(same, device="cpu").accuracy() == pytest.approx(0.5)
    assert tuple_matching(same, device="cpu").mean(0) == pytest.approx(1 / np.arange(2, 11))


@pytest.mark.parametrize("n", [2, 4])
def test_sampled_tuples_agree_within_three_standard_errors(n):
    embeddings, random, draws = made((4,) * 30, (5,) * 30, signal=1.0), np.random.default_rng(0), 10_000
    heard, seen = embeddings.voices, embeddings.faces
    rows = [[np.flatnonzero(part.identities == name) for name in embeddings.people] for part in (heard, seen)]
    anchor, own, others = [], [], []
    for _ in range(draws):
        first, *rest = random.permutation(30)[:n]
        anchor.append(random.choice(rows[0][first]))
        own.append(random.choice(rows[1][first]))
        others.append([random.choice(rows[1][name]) for name in rest])
    unit = [part.values / np.linalg.norm(part.values, axis=1, keepdims=True) for part in (heard, seen)]
    sampled = matching(unit[0][anchor], unit[1][own], unit[1][np.array(others)])
    found = tuple_matching(embeddings, n, device="cpu")[:, -1].mean()
    assert abs(found - sampled.mean()) < 3 * sampled.std() / np.sqrt(draws)
    assert 0.6 < found < 0.99


def test_what_cannot_be_matched_is_refused():
    embeddings = made((1,) * 4, (1,) * 4)
    with pytest.raises(ValueError, match="1:5 of 4 identities"):
        tuple_matching(embeddings, 5, device="cpu")
    with pytest.raises(ValueError, match="one identity alone"):
        pair_matching(embeddings.only(["p001"]), device="cpu")
    with pytest.raises(ValueError, match="metric 'taxi'"):
        pair_matching(embeddings, "taxi", "cpu")
    lone = pair_matching(embeddings.only(["p000", "p001", "p002"]), device="cpu")
    with pytest.raises(ValueError, match="2 men and 1 women"):
        lone.balanced  # noqa: B018
    with pytest.raises(ValueError, match="no pair of such people"):
        lone.accuracy(lone.of_genders("female", "female"))


def test_intervals_over_pairs_of_people_cover_the_truth():
    """Values with a part of the first and a part of the second person: drawing only one of them covers too seldom."""
    covered = narrow = 0
    for trial in range(120):
        random = np.random.default_rng(trial)
        value = random.normal(0, 1, 40)[:, None] + random.normal(0, 1, 40)[None]
        found = bootstrap_pairs(value, 1 - np.eye(40), trial, 500)
        covered += found.low <= 0 <= found.high
        rows = bootstrap(value.mean(1), np.arange(40), trial, 500)
        narrow += rows.low <= 0 <= rows.high
    assert 0.9 <= covered / 120 <= 1
    assert narrow / 120 < 0.9


def test_intervals_over_pairs_equal_a_plain_loop():
    random, right = np.random.default_rng(5), np.random.default_rng(1).random((6, 6))
    means = []
    for drawn in random.multinomial(6, np.full(6, 1 / 6), 250):
        people = np.repeat(np.arange(6), drawn)
        values = [right[i, j] for i, j in product(people, repeat=2) if i != j]
        means.append(np.mean(values))
    found = bootstrap_pairs(right, 1 - np.eye(6), seed=5, resamples=250)
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(means, (0.025, 0.975))))


def test_paired_test():
    random, people = np.random.default_rng(0), np.repeat(np.arange(60), 5)
    hard = random.random(60)[people]
    first, second = hard + 0.05 + random.normal(0, 0.05, 300), hard + random.normal(0, 0.05, 300)
    found = paired(first, second, people)
    assert found.difference == pytest.approx((first - second).mean())
    assert found.interval.low > 0.03
    assert found.p < 0.001
    assert paired(first, first, people).p == 1
    p_values = [paired(*random.normal(0, 1, (2, 30)), np.arange(30), resamples=200).p for _ in range(200)]
    assert 0.01 <= np.mean(np.array(p_values) <= 0.05) <= 0.1
    with pytest.raises(ValueError, match="expected the same samples"):
        paired(first, second[:-1], people)
