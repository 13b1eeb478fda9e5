"""What a face's pixels are worth: sharpness, and the marks of drawings."""

import cv2
import numpy as np

from .candidate_faces import CandidateFace, Points
from .faces import Image

SHARP_IPD = 60
"""Pupil distance in px at which sharpness is measured; smaller faces as they are. A face's own size would decide
otherwise: the same face has a sixth of the variance at three times the size."""
COLOUR_STEPS, COLOUR_PIXELS = 8, 1000
"""Levels per cell of colours, and how many pixels of the face, evenly spread, are looked at."""
PAINTED_ABOVE = 550
CARTOON_ABOVE = 0.45


def sharpness(photo: Image, face: CandidateFace) -> float:
    """Variance of the Laplacian of the grey face between ears, brows and chin, pupils at most SHARP_IPD px apart."""
    part, _ = _face_part(photo, face)
    grey = cv2.cvtColor(part, cv2.COLOR_RGB2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_64F).var())


def style(photo: Image, face: CandidateFace) -> tuple[int, float]:
    """(distinct colours in COLOUR_PIXELS of the face, share of its pixels that equal their right neighbour)."""
    part, points = _face_part(photo, face)
    inside = np.zeros(part.shape[:2], np.uint8)
    cv2.fillConvexPoly(inside, np.round(cv2.convexHull(points.astype(np.float32))).astype(np.int32), 1)
    where = inside.astype(bool)
    colours = part[where]
    if not len(colours):
        return 0, 0.0
    drawn = colours[np.linspace(0, len(colours) - 1, COLOUR_PIXELS).astype(int)] // COLOUR_STEPS
    pairs = where[:, 1:] & where[:, :-1]
    equal = (part[:, 1:] == part[:, :-1]).all(-1)[pairs]
    return len(np.unique(drawn, axis=0)), float(equal.mean()) if len(equal) else 0.0


def looks_drawn(colours: int, flat: float) -> bool:
    """Whether the face has the many colours of a painting or the flat areas of a cartoon.

    A photographed face has few hues: at most 468 distinct colours in 68 real photos, 632 in the one painting at hand.
    What this does not flag may be drawn all the same.
    """
    return colours > PAINTED_ABOVE or flat > CARTOON_ABOVE


def _face_part(photo: Image, face: CandidateFace) -> tuple[Image, Points]:
    """The part of the photo with the face, pupils at most SHARP_IPD px apart, and the 68 landmarks in its px."""
    height, width = photo.shape[:2]
    x, y = face.pupils.mean(0)
    left, right = (int(np.clip(round(x + side * face.ipd), 0, width)) for side in (-1.0, 1.0))
    top, bottom = (int(np.clip(round(y + side * face.ipd), 0, height)) for side in (-0.6, 1.6))
    left, top = min(left, width - 1), min(top, height - 1)
    part = photo[top : max(bottom, top + 1), left : max(right, left + 1)]
    scale = min(1.0, SHARP_IPD / face.ipd)
    size = tuple(max(1, round(edge * scale)) for edge in (part.shape[1], part.shape[0]))
    if scale < 1:
        part = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)
    return np.ascontiguousarray(part), (face.points - (left, top) + 0.5) * scale - 0.5
