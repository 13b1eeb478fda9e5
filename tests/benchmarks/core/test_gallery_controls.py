"""Controls of galleries and tuples pass on sound scores, and fail on each planted fault."""

from dataclasses import replace

import numpy as np
import pytest
from facevox.benchmarks.core import gallery_controls as checked
from facevox.benchmarks.core.drawn_faces import GALLERY, scores
from facevox.benchmarks.core.embeddings import Embeddings, Vectors
from facevox.benchmarks.core.gallery_controls import (
    distance_controls,
    gallery_controls,
    search_controls,
    tuple_controls,
)

PERFECT = {"cosine": 1.0, "L1": 0.0, "R@1": 100.0, "R@10": 100.0}


@pytest.mark.parametrize("people", [20, 130])
def test_scores_of_galleries(people):
    truth = np.random.default_rng(0).standard_normal((people, 16))
    truth[-1] = truth[0]
    oracle, chance = gallery_controls("scores", truth, scores, PERFECT, GALLERY)
    assert oracle.passed and chance.passed
    assert f"{100 / min(GALLERY, people - 1):.2f} by formula" in chance.found
    faults = {
        "a shift": lambda a, b: scores(np.roll(a, 1, axis=0), b),
        "one less": lambda a, b: {**scores(a, b), "R@1": scores(a, b)["R@1"] - 1},
        "lengths": lambda a, b: {**scores(a, b), "cosine": (a * b).sum(1)},
    }
    for name, wrong in faults.items():
        assert not gallery_controls("scores", truth, wrong, PERFECT, GALLERY)[0].passed, name
    lenient = gallery_controls(
        "scores", truth, lambda a, b: {**scores(a, b), "R@1": scores(a, b)["R@2"]}, PERFECT, GALLERY
    )
    assert [control.passed for control in lenient] == [True, False], "the first two count as the first"


def made(people: int) -> Embeddings:
    parts = []
    for kind, each in (("v", 2), ("f", 4)):
        who = np.repeat([f"p{at:02d}" for at in range(people)], each)
        values = np.random.default_rng(each).standard_normal((len(who), 8)).astype(np.float32)
        parts.append(Vectors(values, np.array([f"{kind}{at}" for at in range(len(who))]), who))
    return Embeddings(*parts, "d")


@pytest.mark.parametrize("people", [3, 50])
def test_tuples(people, monkeypatch):
    embeddings, plain = made(people), checked.tuple_matching
    assert all(control.passed for control in tuple_controls("1:n", embeddings, "cosine", "cpu"))
    for name, wrong in (("too good", lambda found: found**0.8), ("too bad", lambda found: found * 0.98)):
        monkeypatch.setattr(checked, "tuple_matching", lambda *given, wrong=wrong: wrong(plain(*given)))
        chance, oracle = tuple_controls("1:n", embeddings, "cosine", "cpu")
        assert not (chance.passed and oracle.passed), name
        assert oracle.passed == (name == "too good")


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_searches(metric, monkeypatch):
    embeddings, plain, found = made(50), checked.verification, checked.retrieval
    assert all(control.passed for control in search_controls("AUC and mAP", embeddings, metric, "cpu"))
    monkeypatch.setattr(checked, "verification", lambda *given: 0.97 * plain(*given))
    assert not any(control.passed for control in search_controls("AUC and mAP", embeddings, metric, "cpu"))
    monkeypatch.setattr(checked, "verification", plain)

    def better(*given, **more):
        one = found(*given, **more)
        return replace(one, precision=one.precision**0.9)

    monkeypatch.setattr(checked, "retrieval", better)
    chance, oracle = search_controls("AUC and mAP", embeddings, metric, "cpu")
    assert not chance.passed and oracle.passed


def test_distances(monkeypatch):
    embeddings, plain = made(50), checked.distances
    assert all(control.passed for control in distance_controls("ir50", embeddings, 2.0, "cpu"))

    def nearer(*given):
        one = plain(*given)
        return replace(one, positive=one.positive - 0.1)

    monkeypatch.setattr(checked, "distances", nearer)
    assert not any(control.passed for control in distance_controls("ir50", embeddings, 2.0, "cpu"))
