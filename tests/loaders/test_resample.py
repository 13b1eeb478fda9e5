"""Resampled sounds are the same sounds."""

import numpy as np
import pytest
from facevox.loaders.resample import resample


def tone(hertz: float, rate: int, seconds: float = 1.0) -> np.ndarray:
    return np.rint(8000 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.int16)


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 24_000, 44_100, 48_000])
def test_a_tone_stays_the_tone_and_keeps_its_length(rate):
    there = resample(tone(440, rate), rate, 16_000)
    assert there.dtype == np.int16
    assert abs(len(there) - 16_000) <= 1
    middle = slice(400, 15_600)
    assert np.abs(there[middle].astype(int) - tone(440, 16_000)[middle]).max() <= 1


def test_what_the_new_rate_cannot_hold_is_gone():
    assert np.abs(resample(tone(9_000, 48_000), 48_000, 16_000)[400:-400].astype(int)).max() <= 1


def test_equal_rates_loud_sounds_and_silence():
    sound = np.array([32_767, -32_768] * 2000, np.int16)
    assert resample(sound, 16_000, 16_000) is sound
    square = np.repeat(np.array([32_767, -32_768] * 50, np.int16), 40)
    ringing = resample(square, 24_000, 16_000)
    assert (ringing.max(), ringing.min()) == (32_767, -32_768)
    assert not resample(np.zeros(4800, np.int16), 48_000, 16_000).any()
    assert np.array_equal(resample(square, 44_100, 16_000), resample(square.copy(), 44_100, 16_000))


@pytest.mark.parametrize("rates", [(0, 16_000), (16_000, -1), (10_000_000, 16_000)])
def test_impossible_rates_are_an_error(rates):
    with pytest.raises(ValueError, match="expected rates of 1 to 384,000 Hz"):
        resample(np.zeros(10, np.int16), *rates)
