"""One face through a clip: detected when needed, followed by its landmarks in between; and its place in thermal frames.

Detection costs ten times what landmarks cost, and a head that talks hardly moves from one frame to the next. So a
face is searched for in a clip's first frame, twice a second, and whenever following it fails; in between the box goes
where the last landmarks went.

Agreement with a search in every frame (dlib-hog): the mean landmark distance is below a tenth of the eye distance in
100 % of the frames of nine real GRID clips (median 0.7 %), in 96.2 % of four livelier real clips (in 3.3 % of them
only following found the face, the search did not), and in 99.2 % of forged frames. The boxes overlap by 0.8 or more
in 90, 71 and 96 % of the frames; dlib's box sizes come in steps of a fifth, so that searches in neighbouring frames do
so only in 95, 83 and 97 %.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from ...models.core.detectors import Box, Detector, open_detector, open_landmarks

Image = NDArray[np.uint8]
Points = NDArray[np.float32]

WORKING_WIDTH = 384
"""Width in pixels at which faces are searched and followed: half of the visual frame; dlib's smallest face, 80 px
there, is 160 px in the frame, and the published frames show faces of about 200 px."""
DETECT_EVERY = 14
"""Frames after which a followed face is searched for anew: half a second. Twice that loses turning heads."""
INNER = slice(17, 68)
"""Brows, nose, eyes and mouth: steadier than the chin line."""
ALIKE_ABOVE = 0.6
"""Correlation of the face's pixels with those of the frame before, under which a face is searched for anew."""
STEP_BELOW = 0.15
"""A followed face's landmarks move by less than this share of its width in a frame (root mean square)."""
BORDER_BELOW = 0.25
"""Where no face is found, it is searched for again with a border of this share of the height below the picture, black
and then mirrored: a face whose chin is cut is found there."""


class Landmarks(Protocol):
    """Finds 68 points (68, 2) of the face in a box of an RGB picture."""

    def __call__(self, image: Image, box: Box) -> NDArray[np.int32]: ...


@dataclass(frozen=True)
class TrackedFace:
    """A face in one frame, in that frame's pixels (integer pixel centres)."""

    box: Box
    """left, top, right, bottom; right and bottom are outside. It may reach beyond the picture."""
    points: Points
    """(68, 2) float32 x, y in dlib's order: 0-16 chin from image left to right, 48-67 mouth. May lie outside."""
    detected: bool
    """Whether it was searched for in this frame, not followed from the one before."""


def working_frame(visual: Image) -> Image:
    """The frame at most WORKING_WIDTH pixels wide, (H, W, 3) uint8; smaller frames as they are."""
    height, width = visual.shape[:2]
    if width <= WORKING_WIDTH:
        return visual
    size = (WORKING_WIDTH, round(height * WORKING_WIDTH / width))
    return np.asarray(cv2.resize(visual, size, interpolation=cv2.INTER_AREA), np.uint8)


