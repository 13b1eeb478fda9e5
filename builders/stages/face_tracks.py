"""Faces of frames that lie a second apart: which of them are one person still in place, and which nearly the same.

A descriptor costs more than finding the face, so one serves a whole track: faces of consecutive sampled frames that
overlap and look alike. Whoever looks different starts a new track: a cut to another person at the same place is told by
the pixels of the aligned faces. ALIKE_ABOVE errs on the side of new tracks: of 15 real clips, faces of different people
correlate by at most 0.88, those of one talker a second later by 0.8 to 0.99 (median of a clip).
"""

from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ...models.core.detectors import Box, Face
from ...models.core.face_crops import aligned_crop, box_crop

Look = NDArray[np.uint8]
"""A face in small, (24, 24, 3) uint8 RGB: with its five points at fixed places, else its box."""
SIDE = 24
OVERLAP = 0.3
"""Shared over joint area of the boxes of one track's neighbouring faces."""
ALIKE_ABOVE = 0.9
"""Correlation over all pixels and colours of two looks of one track."""
COLOUR_STEP = 16.0
"""By which the mean of a colour may change between them, of 255."""
LONGEST = 10
"""Faces that one descriptor serves."""
REMEMBERED = 512
"""Kept faces of a video that a new one is held against."""


def look(image: NDArray[np.uint8], face: Face) -> Look:
    """The face in small. Raises ValueError where its box has no pixel in the picture (H, W, 3) uint8 RGB."""
    if face.points is None:
        return box_crop(image, face.box, (SIDE, SIDE))
    aligned = aligned_crop(image, face.points)
    return np.asarray(cv2.resize(aligned, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def likeness(looks: NDArray[np.uint8], other: Look) -> NDArray[np.float64]:
    """Correlation, -1 to 1, of looks (N, 24, 24, 3) with another one; 0 for pictures of one colour."""
    first = looks.reshape(len(looks), -1).astype(np.float64)
    first -= first.mean(1, keepdims=True)
    second = other.reshape(-1).astype(np.float64)
    second -= second.mean()
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second)
    return np.asarray(np.divide(first @ second, lengths, out=np.zeros(len(looks)), where=lengths > 0))


def overlap(first: Box, second: Box) -> float:
    """Shared over joint area of two boxes."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    shared = max(width, 0.0) * max(height, 0.0)
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (first, second))
    return shared / (areas - shared) if areas > shared else 0.0


@dataclass
class _Track:
    number: int
    box: Box
    look: Look
    faces: int = 1


class Tracks:
    """Gives every face of a video's sampled frames the number of its track; one for each video."""

    def __init__(self) -> None:
        self._running: list[_Track] = []
        self.count = 0

    def add(self, faces: list[tuple[Box, Look]]) -> list[int]:
        """The tracks of one frame's faces, in their order; a number from `count` before the call on is a new track."""
        left, running, numbers = list(self._running), [], []
        for box, own in faces:
            track = max(
                (one for one in left if _continues(one, box, own)), key=lambda one: overlap(one.box, box), default=None
            )
            if track is None:
                track = _Track(self.count, box, own, 0)
                self.count += 1
            else:
                left.remove(track)
            running.append(_Track(track.number, box, own, track.faces + 1))
            numbers.append(track.number)
        self._running = running
        return numbers


def _continues(track: _Track, box: Box, own: Look) -> bool:
    if track.faces >= LONGEST or overlap(track.box, box) < OVERLAP:
        return False
    step = np.abs(track.look.mean((0, 1)) - own.mean((0, 1))).max()
    return bool(step <= COLOUR_STEP and likeness(track.look[None], own)[0] >= ALIKE_ABOVE)


class Duplicates:
    """Tells faces that are nearly the same as one kept before in the same video."""

    def __init__(self, above: float) -> None:
        self._above = above
        self._kept: deque[Look] = deque(maxlen=REMEMBERED)

    def add(self, own: Look) -> bool:
        """Whether a look correlates with a kept one by more than the bound; if not, it is kept."""
        if self._above < 1 and self._kept and likeness(np.stack(self._kept), own).max() > self._above:
            return True
        self._kept.append(own)
        return False
