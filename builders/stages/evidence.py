"""All artifact detectors over one clip, frame pair by frame pair; every step timed by name."""

from typing import Any

import cv2
import numpy as np

from ...models.core.detectors import open_detector, open_landmarks
from ..core.stage import Clock
from .artifacts import Blur, Freeze, Palette
from .chin import Chin
from .faces import Image, TrackedFace, working_frame
from .flicker import Flicker
from .parity import DETECTOR, PublishedRules
from .speakingfaces_options import SpeakingFacesOptions


class Evidence:
    """What is measured on the frame pairs of one clip; `scale` is their size over the release's.

    Without a detector nothing is said of chins and jumps.
    """

    def __init__(self, options: SpeakingFacesOptions, scale: float, clock: Clock) -> None:
        models = options.models_folder
        self.clock = clock
        self.blur, self.freeze, self.palette = Blur(), Freeze(options.freeze_frames), Palette()
        self.chin, self.flicker = Chin(scale), Flicker(scale)
        with clock("faces"):
            self.tracker = None if options.detector == "none" else options.open_tracker()
            self.published = None
            if options.parity:
                self.published = PublishedRules(open_detector(DETECTOR, models), open_landmarks(models), scale)

    def add(self, visual: Image, thermal: Image) -> TrackedFace | None:
        """Measure the next pair, (H, W, 3) uint8 RGB each; returns the face in the visual frame, if one was found."""
        with self.clock("artifacts"):
            self.blur.add(visual)
            self.freeze.add(thermal)
            self.palette.add(thermal)
        if self.published is not None:
            with self.clock("parity"):
                self.published.add(visual, thermal)
        if self.tracker is None:
            return None
        height, width = visual.shape[:2]
        with self.clock("faces"):
            working = working_frame(visual)
            grey = np.asarray(cv2.cvtColor(working, cv2.COLOR_RGB2GRAY), np.uint8)
            factor = width / working.shape[1]
            face = self.tracker.add(working, grey, factor)
            self.chin.add(face, width, height)
        with self.clock("flicker"):
            self.flicker.add(grey, face, factor)
        return face

    def facts(self) -> dict[str, Any]:
        """Facts of the whole clip, of one frame at least."""
        facts = {**self.blur.facts(), **self.freeze.facts(), **self.palette.facts()}
        if self.tracker is not None:
            with self.clock("flicker"):
                facts |= self.flicker.facts()
            facts |= self.chin.facts({jump["frame"] for jump in facts["jumps"]})
        return facts | (self.published.facts() if self.published is not None else {})
