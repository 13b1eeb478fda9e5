"""The two cameras in front of a head: visual, thermal and aligned frames of one clip."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from ...loaders.palette import palette
from ..stages.align import Image, Matrix, homography, warp
from .heads import GAP, OPENINGS, Head
from .portrait import CENTRE
from .thermal import ROOM, thermal_frame

VISUAL, THERMAL = (768, 512), (464, 348)
"""Width and height at scale 1."""
TURNS = {1: (0, 0), 2: (0, -1), 3: (0, 1), 4: (1, 0), 5: (1, -1), 6: (1, 1), 7: (-1, 0), 8: (-1, -1), 9: (-1, 1)}
"""Per camera position: face towards image right (1) or left (-1), camera above (-1) or below (1)."""
VISUAL_NOISE, THERMAL_NOISE = 0.26, 0.32
"""Sigma in grey levels and in palette steps: PNG files then have about the release's sizes."""
_GRAIN = 4
"""Mean of the noise pictures, taken off again after they are added."""


@dataclass(frozen=True)
class Pose:
    """Where a head is in the visual frame."""

    x: float
    """Column of the head's CENTRE, in pixels of the 768x512 frame; `y` is its row."""
    y: float
    wide: float = 1.0
    """Foreshortening across; `tall` is the one down."""
    tall: float = 1.0
    roll: float = 0.0
    """Degrees."""
    opening: float = 0.0
    """Of the mouth, 0..1."""


def at_position(position: int, x: float, y: float) -> Pose:
    """A still head seen by one of the nine cameras."""
    across, down = TURNS[position]
    return Pose(x + 9.0 * across, y + 4.0 * down, 1 - 0.05 * abs(across), 1 - 0.04 * abs(down), 0.8 * across * down)


def placement(pose: Pose, scale: float) -> Matrix:
    """Head pixels to visual pixels, (3, 3); both at `scale`, integer pixel centres."""
    angle = np.radians(pose.roll)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    linear = turn @ np.diag([pose.wide, pose.tall])
    middle = (np.array(CENTRE) + 0.5) * scale - 0.5
    goal = (np.array([pose.x, pose.y]) + 0.5) * scale - 0.5
    matrix = np.eye(3)
    matrix[:2, :2] = linear
    matrix[:2, 2] = goal - linear @ middle
    return matrix


def mouth_gap(pose: Pose) -> float:
    """Height of the mouth opening in pixels of the 768x512 frame."""
    return GAP * _step(pose) / (OPENINGS - 1)


def _step(pose: Pose) -> int:
    return round(float(np.clip(pose.opening, 0, 1)) * (OPENINGS - 1))


@lru_cache(maxsize=4)
def _grain(kind: str, width: int, height: int) -> NDArray[np.uint8]:
    """Noise with room to move about in, uint8 about _GRAIN: (height + 64, width + 64[, 3])."""
    random = np.random.default_rng([5, width, len(kind)])
    extent = (height + 64, width + 64)
    if kind == "thermal":
        noise = random.normal(0, THERMAL_NOISE, extent)
    else:
        noise = random.normal(0, VISUAL_NOISE, (*extent, 1)).repeat(3, 2)
    return np.clip(np.round(noise + _GRAIN), 0, 2 * _GRAIN).astype(np.uint8)


def _grained(frame: Image, kind: str, random: np.random.Generator) -> Image:
    height, width = frame.shape[:2]
    top, left = random.integers(0, 64, 2)
    noise = _grain(kind, width, height)[top : top + height, left : left + width]
    return np.asarray(cv2.subtract(cv2.add(frame, noise), (float(_GRAIN),) * 4), np.uint8)


