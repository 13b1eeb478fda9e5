"""Web photographs of made-up people, as they turn up in a picture search: good portraits and all that is not one."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .backgrounds import BACKGROUNDS, CLUTTERED, background
from .people import Person
from .portrait import Picture, Points
from .turning import Look, Turned, turned

GOOD = "good"
BAD = ("profile", "tiny", "several", "smile", "blurred", "none", "drawing", "cropped", "pitched")
KINDS = (GOOD, *BAD)
"""What a photograph shows; all but the first should not pass HQ-VoxCeleb's steps."""


SMALL = 42.0
"""Pixels between pupils below which heads are turned at half size, a quarter of the work."""


@dataclass(frozen=True)
class Figure:
    """One person in a photograph."""

    person: Person
    day: int
    """1 or 2: clothes and accessories."""
    look: Look
    roll: float
    """Degrees, above 0 the head leans to the right of the picture."""
    distance: float
    """Between the pupils, in pixels of the photograph."""
    at: tuple[float, float]
    """Midpoint of the pupils, in pixels; may lie outside."""


@dataclass(frozen=True)
class Photo:
    """A photograph before it is taken."""

    kind: str
    size: tuple[int, int]
    """Width and height in pixels."""
    behind: str
    """One of BACKGROUNDS."""
    figures: tuple[Figure, ...]
    """Those farther back first; the last is who the photograph is of."""
    seed: tuple[int, ...]
    blur: float = 0.0
    """Sigma in pixels."""
    quality: int = 92
    """Of JPEG."""


@dataclass(frozen=True)
class Taken:
    """A photograph and what is true of it."""

    picture: NDArray[np.uint8]
    """(H, W, 3) BGR."""
    mask: NDArray[np.uint8]
    """(H, W): 255 where people are, grey at their edges."""
    truth: dict[str, Any]


def plan_photo(kind: str, person: Person, seed: tuple[int, ...], strangers: Sequence[Person] = ()) -> Photo:
    """A photograph of one of KINDS; `strangers` stand beside the person where it shows several.

    Good ones have a yaw within 2 and a pitch within 3 degrees, at most a trace of a smile, pupils 40 to 100 px apart.
    Raises ValueError for another kind or several people without a stranger.
    """
    if kind not in KINDS:
        raise ValueError(f"photograph of kind {kind!r}, expected one of {', '.join(KINDS)}")
    if kind == "several" and not strangers:
        raise ValueError("photograph of several people: give one stranger at least")
    random = np.random.default_rng([*seed, 61])
    distance = float(random.uniform(13, 25) if kind == "tiny" else random.uniform(40, 100))
    look = Look(
        yaw=float(random.uniform(-2, 2)),
        pitch=float(random.uniform(-3, 3)),
        smile=float(random.uniform(0, 0.1)),
        light=(float(random.uniform(-0.2, 0.2)), float(random.uniform(0, 0.2))),
    )
    side = float(random.choice((-1.0, 1.0)))
    if kind == "profile":
        look = Look(side * float(random.uniform(16, 40)), look.pitch, look.smile, look.light)
    elif kind == "pitched":
        look = Look(look.yaw, side * float(random.uniform(15, 24)), look.smile, look.light)
    elif kind == "smile":
        look = Look(look.yaw, look.pitch, float(random.uniform(0.7, 1.0)), look.light)
    wide, high = random.uniform(4.6, 8.5), random.uniform(5.2, 8.5)
    room = 2.2 if kind == "tiny" else 1.0
    size = (round(distance * wide * room), round(distance * high * room))
    at = (size[0] * (0.5 + random.uniform(-0.04, 0.04)), max(2.6 * distance, size[1] * random.uniform(0.38, 0.46)))
    if kind == "cropped":
        at = (size[0] * (0.5 - 0.5 * side) + 0.1 * distance * float(random.uniform(-1, 1)), at[1])
    roll = float(np.clip(random.normal(0, 5), -12, 12))
    day = int(random.integers(1, 3))
    figures: tuple[Figure, ...] = (Figure(person, day, look, roll, distance, (float(at[0]), float(at[1]))),)
    if kind == "several":
        size, figures = _beside(figures[0], strangers, size, random)
    likely = (0.3, 0.4, 0.1, 0.1, 0.1) if kind == GOOD else (0.2,) * 5
    behind = str(random.choice(BACKGROUNDS, p=likely)) if kind != "none" else str(random.choice(CLUTTERED))
    blur = distance * float(random.uniform(0.09, 0.14)) if kind == "blurred" else 0.0
    quality = int(random.integers(86, 97))
    return Photo(kind, size, behind, () if kind == "none" else figures, seed, blur, quality)


def resized(photo: Photo, factor: float) -> Photo:
    """The same photograph at another size."""
    width, height = photo.size
    figures = tuple(
        replace(one, distance=one.distance * factor, at=(one.at[0] * factor, one.at[1] * factor))
        for one in photo.figures
    )
    size = (round(width * factor), round(height * factor))
    return replace(photo, size=size, figures=figures, blur=photo.blur * factor)


