"""Face tracks of VoxCeleb: one text file per utterance, boxes in either of two units."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..core.stage import Reject

FPS = 25
"""Frames per second that the frame numbers count."""
HEIGHT = 360
"""Pixels that VoxCeleb1's frames were scaled to before their boxes were measured."""
LARGEST_FRACTION = 2.0
"""A box with anything above this is in pixels: no face is two frames wide or two frames off."""
MAX_TRACK_BYTES = 4 << 20
_HEADER = {"identity": "identity", "reference": "reference", "offset": "offset", "fvconf": "face", "asdconf": "speaker"}


@dataclass(frozen=True)
class FaceTrack:
    """Where one face is while it speaks."""

    identity: str
    """VoxCeleb's id, `id10001`."""
    reference: str
    """YouTube id."""
    offset: int
    """Frames by which sound and picture are apart."""
    face_confidence: float
    """Of the face being this person's."""
    speaker_confidence: float
    """Of the face being the one that speaks."""
    frames: NDArray[np.int64]
    """(n,) frame numbers in the original video, rising."""
    boxes: NDArray[np.float64]
    """(n, 4) left, top, width, height in `unit`; a box may reach beyond the frame."""
    unit: Literal["fraction", "pixel"]
    """Fractions of the frame (VoxCeleb2) or pixels of a frame scaled to 360 px in height (VoxCeleb1)."""

    @property
    def seconds(self) -> tuple[float, float]:
        """Start and end in the original video."""
        return float(self.frames[0]) / FPS, (float(self.frames[-1]) + 1) / FPS

    def fractions(self, width: int, height: int) -> NDArray[np.float64]:
        """(n, 4) boxes as fractions of a frame whose own size in pixels is given; only its shape matters."""
        if self.unit == "fraction":
            return self.boxes
        across = HEIGHT * width / height
        return np.asarray(self.boxes / np.array([across, HEIGHT, across, HEIGHT]), np.float64)


def read_track(data: bytes, place: str) -> FaceTrack:
    """A track's text file -> FaceTrack. Raises Reject with the line that is not as expected."""
    lines = data.decode("utf-8-sig", errors="replace").splitlines()
    facts: dict[str, str] = {}
    head = next((at for at, line in enumerate(lines) if line.split() == ["FRAME", "X", "Y", "W", "H"]), None)
    if head is None:
        raise Reject("face track without a line FRAME X Y W H; expected VoxCeleb's text file", place)
    for line in lines[:head]:
        name, _, value = line.partition(":")
        folded = _HEADER.get("".join(letter for letter in name.lower() if letter.isalpha()))
        if folded and value.strip():
            # Some files print a second number in brackets behind a confidence.
            facts[folded] = value.split()[0]
    if missing := sorted(set(_HEADER.values()) - set(facts)):
        raise Reject(f"face track without {', '.join(missing)} in its header", place)
    rows = [_row(line, f"{place} line {head + at}") for at, line in enumerate(lines[head + 1 :], 2) if line.strip()]
    if not rows:
        raise Reject("face track without frames", place)
    frames = np.array([row[0] for row in rows], np.int64)
    if (np.diff(frames) <= 0).any():
        raise Reject("face track whose frame numbers do not rise", place)
    try:
        offset, face, speaker = int(facts["offset"]), float(facts["face"]), float(facts["speaker"])
    except ValueError as error:
        raise Reject(f"face track with an unreadable header: {error}", place) from None
    boxes = np.array([row[1:] for row in rows], np.float64)
    unit: Literal["fraction", "pixel"] = "pixel" if np.abs(boxes).max() > LARGEST_FRACTION else "fraction"
    return FaceTrack(facts["identity"], facts["reference"], offset, face, speaker, frames, boxes, unit)


def _row(line: str, place: str) -> tuple[int, float, float, float, float]:
    cells = line.split()
    try:
        frame, (x, y, w, h) = int(cells[0]), (float(cell) for cell in cells[1:])
    except ValueError:
        raise Reject(f"{line[:80]!r}, expected a frame number and four numbers", place) from None
    if frame < 0 or not all(map(math.isfinite, (x, y, w, h))) or min(w, h) <= 0:
        raise Reject(f"frame {frame} with a box of {w} x {h} at {x}, {y}; expected a size above 0", place)
    return frame, x, y, w, h
