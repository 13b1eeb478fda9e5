"""The classifier of SpeakingFaces: published counts and shapes, inputs against an independent computation."""

from dataclasses import replace
from pathlib import Path

import cv2
import librosa
import numpy as np
import pytest
import torch
from facevox.loaders.folder import Folder
from facevox.loaders.stream import Stream, StreamOptions
from facevox.models.core.reading import Reading
from facevox.models.core.sound import MelOptions
from facevox.models.gender import (
    DROPOUT,
    MODES,
    Convolution,
    Encoder,
    Gender,
    GenderInputs,
    GenderOptions,
    noise_source,
    noisy_images,
)
from torch import nn

PARAMETERS = {
    1: 11_720_225, 2: 11_720_225, 3: 4_208_161, 4: 23_440_449, 5: 15_928_385, 6: 15_928_385, 7: 27_648_609,
}  # fmt: skip


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


# --- the network ---


@pytest.mark.parametrize("mode", MODES)
def test_parameters_are_the_papers(mode):
    model = Gender(GenderOptions(mode=mode))
    assert count(model) == PARAMETERS[mode]
    age = Gender(GenderOptions(mode=mode, task="age"))
    assert count(age) == PARAMETERS[mode] + 2 * (64 * len(MODES[mode]) + 1)
    published = Gender(GenderOptions(mode=mode, task="age", as_published=True))
    assert published.head.out_features == 4


@pytest.mark.parametrize(("frames", "expected"), [(3, 11_720_160), (1, 11_711_968), (2, 11_716_064), (5, 11_728_352)])
def test_parameters_of_the_image_encoder(frames, expected):
    assert count(Encoder((frames, 87, 116), 0.1, 1.0)) == expected


def test_parameters_of_the_audio_encoder():
    assert count(Encoder((89, 128, 1), 0.1, 1.0)) == 4_208_096


def shapes(encoder: Encoder, size: tuple[int, int, int]) -> list[tuple[int, ...]]:
    """Shape after every layer that has weights, for a batch of two."""
    seen: list[tuple[int, ...]] = []

    def note(module: nn.Module, _: object, out: object) -> None:
        seen.append(tuple((out[0] if isinstance(out, tuple) else out).shape))  # type: ignore[attr-defined]

    for module in encoder.modules():
        if isinstance(module, nn.Conv3d | nn.GRU | nn.Linear):
            module.register_forward_hook(note)
    encoder(torch.zeros(2, 3, *size))
    return seen


def test_shapes_after_every_layer():
    over_time = [(3, 2, 512), (3, 2, 512), (3, 2, 64), (2, 64)]
    assert shapes(Encoder((3, 87, 116), 0.1, 1.0), (3, 87, 116)) == [
        (2, 32, 3, 44, 58), (2, 64, 3, 22, 29), (2, 96, 3, 11, 15), (2, 128, 3, 6, 8), *over_time,
    ]  # fmt: skip
    sound = [(89, 2, 512), (89, 2, 512), (89, 2, 64), (2, 64)]
    assert shapes(Encoder((89, 128, 1), 0.1, 1.0), (89, 128, 1)) == [
        (2, 32, 89, 64, 1), (2, 64, 89, 32, 1), (2, 96, 89, 16, 1), (2, 128, 89, 8, 1), *sound,
    ]  # fmt: skip


