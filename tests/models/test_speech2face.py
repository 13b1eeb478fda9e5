"""Speech2Face: what a batch holds, the three losses by hand, its schedules, vectors stored by a build, exact resume."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from facevox.builders.core.run import BuildOptions, run
from facevox.builders.population.avspeech import ForgeOptions, forge
from facevox.builders.stages.avspeech_options import AvspeechOptions
from facevox.loaders.folder import Folder
from facevox.models.core.model import create
from facevox.models.core.sound import speech2face
from facevox.models.core.train import TrainOptions
from facevox.models.speech2face import FACE, FRAMES, VOICE, Speech2face, Speech2faceTrainingOptions

RANDOM = np.random.default_rng(0)
SMALL = Speech2faceTrainingOptions(face_network="dlib", width=1 / 64, frames=259)


def clip(seconds: float, size: int = 128, network: str = "dlib") -> dict:
    sound = RANDOM.integers(-3000, 3000, int(16_000 * seconds)).astype(np.int16)
    facts = {"samples": len(sound), "sample_rate": 16_000, "face_network": network}
    vector = RANDOM.standard_normal(size).astype(np.float32)
    return {"__key__": f"c{seconds}", VOICE: sound, FACE: vector, "json": facts}


def model_of(**options) -> Speech2face:
    torch.manual_seed(0)
    return Speech2face(replace(SMALL, **options))


def test_the_paper_s_model_has_the_published_count():
    with torch.device("meta"):
        model = create("speech2face", Speech2faceTrainingOptions())
    assert sum(parameter.numel() for parameter in model.encoder.parameters()) == 148_062_976
    assert (model.batch_size, model.learning_rate, model.optimizers["encoder"].defaults["betas"]) == (
        8,
        1e-3,
        (0.5, 0.999),
    )


def test_short_voices_are_repeated_and_silent_segments_dropped():
    two, empty = clip(2.0), clip(0.0)
    batch = model_of().inputs()([two, clip(7.5), empty])
    assert batch["wave"].shape == (2, 96_000) and batch["face"].shape == (2, 128)
    assert torch.equal(batch["wave"][0].view(3, -1), torch.from_numpy(two[VOICE] / np.float32(32_768)).expand(3, -1))
    assert (batch["keys"], batch["dropped"]) == (["c2.0", "c7.5"], 1)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (
            clip(1.0, 128, "sface"),
            "vectors of sface, expected those of dlib. Build the folder with --face-network dlib",
        ),
        (clip(1.0) | {FACE: None}, "vectors of dlib, expected those of dlib"),
        (clip(1.0, 64), r"face_vector.array of shape \(64,\), expected \(128,\)"),
        (clip(1.0) | {VOICE: None}, "no field 'voice.flac', which speech2face reads"),
    ],
)
def test_what_a_folder_lacks_is_said(wrong, told):
    with pytest.raises(ValueError, match=told):
        model_of().inputs()([wrong])


@pytest.mark.parametrize("options", [{"frames": 258}, {"loss": "l2"}, {"loss": "total"}, {"decay": "none"}])
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match="expected|VGG-Face's last layer"):
        model_of(**options)


def test_the_losses_are_those_of_the_sheet():
    face, told = torch.tensor([[3.0, 0.0], [0.0, 2.0]]), torch.tensor([[5.0, 0.0], [0.0, -2.0]])
    assert torch.allclose(model_of().loss(told, face), torch.tensor([0.0, 4.0]))
    assert torch.allclose(model_of(loss="l1").loss(told, face), torch.tensor([2.0, 4.0]))
    with torch.device("meta"):
        model = Speech2face(
            replace(SMALL, loss="total", face_network="vggface-vgg16", distil_weight=200.0, unit_weight=0.025)
        )
    model.classifier = torch.nn.Linear(2, 2, bias=False)
    model.classifier.weight.data = torch.eye(2)
    # Logits are of the rectified vectors, halved by the temperature: (3, 0) / 2 and (5, 0) / 2 of the first sample.
    wanted = torch.tensor([1.5, 0.0]).softmax(0)
    distilled = -(wanted * torch.tensor([2.5, 0.0]).log_softmax(0)).sum()
    assert torch.isclose(model.loss(told, face)[0], 200 * distilled)
    assert model.loss(told, face)[1] > 0.025 * 4


def test_distillation_leaves_the_last_layer_of_vgg_face_alone():
    model = model_of(loss="total", face_network="vggface-vgg16")
    before = model.classifier.weight.clone()
    losses = model.step(model.inputs()([clip(3.0, 4096, "vggface-vgg16"), clip(4.0, 4096, "vggface-vgg16")]))
    assert model.classifier.weight.grad is None and torch.equal(model.classifier.weight, before)
    assert all(parameter.grad is not None for parameter in model.encoder.parameters())
    assert list(losses) == ["total", "unit"]


@pytest.mark.parametrize(("decay", "rate"), [("steps", 9.5e-4), ("time", 1e-3 / 1.95)])
def test_the_rate_after_ten_thousand_steps(decay, rate):
    model = model_of(decay=decay)
    model.optimizers["encoder"].step()
    for _ in range(10_000):
        model.schedulers["encoder"].step()
    assert model.learning_rate == pytest.approx(rate)


def test_a_short_run_s_rate_and_norms_settle_sooner():
    model = model_of(decay_steps=2, norm_momentum=0.5)
    model.optimizers["encoder"].step()
    for _ in range(4):
        model.schedulers["encoder"].step()
    assert model.learning_rate == pytest.approx(1e-3 * 0.95**2)
    norms = [part.momentum for part in model.modules() if isinstance(part, torch.nn.BatchNorm2d)]
    assert norms == [0.5] * 9
    assert {part.momentum for part in model_of().modules() if isinstance(part, torch.nn.BatchNorm2d)} == {0.01}


def test_a_step_sees_the_frames_of_the_whole_spectrum():
    """What is cut from the wave gives the same frames as what is cut from its spectrum."""
    model = model_of(width=1 / 64)
    seen = []
    model.encoder.register_forward_pre_hook(lambda part, given: seen.append(given[0]))
    batch = model.inputs()([clip(7.0), clip(2.0)])
    torch.manual_seed(1)
    model.step(batch)
    torch.manual_seed(1)
    first = int(torch.randint(FRAMES - SMALL.frames + 1, ()))
    whole = speech2face(batch["wave"], model.sound)
    assert torch.equal(seen[0], whole[:, :, first : first + SMALL.frames])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Four made-up speakers, two segments each, with dlib's vectors of their faces."""
    home = tmp_path_factory.mktemp("avspeech")
    forge(home / "R", ForgeOptions(videos=4, clips=2, seconds=1.2, fps=4, odd=False))
    options = AvspeechOptions(face_network="dlib", quality=90)
    run(BuildOptions("avspeech", str(home / "R"), home / "O", release=options))
    return Folder(home / "O")


def test_a_build_stores_vectors_that_tell_people_apart(folder):
    samples = list(folder.fetch(folder.index["key"].to_pylist()))
    vectors = np.stack([sample[FACE] for sample in samples])
    assert vectors.shape == (8, 128) and vectors.dtype == np.float32
    assert {sample["json"]["face_network"] for sample in samples} == {"dlib"}
    who = np.array([sample["json"]["youtube_id"] for sample in samples])
    same, alike = who[:, None] == who, vectors @ vectors.T
    assert alike[same].min() > alike[~same].max()


def test_training_resumes_exactly(folder, resumed, tmp_path):
    common = {"data": folder.path, "batch_size": 2, "settings": SMALL, "device": "cpu"}
    whole = resumed(TrainOptions("speech2face", out=tmp_path, epochs=2, validate_every=2, **common))
    assert whole["progress"]["step"] == 4
    assert {"merit", "validation_loss"} <= whole["progress"]["history"][-1].keys()
