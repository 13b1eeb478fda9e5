"""Errors of made pictures against their targets, as RC-GAN's Table II counts them."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

MOST_DECIBELS = 100.0
"""What equal pictures get instead of infinity."""
SMOOTHING = 0.8
"""Deviation in pixels of PAMSE's 7x7 window (Xue et al. 2013)."""


@dataclass(frozen=True)
class PictureErrors:
    """Of each picture (N,): errors on 0..1, ratios in dB, PAMSE on grey levels of 0..255, SSIM from -1 to 1."""

    mae: NDArray[np.float64]
    mse: NDArray[np.float64]
    snr: NDArray[np.float64]
    psnr: NDArray[np.float64]
    pamse: NDArray[np.float64]
    ssim: NDArray[np.float64]

    def means(self) -> dict[str, float]:
        """Of each measure over the pictures: the ratios are averaged in dB, as the printed ones must have been."""
        return {name: float(values.mean()) for name, values in vars(self).items()}


def picture_errors(targets: NDArray[Any], made: NDArray[Any]) -> PictureErrors:
    """(N, H, W, 3) float RGB in 0..1, both -> PictureErrors. Raises ValueError for other shapes or values.

    SNR: power of the target (mean of squares) over MSE. SSIM: Gaussian window of 11 pixels, deviation 1.5, data range
    1, mean over channels (Wang et al. 2004).
    """
    from skimage.metrics import structural_similarity

    if targets.shape != made.shape or targets.ndim != 4 or targets.shape[3] != 3:
        raise ValueError(f"pictures of shape {targets.shape} and {made.shape}: expected (N, H, W, 3) of both")
    if min(targets.min(), made.min()) < 0 or max(targets.max(), made.max()) > 1:
        raise ValueError("picture values outside 0..1")
    difference = np.asarray(targets, np.float64) - made
    mse = (difference**2).mean((1, 2, 3))
    window: dict[str, Any] = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    pairs = zip(targets, made, strict=True)
    return PictureErrors(
        np.abs(difference).mean((1, 2, 3)),
        mse,
        _decibels((np.asarray(targets, np.float64) ** 2).mean((1, 2, 3)), mse),
        _decibels(np.ones(len(mse)), mse),
        np.array([_pamse(one) for one in difference]),
        np.array([structural_similarity(a, b, channel_axis=2, data_range=1.0, **window) for a, b in pairs]),
    )


def _decibels(signal: NDArray[np.float64], noise: NDArray[np.float64]) -> NDArray[np.float64]:
    ratio = signal / np.maximum(noise, np.finfo(np.float64).tiny)
    decibels = 10 * np.log10(np.maximum(ratio, np.finfo(np.float64).tiny))
    return np.asarray(np.minimum(decibels, MOST_DECIBELS), np.float64)


def _pamse(difference: NDArray[np.float64]) -> float:
    """Mean square of the smoothed grey difference, where the window fits whole."""
    size = 2 * int(np.ceil(3 * SMOOTHING)) + 1
    grey = 255 * (difference @ np.array([0.299, 0.587, 0.114]))
    kernel = cv2.getGaussianKernel(size, SMOOTHING)
    rim = size // 2
    smooth = cv2.sepFilter2D(grey, cv2.CV_64F, kernel, kernel)[rim:-rim, rim:-rim]
    return float((smooth**2).mean())
