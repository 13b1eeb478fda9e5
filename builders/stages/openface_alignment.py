"""OpenFace's alignment (Amos and others 2016): outer eye corners and nose base at fixed places, as nn4.small2 takes."""

import cv2
import numpy as np
from numpy.typing import NDArray

POINTS = (36, 45, 33)
"""Of dlib's 68: outer corner of the eye at the left of the picture, of the one at the right, base of the nose."""
TEMPLATE = np.array([[0.194157, 0.169267], [0.788859, 0.158171], [0.494951, 0.514441]])
"""Where they go, as fractions of the side (OpenFace's template, scaled to 0..1)."""


def aligned(picture: NDArray[np.uint8], landmarks: NDArray[np.int32], side: int) -> NDArray[np.uint8]:
    """(H, W, 3) and dlib's (68, 2) -> (side, side, 3): the three points in place, bilinear, black outside."""
    matrix = openface_matrix(landmarks, side)
    return np.asarray(cv2.warpAffine(picture, matrix, (side, side), flags=cv2.INTER_LINEAR), np.uint8)


def openface_matrix(landmarks: NDArray[np.int32], side: int) -> NDArray[np.float64]:
    """(2, 3) from pixels of the picture to those of the aligned one. Raises ValueError for points on one line."""
    own = landmarks[list(POINTS)].astype(np.float32)
    if abs(np.linalg.det(np.column_stack([own, np.ones(3)]))) < 1:
        raise ValueError(f"eye corners and nose lie on one line: {own.tolist()}")
    return np.asarray(cv2.getAffineTransform(own, (TEMPLATE * side).astype(np.float32)), np.float64)
