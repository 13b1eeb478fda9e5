"""Every paper's spectrogram equals an independent one."""

import math
from pathlib import Path

import librosa
import numpy as np
import pytest
import python_speech_features
import scipy.signal
import soundfile
import torch
from facevox.models.core.filterbank import mel_edges, of_equal_area, triangles
from facevox.models.core.sound import (
    LOG_FLOOR,
    SF2F,
    VOICE2FACE,
    MelOptions,
    PiczakOptions,
    Speech2FaceOptions,
    filters,
    mel,
    piczak,
    piczak_segments,
    piczak_spectrogram,
    repeat,
    sf2f,
    speech2face,
    vfmr,
    voice2face,
)


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


def forged_voice(seconds: float = 1.7, rate: int = 16_000, pitch: float = 130.0) -> np.ndarray:
    """A gliding buzz with pauses over faint noise, (samples,) int16."""
    time = np.arange(int(seconds * rate)) / rate
    phase = 2 * np.pi * np.cumsum(pitch * (1 + 0.2 * np.sin(2 * np.pi * 1.3 * time))) / rate
    buzz = sum(np.sin(k * phase) / k for k in range(1, 30)) * (np.sin(2 * np.pi * 2.1 * time) > -0.4)
    return (4000 * buzz + np.random.default_rng(3).normal(0, 12, len(time))).astype(np.int16)


def real_voices(real: Path) -> list[np.ndarray]:
    """Utterances of four people, (samples,) int16 at 16 kHz."""
    files = ["librispeech/1688/1688-142285-0002.flac", "librispeech/2414/2414-128291-0009.flac"]
    files += ["librispeech/3331/3331-159605-0004.flac"]
    sounds = [soundfile.read(real / "voices" / name, dtype="int16") for name in files]
    sounds.append(soundfile.read(real / "talking/audio/vr_face3.wav", dtype="int16"))
    assert all(rate == 16_000 for _, rate in sounds)
    return [samples for samples, _ in sounds]


@pytest.fixture(params=["forged", pytest.param("real", marks=pytest.mark.real)])
def voices(request):
    if request.param == "forged":
        return [forged_voice(1.7), forged_voice(1.0, pitch=210.0), forged_voice(0.31)]
    return real_voices(request.getfixturevalue("real"))


