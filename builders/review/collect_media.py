"""What the collect view shows of a video: the waveform, exact frames, sounds of spans, and where faces are."""

import io
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ...loaders.durable import written_aside
from ...models.core.detectors import Face
from ..stages.collection_faces import find_faces
from ..stages.collection_options import CollectOptions
from ..stages.video import Shot, Video, open_video
from .collect_truths import NETWORKS

PEAKS_PER_SECOND = 100
"""Of the stored waveform: one pair of lowest and highest sample each 10 ms."""
PEAKS_RATE = 8_000
"""Hz at which peaks are looked for: enough to see speech."""
PEAKS_STEP_MS = 30_000
"""Sound in memory at a time while peaks are made."""
MOST_PIXELS = 4_096
MOST_SOUND_MS = 600_000
"""Longest span that is handed out as a sound file: 19 MB at 16 kHz."""
SOUND_RATE = 16_000
FRAME_SIDE = 1_280
"""Longer side in pixels of the frames that the page shows; boxes stay in pixels of the video."""
JPEG_QUALITY = 88


@dataclass(frozen=True)
class Facts:
    """What the page must know of a file before it plays it."""

    seconds: float
    frames_per_second: float
    width: int
    height: int
    sound: bool
    problem: str = ""
    """Why it cannot be read, or ""."""


def facts(path: Path) -> Facts:
    """Length, rate and size of a video file. A file that cannot be read is told of in `problem`, not raised."""
    try:
        with path.open("rb") as file, open_video(file) as video:
            shot = next(video.shots([Fraction(0)]))
            if shot is None:
                raise ValueError("no frame at its beginning")
            height, width = shot.picture.shape[:2]
            return Facts(video.seconds, float(video.frame_rate or 0), width, height, _has_sound(video))
    except (ValueError, OSError) as error:
        return Facts(0.0, 0.0, 0, 0, False, str(error))


def shot_at(path: Path, milliseconds: int) -> Shot:
    """The frame on screen at a moment, the same that a build of the marks takes.

    Raises ValueError where there is none, or the file is no readable video.
    """
    with path.open("rb") as file, open_video(file) as video:
        shot = next(video.shots([Fraction(milliseconds, 1000)]))
    if shot is None:
        raise ValueError(f"no frame at {milliseconds / 1000:.3f} s: the video ends before")
    return shot


def jpeg(picture: NDArray[np.uint8], side: int = FRAME_SIDE) -> bytes:
    """(H, W, 3) uint8 RGB -> JPEG, made smaller where its longer side exceeds `side` pixels."""
    height, width = picture.shape[:2]
    if max(height, width) > side:
        scale = side / max(height, width)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    # JPEG in OpenCV holds blue first.
    _, data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return bytes(data)


def sound_file(path: Path, start_ms: int, end_ms: int) -> bytes:
    """The span [start, end) as a WAV file, 16 kHz, one channel, 16 bit.

    Raises ValueError for an empty span, one longer than ten minutes, and a file without sound there.
    """
    import soundfile

    if not 0 <= start_ms < end_ms <= start_ms + MOST_SOUND_MS:
        raise ValueError(f"span from {start_ms} to {end_ms} ms, expected up to {MOST_SOUND_MS:,} ms, end after start")
    with path.open("rb") as file, open_video(file) as video:
        sound = video.sound(start_ms, end_ms, SOUND_RATE)
    out = io.BytesIO()
    soundfile.write(out, sound.samples, SOUND_RATE, format="WAV", subtype="PCM_16")
    return out.getvalue()


def _has_sound(video: Video) -> bool:
    """Whether there is a sound track that is read."""
    try:
        video.sound(0, 100, PEAKS_RATE, silent=True)
    except ValueError:
        return False
    return True


