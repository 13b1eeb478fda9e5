"""The speaker's face in a frame: the box that the annotated point names, cut tight and made 224 x 224."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction

import cv2
import numpy as np
from numpy.typing import NDArray

from ...models.core.detectors import Detector, Face
from ..core.stage import Clock, Reject
from .video import Shot, Video

NO_FRAME, NO_FACE, SEVERAL, NO_AUDIO = "no frame", "no face", "several faces", "no audio"
"""Stages of what is left out while reading, in this order, after "missing video" from the listing."""
TRIES = 6
"""Frames looked at, one a second."""
SIDE = 224
"""Pixels of VGG-Face's input; the aspect is not kept."""


@dataclass(frozen=True)
class SpeakerFace:
    """The face taken, and how it was come by."""

    picture: NDArray[np.uint8]
    """(224, 224, 3) uint8 RGB."""
    frame: NDArray[np.uint8]
    """The whole frame, RGB."""
    face: Face
    box: tuple[int, int, int, int]
    """left, top, right, bottom in the frame, inside it; right and bottom are outside the box."""
    frame_size: tuple[int, int]
    """Width and height."""
    attempt: int
    """Which frame of one a second, from 1."""
    seconds: float
    """Where that frame begins, from the file's beginning."""
    faces: int
    inside: bool
    """Whether the annotated point lies in the box."""
    distance: float
    """From the annotated point to the middle of the box, in widths of the box."""


@contextmanager
def judged(clock: Clock, work: str, verdict: str) -> Iterator[None]:
    """Seconds are told by the work, what fails in it is left out under the verdict."""
    done = False
    try:
        with clock(work):
            yield
        done = True
    finally:
        if not done:
            clock.failed = verdict


def choose(faces: Sequence[Face], x: float, y: float) -> Face:
    """The face whose box holds the point, of several the one whose middle is nearest; else the nearest of all."""

    def order(face: Face) -> tuple[bool, float]:
        return not holds(face, x, y), _away(face, x, y)

    return min(faces, key=order)


def holds(face: Face, x: float, y: float) -> bool:
    left, top, right, bottom = face.box
    return left <= x < right and top <= y < bottom


def _away(face: Face, x: float, y: float) -> float:
    left, top, right, bottom = face.box
    return float(np.hypot((left + right) / 2 - x, (top + bottom) / 2 - y))


def find_speaker(
    video: Video, span: tuple[int, int], point: Sequence[float], detector: Detector, clock: Clock
) -> SpeakerFace:
    """The face of the first frame that has one, of one frame a second from the start on, at most TRIES of them.

    `span` is the segment in the file, ms; `point` the annotated place as fractions of the frame. Raises Reject where
    there is no frame or no face, and what `Video.shots` raises.
    """
    start, end = span
    attempts = range(min(TRIES, -(-(end - start) // 1000)))
    shots = video.shots([Fraction(start, 1000) + k for k in attempts])
    seen = 0
    for attempt in attempts:
        with judged(clock, "frames", NO_FRAME):
            shot = next(shots)
        if shot is None:
            break
        seen += 1
        with clock("faces"):
            faces = detector(shot.picture)
        if faces:
            return _taken(shot, faces, point, attempt + 1)
    with judged(clock, "faces", NO_FACE if seen else NO_FRAME):
        if seen:
            raise Reject(f"{detector.name} found no face in {seen} frames, one a second")
        raise Reject(f"no frame at {start / 1000:.3f} s: the file ends at {video.seconds:.3f} s")


def _taken(shot: Shot, faces: Sequence[Face], point: Sequence[float], attempt: int) -> SpeakerFace:
    height, width = shot.picture.shape[:2]
    x, y = point[0] * width, point[1] * height
    face = choose(faces, x, y)
    box = clamped(face, width, height)
    return SpeakerFace(
        cut(shot.picture, box),
        shot.picture,
        face,
        box,
        (width, height),
        attempt,
        shot.seconds,
        len(faces),
        holds(face, x, y),
        _away(face, x, y) / (face.box[2] - face.box[0]),
    )


def clamped(face: Face, width: int, height: int) -> tuple[int, int, int, int]:
    """The box in whole pixels inside a frame, at least one pixel wide and high."""
    left, top = (min(max(round(edge), 0), most - 1) for edge, most in zip(face.box[:2], (width, height), strict=True))
    right, bottom = (min(max(round(edge), low + 1), most) for edge, low, most in
                     zip(face.box[2:], (left, top), (width, height), strict=True))  # fmt: skip
    return left, top, right, bottom


def cut(picture: NDArray[np.uint8], box: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    """The box without a margin, stretched to (224, 224, 3) by bilinear interpolation."""
    left, top, right, bottom = box
    part = np.ascontiguousarray(picture[top:bottom, left:right])
    return np.asarray(cv2.resize(part, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR), np.uint8)