@pytest.mark.parametrize("size", [(3, 21, 30), (1, 21, 30), (9, 21, 1), (1, 21, 1)])
@pytest.mark.parametrize("kernel", [3, 5])
def test_convolutions_without_padding_are_those_with_it(size, kernel):
    """Of one frame, and of sound, which is one pixel wide: the same numbers, gradients and weights."""
    shape = (3, 4, (3, kernel, kernel), (1, 2, 2), (1, kernel // 2, kernel // 2))
    plain, ours = nn.Conv3d(*shape), Convolution(*shape)
    ours.load_state_dict(plain.state_dict())
    found = []
    for network in (plain, ours):
        given = torch.linspace(-1, 1, 6 * size[0] * size[1] * size[2]).reshape(2, 3, *size).requires_grad_()
        out = network(given)
        out.square().sum().backward()
        found.append((out, given.grad, network.weight.grad, network.bias.grad))
    for expected, value in zip(*found, strict=True):
        assert value.shape == expected.shape
        assert torch.allclose(value, expected, rtol=1e-4, atol=1e-5 * float(expected.detach().abs().max()))


def test_tuned_dropout_and_switches():
    assert [GenderOptions(mode=mode).drop for mode in MODES] == list(DROPOUT["gender"])
    assert [GenderOptions(mode=mode, task="age").drop for mode in MODES] == list(DROPOUT["age"])
    assert GenderOptions(dropout=0.0).drop == 0.0
    published = GenderOptions(as_published=True, mel_rate=44_100).settled()
    assert (published.scale, published.rgb, published.shuffle, published.log_mel) == (False,) * 4
    assert published.mel_rate == 16_000
    assert Gender(replace(published, width=0.1)).shuffle is False
    assert Gender(GenderOptions(width=0.1, mode=2, task="age")).variant == "mode2-age"


@pytest.mark.parametrize(
    "wrong", [{"mode": 8}, {"task": "sex"}, {"frames": 0}, {"width": 0.0}, {"dropout": 1.0}, {"optimizer": "sgd"}]
)
def test_options_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match="expected"):
        Gender(GenderOptions(**wrong))


def test_images_are_scaled_and_sound_is_the_middle_channel():
    images = torch.full((1, 3, 3, 87, 116), 255, dtype=torch.uint8)
    assert Gender(GenderOptions(width=0.1))._tensor("visual", images).unique().tolist() == [1.0]
    assert Gender(GenderOptions(width=0.1, scale=False))._tensor("visual", images).unique().tolist() == [255.0]
    sound = torch.rand(2, 89, 128)
    padded = Gender(GenderOptions(width=0.1))._tensor("audio", sound)
    assert padded.shape == (2, 3, 89, 128, 1)
    assert torch.equal(padded[:, 1, :, :, 0], sound)
    assert padded[:, [0, 2]].abs().sum() == 0


def test_the_plateau_halves_the_learning_rate():
    model = Gender(GenderOptions(width=0.1, halve_after=2))
    for loss in (5.0, 4.0, 4.0, 4.0):
        model.end_epoch({"merit": 0.5, "loss": loss})
    assert model.learning_rate == 0.1
    model.end_epoch({"merit": 0.5, "loss": 3.9999})
    assert model.learning_rate == 0.05


# --- the inputs ---


def lanczos(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(H, W, 3) -> size (width, height) by the 8 nearest pixels each way, border repeated; float."""
    for axis, wanted in ((0, size[1]), (1, size[0])):
        length = picture.shape[axis]
        at = (np.arange(wanted) + 0.5) * length / wanted - 0.5
        taps = np.floor(at).astype(int)[:, None] + np.arange(-3, 5)
        weights = np.sinc(at[:, None] - taps) * np.sinc((at[:, None] - taps) / 4)
        weights /= weights.sum(1, keepdims=True)
        rows = np.moveaxis(picture.astype(float), axis, 0)[np.clip(taps, 0, length - 1)]
        picture = np.moveaxis(np.einsum("wt,wt...->w...", weights, rows), 0, axis)
    return np.clip(picture, 0, 255)


@pytest.fixture(scope="module")
def sample(built) -> dict:
    """A test utterance with aligned visual frames first, middle, last, decoded without the stream."""
    folder: Folder = built["tar"]
    rows = [r for r in folder.index.to_pylist() if r["config"] == "utterances" and r["samples"] >= 17_640]
    row = rows[-1]
    numbers = [0, (row["frames"] - 1) // 2, row["frames"] - 1]
    found = next(folder.fetch([row["key"]], ["visual.webp", "thermal.webp", "mic1.flac"], numbers))
    height, width = found["thermal.webp"].shape[1:3]
    matrices = [next(s["h"] for s in row["alignment"] if s["first"] <= n + 1 <= s["last"]) for n in numbers]
    pairs = zip(found["visual.webp"], matrices, strict=True)
    warped = [cv2.warpPerspective(f, np.array(h).reshape(3, 3), (width, height)) for f, h in pairs]
    return found | {"visual.webp": np.stack(warped)}


def test_inputs_equal_an_independent_computation(built, sample):
    stream = Reading(built["tar"], GenderInputs()).stream(built["tar"].row(sample["__key__"])["split"])
    batch = next(b for b in stream if sample["__key__"] in b["keys"])
    at = batch["keys"].index(sample["__key__"])
    for name in ("visual", "thermal"):
        images = batch[name][at].numpy()
        assert images.shape == (3, 3, 87, 116)
        assert images.dtype == np.uint8
        expected = np.stack([lanczos(frame, (116, 87)) for frame in sample[f"{name}.webp"]])
        assert np.abs(images.transpose(1, 2, 3, 0) - expected).max() <= 2
    wave = sample["mic1.flac"].astype(np.float32) / 32768
    middle = len(wave) // 2
    power = librosa.feature.melspectrogram(
        y=wave[middle - 8820 : middle + 8820], sr=16_000, n_fft=400, hop_length=200, n_mels=128, htk=True, norm=None,
        pad_mode="reflect",
    ).T  # fmt: skip
    assert batch["audio"][at].shape == (89, 128)
    assert np.allclose(batch["audio"][at], power, rtol=1e-3, atol=1e-4 * power.max())
    facts = built["tar"].row(sample["__key__"])
    assert batch["gender"][at] == (facts["gender"] == "Male")
    assert batch["subject"][at] == facts["subject"]


def test_bgr_is_rgb_backwards(sample):
    rgb, bgr = (GenderInputs(("thermal",), rgb=rgb)([sample])["thermal"] for rgb in (True, False))
    assert torch.equal(rgb.flip(1), bgr)


def with_facts(sample: dict, **facts: object) -> dict:
    return sample | {"json": sample["json"] | facts}


def test_age_classes(sample):
    ages = {20: 0, 24: 0, 25: 1, 34: 1, 35: 2, 64: 2}
    batch = GenderInputs(("audio",))([with_facts(sample, age=age) for age in ages])
    assert batch["age"].tolist() == list(ages.values())
    assert GenderInputs(("audio",))([with_facts(sample, gender="Female")])["gender"].tolist() == [0]


def test_short_utterances_are_dropped_and_counted(sample):
    short = with_facts(sample, samples=17_639)
    few = with_facts(sample, frames=2)
    batch = GenderInputs()([short, sample, few])
    assert batch["keys"] == [sample["__key__"]]
    assert batch["dropped"] == 2
    assert len(batch["visual"]) == 1
    assert GenderInputs()([short]) == {"keys": [], "dropped": 1}
    assert GenderInputs(count=2).takes(few["json"])


def test_missing_fields_and_facts_are_named(sample):
    without = {name: value for name, value in sample.items() if name != "mic1.flac"}
    with pytest.raises(ValueError, match=r"no field 'mic1.flac', which gender with .* reads; its fields: visual.webp"):
        GenderInputs()([without])
    with pytest.raises(ValueError, match="no fact gender or age"):
        GenderInputs()([with_facts(sample, gender=None)])
    with pytest.raises(ValueError, match="sound at 16000 Hz, expected 44100"):
        GenderInputs()([with_facts(sample, sample_rate=16_000)])


def test_a_folder_that_lacks_a_field_is_refused(built):
    inputs = GenderInputs()
    with pytest.raises(ValueError, match="mic1.flac"):
        next(iter(Stream(built["tar"], "stills", "test", StreamOptions(fields=inputs.fields, frames=3), inputs=inputs)))


# --- noise ---


def test_noise_depends_on_seed_key_and_stream_only(sample):
    noisy = GenderInputs(noisy=True)
    other = sample | {"__key__": "009_9"}
    alone, together = noisy([sample]), noisy([other, sample])
    for name in ("noisy_visual", "noisy_thermal", "noisy_audio"):
        assert torch.equal(alone[name][0], together[name][1])
        assert not torch.equal(together[name][0], together[name][1])
        assert not torch.equal(alone[name], alone[name.removeprefix("noisy_")])
    assert torch.equal(alone["visual"], GenderInputs()([sample])["visual"])
    seeded = replace(noisy, seed=1)([sample])
    assert not torch.equal(seeded["noisy_audio"], alone["noisy_audio"])


def test_noise_is_clipped_or_wraps():
    clip = np.full((3, 60, 50, 3), 250, np.uint8)
    noise = 100 * noise_source(0, "k", "visual").standard_normal(clip.shape, np.float32)
    assert abs(noise.std() - 100) < 1
    clipped = noisy_images(clip, noise_source(0, "k", "visual"))
    assert np.array_equal(clipped, np.clip(np.rint(250 + noise), 0, 255).astype(np.uint8))
    wrapped = noisy_images(clip, noise_source(0, "k", "visual"), wrap=True)
    assert np.array_equal(wrapped, (np.trunc(250 + noise).astype(int) % 256).astype(np.uint8))


def test_sound_noise_is_added_before_the_spectrogram(sample):
    quiet = sample | {"mic1.flac": np.zeros(20_000, np.int16)}
    power = GenderInputs(("audio",), sound=MelOptions(), noisy=True)([quiet])
    assert power["audio"].sum() == 0
    noise = 5 * noise_source(0, sample["__key__"], "audio").standard_normal(17_640, np.float32)
    expected = librosa.feature.melspectrogram(
        y=noise, sr=16_000, n_fft=400, hop_length=200, n_mels=128, htk=True, norm=None, pad_mode="reflect"
    ).T
    assert np.allclose(power["noisy_audio"][0], expected, rtol=1e-3, atol=1e-4 * expected.max())


def test_the_home_of_the_model_is_its_file():
    assert Path(Gender.__module__.replace(".", "/")).name == "gender"
