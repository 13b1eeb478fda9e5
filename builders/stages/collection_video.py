"""One video of a collection decided: its kept faces and voice windows written, every candidate with its verdict."""

import csv
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...loaders.durable import PART, sync_folder, write_json
from ...models.core.speaker import open_speaker_embedder
from ..core.stage import Clock, Reject
from .collection_options import CollectOptions
from .collection_scan import HIDDEN, Scan, VideoFacts, read_scan
from .collection_scores import AGAIN, cohort, faces_kept, scores
from .collection_sound import RATE, TrackSound, wav
from .collection_truth import GroundTruth
from .collection_videos import SourceVideo
from .collection_voices import VoiceCandidate, VoiceFinder
from .video import open_video

VERSION = 5
"""Counted up when the same scan, ground truth and thresholds would be decided otherwise."""
VOICE = ("speaker_id", "video_id", "start_ms", "end_ms", "score", "kept", "reason")
FACE = ("speaker_id", "video_id", "frame_ms", "k", "x", "y", "w", "h", "det_conf", "score", "kept", "reason")
WITHOUT = "video left out: "


@dataclass(frozen=True)
class Decided:
    """What was kept of a video; its candidates lie as rows in `decided_folder`."""

    windows: int
    """Voice candidates."""
    segments: int
    segment_seconds: float
    candidates: int
    """Faces found."""
    faces: int
    duplicates: int
    refused: str = ""
    """Why the video is left out whole, with all its candidates; else ""."""


def decided_folder(options: CollectOptions, video: SourceVideo) -> Path:
    return options.out / HIDDEN / video.speaker / f"{video.video_id}.decided"


def check_single_talker(options: CollectOptions, facts: VideoFacts) -> None:
    """Raise Reject for a video that cannot be one of a single talker, whoever that is."""
    if not facts.with_face:
        raise Reject(f"no face in {facts.frames} frames looked at", "scan")
    if facts.with_several > options.several_faces * facts.with_face:
        share = facts.with_several / facts.with_face
        raise Reject(
            f"several faces of about one size in {share:.0%} of the frames that show any, expected at most "
            f"{options.several_faces:.0%} in a video of a single talker",
            "scan",
        )
    if not facts.loud_seconds:
        raise Reject("the sound track is silent from beginning to end", "scan")
    if facts.seconds < options.s_min:
        raise Reject(f"{facts.seconds:.2f} s long, expected at least {options.s_min} s", "scan")


