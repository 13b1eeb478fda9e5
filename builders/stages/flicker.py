"""Flicker: frames whose picture jumps sideways and back, by the face's place and by the shift of the whole picture."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .faces import Image, TrackedFace

JUMP_PIXELS = 50.0
"""Pixels of the 768x512 frame by which a jump departs from the running median (SpeakingFaces' own threshold)."""
MEDIAN_REACH = 14
"""Frames before and after a frame in its running median: half a second each; a longer stay is a new place."""
_THUMB = (96, 64)
_ALIKE = 3.0
"""Mean difference in grey levels between thumbnails of one place; a talking head makes about 1, a jump 10 to 40."""
_BETTER = 0.6
"""A shift explains a frame when the difference over the overlap falls to this share of that without a shift."""
_LEAST_OVERLAP = 0.2
_PEAKS = 6
_PLACES = 4


@dataclass
class _Place:
    """A place at which the picture was seen: the last thumbnail and grey frame there, and its offset in pixels."""

    thumb: NDArray[np.float32]
    grey: Image
    offset: NDArray[np.float64]


class Flicker:
    """Follows the picture of one clip; `scale` is the frames' size over the release's.

    Every frame is held against the places already seen. Where it is like none of them, its shift comes from phase
    correlation, and counts only if the overlapping pixels then agree. A picture that wraps around its edge is shifted
    by d as well as by d minus its width; the smaller is given.
    """

    def __init__(self, scale: float = 1.0) -> None:
        self.threshold = JUMP_PIXELS * scale
        self._places: list[_Place] = []
        self._offsets: list[NDArray[np.float64]] = []
        self._faces: list[NDArray[np.float64]] = []

    def add(self, grey: Image, face: TrackedFace | None, factor: float = 1.0) -> None:
        """The next frame: `grey` (H, W) uint8 as the tracker works on it, `factor` frame pixels per pixel of it."""
        thumb = cv2.resize(grey, _THUMB, interpolation=cv2.INTER_AREA).astype(np.float32)
        self._offsets.append(self._placed(thumb, grey, factor))
        nowhere = np.full(2, np.nan)
        self._faces.append(nowhere if face is None else face.points.mean(0).astype(np.float64))

    def _placed(self, thumb: NDArray[np.float32], grey: Image, factor: float) -> NDArray[np.float64]:
        """The offset of this frame's picture against the clip's first frame, in frame pixels."""
        if not self._places:
            self._places.append(_Place(thumb, grey, np.zeros(2)))
            return np.zeros(2)
        differences = [cv2.norm(thumb, place.thumb, cv2.NORM_L1) / thumb.size for place in self._places]
        nearest = int(np.argmin(differences))
        place = self._places[nearest]
        if differences[nearest] > _ALIKE:
            found = shift_between(place.grey, grey)
            if found is not None and max(abs(found[0]), abs(found[1])) * factor > self.threshold / 2:
                place = _Place(thumb, grey, place.offset + np.array(found) * factor)
                self._places.insert(0, place)
                del self._places[_PLACES:]
                return place.offset
        place.thumb, place.grey = thumb, grey
        self._places.insert(0, self._places.pop(nearest))
        return place.offset

    def jumps(self) -> list[dict[str, Any]]:
        """Jumped frames, counted from 1, each with its shift dx, dy in pixels of the frame.

        A frame jumps when the whole picture departs from its running median by more than the threshold, and so does
        the face, where there is one in this frame and in others around it.
        """
        pictures, faces = np.array(self._offsets), np.array(self._faces)
        found = []
        for at in range(len(pictures)):
            around = slice(max(0, at - MEDIAN_REACH), at + MEDIAN_REACH + 1)
            picture = pictures[at] - np.median(pictures[around], 0)
            if np.abs(picture).max() <= self.threshold:
                continue
            known = faces[around][~np.isnan(faces[around][:, 0])]
            still = np.abs(faces[at] - np.median(known, 0)).max() <= self.threshold if len(known) > 2 else False
            if not still:
                found.append({"frame": at + 1, "dx": float(picture[0]), "dy": float(picture[1])})
        return found

    def facts(self) -> dict[str, Any]:
        jumps = self.jumps()
        return {"jumps": jumps, "flickers": bool(jumps)}


def shift_between(before: Image, now: Image) -> tuple[float, float] | None:
    """How far the picture moved from one grey frame to another, both (H, W) uint8: (dx, dy) in their pixels, or None.

    Phase correlation of thumbnails proposes shifts, each with and without a wrap around the edges; the one whose
    overlapping pixels agree best is refined on the frames. None when no shift makes the frames agree clearly better
    than they do as they are.
    """
    small, large = (
        cv2.resize(frame, _THUMB, interpolation=cv2.INTER_AREA).astype(np.float32) for frame in (before, now)
    )
    still = _difference(small, large, 0, 0)
    tries = sorted((_difference(small, large, dx, dy), abs(dx) + abs(dy), dx, dy) for dx, dy in _peaks(small, large))
    agreeing = [(span, dx, dy) for difference, span, dx, dy in tries if difference < _BETTER * still]
    if not agreeing:
        return None
    best = tries[0][0]
    _, dx, dy = min(
        (span, dx, dy) for difference, span, dx, dy in tries if difference < min(_BETTER * still, 2 * best + 1)
    )
    return _refined(before, now, dx * before.shape[1] / _THUMB[0], dy * before.shape[0] / _THUMB[1])


def _peaks(before: NDArray[np.float32], now: NDArray[np.float32]) -> list[tuple[int, int]]:
    """Whole-pixel shifts at the highest peaks of the phase correlation, with their wrapped twins."""
    cross = np.fft.rfft2(now - now.mean()) * np.conj(np.fft.rfft2(before - before.mean()))
    surface = np.fft.irfft2(cross / (np.abs(cross) + 1e-6), s=before.shape)
    height, width = before.shape
    shifts = []
    for place in np.argsort(surface, axis=None)[::-1][:_PEAKS]:
        y, x = (int(edge) for edge in np.unravel_index(place, surface.shape))
        shifts += [(dx, dy) for dx in (x, x - width) for dy in (y, y - height)]
    return sorted(set(shifts))


def _difference(before: NDArray[np.float32], now: NDArray[np.float32], dx: int, dy: int) -> float:
    """Mean absolute difference over the overlap of `before` moved by (dx, dy) with `now`; infinite if it is small."""
    height, width = before.shape
    if (width - abs(dx)) * (height - abs(dy)) < _LEAST_OVERLAP * width * height:
        return float("inf")
    here = now[max(dy, 0) : height + min(dy, 0), max(dx, 0) : width + min(dx, 0)]
    there = before[max(-dy, 0) : height + min(-dy, 0), max(-dx, 0) : width + min(-dx, 0)]
    return float(np.mean(np.abs(here - there)))


def _refined(before: Image, now: Image, dx: float, dy: float) -> tuple[float, float]:
    """A coarse shift made exact to a pixel: the overlap's middle is searched around its expected place."""
    height, width = before.shape
    reach = 8
    left, right = max(0, -round(dx)) + reach, width - max(0, round(dx)) - reach
    top, bottom = max(0, -round(dy)) + reach, height - max(0, round(dy)) - reach
    if right - left < 16 or bottom - top < 16:
        return dx, dy
    patch = before[top:bottom, left:right]
    room = now[
        top + round(dy) - reach : bottom + round(dy) + reach, left + round(dx) - reach : right + round(dx) + reach
    ]
    x, y = cv2.minMaxLoc(cv2.matchTemplate(room, patch, cv2.TM_SQDIFF))[2]
    return float(round(dx) + x - reach), float(round(dy) + y - reach)
