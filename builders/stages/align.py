"""Visual to thermal: published or calibrated matrix, shifts found against the release's aligned frames, residuals."""

from functools import cache, lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Image = NDArray[np.uint8]

VISUAL_POINTS = ((399, 345), (423, 293), (293, 316), (269, 368))
THERMAL_POINTS = ((249, 237), (267, 196), (169, 214), (151, 254))
"""The four correspondences behind every published aligned frame, in pixels of the 768x512 and 464x348 frames."""


@cache
def _base(scale: float) -> Matrix:
    exact = cv2.findHomography(np.array(VISUAL_POINTS, np.float64), np.array(THERMAL_POINTS, np.float64), 0)[0]
    shrink = np.diag([scale, scale, 1.0])
    base = shrink @ exact @ np.linalg.inv(shrink)
    return np.asarray(base / base[2, 2], np.float64)


def homography(dx: int = 0, dy: int = 0, scale: float = 1.0) -> Matrix:
    """The published visual-to-thermal matrix for integer shifts: H(dx, dy) = H(0, 0) translate(-dx, -dy).

    dx, dy are visual pixels (they are added to the visual points); `scale` is the frames' size relative to the
    release's (0.5 for the small population). Returns (3, 3) float64 with h33 = 1, OpenCV integer pixel centres.
    """
    return shifted(_base(scale), dx, dy)


def shifted(base: Matrix, dx: int, dy: int) -> Matrix:
    """base translate(-dx, -dy): the matrix for visual pictures whose content lies (dx, dy) pixels further on."""
    moved = base @ np.array([[1.0, 0.0, -dx], [0.0, 1.0, -dy], [0.0, 0.0, 1.0]])
    return np.asarray(moved / moved[2, 2], np.float64)


