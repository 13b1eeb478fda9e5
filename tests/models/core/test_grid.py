"""Picture grids: what a generator made, beside what it was given."""

import cv2
import numpy as np
import pytest
import torch
from facevox.models.core.device import choose
from facevox.models.core.grid import save_picture, tiled, write_grid
from facevox.models.core.model import Model


def test_columns_stand_side_by_side_and_small_pictures_grow(tmp_path):
    small = torch.arange(10 * 3 * 2 * 2, dtype=torch.uint8).view(10, 3, 2, 2)
    large = torch.full((10, 3, 4, 6), 9, dtype=torch.uint8)
    whole = tiled([large, small])
    assert whole.shape == (8 * (4 + 2) - 2, 6 + 2 + 4, 3)
    assert (whole[:4, :6] == 9).all() and (whole[:4, 6:8] == 255).all()
    assert (whole[6:10, 8:][::2, ::2] == small[1].permute(1, 2, 0).numpy()).all()
    save_picture(tmp_path / "grids" / "a.png", whole)
    assert (cv2.imread(str(tmp_path / "grids" / "a.png"))[..., ::-1] == whole).all()
    with pytest.raises(ValueError):
        tiled([large, small[:3]])


class Copies(torch.nn.Module):
    """Only what a grid asks of a model."""

    def draw(self, batch):
        return [batch["face"], 255 - batch["face"]]


def test_a_grid_shows_the_first_eight_of_a_stream(tmp_path):
    faces = torch.randint(0, 256, (12, 3, 4, 4), dtype=torch.uint8)
    stream = [{"keys": ["k"] * 4, "face": part} for part in faces.split(4)]
    write_grid(Copies(), [{"keys": [], "dropped": 3}, *stream], choose("cpu"), tmp_path / "grid.png")
    shown = cv2.imread(str(tmp_path / "grid.png"))[..., ::-1]
    for number in range(8):
        row = shown[number * 6 : number * 6 + 4]
        assert (row[:, :4] == faces[number].permute(1, 2, 0).numpy()).all()
        assert (row[:, 6:] == 255 - row[:, :4]).all()
    assert shown.shape == (46, 10, 3)


def test_a_model_that_draws_nothing_reads_nothing(tmp_path):
    class Silent(Model):
        def inputs(self):
            raise AssertionError

        def step(self, batch):
            return {}

        def evaluate(self, batch):
            return {}

    write_grid(Silent(), iter(lambda: pytest.fail("read"), 0), choose("cpu"), tmp_path / "grid.png")
    assert np.array_equal(list(tmp_path.iterdir()), [])