class FaceTracker:
    """Follows the surest face of one clip; make a new one for every clip, so that no clip depends on another."""

    def __init__(self, detector: Detector, landmarks: Landmarks) -> None:
        self._detect, self._landmarks = detector, landmarks
        self._box: Box | None = None
        self._found: Points | None = None
        self._points: Points | None = None
        self._grey: Image | None = None
        self._age = 0
        self.searched = 0
        """Frames in which a face was searched for."""

    def add(self, working: Image, grey: Image, factor: float = 1.0) -> TrackedFace | None:
        """The face in the next frame, or None.

        `working` (H, W, 3) uint8 RGB is the frame as `working_frame` gives it, `grey` (H, W) uint8 the same in grey,
        `factor` the width of the frame over that of `working`: the face is returned in pixels of the frame.
        """
        box = self._follow(grey)
        points = None if box is None else self._checked(self._landmarks(working, box).astype(np.float32))
        detected = points is None
        if points is None:
            box = self._search(working)
            points = None if box is None else self._landmarks(working, box).astype(np.float32)
            self._box, self._found, self._age = box, points, 0
        self._points, self._grey = points, grey
        self._age += 1
        if box is None or points is None:
            return None
        left, top, right, bottom = (edge * factor for edge in box)
        return TrackedFace((left, top, right, bottom), (points + 0.5) * np.float32(factor) - np.float32(0.5), detected)

    def _follow(self, grey: Image) -> Box | None:
        """The box moved as eyes, nose and mouth did since it was found; None where a search is due.

        Its size stays: a size taken from the landmarks feeds on itself and drifts when a head turns.
        """
        if self._box is None or self._found is None or self._points is None or self._age >= DETECT_EVERY:
            return None
        dx, dy = (float(shift) for shift in (self._points[INNER] - self._found[INNER]).mean(0))
        left, top, right, bottom = self._box
        box = (left + dx, top + dy, right + dx, bottom + dy)
        return box if self._alike(grey, box) else None

    def _alike(self, grey: Image, box: Box) -> bool:
        """Whether the pixels in the box are still those of the frame before, by normalised correlation."""
        height, width = grey.shape
        left, top, right, bottom = (round(edge) for edge in box)
        area = np.s_[max(top, 0) : min(bottom, height) : 2, max(left, 0) : min(right, width) : 2]
        if self._grey is None or grey[area].size < 64:
            return False
        now, before = np.ascontiguousarray(grey[area]), np.ascontiguousarray(self._grey[area])
        return float(cv2.matchTemplate(now, before, cv2.TM_CCOEFF_NORMED)[0, 0]) > ALIKE_ABOVE

    def _checked(self, points: Points) -> Points | None:
        """The followed points, or None where they left the face of the frame before."""
        if self._points is None:
            return None
        width = float(np.ptp(self._points[:17, 0]))
        moved = float(np.sqrt(np.mean((points - self._points) ** 2) * 2))
        return points if moved < STEP_BELOW * width else None

    def _search(self, working: Image) -> Box | None:
        self.searched += 1
        faces = self._detect(working)
        rows = round(working.shape[0] * BORDER_BELOW)
        for border in (cv2.BORDER_CONSTANT, cv2.BORDER_REFLECT):
            if not faces:
                faces = self._detect(np.asarray(cv2.copyMakeBorder(working, 0, rows, 0, 0, border), np.uint8))
        if not faces:
            return None
        last = self._points
        if last is None:
            return faces[0].box
        middle = last.mean(0)
        inside = [
            face for face in faces if face.box[0] < middle[0] < face.box[2] and face.box[1] < middle[1] < face.box[3]
        ]
        return (inside or faces)[0].box


def carried(points: NDArray[Any], matrix: NDArray[np.float64]) -> Points:
    """Points (N, 2) of the visual frame in the thermal and aligned frames: through the (3, 3) visual-to-thermal matrix.

    Returns (N, 2) float32. Both in integer pixel centres, as `align.homography` has them.
    """
    together = np.column_stack([np.asarray(points, np.float64), np.ones(len(points))]) @ matrix.T
    return np.asarray(together[:, :2] / together[:, 2:], np.float32)


def carried_box(box: Box, matrix: NDArray[np.float64]) -> Box:
    """The upright box around a carried box: left, top, right, bottom with right and bottom outside."""
    left, top, right, bottom = box
    # Edges lie half a pixel before the first and after the last pixel centre.
    corners = np.array([(x, y) for x in (left - 0.5, right - 0.5) for y in (top - 0.5, bottom - 0.5)])
    x, y = (carried(corners, matrix).astype(np.float64) + 0.5).T
    return float(x.min()), float(y.min()), float(x.max()), float(y.max())


def open_tracker(detector: str, models: Path | None = None) -> FaceTracker:
    """A tracker for one clip; the networks behind it are loaded once per process.

    Raises what `open_detector` raises: ValueError for an unknown name, ModuleNotFoundError for a missing package,
    FileNotFoundError for a missing file.
    """
    return FaceTracker(open_detector(detector, models), open_landmarks(models))
