"""A face cut out of a picture as face networks take it: its box, or its five points moved to fixed places."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from .detectors import Box, open_landmarks, rgb_picture

ALIGNED_SIDE = 112
ALIGNED_POINTS = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
"""Where a picture of 112x112 has the five points of `Face.points`: the places of ArcFace (Deng and others 2019), SFace
and cv2.FaceRecognizerSF."""


def resized(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """RGB (H, W, 3) uint8 -> (*size, 3): areas averaged where it shrinks, bilinear where it grows."""
    height, width = size
    shrinks = image.shape[0] > height or image.shape[1] > width
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR))


def box_crop(image: NDArray[np.uint8], box: Box, size: tuple[int, int]) -> NDArray[np.uint8]:
    """What of the box lies in the RGB picture, resized to `size` (height, width).

    Raises ValueError for another picture, or a box that has no pixel in it.
    """
    left, top, right, bottom = edges_within(image, box)
    return resized(image[max(top, 0) : bottom, max(left, 0) : right], size)


def edges_within(image: NDArray[np.uint8], box: Box) -> tuple[int, int, int, int]:
    """The box in whole pixels; it may reach beyond the picture. Raises ValueError where it has no pixel in it."""
    height, width = rgb_picture(image).shape[:2]
    left, top, right, bottom = (round(edge) for edge in box)
    if min(right, width) <= max(left, 0) or min(bottom, height) <= max(top, 0):
        raise ValueError(f"box {box}: has no pixel in the {width}x{height} picture")
    return left, top, right, bottom


def similarity(points: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """The (2, 3) matrix of turn, scale and shift that brings points (N, 2) nearest to the target, by least squares.

    Without mirroring. Raises ValueError where all points fall together.
    """
    middle, aim = points.mean(0), target.mean(0)
    start, end = points - middle, target - aim
    spread = float((start**2).sum())
    if not spread > 0:
        raise ValueError(f"points {points.tolist()}: expected at least two different ones")
    along = float((start * end).sum()) / spread
    across = float((start[:, 0] * end[:, 1] - start[:, 1] * end[:, 0]).sum()) / spread
    turn = np.array([[along, -across], [across, along]])
    return np.column_stack([turn, aim - turn @ middle])


def aligned_crop(image: NDArray[np.uint8], points: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The face with its five points nearest to ALIGNED_POINTS, (112, 112, 3) uint8; black where the picture ends.

    Raises ValueError for another picture, or points that are not (5, 2) or fall together.
    """
    if points.shape != (5, 2):
        raise ValueError(f"points of shape {points.shape}: expected (5, 2)")
    matrix = similarity(np.asarray(points, np.float64), ALIGNED_POINTS)
    return np.asarray(cv2.warpAffine(rgb_picture(image), matrix, (ALIGNED_SIDE, ALIGNED_SIDE), flags=cv2.INTER_LINEAR))


def five_points(image: NDArray[np.uint8], box: Box, models: Path | None = None) -> NDArray[np.float32]:
    """The five points of a face that came without them, as `Face.points`, from dlib's 68. Raises what that raises."""
    marks = open_landmarks(models)(image, box)
    return np.array([marks[36:42].mean(0), marks[42:48].mean(0), marks[30], marks[48], marks[54]], np.float32)
