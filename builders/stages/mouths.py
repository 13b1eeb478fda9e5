"""Mouth crops by the published rule: chin landmarks of the aligned visual frame, one box for visual and thermal."""

import cv2
import numpy as np
from numpy.typing import NDArray

from .faces import Image

MOUTH_SIZE = (128, 64)
"""Width and height of a published mouth crop (streams 4 and 5)."""
UPPER_LANDMARK = {1: 2, 2: 2, 3: 1, 4: 1, 5: 1, 6: 1, 7: 2, 8: 2, 9: 2}
"""Camera position -> the chin landmark whose row is the upper edge, as most published command lines have it."""
SIDEWAYS = {4: 20, 5: 20, 6: 20, 7: -20, 8: -20, 9: -20}
"""Camera position -> columns of the 464x348 frame by which the box moves towards the mouth of a turned face."""

PixelBox = tuple[int, int, int, int]
"""left, top, right, bottom in whole pixels; right and bottom are outside."""


def mouth_box(points: NDArray[np.float32], position: int, upper: int | None = None, scale: float = 1.0) -> PixelBox:
    """The mouth box of a face by the published rule, in pixels of the aligned (and thermal) frame.

    `points` (68, 2) are landmarks in that frame, `upper` the chin landmark 0 to 3 of the published line (None: the
    usual one of the position), `scale` the frame's size over the release's. The box may reach beyond the frame.
    Raises ValueError for another position, upper landmark or shape.
    """
    if position not in UPPER_LANDMARK or np.shape(points) != (68, 2):
        raise ValueError(f"position {position}, points of {np.shape(points)}: expected 1 to 9 and (68, 2)")
    upper = UPPER_LANDMARK[position] if upper is None else upper
    if not 0 <= upper <= 3:
        raise ValueError(f"upper landmark {upper}: expected 0 to 3")
    aside = SIDEWAYS.get(position, 0) * scale
    edges = (points[2, 0] + aside, points[upper, 1], points[14, 0] + aside, points[6, 1])
    left, top, right, bottom = (round(float(edge)) for edge in edges)
    return left, top, right, bottom


def mouth_crop(frame: Image, box: PixelBox) -> Image | None:
    """The box cut out of an aligned or thermal frame (H, W, 3) uint8: (64, 128, 3) uint8, area interpolation.

    The box is cut at the frame's edges first; None when nothing of it is inside.
    """
    height, width = frame.shape[:2]
    left, top, right, bottom = max(box[0], 0), max(box[1], 0), min(box[2], width), min(box[3], height)
    if left >= right or top >= bottom:
        return None
    return np.asarray(cv2.resize(frame[top:bottom, left:right], MOUTH_SIZE, interpolation=cv2.INTER_AREA), np.uint8)
