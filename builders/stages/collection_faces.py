"""The faces of one video: found in sampled frames, cut out, seen in small, and described once per track."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ...models.core.detectors import Box, Detector, Face, open_detector
from ...models.core.embedding import open_embedder
from ..core.stage import Clock
from .candidate_alignment import jpeg
from .collection_options import CollectOptions
from .face_tracks import SIDE, Tracks, look
from .video import Shot, Video

Image = NDArray[np.uint8]
ONE_SIZE = 0.5
"""A face counts as one of several when its side is at least this share of the largest one's."""


@dataclass(frozen=True)
class FaceCandidate:
    """A face found in a sampled frame."""

    ms: int
    """Where its frame begins, from the file's beginning."""
    k: int
    """Its number in the frame, 0 for the surest."""
    x: int
    y: int
    w: int
    h: int
    """The detector's box in pixels of the upright frame; it may reach beyond it."""
    confidence: float
    track: int
    """Row of the descriptors; -1 for one that is not sure enough to have one."""


@dataclass
class FacesFound:
    """Everything seen in one video; `descriptors` (tracks, D) float32 unit vectors."""

    faces: list[FaceCandidate] = field(default_factory=list)
    offsets: list[int] = field(default_factory=lambda: [0])
    """Where the crops begin in crops.bin, and where the last one ends."""
    descriptors: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    frames: int = 0
    with_face: int = 0
    with_several: int = 0
    width: int = 0
    height: int = 0


def find_faces(detect: Detector, picture: Image, working_side: int) -> list[Face]:
    """Faces of a picture (H, W, 3) uint8 RGB in its own pixels, searched for in a smaller one; best first."""
    height, width = picture.shape[:2]
    factor = min(height, width) / working_side
    if factor <= 1:
        return detect(picture)
    small = cv2.resize(picture, (round(width / factor), round(height / factor)), interpolation=cv2.INTER_AREA)
    across, down = width / small.shape[1], height / small.shape[0]
    scale = np.array([across, down], np.float32)
    found = []
    for face in detect(np.asarray(small, np.uint8)):
        left, top, right, bottom = face.box
        box = (left * across, top * down, right * across, bottom * down)
        found.append(Face(box, face.score, None if face.points is None else face.points * scale))
    return found


def cut_edges(box: Box, scale: float, width: int, height: int) -> tuple[int, int, int, int]:
    """The square of `scale` times the box's longer side about its centre, clipped to the frame: half-open edges.

    Raises ValueError where nothing of it lies in the frame.
    """
    left, top, right, bottom = box
    side = max(1, round(scale * max(right - left, bottom - top)))
    x, y = round((left + right - side) / 2), round((top + bottom - side) / 2)
    edges = max(x, 0), max(y, 0), min(x + side, width), min(y + side, height)
    if edges[0] >= edges[2] or edges[1] >= edges[3]:
        raise ValueError(f"box {box}: has no pixel in the {width}x{height} frame")
    return edges


def cut(picture: Image, box: Box, scale: float) -> Image:
    """The face as it is kept: `cut_edges` of its box."""
    left, top, right, bottom = cut_edges(box, scale, picture.shape[1], picture.shape[0])
    return picture[top:bottom, left:right]


def several(faces: Sequence[Face]) -> bool:
    """Whether a frame shows more than one face of about one size."""
    sides = sorted((max(f.box[2] - f.box[0], f.box[3] - f.box[1]) for f in faces), reverse=True)
    return len(sides) > 1 and sides[1] >= ONE_SIZE * sides[0]


class FaceScan:
    """Looks through one video. Crops and looks go to `crops.bin` and `looks.bin` in `folder` as they come."""

    def __init__(self, options: CollectOptions, folder: Path, clock: Clock) -> None:
        self._options, self._folder, self._clock = options, folder, clock
        self._detect = open_detector(options.detector, options.models_folder)
        self._embed = open_embedder(options.face_embedder, options.models_folder)
        self._tracks, self._descriptors = Tracks(), list[NDArray[np.float32]]()
        self.found = FacesFound()

    def run(self, video: Video, tell: Any = None) -> FacesFound:
        """Raises ValueError for a video without a picture track that is read, or without a frame."""
        with (self._folder / "crops.bin").open("wb") as crops, (self._folder / "looks.bin").open("wb") as looks:
            for shot in self._shots(video):
                for crop, own in self._seen(shot):
                    with self._clock("write"):
                        crops.write(crop)
                        looks.write(own)
                    self.found.offsets.append(self.found.offsets[-1] + len(crop))
                if tell:
                    tell(shot.seconds)
        if not self.found.frames:
            raise ValueError("picture track without a frame that can be decoded")
        if self._descriptors:
            self.found.descriptors = np.stack(self._descriptors)
        return self.found

    def _shots(self, video: Video) -> Iterator[Shot]:
        shots = video.sampled(1 / Fraction(str(self._options.frames_per_second)))
        while True:
            with self._clock("decode"):
                shot = next(shots, None)
            if shot is None:
                return
            yield shot

    def _seen(self, shot: Shot) -> Iterator[tuple[bytes, bytes]]:
        """(JPEG, look) of each face of a frame; the first is empty where the face is not sure enough."""
        found, picture = self.found, shot.picture
        found.frames += 1
        found.height, found.width = picture.shape[:2]
        with self._clock("detect"):
            faces = [
                face for face in find_faces(self._detect, picture, self._options.working_side) if _inside(face, picture)
            ]
        sure = [face for face in faces if face.score >= self._options.min_confidence]
        found.with_face += bool(sure)
        found.with_several += several(sure)
        with self._clock("track"):
            looks = [look(picture, face) for face in sure]
            before = self._tracks.count
            numbers = self._tracks.add([(face.box, own) for face, own in zip(sure, looks, strict=True)])
        with self._clock("embed"):
            new = [face for face, number in zip(sure, numbers, strict=True) if number >= before]
            self._descriptors.extend(self._embed([picture] * len(new), new))
        blank = np.zeros((SIDE, SIDE, 3), np.uint8)
        for k, face in enumerate(faces):
            is_sure = k < len(sure)
            self.found.faces.append(_candidate(shot, k, face, numbers[k] if is_sure else -1))
            with self._clock("write"):
                crop = jpeg(cut(picture, face.box, self._options.box_scale)) if is_sure else b""
            yield crop, (looks[k] if is_sure else blank).tobytes()


def _inside(face: Face, picture: Image) -> bool:
    """Whether the middle of the box lies in the picture, so that there is something to cut."""
    left, top, right, bottom = face.box
    height, width = picture.shape[:2]
    return bool(0 <= left + right < 2 * width and 0 <= top + bottom < 2 * height)


def _candidate(shot: Shot, k: int, face: Face, track: int) -> FaceCandidate:
    left, top, right, bottom = face.box
    x, y = round(left), round(top)
    ms, confidence = round(shot.seconds * 1000), round(float(face.score), 6)
    return FaceCandidate(ms, k, x, y, round(right) - x, round(bottom) - y, confidence, track)
