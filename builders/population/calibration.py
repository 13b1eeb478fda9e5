"""Forge captures of the heated marker sheet: both cameras, a known homography for every pair, one pair spoiled."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ...loaders.palette import heat_colours
from ..stages.align import Image, Matrix, shifted
from ..stages.captures import THERMAL, VISUAL
from ..stages.markers import SHEET
from .thermal import ROOM

PITCH, TALL = (1.43, 1.41), 1.04
"""Distance of neighbours across and down, and marker height, in marker widths; measured on public captures."""
UNIT = 112
"""Pixels of the drawn sheet per marker width."""
BOARD = (-3.0, -0.9, 6.6, 4.8)
"""Left, top, right, bottom of the cardboard in marker widths; the first marker begins at 0, 0."""
PAPER, INK, CARD, WALL = (236, 236, 238), (58, 58, 62), (104, 138, 166), (206, 208, 208)
"""BGR."""
HOT, WARM, MILD = 186.0, 112.0, 138.0
"""Heat of ink, paper and cardboard in palette index units."""
BASE = (0.782, 0.0215, -60.2, -0.0105, 0.7865, -25.4, 1.3e-5, 6.9e-5, 1.0)
"""Visual to thermal, near what the public captures have."""
SMOOTH = 3
"""Pictures are drawn this many times larger, then averaged down."""

Picture = NDArray[np.float32]


@dataclass(frozen=True)
class ForgeOptions:
    """What to forge."""

    captures: int = field(default=6, metadata={"help": "pairs of pictures"})
    spoiled: int = field(default=2, metadata={"help": "number of the pair doubled by motion, 0 for none"})
    seed: int = field(default=0, metadata={"help": "same seed, same bytes"})


def forge(
    out: Path, options: ForgeOptions, progress: Callable[[int, int], None] | None = None, workers: int = 1
) -> dict[str, Any]:
    """Write N_0.png (thermal) and N_1.png (visual) into `out` (new or empty) and `<out>.truth.json` beside it.

    One process serves whatever `workers` says: a capture takes a fraction of a second. Returns counts; `progress` is
    told how many captures of how many are done.
    Raises FileExistsError when `out` holds something, ValueError for less than one capture.
    """
    if out.exists() and any(out.iterdir()):
        raise FileExistsError(f"{out}: expected a new or empty folder to forge into. Choose another, or remove it.")
    if options.captures < 1:
        raise ValueError(f"captures {options.captures}: expected 1 or more")
    out.mkdir(parents=True, exist_ok=True)
    truth = {}
    for number in range(1, options.captures + 1):
        random = np.random.default_rng([options.seed, number, 71])
        sheet, matrix = _pose(random), _between(random)
        visual, thermal = visual_picture(sheet, random), thermal_picture(matrix @ sheet, random)
        if number == options.spoiled:
            visual = np.asarray(cv2.addWeighted(visual, 0.5, np.roll(visual, (5, 11), (0, 1)), 0.5, 0), np.uint8)
        for code, picture in enumerate((thermal, visual)):
            (out / f"{number}_{code}.png").write_bytes(bytes(cv2.imencode(".png", picture)[1]))
        truth[str(number)] = {
            "matrix": matrix.ravel().tolist(),
            "sheet": sheet.ravel().tolist(),
            "spoiled": number == options.spoiled,
        }
        if progress:
            progress(number, options.captures)
    whole = {"options": asdict(options), "base": list(BASE), "captures": truth}
    (out.parent / f"{out.name}.truth.json").write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    return {"captures": options.captures, "spoiled": int(1 <= options.spoiled <= options.captures)}


def _pose(random: np.random.Generator) -> Matrix:
    """Marker widths on the sheet to visual pixels, (3, 3): turned, tilted, near the middle of the picture."""
    angle, zoom = np.radians(random.uniform(-22, 22)), random.uniform(50, 57)
    cosine, sine = zoom * np.cos(angle), zoom * np.sin(angle)
    x, y = VISUAL[0] / 2 + random.uniform(-30, 30), VISUAL[1] / 2 + random.uniform(-15, 15)
    place = np.array([[cosine, -sine, x], [sine, cosine, y], [0.0, 0.0, 1.0]])
    tilt = np.eye(3)
    tilt[2, :2] = random.uniform(-0.012, 0.012, 2)
    middle = np.eye(3)
    middle[:2, 2] = -(3 * PITCH[0] + 1) / 2, -(2 * PITCH[1] + TALL) / 2
    return np.asarray(place @ tilt @ middle, np.float64)


def _between(random: np.random.Generator) -> Matrix:
    """Visual to thermal of one capture: the cameras' matrix, moved and slightly turned as by another distance."""
    turn, zoom = np.radians(random.normal(0, 0.1)), 1 + random.normal(0, 0.001)
    cosine, sine = zoom * np.cos(turn), zoom * np.sin(turn)
    middle = np.array([[1.0, 0.0, VISUAL[0] / 2], [0.0, 1.0, VISUAL[1] / 2], [0.0, 0.0, 1.0]])
    wobble = middle @ np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]]) @ np.linalg.inv(middle)
    dx, dy = (int(shift) for shift in random.integers(-8, 9, 2))
    matrix = shifted(np.array(BASE).reshape(3, 3), dx, dy) @ wobble
    return np.asarray(matrix / matrix[2, 2], np.float64)


