"""A head picture turned and smiling: yaw and pitch over a model of its depth, a smile by moved landmarks."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .heads import still
from .people import Person
from .portrait import HEAD, Picture, Points, resample, soft_mask, thin_plate

PUPILS = (slice(36, 42), slice(42, 48))
"""Landmarks round each eye; their mean is the pupil of a gaze straight ahead."""
_DEEP, _WIDE, _TALL, _LOW = 1.45, 1.15, 2.2, 0.2
"""Half axes of the head's ellipsoid and how far its middle lies below the pupils, in pupil distances."""
_NOSE = 0.38
"""Height of the nose tip over the ellipsoid: half a pupil distance in front of the eyes, an adult's proportion."""
_NECK = 0.8
"""Length of the neck, which takes up the turn between head and shoulders, in pupil distances."""

_SMILE = {
    **dict.fromkeys((48, 60), (-0.13, -0.11)), **dict.fromkeys((54, 64), (0.13, -0.11)),
    49: (-0.07, -0.04), 53: (0.07, -0.04), 59: (-0.05, 0.02), 55: (0.05, 0.02),
    **dict.fromkeys((50, 51, 52), (0.0, -0.02)), **dict.fromkeys((56, 57, 58), (0.0, 0.08)),
    61: (-0.03, -0.05), 62: (0.0, -0.04), 63: (0.03, -0.05), 65: (0.03, 0.07), 66: (0.0, 0.09), 67: (-0.03, 0.07),
    31: (-0.03, -0.01), 35: (0.03, -0.01), **dict.fromkeys((40, 41, 46, 47), (0.0, -0.03)),
}  # fmt: skip
"""How far the broadest smile moves a landmark across and down, in pupil distances."""


@dataclass(frozen=True)
class Look:
    """How a face shows itself; angles in degrees."""

    yaw: float = 0.0
    """Above 0 the face looks to the right of the picture."""
    pitch: float = 0.0
    """Above 0 it looks up."""
    smile: float = 0.0
    """From 0 (closed and level mouth) to 1 (broad, open, teeth)."""
    light: tuple[float, float] = (0.0, 0.0)
    """Where the light comes from (right, up) and how strongly: 0 is even, 0.5 leaves half of the face dark."""


@dataclass(frozen=True)
class Turned:
    """A head from the front of a camera far away."""

    colour: NDArray[np.uint8]
    """(H, W, 4): BGR times opacity, and opacity."""
    points: Points
    """(68, 2) landmarks in its pixels, hidden ones where they would be."""

    @property
    def pupils(self) -> Points:
        """(2, 2): the pupil at the left of the picture, then the other."""
        return pupils(self.points)


def pupils(points: Points) -> Points:
    """(68, 2) landmarks -> (2, 2) pupils, the one at the left of the picture first."""
    return np.stack([points[eye].mean(0) for eye in PUPILS])


def _depth(points: Points, columns: Points, rows: Points) -> Points:
    """Towards the camera from the axis the head turns about, in pixels, at picture places; same shape as `columns`."""
    left, right = pupils(points)
    unit, middle = right[0] - left[0], (left + right) / 2
    across, down = (columns - middle[0]) / unit, (rows - middle[1]) / unit
    inside = 1 - (across / _WIDE) ** 2 - ((down - _LOW) / _TALL) ** 2
    surface = _DEEP * np.sqrt((inside + np.sqrt(inside**2 + 0.05)) / 2)
    root, tip, base = ((points[number, 1] - middle[1]) / unit for number in (27, 30, 33))
    rise = np.clip((down - root) / (tip - root), 0, 1) ** 1.3
    rise *= np.clip((base + 0.12 - down) / (base + 0.12 - tip), 0, 1)
    nose = _NOSE * rise * np.exp(-((across / (0.13 + 0.06 * np.clip(rise, 0, 1))) ** 2))
    return np.asarray((surface + nose) * unit)


