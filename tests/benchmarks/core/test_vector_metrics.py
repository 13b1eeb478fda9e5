"""Retrieval, matching and scores of sets: chance, perfection, and agreement with scikit-learn and SciPy."""

from itertools import permutations

import numpy as np
import pytest
import scipy.linalg
from facevox.benchmarks.core.metrics import (
    absolute_difference,
    average_precision,
    chance_average_precision,
    class_score,
    frechet_distance,
    identity_means,
    kernel_distance,
    matching,
    ranks,
    recall_at,
    unit,
)
from scipy.special import softmax
from sklearn.metrics import average_precision_score
from sklearn.metrics.pairwise import polynomial_kernel

RANDOM = np.random.default_rng(0)


def test_ranks_of_perfect_and_of_random_vectors():
    gallery = RANDOM.standard_normal((300, 64))
    assert recall_at(ranks(3 * gallery, gallery, np.arange(300)), 1) == 1
    places = ranks(RANDOM.standard_normal((3000, 64)), gallery[:100], np.arange(3000) % 100)
    for k in (1, 10, 50):
        assert recall_at(places, k) == pytest.approx(k / 100, abs=0.04)
    assert recall_at(places, 1000) == 1
    alike = np.ones((4, 2))
    assert ranks(alike, alike, np.arange(4)).tolist() == [0, 1, 2, 3]


def test_average_precision_is_scikit_learns():
    gallery, who = RANDOM.standard_normal((60, 8)), np.arange(60) % 12
    queries, wanted = RANDOM.standard_normal((20, 8)), np.arange(20) % 12
    scores = unit(queries) @ unit(gallery).T
    expected = [average_precision_score(who == name, row) for name, row in zip(wanted, scores, strict=True)]
    assert average_precision(queries, wanted, gallery, who) == pytest.approx(expected)
    with pytest.raises(ValueError, match="99: nobody of that name"):
        average_precision(queries[:1], np.array([99]), gallery, who)


def test_chance_is_what_random_vectors_give():
    assert 100 * chance_average_precision(500, 5) == pytest.approx(2.149, abs=0.001)
    assert 100 * chance_average_precision(100, 1) == pytest.approx(5.187, abs=0.001)
    gallery, who = RANDOM.standard_normal((500, 32)), np.arange(500) % 100
    found = average_precision(RANDOM.standard_normal((4000, 32)), np.arange(4000) % 100, gallery, who)
    assert found.mean() == pytest.approx(chance_average_precision(500, 5), abs=0.002)


@pytest.mark.parametrize("others", [1, 3])
def test_matching_of_perfect_and_of_random_vectors(others):
    own, far = RANDOM.standard_normal((8000, 16)), RANDOM.standard_normal((8000, others, 16))
    assert matching(own, own, far).mean() == 1
    assert matching(RANDOM.standard_normal((8000, 16)), own, far).mean() == pytest.approx(1 / (others + 1), abs=0.02)
    assert matching(own, own, np.repeat(own[:, None], others, 1)).tolist() == [1 / (others + 1)] * 8000


def test_means_of_identities_and_the_sum_over_dimensions():
    vectors = RANDOM.standard_normal((6, 4))
    names, means = identity_means(vectors, np.array(["b", "a", "b", "a", "a", "b"]))
    assert names.tolist() == ["a", "b"]
    assert means[0] == pytest.approx((vectors[[1, 3, 4]] / np.linalg.norm(vectors[[1, 3, 4]], axis=1)[:, None]).mean(0))
    pairs = unit(RANDOM.standard_normal((4000, 512)))
    assert absolute_difference(pairs[:2000], pairs[2000:]) == pytest.approx(25.5, abs=0.3)


def test_class_scores_lie_between_one_and_the_size_of_a_split():
    assert class_score(np.tile(softmax(RANDOM.standard_normal(7)), (50, 1)))[0] == pytest.approx(1)
    assert class_score(np.eye(50))[0] == pytest.approx(10)
    mean, deviation = class_score(softmax(3 * RANDOM.standard_normal((50, 20)), axis=1))
    assert 1 < mean < 10 and 0 < deviation < 1
    with pytest.raises(ValueError, match="3 pictures for 5 splits"):
        class_score(np.eye(3))


def test_the_frechet_distance_is_that_of_gaussians():
    real, made = RANDOM.standard_normal((400, 6)), 2 * RANDOM.standard_normal((300, 6)) + 1
    first, second = np.cov(real.T), np.cov(made.T)
    root = scipy.linalg.sqrtm(first @ second)
    expected = np.sum((real.mean(0) - made.mean(0)) ** 2) + np.trace(first + second - 2 * root.real)
    assert frechet_distance(real, made) == pytest.approx(expected, abs=1e-6)
    assert frechet_distance(real, real) == pytest.approx(0, abs=1e-6)


def test_the_frechet_distance_of_fewer_pictures_than_features():
    """Two copies of each, one turned: their Gaussians lie in planes, where the distance is known."""
    plane = np.zeros((6, 40))
    plane[:, :2] = RANDOM.standard_normal((6, 2))
    assert frechet_distance(plane, plane + 2) == pytest.approx(4 * 40, abs=1e-9)
    other = np.roll(plane, 2, axis=1)
    apart = ((plane.mean(0) - other.mean(0)) ** 2).sum() + 2 * np.trace(np.cov(plane.T))
    assert frechet_distance(plane, other) == pytest.approx(apart, abs=1e-9)
    few, more = RANDOM.standard_normal((5, 12)), RANDOM.standard_normal((30, 12)) + 1
    first, second = np.cov(few.T), np.cov(more.T)
    whole = scipy.linalg.sqrtm(second)
    root = np.sqrt(np.clip(np.linalg.eigvalsh(whole @ first @ whole), 0, None)).sum()
    expected = np.sum((few.mean(0) - more.mean(0)) ** 2) + np.trace(first) + np.trace(second) - 2 * root
    assert frechet_distance(few, more) == pytest.approx(expected, abs=1e-6)


def test_the_kernel_distance_is_that_of_all_pairs():
    real, made = RANDOM.standard_normal((7, 4)), RANDOM.standard_normal((5, 4)) + 1
    within = [
        np.mean([polynomial_kernel(a[None], b[None], degree=3, coef0=1)[0, 0] for a, b in permutations(some, 2)])
        for some in (real, made)
    ]
    across = np.mean([(a @ b / 4 + 1) ** 3 for a in real for b in made])
    assert kernel_distance(real, made) == pytest.approx(sum(within) - 2 * across, abs=1e-9)
    same = [kernel_distance(*RANDOM.standard_normal((2, 60, 4))) for _ in range(200)]
    assert np.mean(same) == pytest.approx(0, abs=3 * np.std(same) / np.sqrt(200)), "unbiased"
