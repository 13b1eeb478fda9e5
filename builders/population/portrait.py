"""One neutral face to start from: scikit-image's public-domain portrait, made frontal, symmetric and closed-mouthed."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
Picture = NDArray[np.float32]

HEAD = (576, 640)
"""Width and height of the head picture in pixels of the 768x512 visual frame; the face centre lies at CENTRE."""
CENTRE = (288.0, 250.0)
ENLARGE = 1.95
JAW, BROWS, NOSE, EYES, LIPS = slice(0, 17), slice(17, 27), slice(27, 36), slice(36, 48), slice(48, 68)
_INNER_UPPER, _INNER_LOWER = (61, 62, 63), (67, 66, 65)


@dataclass(frozen=True)
class Masks:
    """Where what is, each (H, W) float32 in 0..1 on the head picture; later ones lie over earlier ones."""

    neck: Picture
    cloth: Picture
    skin: Picture
    hair: Picture
    frames: Picture
    lenses: Picture
    cover: Picture
    """Veil or hat."""


def _mirror_order() -> NDArray[np.int64]:
    """For each of the 68 points, the point that its mirror image becomes."""
    runs = (range(16, -1, -1), range(26, 16, -1), range(27, 31), range(35, 30, -1))
    rest = (45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40, 54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55)
    inner = (64, 63, 62, 61, 60, 67, 66, 65)
    return np.array([point for run in runs for point in run] + [*rest, *inner], np.int64)


def thin_plate(anchors: Points, values: Points, size: tuple[int, int], step: int = 4) -> NDArray[np.float32]:
    """Smoothest map with f(anchors) = values, on every pixel of `size` (width, height): (H, W, 2) float32.

    Evaluated every `step` pixels and enlarged linearly in between: sixteen times cheaper, below 0.05 px off.
    """
    count = len(anchors)

    def kernel(points: Points) -> Points:
        # Axis by axis: a third of the time that a sum over the last axis of two takes.
        squared = (points[:, None, 0] - anchors[None, :, 0]) ** 2 + (points[:, None, 1] - anchors[None, :, 1]) ** 2
        return np.asarray(squared * np.log(np.maximum(squared, 1e-9)))

    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = kernel(anchors)
    system[:count, count] = system[count, :count] = 1.0
    system[:count, count + 1 :] = anchors
    system[count + 1 :, :count] = anchors.T
    weights = np.linalg.solve(system, np.vstack([values, np.zeros((3, 2))]))
    columns, rows = (np.arange(0, edge + step, step, dtype=np.float64) for edge in size)
    grid = np.stack(np.meshgrid(columns, rows), -1)
    flat = grid.reshape(-1, 2)
    coarse = kernel(flat) @ weights[:count] + weights[count] + flat @ weights[count + 1 :]
    across, down = (np.arange(edge, dtype=np.float32) / step for edge in size)
    place = np.meshgrid(across, down)
    return np.asarray(cv2.remap(coarse.reshape(grid.shape).astype(np.float32), *place, cv2.INTER_LINEAR))


def resample(picture: Picture, place: NDArray[np.float32]) -> Picture:
    """Take `picture` (H, W[, C]) at the source pixels `place` (H, W, 2); edges are repeated."""
    taken = cv2.remap(picture, place[..., 0], place[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(taken, np.float32)


def _relaxed(points: Points) -> Points:
    """The smiling symmetric shape with a closed, narrower mouth and level corners."""
    shape = points.copy()
    seam = (points[list(_INNER_UPPER), 1].mean() + points[list(_INNER_LOWER), 1].mean()) / 2 - 2.0
    middle = points[33, 0]
    reach = np.abs(shape[LIPS, 0] - middle) / np.abs(points[54, 0] - middle)
    shape[LIPS, 0] = middle + (shape[LIPS, 0] - middle) * (1.0 - 0.2 * reach)
    for corner in (48, 54, 60, 64):
        shape[corner, 1] = seam + 1.0
    for upper, lower in zip(_INNER_UPPER, _INNER_LOWER, strict=True):
        shape[upper, 1], shape[lower, 1] = seam - 1.0, seam + 1.0
    for outer, lift in zip((49, 50, 51, 52, 53), (7.0, 11.0, 10.0, 11.0, 7.0), strict=True):
        shape[outer, 1] = seam - lift
    for outer, drop in zip((59, 58, 57, 56, 55), (9.0, 14.0, 15.0, 14.0, 9.0), strict=True):
        shape[outer, 1] = seam + drop
    return shape


def soft_mask(outline: Points, blur: float, size: tuple[int, int] = HEAD) -> Picture:
    """A filled polygon (N, 2) with soft edges: (H, W) float32 in 0..1; `blur` is the sigma in pixels."""
    mask = np.zeros((size[1], size[0]), np.uint8)
    cv2.fillPoly(mask, [np.round(outline * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return np.asarray(cv2.GaussianBlur(mask.astype(np.float32) / 255, (0, 0), blur))


def lip_outlines(points: Points) -> tuple[Points, Points]:
    """Closed outlines of the upper and the lower lip, each (12, 2)."""
    upper = points[[48, 49, 50, 51, 52, 53, 54, 64, 63, 62, 61, 60]]
    lower = points[[54, 55, 56, 57, 58, 59, 48, 60, 67, 66, 65, 64]]
    return upper, lower


def _unsmiled(picture: Picture, points: Points) -> Picture:
    """Without the folds of the smile and the last of the teeth; lips repainted with a dark seam."""
    lips = soft_mask(points[48:60], 1.0)
    nose = soft_mask(points[[31, 32, 33, 34, 35]] + (0.0, -3.0), 4.0)
    skin = soft_mask(points[JAW] * (0.94, 1.0) + (0.06 * CENTRE[0], -6.0), 1.0) * (1 - lips)
    broad = cv2.GaussianBlur(picture * skin[..., None], (0, 0), 9) / (
        cv2.GaussianBlur(skin, (0, 0), 9)[..., None] + 1e-3
    )
    fine = picture - cv2.GaussianBlur(picture, (0, 0), 1.5)
    band = np.array([[-62.0, -42.0], [62.0, -42.0], [56.0, 36.0], [-56.0, 36.0]]) + points[62]
    smooth = np.minimum(soft_mask(band, 7.0), 1.0) * np.clip(1 - 2 * nose, 0, 1) * skin
    calm = picture + (broad + 0.6 * fine - picture) * smooth[..., None]
    shade = cv2.GaussianBlur(fine[..., 1], (0, 0), 0.8)
    for outline, tone in zip(lip_outlines(points), (0.90, 1.0), strict=True):
        painted = broad * np.array([0.86, 0.84, 0.98], np.float32) * tone + 0.5 * shade[..., None]
        calm += (painted - calm) * np.minimum(soft_mask(outline, 1.5) * 0.95, 1)[..., None]
    seam = np.zeros(picture.shape[:2], np.uint8)
    line = np.vstack([points[60], (points[[61, 62, 63]] + points[[67, 66, 65]]) / 2, points[64]])
    cv2.polylines(seam, [np.round(line * 16).astype(np.int32)], False, 255, 2, cv2.LINE_AA, 4)
    dark = cv2.GaussianBlur(seam.astype(np.float32) / 255, (0, 0), 1.0)[..., None]
    return np.asarray(np.clip(calm * (1 - 0.62 * dark), 0, 255), np.float32)


@cache
def neutral() -> tuple[Picture, Points]:
    """The base face: ((HEAD height, width, 3) float32 BGR 0..255, (68, 2) landmarks in its pixels)."""
    from skimage.data import astronaut

    table = Path(__file__).parent / "data" / "portrait_landmarks.csv"
    found = np.loadtxt(table, delimiter=",", skiprows=1)
    photo = astronaut()[..., ::-1].astype(np.float32)
    scaled = (found - found.mean(0)) * ENLARGE
    mirrored = (scaled * (-1.0, 1.0))[_mirror_order()]
    target = _relaxed((scaled + mirrored) / 2 + CENTRE)
    direct = resample(photo, thin_plate(target, found, HEAD))
    flipped = found * (-1.0, 1.0) + (photo.shape[1] - 1, 0.0)
    other = resample(np.ascontiguousarray(photo[:, ::-1]), thin_plate(target, flipped[_mirror_order()], HEAD))
    return _unsmiled(np.clip((direct + other) / 2, 0, 255), target), target
