"""Faces drawn from voices through the commands: one picture, a figure, a warning, and what is refused."""

import cv2
import numpy as np
import pytest
import soundfile
import torch
from facevox.api_generate import _generator, generate
from facevox.cli import main
from facevox.models.core import checkpoint
from facevox.models.core.model import create, model_options

RANDOM = np.random.default_rng(0)
MODELS = {
    "sf2f": {"width": 0.0625, "perceptual": 0.0, "sides": "64+128", "stage": "fuser"},
    "voice2face": {"width": 0.0625, "preset": "v2f_sf2f"},
    "rcgan": {"classifier_width": 0.125, "classes": 2},
    "voice_classifier": {"width": 0.125, "classes": 2},
}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Checkpoints as training leaves them, by model, and a voice of three seconds: a hum that comes and goes."""
    made = tmp_path_factory.mktemp("generate")
    for name, values in MODELS.items():
        torch.manual_seed(0)
        options = model_options(name, values)
        state = {"model": name, "options": options.as_dict(), "people": ("a", "b")}
        checkpoint.save(made / f"{name}.pt", state | {"weights": create(name, options, ("a", "b")).state_dict()})
    seconds = np.arange(48_000) / 16_000
    pulses = sum(np.sin(2 * np.pi * 120 * k * seconds) / k for k in range(1, 25))
    loud = (np.sin(2 * np.pi * 1.5 * seconds) > -0.5) * 4000
    soundfile.write(made / "voice.wav", (pulses * loud).astype(np.int16), 16_000)
    soundfile.write(made / "still.wav", np.zeros(48_000, np.int16), 16_000)
    return made


@pytest.mark.parametrize(("model", "side"), [("sf2f", 128), ("voice2face", 64), ("rcgan", 64)])
def test_a_voice_becomes_a_picture(home, tmp_path, model, side, capsys):
    out = tmp_path / "face.png"
    words = ["generate", model, str(home / "voice.wav"), "--checkpoint", str(home / f"{model}.pt")]
    assert main([*words, "--out", str(out), "--device", "cpu"]) == 0
    assert capsys.readouterr().out.strip() == str(out)
    first = cv2.imread(str(out))
    assert first.shape == (side, side, 3)
    generate(model, home / "voice.wav", checkpoint=home / f"{model}.pt", out=out, device="cpu")
    assert np.array_equal(first, cv2.imread(str(out)))


def test_a_checkpoint_is_read_once_whatever_its_model(home, monkeypatch):
    read = []
    whole = checkpoint.load
    monkeypatch.setattr(checkpoint, "load", lambda path: read.append(path) or whole(path))
    assert type(_generator("", home / "rcgan.pt", "cpu")).__name__ == "Rcgan"
    assert read == [home / "rcgan.pt"]
    with pytest.raises(FileNotFoundError, match="no checkpoint; `facevox train MODEL` makes one"):
        _generator("", home / "lost.pt", "cpu")


@pytest.mark.parametrize("words", [["generate"], ["train", "sf2f"], ["train", "voice2face"], ["train", "rcgan"]])
def test_help_warns(words, capsys):
    with pytest.raises(SystemExit):
        main([*words, "--help"])
    assert "A face made from a voice is nobody's likeness" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["sf2f", "still.wav", "--checkpoint", "sf2f.pt"], "no speech in 3.00 s of sound"),
        (["sf2f", "none.wav", "--checkpoint", "sf2f.pt"], "none.wav: No such file"),
        (["sf2f", "sf2f.pt", "--checkpoint", "sf2f.pt"], "expected a wav, FLAC, m4a or mp4"),
        (["sf2f", "voice.wav", "--checkpoint", "rcgan.pt"], "a checkpoint of rcgan, expected one of sf2f"),
        (["sf2f", "voice.wav", "--checkpoint", "lost.pt"], "no checkpoint; `facevox train sf2f` makes one"),
        (["voice_classifier", "voice.wav", "--checkpoint", "voice_classifier.pt"], "draws no faces from voices"),
        (["sf2f", "--checkpoint", "sf2f.pt"], "give a VOICE to draw a face from, or --data"),
    ],
)
def test_what_is_refused(home, monkeypatch, capsys, given, said):
    monkeypatch.chdir(home)
    assert main(["generate", *given]) == 2
    assert said in capsys.readouterr().err
