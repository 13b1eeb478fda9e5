"""Controls of class scores pass on sound ones, and fail on a wrong score or on classes that say nothing."""

import numpy as np
from facevox.benchmarks.core import class_controls as checked
from facevox.benchmarks.core.class_controls import class_controls


def test_class_scores(monkeypatch):
    random = np.random.default_rng(0)
    people = np.repeat([f"p{at}" for at in range(10)], 4)
    raised = np.exp(np.repeat(3 * random.standard_normal((10, 6)), 4, axis=0) + 0.1 * random.standard_normal((40, 6)))
    shares = raised / raised.sum(1, keepdims=True)
    sound = class_controls("classes", shares, people)
    assert [control.name for control in sound] == ["oracle", "chance", "judge"]
    assert all(control.passed for control in sound)
    assert "scores 8, expected 8" in sound[0].found
    noise = random.random((40, 6))
    assert not class_controls("classes", noise / noise.sum(1, keepdims=True), people)[2].passed
    plain = checked.class_score
    monkeypatch.setattr(checked, "class_score", lambda *given: tuple(1.01 * value for value in plain(*given)))
    assert [control.passed for control in class_controls("classes", shares, people)] == [False, False, True]
