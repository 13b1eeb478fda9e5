"""From a person to pictures of the head: colour with transparency and apparent heat, for a closed to an open mouth."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from .people import Person, hair_tone, shape, skin_tone
from .portrait import CENTRE, HEAD, JAW, Masks, Picture, Points, neutral, resample, soft_mask, thin_plate
from .thermal import heat_of

OPENINGS = 7
"""Mouth pictures per head, from closed to wide open (GAP pixels)."""
GAP = 17.0


@dataclass(frozen=True)
class Head:
    """What a camera needs of a person on one day, at the release's scale or half of it."""

    colour: tuple[NDArray[np.uint8], ...]
    """Per mouth opening (H, W, 4) uint8: BGR times opacity, and opacity."""
    heat: tuple[NDArray[np.uint8], ...]
    """Per mouth opening (H, W) uint8 palette index, background included."""
    points: Points
    """(68, 2) landmarks of the closed mouth in pixels of these pictures."""


def _lab(tone: tuple[float, float, float]) -> Picture:
    """A LAB colour as BGR 0..255, (3,) float32."""
    pixel = cv2.cvtColor(np.array([[tone]], np.float32), cv2.COLOR_LAB2BGR)[0, 0]
    return np.asarray(np.clip(pixel, 0.01, 1) * 255, np.float32)


@cache
def _bare_skin() -> Picture:
    """The neutral face with forehead and temples painted over the hair, divided by its mean skin colour."""
    face, points = neutral()
    brows = np.add(points[17:27], (0.0, -7.0))
    jaw = points[JAW] * (0.95, 1.0) + (0.05 * CENTRE[0], -3.0)
    known = soft_mask(np.vstack([jaw[1:-1], (jaw[-1] + brows[-1]) / 2, brows[::-1], (jaw[0] + brows[0]) / 2]), 3.0)
    organs = np.maximum(soft_mask(points[36:42], 5.0), soft_mask(points[42:48], 5.0))
    organs = np.maximum(organs, np.maximum(soft_mask(points[17:22], 4.0), soft_mask(points[22:27], 4.0)))
    skin = known * np.clip(1 - 2 * organs, 0, 1)
    filled = np.zeros_like(face)
    for sigma in (40.0, 14.0):
        weight = cv2.GaussianBlur(skin, (0, 0), sigma)[..., None]
        local = cv2.GaussianBlur(face * skin[..., None], (0, 0), sigma) / (weight + 1e-6)
        share = np.clip(weight * 4, 0, 1)
        filled = filled * (1 - share) + local * share if sigma < 40 else local
    mean = (face * skin[..., None]).sum((0, 1)) / skin.sum()
    whole = filled + (face - filled) * known[..., None]
    return np.asarray(whole / mean, np.float32)


