"""Visual frames as they lie over the thermal ones: calibrated, the release's own, or warped by the published matrix."""

import cv2
import numpy as np

from ...models.core.detectors import Detector, Face
from ..core.stage import Reject
from .align import ShiftEstimator, calibrated_offset, homography, published_shift, shifted, warp
from .calibration import Calibration
from .faces import Image, carried_box
from .mouths import PixelBox
from .speakingfaces_clips import Source
from .speakingfaces_release import THERMAL

LEAST_FACE = 48
"""Pixels of the release's frames that a face box measures at least across and down; the published faces are about
three times as large."""


class AlignedFrames:
    """Frame by frame, (348, 464, 3) uint8 RGB at scale 1.

    With a calibration every frame is warped by its matrix, with the published shift or one found against the release's
    aligned frame: the one of the fact `alignment` when frames are first asked for in rising order from 1, and the same
    again whenever a frame is asked for again.
    """

    def __init__(self, source: Source, calibration: Calibration | None = None) -> None:
        self.source, self.scale = source, source.stem.scale
        self.calibrated = calibration.at(self.scale) if calibration else None
        self._estimator = ShiftEstimator(self.scale)
        self.size = (round(THERMAL[0] * self.scale), round(THERMAL[1] * self.scale))

    def picture(self, number: int) -> Image:
        """The aligned frame of that number (from 1). Raises Reject where there is neither a frame nor a shift."""
        if self.source.has_aligned and self.calibrated is None:
            return self.source.picture(3, number)
        visual = self.source.picture(2, number)
        dx, dy = published_shift(self.source.spans, number) or self._estimated(number, visual)
        if self.calibrated is None:
            return warp(visual, homography(dx, dy, self.scale), self.size)
        offset = calibrated_offset(tuple(self.calibrated.ravel().tolist()), self.scale)
        return warp(visual, shifted(self.calibrated, dx + offset[0], dy + offset[1]), self.size)

    def _estimated(self, number: int, visual: Image) -> tuple[int, int]:
        if not self.source.has_aligned:
            raise Reject(f"frame {number} has no aligned picture and no published shift to make one")
        if number not in self._estimator.found:
            self._estimator.add(number, visual, self.source.picture(3, number))
        if number not in self._estimator.found:
            raise Reject(f"frame {number}: no shift carries the visual picture over the aligned one")
        return self._estimator.found[number]

    def release_size(self, aligned: Image) -> Image:
        """The frame in the size of the release's, in which detectors know how large faces are."""
        if self.size == THERMAL:
            return aligned
        return np.asarray(cv2.resize(aligned, THERMAL, interpolation=cv2.INTER_LINEAR), np.uint8)

    def face(self, aligned: Image, detect: Detector) -> tuple[Face, PixelBox] | None:
        """The surest face and its box cut at the frame's edges, in pixels of the frame; None if too small or none."""
        found = detect(self.release_size(aligned))
        if not found:
            return None
        shrink = np.diag([self.scale, self.scale, 1.0])
        # Pixel centres lie half a pixel inside: (x + 1/2) scale - 1/2.
        shrink[:2, 2] = (self.scale - 1) / 2
        box = self.clamped(carried_box(found[0].box, shrink))
        return None if box is None else (found[0], box)

    def clamped(self, box: tuple[float, float, float, float]) -> PixelBox | None:
        """Whole pixels of a box inside the frame; None where less than LEAST_FACE of it is inside."""
        left, top = (max(round(edge), 0) for edge in box[:2])
        right, bottom = (min(round(edge), most) for edge, most in zip(box[2:], self.size, strict=True))
        return (left, top, right, bottom) if min(right - left, bottom - top) >= LEAST_FACE * self.scale else None


def cut(frame: Image, box: PixelBox) -> Image:
    """The pixels of a box that lies inside the frame."""
    left, top, right, bottom = box
    return np.ascontiguousarray(frame[top:bottom, left:right])
