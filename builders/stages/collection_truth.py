"""The ground truth of a speaker: the screenshots of the face and the period of the voice that a person marked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import cv2
import numpy as np
from numpy.typing import NDArray

from ...models.core.detectors import Box, Detector, Face, open_detector
from ...models.core.embedding import open_embedder
from ...models.core.speaker import open_speaker_embedder
from ..core.stage import Reject
from .collection_faces import Image, cut, find_faces
from .collection_options import CollectOptions
from .collection_sound import RATE, TrackSound, is_loud, starts, wav
from .collection_videos import SourceVideo
from .face_tracks import overlap
from .marks import LEAST_SCREENSHOTS, Marks, Screenshot, VideoMarks
from .video import Video, open_video

MEANT = 0.3
"""Overlap of a drawn box and a found one above which the found one is meant."""
SAME_FACE: Mapping[str, float] = {"dlib": 0.91, "sface": 0.363}
"""Cosine at which two faces count as one person's: dlib's distance of 0.6 (King 2017) and the value that OpenCV states
for SFace. Screenshots further than that from their own mean cannot be of one person."""


@dataclass(frozen=True)
class GroundTruth:
    """What a speaker's faces and voice windows are held against."""

    speaker: str
    gender: str
    faces: NDArray[np.float32]
    """(n, D) unit vectors of the screenshots."""
    voices: NDArray[np.float32]
    """(m, D) unit vectors of the windows of s_min of the periods."""
    files: Mapping[str, bytes]
    """Screenshots (PNG, cut at box_scale) and periods (WAV) by their place below ground_truth/SPEAKER."""

    @property
    def face(self) -> NDArray[np.float32]:
        """(D,) the screenshots' mean, of length 1."""
        return mean(self.faces)

    @property
    def voice(self) -> NDArray[np.float32]:
        """(D,) the windows' mean, of length 1."""
        return mean(self.voices)


def mean(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, D) unit vectors -> (D,) the unit vector along their sum. Raises ValueError where they cancel out."""
    whole = vectors.astype(np.float64).sum(0)
    length = float(np.linalg.norm(whole))
    if not length > 1e-6:
        raise ValueError(f"{len(vectors)} vectors cancel each other out: they have no mean direction")
    return np.asarray(whole / length, np.float32)


def ground_truth(options: CollectOptions, videos: Sequence[SourceVideo], marks: Marks) -> GroundTruth:
    """The ground truth of one speaker from all their videos.

    Raises Reject, naming video and moment, for fewer than three screenshots or no period, for one that cannot be read,
    for a screenshot without a face or of another person than the rest.
    """
    own = {video.video_id: marks.of(video.path) for video in videos}
    shots = sum(len(marked.screenshots) for marked in own.values())
    if shots < LEAST_SCREENSHOTS or not any(marked.period for marked in own.values()):
        periods = sum(marked.period is not None for marked in own.values())
        raise Reject(
            f"{shots} screenshots and {periods} periods are marked, expected at least {LEAST_SCREENSHOTS} and 1",
            "truth",
        )
    files: dict[str, bytes] = {}
    faces: list[NDArray[np.float32]] = []
    voices: list[NDArray[np.float32]] = []
    for video in videos:
        marked = own[video.video_id]
        if not marked.screenshots and not marked.period:
            continue
        try:
            with (options.videos / video.path).open("rb") as file, open_video(file) as opened:
                faces += _faces(options, opened, video, marked, files)
                voices += _voices(options, opened, video, marked, files)
        except ValueError as error:
            raise Reject(f"{video.video_id}: {error}", "truth") from None
    truth = GroundTruth(videos[0].speaker, videos[0].gender, np.stack(faces), np.stack(voices), files)
    _check_one_person(options, truth)
    return truth


def _faces(
    options: CollectOptions, opened: Video, video: SourceVideo, marked: VideoMarks, files: dict[str, bytes]
) -> list[NDArray[np.float32]]:
    if not marked.screenshots:
        return []
    detect = open_detector(options.detector, options.models_folder)
    embed = open_embedder(options.face_embedder, options.models_folder)
    vectors = []
    moments = [Fraction(shot.ms, 1000) for shot in marked.screenshots]
    for mark, shot in zip(marked.screenshots, opened.shots(moments), strict=True):
        if shot is None:
            raise ValueError(f"screenshot at {mark.ms / 1000:.3f} s: the pictures end before it")
        face = marked_face(detect, shot.picture, mark, options.working_side)
        vectors.append(embed([shot.picture], [face])[0])
        crop = cv2.cvtColor(cut(shot.picture, face.box, options.box_scale), cv2.COLOR_RGB2BGR)
        files[f"faces/{video.video_id}_{mark.ms:08d}.png"] = bytes(cv2.imencode(".png", crop)[1])
    return vectors


def marked_face(detect: Detector, picture: Image, mark: Screenshot, working_side: int) -> Face:
    """The face that a screenshot means: the found one that overlaps its box best, else the box itself; without a box
    the largest. Raises ValueError where there is none."""
    found = find_faces(detect, picture, working_side)
    if mark.box is None:
        if not found:
            raise ValueError(f"screenshot at {mark.ms / 1000:.3f} s: no face found. Draw a box round it")
        return max(found, key=lambda face: (face.box[2] - face.box[0]) * (face.box[3] - face.box[1]))
    left, top, width, height = mark.box
    box: Box = (float(left), float(top), float(left + width), float(top + height))
    if left + width > picture.shape[1] or top + height > picture.shape[0]:
        raise ValueError(
            f"screenshot at {mark.ms / 1000:.3f} s: box {list(mark.box)} reaches out of the "
            f"{picture.shape[1]}x{picture.shape[0]} frame"
        )
    near = max(found, key=lambda face: overlap(face.box, box), default=None)
    return near if near is not None and overlap(near.box, box) >= MEANT else Face(box, 0.0)


def _voices(
    options: CollectOptions, opened: Video, video: SourceVideo, marked: VideoMarks, files: dict[str, bytes]
) -> list[NDArray[np.float32]]:
    if marked.period is None:
        return []
    first, end = (moment * RATE // 1000 for moment in (marked.period.start_ms, marked.period.end_ms))
    sound = TrackSound(opened)
    if end > sound.samples:
        raise ValueError(f"period to {marked.period.end_ms / 1000:.3f} s: the file ends at {opened.seconds:.3f} s")
    samples = sound.read(first, end)
    if not is_loud(samples):
        raise ValueError(f"period from {marked.period.start_ms / 1000:.3f} s: nothing is to be heard in it")
    embed = open_speaker_embedder(options.voice_embedder, options.models_folder)
    size = round(options.s_min * RATE)
    windows = [samples[start : start + size] for start in starts(len(samples), options)]
    files[f"{video.video_id}_{marked.period.start_ms:08d}_{marked.period.end_ms:08d}.wav"] = wav(samples)
    return list(embed(windows))


def _check_one_person(options: CollectOptions, truth: GroundTruth) -> None:
    least = SAME_FACE.get(options.face_embedder, -1.0)
    alike = truth.faces @ truth.face
    if alike.min() < least:
        names = [name for name in truth.files if name.startswith("faces/")]
        raise Reject(
            f"screenshot {names[int(alike.argmin())]} is unlike the speaker's others: cosine {alike.min():.3f} to "
            f"their mean, expected {least} or more. Take it back if it shows another person",
            "truth",
        )
