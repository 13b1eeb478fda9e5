"""The 224 thermal colours."""

import cv2
import numpy as np
import pytest
from facevox.loaders.palette import OUTSIDE, heat_colours, heat_index, palette


def test_anchors_of_the_published_palette():
    colours = palette()
    assert colours.shape == (224, 3)
    anchors = {
        0: (0, 17, 24),
        16: (21, 0, 107),
        64: (164, 10, 160),
        128: (253, 115, 27),
        192: (255, 230, 58),
        223: (243, 255, 255),
    }
    assert all(tuple(colours[index]) == rgb for index, rgb in anchors.items())
    assert len(np.unique(colours, axis=0)) == 224
    assert np.abs(np.diff(colours.astype(int), axis=0)).sum(1).max() == 12


def test_index_and_colours_are_inverse():
    index = np.arange(224, dtype=np.uint8).reshape(14, 16)
    assert np.array_equal(heat_index(heat_colours(index)), index)
    assert heat_index(np.array([[[1, 2, 3]]], np.uint8))[0, 0] == OUTSIDE
    with pytest.raises(IndexError):
        heat_colours(np.array([224], np.uint8))


@pytest.mark.real
def test_the_real_captures_use_these_colours_and_no_other(real):
    used = set()
    captures = sorted((real / "speakingfaces" / "calibration").glob("*_0.png"))
    assert len(captures) == 7
    for capture in captures:
        index = heat_index(cv2.imread(str(capture), cv2.IMREAD_COLOR_RGB))
        assert not (index == OUTSIDE).any()
        used |= set(np.unique(index).tolist())
    assert used <= set(range(224))
    assert len(used) > 200
