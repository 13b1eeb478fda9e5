"""Voices to train speaker embedders on: one talker alike in all recordings, and the same space each time."""

import numpy as np
import pytest
from facevox.builders.population.speaker_training import TrainingOptions, training_space
from facevox.builders.population.talkers import BLOCK, compose, draw_talker, record, talk
from facevox.models.core.speaker_space import fit, shipped
from facevox.models.core.voice_frames import voice_frames
from facevox.models.core.voice_vector import MEASURES, voiced_frames

SMALL = TrainingOptions(talkers=2, people=1, recordings=2, seconds=1.6, window=0.8)


def test_a_talker_speaks_at_their_pitch():
    for number in range(4):
        talker = draw_talker(1, number)
        sound = record(talk(talker, 4, np.random.default_rng(number)), np.random.default_rng(number))
        frames = voice_frames(sound)
        voiced = voiced_frames(frames)
        assert sound.dtype == np.int16 and len(sound) == 64_000
        assert 0.3 < voiced.mean() < 0.98
        assert abs(np.log2(np.median(frames.pitch[voiced]) / talker.pitch)) < 0.4
    pitches = [draw_talker(1, number).pitch for number in range(60)]
    assert min(pitches) < 110 and max(pitches) > 220


def test_talkers_say_something_else_each_time_and_the_same_again_from_one_seed():
    talker = draw_talker(1, 0)
    first, again, other = (talk(talker, 1, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert np.array_equal(first, again) and not np.allclose(first, other)
    score = compose(talker, 16_000 // BLOCK, np.random.default_rng(0))
    assert score.formants.shape == (200, 3) and (score.formants > 100).all()


def test_the_space_is_the_same_for_any_number_of_workers():
    space = training_space(SMALL)
    assert space.shape == (1 + MEASURES, MEASURES) and space.dtype == np.float32
    assert np.array_equal(space, training_space(SMALL, workers=2))


def test_the_shipped_space_has_the_measures_of_today():
    mean, directions = shipped()
    assert mean.shape == (MEASURES,) and directions.shape == (MEASURES, MEASURES)
    assert np.isfinite(directions).all() and np.linalg.matrix_rank(directions) == MEASURES


def test_the_direction_that_tells_speakers_apart_comes_first_and_noise_counts_for_little():
    random = np.random.default_rng(0)
    speakers = random.standard_normal(200)
    vectors = random.standard_normal((200, 12, 3)) * [1, 5, 1]
    vectors[..., 0] += 3 * speakers[:, None]
    space = fit(vectors).astype(float)
    assert np.abs(space[1] / np.linalg.norm(space[1]))[0] > 0.99
    within = (vectors - vectors.mean(1, keepdims=True)).reshape(-1, 3) @ space[1:].T
    assert within.std(0)[0] > 1.5 * within.std(0)[1]


@pytest.mark.parametrize("wrong", [np.zeros((1, 4, 3)), np.zeros((4, 1, 3)), np.full((3, 3, 3), np.nan)])
def test_too_little_to_fit_is_refused(wrong):
    with pytest.raises(ValueError, match="2 speakers"):
        fit(wrong)
