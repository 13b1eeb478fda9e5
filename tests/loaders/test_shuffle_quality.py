"""Measures of a shuffle have the values that theory expects."""

import numpy as np
import pytest
from facevox.loaders.order import Order
from facevox.loaders.shuffle_quality import displacement, kept_neighbours, mixing, rank_correlation

COUNT, BATCH, OF_SUBJECT = 6_000, 20, 50
SUBJECTS = [f"{row // OF_SUBJECT:03d}" for row in range(COUNT)]


def measured(order):
    batches = [order[at : at + BATCH] for at in range(0, len(order), BATCH)]
    return rank_correlation(order), displacement(order), kept_neighbours(order), mixing(SUBJECTS, batches)


def test_a_full_permutation_is_as_theory_says():
    correlation, moved, neighbours, mixed = measured(Order(COUNT, BATCH, 0, True).sequence(0))
    assert abs(correlation) < 4 / np.sqrt(COUNT - 1)
    assert abs(moved - 1) < 0.03
    assert neighbours < 0.003
    assert abs(mixed.ratio - 1) < 0.01
    # The same by drawing: 120 subjects of 50, 20 rows without replacement.
    random = np.random.default_rng(1)
    drawn = [len(np.unique(random.choice(COUNT, BATCH, False) // OF_SUBJECT)) for _ in range(3000)]
    assert abs(np.mean(drawn) - mixed.expected) < 0.1


def test_storage_order_and_a_shuffle_buffer_are_told_apart():
    correlation, moved, neighbours, mixed = measured(np.arange(COUNT))
    assert (correlation, moved, mixed.subjects) == (pytest.approx(1), 0, pytest.approx(1.2, abs=0.3))
    assert neighbours == 1
    random, buffer, order = np.random.default_rng(0), list(range(500)), []
    for row in range(500, COUNT + 500):
        at = random.integers(len(buffer))
        order.append(buffer[at])
        buffer[at] = row
        if row >= COUNT:
            buffer.pop(at)
    correlation, moved, _, mixed = measured(np.array(order))
    assert correlation > 0.9
    assert moved < 0.4
    assert mixed.ratio < 0.85


def test_uneven_batches_and_subjects():
    found = mixing(["a", "a", "b"], [np.array([0, 1, 2])])
    assert (found.subjects, found.expected, found.ratio) == (2, pytest.approx(2), pytest.approx(1))
    for measure in (rank_correlation, displacement):
        with pytest.raises(ValueError, match="needs two"):
            measure(np.zeros(1, np.int64))