def decide_video(
    options: CollectOptions,
    video: SourceVideo,
    truths: Mapping[str, GroundTruth],
    taus: tuple[float, float],
    clock: Clock,
) -> Decided:
    """Write what is kept of a scanned video below face/ and voice/ of the collection, in place of what was there.

    `truths` are those of all speakers by id, `taus` the thresholds of faces and voices. What an earlier run decided
    alike stays. Raises Reject for a video that changed since it was scanned.
    """
    scan = read_scan(options, video)
    if scan is None:
        raise Reject("its scan is gone or of another content: run the same command again", "hear")
    truth, others = truths[video.speaker], cohort(options, truths, video.speaker)
    folder, state = decided_folder(options, video), _state(options, scan, truth, others, taus)
    if (known := _read(folder, state)) is not None:
        return known
    # From here on the folders of the collection are no longer those of an earlier decision.
    (folder / "decided.json").unlink(missing_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    scored = scores(scan, truth)
    with clock("faces"):
        reasons = faces_kept(scan, scored.faces, taus[0], options.duplicate)
    with (options.videos / video.path).open("rb") as file, open_video(file) as opened:
        sound = TrackSound(opened)
        with clock("sound"):
            embed = open_speaker_embedder(options.voice_embedder, options.models_folder)
            voices = VoiceFinder(options, sound, embed, truth.voice, taus[1], others).run()
        refused = _refused(reasons, voices)
        with clock("write"):
            _write_voices(options.out / "voice" / video.key, sound, [] if refused else voices)
    with clock("write"):
        _write_faces(options.out / "face" / video.key, scan, [refused] * len(reasons) if refused else reasons)
        _write_rows(folder / "voice.csv", _voice_rows(video, voices, refused))
        _write_rows(folder / "face.csv", _face_rows(video, scan, scored.faces.tolist(), reasons, refused))
    kept = [one for one in voices if not one.reason and not refused]
    decided = Decided(
        len(voices),
        len(kept),
        sum(one.end_ms - one.start_ms for one in kept) / 1000,
        len(reasons),
        0 if refused else reasons.count(""),
        reasons.count(AGAIN),
        refused,
    )
    write_json(folder / "decided.json", {"of": state, "decided": asdict(decided)})
    return decided


def _state(
    options: CollectOptions, scan: Scan, truth: GroundTruth, others: NDArray[np.float32], taus: tuple[float, float]
) -> str:
    vectors = sha256(truth.face.tobytes() + truth.voice.tobytes() + others.tobytes()).hexdigest()
    values = (options.s_min, options.s_step, options.s_max, options.strict_paper, options.duplicate, *taus)
    what = [VERSION, scan.digest, vectors, *values]
    return sha256(json.dumps(what).encode()).hexdigest()


def _read(folder: Path, state: str) -> Decided | None:
    try:
        held = json.loads((folder / "decided.json").read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    return Decided(**held["decided"]) if held["of"] == state else None


def _refused(reasons: list[str], voices: list[VoiceCandidate]) -> str:
    if "" not in reasons:
        return "the target is never seen: no face above tau_face"
    if all(one.reason for one in voices):
        return "the target is never heard: no window above tau_voice"
    return ""


@contextmanager
def _replaced(folder: Path) -> Iterator[Path]:
    """A new folder that takes the place of `folder` when it is written; where it stays empty there is none."""
    part = folder.with_name(folder.name + PART)
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    yield part
    shutil.rmtree(folder, ignore_errors=True)
    if any(part.iterdir()):
        part.rename(folder)
    else:
        part.rmdir()
    sync_folder(folder.parent)


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _write_voices(folder: Path, sound: TrackSound, voices: Iterable[VoiceCandidate]) -> None:
    with _replaced(folder) as part:
        for one in voices:
            if not one.reason:
                samples = sound.read(one.start_ms * RATE // 1000, one.end_ms * RATE // 1000)
                _write(part / f"{one.start_ms:08d}_{one.end_ms:08d}.wav", wav(samples))


def _write_faces(folder: Path, scan: Scan, reasons: list[str]) -> None:
    with _replaced(folder) as part:
        for number, (face, reason) in enumerate(zip(scan.faces, reasons, strict=True)):
            if not reason:
                _write(part / f"{face.ms:08d}_{face.k}.jpg", scan.crop(number))


def _write_rows(path: Path, rows: Iterable[tuple[object, ...]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
        file.flush()
        os.fsync(file.fileno())


def _number(value: float) -> str:
    return f"{value:.6f}" if value == value else ""


def _verdict(reason: str, refused: str) -> tuple[str, str]:
    if refused and not reason:
        reason = WITHOUT + refused
    return ("0", reason) if reason else ("1", "")


def _voice_rows(video: SourceVideo, voices: Iterable[VoiceCandidate], refused: str) -> Iterator[tuple[object, ...]]:
    for one in voices:
        verdict = _verdict(one.reason, refused)
        yield video.speaker, video.video_id, one.start_ms, one.end_ms, _number(one.score), *verdict


def _face_rows(
    video: SourceVideo, scan: Scan, scored: list[float], reasons: list[str], refused: str
) -> Iterator[tuple[object, ...]]:
    for face, score, reason in zip(scan.faces, scored, reasons, strict=True):
        box = (face.ms, face.k, face.x, face.y, face.w, face.h, _number(face.confidence), _number(score))
        yield video.speaker, video.video_id, *box, *_verdict(reason, refused)
