"""Padding: what is real is untouched and marked, what is not is neither."""

import numpy as np
import pytest
from facevox.loaders.padding import Padding, padded
from hypothesis import given, settings
from hypothesis import strategies as st


@given(st.lists(st.integers(0, 12), min_size=1, max_size=6), st.integers(-3, 2), st.integers(1, 5))
@settings(max_examples=100, deadline=None)
def test_masks_tell_what_is_real(lengths, axis, multiple):
    random = np.random.default_rng(len(lengths))
    values = [random.normal(size=(*(3, 4)[: axis % 3], n, *(3, 4)[axis % 3 :])) for n in lengths]
    whole, found = padded(values, axis, -9.0, multiple)
    assert found.tolist() == lengths
    assert whole.shape[1:][axis] % multiple == 0
    assert whole.shape[1:][axis] - max(lengths) < multiple
    for one, value, length in zip(whole, values, lengths, strict=True):
        real, rest = np.split(one, [length], axis)
        assert np.array_equal(real, value)
        assert (rest == -9).all()


def test_batches_of_sounds_clips_and_spectrograms():
    def sample(key, seconds):
        rest = {"sf2f.array": np.ones((40, seconds * 10), np.float32), "face.jpg": np.zeros((5, 4, 3), np.uint8)}
        sounds = {
            "voice.flac": np.full(seconds * 100, 7, np.int16),
            "visual.webp": np.ones((seconds, 2, 2, 3), np.uint8),
        }
        return {"__key__": key, "json": {"seconds": seconds}, **sounds, **rest}

    batch = Padding(multiple=64)([sample("a", 1), sample("b", 3)])
    assert batch["__key__"] == ["a", "b"]
    assert batch["voice.flac"].shape == (2, 320)
    assert batch["voice.flac.mask"].sum(1).tolist() == batch["voice.flac.length"].tolist() == [100, 300]
    assert (batch["voice.flac"] != 0).tolist() == batch["voice.flac.mask"].tolist()
    assert batch["sf2f.array"].shape == (2, 40, 64)
    assert batch["visual.webp"].shape == (2, 64, 2, 2, 3)
    assert batch["face.jpg"].shape == (2, 5, 4, 3)
    assert "face.jpg.mask" not in batch
    kept = Padding(axis={"sf2f.array": None, "visual.webp": None})([sample("a", 1), sample("b", 3)])
    assert [one.shape for one in kept["sf2f.array"]] == [(40, 10), (40, 30)]


def test_what_cannot_be_padded_is_told():
    with pytest.raises(ValueError, match=r"mel: shapes \(3, 4\), \(4, 5\) differ in more than axis -1"):
        padded([np.zeros((3, 4)), np.zeros((4, 5))], -1, name="mel")
    with pytest.raises(ValueError, match="b has no 'voice.flac'"):
        Padding()([{"__key__": "a", "voice.flac": np.zeros(3, np.int16)}, {"__key__": "b"}])
    with pytest.raises(ValueError, match="expected 1 or more"):
        Padding(multiple=0)
