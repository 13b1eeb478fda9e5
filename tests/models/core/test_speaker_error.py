"""How far the shipped embedder errs; `pytest -s` prints the rows of the table in docs/speaker-embedding.md."""

import itertools

import numpy as np
import pytest
import soundfile
from facevox.builders.population.people import draw
from facevox.builders.population.voices import RATE as FORGED_RATE
from facevox.builders.population.voices import speak
from facevox.loaders.resample import resample
from facevox.models.core.speaker import open_speaker_embedder

WINDOW, STEP = 48_000, 24_000
"""Samples: 3 s, as Algorithm 1's shortest window, every 1.5 s; a recording shorter than 3 s is one window."""
WHOLE, THREE_SECONDS, FORGED = 0.05, 0.05, 0.17
"""Bounds of the equal error rates: one of the 21 pairs of whole utterances of one speaker is 0.048."""
TEXT = "play the weather report for tomorrow and open every window of the living room please now"


def windows(sound):
    return [sound[start : start + WINDOW] for start in range(0, max(1, len(sound) - WINDOW + 1), STEP)]


def equal_error_rate(same, different):
    """Where as large a share of the same voice's pairs is below as of the others' pairs is not."""
    limits = np.unique(np.concatenate([same, different]))
    missed = np.searchsorted(np.sort(same), limits) / len(same)
    passed = 1 - np.searchsorted(np.sort(different), limits) / len(different)
    at = np.argmin(np.abs(missed - passed))
    return (missed[at] + passed[at]) / 2


def trials(voices, cut):
    """{speaker: recordings} -> cosines of all pairs of one speaker's different recordings, and of two speakers'."""
    embed = open_speaker_embedder("mfcc")
    pieces = [
        (speaker, number, piece)
        for speaker, recordings in voices.items()
        for number, sound in enumerate(recordings)
        for piece in cut(sound)
    ]
    cosines = (lambda found: found @ found.T)(embed([piece for _, _, piece in pieces]))
    same, different = [], []
    for (one, first), (other, second) in itertools.combinations(enumerate(pieces), 2):
        if first[0] != second[0]:
            different.append(cosines[one, other])
        elif first[1] != second[1]:
            same.append(cosines[one, other])
    return np.array(same), np.array(different)


def report(what, same, different):
    rate = equal_error_rate(same, different)
    print(
        f"\n| {what} | {len(same):,} | {len(different):,} | {rate:.1%} | {np.percentile(same, 10):.2f} |"
        f" {np.median(same):.2f} | {np.median(different):.2f} | {np.percentile(different, 99):.2f} |",
        end="",
    )
    return rate


def test_the_rate_itself():
    assert equal_error_rate(np.array([0.5, 0.9]), np.array([0.1, 0.2])) == 0
    assert equal_error_rate(np.array([0.1, 0.9]), np.array([0.0, 0.5])) == 0.5
    random = np.random.default_rng(0)
    assert abs(equal_error_rate(random.normal(2, 1, 20_000), random.normal(0, 1, 20_000)) - 0.1587) < 0.01


@pytest.fixture(scope="module")
def librispeech(real):
    folder = real / "voices" / "librispeech"
    return {
        speaker.name: [soundfile.read(file, dtype="int16")[0] for file in sorted(speaker.glob("*.flac"))]
        for speaker in sorted(folder.iterdir())
        if speaker.is_dir()
    }


@pytest.mark.real
def test_the_error_on_librispeech(librispeech):
    assert len(librispeech) == 7 and {len(recordings) for recordings in librispeech.values()} == {3}
    assert report("LibriSpeech, whole utterances", *trials(librispeech, lambda sound: [sound])) <= WHOLE
    assert report("LibriSpeech, windows of 3 s", *trials(librispeech, windows)) <= THREE_SECONDS


def test_the_error_on_forged_people():
    voices = {}
    for number in range(20):
        person, random = draw(8, number), np.random.default_rng(number)
        voices[number] = []
        for _ in range(2):
            sound = speak(person, " ".join(random.choice(TEXT.split(), 24)), 6 * FORGED_RATE, random)
            sound = sound + 0.001 * random.standard_normal(len(sound))
            voices[number].append(resample(np.asarray(sound * 30_000, np.int16), FORGED_RATE, 16_000))
    assert report("forged people, windows of 3 s", *trials(voices, windows)) <= FORGED
