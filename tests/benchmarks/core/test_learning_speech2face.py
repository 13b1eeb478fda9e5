"""How told faces are scored: the clip's own among all of the split, the link decides the range."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from facevox.benchmarks.core import learning_speech2face
from facevox.benchmarks.core.learning import Exam
from facevox.benchmarks.core.learning_speech2face import LESSON, found_again

CLIPS = 12


class Teller:
    """Tells the face whose number the sound holds, or its neighbour's."""

    def __init__(self, shift: int) -> None:
        self.shift = shift

    def inputs(self):
        return None

    def __call__(self, batch):
        return torch.eye(CLIPS)[(batch["wave"][:, 0].long() + self.shift) % CLIPS]


def some(stream):
    """Clips in two batches, and one of nothing but silent segments."""
    for first, end in ((0, 5), (5, CLIPS)):
        numbers = torch.arange(first, end)
        yield {"keys": [str(n) for n in numbers], "wave": numbers[:, None], "face": torch.eye(CLIPS)[numbers]}
    yield {"keys": []}


def test_whose_face_is_told_right_is_found_first(monkeypatch):
    monkeypatch.setattr(learning_speech2face, "Reading", lambda *given, **more: SimpleNamespace(stream=lambda s: s))
    monkeypatch.setattr(learning_speech2face, "batches", some)
    assert found_again(Teller(0), None, "test").tolist() == [0] * CLIPS
    assert found_again(Teller(1), None, "test").min() > 0


def test_five_times_chance_is_wanted_and_chance_without_the_link(monkeypatch, tmp_path):
    places = np.array([0] * 30 + [50] * 70)
    monkeypatch.setattr(learning_speech2face, "restore", lambda path: (SimpleNamespace(eval=lambda: None), {}))
    monkeypatch.setattr(learning_speech2face, "Folder", lambda path: None)
    monkeypatch.setattr(learning_speech2face, "found_again", lambda *given: places)
    _, linked = LESSON.score(Exam(tmp_path, {"encoder": tmp_path}, linked=True))
    assert (linked.measured, linked.chance, linked.low, linked.passed) == (30, 10, 50, False)
    _, apart = LESSON.score(Exam(tmp_path, {"encoder": tmp_path}, linked=False))
    # 10 % of 100 clips, 95 of 100 times within 5.9.
    assert (apart.low, apart.high) == pytest.approx((4.1, 15.9), abs=0.05)
    assert not apart.passed
