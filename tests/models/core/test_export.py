"""A trained model as others take it: the same numbers from every file, a card that tells how it was made."""

import json
from hashlib import sha256

import numpy as np
import pytest
import torch
import yaml
from facevox.models.core import checkpoint
from facevox.models.core.export import ExportOptions, export, write_onnx
from facevox.models.core.exported import CARD, FACTS, WEIGHTS, read_exported
from facevox.models.core.hub import TrainedModel
from facevox.models.core.model import create, model_options, models
from facevox.models.core.model_card import card, command
from facevox.models.core.networks import NETWORKS
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
    assert "--where FILTER --classes 3 --width 0.125 --lr 0.01" in body
    # A filter may name a person.
    digest = sha256(b"age < 40").hexdigest()
    assert digest in body and "age <" not in text + (exported.out / FACTS).read_text()
    assert "Ada" not in text and "Ada" not in (exported.out / FACTS).read_text()


def test_the_command_of_the_card_is_one_that_the_command_line_takes(exported):
    import shlex

    from facevox.cli import _parser

    facts = json.loads((exported.out / FACTS).read_text())
    words = shlex.split(command(VoiceClassifier(OPTIONS), facts))[1:]
    parser, _ = _parser(words)
    given = parser.parse_args(words)
    assert (given.where, given.classes, given.epochs, given.lr) == ("FILTER", 3, 3, 0.01)


@pytest.mark.parametrize(
    ("asked", "progress", "told"),
    [
        ({"epochs": 30, "max_steps": 0}, {"epoch": 30, "step": 900}, "--epochs 30 --precision bf16 --seed"),
        # Stopped in its first epoch.
        ({"epochs": 30, "max_steps": 0}, {"epoch": 0, "step": 7}, "--epochs 30 --precision bf16 --max-steps 7 --seed"),
        ({"epochs": 0, "max_steps": 400}, {"epoch": 2, "step": 400}, "--out RUNS --precision bf16 --max-steps 400"),
        ({"epochs": 0, "max_steps": 400}, None, "--out RUNS --precision bf16 --max-steps 400 --seed"),
        (
            {"epochs": 3, "max_steps": 0, "validation": "test", "validate_every": 0, "patience": 5},
            None,
            "--epochs 3 --precision bf16 --validation test --patience 5 --validate-every 0 --seed",
        ),
    ],
)
def test_the_command_is_the_one_that_made_these_weights(asked, progress, told):
    from facevox.models.core.export import described

    model = create("speech2face", model_options("speech2face", {"width": 1 / 64}))
    state = {"model": "speech2face", "options": model.options.as_dict(), "asked": {**asked, "precision": "bf16"}}
    state |= {"progress": progress} if progress else {}
    assert told in command(model, described(model, state, []))


def test_the_card_names_networks_of_others_and_their_licences():
    small = model_options("speech2face", {"width": 1 / 64, "loss": "total"})
    facts = {"trained": {"epochs": 1}, "initial": "classifier=0123456789abcdef", "options": small.as_dict()}
    facts |= {"people": 0, "parameters": 1, "facevox": "1", "torch": "2"}
    text = card(create("speech2face", small), facts, {})
    assert "--initial classifier=vggface-vgg16" in text
    assert f"the public network vggface-vgg16 (licence: {NETWORKS['vggface-vgg16'].licence}). It judged" in text
    small = model_options("vfmr", SMALL["vfmr"] | {"face_network": "ir50"})
    text = card(create("vfmr", small), facts | {"initial": "face=0123456789abcdef", "options": small.as_dict()}, {})
    assert "--initial face=CHECKPOINT" in text
    assert "Part `face` may have begun as the public network arcface-ir50" in text and "It is in the files" in text


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
    (tmp_path / FACTS).write_text("[" * 9999)
    with pytest.raises(ValueError, match="damaged"):
        read_exported(tmp_path)


