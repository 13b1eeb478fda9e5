"""One capture drawn: both pictures in the thermal frame, marker outlines from both cameras, residuals in words."""

import cv2
import numpy as np

from .align import Image, carried, warp
from .captures import Capture, View
from .markers import THERMAL_WIDTH, Points, centre

PANEL = (928, 696)
"""Width and height of each half in pixels: the thermal frame, doubled."""
TILE = 58
"""Edge of a square of the chequered half."""
HEAD = 84
WHITE, GREY, RED, DARK = (255, 255, 255), (190, 190, 190), (255, 96, 96), (24, 24, 24)
MAGNIFIED = 20
"""How much longer than in the panel a corner's residual is drawn."""
THERMAL_COLOUR, VISUAL_COLOUR = (0, 90, 255), (0, 255, 0)
_SHIFT = 4
"""Bits behind the point of the coordinates that OpenCV draws with."""


def draw(capture: Capture) -> Image:
    """A capture as a picture (780, 1860, 3) uint8 RGB.

    Left the thermal picture with the outlines of its own markers (blue) and of the visual ones carried there (green),
    and from every corner its residual, much enlarged.
    Right squares of the thermal picture and of the visual one warped onto it in turn: edges run through where it fits.
    A capture without a matrix shows its two pictures as they are.
    """
    left = _panel(capture.thermal)
    if capture.matrix is None:
        right = _panel(capture.visual)
        _outlines(right, capture.visual, VISUAL_COLOUR, _onto(right, capture.visual.size))
        labels = ("thermal", "visual")
    else:
        right = _chequered(capture, left)
        about = f"markers: thermal blue, visual green; white: corner residuals, {MAGNIFIED} times enlarged"
        labels = (about, "thermal and warped visual, square by square")
        to_panel = _onto(left, capture.thermal.size) @ capture.matrix
        _outlines(left, capture.visual, VISUAL_COLOUR, to_panel)
    _outlines(left, capture.thermal, THERMAL_COLOUR, _onto(left, capture.thermal.size))
    if capture.matrix is not None:
        _residuals(left, capture, capture.matrix)
    page = np.full((HEAD + PANEL[1], 2 * PANEL[0] + 4, 3), DARK, np.uint8)
    page[HEAD:, : PANEL[0]], page[HEAD:, PANEL[0] + 4 :] = left, right
    _write(page, _words(capture), (12, 25), WHITE, 0.62)
    _write(page, capture.reason or "used", (12, 50), RED if capture.reason else VISUAL_COLOUR, 0.55)
    for start, label in zip((0, PANEL[0] + 4), labels, strict=True):
        _write(page, label, (start + 12, HEAD - 9), GREY, 0.5)
    return page


def _words(capture: Capture) -> str:
    found = f"{len(capture.thermal.markers)} thermal, {len(capture.visual.markers)} visual markers"
    words = f"capture {capture.name}: {found}, {len(capture.matched)} in both"
    for name, rms in (("corners", capture.corner_rms), ("centres", capture.centre_rms)):
        words += f"; {name} {rms:.3f} px rms" if rms is not None else ""
    return words


def _panel(view: View) -> Image:
    """The picture over a whole panel without changing its shape; dark where there is none."""
    canvas = np.full((PANEL[1], PANEL[0], 3), DARK, np.uint8)
    if view.picture is not None:
        canvas = warp(view.picture, _onto(canvas, view.size), PANEL)
    return canvas


def _onto(canvas: Image, size: tuple[int, int]) -> Points:
    """(3, 3) from a picture of `size` to the panel, as large as fits, in its middle."""
    if 0 in size:
        return np.eye(3)
    zoom = min(canvas.shape[1] / size[0], canvas.shape[0] / size[1])
    moves = [
        (edge - zoom * length) / 2 + (zoom - 1) / 2 for edge, length in zip(canvas.shape[1::-1], size, strict=True)
    ]
    return np.array([[zoom, 0.0, moves[0]], [0.0, zoom, moves[1]], [0.0, 0.0, 1.0]])


def _chequered(capture: Capture, thermal: Image) -> Image:
    assert capture.matrix is not None and capture.visual.picture is not None
    warped = warp(capture.visual.picture, _onto(thermal, capture.thermal.size) @ capture.matrix, PANEL)
    rows, columns = np.indices(thermal.shape[:2]) // TILE
    return np.where(((rows + columns) % 2 == 0)[..., None], thermal, warped)


def _outlines(canvas: Image, view: View, colour: tuple[int, int, int], matrix: Points) -> None:
    """Outlines, corner 0 as a dot, and the number of every marker; drawn to a sixteenth of a pixel."""
    thick = 1 if view.size[0] <= THERMAL_WIDTH else 2
    for number, corners in view.markers.items():
        spots = carried(matrix, corners)
        fixed = np.rint(spots * (1 << _SHIFT)).astype(np.int32)
        cv2.polylines(canvas, [fixed], True, colour, thick, cv2.LINE_AA, _SHIFT)
        cv2.circle(canvas, tuple(map(int, fixed[0])), 4 << _SHIFT, colour, thick, cv2.LINE_AA, _SHIFT)
        x, y = centre(spots)
        _write(canvas, str(number), (int(x) - 6 * len(str(number)), int(y) + 7), WHITE, 0.6)


def _residuals(canvas: Image, capture: Capture, matrix: Points) -> None:
    """From every matched corner of the thermal picture a line towards the visual one's place, much too long."""
    to_panel = _onto(canvas, capture.thermal.size)
    visual, thermal = capture.corners()
    starts, ends = carried(to_panel, thermal), carried(to_panel @ matrix, visual)
    for start, end in zip(starts, starts + MAGNIFIED * (ends - starts), strict=True):
        here, there = (tuple(np.rint(spot * (1 << _SHIFT)).astype(int).tolist()) for spot in (start, end))
        cv2.line(canvas, here, there, (0, 0, 0), 4, cv2.LINE_AA, _SHIFT)
        cv2.line(canvas, here, there, WHITE, 2, cv2.LINE_AA, _SHIFT)


def _write(canvas: Image, text: str, place: tuple[int, int], colour: tuple[int, int, int], size: float) -> None:
    plain = text.encode("ascii", "replace").decode()
    # Shadow and letters have one weight: the library's letters are wider the bolder they are.
    for (x, y), ink in (((place[0] + 1, place[1] + 1), (0, 0, 0)), (place, colour)):
        cv2.putText(canvas, plain, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, ink, 1, cv2.LINE_AA)
