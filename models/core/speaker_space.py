"""The space in which voices are told apart: fitted to many windows of many speakers, then a small matrix."""

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SHIPPED = Path(__file__).parent / "data" / "speaker_space.npy"
SHRINK = 0.1
"""Share of the within-speaker correlations taken as none: two hundred speakers do not settle them all."""
POWER = 0.25
"""How far directions in which speakers differ more count for more; 0 would weigh all alike."""


def fit(vectors: NDArray[np.float64]) -> NDArray[np.float32]:
    """(speakers, windows, D) -> (1 + D, D) float32: the mean, then a row for each direction, most telling first.

    Linear discriminants (Fisher 1936): what varies within speakers is made equal in all directions (as within-class
    covariance normalisation does), and each direction is scaled by (b / (1 + b)) ** POWER, with b its variance between
    speakers. Raises ValueError for fewer than two speakers or windows, or numbers that are not finite.
    """
    speakers, windows, size = vectors.shape
    if speakers < 2 or windows < 2 or not np.isfinite(vectors).all():
        raise ValueError(f"vectors of shape {vectors.shape}: expected finite ones of 2 speakers and windows or more")
    means = vectors.mean(1)
    within = (vectors - means[:, None]).reshape(-1, size)
    spread = within.std(0) + 1e-9
    within, between = within / spread, (means - means.mean(0)) / spread
    inside = (1 - SHRINK) * within.T @ within / len(within) + SHRINK * np.eye(size)
    whiten = np.linalg.inv(np.linalg.cholesky(inside))
    outside = whiten @ (between.T @ between / speakers) @ whiten.T
    strength, directions = np.linalg.eigh(outside)
    strength, directions = np.clip(strength[::-1], 1e-6, None), directions[:, ::-1]
    # The sign of an eigenvector is arbitrary: fixed, the file is the same wherever it is made.
    directions = directions * np.sign(directions[np.abs(directions).argmax(0), np.arange(size)])
    rows = (directions * (strength / (1 + strength)) ** POWER).T @ whiten / spread
    return np.concatenate([means.mean(0)[None], rows]).astype(np.float32)


@lru_cache(maxsize=1)
def shipped() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The (D,) mean and (D, D) directions that come with facevox."""
    space = np.load(SHIPPED).astype(np.float64)
    return space[0], space[1:]
