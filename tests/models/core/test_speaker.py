"""Speaker embedders: the same voice near, another far, what is no speech nowhere near."""

import itertools

import numpy as np
import pytest
from facevox.builders.population.people import draw
from facevox.builders.population.voices import RATE as FORGED_RATE
from facevox.builders.population.voices import speak
from facevox.loaders.resample import resample
from facevox.models.core.speaker import open_speaker_embedder

TEXT = "play the weather report for tomorrow and open every window of the living room please now"


def say(subject, seconds, seed, gender=None):
    """(samples,) int16 at 16 kHz of a forged person."""
    random = np.random.default_rng([subject, seed])
    sound = np.concatenate(
        [
            speak(draw(3, subject, gender), " ".join(random.permutation(TEXT.split())), 3 * FORGED_RATE, random)
            for _ in range(-(-seconds // 3))
        ]
    )
    sound = sound + 0.001 * random.standard_normal(len(sound))
    return resample((np.clip(sound, -1, 1) * 32_767).astype(np.int16), FORGED_RATE, 16_000)[: 16_000 * seconds]


def chords(seconds, random):
    """Music-like: a new chord of four steady tones every half second."""
    clock = np.arange(8_000) / 16_000
    pieces = [
        sum(np.sin(2 * np.pi * 55 * 2 ** (note / 12) * clock) for note in random.integers(12, 48, 4))
        for _ in range(2 * seconds)
    ]
    return (np.concatenate(pieces) * 3000).astype(np.int16)


def others(seconds=3):
    random = np.random.default_rng(0)
    count = 16_000 * seconds
    return {
        "silence": np.zeros(count, np.int16),
        "hiss": (20 * random.standard_normal(count)).astype(np.int16),
        "noise": (3000 * random.standard_normal(count)).astype(np.int16),
        "chords": chords(seconds, random),
    }


@pytest.fixture(scope="module")
def embed():
    return open_speaker_embedder("mfcc")


def test_vectors_are_unit_and_the_same_each_time(embed):
    windows = [say(1, 3, 0), *others().values()]
    found = embed(windows)
    assert found.dtype == np.float32 and found.shape[0] == len(windows)
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    assert np.array_equal(found, np.concatenate([embed([window]) for window in windows]))
    assert embed([]).shape[0] == 0


def test_a_track_gives_what_its_windows_give(embed):
    sound = np.concatenate([say(1, 6, 0), others()["silence"], say(2, 9, 1)])
    reads = []

    def read(first, end):
        reads.append((first, end))
        return sound[first:end]

    track = embed.track(read, len(sound))
    spans = [(start, start + long) for start in range(0, 160_000, 24_000) for long in (48_000, 56_000, 120_000)]
    for first, end in [*spans, (0, 48_000), (len(sound) - 48_000, len(sound)), (0, 640)]:
        assert np.array_equal(track(first, end), embed([sound[first:end]])[0])
    in_order = reads[: next(at for at in range(1, len(reads)) if reads[at][0] <= reads[at - 1][0])]
    assert max(end - first for first, end in reads) < 16_000 * 11
    assert all(one[1] - other[0] == 480 for one, other in itertools.pairwise(in_order))


def test_silence_noise_and_chords_are_nowhere_near_a_voice(embed):
    voices = embed([say(subject, 3, 0) for subject in range(6)])
    scores = voices @ embed(list(others().values())).T
    assert scores[:, :3].max() < 0.2
    assert scores.max() < 0.6


def test_one_voice_is_nearer_than_another(embed):
    own = embed([say(subject, 3, seed) for subject in range(4) for seed in (0, 1)])
    scores = own @ own.T
    for at in range(8):
        assert scores[at, at ^ 1] == np.sort(scores[at])[-2]


@pytest.mark.parametrize("wrong", [np.zeros(639, np.int16), np.zeros(48_000, np.float32), np.zeros((2, 900), np.int16)])
def test_another_sound_is_refused(embed, wrong):
    with pytest.raises(ValueError, match="expected int16 of one channel"):
        embed([wrong])


@pytest.mark.parametrize("span", [(-1, 48_000), (0, 48_001), (100, 200), (48_000, 0)])
def test_a_window_outside_the_track_is_refused(embed, span):
    with pytest.raises(ValueError, match="inside 48,000"):
        embed.track(lambda first, end: np.zeros(end - first, np.int16), 48_000)(*span)


def test_a_track_that_gives_too_little_is_refused(embed):
    with pytest.raises(ValueError, match="only 100 of them came"):
        embed.track(lambda first, end: np.zeros(100, np.int16), 48_000)(0, 48_000)


def test_unknown_names_are_answered_with_the_nearest():
    with pytest.raises(ValueError, match="mfcc"):
        open_speaker_embedder("mfc")
