"""Voices and faces in one batch, and what training does to them at random."""

import numpy as np
import pytest
import torch
from facevox.models.core.voice_face_inputs import VoiceFaceInputs, mirrored, random_crops

RANDOM = np.random.default_rng(0)


def voice(name: str, samples: int, **facts) -> dict:
    sound = RANDOM.integers(-99, 99, samples).astype(np.int16)
    return {"__key__": name, "voice.flac": sound, "json": {"sample_rate": 16_000, **facts}}


def face(name: str, side: int = 112) -> dict:
    return {"__key__": name, "face.webp": RANDOM.integers(0, 256, (side, side, 3)).astype(np.uint8), "json": {}}


def test_a_batch_has_the_voices_and_faces_of_its_people():
    read = VoiceFaceInputs(voices=1, faces=2, side=112)
    given = {"voices": [voice("a1", 900), voice("b1", 700)], "faces": [face("a", 80), *map(face, ("a2", "b", "b2"))]}
    batch = read({"identities": ["a", "b"], **given})
    assert batch["keys"] == ["a1", "b1"] and batch["identities"] == ["a", "b"]
    assert batch["wave"].shape == (2, 900) and batch["length"].tolist() == [900, 700]
    assert torch.equal(batch["wave"][1, :700], torch.from_numpy(given["voices"][1]["voice.flac"]))
    assert not batch["wave"][1, 700:].any()
    assert batch["face"].shape == (4, 3, 112, 112) and batch["face"].dtype == torch.uint8
    assert torch.equal(batch["face"][2], torch.from_numpy(given["faces"][2]["face.webp"]).permute(2, 0, 1))
    assert read.samples == {"voices": 1, "faces": 2}
    assert VoiceFaceInputs(voices=0, faces=2, side=112).samples == {"faces": 2}


def test_one_person_alone_is_no_batch():
    read = VoiceFaceInputs(voices=1, faces=1, side=112)
    assert read({"identities": ["a"], "voices": [voice("a1", 900)], "faces": [face("a")]}) == {"keys": [], "dropped": 1}


def test_what_cannot_be_read_is_said():
    read = VoiceFaceInputs(voices=1, faces=1, side=112)
    good = {"identities": ["a", "b"], "voices": [voice("a1", 900)] * 2, "faces": [face("a")] * 2}
    with pytest.raises(ValueError, match=r"a1: voice.flac of shape \(900,\) at 44100 Hz, expected"):
        read(good | {"voices": [voice("a1", 900, sample_rate=44_100)] * 2})
    with pytest.raises(ValueError, match="no field 'face.webp'"):
        read(good | {"faces": [face("a"), {"__key__": "b", "json": {}}]})
    with pytest.raises(ValueError, match=r"b: a face of shape \(9, 9\)"):
        read(good | {"faces": [face("a"), {"__key__": "b", "face.webp": np.zeros((9, 9), np.uint8), "json": {}}]})


def test_crops_lie_within_the_recording_and_short_ones_are_repeated():
    wave = torch.zeros(64, 100, dtype=torch.int16)
    wave[:32, :100] = torch.arange(1, 101)
    wave[32:, :6] = torch.arange(1, 7)
    length = torch.tensor([100] * 32 + [6] * 32)
    crops = random_crops(wave, length, 10) * 32_768
    assert crops.shape == (64, 10)
    assert (crops[:32].diff() == 1).all() and crops[:32, 0].unique().numel() > 10
    assert crops[32:].tolist() == [[1, 2, 3, 4, 5, 6, 1, 2, 3, 4]] * 32
    assert crops[:32].max() <= 100


def test_half_of_the_faces_are_mirrored():
    faces = torch.arange(4.0).expand(256, 3, 2, 4)
    turned = mirrored(faces)[:, 0, 0, 0] == 3
    assert 90 < turned.sum() < 166
    assert torch.equal(mirrored(faces).sort(3).values, faces)