def test_only_a_folder_of_an_export_is_written_to_and_nothing_foreign_is_sent(trained, tmp_path):
    (tmp_path / "config.json").write_text('{"model": "voice_classifier", "data": "a run of training"}')
    with pytest.raises(ValueError, match="holds other things than an export"):
        export(ExportOptions(trained / "best.pt", tmp_path))
    assert "a run of training" in (tmp_path / "config.json").read_text()
    out = tmp_path / "E"
    export(ExportOptions(trained / "best.pt", out))
    (out / "old.onnx").write_bytes(b"")
    facts = json.loads((out / FACTS).read_text())
    (out / FACTS).write_text(json.dumps(facts | {"files": [*facts["files"], "old.onnx"]}))
    (out / "notes.md").write_text("whose they are")
    (out / "runs.json").write_text("{}")
    again = export(ExportOptions(trained / "best.pt", out, formats=("safetensors",)))
    assert again.files == (FACTS, WEIGHTS, CARD)
    assert sorted(path.name for path in out.iterdir()) == sorted([*again.files, "notes.md", "runs.json"])
    TrainedModel.from_pretrained(out).save_pretrained(tmp_path / "sent")
    assert sorted(path.name for path in (tmp_path / "sent").iterdir()) == sorted(again.files)
    (out / FACTS).write_text(json.dumps(facts | {"files": [FACTS, "../config.json"]}))
    with pytest.raises(ValueError, match="names no files of an export"):
        TrainedModel.from_pretrained(out).files()


@pytest.mark.parametrize("name", ["cyclegan", "cut"])
def test_no_picture_of_the_training_is_in_an_export(name, tmp_path):
    from safetensors.torch import load_file

    torch.manual_seed(0)
    options = model_options(name, SMALL[name] | {"crop_size": 32, "load_size": 34})
    model = create(name, options)
    held = {"later.waiting", "pool.held", "inverse_pool.held"} & model.state_dict().keys()
    for buffer in held:
        model.get_buffer(buffer).fill_(1)
    run = {"model": name, "options": options.as_dict(), "people": (), "weights": model.state_dict()}
    checkpoint.save(tmp_path / "last.pt", run)
    again = checkpoint.restore(tmp_path / "last.pt")[0]
    assert held and not any(again.get_buffer(buffer).any() for buffer in held)
    export(ExportOptions(tmp_path / "last.pt", tmp_path / "E", formats=("safetensors",)))
    weights, read = load_file(tmp_path / "E" / WEIGHTS), read_exported(tmp_path / "E")
    own = {part: value for part, value in model.state_dict().items() if part.startswith(("generator.", "inverse."))}
    assert weights.keys() == own.keys() == read.state_dict().keys()
    assert json.loads((tmp_path / "E" / FACTS).read_text())["parameters"] == sum(map(torch.numel, own.values()))
    picture = torch.randint(0, 256, (2, 3, 40, 36), dtype=torch.uint8)
    with torch.inference_mode():
        assert torch.equal(read.translate(picture), again.eval().translate(picture))


def test_networks_of_others_that_only_judge_are_left_out(tmp_path):
    torch.manual_seed(0)
    model = create("speech2face", model_options("speech2face", {"width": 1 / 64, "loss": "total"}))
    run = {"model": "speech2face", "options": model.options.as_dict(), "weights": model.state_dict()}
    checkpoint.save(tmp_path / "best.pt", run)
    export(ExportOptions(tmp_path / "best.pt", tmp_path / "E", formats=("safetensors",)))
    read = read_exported(tmp_path / "E")
    assert read.classifier is None and not any(name.startswith("classifier") for name in read.state_dict())


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"people": 10**12}, "network"),
        ({"people": float("inf")}, "OverflowError"),
        ({"options": OPTIONS.as_dict() | {"width": 1e4}}, r"is \(\d+.*\) in model.safetensors, \(\d+"),
        ({"options": OPTIONS.as_dict() | {"classes": 10**9}}, "1000000000"),
        ({"model": "cyclegan", "options": {"crop_size": 1 << 20, "load_size": 1 << 20}}, "absent"),
        ({"model": "cyclegan", "options": {"blocks": 10**9}}, "blocks"),
        ({"model": "unknown"}, "no model 'unknown'"),
    ],
)
def test_facts_that_the_weights_do_not_bear_out_cost_nothing(exported, tmp_path, facts, told):
    said = json.loads((exported.out / FACTS).read_text()) | facts
    (tmp_path / FACTS).write_text(json.dumps(said))
    with pytest.raises(ValueError, match="no model.safetensors"):
        read_exported(tmp_path)
    (tmp_path / WEIGHTS).write_bytes((exported.out / WEIGHTS).read_bytes())
    if facts == {"people": 10**12}:
        assert read_exported(tmp_path).name == "voice_classifier"
        return
    with pytest.raises(ValueError, match=told):
        read_exported(tmp_path)


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