@cache
def _drawn() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Where ink is and where paper is on the cardboard, two masks (H, W) uint8 of 0 and 255."""
    left, top, right, bottom = BOARD
    ink = np.zeros((round((bottom - top) * UNIT), round((right - left) * UNIT)), np.uint8)
    dictionary = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_ARUCO_ORIGINAL)
    for row, numbers in enumerate(SHEET):
        for column, number in enumerate(numbers):
            # The sheet's upper right corner is the marker's first one: a quarter turn clockwise.
            marker = np.rot90(cv2.aruco.generateImageMarker(dictionary, number, UNIT), -1)
            tall = cv2.resize(marker, (UNIT, round(TALL * UNIT)), interpolation=cv2.INTER_NEAREST)
            x, y = round((column * PITCH[0] - left) * UNIT), round((row * PITCH[1] - top) * UNIT)
            ink[y : y + len(tall), x : x + UNIT] = 255 - tall
    paper = np.zeros_like(ink)
    edge = 0.35
    across = [round((place - left) * UNIT) for place in (-edge, 3 * PITCH[0] + 1 + edge)]
    down = [round((place - top) * UNIT) for place in (-edge, 2 * PITCH[1] + TALL + edge)]
    paper[down[0] : down[1], across[0] : across[1]] = 255
    return ink, paper


def _seen(surface: Picture, sheet: Matrix, size: tuple[int, int], around: tuple[float, ...]) -> Picture:
    """A drawn surface through `sheet` (marker widths to pixels) in a picture of `size`, averaged over every pixel."""
    draw = np.array([[1 / UNIT, 0.0, BOARD[0] + 0.5 / UNIT], [0.0, 1 / UNIT, BOARD[1] + 0.5 / UNIT], [0.0, 0.0, 1.0]])
    larger = np.array([[SMOOTH, 0.0, (SMOOTH - 1) / 2], [0.0, SMOOTH, (SMOOTH - 1) / 2], [0.0, 0.0, 1.0]])
    fine = (size[0] * SMOOTH, size[1] * SMOOTH)
    large = cv2.warpPerspective(surface, larger @ sheet @ draw, fine, flags=cv2.INTER_LINEAR, borderValue=around)
    return np.asarray(cv2.resize(large, size, interpolation=cv2.INTER_AREA), np.float32)


def visual_picture(sheet: Matrix, random: np.random.Generator) -> Image:
    """What the webcam sees, (512, 768, 3) uint8 BGR: uneven light, a little blur, noise."""
    ink, paper = _drawn()
    surface = np.empty((*ink.shape, 3), np.float32)
    surface[:] = CARD
    surface[paper > 0] = PAPER
    surface[ink > 0] = INK
    picture = _seen(surface, sheet, VISUAL, WALL)
    across, down = (np.linspace(0, 1, edge, dtype=np.float32) for edge in VISUAL)
    picture *= 1.0 - 0.14 * across[None, :, None] - 0.08 * down[:, None, None]
    picture = cv2.GaussianBlur(picture, (0, 0), 0.7) + random.normal(0, 2.0, picture.shape)
    return np.asarray(np.clip(np.rint(picture), 0, 255), np.uint8)


def thermal_picture(sheet: Matrix, random: np.random.Generator) -> Image:
    """What the thermal camera sees, (348, 464, 3) uint8 BGR of the camera's 224 colours.

    Ink is hot and has spread into the paper: its squares are about 2 % wider and their edges soft. The lamp stands on
    the left.
    """
    ink, paper = _drawn()
    spread = cv2.GaussianBlur(cv2.dilate(ink, np.ones((3, 3), np.uint8)), (0, 0), 0.03 * UNIT)
    share = spread.astype(np.float32) / 255
    heat: Picture = np.full((*ink.shape,), MILD, np.float32)
    heat[paper > 0] = WARM
    heat += (HOT - heat) * share
    heat *= np.linspace(1.12, 0.88, ink.shape[1], dtype=np.float32)
    seen = cv2.GaussianBlur(_seen(heat, sheet, THERMAL, (ROOM,)), (0, 0), 1.0) + random.normal(0, 0.6, THERMAL[::-1])
    index = np.clip(np.rint(seen), 0, 223).astype(np.uint8)
    return np.asarray(heat_colours(index)[..., ::-1], np.uint8)
