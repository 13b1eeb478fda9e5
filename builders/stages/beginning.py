"""Sideways jumps in the first frames of an utterance: the visual camera had not settled yet."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

EXAMINED = 10
"""Frames from the first: all published jumps lie at frame 2."""
LEAST_JUMP = 50.0
"""Pixels of the 768x512 frame from which a shift counts (the authors' threshold for a landmark's jump)."""
CONFIRMED = 0.6
"""A jump is believed when undoing it leaves less than this share of the difference between the two frames."""
_WIDTH = 192

Grey = NDArray[np.float32]


def last_jump(frames: Sequence[NDArray[np.uint8]], scale: float = 1.0) -> int:
    """Number, from 1, of the last of the first ten frames that is shifted against the settled picture; 0 for none.

    `frames` are (H, W, 3) uint8, eleven or as many as there are. The last one that at most half of the others are
    shifted against counts as settled; where there is none, nothing is said to have jumped.
    """
    if len(frames) < 3:
        return 0
    small = [_small(frame) for frame in frames[: EXAMINED + 1]]
    step = frames[0].shape[1] / small[0].shape[1]
    for settled in range(len(small), 0, -1):
        others = [n for n in range(1, len(small) + 1) if n != settled]
        jumped = [n for n in others if _jumps(small[n - 1], small[settled - 1], LEAST_JUMP * scale / step)]
        if 2 * len(jumped) <= len(others):
            return max((n for n in jumped if n < settled), default=0)
    return 0


def _small(frame: NDArray[np.uint8]) -> Grey:
    height = round(frame.shape[0] * _WIDTH / frame.shape[1])
    grey = cv2.cvtColor(cv2.resize(frame, (_WIDTH, height), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    return np.asarray(grey, np.float32)


def _jumps(grey: Grey, settled: Grey, least: float) -> bool:
    (dx, dy), _ = cv2.phaseCorrelate(grey, settled)
    x, y = round(dx), round(dy)
    if max(abs(x), abs(y)) < least:
        return False
    before = float(np.mean(np.abs(grey - settled)))
    return _difference(grey, settled, x, y) < CONFIRMED * before


def _difference(grey: Grey, settled: Grey, x: int, y: int) -> float:
    """Mean difference in grey levels where both see the same after moving `grey` by (x, y)."""
    height, width = grey.shape
    moved = grey[max(0, -y) : height - max(0, y), max(0, -x) : width - max(0, x)]
    there = settled[max(0, y) : height - max(0, -y), max(0, x) : width - max(0, -x)]
    return float(np.mean(np.abs(moved - there))) if moved.size else float("inf")
