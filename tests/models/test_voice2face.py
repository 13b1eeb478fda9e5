"""voice2face: both presets' constants and losses, the frozen encoder, its training before, training that resumes."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from facevox.models.core.train import TrainOptions, fit
from facevox.models.voice2face import Voice2Face, Voice2FaceOptions

RANDOM = np.random.default_rng(0)
PEOPLE = ("a", "b", "c")
PRESETS = ("v2f_original", "v2f_sf2f")


def model_of(preset: str = "v2f_original", stage: str = "face", **options) -> Voice2Face:
    torch.manual_seed(0)
    return Voice2Face(Voice2FaceOptions(preset=preset, stage=stage, width=0.0625, **options), PEOPLE)


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_published_networks_and_constants():
    people = tuple(str(number) for number in range(924))
    with torch.device("meta"):
        original, port = (Voice2Face(Voice2FaceOptions(preset=preset), people) for preset in PRESETS)
    assert (count(original.encoder), count(original.decoder)) == (2_670_720, 12_191_875)
    assert count(original.told) == 3_310_720 + 64 + 64 * 924
    assert (count(port.encoder), count(port.decoder)) == (3_813_952, 19_531_907)
    assert (original.steps, original.batch_size, original.learning_rate) == (50_000, 128, 2e-4)
    assert (port.steps, port.batch_size, port.learning_rate) == (120_000, 256, 5e-4)
    betas = [model.optimizers["told"].param_groups[0]["betas"] for model in (original, port)]
    assert betas == [(0.5, 0.999), (0.9, 0.999)]


@pytest.mark.parametrize(
    ("preset", "bands", "frames", "heard"), [("v2f_original", 64, 1000, 800), ("v2f_sf2f", 40, 199, 125)]
)
def test_what_is_heard(drawing_batch, preset, bands, frames, heard):
    model = model_of(preset)
    batch = drawing_batch(model, PEOPLE)
    # Two seconds: repeated to ten by voice2face, as they are by SF2F.
    assert batch["frames"].tolist() == [frames] * 3
    assert model.eval().crop(batch).shape == (3, bands, heard)
    lengths = {model.train().crop(batch).shape[2] for _ in range(30)}
    assert len(lengths) > 5
    low, high = (300, 800) if preset == "v2f_original" else (100, 150)
    assert low <= min(lengths) <= max(lengths) <= high


@pytest.mark.parametrize(
    ("preset", "learning"), [("v2f_original", {"decoder", "told"}), ("v2f_sf2f", {"encoder", "decoder", "told"})]
)
def test_a_frozen_encoder_stays_and_all_else_learns(drawing_batch, preset, learning):
    model = model_of(preset)
    batch = drawing_batch(model, PEOPLE)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.train()
    model.step(batch)
    assert {name.split(".")[0] for name, was in before.items() if not model.state_dict()[name].equal(was)} == learning
    assert model.encoder.training == (preset == "v2f_sf2f")
    if preset == "v2f_original":
        assert all(weight.grad is None for weight in model.encoder.parameters())


@pytest.mark.parametrize("preset", PRESETS)
def test_losses_by_hand(preset):
    model = model_of(preset).eval()
    for name, weight in model.told.named_parameters():
        if name.startswith(("real", "who")):
            torch.nn.init.zeros_(weight)
    made, real, who = torch.zeros(3, 3, 64, 64), torch.full((3, 3, 64, 64), 0.5), torch.tensor([0, 1, 2])
    two, three = np.log(2), np.log(3)
    assert float(model.naming_loss(made, who).detach()) == pytest.approx(two + three, rel=1e-5)
    assert float(model.telling_loss(made, real, who).detach()) == pytest.approx(2 * two + three, rel=1e-5)
    if preset == "v2f_sf2f":
        losses = model._draw(made.requires_grad_(), real, who)
        assert float(losses["generator"]) == pytest.approx(100 * 0.5 + two + three, rel=1e-5)


def test_no_loss_of_the_original_pairs_a_face_with_its_voice():
    model = model_of().eval()
    made, real, who = torch.rand(3, 3, 64, 64), torch.rand(3, 3, 64, 64), torch.tensor([0, 1, 2])
    order = torch.tensor([2, 0, 1])
    paired = float(model.telling_loss(made, real, who).detach())
    assert float(model.telling_loss(made, real[order], who[order]).detach()) == pytest.approx(paired, rel=1e-5)


def test_sf2f_s_rate_falls_for_what_draws_but_not_for_what_tells(drawing_batch):
    model = model_of("v2f_sf2f")
    made = model.optimizers["made"]
    model.schedulers["made"].last_epoch = 119_999
    model.train().step(drawing_batch(model, PEOPLE))
    assert made.param_groups[0]["lr"] == pytest.approx(5e-7)
    assert model.optimizers["told"].param_groups[0]["lr"] == 5e-4
    assert not model_of().schedulers


@pytest.mark.parametrize("preset", PRESETS)
def test_a_voice_gives_one_face(preset):
    model = model_of(preset).eval()
    sound = (RANDOM.standard_normal(40_000) * 3000).astype(np.int16)
    with torch.inference_mode():
        face = model.generate(sound, [(0, 40_000)])
        assert torch.equal(face, model.generate(sound, [(0, 40_000)]))
    assert face.shape == (1, 3, 64, 64)
    assert face.dtype == torch.uint8


def test_new_speakers_are_told_apart_by_their_second_recording(drawing_batch):
    model = model_of(stage="encoder")
    batch = drawing_batch(model, PEOPLE)
    assert batch["mel"].shape == (6, 64, 1000)
    assert "face" not in batch
    assert model.eval().evaluate(batch)["merit"].shape == (3,)
    batch["mel"] = batch["mel"][::2].repeat_interleave(2, 0)
    assert model.evaluate(batch)["merit"].tolist() == [1, 1, 1]
    with pytest.raises(ValueError, match="only tells speakers apart"):
        model.generate(np.zeros(16_000, np.int16), [(0, 16_000)])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"preset": "v2f"}, "expected one of v2f_original, v2f_sf2f"),
        ({"preset": "v2f_sf2f", "stage": "encoder"}, "leave --stage encoder"),
        ({"stored": True}, "leave --stored"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, said):
    with pytest.raises(ValueError, match=said):
        Voice2FaceOptions(**options).settled()


def test_the_encoder_first_then_faces_resumed_as_without_a_break(voices_and_faces, resumed, tmp_path):
    settings = Voice2FaceOptions(face="face.webp", width=0.0625, stage="encoder")
    first = TrainOptions(
        *("voice2face", voices_and_faces.path, tmp_path),
        **{"epochs": 2, "batch_size": 2, "device": "cpu", "validation": "test", "settings": settings},
    )
    home = fit(first).home
    assert home.parent.name == "voice2face-v2f_original-encoder"
    with pytest.raises(ValueError, match="voice2face begins with a trained encoder"):
        fit(replace(first, settings=replace(settings, stage="face")))
    second = replace(first, settings=replace(settings, stage="face"), initial=f"encoder={home}/best.pt")
    third = replace(first, settings=replace(settings, stage="face", preset="v2f_sf2f"))
    for base in (second, third):
        assert resumed(base)["progress"]["step"] == 2
