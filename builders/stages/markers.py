"""The twelve ArUco markers of the calibration sheet, found in thermal and visual pictures to a fraction of a pixel."""

from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Points = NDArray[np.float64]
Markers = dict[int, Points]
"""Marker number to its four corners, (4, 2) float64 x, y in pixels of the picture, OpenCV integer pixel centres.

Corner 0 is the upper right one of the upright sheet; the order is clockwise.
"""

SHEET = ((10, 7, 4, 1), (11, 8, 5, 2), (12, 9, 6, 3))
"""Marker numbers of the upright sheet, row by row; dictionary DICT_ARUCO_ORIGINAL."""
NUMBERS = tuple(sorted(number for row in SHEET for number in row))
THERMAL_WIDTH, VISUAL_WIDTH = 464, 768
"""Widths in pixels for which the settings below were tuned; other sizes are brought to them."""
_CROSS_SECTIONS, _MARGIN = 24, 0.15
"""Cross sections per side, and the share of a side next to each corner that they keep away from."""
_HALF_WIDTH, _STEP = 3.0, 0.25
"""Half length of a cross section and distance of its samples, in pixels of the full-size picture."""
_RUNAWAY = 4.0
"""Pixels beyond which a refined corner is not believed."""


@cache
def _detector(kind: str) -> Any:
    settings = cv2.aruco.DetectorParameters()
    # The authors' two settings; with the library's own, neighbours of the sheet's edge are taken for markers.
    settings.adaptiveThreshConstant = 10
    settings.polygonalApproxAccuracyRate = 0.012
    if kind == "thermal":
        # The picture is doubled first, so the windows of the threshold grow with it: 7, 27 and 46 pixels.
        settings.adaptiveThreshWinSizeMin = 7
        settings.adaptiveThreshWinSizeMax = 46
        settings.adaptiveThreshWinSizeStep = 20
        settings.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_CONTOUR
    return cv2.aruco.ArucoDetector(cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_ARUCO_ORIGINAL), settings)


def thermal_markers(picture: Image) -> Markers:
    """Markers of a thermal picture (H, W, 3) uint8 RGB, on which black squares are hot and bright.

    Grey is inverted and sharpened: heat spreads through the paper and blunts the corners.
    """
    inverse = cv2.bitwise_not(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))
    scale = picture.shape[1] / THERMAL_WIDTH
    soft = cv2.GaussianBlur(inverse, (0, 0), 3.0 * scale).astype(np.float32)
    sharp = np.clip(inverse.astype(np.float32) * 2.5 - soft * 1.5, 0, 255).astype(np.uint8)
    return _detect(sharp, "thermal", 2.0 / scale)


def visual_markers(picture: Image) -> Markers:
    """Markers of a visual picture (H, W, 3) uint8 RGB; every corner is where two edge lines of its marker cross."""
    grey = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)
    scale = picture.shape[1] / VISUAL_WIDTH
    soft = np.asarray(cv2.GaussianBlur(grey, (0, 0), 1.0), np.float32)
    found = _detect(grey, "visual", 1.0 / scale)
    return {number: _at_edge_lines(corners, soft, scale) for number, corners in found.items()}


def _detect(grey: Image, kind: str, zoom: float) -> Markers:
    """Markers of the sheet, (4, 2) corners in pixels of `grey`; of two with one number the larger."""
    enlarged = grey if zoom == 1 else cv2.resize(grey, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
    quads, numbers, _ = _detector(kind).detectMarkers(enlarged)
    found: Markers = {}
    for quad, number in zip(quads, [] if numbers is None else np.ravel(numbers).tolist(), strict=True):
        corners = (np.asarray(quad, np.float64).reshape(4, 2) + 0.5) / zoom - 0.5
        if number in NUMBERS and (number not in found or _area(corners) > _area(found[number])):
            found[number] = corners
    return dict(sorted(found.items()))


def _area(corners: Points) -> float:
    return float(cv2.contourArea(corners.astype(np.float32)))


def _at_edge_lines(corners: Points, soft: NDArray[np.float32], scale: float) -> Points:
    """Corners moved to where the lines through the brightness edges of neighbouring sides cross."""
    lines = [_edge_line(corners[side], corners[(side + 1) % 4], soft, scale) for side in range(4)]
    refined = np.array([_crossing(lines[side - 1], lines[side]) for side in range(4)])
    return np.where(np.abs(refined - corners).max(1, keepdims=True) > _RUNAWAY * scale, corners, refined)


def _edge_line(start: Points, end: Points, soft: NDArray[np.float32], scale: float) -> Points:
    """The line of one side as (x direction, y direction, x, y), robust against single cross sections."""
    places, offsets, weight = _cross_sections(start, end, soft, _HALF_WIDTH * scale, _STEP * scale)
    across = (weight * offsets).sum(1) / np.maximum(weight.sum(1), 1e-6)
    edge = places + across[:, None] * _normal(start, end)
    return np.asarray(cv2.fitLine(edge.astype(np.float32), cv2.DIST_HUBER, 0, 0.01, 0.01), np.float64).ravel()


def _cross_sections(
    start: Points, end: Points, soft: NDArray[np.float32], half: float, step: float
) -> tuple[Points, Points, Points]:
    """Brightness steps across a side: its (24, 2) places, (n,) offsets along the normal, (24, n) squared gradient."""
    along = np.linspace(_MARGIN, 1 - _MARGIN, _CROSS_SECTIONS)
    offsets = np.arange(-half, half + step / 2, step)
    places = start + along[:, None] * (end - start)
    samples = places[:, None] + offsets[None, :, None] * _normal(start, end)
    x, y = (samples[..., axis].astype(np.float32) for axis in (0, 1))
    brightness = cv2.remap(soft, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    slope = np.abs(np.gradient(brightness.astype(np.float64), axis=1))
    return places, offsets, (slope - slope.min(1, keepdims=True)) ** 2


def _normal(start: Points, end: Points) -> Points:
    x, y = (end - start) / np.linalg.norm(end - start)
    return np.array([-y, x])


def _crossing(one: Points, other: Points) -> Points:
    """Where two lines cross; infinite for parallel ones."""
    across = one[0] * other[1] - one[1] * other[0]
    if abs(across) < 1e-9:
        return np.full(2, np.inf)
    reach = ((other[2] - one[2]) * other[1] - (other[3] - one[3]) * other[0]) / across
    return np.asarray(one[2:] + reach * one[:2], np.float64)


def centre(corners: Points) -> Points:
    """Where the diagonals of a marker cross, (2,): the same point of the sheet however the square has swollen."""
    return _crossing(
        np.concatenate([corners[2] - corners[0], corners[0]]), np.concatenate([corners[3] - corners[1], corners[1]])
    )


def sheet_place(number: int) -> tuple[float, float]:
    """Column and row of a marker on the upright sheet. Unequal pitch is no concern: a homography takes it up."""
    row = next(row for row, numbers in enumerate(SHEET) if number in numbers)
    return float(SHEET[row].index(number)), float(row)