@cache
def _strands() -> Picture:
    """Hair detail of the portrait as a factor about 1, (H, W) float32 on the head picture."""
    from skimage.data import astronaut

    patch = cv2.cvtColor(astronaut()[34:66, 208:266], cv2.COLOR_RGB2GRAY).astype(np.float32)
    patch = patch / cv2.GaussianBlur(patch, (0, 0), 9)
    large = cv2.resize(patch, None, fx=2.2, fy=2.2, interpolation=cv2.INTER_CUBIC)
    tile = np.block([[large, large[:, ::-1]], [large[::-1], large[::-1, ::-1]]])
    repeats = (HEAD[1] // tile.shape[0] + 1, HEAD[0] // tile.shape[1] + 1)
    return np.asarray(np.tile(tile, repeats)[: HEAD[1], : HEAD[0]], np.float32)


def _arc(centre: Points, radii: tuple[float, float], first: float, last: float) -> Points:
    """Points of an ellipse between two angles in degrees (0 right, 90 up)."""
    angle = np.radians(np.linspace(first, last, 40))
    return np.asarray(centre + np.stack([radii[0] * np.cos(angle), -radii[1] * np.sin(angle)], -1))


def _hair_outline(person: Person, points: Points, crown: Points, radii: tuple[float, float]) -> tuple[Points, Points]:
    """Outer outline of the hair and the bare-skin window in it (forehead and face)."""
    brow = points[19:25, 1].min()
    line = brow - 40.0 + 6.0 * person.trait("brow_tilt")
    if person.gender == "Male":
        line -= 8.0 + 0.25 * max(0, person.age - 35)
        outer = np.vstack(
            [_arc(crown, (radii[0] + 7, radii[1] + 9), 0, 180), points[[1]] - (7, 0), points[[15]] + (7, 0)]
        )
        sides = (points[0] + (7.0, -4.0), points[16] + (-7.0, -4.0))
    else:
        length = points[8, 1] + 8.0 + 36.0 * np.tanh(person.trait("hair_light") + person.trait("jaw_width"))
        left = crown - (radii[0] + 25, 0)
        top = _arc(crown, (radii[0] + 25, radii[1] + 17), 0, 180)
        ends = np.array([[left[0] - 4, length - 60], [left[0] + 16, length], [left[0] + 60, length + 4]])
        outer = np.vstack([top, ends, (ends * (-1, 1) + (2 * crown[0], 0))[::-1]])
        sides = (points[0] + (9.0, 0.0), points[16] + (-9.0, 0.0))
    peak = np.array([(points[0] + points[16])[0] / 2, line])
    window = np.vstack([_arc(np.array([peak[0], brow + 4]), ((sides[1] - sides[0])[0] / 2, brow + 4 - line), 0, 180)])
    inset = points[JAW] * (0.99, 1.0) + (0.01 * CENTRE[0], 0.0)
    return outer, np.vstack([window, sides[0], inset[1:-1], sides[1]])


def _masks(person: Person, accessory: str, points: Points) -> Masks:
    crown = (points[0] + points[16]) / 2
    radii = (abs(points[16, 0] - points[0, 0]) / 2, 140.0)
    skull = _arc(crown, radii, 0, 180)
    skin = soft_mask(np.vstack([skull, points[JAW]]), 1.2)
    for ear in (points[1], points[15]):
        oval = _arc(np.add(ear, (0.0, 4.0)), (11.0, 26.0), 0, 360)
        skin = np.maximum(skin, soft_mask(oval, 1.2))
    middle, chin = points[8]
    bottom = float(HEAD[1])
    broad = (0.72 if person.gender == "Male" else 0.6) * radii[0]
    neck = soft_mask(
        np.array(
            [
                [middle - broad, chin - 60],
                [middle + broad, chin - 60],
                [middle + 1.25 * broad, chin + 90],
                [middle - 1.25 * broad, chin + 90],
            ]
        ),
        1.5,
    )
    slope = 215.0 if person.gender == "Male" else 185.0
    shoulders = np.array(
        [
            [middle - broad, chin + 30],
            [middle, chin + 50],
            [middle + broad, chin + 30],
            [middle + slope, chin + 78],
            [middle + slope + 40, chin + 150],
            [middle + slope + 40, bottom],
            [middle - slope - 40, bottom],
            [middle - slope - 40, chin + 150],
            [middle - slope, chin + 78],
        ]
    )
    outer, window = _hair_outline(person, points, crown, radii)
    hair = soft_mask(outer, 2.0) * (1 - soft_mask(window, 2.5))
    empty = np.zeros_like(skin)
    lenses, rims = _glasses(points) if "Glasses" in accessory else (empty, empty)
    cover = empty
    if "Veil" in accessory:
        cloak = np.vstack(
            [
                _arc(crown, (radii[0] + 34, radii[1] + 22), 0, 180),
                [[middle - 150, chin + 130], [middle + 150, chin + 130]],
            ]
        )
        cover = soft_mask(cloak, 1.5) * (1 - soft_mask(window, 1.5))
    elif "Hat" in accessory:
        brim = points[19:25, 1].min() - 22
        cap = _arc(np.array([crown[0], brim]), (radii[0] + 14, brim - (crown[1] - radii[1] - 16)), 0, 180)
        cover = soft_mask(cap, 1.5)
    return Masks(neck, soft_mask(shoulders, 1.5), skin, hair, rims, lenses, cover)


def _glasses(points: Points) -> tuple[Picture, Picture]:
    """Lens area and thin dark frames with a bridge and temples."""
    lenses = np.zeros((HEAD[1], HEAD[0]), np.float32)
    rims = np.zeros((HEAD[1], HEAD[0]), np.uint8)
    centres = []
    for part in (slice(36, 42), slice(42, 48)):
        oval = _arc(np.add(points[part].mean(0), (0.0, 4.0)), (33.0, 22.0), 0, 360)
        centres.append(np.add(points[part].mean(0), (0.0, 2.0)))
        lenses = np.maximum(lenses, soft_mask(oval, 1.0))
        cv2.polylines(rims, [np.round(oval * 16).astype(np.int32)], True, 255, 3, cv2.LINE_AA, 4)
    (left, right), dark, edge = centres, (255, 3, cv2.LINE_AA, 4), np.array([33.0, 0.0])
    for start, end in ((left + edge, right - edge), (points[0], left - edge), (right + edge, points[16])):
        cv2.line(rims, np.round(start * 16).astype(int).tolist(), np.round(end * 16).astype(int).tolist(), *dark)
    return lenses, np.asarray(cv2.GaussianBlur(rims.astype(np.float32) / 255, (0, 0), 0.8))


@lru_cache(maxsize=2)
def _skin_picture(person: Person) -> Picture:
    """The bare face in the person's own shape and tone, (H, W, 3) float32 BGR 0..255."""
    points = shape(person)
    random = np.random.default_rng([person.seed, person.subject, 21])
    hull = np.array([[0, 0], [1, 0], [0, 1], [1, 1], [0.5, 0], [0.5, 1], [0, 0.5], [1, 0.5]]) * HEAD
    place = thin_plate(np.vstack([points, hull]), np.vstack([neutral()[1], hull]), HEAD)
    relief = resample(_bare_skin(), place)
    years = np.float32((person.age - 20) / 44)
    relief += (relief - cv2.GaussianBlur(relief, (0, 0), 3.0)) * (0.2 + 0.9 * years)
    for row in range(3):
        height = points[19:25, 1].min() - 14 - 11 * row
        crease = _arc(np.array([points[27, 0], height + 6]), (48.0, 6.0), 20, 160)
        line = np.zeros(relief.shape[:2], np.uint8)
        cv2.polylines(line, [np.round(crease * 16).astype(np.int32)], False, 255, 2, cv2.LINE_AA, 4)
        relief *= 1 - 0.18 * years * cv2.GaussianBlur(line.astype(np.float32) / 255, (0, 0), 1.2)[..., None]
    tone = _lab(skin_tone(person))
    if person.gender == "Male":
        mouth = soft_mask(points[48:60], 2.0)
        low = np.vstack(
            [
                points[2:15],
                points[[14]] * (0.8, 1) + (0.2 * CENTRE[0], 0),
                points[[33]] + (0, 8),
                points[[2]] * (0.8, 1) + (0.2 * CENTRE[0], 0),
            ]
        )
        beard = soft_mask(low, 7.0) * (1 - mouth) * (0.16 + 0.10 * max(0.0, person.trait("jaw_square")))
        grain = 1 + 0.10 * random.standard_normal(beard.shape, np.float32)
        relief *= 1 - (beard * grain)[..., None] * np.array([0.86, 0.96, 1.0], np.float32)
        arch = np.zeros(relief.shape[:2], np.uint8)
        for brow in (points[17:22], points[22:27]):
            cv2.polylines(arch, [np.round(np.add(brow, (0, 3.5)) * 16).astype(np.int32)], False, 255, 6, cv2.LINE_AA, 4)
        relief *= 1 - 0.55 * cv2.GaussianBlur(arch.astype(np.float32) / 255, (0, 0), 2.0)[..., None]
    whites = np.maximum(soft_mask(points[36:42], 1.5), soft_mask(points[42:48], 1.5))[..., None]
    bright = np.maximum(tone, 0.75 * _lab((69.0, 13.0, 19.0)))
    return np.asarray(np.clip(relief * (tone + (bright - tone) * whites), 0, 255), np.float32)


@cache
def _combed() -> Picture:
    """Hair detail as fine strands from the crown down, a factor about 1, (H, W) float32 on the head picture."""
    random = np.random.default_rng(23)
    rows, columns = np.mgrid[0 : HEAD[1], 0 : HEAD[0]].astype(np.float32)
    # Seen along rays from above the crown, strands are columns.
    along = np.hypot(columns - CENTRE[0], rows + 160.0)
    across = np.arctan2(columns - CENTRE[0], rows + 160.0) * 420 + 14 * np.sin(along / 60) + HEAD[0]
    total = np.ones_like(rows)
    for fine, long, weight in ((0.8, 30.0, 0.16), (2.5, 60.0, 0.12), (9.0, 90.0, 0.10)):
        noise = cv2.GaussianBlur(random.standard_normal((1100, 2 * HEAD[0]), np.float32), (0, 0), fine, sigmaY=long)
        total += weight * cv2.remap(noise / noise.std(), across, along, cv2.INTER_LINEAR)
    return np.asarray(total, np.float32)


def _paint(
    person: Person, trial: int, masks: Masks, points: Points, detail: Callable[[], Picture] = _strands
) -> tuple[Picture, Picture]:
    """All layers over each other: colour (H, W, 3) 0..255 and opacity (H, W) 0..1."""
    skin = _skin_picture(person)
    tone = _lab(skin_tone(person))
    rows = np.arange(HEAD[1], dtype=np.float32)[:, None]
    shade = 0.62 + 0.25 * np.clip((rows - float(points[8, 1])) / 80, 0, 1)
    wardrobe = np.random.default_rng([person.seed, person.subject, trial, 22])
    cloth = _lab((float(wardrobe.uniform(18, 70)), float(wardrobe.uniform(-25, 25)), float(wardrobe.uniform(-30, 25))))
    scarf = _lab((float(wardrobe.uniform(25, 75)), float(wardrobe.uniform(-20, 25)), float(wardrobe.uniform(-30, 20))))
    folds = 1 + 0.08 * np.sin(np.arange(HEAD[0], dtype=np.float32) / 17 + rows / 60)
    inner = cv2.GaussianBlur(masks.skin, (0, 0), 14)
    round_off = 0.72 + 0.28 * np.clip(inner * 1.6 - 0.55, 0, 1)
    hair = np.clip(detail(), 0.3, 1.9)[..., None] * _lab(hair_tone(person))
    hair = hair * (0.75 + 0.4 * np.clip(1 - rows / 300, 0, 1))[..., None]
    layers = [
        (masks.hair * (person.gender == "Female"), hair * 0.8),
        (masks.neck, tone * np.broadcast_to(shade, inner.shape)[..., None]),
        (masks.cloth, cloth * folds[..., None]),
        (masks.skin, skin * round_off[..., None]),
        (masks.hair, hair),
        (masks.lenses * 0.12, np.array([235, 225, 215], np.float32)),
        (masks.frames, np.array([35, 30, 30], np.float32)),
        (masks.cover, scarf * folds[..., None]),
    ]
    colour, opacity = np.zeros_like(skin), np.zeros_like(masks.skin)
    for mask, paint in layers:
        colour += (paint - colour) * mask[..., None]
        opacity += (1 - opacity) * mask
    return np.clip(colour, 0, 255), opacity


@dataclass(frozen=True)
class _Mouth:
    """The part of the head picture that moves when the mouth opens, and how."""

    rows: slice
    columns: slice
    places: tuple[NDArray[np.float32], ...]
    """Per opening the source pixel inside this part, (h, w, 2)."""
    inside: tuple[Picture, ...]
    """Per opening how deep inside the mouth a pixel is, (h, w) in 0..1."""


def _mouth(points: Points) -> _Mouth:
    middle, chin = float(points[62, 0]), float(points[8, 1])
    seam = float(points[62, 1] + points[66, 1]) / 2
    half = float(points[54, 0] - points[48, 0]) / 2 - 3
    top, left = int(seam) - 20, int(middle - 2.6 * half) - 2
    area = slice(top, min(HEAD[1], int(chin) + 80)), slice(left, int(middle + 2.6 * half) + 3)
    rows, columns = (axis.astype(np.float32) for axis in np.mgrid[area])
    lips = np.sqrt(np.clip(1 - ((columns - middle) / half) ** 2, 0, 1))
    wide = np.cos(np.clip((columns - middle) / (2.6 * half), -1, 1) * np.float32(np.pi / 2)) ** 2
    down = np.clip((rows - seam) / (0.45 * (chin - seam)), 0, 1)
    fade = np.clip(1 - (rows - chin - 4) / 70, 0, 1)
    places, inside = [], []
    for step in range(OPENINGS):
        gap = GAP * step / (OPENINGS - 1)
        upper, lower = seam - 0.15 * gap * lips, seam + 0.85 * gap * lips
        below = (0.85 * gap * lips * (1 - down) + 0.65 * gap * wide * down) * fade
        above = 0.15 * gap * lips * np.clip(1 - (seam - rows) / 14, 0, 1)
        source = np.where(rows >= lower, np.maximum(rows - below, seam), np.where(rows <= upper, rows + above, seam))
        places.append(np.stack([columns - left, source - top], -1).astype(np.float32))
        inside.append((np.clip(np.minimum(rows - upper, lower - rows), 0, 2) / 2).astype(np.float32))
    return _Mouth(*area, tuple(places), tuple(inside))


@lru_cache(maxsize=8)
def still(person: Person, day: int) -> tuple[NDArray[np.uint8], Points]:
    """The head for a photograph: (H, W, 4) as in Head, mouth closed, and its (68, 2) landmarks. About 0.15 s."""
    points = shape(person)
    masks = _masks(person, person.accessories[day - 1], points)
    colour, opacity = _paint(person, day, masks, points, _combed)
    picture = np.dstack([colour * opacity[..., None], 255 * opacity])
    return np.clip(picture + 0.5, 0, 255).astype(np.uint8), points


@lru_cache(maxsize=4)
def head(person: Person, trial: int, scale: float = 1.0) -> Head:
    """The pictures of one person on one day; `scale` 0.5 for the small population. About 0.3 s, then remembered."""
    points = shape(person)
    masks = _masks(person, person.accessories[trial - 1], points)
    colour, opacity = _paint(person, trial, masks, points)
    whole = np.dstack([colour * opacity[..., None], 255 * opacity, heat_of(person, masks, points)]).astype(np.float32)
    mouth = _mouth(points)
    dark = np.array([38, 26, 52, 255, 196], np.float32)
    strength = np.array([0.92, 0.92, 0.92, 0.0, 1.0], np.float32)
    shown, glow = [], []
    for place, inside in zip(mouth.places, mouth.inside, strict=True):
        part = np.ascontiguousarray(whole[mouth.rows, mouth.columns])
        moved = np.dstack([resample(part[..., :3], place), resample(part[..., 3:], place)])
        picture = whole.copy()
        picture[mouth.rows, mouth.columns] = moved + (dark - moved) * strength * inside[..., None]
        if scale != 1.0:
            picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        whole8 = np.clip(picture + 0.5, 0, 255).astype(np.uint8)
        shown.append(np.ascontiguousarray(whole8[..., :4]))
        glow.append(np.minimum(whole8[..., 4], 223))
    return Head(tuple(shown), tuple(glow), (points + 0.5) * scale - 0.5)
