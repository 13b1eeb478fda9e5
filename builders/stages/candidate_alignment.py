"""A face cut out so that its pupils always lie at the same fractions of a square, at its own size."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .faces import Image

Points = NDArray[np.float64]

PUPILS_AT = np.array([[0.379, 0.480], [0.621, 0.480]])
"""Where the pupils lie, as fractions of width and height: measured on the published faces (sheet, section 1.2)."""
SPAN = 0.242
"""Pupil distance over the side of the square: 1 / 4.13."""
STRIP = 64
"""Rows mixed at a time."""
JPEG = (cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444)


@dataclass(frozen=True)
class Alignment:
    """A turn and a shift, nothing else, from px of a photo to px of a square (integer pixel centres)."""

    matrix: NDArray[np.float64]
    """(2, 3)."""
    side: int
    """Width and height of the square."""

    def carried(self, points: Points) -> Points:
        """Points (N, 2) of the photo in the square."""
        return np.asarray(points @ self.matrix[:, :2].T + self.matrix[:, 2])

    def targets(self) -> Points:
        """(2, 2) where the pupils belong, in px of the square."""
        return PUPILS_AT * self.side - 0.5

    def border(self, width: int, height: int) -> float:
        """Share of the square that lies outside a photo of that size: 0..1."""
        corners = np.array([(x, y) for x, y in ((0, 0), (width, 0), (width, height), (0, height))]) - 0.5
        seen = self.carried(corners).astype(np.float32) + np.float32(0.5)
        square = np.array([(0, 0), (self.side, 0), (self.side, self.side), (0, self.side)], np.float32)
        shared, _ = cv2.intersectConvexConvex(seen, square)
        return float(np.clip(1 - shared / self.side**2, 0, 1))

    def cut(self, photo: Image) -> tuple[Image, NDArray[np.float32]]:
        """The square (side, side, 3) uint8, the photo's edge repeated beyond it; (side, side) float32, 1 inside it.

        White beyond would look like a plain background to a segmenter, and what is behind the head like the person.
        """
        size = (self.side, self.side)
        crop = cv2.warpAffine(photo, self.matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        whole = np.full(photo.shape[:2], 255, np.uint8)
        inside = cv2.warpAffine(whole, self.matrix, size, flags=cv2.INTER_LINEAR)
        return np.asarray(crop, np.uint8), inside.astype(np.float32) / np.float32(255)


def align(pupils: Points) -> Alignment:
    """The alignment for two pupils (2, 2) in px of a photo, the one at the left of the picture first.

    The side is their distance / SPAN, rounded. Nothing is scaled, hence never enlarged: rounding the side moves the
    pupils off their place by at most 0.06 px.
    """
    axis = pupils[1] - pupils[0]
    distance = float(np.linalg.norm(axis))
    side = max(1, round(distance / SPAN))
    cosine, sine = axis / distance
    turn = np.array([[cosine, sine], [-sine, cosine]])
    shift = (PUPILS_AT * side - 0.5).mean(0) - turn @ pupils.mean(0)
    return Alignment(np.column_stack([turn, shift]), side)


def on_white(crop: Image, mask: NDArray[np.float32]) -> Image:
    """The square with white where the mask (side, side) float32 0..1 is 0, mixed in between."""
    mixed = np.empty_like(crop)
    # In strips: as numbers with a point the whole square would take eight times its size.
    for first in range(0, len(crop), STRIP):
        rows = slice(first, first + STRIP)
        share = mask[rows, :, None]
        mixed[rows] = 255.5 + (crop[rows] - np.float32(255)) * share
    return mixed


def jpeg(picture: Image) -> bytes:
    """RGB (H, W, 3) uint8 -> JPEG of quality 95 without chroma subsampling; the same bytes every time."""
    done, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), JPEG)
    if not done:
        raise ValueError(f"picture of shape {picture.shape} cannot be encoded as JPEG")
    return bytes(data)
