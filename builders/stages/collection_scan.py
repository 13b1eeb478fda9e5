"""One video of a collection looked through once: faces at a steady pace with their tracks, and the sound's windows.

Nothing here rests on marks or thresholds, so a scan serves every later choice of them. It is written aside and renamed:
a scan is there whole or not at all, and one of another video or of other parameters is made anew.
"""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...loaders.durable import PART, sync_folder
from ...models.core.speaker import open_speaker_embedder
from ..core.stage import Clock, Reject
from .collection_faces import FaceCandidate, FaceScan
from .collection_options import CollectOptions
from .collection_sound import TrackSound, window_vectors
from .collection_videos import SourceVideo
from .face_tracks import SIDE
from .video import Video, open_video

VERSION = 2
"""Counted up when a scan of the same video and parameters would come out otherwise."""
HIDDEN = ".collect"
"""Folder of a collection that holds its scans; no part of the collection."""
FILES = ("crops.bin", "descriptors.npy", "looks.bin", "voices.npy")
Tell = Callable[[float], None]
"""Called with the second of the video that was reached."""


@dataclass(frozen=True)
class VideoFacts:
    """What a scan says about the whole video."""

    seconds: float
    """As the file states it."""
    fps: float
    width: int
    height: int
    """Of the upright frame."""
    frames: int
    """Looked at."""
    with_face: int
    with_several: int
    """Frames that show a sure face; more than one of about one size."""
    loud_seconds: float
    """In which the sound reaches LEAST_LEVEL (collection_sound.py)."""


@dataclass(frozen=True)
class Scan:
    """A scan read back; arrays and crops stay on the disk until they are asked for."""

    folder: Path
    facts: VideoFacts
    faces: tuple[FaceCandidate, ...]
    offsets: tuple[int, ...]
    """Where the crops begin in their file, and where the last one ends."""
    digest: str
    """Of everything above, of the video and of the parameters."""

    def descriptors(self) -> NDArray[np.float32]:
        """(tracks, D) unit vectors."""
        return np.asarray(np.load(self.folder / "descriptors.npy"), np.float32)

    def voices(self) -> NDArray[np.float32]:
        """(windows, D) unit vectors of the windows of s_min that begin at every s_step."""
        return np.asarray(np.load(self.folder / "voices.npy"), np.float32)

    def looks(self) -> NDArray[np.uint8]:
        """(faces, 24, 24, 3): every face in small, see face_tracks.py; on the disk until it is looked into."""
        shape = (len(self.faces), SIDE, SIDE, 3)
        return np.memmap(self.folder / "looks.bin", np.uint8, "r", shape=shape) if self.faces else np.zeros(shape, "u1")

    def crop(self, number: int) -> bytes:
        """The JPEG of a face cut at box_scale; b"" for one without a descriptor."""
        start, end = self.offsets[number : number + 2]
        with (self.folder / "crops.bin").open("rb") as file:
            file.seek(start)
            return file.read(end - start)


def scan_folder(options: CollectOptions, video: SourceVideo) -> Path:
    return options.out / HIDDEN / video.speaker / video.video_id


def read_scan(options: CollectOptions, video: SourceVideo) -> Scan | None:
    """The scan that is there; None where there is none, or one of another content or of other parameters."""
    folder = scan_folder(options, video)
    try:
        held = json.loads((folder / "scan.json").read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    if not isinstance(held, dict) or held.get("of") != _state(options, video):
        return None
    faces = tuple(FaceCandidate(*row) for row in held["faces"])
    return Scan(folder, VideoFacts(**held["facts"]), faces, tuple(held["offsets"]), held["digest"])


def _state(options: CollectOptions, video: SourceVideo) -> str:
    what = {"version": VERSION, "video": video.digest, "parameters": options.scan_parameters()}
    return sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()


def scan(options: CollectOptions, video: SourceVideo, tell: Tell | None = None, clock: Clock | None = None) -> Scan:
    """Look through one video, or give back what an earlier run found.

    Raises Reject for a video that cannot be read, or has no picture, no sound track or no length.
    """
    if (found := read_scan(options, video)) is not None:
        return found
    folder = scan_folder(options, video)
    part = folder.with_name(folder.name + PART)
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    clock = clock or Clock()
    try:
        with (options.videos / video.path).open("rb") as file, open_video(file) as opened:
            facts = _look_and_listen(options, opened, part, tell, clock)
    except ValueError as error:
        shutil.rmtree(part)
        raise Reject(str(error), "scan") from None
    _finish(part, folder, {"of": _state(options, video), **facts})
    done = read_scan(options, video)
    assert done is not None
    return done


def _look_and_listen(
    options: CollectOptions, video: Video, part: Path, tell: Tell | None, clock: Clock
) -> dict[str, Any]:
    if not video.seconds:
        raise ValueError("the file states no length. Repack it: ffmpeg -i FILE -c copy NEW.mkv")
    with clock("sound"):
        sound = TrackSound(video)
        sound.read(0, 1)
    found = FaceScan(options, part, clock).run(video, tell)
    with clock("sound"):
        embed = open_speaker_embedder(options.voice_embedder, options.models_folder)
        voices, loud = window_vectors(sound, options, embed)
    np.save(part / "descriptors.npy", found.descriptors)
    np.save(part / "voices.npy", voices)
    counts = (found.frames, found.with_face, found.with_several)
    facts = VideoFacts(video.seconds, float(video.frame_rate or 0), found.width, found.height, *counts, loud)
    return {
        "facts": asdict(facts),
        "faces": [list(asdict(face).values()) for face in found.faces],
        "offsets": found.offsets,
    }


def _finish(part: Path, folder: Path, held: dict[str, Any]) -> None:
    whole = sha256(json.dumps(held, sort_keys=True).encode())
    for name in FILES:
        with (part / name).open("rb") as file:
            whole.update(file_digest(file, "sha256").digest())
            os.fsync(file.fileno())
    with (part / "scan.json").open("wb") as file:
        file.write(json.dumps({**held, "digest": whole.hexdigest()}, allow_nan=False, separators=(",", ":")).encode())
        file.flush()
        os.fsync(file.fileno())
    if folder.exists():
        shutil.rmtree(folder)
    part.rename(folder)
    sync_folder(folder.parent)
