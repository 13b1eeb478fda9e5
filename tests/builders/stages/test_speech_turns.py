"""Turns of a made-up target: between pauses, at edges without one, never across a pause that may part speakers."""

from itertools import pairwise

import numpy as np
import pytest
from facevox.builders.stages.speech_turns import FRAME_MS, stretches, turns, voiced_levels, windows_of_turn
from facevox.builders.stages.target_speech import WindowOptions

OPTIONS = WindowOptions(3, 0.5, 10, 0.8)


def share_of(*target):
    def score(start, end):
        assert end > start
        return sum(max(0, min(end, stop) - max(start, begin)) for begin, stop in target) / (end - start)

    return score


def kept(voice, *target, options=OPTIONS):
    score = share_of(*target)
    return [window for turn in turns(voice, score, options) for window in windows_of_turn(turn, score, score, options)]


def levels(length, *voiced):
    track = np.full(length // FRAME_MS, -np.inf, np.float32)
    for start, end, level in voiced:
        track[start // FRAME_MS : end // FRAME_MS] = level
    return track


def test_stretches_end_where_the_voice_does_not_where_its_echo_dies():
    track = levels(20_000, (1000, 6000, -20), (6000, 6300, -48), (9000, 12_000, -25), (12_200, 15_000, -25))
    (first, second) = stretches(track, 20_000)
    assert abs(first[0] - 1000) <= 30 and abs(first[1] - 6000) <= 50
    assert abs(second[0] - 9000) <= 30 and abs(second[1] - 15_000) <= 50, "a pause inside a sentence parts nothing"
    assert stretches(levels(5000), 5000) == []


def test_a_turn_of_the_target_is_kept_from_edge_to_edge_and_others_are_not():
    windows = kept([(500, 9300), (10_000, 15_000), (16_000, 19_700)], (500, 9300), (16_000, 19_700))
    assert windows[0][0] == 500 and windows[-1][1] == 19_700
    assert sum(end - start for start, end in windows) == 8800 + 3700
    assert all(3000 <= end - start <= 10_000 for start, end in windows)
    assert all(first[1] <= second[0] for first, second in pairwise(windows))


@pytest.mark.parametrize(("begin", "end"), [(2500, 12_000), (0, 7700), (3150, 9050)])
def test_edges_without_a_pause_come_within_a_tenth_of_a_second(begin, end):
    windows = kept([(0, 12_000)], (begin, end))
    assert abs(windows[0][0] - begin) <= 100 and abs(windows[-1][1] - end) <= 100


def test_short_stretches_are_joined_over_a_longer_pause_when_both_are_the_targets():
    voice = [(0, 2000), (2800, 4600), (5400, 6800)]
    windows = kept(voice, (0, 6800))
    assert (windows[0][0], windows[-1][1]) == (0, 6800) and sum(end - start for start, end in windows) == 6800
    assert kept(voice, (0, 2000), (5400, 6800)) == [], "somebody else's word between parts them"
    apart = kept([(0, 4000), (4600, 8600)], (0, 8600))
    assert all(not (start < 4000 and end > 4600) for start, end in apart), "long ones are not joined"


def test_long_turns_are_cut_at_s_max():
    windows = kept([(0, 47_000)], (0, 47_000))
    assert sum(end - start for start, end in windows) == 47_000
    assert max(end - start for start, end in windows) <= 10_000 and min(end - start for start, end in windows) >= 3000


def test_voiced_levels_do_not_depend_on_the_pieces_they_are_read_in():
    time = np.arange(16_000 * 23) / 16_000
    wave = np.sign(np.sin(2 * np.pi * 120 * time)) * (np.sin(2 * np.pi * 0.2 * time) > 0) * 8000
    sound = (wave + np.random.default_rng(0).normal(0, 3, len(wave))).astype(np.int16)
    track = voiced_levels(lambda first, end: sound[first:end], len(sound))
    assert len(track) == (len(sound) - 640) // 160 + 1
    (first, *_) = stretches(track, 23_000)
    assert abs(first[0]) <= 50 and abs(first[1] - 2500) <= 60
    assert not np.isfinite(voiced_levels(lambda first, end: sound[first:end], 500)).any()
