"""Which face is the speaker's, and how it is cut out."""

from fractions import Fraction

import numpy as np
import pytest
from facevox.builders.core.stage import Clock, Reject
from facevox.builders.stages.avspeech_faces import choose, clamped, cut, find_speaker
from facevox.builders.stages.video import Shot
from facevox.models.core.detectors import Face

LEFT, RIGHT, LARGE = (
    Face((10, 10, 50, 60), 0.5), Face((60, 10, 100, 60), 3.0), Face((0, 0, 110, 110), 2.0)
)  # fmt: skip


@pytest.mark.parametrize(
    ("faces", "point", "chosen"),
    [
        ((RIGHT, LEFT), (30, 30), LEFT),
        ((RIGHT, LEFT), (99, 59), RIGHT),
        ((RIGHT, LEFT), (53, 5), LEFT),
        ((RIGHT, LEFT), (58, 300), RIGHT),
        # Both hold the point: the nearer middle. The large one's middle is (55, 55).
        ((LARGE, LEFT), (30, 33), LEFT),
        ((LARGE, LEFT), (48, 55), LARGE),
        # A box that holds the point comes before one whose middle is nearer.
        ((Face((0, 0, 60, 200), 1.0), Face((61, 0, 69, 8), 9.0)), (59, 4), Face((0, 0, 60, 200), 1.0)),
    ],
)
def test_the_box_that_holds_the_point_else_the_nearest_middle(faces, point, chosen):
    assert choose(faces, *point) == chosen


def test_boxes_are_cut_at_the_frame_and_stretched():
    assert clamped(Face((-5.4, 3.6, 300.0, 40.2), 1), 120, 80) == (0, 4, 120, 40)
    assert clamped(Face((200, 90, 210, 95), 1), 120, 80) == (119, 79, 120, 80)
    ramp = np.broadcast_to(np.arange(120, dtype=np.uint8)[None, :, None], (80, 120, 3))
    face = cut(np.ascontiguousarray(ramp), (8, 10, 120, 66))
    assert face.shape == (224, 224, 3)
    # Twice as wide: pixel i lies at 8 + (i + 0.5) / 2 - 0.5, between two columns.
    wanted = np.clip(8 + (np.arange(224) + 0.5) / 2 - 0.5, 8, 119)
    assert np.abs(face[100, :, 0] - wanted).max() <= 0.5 + 1e-6


class Film:
    """Frames by second, as `Video.shots` gives them."""

    seconds = 3.0

    def __init__(self, frames):
        self.frames = frames

    def shots(self, moments):
        for moment in moments:
            picture = self.frames.get(int(moment))
            yield None if picture is None else Shot(np.full((80, 120, 3), picture, np.uint8), float(moment))


class Finder:
    """Finds a face in pictures brighter than 100, and counts how often it is asked."""

    name = "bright"
    asked = 0

    def __call__(self, image):
        self.asked += 1
        return [LEFT, RIGHT] if image[0, 0, 0] > 100 else []


def test_the_first_frame_with_a_face_is_taken_and_no_further_one_looked_at():
    finder, clock = Finder(), Clock()
    found = find_speaker(Film({5: 0, 6: 0, 7: 200, 8: 250}), (5_000, 9_000), (0.7, 0.4), finder, clock)
    assert (found.attempt, found.seconds, finder.asked, found.faces, found.inside) == (3, 7.0, 3, 2, True)
    assert (found.box, found.frame_size) == ((60, 10, 100, 60), (120, 80))
    assert found.distance == pytest.approx(np.hypot(80 - 84, 35 - 32) / 40)
    assert Fraction(found.seconds) == 7


@pytest.mark.parametrize(
    ("frames", "span", "stage", "asked"),
    [
        ({}, (0, 4_000), "no frame", 0),
        ({0: 0, 1: 0}, (0, 4_000), "no face", 2),
        (dict.fromkeys(range(20), 0), (0, 20_000), "no face", 6),
        (dict.fromkeys(range(20), 0), (0, 2_001), "no face", 3),
        (dict.fromkeys(range(20), 0), (0, 2_000), "no face", 2),
    ],
)
def test_without_a_face_the_stage_says_why(frames, span, stage, asked):
    finder, clock = Finder(), Clock()
    with pytest.raises(Reject):
        find_speaker(Film(frames), span, (0.5, 0.5), finder, clock)
    assert (clock.failed, finder.asked) == (stage, asked)
