"""Artifact evidence, frame by frame: blur of the visual stream, frozen runs and stray colours of the thermal one."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ...loaders.palette import OUTSIDE, heat_index

Image = NDArray[np.uint8]

BLURRED_BELOW = 10.0
"""Variance of the Laplacian under which a frame counts as blurred (SpeakingFaces' own threshold)."""
FROZEN_FRAMES = 10
"""Identical consecutive frames from which a clip counts as frozen; the authors reported runs from 53 frames on."""


class Blur:
    """Variance of the Laplacian of the grey frame; low means blurred."""

    def __init__(self) -> None:
        self.variances: list[float] = []

    def add(self, visual: Image) -> None:
        grey = cv2.cvtColor(visual, cv2.COLOR_RGB2GRAY)
        deviation = cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_16S))[1]
        self.variances.append(float(np.float32(deviation[0, 0] ** 2)))

    def facts(self) -> dict[str, Any]:
        below = sum(variance < BLURRED_BELOW for variance in self.variances)
        share = below / len(self.variances)
        summary = {
            "blur_min": min(self.variances),
            "blur_median": float(np.median(self.variances)),
            "blur_share": share,
        }
        return {"blur": self.variances, **summary, "blurred": below > 0}


class Freeze:
    """Runs of pixel-identical consecutive thermal frames, with their true ends."""

    def __init__(self, at_least: int = FROZEN_FRAMES) -> None:
        self.at_least = at_least
        self._previous: Image | None = None
        self._runs: list[tuple[int, int]] = []
        self._count = 0

    def add(self, thermal: Image) -> None:
        self._count += 1
        if self._previous is not None and (thermal is self._previous or np.array_equal(thermal, self._previous)):
            if self._runs and self._runs[-1][1] == self._count - 1:
                self._runs[-1] = (self._runs[-1][0], self._count)
            else:
                self._runs.append((self._count - 1, self._count))
        self._previous = thermal

    def facts(self) -> dict[str, Any]:
        lengths = [last - first + 1 for first, last in self._runs]
        frozen = [length for length in lengths if length >= self.at_least]
        runs = [{"first": first, "last": last} for first, last in self._runs]
        return {
            "freeze_runs": runs,
            "freeze_longest": max(lengths, default=0),
            "freeze_share": sum(frozen) / self._count,
            "frozen": bool(frozen),
        }


class Palette:
    """Whether a thermal clip keeps to the camera's 224 colours."""

    def __init__(self) -> None:
        self.outside = 0
        self._last: tuple[Image, int] | None = None

    def add(self, thermal: Image) -> None:
        if self._last is None or self._last[0] is not thermal:
            self._last = (thermal, int(np.count_nonzero(heat_index(thermal) == OUTSIDE)))
        self.outside += self._last[1]

    def facts(self) -> dict[str, Any]:
        return {"palette_exact": self.outside == 0, "palette_outside": self.outside}
