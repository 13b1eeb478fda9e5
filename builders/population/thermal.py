"""Apparent heat of a head, and thermal frames in exactly the camera's 224 colours."""

import cv2
import numpy as np
from numpy.typing import NDArray

from .people import Person
from .portrait import HEAD, LIPS, Masks, Picture, Points, soft_mask

ROOM = 26.0
"""Palette index of the wall behind the person."""


def _blob(centre: Points, radii: tuple[float, float]) -> Picture:
    """A soft ellipse about 1 in its middle, (H, W) float32."""
    columns, rows = np.meshgrid(np.arange(HEAD[0], dtype=np.float32), np.arange(HEAD[1], dtype=np.float32))
    far = ((columns - centre[0]) / radii[0]) ** 2 + ((rows - centre[1]) / radii[1]) ** 2
    return np.asarray(np.exp(-far), np.float32)


def heat_of(person: Person, masks: Masks, points: Points) -> Picture:
    """Heat of a head with closed mouth before the room, (H, W) float32 in palette index units 0..223."""
    random = np.random.default_rng([person.seed, person.subject, 31])
    male = person.gender == "Male"
    skin = np.full((HEAD[1], HEAD[0]), 176.0 + 4.0 * person.trait("skin_hue"), np.float32)
    own = random.standard_normal((9, 9)).astype(np.float32)
    skin += 6.0 * cv2.resize(own, HEAD, interpolation=cv2.INTER_CUBIC)
    skin += 14.0 * _blob((points[21] + points[22]) / 2 + (0, -30), (70.0, 34.0))
    for corner in (39, 42):
        skin += 26.0 * _blob(points[corner], (14.0, 12.0))
    for part in (slice(36, 42), slice(42, 48)):
        skin -= 14.0 * soft_mask(points[part], 2.5)
    for part in (slice(17, 22), slice(22, 27)):
        skin -= 16.0 * soft_mask(points[part] + (0, 2.0), 3.0) * (1.3 if male else 0.8)
    skin -= (30.0 + 10.0 * person.trait("nose_width")) * _blob(points[30], (20.0, 26.0))
    for cheek in (points[[2, 31]].mean(0), points[[14, 35]].mean(0)):
        skin -= (12.0 + 5.0 * person.trait("jaw_width")) * _blob(cheek, (34.0, 30.0))
    skin += 8.0 * soft_mask(points[LIPS][:12], 2.0)
    seam = np.abs(np.arange(HEAD[1], dtype=np.float32) - points[62, 1])[:, None]
    skin += 10.0 * np.exp(-((seam / 2.5) ** 2)) * soft_mask(points[LIPS][:12], 2.0)
    if male:
        low = np.vstack([points[3:14], points[[33]] + (0, 10)])
        skin -= (10.0 + 4.0 * person.trait("jaw_square")) * soft_mask(low, 7.0)
    inner = cv2.GaussianBlur(masks.skin, (0, 0), 12)
    skin -= 38.0 * np.clip(1 - inner, 0, 1)
    heat = np.full_like(skin, ROOM)
    layers = ((masks.hair * (not male), 84.0), (masks.neck, 186.0), (masks.cloth, 92.0), (masks.skin, skin))
    covers = ((masks.hair, 96.0), (masks.lenses, 58.0), (masks.frames, 70.0), (masks.cover, 88.0))
    for mask, value in (*layers, *covers):
        heat += (value - heat) * mask
    # A lens that stands still sees no edge sharper than this.
    return np.asarray(cv2.GaussianBlur(heat, (0, 0), 1.1), np.float32)


def thermal_frame(heat: NDArray[np.uint8], matrix: NDArray[np.float64], room: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Carry a head's heat into the thermal frame: `matrix` maps head pixels to thermal pixels.

    `room` (H, W) uint8 is ROOM plus static pattern and this frame's noise. Returns (H, W) uint8 palette index.
    """
    size = (room.shape[1], room.shape[0])
    warm = cv2.warpPerspective(heat, matrix, size, flags=cv2.INTER_LINEAR, borderValue=ROOM)
    return np.asarray(np.minimum(cv2.subtract(cv2.add(warm, room), (ROOM,)), 223), np.uint8)
