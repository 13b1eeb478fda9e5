"""Verification against scikit-learn, and the search for tau."""

import tracemalloc

import numpy as np
import pytest
from facevox.benchmarks.core.verification import (
    TAUS,
    curve,
    drawn_numbers,
    intervals,
    numbered_pairs,
    pairs,
    tau_search,
)
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score, roc_curve

RANDOM = np.random.default_rng(3)


@pytest.fixture(scope="module")
def made():
    """Vectors of nine people, near their own centre by chance; rounded so that some distances are equal."""
    labels = np.repeat(np.arange(9), 12).astype(str)
    vectors = RANDOM.standard_normal((9, 6)).repeat(12, 0) + 0.8 * RANDOM.standard_normal((108, 6))
    return np.round(vectors, 1), labels


def interpolated_equal_error(same, scores):
    """Equal error of scikit-learn's curve: where its polyline crosses the other diagonal, found by halving."""
    false, true, _ = roc_curve(same, scores, drop_intermediate=False)
    # Points of a polyline by its length: halving works across its upright parts too.
    along = np.append(0, np.cumsum(np.abs(np.diff(false)) + np.abs(np.diff(true))))
    low, high = 0.0, along[-1]
    for _ in range(80):
        middle = (low + high) / 2
        above = np.interp(middle, along, false) - (1 - np.interp(middle, along, true)) >= 0
        low, high = (low, middle) if above else (middle, high)
    return float(np.interp(high, along, false))


@pytest.mark.parametrize("metric", ["euclidean", "squared", "cosine"])
def test_area_and_equal_error_are_scikit_learns(made, metric):
    found = pairs(*made, metric)
    assert len(found.distances) == 108 * 107 // 2
    line = curve(found)
    assert line.area == pytest.approx(roc_auc_score(found.same, -found.distances), abs=1e-6)
    rate, threshold = line.equal_error
    assert rate == pytest.approx(interpolated_equal_error(found.same, -found.distances), abs=1e-6)
    accepted = found.distances <= threshold
    assert abs(accepted[~found.same].mean() - (~accepted[found.same]).mean()) < 0.02
    ends, errors = intervals(found)
    assert ends.low < line.area < ends.high and errors.low < rate < errors.high


def test_well_apart_and_at_chance():
    labels = np.repeat(np.arange(6), 5).astype(str)
    apart = curve(pairs(10.0 * np.eye(6)[labels.astype(int)], labels, "euclidean"))
    assert apart.area == 1 and apart.equal_error[0] == 0
    chance = curve(pairs(RANDOM.standard_normal((300, 8)), np.repeat(np.arange(30), 10).astype(str), "euclidean"))
    assert chance.area == pytest.approx(0.5, abs=0.03) and chance.equal_error[0] == pytest.approx(0.5, abs=0.03)
    alike = curve(pairs(np.ones((6, 2)), np.array(list("aabbcc")), "cosine"))
    assert alike.area == 0.5 and alike.equal_error[0] == 0.5


def test_a_part_of_the_pairs_is_drawn_by_the_seed(made):
    some = pairs(*made, "euclidean", most=500, seed=1)
    assert len(some.distances) == 500
    assert np.array_equal(some.distances, pairs(*made, "euclidean", most=500, seed=1).distances)
    assert not np.array_equal(some.distances, pairs(*made, "euclidean", most=500, seed=2).distances)


def test_tau_is_searched_as_scikit_learn_counts(made):
    found = pairs(made[0] / 6, made[1], "euclidean")
    searched = tau_search(found.distances, found.same)
    assert (searched.taus[0], searched.taus[-1], len(TAUS)) == (0.30, 0.99, 70)
    for at in (0, 17, 40, 69):
        told = found.distances < searched.taus[at]
        assert searched.accuracy[at] == pytest.approx(accuracy_score(found.same, told), abs=1e-6)
        assert searched.f1[at] == pytest.approx(f1_score(found.same, told), abs=1e-6)
    assert searched.always_different == pytest.approx(1 - found.same.mean())
    by_accuracy, by_f1 = searched.best(), searched.best("f1")
    assert searched.accuracy[by_accuracy] == searched.accuracy.max() and searched.f1[by_f1] == searched.f1.max()
    assert by_f1 > by_accuracy, "few pairs are of one person: F1 wants a looser threshold"


