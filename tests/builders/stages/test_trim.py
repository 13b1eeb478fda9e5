"""The end of an utterance: speech that ends at a known sample is found, and at most a second is left."""

import numpy as np
import pytest
from facevox.builders.population.people import draw
from facevox.builders.population.voices import REST, microphones, speak
from facevox.builders.stages.trim import proposed_samples, speech_end, trim

RATE = 44_100


def recording(seconds: float, silence: float, noise: float, seed: int) -> tuple[np.ndarray, int]:
    random = np.random.default_rng(seed)
    count = round(seconds * RATE)
    spoken = speak(draw(0, seed), "turn off the kitchen light please", count, random)
    # The microphone goes on after the words: its own hiss is in the silence too.
    heard = microphones(np.pad(spoken, (0, round(silence * RATE))), random)[0]
    track = heard + random.normal(0, noise, len(heard))
    return np.clip(np.round(track), -32768, 32767).astype(np.int16), round(count * (1 - REST))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("noise", [0.0, 5.0, 40.0, 150.0])
def test_speech_ends_where_it_was_forged_to_end(seed, noise):
    sound, end = recording(2.0, 1.7, noise, seed)
    found = speech_end(sound, sound)
    assert found is not None
    assert abs(found - end) < 0.12 * RATE
    kept = proposed_samples(sound, sound)
    assert kept is not None
    assert kept % 1575 == 0
    assert kept <= found + RATE < kept + 1575


def test_short_silence_is_kept_whole():
    sound, _ = recording(2.0, 0.5, 20.0, 3)
    assert proposed_samples(sound, sound) == len(sound)


@pytest.mark.parametrize("kind", ["silent", "hiss", "hum", "empty", "click"])
def test_nothing_is_proposed_where_no_speech_is_heard(kind):
    random = np.random.default_rng(1)
    sound = {
        "silent": np.zeros(RATE),
        "hiss": random.normal(0, 300, RATE),
        "hum": 3000 * np.sin(np.arange(RATE) / 40),
        "empty": np.zeros(0),
        "click": np.where(np.arange(RATE) == 20_000, 9000, random.normal(0, 30, RATE)),
    }[kind].astype(np.int16)
    assert proposed_samples(sound, sound) is None


def test_a_person_overrules_the_proposal():
    assert trim(50, 40, None) == (40, "proposal")
    assert trim(50, None, None) == (50, "")
    assert trim(50, 50, None) == (50, "")
    assert trim(50, 40, 45) == (45, "decision")
    assert trim(50, None, 12) == (12, "decision")
    assert trim(50, 40, 90) == (50, "decision")
