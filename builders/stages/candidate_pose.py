"""How far a face is turned: by its asymmetry, and by a generic head fitted to its landmarks."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]

NOSE_TIP = 30
EYES = (slice(36, 42), slice(42, 48))
_CHIN_BROWS_NOSE = (range(16, -1, -1), range(26, 16, -1), range(27, 31), range(35, 30, -1))
_EYES = (45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40)
_LIPS = (*range(54, 47, -1), *range(59, 54, -1), 64, 63, 62, 61, 60, 67, 66, 65)
MIRROR = np.array([*(point for run in _CHIN_BROWS_NOSE for point in run), *_EYES, *_LIPS])
"""For each of the 68 points the one that takes its place in a mirror."""

HEAD = {
    8: (0.0, 1.756, -0.10),
    27: (0.0, -0.010, -0.20),
    30: (0.0, 0.569, -0.50),
    31: (-0.232, 0.668, -0.22),
    33: (0.0, 0.733, -0.30),
    35: (0.232, 0.668, -0.22),
    36: (-0.699, 0.001, 0.10),
    39: (-0.289, 0.042, 0.0),
    42: (0.289, 0.042, 0.0),
    45: (0.699, 0.001, 0.10),
    48: (-0.423, 1.010, -0.12),
    54: (0.423, 1.010, -0.12),
}
"""A generic head: landmark -> right, down and away from the camera, in pupil distances from the pupils' middle.

Right and down are those of the public-domain portrait that the population is made of, symmetrised. Away is rounded:
a nose of half a pupil distance, as the HQ-VoxCeleb sheet has it, and lips and chin a tenth before the eyes.
"""
FOCAL = 20.0
"""Focal length in pupil distances: a portrait from 1.3 m. Where in the frame the face was, a cropped photo cannot tell,
so that the camera is taken to point at the pupils' middle."""


class Pose(NamedTuple):
    """Degrees: yaw + looks to the picture's right, pitch + looks up, roll + leans clockwise in the picture.

    The head is turned by the yaw about its own vertical first, then lifted, then rolled in the picture.
    """

    yaw: float
    pitch: float
    roll: float


def middle_and_axis(points: Points) -> tuple[Points, Points]:
    """Middle of the pupils (2,), and the vector from the left one of the picture to the right one (2,)."""
    left, right = (points[eye].mean(0) for eye in EYES)
    return (left + right) / 2, right - left


def asymmetry5(points: Points) -> float:
    """Nose tip beside the pupils' middle along their line, over their distance; + is to the picture's right.

    A nose protrudes by half a pupil distance: a head turned by 5 degrees gives 0.5 * sin 5 = 0.044.
    """
    middle, axis = middle_and_axis(points)
    return float((points[NOSE_TIP] - middle) @ axis / (axis @ axis))


def asymmetry68(points: Points) -> float:
    """Root mean square distance of the 68 points from their mirror image, over the pupil distance.

    The mirror image is moved, turned and scaled for the smallest sum of squares (Procrustes).
    """
    own = points - points.mean(0)
    other = (own * (-1.0, 1.0))[MIRROR]
    here, there = own[:, 0] + 1j * own[:, 1], other[:, 0] + 1j * other[:, 1]
    factor = np.vdot(there, here) / np.vdot(there, there)
    distance = np.sqrt(np.mean(np.abs(here - factor * there) ** 2))
    return float(distance / np.linalg.norm(middle_and_axis(points)[1]))


def head_pose(points: Points) -> Pose:
    """Yaw, pitch and roll of HEAD fitted to (68, 2) landmarks by cv2.solvePnP; no bias is subtracted.

    Pitch depends on the shape of a face far more than yaw: over the 14 published HQ-VoxCeleb faces, all frontal by
    their authors' word, yaw is 0.0 with a standard deviation of 2.0 and pitch 3.9 with one of 4.5 degrees.
    """
    middle, axis = middle_and_axis(points)
    distance = float(np.linalg.norm(axis))
    # In pupil distances and level, so that fits begin alike for all photos.
    cosine, sine = axis / distance
    level = (points - middle) @ np.array([[cosine, -sine], [sine, cosine]]) / distance
    camera = np.array([[FOCAL, 0, 0], [0, FOCAL, 0], [0, 0, 1]], np.float64)
    turn, place = np.zeros((3, 1)), np.array([[0.0], [0.0], [FOCAL]])
    model = np.array(list(HEAD.values()))
    found = cv2.solvePnP(model, level[list(HEAD)], camera, None, turn, place, True, cv2.SOLVEPNP_ITERATIVE)[1]
    rotation = np.asarray(cv2.Rodrigues(found)[0])
    yaw = np.arctan2(rotation[2, 0], rotation[2, 2])
    pitch = np.arcsin(np.clip(-rotation[2, 1], -1, 1))
    roll = np.arctan2(-rotation[0, 1], rotation[1, 1]) + np.arctan2(sine, cosine)
    return Pose(*(float(np.degrees(angle)) for angle in (yaw, pitch, roll)))