def test_two_separated_clusters_are_told_apart_from_the_smallest_tau_on():
    vectors = np.concatenate([np.full((4, 2), 0.0), np.full((4, 2), 3.0)])
    found = pairs(vectors, np.array(list("aaaabbbb")), "euclidean")
    searched = tau_search(found.distances, found.same)
    assert searched.accuracy.min() == 1 and searched.best() == searched.best("f1") == 0


def test_pairs_are_drawn_without_all_of_them_in_memory():
    tracemalloc.start()
    found = pairs(np.eye(3)[np.arange(20_000) % 3], (np.arange(20_000) % 3).astype(str), "euclidean", most=2_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 30e6, "all 199,990,000 pairs would be 3.2 GB"
    assert len({*zip(*pair_places(2_000), strict=True)}) == len(found.distances) == 2_000
    assert set(np.unique(found.distances[found.same])) == {0}
    assert found.same.mean() == pytest.approx(1 / 3, abs=0.05)


def pair_places(most):
    return numbered_pairs(drawn_numbers(20_000 * 19_999 // 2, most, 0))


@pytest.mark.parametrize("count", [2, 3, 50, 3_000_000_000])
def test_numbers_of_pairs_are_pairs_each_once(count):
    last = count * (count - 1) // 2 - 1
    near = np.unique(np.clip([0, 1, 2, last - 2, last - 1, last, (count - 1) * (count - 2) // 2], 0, last))
    left, right = numbered_pairs(near if count > 50 else np.arange(last + 1))
    assert ((left >= 0) & (left < right) & (right < count)).all()
    assert [r * (r - 1) // 2 + i for i, r in zip(left.tolist(), right.tolist(), strict=True)] == (
        near.tolist() if count > 50 else list(range(last + 1))
    )
    for most in (5, 20):
        drawn = drawn_numbers(40, most, 1)
        assert len({*drawn.tolist()}) == most and 0 <= drawn.min() <= drawn.max() < 40


def test_people_told_apart_are_so_in_every_draw():
    """A draw of one person alone has nobody to take them for, and tells nothing."""
    vectors = 10.0 * np.eye(3).repeat(4, 0)
    area, error = intervals(pairs(vectors, np.repeat(list("abc"), 4), "euclidean"))
    assert (area.low, area.high, error.low, error.high) == (1, 1, 0, 0)


def test_pairs_that_tell_nothing_are_refused():
    with pytest.raises(ValueError, match="of the same and of different people"):
        pairs(np.eye(3), np.array(list("abc")), "euclidean")
    with pytest.raises(ValueError, match="of the same and of different people"):
        pairs(np.eye(3), np.array(list("aaa")), "euclidean")
    with pytest.raises(ValueError, match="metric 'l3'"):
        pairs(np.eye(3), np.array(list("aab")), "l3")
    with pytest.raises(ValueError, match="best by 'recall'"):
        tau_search(np.zeros(2), np.array([True, False])).best("recall")


@pytest.mark.real
def test_real_faces_are_verified_as_the_published_facts_say(real):
    """All 42 subjects: equal error 4.47 %; these 28 of them lie near."""
    stored = np.load(real / "speakingfaces/embeddings/dlib128_real_visual_trial1.npz", allow_pickle=False)
    found = pairs(stored["embedding"], stored["sub_id"].astype(str), "euclidean")
    assert found.same.sum() == 28 * 27 * 26 // 2
    line = curve(found)
    assert line.area == pytest.approx(roc_auc_score(found.same, -found.distances), abs=1e-6)
    rate, threshold = line.equal_error
    assert rate == pytest.approx(interpolated_equal_error(found.same, -found.distances), abs=1e-6)
    assert 0.03 < rate < 0.055 and threshold == pytest.approx(0.55, abs=0.02)
