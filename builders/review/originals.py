"""What was left out, as the release holds it: found by the quarantine row's place, never by a path of the client's."""

import io
import json
import threading
from collections.abc import Mapping
from fractions import Fraction
from pathlib import PurePosixPath
from typing import Any, BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray

from ...loaders.media import decode_picture
from ..core.raw import ARCHIVES, Folder, Raw, open_raw, unsafe
from ..stages.candidate_examination import MAX_BYTES, MAX_PHOTO_PIXELS, orientation, upright
from ..stages.video import open_video
from .desk import Desk

Image = NDArray[np.uint8]
PICTURES = (".jpg", ".jpeg", ".png", ".webp")
PLAYED = {
    **{".mp4": "video/mp4", ".webm": "video/webm", ".wav": "audio/wav", ".flac": "audio/flac", ".m4a": "audio/mp4"},
    **{".mp3": "audio/mpeg", ".ogg": "audio/ogg", ".opus": "audio/ogg"},
}
"""Endings of what a browser plays, and as what it is sent."""
AROUND = 0.6
"""Shown on every side of a face, in widths of its box."""
BOXES = ("face_box", "box")
"""Measured facts that say where the face is in the picture."""
MOST_PARTS = 32
"""Folders of a place."""
EDGES = (192, 640)
"""Longer edges of pictures sent, px: in a grid, and alone."""


class Originals:
    """Files of the release behind quarantine rows. Safe to use from several threads: one reads at a time."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._lock = threading.Lock()
        self._raw: Folder | None = None

    @property
    def there(self) -> bool:
        """Whether a release was named."""
        return bool(self.desk.raw)

    def kind(self, place: str) -> str:
        """picture, sound or video by the ending of a place, or "" for what is not shown; nothing is opened."""
        ending = PurePosixPath(place).suffix.lower()
        if not self.there or not ending:
            return ""
        return "picture" if ending in PICTURES else PLAYED.get(ending, "").replace("audio", "sound").split("/")[0]

    def picture(self, row: Mapping[str, Any]) -> Image:
        """(H, W, 3) uint8 RGB, upright; of a video the frame that the build looked at. Bad input raises ValueError.

        Raises FileNotFoundError where the release does not list the row's place.
        """
        with self._lock:
            container, name = self._listed(row["place"])
            if self.kind(row["place"]) == "video":
                with container.open(name) as file:
                    return frame_at(file, seconds_of(row))
            data = container.read(name, MAX_BYTES)
            return upright(decode_picture(data, MAX_PHOTO_PIXELS), orientation(data))

    def face(self, row: Mapping[str, Any]) -> Image:
        """The picture around the face that the build found, else the whole picture."""
        picture, box = self.picture(row), face_box(row)
        return around(picture, box) if box else picture

    def opened(self, place: str) -> BinaryIO:
        """A sound or a video to seek in. Raises FileNotFoundError where the release does not list it.

        Raises ValueError for one inside an archive that is damaged or has more than MAX_BYTES.
        """
        with self._lock:
            container, name = self._listed(place)
            # Members share their archive's handle, which other threads move.
            return (
                container.open(name) if isinstance(container, Folder) else io.BytesIO(container.read(name, MAX_BYTES))
            )

    def _listed(self, place: str) -> tuple[Raw, str]:
        if self._raw is None:
            self._raw = open_raw(self.desk.raw)
        return listed(self._raw, place)


def listed(raw: Folder, place: str) -> tuple[Raw, str]:
    """(container, name there) of a quarantine row's place: a plain file, or a member of an archive.

    The archive's ending may be left out. Only names that the release's own folders list are followed. Raises
    FileNotFoundError for any other, ValueError for an archive that cannot be read.
    """
    parts = place.split("/")
    if unsafe(place) or len(parts) > MOST_PARTS or not all(parts):
        raise FileNotFoundError(f"{place[:200]!r}: no place in the release")
    for depth, part in enumerate(parts):
        names = raw.names("/".join(parts[:depth]))
        if depth + 1 == len(parts) and part in names:
            return raw, place
        stem = part.removesuffix(".zip").removesuffix(".tar")
        if any(f"{stem}{ending}" in names for ending in ARCHIVES):
            archive = raw.inside("/".join([*parts[:depth], stem]))
            if archive is not None:
                return archive, "/".join(parts[depth + 1 :])
        if part not in names:
            break
    raise FileNotFoundError(f"{place}: not in the release {raw.label}. Is --raw what this folder was built from?")


def measured(row: Mapping[str, Any]) -> dict[str, Any]:
    """The measured facts of a quarantine row; none where they are no JSON object."""
    try:
        found = json.loads(row["measured"] or "{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def seconds_of(row: Mapping[str, Any]) -> float:
    """Where in its file the frame lies that the build looked at; 0, the beginning, where the row does not say."""
    known = measured(row)
    seconds = known.get("frame_seconds")
    return max(0.0, float(seconds)) if isinstance(seconds, int | float) and not known.get("whole_video") else 0.0


def frame_at(file: BinaryIO, seconds: float) -> Image:
    """The frame on screen at a moment, (H, W, 3) uint8 RGB. Raises ValueError for damage or a file that is shorter."""
    with open_video(file) as video:
        shot = next(iter(video.shots([Fraction(seconds)])))
    if shot is None:
        raise ValueError(f"no frame at {seconds:.3f} s")
    return shot.picture


def face_box(row: Mapping[str, Any]) -> dict[str, float] | None:
    """left, top, right, bottom of the face in px of the picture, as measured; None where it was not."""
    known = measured(row)
    for name in BOXES:
        box = known.get(name)
        edges = ("left", "top", "right", "bottom")
        if isinstance(box, dict) and all(isinstance(box.get(edge), int | float) for edge in edges):
            return {edge: float(box[edge]) for edge in edges}
    return None


def around(picture: Image, box: Mapping[str, float]) -> Image:
    """The square around a box, cut at the picture's edges; the whole picture where the box lies beside it."""
    height, width = picture.shape[:2]
    half = (0.5 + AROUND) * max(box["right"] - box["left"], box["bottom"] - box["top"])
    x, y = (box["left"] + box["right"]) / 2, (box["top"] + box["bottom"]) / 2
    left, right = (int(np.clip(x + side * half, 0, width)) for side in (-1, 1))
    top, bottom = (int(np.clip(y + side * half, 0, height)) for side in (-1, 1))
    return picture[top:bottom, left:right] if right - left > 1 and bottom - top > 1 else picture


def cannot_be_shown(edge: int) -> Image:
    """A grey square with a cross, (edge, edge, 3) uint8, in the place of a picture that does not decode."""
    square = np.full((edge, edge, 3), 128, np.uint8)
    near, far = edge // 3, edge - edge // 3
    for start, end in (((near, near), (far, far)), ((near, far), (far, near))):
        cv2.line(square, start, end, (200, 200, 200), max(1, edge // 48), cv2.LINE_AA)
    return square
