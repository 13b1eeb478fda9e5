"""How drawn faces are scored: the person's own face is looked for among all, the link decides the range."""

from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
import torch
from facevox.benchmarks.core import learning_sf2f
from facevox.benchmarks.core.learning import Exam
from facevox.benchmarks.core.learning_sf2f import LESSON, found_again

PEOPLE = 12


class People:
    """A folder of grey people: whose voice is as loud as their two faces are bright; one has no voice."""

    def __init__(self) -> None:
        rows = []
        for who in range(PEOPLE):
            about = {"identity": f"p{who:02d}", "split": "test", "speech": [{"first": 0, "end": 9}]}
            rows += [{"config": "faces", "key": f"f{who}-{n}", **about} for n in range(2)]
            rows += [{"config": "voices", "key": f"v{who}-{n}", **about} for n in range(2) if who]
        self.index = pa.Table.from_pylist(rows)

    def fetch(self, keys, fields, config):
        for key in keys:
            level = int(key[1:].split("-")[0])
            made = {"masked.jpg": np.full((8, 8, 3), level, np.uint8), "voice.flac": np.full(9, level, np.int16)}
            yield {name: made[name] for name in fields}


class Painter:
    """Paints the loudness of the voice, or of somebody else's."""

    def __init__(self, shift: int) -> None:
        self.shift = shift

    def generate(self, sound, speech):
        return torch.full((1, 3, 8, 8), (int(sound[0]) + self.shift) % PEOPLE, dtype=torch.uint8)


def judge(pictures):
    return np.eye(PEOPLE, dtype=np.float32)[[int(picture[0, 0, 0]) for picture in pictures]]


def test_who_is_drawn_right_is_found_first():
    assert found_again(Painter(0), People(), "test", judge).tolist() == [0] * (PEOPLE - 1)
    assert found_again(Painter(1), People(), "test", judge).min() > 0


def test_three_times_chance_is_wanted_and_chance_without_the_link(monkeypatch, tmp_path):
    places = np.array([0] * 40 + [50] * 60)
    monkeypatch.setattr(learning_sf2f, "restore", lambda path: (SimpleNamespace(eval=lambda: None), {}))
    monkeypatch.setattr(learning_sf2f, "Sf2f", SimpleNamespace)
    monkeypatch.setattr(learning_sf2f, "Folder", lambda path: None)
    monkeypatch.setattr(learning_sf2f, "open_judge", lambda name, *box: name)
    monkeypatch.setattr(learning_sf2f, "found_again", lambda *given: places)
    best = {"drawing": tmp_path, "judge": tmp_path / "judge.pt"}
    _, linked, _, by_dlib = LESSON.score(Exam(tmp_path, best, linked=True))
    assert (linked.measured, linked.chance, linked.low, linked.passed) == (40, 10, 30, True)
    assert by_dlib.wanted is None and by_dlib.what.endswith("by dlib")
    _, apart, _, _ = LESSON.score(Exam(tmp_path, best, linked=False))
    # 10 % of 100 people, 95 of 100 times within 5.9.
    assert (apart.low, apart.high) == pytest.approx((4.1, 15.9), abs=0.05)
    assert not apart.passed