def _turning(points: Points, rows: Points) -> Points:
    """Which share of the head's turn a place takes part in, by its row: 1 in the head, 0 in the shoulders."""
    left, right = pupils(points)
    beyond = (rows - points[8, 1]) / ((right[0] - left[0]) * _NECK)
    return np.asarray(0.5 + 0.5 * np.cos(np.pi * np.clip(beyond, 0, 1)))


def _inverted(goal: Points) -> NDArray[np.float32]:
    """(lines, places) where each source place goes -> which source place is seen at each place.

    Towards rising places nearer surfaces hide farther ones, so that a place is seen only beyond all before it.
    """
    seen = np.maximum.accumulate(goal, 1)
    places = np.arange(goal.shape[1], dtype=np.float64)
    return np.stack([np.interp(places, line, places) for line in seen]).astype(np.float32)


def _turn(layers: Picture, goal: Points, forward: bool) -> Picture:
    """Move each column of `layers` (H, W, C) to `goal` (H, W) with what is nearer in front."""
    width = goal.shape[1]
    source = _inverted(goal) if forward else width - 1 - _inverted(width - 1 - goal[:, ::-1])[:, ::-1]
    rows = np.broadcast_to(np.arange(len(goal), dtype=np.float32)[:, None], source.shape)
    place = np.stack([source, rows], -1)
    return np.dstack([resample(layers[..., :4], place), resample(layers[..., 4:], place)])


