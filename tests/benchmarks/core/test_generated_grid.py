"""What generators make, as pictures of a report: of the test's first samples, whatever became of them."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from facevox.benchmarks.core import generated_grid
from facevox.benchmarks.core.bench import BenchOptions
from facevox.benchmarks.core.generated_grid import generated_grids
from facevox.models.core.model import Model

FOLDER = SimpleNamespace(digest="d")


class Painter(Model):
    """Draws what it is given, and the same in negative."""

    def __init__(self) -> None:
        torch.nn.Module.__init__(self)

    def inputs(self):
        return "inputs"

    def step(self, batch):
        raise AssertionError("nothing is trained here")

    evaluate = step

    def draw(self, batch):
        return [batch["face"], 255 - batch["face"]]


class Judge(Painter):
    draw = Model.draw


@pytest.fixture
def folder(monkeypatch):
    faces = torch.arange(12, dtype=torch.uint8).view(12, 1, 1, 1).expand(12, 3, 16, 16) * 20
    batches = [{"keys": ["a"] * 6, "face": faces[:6]}, {"keys": ["b"] * 6, "face": faces[6:]}]
    asked = []
    reading = SimpleNamespace(stream=lambda split: asked.append(split) or batches)
    monkeypatch.setattr(generated_grid, "Reading", lambda *_, **__: reading)
    monkeypatch.setattr(generated_grid, "restore", lambda path: (path(), {"folder": "d"}))
    return asked


def test_rows_are_the_first_samples_beside_what_was_made_of_them(folder):
    (picture,) = generated_grids(
        FOLDER, "test", {"P": Painter}, "given, made", BenchOptions(pictures=True, device="cpu")
    )
    shown = cv2.imdecode(np.frombuffer(picture.data, np.uint8), cv2.IMREAD_GRAYSCALE)
    cells = [[shown[18 * row + 8, 8], shown[18 * row + 8, 26]] for row in range(8)]
    assert np.abs(np.array(cells, int) - [[20 * n, 255 - 20 * n] for n in range(8)]).max() < 8
    assert shown.shape == (8 * 18 - 2, 2 * 18 - 2)
    assert folder == ["test"] and picture.title == "P: given, made" and "samples of split test" in picture.described


def test_outside_a_report_and_of_what_draws_nothing_there_is_none(folder):
    assert generated_grids(FOLDER, "test", {"P": Painter}, "given, made", BenchOptions(device="cpu")) == ()
    report = BenchOptions(pictures=True, device="cpu")
    assert generated_grids(FOLDER, "test", {"J": Judge}, "given, made", report) == ()
    assert generated_grids(SimpleNamespace(digest="e"), "test", {"P": Painter}, "given, made", report) == ()
