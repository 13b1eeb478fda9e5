"""Cut chin: how far the 17 points of the chin line, or the face itself, leave the picture."""

from collections.abc import Collection
from typing import Any

import numpy as np

from .faces import TrackedFace

CHIN_MARGIN = 4.0
"""Pixels of the 768x512 frame by which a chin must be outside: two at the size at which faces are followed. The
authors' 10 misses chins: landmarks draw a chin that is not in the picture too near to the edge."""
CUT_SHARE = 0.1
"""Share of the frames with a face from which a clip counts as cut: single landmarks go astray."""


class Chin:
    """Overshoot of the chin line of one clip; `scale` is the frames' size over the release's."""

    def __init__(self, scale: float = 1.0) -> None:
        self.margin = CHIN_MARGIN * scale
        self.overshoots: list[float | None] = []

    def add(self, face: TrackedFace | None, width: int, height: int) -> None:
        """The next frame, `width` x `height` pixels, and its face."""
        self.overshoots.append(None if face is None else overshoot(face, width, height))

    def facts(self, jumped: Collection[int] = ()) -> dict[str, Any]:
        """Evidence of all frames; the verdict leaves out those that jump (from 1): there the picture is torn."""
        judged = [value for at, value in enumerate(self.overshoots, 1) if at not in jumped]
        measured = [value for value in judged if value is not None]
        facts: dict[str, Any] = {
            "chin": self.overshoots,
            "chin_overshoot": None,
            "chin_share": None,
            "chin_cut": None,
            "faceless_share": sum(value is None for value in self.overshoots) / len(self.overshoots),
        }
        if measured:
            share = sum(value > self.margin for value in measured) / len(measured)
            facts |= {"chin_overshoot": max([0.0, *measured]), "chin_share": share, "chin_cut": share >= CUT_SHARE}
        return facts


def overshoot(face: TrackedFace, width: int, height: int) -> float:
    """Pixels by which the worst of the 17 chin points is outside; negative: how far the nearest one is inside.

    A detector's box ends above the chin or at it, and does not bend at the edge: where it reaches below the picture by
    more than the points do, it counts.
    """
    chin = face.points[:17]
    last = np.array([width - 1, height - 1], np.float32)
    return max(float(np.max(-chin)), float(np.max(chin - last)), face.box[3] - height)