def as_wave(samples: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(samples.astype(np.float32) / 32768)


def test_sf2f_equals_python_speech_features(voices):
    for samples in voices:
        theirs = (python_speech_features.logfbank(samples, nfilt=40).T - 10.9915) / 3.1661
        ours = sf2f(as_wave(samples))
        assert ours.shape == theirs.shape == (40, 1 + math.ceil((len(samples) - 400) / 160))
        assert ours.dtype == torch.float32
        np.testing.assert_allclose(ours.numpy(), theirs, atol=2e-4)


def test_sf2f_numbers_of_the_paper_and_its_code():
    assert sf2f(torch.zeros(16_000)).shape == (40, 99)
    assert pytest.approx(-3.4716, abs=5e-5) == SF2F.padding
    assert sf2f(torch.zeros(120)).shape == (40, 1)
    silence = (math.log(np.finfo(float).eps) - 10.9915) / 3.1661
    assert torch.allclose(sf2f(torch.zeros(1000)), torch.tensor(silence, dtype=torch.float32))
    # Released mean and deviation are those of voices: a loud one lies about 0, not about 20 as in -1..1 units.
    assert abs(float(sf2f(as_wave(forged_voice())).mean())) < 1.5


def sphinx(samples: np.ndarray) -> np.ndarray:
    """Independent, frame by frame and bin by bin: (64, frames) log power before normalisation."""
    corners = 700 * (10 ** (np.linspace(2595 * np.log10(1 + 20 / 700), 2595 * np.log10(1 + 7200 / 700), 66) / 2595) - 1)
    bins = [round(corner / 15.625) for corner in corners]
    bank = np.zeros((513, 64))
    for band in range(64):
        left, middle, right = bins[band : band + 3]
        height = 2 / ((right - left) * 15.625)
        for k in range(left, middle + 1):
            bank[k, band] = height * (k - left) / (middle - left)
        for k in range(middle, right):
            bank[k, band] = height * (right - k) / (right - middle)
    rows, before = [], 0.0
    for start in range(0, len(samples) + 1, 160):
        rest = samples[start : start + 400].astype(float)
        frame = np.resize(rest, 400) if len(rest) else np.zeros(400)
        emphasised = frame - 0.97 * np.concatenate([[before], frame[:-1]])
        before = frame[-1]
        rows.append(np.log(np.maximum(np.abs(np.fft.rfft(emphasised * np.hamming(400), 1024)) ** 2 @ bank, 1e-5)))
    return np.array(rows).T


def test_voice2face_equals_a_plain_loop(voices):
    for samples in [*voices, voices[0][:16_000]]:
        raw = sphinx(samples)
        theirs = (raw - raw.mean(1, keepdims=True)) / raw.std(1, keepdims=True)
        ours = voice2face(as_wave(samples))
        assert ours.shape == theirs.shape == (64, len(samples) // 160 + 1)
        np.testing.assert_allclose(ours.numpy(), theirs, atol=2e-3)
        assert torch.allclose(ours.mean(-1), torch.zeros(64), atol=1e-4)
        assert torch.allclose(ours.std(-1, correction=0), torch.ones(64), atol=1e-4)


def test_voice2face_repeats_short_spectrograms():
    short = voice2face(as_wave(forged_voice(3.0)))
    long = repeat(short, VOICE2FACE.least_frames)
    assert long.shape == (64, 1000)
    assert torch.equal(long[:, 301:602], short)
    assert torch.equal(long[:, 903:], short[:, :97])
    assert repeat(long, 300) is long


def test_piczak_equals_librosa(voices):
    for samples in voices:
        higher = librosa.resample(samples / 32768, orig_sr=16_000, target_sr=22_050).astype(np.float32)
        clip = (higher * 32768 + 0.5) / 32767.5
        clip = clip / np.abs(clip).max()
        ours = piczak(torch.from_numpy(higher))
        theirs = []
        for start in range(0, len(clip) - 20_480 + 1, 10_240):
            segment = clip[start : start + 20_480]
            power = librosa.feature.melspectrogram(
                y=segment, sr=22_050, n_fft=1024, hop_length=512, n_mels=60, pad_mode="reflect"
            )
            level = librosa.power_to_db(power, ref=1.0, amin=1e-10, top_db=80)
            if level.mean() > -70:
                theirs.append(np.stack([level, librosa.feature.delta(level, width=9)]))
        assert ours.shape == (len(theirs), 2, 60, 41)
        if theirs:
            np.testing.assert_allclose(ours.numpy(), np.array(theirs), atol=5e-3)


def test_piczak_leaves_out_silence_and_the_tail():
    loud = torch.from_numpy(np.random.default_rng(0).normal(0, 0.1, 51_000).astype(np.float32))
    assert piczak(loud).shape == (3, 2, 60, 41)
    assert piczak(loud[:20_479]).shape == piczak(torch.zeros(51_000)).shape == (0, 2, 60, 41)
    mostly_silent = torch.cat([loud[:20_480], torch.zeros(40_960)])
    assert len(piczak_spectrogram(piczak_segments(mostly_silent))) == 5
    assert len(piczak(mostly_silent)) == 2
    plain = piczak(loud)
    standard = piczak(loud, PiczakOptions(standardize=(-20.0, 4.0)))
    assert torch.allclose(standard[:, 0] * 4 - 20, plain[:, 0], atol=1e-3)
    assert torch.allclose(standard[:, 1] * 4, plain[:, 1], atol=1e-3)


def test_vfmr_equals_librosa(voices):
    for samples in voices:
        magnitude = np.abs(
            librosa.stft(samples / 32768, n_fft=512, win_length=400, hop_length=160, window="hann", pad_mode="reflect")
        )[:, : len(samples) // 160]
        theirs = (magnitude - magnitude.mean(0)) / (magnitude.std(0) + 1e-5)
        ours = vfmr(as_wave(samples))
        assert ours.shape == (257, len(samples) // 160)
        np.testing.assert_allclose(ours.numpy(), theirs, atol=2e-3)
    assert vfmr(as_wave(forged_voice(2.5))).shape == (257, 250)


@pytest.mark.parametrize("mode", ["real_imag", "mag_phase"])
def test_speech2face_equals_scipy(voices, mode):
    options = Speech2FaceOptions(mode=mode)
    for samples in voices:
        long = np.resize(samples / 32768, 96_000)
        window = scipy.signal.get_window("hann", 400)
        theirs = np.array([np.fft.rfft(long[at : at + 400] * window, 512) for at in range(0, 96_000 - 399, 160)])
        ours = speech2face(as_wave(samples), options).numpy()
        assert ours.shape == (2, 598, 257)
        if mode == "mag_phase":
            np.testing.assert_allclose(ours[0], np.abs(theirs) ** 0.3, atol=2e-3)
            # The angle of almost nothing is anybody's guess: weigh it by what it belongs to.
            apart = np.abs(np.exp(1j * ours[1]) - np.exp(1j * np.angle(theirs))) * np.abs(theirs)
            assert apart.max() < 1e-4
            assert np.abs(ours[1]).max() <= np.float32(np.pi)
        else:
            back = np.sign(ours) * np.abs(ours.astype(float)) ** (1 / 0.3)
            np.testing.assert_allclose(back[0] + 1j * back[1], theirs, atol=1e-4)


def test_speech2face_numbers_of_the_sheet():
    constant = torch.ones(96_000)
    # The Hann window sums to 200 at frequency 0.
    assert torch.allclose(speech2face(constant)[0, :, 0], torch.tensor(200.0**0.3), rtol=1e-4)
    assert torch.allclose(speech2face(-constant)[0, :, 0], torch.tensor(-(200.0**0.3)), rtol=1e-4)
    two_seconds = as_wave(forged_voice(2.0))
    assert torch.equal(speech2face(two_seconds), speech2face(two_seconds.repeat(3)))
    assert torch.equal(speech2face(two_seconds.repeat(5)), speech2face(two_seconds))


@pytest.mark.parametrize("paper", [sf2f, voice2face, vfmr, speech2face])
@pytest.mark.parametrize(
    "device",
    ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"))],
)
def test_batches_equal_single_waves(paper, device):
    waves = torch.stack([as_wave(forged_voice(0.8, pitch=pitch)) for pitch in (110.0, 160.0, 230.0, 300.0)])
    batch = paper(waves.reshape(2, 2, -1).to(device))
    assert batch.device.type == device
    single = torch.stack([paper(wave) for wave in waves])
    assert batch.shape == (2, 2, *single.shape[1:])
    assert torch.allclose(batch.cpu().flatten(0, 1), single, atol=2e-3)


@pytest.mark.parametrize("paper", [sf2f, voice2face, vfmr, speech2face])
def test_an_empty_wave_is_an_error(paper):
    with pytest.raises(ValueError, match="sound of 0 samples"):
        paper(torch.zeros(0))


def test_filters_as_the_papers_lay_them_out():
    theirs = librosa.filters.mel(sr=22_050, n_fft=1024, n_mels=60)
    edges = mel_edges(60, 0, 11_025, "slaney")
    ours = of_equal_area(triangles(edges, torch.linspace(0, 11_025, 513, dtype=torch.float64)), edges)
    np.testing.assert_allclose(ours.T.numpy(), theirs, atol=1e-8)
    assert np.allclose(mel_edges(40, 0, 8000).numpy(), librosa.mel_frequencies(42, fmin=0, fmax=8000, htk=True))
    assert not triangles(torch.tensor([1.0, 1.0, 1.0]), torch.arange(3.0)).any()
