"""Faces of a web photo, searched for from coarse to fine, and the landmarks of the largest one.

dlib's detector costs 0.13 s a megapixel and needs a face of 80 px. A portrait's face is found at a fifth of the photo's
size, so that the search begins there and goes on only while nothing is found or a second face could be missed: three
times as fast as doubling every photo, with the same faces on the 104 real pictures it was tried on.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ...models.core.detectors import Box, Detector, Face
from .faces import Image, Landmarks

Points = NDArray[np.float64]

WORKING_SIDE = 1600
"""Longest side in px at which landmarks are set; larger photos are made smaller first."""
COARSE_SIDE = 480
"""Longest side in px of the first search."""
FINEST = 2.0
"""Enlargement of the last search: faces of 40 px, with pupils some 17 px apart, are still found, and turned down."""
SURE_WIDTH = 160
"""Width in px of the largest face in the last search: then one half as wide still has dlib's 80 px."""
RIVAL_SHARE = 0.5
"""A second face of at least this share of the largest one's width makes a picture of several people."""
PUPILS = (slice(36, 42), slice(42, 48))
"""The landmarks of the eyes, left of the picture first; a pupil is taken for the middle of its six."""
CHIP_SIDE, CHIP_FACE = 400, 200
"""The part of the photo in which landmarks are set, and the face's width in it, in px."""
SHIFTS = ((0.0, 0.0), (0.04, 0.0), (-0.04, 0.0), (0.0, 0.04), (0.0, -0.04))
"""Shifts of the box, in widths, over which landmarks are averaged."""


@dataclass(frozen=True)
class CandidateFace:
    """The largest face of a photo, in px of the photo (integer pixel centres)."""

    box: Box
    """left, top, right, bottom; right and bottom are outside; it may reach beyond the photo."""
    score: float
    points: Points
    """(68, 2) x, y in dlib's order; may lie outside."""
    count: int
    """Faces found in the photo."""
    rival: float
    """Width of the second largest over that of this one; 0 where there is one face."""

    @property
    def pupils(self) -> Points:
        """(2, 2) x, y, the eye at the left of the picture first."""
        return np.array([self.points[eye].mean(0) for eye in PUPILS])

    @property
    def ipd(self) -> float:
        """Distance of the pupils in px."""
        left, right = self.pupils
        return float(np.linalg.norm(right - left))

    def outside(self, width: int, height: int) -> int:
        """How many of the 68 points lie beyond a photo of that size."""
        return int(((self.points < -0.5) | (self.points > (width - 0.5, height - 0.5))).any(1).sum())


def largest_face(photo: Image, detector: Detector, landmarks: Landmarks) -> CandidateFace | None:
    """The largest face of an RGB photo (H, W, 3) uint8, or None."""
    scale = min(1.0, WORKING_SIDE / max(photo.shape[:2]))
    working = _resized(photo, scale)
    faces = sorted(search(working, detector), key=lambda face: (-_width(face), -face.score, face.box))
    if not faces:
        return None
    box = faces[0].box
    left, top, right, bottom = (edge / scale for edge in box)
    return CandidateFace(
        (left, top, right, bottom),
        faces[0].score,
        (mean_landmarks(working, box, landmarks) + 0.5) / scale - 0.5,
        len(faces),
        _width(faces[1]) / _width(faces[0]) if len(faces) > 1 else 0.0,
    )


def search(picture: Image, detector: Detector) -> list[Face]:
    """Faces of a picture in its own px: at COARSE_SIDE, then larger, until the largest is SURE_WIDTH or at FINEST."""
    scale = min(FINEST, COARSE_SIDE / max(picture.shape[:2]))
    while True:
        found = detector(_resized(picture, scale))
        widest = max((_width(face) for face in found), default=0.0)
        if scale >= FINEST or widest >= SURE_WIDTH:
            return [_scaled(face, scale) for face in found]
        # A hundredth more, since dlib's boxes come in steps.
        scale = min(FINEST, scale * (1.01 * SURE_WIDTH / widest if widest else 2.0))


def mean_landmarks(picture: Image, box: Box, landmarks: Landmarks) -> Points:
    """(68, 2) points in px of the picture: the mean over shifted boxes, on the face made CHIP_FACE px wide.

    Over turns, shifts and sizes of the same 21 real faces the five-point asymmetry of this mean scatters by 0.0033
    pupil distances (standard deviation), that of a single reading by 0.0067.
    """
    left, top, right, bottom = box
    chip, scale, corner = _chip(picture, ((left + right) / 2, (top + bottom) / 2), right - left)
    found = []
    for right_by, down_by in SHIFTS:
        x, y = (CHIP_SIDE / 2 + shift * CHIP_FACE for shift in (right_by, down_by))
        edges = (x - CHIP_FACE / 2, y - CHIP_FACE / 2, x + CHIP_FACE / 2, y + CHIP_FACE / 2)
        found.append(landmarks(chip, edges).astype(np.float64))
    return np.asarray((np.mean(found, 0) + 0.5) / scale + corner - 0.5)


def _chip(picture: Image, middle: tuple[float, float], width: float) -> tuple[Image, float, tuple[int, int]]:
    """A square about a face, CHIP_SIDE px wide, edges repeated; its scale, and its first px in the picture."""
    side = round(width * CHIP_SIDE / CHIP_FACE)
    left, top = (round(place - side / 2) for place in middle)
    height, wide = picture.shape[:2]
    columns = np.clip(np.arange(left, left + side), 0, wide - 1)
    rows = np.clip(np.arange(top, top + side), 0, height - 1)
    size = (CHIP_SIDE, CHIP_SIDE)
    how = cv2.INTER_AREA if side > CHIP_SIDE else cv2.INTER_CUBIC
    chip = cv2.resize(np.ascontiguousarray(picture[np.ix_(rows, columns)]), size, interpolation=how)
    return np.asarray(chip, np.uint8), CHIP_SIDE / side, (left, top)


def _resized(picture: Image, scale: float) -> Image:
    if scale == 1.0:
        return picture
    height, width = (max(1, round(edge * scale)) for edge in picture.shape[:2])
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (width, height), interpolation=how), np.uint8)


def _scaled(face: Face, scale: float) -> Face:
    left, top, right, bottom = (edge / scale for edge in face.box)
    return Face((left, top, right, bottom), face.score)


def _width(face: Face) -> float:
    return face.box[2] - face.box[0]
