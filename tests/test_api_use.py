"""Trained models in use: faces ranked for a voice, and what cannot be used named with its reason."""

import cv2
import numpy as np
import pytest
import soundfile
import torch
from facevox.api_use import match
from facevox.cli import main
from facevox.models.core import checkpoint
from facevox.models.vfmr import Vfmr, VfmrOptions

RANDOM = np.random.default_rng(0)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A checkpoint as training leaves it, and a folder with a voice and three pictures, one of them broken."""
    home = tmp_path_factory.mktemp("use")
    torch.manual_seed(0)
    options = VfmrOptions(face_network="small", voice_width=0.05, face_width=0.05)
    model = Vfmr(options)
    state = {"model": "vfmr", "options": options.as_dict(), "weights": model.state_dict(), "config": "voices,faces"}
    checkpoint.save(home / "best.pt", state)
    soundfile.write(home / "voice.wav", RANDOM.integers(-9000, 9000, (60_000, 2)).astype(np.int16), 44_100)
    soundfile.write(home / "long.flac", np.zeros(181 * 8_000, np.int16), 8_000)
    (home / "big").mkdir()
    for big in (home / "big.wav", home / "big" / "a.png"):
        with big.open("wb") as file:
            file.truncate((64 << 20) + 1)
    (home / "faces").mkdir()
    for name in ("a.png", "b.jpg"):
        cv2.imwrite(str(home / "faces" / name), RANDOM.integers(0, 256, (90, 80, 3)).astype(np.uint8))
    (home / "faces" / "c.png").write_bytes(b"no picture")
    (home / "faces" / "notes.txt").write_text("not read")
    return home, model.eval()


def test_faces_are_ranked_by_the_model_s_scores(trained):
    home, model = trained
    found = match("vfmr", home / "voice.wav", home / "faces", checkpoint=home / "best.pt", detector="none")
    assert {one.name for one in found.ranked} == {"a.png", "b.jpg"}
    assert found.ranked[0].score >= found.ranked[1].score
    assert list(found.left_out) == ["c.png"] and "not a readable picture" in found.left_out["c.png"]
    from facevox.api_use import read_voice
    from facevox.loaders.media import decode_picture
    from facevox.models.core.voice_face_inputs import face_tensor

    sound = read_voice(home / "voice.wav")
    assert len(sound) == pytest.approx(60_000 * 16_000 / 44_100, abs=2)
    picture = torch.from_numpy(decode_picture((home / "faces" / "a.png").read_bytes()))
    with torch.inference_mode():
        expected = model.match(sound, face_tensor(picture, 112, "a")[None]).item()
    assert next(one.score for one in found.ranked if one.name == "a.png") == pytest.approx(expected, abs=1e-5)


def test_the_command_prints_ranks_and_reasons(trained, capsys):
    home, _ = trained
    words = ["match", "vfmr", str(home / "voice.wav"), str(home / "faces"), "--checkpoint", str(home / "best.pt")]
    assert main([*words, "--detector", "none", "--device", "cpu"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split()[0] == "1" and lines[2].split()[0] == "2"
    assert lines[3].startswith("left out: c.png: not a readable picture")


def test_pictures_without_a_face_are_left_out(trained):
    home, _ = trained
    with pytest.raises(ValueError, match=r"a\.png: mtcnn finds no face; no picture could be ranked"):
        match("vfmr", home / "voice.wav", home / "faces", checkpoint=home / "best.pt")


@pytest.mark.parametrize(
    ("model", "changed", "error", "said"),
    [
        ("vfmr", {"checkpoint": "none.pt"}, FileNotFoundError, "no checkpoint; `facevox train vfmr` makes one"),
        ("gender", {}, ValueError, "a checkpoint of vfmr, expected one of gender"),
        ("vfmr", {"voice": "faces/notes.txt"}, ValueError, "not a readable sound file"),
        ("vfmr", {"faces": "elsewhere"}, FileNotFoundError, "no such folder of pictures"),
        ("vfmr", {"detector": "cat"}, ValueError, "no detector 'cat'"),
        ("vfmr", {"box": 1}, ValueError, "match has no option 'box'"),
        ("vfmr", {"voice": "long.flac"}, ValueError, "long.flac: 181 s of sound, expected at most 180; cut a piece"),
        ("vfmr", {"voice": "big.wav"}, ValueError, "big.wav: 67,108,865 bytes, expected at most 67,108,864"),
        ("vfmr", {"faces": "big"}, ValueError, "a.png: 67,108,865 bytes, expected at most 67,108,864; no picture"),
    ],
)
def test_what_is_wrong_is_said(trained, model, changed, error, said):
    home, _ = trained
    given = {"checkpoint": "best.pt", "voice": "voice.wav", "faces": "faces", "detector": "none"} | changed
    places = {name: home / given.pop(name) for name in ("voice", "faces", "checkpoint")}
    with pytest.raises(error, match=said):
        match(model, places.pop("voice"), places.pop("faces"), **places, **given)


def test_a_stage_that_knows_one_kind_alone_does_not_match(trained, tmp_path):
    home, _ = trained
    options = VfmrOptions(stage="voice", voice_width=0.05)
    weights = Vfmr(options, ("a", "b")).state_dict()
    state = {"model": "vfmr", "options": options.as_dict(), "weights": weights, "people": ("a", "b")}
    checkpoint.save(tmp_path / "voice.pt", state)
    with pytest.raises(ValueError, match="stage voice knows no faces and voices together: give a joint checkpoint"):
        match("vfmr", home / "voice.wav", home / "faces", checkpoint=tmp_path / "voice.pt", detector="none")
