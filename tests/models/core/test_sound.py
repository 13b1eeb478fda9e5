"""The mel spectrogram equals an independent one."""

import librosa
import numpy as np
import pytest
import torch
from facevox.models.core.sound import LOG_FLOOR, MelOptions, filters, mel


def librosa_mel(wave: np.ndarray, rate: int) -> np.ndarray:
    power = librosa.feature.melspectrogram(
        y=wave, sr=rate, n_fft=400, hop_length=200, n_mels=128, htk=True, norm=None, pad_mode="reflect", power=2
    )
    return power.T


@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_equal_to_librosa(rate):
    wave = np.random.default_rng(0).uniform(-1, 1, 17_640).astype(np.float32)
    ours = mel(torch.from_numpy(wave), MelOptions(rate=rate)).numpy()
    theirs = librosa_mel(wave, rate)
    assert ours.shape == theirs.shape == (89, 128)
    assert ours.dtype == np.float32
    assert np.abs(ours - theirs).max() <= 1e-4 * np.abs(theirs).max()
    heard = theirs > 1e-3
    assert (np.abs(ours - theirs)[heard] / theirs[heard]).max() < 1e-4


def test_batches_logarithm_and_the_empty_bands():
    wave = torch.randn(2, 3, 1000)
    power, log = mel(wave, MelOptions()), mel(wave, MelOptions(log=True))
    assert power.shape == (2, 3, 6, 128)
    assert torch.allclose(log, (power + LOG_FLOOR).log10())
    assert torch.allclose(mel(wave[1, 2], MelOptions()), power[1, 2], rtol=1e-4, atol=1e-4)
    # 128 bands on 201 bins: the lowest triangles fall between two bins, more of them for the true rate.
    empty = [int((filters(MelOptions(rate=rate)).sum(0) == 0).sum()) for rate in (16_000, 44_100)]
    assert empty == [4, 16]


def test_a_sound_too_short_is_an_error():
    with pytest.raises(ValueError, match="sound of 200 samples: a spectrogram needs more than 200"):
        mel(torch.zeros(200), MelOptions())
