"""Trained translations in use: pictures and folders of them, the figure, and what is wrong said in one line."""

import cv2
import numpy as np
import pytest
import torch
from facevox import translate, translation_figure
from facevox.cli import main
from facevox.loaders.folder import FolderError
from facevox.loaders.media import decode_picture
from facevox.models.core import checkpoint
from facevox.models.core.grid import GAP
from facevox.models.core.model import create, model_options
from facevox.models.core.translation import Translation

SMALL = {"width": 0.0625, "crop_size": 32, "load_size": 34}
OWN = {"cyclegan": {"blocks": 1}, "cut": {"blocks": 5}, "voice_classifier": {"classes": 2, "width": 0.125}}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Checkpoints as training leaves them, and a folder with two thermal faces and a broken one."""
    home = tmp_path_factory.mktemp("use")
    for name, own in OWN.items():
        torch.manual_seed(0)
        options = model_options(name, own if name == "voice_classifier" else SMALL | own)
        state = {"model": name, "options": options.as_dict(), "weights": create(name, options).state_dict()}
        checkpoint.save(home / f"{name}.pt", state)
    (home / "crops").mkdir()
    for name in ("a.png", "b.jpg"):
        cv2.imwrite(str(home / "crops" / name), np.random.default_rng(0).integers(0, 256, (60, 50, 3)).astype(np.uint8))
    (home / "crops" / "c.png").write_bytes(b"no picture")
    return home


def made_by(home, name: str, picture: np.ndarray) -> np.ndarray:
    model, _ = checkpoint.restore(home / f"{name}.pt")
    assert isinstance(model, Translation)
    with torch.inference_mode():
        return (
            model.eval()
            .translate(torch.from_numpy(picture.transpose(2, 0, 1).copy())[None])[0]
            .permute(1, 2, 0)
            .numpy()
        )


def picture_of(path) -> np.ndarray:
    return decode_picture(path.read_bytes())


@pytest.mark.parametrize("name", ["cyclegan", "cut"])
def test_a_picture_is_what_the_network_makes_of_it(trained, tmp_path, name):
    source = trained / "crops" / "a.png"
    written, left_out = translate(name, source, checkpoint=trained / f"{name}.pt", out=tmp_path / "made.png")
    assert (written, left_out) == ((tmp_path / "made.png",), {})
    made = picture_of(tmp_path / "made.png")
    assert made.shape == (32, 32, 3)
    assert np.array_equal(made, made_by(trained, name, picture_of(source)))


def test_the_command_takes_folders_and_names_what_it_left_out(trained, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["translate", "cut", str(trained / "crops"), "--checkpoint", str(trained / "cut.pt")]
    assert main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["crops-visual/a.png", "crops-visual/b.png"]
    assert lines[2].startswith("left out: c.png: not a readable picture")
    assert np.array_equal(
        picture_of(tmp_path / lines[0]), made_by(trained, "cut", picture_of(trained / "crops" / "a.png"))
    )


def test_nothing_of_the_source_is_overwritten(trained, tmp_path):
    pixels = np.zeros((40, 40, 3), np.uint8)
    for name in ("a.png", "a.jpg", "b.png"):
        cv2.imwrite(str(tmp_path / name), pixels)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    (tmp_path / "same").symlink_to(tmp_path)
    for source, out in (("", ""), ("", "same"), ("a.png", "same/a.png")):
        with pytest.raises(ValueError, match="is what would be translated; give another --out"):
            translate("cut", tmp_path / source, checkpoint=trained / "cut.pt", out=tmp_path / out)
    assert {name: (tmp_path / name).read_bytes() for name in before} == before
    written, _ = translate("cut", tmp_path, checkpoint=trained / "cut.pt", out=tmp_path / "made")
    assert [path.name for path in written] == ["a.jpg.png", "a.png.png", "b.png.png"]
    assert all(path.is_file() for path in written)
    with (tmp_path / "big.png").open("wb") as file:
        file.truncate((64 << 20) + 1)
    with pytest.raises(ValueError, match=r"big\.png: 67,108,865 bytes, expected at most"):
        translate("cut", tmp_path / "big.png", checkpoint=trained / "cut.pt")


def test_the_figure_shows_everybody_by_every_model(trained, with_faces, tmp_path):
    files = {"checkpoint": trained / "cyclegan.pt", "beside": [trained / "cut.pt"]}
    shown = picture_of(translation_figure("cyclegan", with_faces.path, out=tmp_path / "f.png", **files))
    index = with_faces.index.to_pylist()
    rows = [row for row in index if (row["config"], row["split"]) == ("pairs", "test")]
    people = sorted({row["identity"] for row in rows})
    cell = 32 + GAP
    assert shown.shape == (cell * len(people) - GAP, cell * 4 - GAP, 3)
    for number in range(len(people)):
        thermal, *made = (shown[cell * number :][:32, cell * at : cell * at + 32] for at in range(4))
        assert np.array_equal(made[0], made_by(trained, "cyclegan", thermal))
        assert np.array_equal(made[1], made_by(trained, "cut", thermal))
        assert not np.array_equal(made[2], thermal)


def test_what_is_wrong_is_said_in_one_line(trained, with_faces, tmp_path, capsys):
    face = str(trained / "crops" / "a.png")
    with pytest.raises(ValueError, match="voice_classifier does not translate pictures; cyclegan and cut do"):
        translate("voice_classifier", face, checkpoint=trained / "voice_classifier.pt")
    with pytest.raises(ValueError, match=r"a checkpoint of cut, expected one of cyclegan"):
        translate("cyclegan", face, checkpoint=trained / "cut.pt")
    with pytest.raises(ValueError, match=r"c\.png: not a readable picture"):
        translate("cut", trained / "crops" / "c.png", checkpoint=trained / "cut.pt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no .png, .jpg or .webp file in it"):
        translate("cut", tmp_path / "empty", checkpoint=trained / "cut.pt")
    with pytest.raises(FolderError, match="no split 'dev'; there is: "):
        translation_figure("cut", with_faces.path, checkpoint=trained / "cut.pt", out=tmp_path / "f.png", split="dev")
    assert main(["translate", "cut", "--checkpoint", str(trained / "cut.pt")]) == 2
    assert "needs one of THERMAL" in capsys.readouterr().err