def turned(person: Person, day: int, look: Look, scale: float = 1.0) -> Turned:
    """The head of a person on a day (1 or 2), turned about its vertical axis by the yaw, then lifted by the pitch.

    At `scale` 1 the pupils are about 90 px apart.
    """
    shown, points = still(person, day)
    if scale != 1.0:
        shown = np.asarray(cv2.resize(shown, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
        points = (points + 0.5) * scale - 0.5
    return turn(shown.astype(np.float32), points, look)


def turn(colour: Picture, points: Points, look: Look) -> Turned:
    """A head picture (H, W, 4) 0..255 as in Turned, seen from the front, and its (68, 2) landmarks -> both turned."""
    if look.smile:
        colour, points = _smiling(colour, points, look.smile)
    rows, columns = np.mgrid[0 : colour.shape[0], 0 : colour.shape[1]].astype(np.float64)
    middle = pupils(points).mean(0)
    depth, share = _depth(points, columns, rows), _turning(points, rows)
    sine, cosine = np.sin(np.radians(look.yaw)), np.cos(np.radians(look.yaw))

    def aside(x: Points, z: Points, taking: Points) -> tuple[Points, Points]:
        moved = (x - middle[0]) * cosine + z * sine + middle[0]
        return x + taking * (moved - x), z + taking * (z * cosine - (x - middle[0]) * sine - z)

    across, nearer = aside(columns, depth, share)
    layers = _turn(np.dstack([colour, nearer.astype(np.float32)]), across, look.yaw >= 0)
    at_points = _depth(points, points[:, 0], points[:, 1])
    x, z = aside(points[:, 0], at_points, _turning(points, points[:, 1]))
    rise, fall = np.sin(np.radians(look.pitch)), np.cos(np.radians(look.pitch))

    def lifted(y: Points, z: Points, taking: Points) -> Points:
        moved = (y - middle[1]) * fall - z * rise + middle[1]
        return np.asarray(y + taking * (moved - y))

    down = lifted(rows, layers[..., 4].astype(np.float64), share)
    layers = _turn(layers.transpose(1, 0, 2), down.T, look.pitch < 0).transpose(1, 0, 2)
    y = lifted(points[:, 1], z, _turning(points, points[:, 1]))
    picture = _lit(layers[..., :4], layers[..., 4], look.light)
    return Turned(np.clip(picture + 0.5, 0, 255).astype(np.uint8), np.stack([x, y], -1))


def _lit(colour: Picture, depth: Picture, light: tuple[float, float]) -> Picture:
    """Brighter where the surface faces the light; opacity stays."""
    right, up = light
    if not (right or up):
        return colour
    smooth = cv2.GaussianBlur(depth, (0, 0), 5 * depth.shape[1] / HEAD[0])
    slope = np.stack([-np.gradient(smooth, axis=1), np.gradient(smooth, axis=0)], -1)
    facing = slope / np.sqrt(1 + (slope**2).sum(-1, keepdims=True))
    factor = np.clip(1 + 1.4 * (facing[..., 0] * right + facing[..., 1] * up), 0.25, 1.5)
    out = colour.copy()
    out[..., :3] = np.minimum(colour[..., :3] * factor[..., None], colour[..., 3:])
    return out


def _smiling(colour: Picture, points: Points, degree: float) -> tuple[Picture, Points]:
    """Mouth corners out and up, lips apart over teeth, cheeks and lower lids raised, folds beside the mouth."""
    left, right = pupils(points)
    unit = right[0] - left[0]
    goal = points.copy()
    for number, move in _SMILE.items():
        goal[number] += np.array(move) * degree * unit
    top, bottom = int(left[1] - 0.4 * unit), int(points[8, 1] + 0.4 * unit)
    first, last = int(points[0, 0] - 0.3 * unit), int(points[16, 0] + 0.3 * unit)
    area = slice(max(0, top), bottom), slice(max(0, first), last)
    corner = np.array([area[1].start, area[0].start])
    part = np.ascontiguousarray(colour[area])
    size = (part.shape[1], part.shape[0])
    along = np.linspace(0, 1, 5)
    rim = np.array([(x, y) for x in along for y in along if {x, y} & {0.0, 1.0}]) * size
    place = thin_plate(np.vstack([goal - corner, rim]), np.vstack([points - corner, rim]), size, 8)
    moved = resample(part, place)
    picture = colour.copy()
    picture[area] = np.clip(_mouth_of_a_smile(moved, goal - corner, unit, degree), 0, 255)
    return picture, goal


def _mouth_of_a_smile(part: Picture, points: Points, unit: float, degree: float) -> Picture:
    """Teeth between the lips and the folds from nose to mouth, painted onto a face already moved."""
    size = (part.shape[1], part.shape[0])
    opening = soft_mask(points[60:68], 0.8, size)[..., None] * (part[..., 3:] / 255)
    aside = np.arange(size[0], dtype=np.float32) - points[62, 0]
    gaps = 1 - 0.10 * (np.abs((aside / (0.09 * unit)) % 1 - 0.5) < 0.06)
    teeth = np.clip(1.0 - 0.55 * (aside / (0.5 * (points[54, 0] - points[48, 0]))) ** 2, 0.2, 1) * gaps
    paint = teeth[None, :, None] * np.array([205, 220, 228], np.float32)
    part[..., :3] += (paint - part[..., :3]) * opening * min(1.0, 1.6 * degree)
    folds = np.zeros(size[::-1], np.uint8)
    for nostril, corner, side in ((31, 48, -1.0), (35, 54, 1.0)):
        start = points[nostril] + (side * 0.06 * unit, -0.04 * unit)
        end = points[corner] + (side * 0.12 * unit, 0.02 * unit)
        bow = (start + end) / 2 + (side * 0.07 * unit, 0.0)
        share = np.linspace(0, 1, 12)[:, None]
        curve = np.round(((1 - share) ** 2 * start + 2 * share * (1 - share) * bow + share**2 * end) * 16)
        cv2.polylines(folds, [curve.astype(np.int32)], False, 255, max(1, round(unit / 30)), cv2.LINE_AA, 4)
    shade = cv2.GaussianBlur(folds.astype(np.float32) / 255, (0, 0), unit / 40)
    part[..., :3] *= 1 - 0.5 * degree * shade[..., None]
    return part
