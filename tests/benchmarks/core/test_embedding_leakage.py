"""Vectors of the gallery, and of a network's training, are found among the probes."""

from dataclasses import replace

import numpy as np
import pytest
from facevox.benchmarks.core.embedding_leakage import gallery_leakage, training_leakage
from facevox.benchmarks.core.embedding_table import EmbeddingTable

RANDOM = np.random.default_rng(0)
PROBES = EmbeddingTable("probes.npz", RANDOM.standard_normal((20, 16)), np.repeat(["a", "b", "c", "d"], 5))


def test_a_vector_that_the_gallery_holds_is_told():
    assert gallery_leakage(PROBES, PROBES, leave_one_out=True).passed
    twice = replace(PROBES, vectors=np.concatenate([PROBES.vectors[:19], PROBES.vectors[:1]]))
    found = gallery_leakage(twice, twice, leave_one_out=True)
    assert not found.passed and "2 of 20 probes are in the gallery as well, as row 0 of a" in found.found
    assert not gallery_leakage(PROBES, twice, leave_one_out=False).passed


def test_people_and_near_duplicates_of_the_training_are_told():
    other = EmbeddingTable("training.npz", RANDOM.standard_normal((9, 16)), np.repeat(["x", "y", "z"], 3))
    assert all(control.passed for control in training_leakage(PROBES, other))
    near = replace(other, vectors=np.concatenate([other.vectors[:8], 2 * PROBES.vectors[3:4] + 1e-4]))
    people, pictures = training_leakage(PROBES, near)
    assert people.passed and not pictures.passed and "1 of 20 probes have a near duplicate among 9" in pictures.found
    named = replace(other, labels=np.repeat(["x", "b", "z"], 3))
    assert "1 of 4 people occur in both, as b" in training_leakage(PROBES, named)[0].found
    with pytest.raises(ValueError, match="training must be of the same network"):
        training_leakage(PROBES, replace(other, vectors=other.vectors[:, :8]))