def _beside(
    main: Figure, strangers: Sequence[Person], size: tuple[int, int], random: np.random.Generator
) -> tuple[tuple[int, int], tuple[Figure, ...]]:
    """A row of people, the main one in the middle or at the left, with room for all."""
    step = 3.6 * main.distance
    size = (round(max(size[0], 4.5 * main.distance) + step * len(strangers)), size[1])
    first = 2.3 * main.distance
    figures = [Figure(main.person, main.day, main.look, main.roll, main.distance, (first, main.at[1]))]
    for number, person in enumerate(strangers, 1):
        look = Look(float(random.uniform(-6, 6)), float(random.uniform(-4, 4)), float(random.uniform(0, 0.8)))
        distance = main.distance * float(random.uniform(0.85, 1.0))
        place = (first + number * step, main.at[1] + float(random.uniform(-0.3, 0.5)) * main.distance)
        figures.append(Figure(person, 1, look, float(random.uniform(-5, 5)), distance, place))
    return size, tuple(reversed(figures))


def place_on(turned_head: Turned, figure: Figure, size: tuple[int, int]) -> tuple[Picture, Points]:
    """The head scaled, rolled and moved into a picture of `size`: (H, W, 4) as in Turned, and (68, 2) landmarks."""
    left, right = turned_head.pupils
    scale = figure.distance / float(np.hypot(*(right - left)))
    below = cv2.copyMakeBorder(turned_head.colour, 0, turned_head.colour.shape[0], 0, 0, cv2.BORDER_REPLICATE)
    if scale < 1:
        below = cv2.resize(below, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    points = (turned_head.points + 0.5) * scale - 0.5
    rest = 1.0 if scale < 1 else scale
    middle = (left + right) / 2 if scale >= 1 else ((left + right) / 2 + 0.5) * scale - 0.5
    angle = np.radians(figure.roll) - np.arctan2(*(right - left)[::-1])
    linear = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * rest
    matrix = np.column_stack([linear, np.array(figure.at) - linear @ middle])
    placed = cv2.warpAffine(below, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_CONSTANT)
    source = points if scale < 1 else turned_head.points
    return placed.astype(np.float32), source @ linear.T + matrix[:, 2]


def take(photo: Photo) -> Taken:
    """The photograph with its truth; a pure function of the plan."""
    random = np.random.default_rng([*photo.seed, 62])
    scene = background(photo.behind, photo.size, random)
    mask = np.zeros((photo.size[1], photo.size[0]), np.float32)
    people = []
    for figure in photo.figures:
        whole, points = place_on(
            turned(figure.person, figure.day, figure.look, 0.5 if figure.distance < SMALL else 1.0), figure, photo.size
        )
        opaque = whole[..., 3:] / 255
        scene = np.asarray(np.minimum(whole[..., :3], whole[..., 3:]) + (1 - opaque) * scene, np.float32)
        mask = np.maximum(mask, whole[..., 3])
        people.append(_figure_truth(figure, points))
    if photo.kind == "drawing":
        scene = _drawn(scene)
    scene = _developed(scene, photo, random)
    people.reverse()
    main = people[0] if people else {}
    truth = {
        "kind": photo.kind,
        "size": list(photo.size),
        "background": photo.behind,
        "cluttered": photo.behind in CLUTTERED,
        "blur": round(photo.blur, 2),
        "n_people": len(people),
        **main,
        "others": people[1:],
    }
    return Taken(np.clip(scene + 0.5, 0, 255).astype(np.uint8), np.clip(mask + 0.5, 0, 255).astype(np.uint8), truth)


def _figure_truth(figure: Figure, points: Points) -> dict[str, Any]:
    look = asdict(figure.look)
    return {
        "subject": figure.person.subject,
        "day": figure.day,
        "pupils": [[round(float(value), 2) for value in eye] for eye in (points[36:42].mean(0), points[42:48].mean(0))],
        "pupil_distance": round(figure.distance, 2),
        "landmarks": [[round(float(value), 1) for value in point] for point in points],
        **{name: round(look[name], 3) for name in ("yaw", "pitch", "smile")},
        "light": [round(value, 3) for value in figure.look.light],
        "roll": round(figure.roll, 3),
    }


def _drawn(scene: Picture) -> Picture:
    """Flat colours and dark outlines, as in a cartoon."""
    flat = np.clip(scene, 0, 255).astype(np.uint8)
    for _ in range(3):
        flat = np.asarray(cv2.bilateralFilter(flat, 9, 40, 7), np.uint8)
    steps = (flat.astype(np.float32) // 42) * 42 + 21
    grey = cv2.medianBlur(cv2.cvtColor(flat, cv2.COLOR_BGR2GRAY), 5)
    lines = cv2.adaptiveThreshold(grey, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY, 9, 4)
    return np.asarray(steps * (0.15 + 0.85 * cv2.GaussianBlur(lines, (3, 3), 0)[..., None] / 255), np.float32)


def _developed(scene: Picture, photo: Photo, random: np.random.Generator) -> Picture:
    """Exposure, colour cast, sharpness and grain of the camera."""
    gain = random.uniform(0.88, 1.06) * (1 + random.uniform(-0.03, 0.03, 3))
    if photo.behind == "white":
        gain = np.ones(3)
    scene = scene * np.float32(gain)
    if photo.blur:
        scene = np.asarray(cv2.GaussianBlur(scene, (0, 0), photo.blur), np.float32)
    if photo.kind != "drawing":
        scene = scene + random.normal(0, random.uniform(0.6, 2.2), scene.shape).astype(np.float32)
    return np.asarray(scene, np.float32)


def jpeg(picture: NDArray[np.uint8], quality: int) -> bytes:
    """(H, W, 3) BGR -> baseline JPEG."""
    return bytes(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1])
