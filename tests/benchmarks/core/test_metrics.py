"""Accuracy, and intervals over people."""

import numpy as np
import pytest
from facevox.benchmarks.core.metrics import accuracy, bootstrap, bootstrap_pairs, spread
from hypothesis import given
from hypothesis import strategies as st


def test_accuracy():
    assert accuracy(np.array([1, 0, 1, 1])) == 0.75
    with pytest.raises(ValueError, match="no samples"):
        accuracy(np.array([]))


def test_bootstrap_equals_a_plain_loop():
    values = np.array([1.0, 1, 0, 1, 0, 0, 1])
    people = np.array([5, 5, 5, 7, 7, 9, 9])
    random = np.random.default_rng(3)
    means = []
    for draw in random.integers(0, 3, (500, 3)):
        chosen = np.concatenate([values[people == (5, 7, 9)[n]] for n in draw])
        means.append(chosen.mean())
    found = bootstrap(values, people, seed=3, resamples=500)
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(means, (0.025, 0.975))))


def test_people_not_utterances_are_drawn():
    """Twenty alike utterances of each of 22 people: the interval must be as wide as that of 22 numbers."""
    right = np.random.default_rng(0).random(22) < 0.8
    few, many = bootstrap(right * 1.0, np.arange(22)), bootstrap(np.repeat(right, 20), np.repeat(np.arange(22), 20))
    assert few == many
    assert few.high - few.low > 0.2


def test_the_interval_covers_the_truth_as_often_as_it_says():
    random, covered = np.random.default_rng(1), 0
    for trial in range(200):
        rates = random.beta(8, 2, 40)
        values = (random.random((40, 10)) < rates[:, None]).ravel()
        found = bootstrap(values, np.repeat(np.arange(40), 10), trial, 400)
        covered += found.low <= 0.8 <= found.high
    assert 0.89 <= covered / 200 <= 0.99


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 5)), min_size=1, max_size=40))
def test_intervals_are_ordered_and_hold_the_range(pairs):
    values, people = np.array([v for v, _ in pairs]), np.array([p for _, p in pairs])
    found = bootstrap(values, people, resamples=200)
    assert 0 <= found.low <= found.high <= 1


@pytest.mark.parametrize("resamples", [1, 249, 250, 601])
def test_pairs_are_drawn_as_often_as_asked(resamples):
    values = np.random.default_rng(2).random((5, 5))
    weights = 1 - np.eye(5)
    random, means = np.random.default_rng(4), []
    for start in range(0, resamples, 250):
        for times in random.multinomial(5, np.full(5, 0.2), min(250, resamples - start)):
            share = np.outer(times, times) * weights
            means.append((share * values).sum() / share.sum() if share.sum() else np.nan)
    assert len(means) == resamples
    found = bootstrap_pairs(values, weights, 4, resamples)
    assert (found.low, found.high) == pytest.approx(tuple(np.nanquantile(means, (0.025, 0.975))))


def test_spread():
    assert spread(np.array([0.5])) is None
    assert spread(np.array([0.5, 0.7])) == pytest.approx(np.sqrt(0.02))