def carried(matrix: Matrix, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points (n, 2) float64 x, y through a homography (3, 3)."""
    return np.asarray(cv2.perspectiveTransform(points[:, None], matrix), np.float64)[:, 0]


def root_mean_square(off: NDArray[np.float64]) -> float:
    """Of the lengths of vectors (n, 2)."""
    return float(np.sqrt((off**2).sum(-1).mean()))


def best_shift(base: Matrix, visual: NDArray[np.float64], thermal: NDArray[np.float64]) -> tuple[int, int, float]:
    """The integer (dx, dy) for which shifted(base, dx, dy) carries visual points nearest to thermal ones (n, 2).

    Returns it with the rms distance in thermal pixels.
    """
    away = visual - carried(np.asarray(np.linalg.inv(base), np.float64), thermal)
    middle = np.rint(away.mean(0)).astype(int)
    around = np.array([(x, y) for x in range(-8, 9) for y in range(-8, 9)]) + middle
    spots = (visual[None] - around[:, None]).reshape(-1, 2)
    off = carried(base, spots).reshape(len(around), -1, 2) - thermal
    distances = np.sqrt((off**2).sum(-1).mean(-1))
    least = int(distances.argmin())
    return int(around[least, 0]), int(around[least, 1]), float(distances[least])


FACE = (150, 80, 310, 280)
"""Left, top, right, bottom of the area of the 464x348 thermal frame in which the faces of the release lie."""


@lru_cache(maxsize=4)
def calibrated_offset(base: tuple[float, ...], scale: float) -> tuple[int, int, float]:
    """What to add to a published (dx, dy) so that a calibrated matrix agrees best with the published one over FACE.

    `base` is the calibrated matrix, row-major, at `scale`. The same for every (dx, dy), since both matrices take a
    shift the same way. Returns it with the rms distance over the area in thermal pixels.
    """
    left, top, right, bottom = (edge * scale for edge in FACE)
    columns, rows = np.meshgrid(np.linspace(left, right, 17), np.linspace(top, bottom, 21))
    thermal = np.stack([columns.ravel(), rows.ravel()], 1)
    visual = carried(np.asarray(np.linalg.inv(homography(0, 0, scale)), np.float64), thermal)
    return best_shift(np.array(base).reshape(3, 3), visual, thermal)


def warp(visual: Image, matrix: Matrix, size: tuple[int, int]) -> Image:
    """Carry a visual frame (H, W, 3) uint8 into the thermal frame of `size` (width, height): linear, border 0."""
    return np.asarray(cv2.warpPerspective(visual, matrix, size, flags=cv2.INTER_LINEAR, borderValue=0), np.uint8)


@lru_cache(maxsize=64)
def _valid(shift: tuple[int, int, float], source: tuple[int, int], size: tuple[int, int]) -> Image:
    """Mask (H, W) uint8 of the thermal frame, 255 where every blended pixel lies inside the visual frame."""
    inside = np.full((source[1], source[0]), 255, np.uint8)
    covered = warp(inside, homography(shift[0], shift[1], shift[2]), size)
    return np.asarray(cv2.compare(covered, 255, cv2.CMP_EQ), np.uint8)


def residual(visual: Image, aligned: Image, dx: int, dy: int, scale: float = 1.0) -> float:
    """Mean absolute difference in grey levels (0..255) between the warped visual frame and the release's aligned one.

    Over the area that the visual frame covers, all three channels; infinite if that is under a tenth of the frame.
    """
    size = (aligned.shape[1], aligned.shape[0])
    mask = _valid((dx, dy, scale), (visual.shape[1], visual.shape[0]), size)
    if cv2.countNonZero(mask) < mask.size // 10:
        return float("inf")
    difference = cv2.absdiff(warp(visual, homography(dx, dy, scale), size), aligned)
    return float(np.mean(cv2.mean(difference, mask)[:3]))


def find_shift(visual: Image, aligned: Image, scale: float = 1.0) -> tuple[int, int, float]:
    """The integer (dx, dy) under the published homography that best reproduces an aligned frame, and its residual.

    Carried back by H(0, 0) the aligned frame is the visual frame moved by (dx, dy). A patch of it is searched there by
    normalised correlation, then whole pixels around the hit are compared exactly. Sideways jumps of 480 pixels occur:
    where they push the middle patch out of the picture, a patch nearer to an edge is still in it.
    """
    height, width = visual.shape[:2]
    back = np.asarray(np.linalg.inv(homography(0, 0, scale)), np.float64)
    moved = cv2.cvtColor(warp(aligned, back, (width, height)), cv2.COLOR_RGB2GRAY)
    margin = round(400 * scale)
    canvas = cv2.copyMakeBorder(cv2.cvtColor(visual, cv2.COLOR_RGB2GRAY), 0, 0, margin, margin, cv2.BORDER_REPLICATE)
    top, bottom = round(120 * scale), round(340 * scale)
    found: list[tuple[float, int, int]] = []
    for left, right in ((230, 500), (60, 330), (400, 670)):
        left, right = round(left * scale), round(right * scale)
        score = cv2.matchTemplate(canvas, moved[top:bottom, left:right], cv2.TM_CCOEFF_NORMED)
        x, y = cv2.minMaxLoc(score)[3]
        found.append(_descend(visual, aligned, (x - margin - left, y - top), scale))
        if found[-1][0] < SURE_BELOW:
            break
    least, dx, dy = min(found)
    return dx, dy, least


def _descend(visual: Image, aligned: Image, start: tuple[int, int], scale: float) -> tuple[float, int, int]:
    """Follow the residual downhill over whole pixels; returns it with dx and dy."""
    best = start
    tried = {best: residual(visual, aligned, *best, scale)}
    while True:
        around = [(best[0] + i, best[1] + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
        tried |= {at: residual(visual, aligned, *at, scale) for at in around if at not in tried}
        nearest = min(around, key=lambda at: tried[at])
        if tried[nearest] >= tried[best]:
            return tried[best], *best
        best = nearest


SURE_BELOW = 1.0
"""Grey levels of residual under which no further place is searched."""
STORE_ABOVE = 2.0
"""Grey levels of residual above which a matrix does not stand for the aligned clip, which is then stored."""
SAME_SHIFT = 0.25
"""Grey levels by which a frame's residual may exceed the best of its clip before its shift is searched again."""

Span = tuple[int, int, int | None, int | None]
"""First and last frame (1-based, inclusive) and published (dx, dy), or None, None."""


def published_shift(spans: list[Span], number: int) -> tuple[int, int] | None:
    """(dx, dy) published for a frame, from 1, or None."""
    for first, last, dx, dy in spans:
        if first <= number <= last and dx is not None and dy is not None:
            return dx, dy
    return None


class ShiftEstimator:
    """Shifts of a clip's frames by its aligned frames: the last one as long as it fits, each remembered by its frame.

    Frames asked for in rising order get the same shifts wherever that is done.
    """

    def __init__(self, scale: float) -> None:
        self.scale = scale
        self.found: dict[int, tuple[int, int]] = {}
        """(dx, dy) by frame number; frames that no shift reproduces are missing."""
        self._best = float("inf")
        self._shift: tuple[int, int] | None = None

    def add(self, number: int, visual: Image, aligned: Image) -> float:
        """Estimate one frame, visual (H, W, 3) and aligned (h, w, 3) uint8 RGB; returns the residual in grey levels."""
        found = residual(visual, aligned, *self._shift, self.scale) if self._shift else float("inf")
        if self._shift is None or found > self._best + SAME_SHIFT:
            dx, dy, again = find_shift(visual, aligned, self.scale)
            if again < found:
                self._shift, found = (dx, dy), again
        self._best = min(self._best, found)
        if self._shift is not None:
            self.found[number] = self._shift
        return found


class Aligner:
    """Frame by frame: published shifts held against the release's aligned frames, missing ones estimated from them.

    The release's aligned frames were made with the published matrix, so shifts are checked and estimated under it.
    A `calibrated` matrix (3, 3) for frames of this scale then takes its place in the facts, with shifts moved so that
    both agree best over FACE; the residual still speaks of the published one.
    """

    def __init__(
        self, spans: list[Span], scale: float, check_all: bool = False, calibrated: Matrix | None = None
    ) -> None:
        self.spans, self.scale, self.calibrated = spans, scale, calibrated
        last = spans[-1][1]
        self._checked = set(range(1, last + 1)) if check_all else {1, (1 + last) // 2, last}
        self._worst = 0.0
        self._count = 0
        self._estimator = ShiftEstimator(scale)

    def wants(self, number: int) -> bool:
        """Whether the aligned frame of that number (from 1) is needed."""
        return number in self._checked or published_shift(self.spans, number) is None

    def add(self, number: int, visual: Image, aligned: Image) -> None:
        """Compare or estimate one frame: visual (H, W, 3) and aligned (h, w, 3) uint8 RGB."""
        if published := published_shift(self.spans, number):
            found = residual(visual, aligned, *published, self.scale)
        else:
            found = self._estimator.add(number, visual, aligned)
        self._worst = max(self._worst, found)
        self._count += 1

    def _estimated(self) -> list[tuple[int, int, int, int]]:
        """Runs of frames of one estimated shift: first, last, dx, dy."""
        runs: list[tuple[int, int, int, int]] = []
        for number, shift in sorted(self._estimator.found.items()):
            if runs and runs[-1][1:] == (number - 1, *shift):
                runs[-1] = (runs[-1][0], number, *shift)
            else:
                runs.append((number, number, *shift))
        return runs

    def facts(self) -> dict[str, Any]:
        """The facts `alignment` (segments), `shift_source`, `aligned_residual` (worst checked frame, or None) and
        `aligned_checked`."""
        known = [(a, b, dx, dy, "published") for a, b, dx, dy in self.spans if dx is not None and dy is not None]
        found = sorted(known + [(*segment, "estimated") for segment in self._estimated()])
        segments = [self._segment(*segment) for segment in found]
        checked = self._worst if self._count and np.isfinite(self._worst) else None
        covered = sum(segment["last"] - segment["first"] + 1 for segment in segments) == self.spans[-1][1]
        return {
            "alignment": segments,
            "shift_source": ",".join(sorted({segment[-1] for segment in found}, reverse=True)) or None,
            "alignment_covers": covered,
            "aligned_residual": checked,
            "aligned_checked": self._count,
        }

    def _segment(self, first: int, last: int, dx: int, dy: int, source: str) -> dict[str, Any]:
        matrix = homography(dx, dy, self.scale)
        if self.calibrated is not None:
            offset = calibrated_offset(tuple(self.calibrated.ravel().tolist()), self.scale)
            dx, dy, source = dx + offset[0], dy + offset[1], "calibration"
            matrix = shifted(self.calibrated, dx, dy)
        return {"first": first, "last": last, "h": matrix.ravel().tolist(), "source": source, "dx": dx, "dy": dy}

    @property
    def fails(self) -> bool:
        """Whether the matrices do not reproduce the release's aligned frames."""
        return self._worst > STORE_ABOVE
