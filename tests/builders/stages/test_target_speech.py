import itertools
import math

import pytest
from facevox.builders.stages.target_speech import WindowOptions, find_windows
from hypothesis import given
from hypothesis import strategies as st


def inside(*spans):
    """A score of 1 for windows within a span of speech, 0 for any other."""
    return lambda start, end: float(any(first <= start and end <= last for first, last in spans))


def growing(*spans):
    """Better with length within a span, 0 as soon as a window leaves it."""
    return lambda start, end: inside(*spans)(start, end) * (0.7 + (end - start) / 100)


def share_spoken(start, end):
    """The part of a window that lies within 5 to 17 s, as in the acceptance check of the specification."""
    return max(0.0, min(end, 17) - max(start, 5)) / (end - start)


@pytest.mark.parametrize("length", [17, 17.2, 20, 60])
def test_a_score_of_the_share_spoken(length):
    strict = list(find_windows(share_spoken, length, WindowOptions(threshold=0.999)))
    assert [(window.start, window.end) for window in strict] == [(5, 8), (8, 11), (11, 14), (14, 17)]
    # A lower threshold lets a window begin before the speech; it then grows while that makes up for it.
    loose = list(find_windows(share_spoken, length))
    assert (loose[0].start, loose[0].end) == (4, 14)
    assert all(share_spoken(window.start, window.end) > 0.6 for window in loose)
    printed = list(find_windows(share_spoken, length, WindowOptions(threshold=0.999, strict_paper=True)))
    assert [window.score for window in printed if window.start < 3] == [0]


def test_windows_lie_within_speech_only():
    found = list(find_windows(growing((10, 25)), 40))
    assert [(window.start, window.end) for window in found] == [(10, 20), (20, 25)]
    assert [window.score for window in found] == pytest.approx([0.8, 0.75])


def test_a_score_of_one_keeps_the_shortest_windows():
    found = list(find_windows(inside((10, 25)), 40))
    assert [(window.start, window.end) for window in found] == [(10, 13), (13, 16), (16, 19), (19, 22), (22, 25)]


def test_a_beginning_within_a_turned_down_window_is_not_cut():
    found = list(find_windows(growing((4.5, 9.5)), 12))
    assert [(window.start, window.end) for window in found] == [(4.5, 9.5)]


def test_the_last_window_reaches_the_end_of_the_track():
    assert [(window.start, window.end) for window in find_windows(growing((0, 12)), 12)] == [(0, 10)]
    assert [(window.start, window.end) for window in find_windows(growing((2, 12)), 12)] == [(2, 12)]
    assert [(window.start, window.end) for window in find_windows(growing((0, 3)), 3)] == [(0, 3)]
    assert list(find_windows(growing((0, 3)), 2.999)) == []


def test_strict_paper_records_what_scores_nothing_and_loses_the_end():
    options = WindowOptions(strict_paper=True)
    found = list(find_windows(growing((9, 25)), 40, options))
    assert [(window.start, window.end) for window in found if window.score] == [(9, 25)]
    assert [window.score for window in found] == pytest.approx([0, 0, 0, 0.86, 0, 0, 0, 0])
    assert found[-1].end == 37
    cut = list(find_windows(growing((10, 25)), 40, options))
    assert [(window.start, window.end) for window in cut if window.score] == [(12, 25)]
    assert list(find_windows(growing((0, 40)), 40, options)) == []


def test_no_window_is_scored_twice_and_scores_are_asked_as_windows_are_taken():
    asked = []

    def score(start, end):
        asked.append((start, end))
        return growing((10, 25))(start, end)

    first = next(find_windows(score, 3600))
    assert first.end == asked[-1][1] == 20
    assert len(set(asked)) == len(asked) == 20 + 15


def test_a_score_that_is_no_number_is_below_the_threshold():
    assert list(find_windows(lambda start, end: math.nan, 20)) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"s_min": 11},
        {"s_step": 0},
        {"s_min": 0},
        {"s_step": -1},
        {"s_max": math.inf},
        {"s_min": math.nan},
        {"s_step": 0.0005},
        {"threshold": math.nan},
        {"s_step": 0.1234567},
    ],
)
def test_lengths_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValueError, match="expected"):
        WindowOptions(**wrong)


lengths = st.integers(1, 400).map(lambda tenths: tenths / 10)


@given(
    cells=st.lists(st.floats(-1, 1), min_size=1, max_size=60),
    length=lengths,
    shape=st.tuples(st.integers(1, 40), st.integers(1, 20), st.integers(0, 60)),
    threshold=st.floats(-1, 1),
)
def test_windows_are_ordered_apart_within_lengths_and_above_the_threshold(cells, length, shape, threshold):
    def score(start, end):
        assert 0 <= start < end <= length + 1e-9
        return cells[(round(start * 10) * 31 + round(end * 10)) % len(cells)]

    options = WindowOptions(shape[0] / 10, shape[1] / 10, (shape[0] + shape[2]) / 10, threshold)
    found = list(find_windows(score, length, options))
    for window in found:
        assert options.s_min - 1e-9 <= window.end - window.start <= options.s_max + 1e-9
        assert window.end <= length + 1e-9
        assert window.score > threshold
        assert window.score == score(window.start, window.end)
        steps = (window.end - window.start - options.s_min) / options.s_step
        assert abs(steps - round(steps)) < 1e-6
        grown = window.end + options.s_step
        if grown <= min(length, window.start + options.s_max) + 1e-9:
            assert score(window.start, grown) <= window.score
    for one, other in itertools.pairwise(found):
        assert one.end <= other.start


@given(spans=st.lists(st.tuples(st.integers(0, 30), st.integers(3, 30)), min_size=1, max_size=4))
def test_speech_on_the_grid_is_found_but_for_tails_too_short(spans):
    """Recall: of every span all but its last seconds, fewer than s_min, is in a window; precision: nothing else is."""
    at, speech = 0.0, []
    for pause, spoken in spans:
        # Spans that touch are one span to a window that slides.
        start = at + max(pause, 1) / 2
        at = start + spoken
        speech.append((start, at))
    found = list(find_windows(growing(*speech), at + 1))
    for first, last in speech:
        within = [window for window in found if first <= window.start and window.end <= last]
        assert within[0].start == first
        assert all(one.end == other.start for one, other in itertools.pairwise(within))
        assert last - within[-1].end < 3
    assert all(any(first <= window.start and window.end <= last for first, last in speech) for window in found)