@lru_cache(maxsize=8)
def wall(seed: int, subject: int, trial: int, scale: float) -> Image:
    """The recording room behind a person, wider than the frame by 64 px on each side: uint8 BGR."""
    random = np.random.default_rng([seed, subject, trial, 41])
    width, height = (VISUAL[0] + 128, VISUAL[1] + 128)
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    base = np.float32(np.round(random.uniform(150, 205) + random.uniform(-8, 8, 3)))
    picture = base - np.round(22.0 * columns / width + 14.0 * rows / height)[..., None]
    period, phase = int(random.integers(44, 72)), int(random.integers(0, 40))
    lines = ((columns + phase) % period < 3).astype(np.float32)
    picture -= (52.0 * lines)[..., None]
    shelf = int(random.integers(90, 220))
    picture[shelf : shelf + 7] -= 38.0
    left = int(random.integers(20, 90))
    picture[140:330, left : left + 120] = picture[140:330, left : left + 120] * 0.45
    coarse = random.normal(0, 1, (height // 2, width // 2)).astype(np.float32)
    picture += (0.4 * cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR))[..., None]
    picture = cv2.GaussianBlur(picture, (0, 0), 0.55)
    if scale != 1.0:
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(np.clip(picture, 0, 255), np.uint8)


@lru_cache(maxsize=8)
def _room(seed: int, subject: int, trial: int, scale: float) -> Image:
    """The same room as heat: a slow pattern about ROOM, uint8 palette index."""
    random = np.random.default_rng([seed, subject, trial, 42])
    size = (round(THERMAL[0] * scale), round(THERMAL[1] * scale))
    slow = cv2.resize(random.normal(0, 5, (5, 6)).astype(np.float32), size, interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(ROOM + slow, 8, 60), np.uint8)


def visual_frame(head: Head, pose: Pose, room: Image, scale: float) -> Image:
    """One clean visual frame, uint8 BGR of the size of `room`; no noise yet."""
    size = (room.shape[1], room.shape[0])
    matrix = placement(pose, scale)[:2]
    front = cv2.warpAffine(head.colour[_step(pose)], matrix, size, flags=cv2.INTER_LINEAR)
    through = cv2.bitwise_not(cv2.extractChannel(front, 3))
    behind = cv2.multiply(room, cv2.merge([through] * 3), scale=1 / 255)
    return np.asarray(cv2.add(behind, cv2.cvtColor(front, cv2.COLOR_BGRA2BGR)), np.uint8)


@dataclass(frozen=True)
class Shot:
    """One moment for both cameras."""

    pose: Pose
    dx: int
    dy: int
    jump: int = 0
    """Columns by which the visual picture tears sideways (it wraps around); the shift used to align is dx + jump."""
    blur: float = 0.0
    """Sigma in pixels of the 768x512 frame."""


@dataclass(frozen=True)
class Stage:
    """Everything of one clip that does not move."""

    head: Head
    seed: int
    subject: int
    trial: int
    position: int
    scale: float

    def _window(self) -> Image:
        across, down = TURNS[self.position]
        left, top = (round((64 - 50 * across) * self.scale), round((64 - 40 * down) * self.scale))
        width, height = (round(edge * self.scale) for edge in VISUAL)
        return wall(self.seed, self.subject, self.trial, self.scale)[top : top + height, left : left + width]

    def visual(self, shot: Shot, random: np.random.Generator) -> Image:
        """The visual frame (stream 2), uint8 BGR."""
        frame = visual_frame(self.head, shot.pose, self._window(), self.scale)
        if shot.jump:
            frame = np.ascontiguousarray(np.roll(frame, shot.jump, axis=1))
        if shot.blur:
            soft = cv2.GaussianBlur(frame, (0, 0), shot.blur * self.scale)
            return np.asarray(
                cv2.add(soft, (random.random(soft.shape[:2]) < 0.02).astype(np.uint8)[..., None].repeat(3, 2))
            )
        return _grained(frame, "visual", random)

    def thermal(self, shot: Shot, random: np.random.Generator) -> Image:
        """The thermal frame (stream 1) in the 224 colours, uint8 BGR; a tear of the visual picture does not move it."""
        room = _grained(_room(self.seed, self.subject, self.trial, self.scale), "thermal", random)
        matrix = homography(shot.dx, shot.dy, self.scale) @ placement(shot.pose, self.scale)
        index = thermal_frame(self.head.heat[_step(shot.pose)], matrix, room)
        return np.asarray(cv2.applyColorMap(index, _colours()), np.uint8)

    def aligned(self, visual: Image, shot: Shot) -> Image:
        """The visual frame carried into the thermal one (stream 3), uint8 BGR."""
        size = (round(THERMAL[0] * self.scale), round(THERMAL[1] * self.scale))
        return warp(visual, homography(shot.dx + shot.jump, shot.dy, self.scale), size)


@lru_cache(maxsize=1)
def _colours() -> NDArray[np.uint8]:
    """The palette as OpenCV takes it, (256, 1, 3) BGR; indices above 223 never occur."""
    table = np.zeros((256, 1, 3), np.uint8)
    table[: len(palette()), 0] = palette()[:, ::-1]
    table[len(palette()) :] = table[len(palette()) - 1]
    return table
