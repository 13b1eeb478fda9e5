"""Voices: exact lengths, two microphones, pitch and timbre of the person."""

import numpy as np
import pytest
from facevox.builders.population.people import draw
from facevox.builders.population.voices import (
    FRAME_SAMPLES,
    RATE,
    loudness,
    microphones,
    speak,
    syllables,
    voice_of,
)

TEXT = "turn on the little kitchen light please"


def spoken(subject: int, gender: str, seed: int = 0) -> np.ndarray:
    return speak(draw(0, subject, gender), TEXT, 3 * RATE + 17, np.random.default_rng(seed))


def measured_pitch(wave: np.ndarray) -> float:
    """Median autocorrelation pitch in Hz of the loud pieces."""
    found = []
    for start in range(0, len(wave) - 4096, 4096):
        piece = wave[start : start + 4096]
        if np.abs(piece).mean() < 0.03:
            continue
        spectrum = np.abs(np.fft.rfft(piece * np.hanning(4096), 8192)) ** 2
        echo = np.fft.irfft(spectrum)[RATE // 400 : RATE // 70]
        found.append(RATE / (RATE // 400 + int(echo.argmax())))
    return float(np.median(found))


def test_length_is_exact_and_the_same_seed_gives_the_same_sound():
    wave = spoken(1, "Male")
    assert wave.shape == (3 * RATE + 17,)
    assert np.abs(wave).max() <= 1.0
    assert np.array_equal(wave, spoken(1, "Male"))
    assert not np.array_equal(wave, spoken(2, "Male"))


def test_a_frame_lasts_1575_samples():
    assert FRAME_SAMPLES == 1575
    assert FRAME_SAMPLES * 28 == RATE


def test_syllables_come_from_the_text():
    assert [vowel for _, vowel in syllables("open the door")] == ["o", "e", "e", "o"]
    assert syllables("") == [("", "a")]


def test_women_speak_higher_than_men_and_as_high_as_planned():
    for subject in range(1, 7):
        for gender in ("Female", "Male"):
            planned = voice_of(draw(0, subject, gender)).pitch
            assert measured_pitch(spoken(subject, gender)) == pytest.approx(planned, rel=0.2)
    mean = {
        gender: np.mean([voice_of(draw(0, subject, gender)).pitch for subject in range(1, 60)])
        for gender in ("Female", "Male")
    }
    assert mean["Female"] > 1.5 * mean["Male"]


def test_the_mouth_follows_the_loudness():
    wave = spoken(3, "Female")
    level = loudness(wave, len(wave) // FRAME_SAMPLES)
    assert level.shape == (84,)
    assert level.min() >= 0
    assert level.max() <= 1
    assert level.max() > 0.6
    assert level.min() < 0.2
    assert loudness(np.zeros(FRAME_SAMPLES * 3), 3).tolist() == [0, 0, 0]


def test_two_microphones_hear_the_same_a_little_differently():
    left, right = microphones(spoken(4, "Male"), np.random.default_rng(1))
    assert left.dtype == np.int16
    assert left.shape == right.shape
    assert not np.array_equal(left, right)
    near = max(np.corrcoef(left[:-20], np.roll(right, -shift)[:-20])[0, 1] for shift in range(12))
    assert near > 0.99


def test_planted_noise_is_loud():
    wave = spoken(5, "Female")
    clean, noisy = (microphones(wave, np.random.default_rng(1), noise)[0].astype(float) for noise in (False, True))
    assert np.std(noisy - clean) > 0.3 * np.std(clean)
