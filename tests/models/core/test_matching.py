"""Ranking faces for a voice."""

import torch
from facevox.models.core.matching import AT_ONCE, Match, Matcher, ranked


class Bright:
    """The brighter the face, the better."""

    side = 2

    def match(self, sound, faces):
        return faces.float().mean((1, 2, 3)) + sound.sum()


def test_all_faces_are_ranked_and_equal_ones_stay_in_order():
    shades = [3, 9, 3, *[1] * AT_ONCE]
    faces = [(f"f{at}", torch.full((3, 2, 2), shade, dtype=torch.uint8)) for at, shade in enumerate(shades)]
    assert isinstance(Bright(), Matcher)
    found = ranked(Bright(), torch.zeros(4, dtype=torch.int16), faces)
    assert found[:3] == [Match("f1", 9.0), Match("f0", 3.0), Match("f2", 3.0)]
    assert len(found) == len(shades)
    assert ranked(Bright(), torch.zeros(4), []) == []
