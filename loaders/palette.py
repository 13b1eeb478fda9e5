"""The 224 colours of SpeakingFaces' thermal frames: RGB to heat index and back."""

from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

OUTSIDE = 255
"""Index given to a pixel whose colour is not one of the 224."""


@cache
def palette() -> NDArray[np.uint8]:
    """The camera's "Iron" colours, (224, 3) uint8 RGB, dark (cold) to bright (hot).

    Source: read off the ten public calibration captures, which use these 224 colours and no other.
    """
    table = np.loadtxt(Path(__file__).parent / "data" / "iron_palette.csv", delimiter=",", skiprows=1, dtype=np.int64)
    colours = table[:, -3:].astype(np.uint8)
    colours.flags.writeable = False
    return colours


@cache
def _index_of_colour() -> NDArray[np.uint8]:
    """Lookup from a packed 24-bit RGB colour to its palette index, OUTSIDE elsewhere; 16 MiB."""
    lookup = np.full(1 << 24, OUTSIDE, np.uint8)
    lookup[_packed(palette())] = np.arange(len(palette()), dtype=np.uint8)
    return lookup


def _packed(rgb: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """(..., 3) uint8 -> (...) uint32: red in the lowest byte. OpenCV adds the fourth byte faster than numpy shifts."""
    line = np.ascontiguousarray(rgb).reshape(1, -1, 3)
    wide = cv2.cvtColor(line, cv2.COLOR_RGB2RGBA).view("<u4")
    packed: NDArray[np.uint32] = (wide & 0xFFFFFF).reshape(rgb.shape[:-1])
    return packed


def heat_index(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Palette index of every pixel: (..., 3) uint8 RGB -> (...) uint8 in 0..223, or OUTSIDE (255) off the palette.

    The index rises with apparent heat; a grey conversion does not (it has 201 values and 7 downward steps).
    """
    return _index_of_colour()[_packed(rgb)]


def heat_colours(index: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """RGB of palette indices: (...) uint8 in 0..223 -> (..., 3) uint8. Raises IndexError above 223."""
    return palette()[index]
