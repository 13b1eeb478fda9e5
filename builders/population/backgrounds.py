"""What stands behind people on web photographs: paper, walls, sponsors' boards, rooms and trees out of focus."""

import cv2
import numpy as np
from numpy.typing import NDArray

from .portrait import Picture

BACKGROUNDS = ("white", "plain", "board", "room", "trees")
CLUTTERED = ("board", "room", "trees")


def background(kind: str, size: tuple[int, int], random: np.random.Generator) -> Picture:
    """A picture of `size` (width, height) without people: (H, W, 3) float32 BGR 0..255."""
    width, height = size
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    slope = random.uniform(-18, 18, 2)
    shade = (slope[0] * (columns / width - 0.5) + slope[1] * (rows / height - 0.5)).astype(np.float32)[..., None]
    if kind == "white":
        return np.full((height, width, 3), 255 - float(random.integers(0, 6)), np.float32)
    base = random.uniform(70, 215) + random.uniform(-22, 22, 3)
    plain = np.float32(base) + shade
    if kind == "plain":
        corner = ((columns / width - 0.5) ** 2 + (rows / height - 0.5) ** 2)[..., None]
        return np.asarray(np.clip(plain * (1.06 - 0.35 * corner), 0, 255), np.float32)
    if kind == "board":
        return _board(plain, random)
    if kind == "room":
        return _room(plain, random)
    return _trees(size, random)


def _board(plain: Picture, random: np.random.Generator) -> Picture:
    """A wall of repeated words, slightly turned."""
    height, width = plain.shape[:2]
    colour = np.float32(random.uniform(20, 235, 3))
    ink = np.zeros((height, width), np.uint8)
    words = ["".join(chr(65 + int(letter)) for letter in random.integers(0, 26, 5)) for _ in range(2)]
    step = max(60, width // 4)
    for line, top in enumerate(range(step // 3, height, step // 2)):
        for place, left in enumerate(range(-(line % 2) * step // 2, width, step)):
            word = words[(line + place) % 2]
            cv2.putText(ink, word, (left, top), cv2.FONT_HERSHEY_DUPLEX, step / 170, 255, 2, cv2.LINE_AA)
    printed = plain + (colour - plain) * (ink.astype(np.float32) / 255)[..., None]
    return np.asarray(np.clip(cv2.GaussianBlur(printed, (0, 0), 0.8 + width / 600), 0, 255), np.float32)


def _room(plain: Picture, random: np.random.Generator) -> Picture:
    """Shelves, frames and lamps, out of focus."""
    height, width = plain.shape[:2]
    for _ in range(int(random.integers(10, 22))):
        left, top = random.uniform(-0.1, 1.0, 2) * (width, height)
        across, down = random.uniform(0.04, 0.35, 2) * (width, height)
        corners = np.array([[left, top], [left + across, top], [left + across, top + down], [left, top + down]])
        corners += random.normal(0, 0.01 * width, (4, 2))
        fill = [float(value) for value in random.uniform(15, 225) + random.uniform(-30, 30, 3)]
        cv2.fillPoly(plain, [np.round(corners * 16).astype(np.int32)], fill, cv2.LINE_AA, 4)
    for _ in range(int(random.integers(0, 7))):
        place = (int(random.integers(width)), int(random.integers(height // 2)))
        cv2.circle(plain, place, int(width * random.uniform(0.01, 0.04)), (215.0, 240.0, 255.0), -1, cv2.LINE_AA)
    return np.asarray(np.clip(cv2.GaussianBlur(plain, (0, 0), width * random.uniform(0.008, 0.02)), 0, 255), np.float32)


def _trees(size: tuple[int, int], random: np.random.Generator) -> Picture:
    """Leaves in many sizes under a sky, out of focus."""
    width, height = size
    leaves: NDArray[np.float32] = np.zeros((height, width), np.float32)
    for cells in (3, 7, 15, 31):
        coarse = random.normal(0, 1, (cells, cells)).astype(np.float32)
        leaves += cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC) / np.float32(cells**0.35)
    share = np.clip(0.5 + 0.35 * leaves, 0, 1)[..., None]
    dark, light = np.array([28, 60, 42], np.float32), np.array([110, 185, 160], np.float32)
    picture = dark + (light - dark) * share
    sky = np.clip((0.35 - np.linspace(0, 1, height, dtype=np.float32)) / 0.2, 0, 1)[:, None, None]
    picture += (np.array([235, 215, 195], np.float32) - picture) * sky * (0.6 + 0.4 * (1 - share))
    return np.asarray(np.clip(cv2.GaussianBlur(picture, (0, 0), 1 + width / 250), 0, 255), np.float32)
