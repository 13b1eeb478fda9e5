"""A trained model as others take it: the same numbers from every file, a card that tells how it was made."""

import json

import numpy as np
import pytest
import torch
import yaml
from facevox.models.core import checkpoint
from facevox.models.core.export import CARD, FACTS, WEIGHTS, ExportOptions, export, read_exported, write_onnx
from facevox.models.core.hub import TrainedModel
from facevox.models.core.model import create, model_options, models
from facevox.models.core.model_card import command
from facevox.models.voice_classifier import VoiceClassifier, VoiceClassifierOptions

OPTIONS = VoiceClassifierOptions(classes=3, width=0.125, lr=0.01)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run's folder: weights of its best epoch, the second of three."""
    home = tmp_path_factory.mktemp("run")
    torch.manual_seed(0)
    model = VoiceClassifier(OPTIONS)
    run = {"model": "voice_classifier", "options": OPTIONS.as_dict(), "folder": "ab" * 32, "config": "rcgan", "seed": 3}
    run |= {"batch_size": 8, "where": "age < 40", "limit": 0, "initial": "", "people": ("Ada L.", "Bo N.")}
    checkpoint.save(home / "best.pt", {**run, "weights": model.state_dict(), "epoch": 2, "score": 0.75})
    lines = [{"epoch": n, "step": 9 * n, "loss": 1 / n, "merit": (0.5, 0.75, 0.6)[n - 1]} for n in (1, 2, 3)]
    (home / "runs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return home


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):
    out = tmp_path_factory.mktemp("exported") / "E"
    return export(ExportOptions(trained / "best.pt", out, "voice_classifier", data="Vox-VGG, forged"))


def test_every_file_gives_the_numbers_of_the_model(trained, exported):
    import cv2

    model = checkpoint.restore(trained / "best.pt")[0].eval()
    sound = torch.randn(5, 2, 60, 41)
    with torch.inference_mode():
        wanted = model.network(sound).numpy()
        again = read_exported(exported.out).network(sound).numpy()
    assert np.array_equal(wanted, again)
    network = cv2.dnn.readNetFromONNX(str(exported.out / "voice.onnx"))
    network.setInput(sound.numpy(), "spectrogram")
    assert np.abs(network.forward("logits") - wanted).max() < 1e-4
    assert exported.files == (FACTS, WEIGHTS, "voice.onnx", CARD)
    assert exported.differences["voice.onnx"] < 1e-5
    assert sorted(path.name for path in exported.out.iterdir()) == sorted(exported.files)


def test_the_card_tells_data_command_metrics_use_and_limits(exported):
    text = (exported.out / CARD).read_text()
    _, head, body = text.split("---\n", 2)
    assert yaml.safe_load(head)["library_name"] == "facevox" and yaml.safe_load(head)["extra_gated_fields"]
    sections = [line.removeprefix("## ") for line in body.splitlines() if line.startswith("## ")]
    assert sections == ["Training data", "Training command", "Metrics", "Intended use", "Limits", "Use"]
    assert "ab" * 32 in body and "Vox-VGG, forged" in body and "| 0.75 |" in body
    assert "facevox train voice_classifier --data FOLDER --out RUNS --epochs 3 --seed 3 --batch-size 8" in body
    assert "--where 'age < 40' --classes 3 --width 0.125 --lr 0.01" in body
    assert "Ada" not in text and "Ada" not in (exported.out / FACTS).read_text()


def test_the_command_of_the_card_is_one_that_the_command_line_takes(exported):
    import shlex

    from facevox.cli import _parser

    facts = json.loads((exported.out / FACTS).read_text())
    words = shlex.split(command(VoiceClassifier(OPTIONS), facts))[1:]
    given = _parser(words).parse_args(words)
    assert (given.where, given.classes, given.epochs, given.lr) == ("age < 40", 3, 3, 0.01)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"model": "gender"}, "is of voice_classifier, expected a checkpoint of gender"),
        ({"formats": ("h5",)}, "format 'h5'"),
    ],
)
def test_what_cannot_be_exported_is_refused_before_anything_is_written(trained, tmp_path, options, told):
    with pytest.raises(ValueError, match=told):
        export(ExportOptions(trained / "best.pt", tmp_path / "E", **options))
    assert not (tmp_path / "E").exists()


def test_folders_that_are_no_export_are_refused(exported, tmp_path):
    (tmp_path / FACTS).write_bytes((exported.out / FACTS).read_bytes())
    (tmp_path / WEIGHTS).write_bytes((exported.out / WEIGHTS).read_bytes()[:-4])
    with pytest.raises(ValueError, match="not a model that `facevox export` wrote"):
        read_exported(tmp_path)
    (tmp_path / FACTS).write_text("{}")
    with pytest.raises(ValueError, match="not a model that `facevox export` wrote"):
        TrainedModel.from_pretrained(tmp_path)


PEOPLE = ("a", "b", "c")
SMALL = {
    "cut": {"width": 1 / 16, "blocks": 5},
    "cyclegan": {"width": 1 / 16, "blocks": 1},
    "gender": {"width": 0.125, "frames": 2, "mode": 1},
    "rcgan": {"classes": 3, "classifier_width": 0.125},
    "sf2f": {"width": 1 / 16, "sides": "64+128", "perceptual": 0.0},
    "speech2face": {"width": 1 / 64, "face_network": "dlib"},
    "vfmr": {"voice_width": 1 / 8, "face_width": 1 / 16, "stage": "joint"},
    "voice2face": {"width": 1 / 16},
    "voice_classifier": {"width": 1 / 16},
}


def test_every_model_has_networks_for_others():
    assert {name.split()[0] for name in SMALL} == set(models())


@pytest.mark.slow
@pytest.mark.parametrize("case", SMALL)
def test_networks_of_every_model_run_without_facevox(case, tmp_path):
    name = case.split()[0]
    torch.manual_seed(0)
    model = create(name, model_options(name, SMALL[case]), PEOPLE).eval()
    for file, network in model.portable().items():
        difference = write_onnx(network, tmp_path / f"{file}.onnx")
        # OpenCV has no GRU that runs in both directions with a batch of any size.
        assert difference is None if name == "gender" else difference < 1e-4