def _peaks(video: Video) -> Iterator[NDArray[np.int8]]:
    """(buckets, 2) int8, the lowest and highest sample of each 10 ms, half a minute at a time."""
    length = int(video.seconds * 1000)
    size = PEAKS_RATE // PEAKS_PER_SECOND
    for start in range(0, length, PEAKS_STEP_MS):
        end = min(length, start + PEAKS_STEP_MS)
        buckets = -(-(end - start) * PEAKS_PER_SECOND // 1000)
        samples = np.zeros(buckets * size, np.int16)
        try:
            heard = video.sound(start, end, PEAKS_RATE).samples[: len(samples)]
        except ValueError:
            # Half a minute without sound, or with damage, is drawn as silence; the build says what is wrong with it.
            heard = samples[:0]
        samples[: len(heard)] = heard
        rows = samples.reshape(buckets, size)
        yield np.stack([rows.min(1) >> 8, rows.max(1) >> 8], 1).astype(np.int8)


@dataclass
class Waveforms:
    """Waveforms of video files, made once and kept in a folder, memory flat with a video's length."""

    cache: Path
    _locks: dict[str, threading.Lock] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def read(self, path: Path, digest: str, start_ms: int, end_ms: int, pixels: int) -> list[list[int]]:
        """[lowest, highest] sample, -128..127, of each of `pixels` equal parts of the span; [] without sound.

        `digest` names the video's content. Raises ValueError for spans and widths that make no sense.
        """
        if not (0 <= start_ms < end_ms and 1 <= pixels <= MOST_PIXELS):
            raise ValueError(f"waveform of {start_ms} to {end_ms} ms in {pixels} px, expected up to {MOST_PIXELS:,} px")
        stored = np.load(self._made(path, digest), mmap_mode="r")
        edges = np.linspace(start_ms, end_ms, pixels + 1) * PEAKS_PER_SECOND / 1000
        low = np.floor(edges[:-1]).astype(np.int64)
        high = np.maximum(np.ceil(edges[1:]).astype(np.int64), low + 1)
        inside = int((low < len(stored)).sum())
        if not inside:
            return []
        part = np.asarray(stored[low[0] : high[inside - 1]])
        pairs = np.stack([low[:inside], np.minimum(high[:inside], len(stored))], 1) - low[0]
        return [[int(part[a:b, 0].min()), int(part[a:b, 1].max())] for a, b in pairs]

    def _made(self, path: Path, digest: str) -> Path:
        place = self.cache / f"{digest}.npy"
        with self._guard:
            lock = self._locks.setdefault(digest, threading.Lock())
        with lock:
            if not place.is_file():
                self._make(path, place)
        return place

    def _make(self, path: Path, place: Path) -> None:
        with path.open("rb") as file, open_video(file) as video:
            parts = list(_peaks(video)) if _has_sound(video) else []
        peaks = np.concatenate(parts) if parts else np.zeros((0, 2), np.int8)
        with written_aside(place) as part, part.open("wb") as out:
            np.save(out, peaks)


@dataclass(frozen=True)
class Found:
    """A face of a frame."""

    box: tuple[int, int, int, int]
    """left, top, width, height in whole pixels of the frame, inside it."""
    score: float


def faces_of(options: CollectOptions, picture: NDArray[np.uint8]) -> list[Found]:
    """(H, W, 3) uint8 RGB -> its faces of at least the least confidence, from left to right.

    Raises what `open_detector` of models/core raises.
    """
    height, width = picture.shape[:2]
    with NETWORKS:
        faces = find_faces(options.open_detector(), picture, options.working_side)
    sure = (face for face in faces if face.score >= options.min_confidence)
    return sorted((_found(face, width, height) for face in sure), key=lambda face: face.box)


def _found(face: Face, width: int, height: int) -> Found:
    left, top, right, bottom = (round(edge) for edge in face.box)
    first = min(max(0, left), width - 1), min(max(0, top), height - 1)
    last = max(first[0] + 1, min(right, width)), max(first[1] + 1, min(bottom, height))
    return Found((*first, last[0] - first[0], last[1] - first[1]), face.score)
