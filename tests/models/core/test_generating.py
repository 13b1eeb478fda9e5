"""The figure of generators: whose faces stand in it, and what stands beside them."""

import cv2
import numpy as np
import pytest
import torch
from facevox.api_generate import generation_figure
from facevox.loaders.folder import FolderError
from facevox.models.core.checkpoint import save
from facevox.models.core.generating import FaceGenerator, figure
from facevox.models.core.model import create, model_options


class Loudness:
    """Draws the loudness of the speech as grey."""

    def __init__(self, side: int) -> None:
        self.side, self.heard = side, []

    def generate(self, sound, speech):
        self.heard.append((len(sound), speech))
        return torch.full((1, 3, self.side, self.side), 40 + 10 * len(self.heard), dtype=torch.uint8)


def test_a_figure_has_the_true_faces_and_every_model_s(voices_and_faces):
    small, large = Loudness(16), Loudness(32)
    assert isinstance(small, FaceGenerator)
    drawn = figure([small, large], voices_and_faces, "test")
    people = {row["identity"] for row in voices_and_faces.index.to_pylist() if row["split"] == "test"}
    assert drawn.shape == (len(people) * 34 - 2, 3 * 34 - 2, 3)
    assert len(small.heard) == len(people)
    for number in range(len(people)):
        row = drawn[34 * number : 34 * number + 32]
        assert row[:, :32].std() > 10
        assert (row[:, 34:66] == 50 + 10 * number).all() and (row[:, 68:] == 50 + 10 * number).all()
    for samples, speech in small.heard:
        assert all(0 <= first < end <= samples for first, end in speech)
    with pytest.raises(FolderError, match="nobody of split 'dev'"):
        figure([small], voices_and_faces, "dev")


def test_checkpoints_of_several_models_stand_beside_each_other(voices_and_faces, tmp_path):
    for name, values in {"sf2f": {"perceptual": 0.0}, "voice2face": {"preset": "v2f_sf2f"}}.items():
        options = model_options(name, {"width": 0.0625, **values})
        state = {"model": name, "options": options.as_dict(), "people": ("a", "b")}
        save(tmp_path / f"{name}.pt", state | {"weights": create(name, options, ("a", "b")).state_dict()})
    given = {"checkpoint": tmp_path / "sf2f.pt", "beside": [tmp_path / "voice2face.pt"], "out": tmp_path / "figure.png"}
    assert generation_figure("sf2f", voices_and_faces.path, **given, device="cpu") == tmp_path / "figure.png"
    assert np.array(cv2.imread(str(tmp_path / "figure.png"))).shape == (3 * 66 - 2, 3 * 66 - 2, 3)
