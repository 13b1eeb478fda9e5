"""The published artifact rules, their bugs left out, for comparison with our own verdicts: slow, only when asked."""

from typing import Any

import cv2
import numpy as np

from ...models.core.detectors import Detector
from .artifacts import BLURRED_BELOW
from .faces import Image, Landmarks, Points
from .flicker import JUMP_PIXELS

FREEZE_PAIRS = 52
"""Matching pairs of consecutive frames at which a freeze is reported: 53 frames, 1.9 s."""
CHIN_MARGIN = 10.0
"""Pixels of the 768x512 frame by which a chin point must be below the picture."""
DETECTOR = "dlib-hog-up1"
"""The authors' first detector at their setting; their second, a Caffe network, cannot be loaded by OpenCV 5."""


class PublishedRules:
    """Sections of the authors' artifact scripts over one clip; `scale` is the frames' size over the release's.

    Left out of the scripts: landmark columns held against the height, a freeze counter that is not reset, positions
    shared between detectors and commands, and the return from a jump counted as another one.
    """

    def __init__(self, detector: Detector, landmarks: Landmarks, scale: float = 1.0) -> None:
        self._detect, self._landmarks = detector, landmarks
        self._margin, self._jump = CHIN_MARGIN * scale, JUMP_PIXELS * scale
        self._previous: Image | None = None
        self._count = self._pairs = 0
        self._column: float | None = None
        self.freezes: list[dict[str, int]] = []
        self.flickers: list[int] = []
        self.blurred = self.cut = False

    def add(self, visual: Image, thermal: Image) -> None:
        """The next frame pair, (H, W, 3) uint8 RGB each."""
        self._count += 1
        self._freeze(thermal)
        self.blurred |= bool(cv2.Laplacian(visual, cv2.CV_64F).var() < BLURRED_BELOW)
        faces = self._detect(visual)
        if faces:
            self._chin(self._landmarks(visual, faces[0].box).astype(np.float32), visual.shape[1], visual.shape[0])

    def _freeze(self, thermal: Image) -> None:
        # The structural similarity of two pictures is exactly 1 when they are equal, and only then.
        same = self._previous is not None and np.array_equal(thermal, self._previous)
        self._pairs = self._pairs + 1 if same else 0
        if self._pairs == FREEZE_PAIRS:
            self.freezes.append({"first": self._count - FREEZE_PAIRS, "last": self._count})
            self._pairs = 0
        self._previous = thermal

    def _chin(self, points: Points, width: int, height: int) -> None:
        near, low, far = points[2], points[7], points[16]
        if near[0] > 0 and far[0] > 0:
            self.cut |= bool(far[0] >= width or low[1] - height > self._margin)
        if self._column is None or abs(near[0] - self._column) <= self._jump:
            self._column = float(near[0])
        else:
            self.flickers.append(self._count)

    def facts(self) -> dict[str, Any]:
        return {
            "thermal_parity": int(bool(self.freezes)),
            "freeze_parity": self.freezes,
            "visual_parity": int(self.blurred) | int(self.cut) << 1,
            "flicker_parity": self.flickers,
        }
