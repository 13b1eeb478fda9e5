"""Checks of scores by classes of pictures (Inception Score, VGGFace Score) and of who gives the classes."""

import numpy as np
from numpy.typing import NDArray

from .class_judges import SPLITS
from .controls import Control
from .judges import judge_control
from .metrics import class_score

ROUNDING = 1e-6


def class_controls(judge: str, shares: NDArray[np.float64], people: NDArray[np.str_], seed: int = 0) -> list[Control]:
    """Of probabilities (N, classes) of real faces and whose each is: oracle, chance and the judge's own error.

    A picture of a class of its own each scores as much as there are pictures in a part, pictures that are all alike 1.
    There are no labels to shuffle: the score knows none. The judge fails where the probabilities may not tell the
    people apart at all.
    """
    parts = min(SPLITS, len(shares))
    size = len(shares) // parts
    most, _ = class_score(np.eye(len(shares)), parts, seed)
    least, _ = class_score(np.broadcast_to(shares.mean(0), shares.shape), parts, seed)
    oracle = f"a class for each of {size} pictures of a part scores {most:.6g}, expected {size}"
    chance = f"pictures that are all alike score {least:.6g}, 1 by formula; there are no labels to shuffle"
    return [
        Control("oracle", judge, oracle, abs(most - size) <= ROUNDING * size),
        Control("chance", judge, chance, abs(least - 1) <= ROUNDING),
        judge_control(judge, shares, people),
    ]
