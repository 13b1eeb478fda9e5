"""Controls of a threshold between pairs pass on a sound search, and fail on each planted fault."""

from dataclasses import replace

import numpy as np
import pytest
from facevox.benchmarks.core import pair_controls as checked
from facevox.benchmarks.core.embedding_table import EmbeddingTable
from facevox.benchmarks.core.pair_controls import pair_controls


@pytest.mark.parametrize("metric", ["euclidean", "squared", "cosine"])
def test_chance_and_oracle_of_a_threshold(metric, monkeypatch):
    random = np.random.default_rng(0)
    labels = np.repeat([f"p{at:02d}" for at in range(30)], 4)
    vectors = np.repeat(random.standard_normal((30, 8)), 4, axis=0) + 0.7 * random.standard_normal((120, 8))
    table = EmbeddingTable("t", vectors / np.linalg.norm(vectors, axis=1, keepdims=True), labels)
    sound = pair_controls("L2", table, metric, 0.6)
    assert [control.name for control in sound] == ["chance", "oracle"]
    assert all(control.passed for control in sound), sound
    plain = checked.tau_search
    for name, wrong in {
        "one in a hundred too many": lambda found: replace(found, accuracy=found.accuracy * 1.01),
        "one in a hundred too few": lambda found: replace(found, accuracy=found.accuracy * 0.99, f1=found.f1 * 0.99),
    }.items():
        monkeypatch.setattr(checked, "tau_search", lambda *given, wrong=wrong: wrong(plain(*given)))
        chance, oracle = pair_controls("L2", table, metric, 0.6)
        assert not chance.passed, name
        assert oracle.passed == (name == "one in a hundred too many")


def test_people_with_one_vector_are_asked_for_where_nobody_else_is():
    labels = np.array(["a", "a", "b", "c"])
    table = EmbeddingTable("t", np.random.default_rng(0).standard_normal((4, 3)), labels)
    assert pair_controls("L2", table, "euclidean", 1.0)[1].passed
