"""Forge a small SpeakingFaces release: the real layout, names and formats, with known truth beside it."""

import zipfile
from dataclasses import asdict
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..stages.align import homography
from .clips import Cast, Clip, ForgeOptions, lay_out, shifts, split_of, subjects
from .filming import grain, heard, shots, wav
from .forging import STAMP, Progress, in_processes, new_release, truth_path, write_truth
from .glitches import with_artifacts, with_deviations
from .heads import head
from .people import draw
from .portrait import CENTRE
from .recordings import forge_recordings, write_plans
from .scene import Stage, mouth_gap
from .tables import write_tables
from .voices import loudness

FOLDERS = {
    1: ("thr_image", "rgb_image", "rgb_image_aligned"),
    2: ("thr_image_cmd", "rgb_image_cmd", "rgb_image_cmd_aligned"),
}
ARCHIVES = {1: ("image_only", "io"), 2: ("image_audio", "ia")}


__all__ = ["ForgeOptions", "forge", "plan", "truth_path"]


@lru_cache(maxsize=8)
def plan(options: ForgeOptions) -> tuple[Cast, ...]:
    """The whole release, by subject; a pure function of the options."""
    casts = []
    for subject, gender in subjects(options):
        person = draw(options.seed, subject, gender, options.link)
        casts.append(Cast(person, split_of(subject), shifts(options, subject)))
    clips = [clip for cast in casts for clip in lay_out(options, cast)]
    if options.artifacts:
        clips = with_artifacts(options, clips)
    if options.deviations:
        clips = with_deviations(options, clips)
    return tuple(
        Cast(cast.person, cast.split, cast.shifts, tuple(clip for clip in clips if clip.subject == cast.person.subject))
        for cast in casts
    )


class _Sink:
    """Members of one archive, as a stored zip with fixed times or as plain files."""

    def __init__(self, out: Path, session: int, subject: int, extracted: bool) -> None:
        folder, short = ARCHIVES[session]
        self.prefix = f"sub_{subject}_{short}"
        self.root = out / folder
        self.root.mkdir(parents=True, exist_ok=True)
        self.zip = None if extracted else zipfile.ZipFile(self.root / f"{self.prefix}.zip", "w", zipfile.ZIP_STORED)
        self.bytes = 0

    def add(self, name: str, data: bytes) -> None:
        """Write one member; `name` is relative to sub_{s}_{ia|io}/."""
        self.bytes += len(data)
        member = f"{self.prefix}/{name}"
        if self.zip is None:
            path = self.root / member
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        else:
            entry = zipfile.ZipInfo(member, STAMP)
            entry.external_attr = 0o644 << 16
            self.zip.writestr(entry, data)

    def close(self) -> None:
        """Finish the archive."""
        if self.zip is not None:
            self.zip.close()


def _png(frame: NDArray[np.uint8]) -> bytes:
    """Run lengths alone are a third faster than a search for repeats, and as small on these pictures."""
    quick = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]
    return bytes(cv2.imencode(".png", frame, quick)[1])


def _write_frames(
    sink: _Sink, clip: Clip, options: ForgeOptions, stage: Stage, opening: NDArray[np.float64]
) -> list[Any]:
    """All three streams of a clip; returns where the face was, per frame."""
    places = []
    held = b""
    command = f"_{clip.command}" if clip.session == 2 else ""
    chin = float(stage.head.points[8, 1] / options.scale - CENTRE[1])
    for frame, shot in enumerate(shots(clip, options, chin, opening), 1):
        random = grain(clip, options, frame)
        visual = stage.visual(shot, random)
        frozen = clip.artifact == "freeze" and clip.span[0] < frame <= clip.span[1]
        held = held if frozen else _png(stage.thermal(shot, random))
        pictures = (held, _png(visual), _png(stage.aligned(visual, shot)))
        stem = f"{clip.subject}_{clip.trial}_{clip.session}_{clip.position}{command}_{frame}"
        for stream, (folder, data) in enumerate(zip(FOLDERS[clip.session], pictures, strict=True), 1):
            sink.add(f"trial_{clip.trial}/{folder}/{stem}_{stream}.png", data)
        pose = shot.pose
        places.append([round(pose.x, 2), round(pose.y, 2), round(pose.roll, 3), round(mouth_gap(pose), 2)])
    return places


def _write_sound(sink: _Sink, clip: Clip, cast: Cast, options: ForgeOptions) -> NDArray[np.float64]:
    """Both microphones; returns how far the mouth opens, (frames,) in 0..1."""
    sound, tracks = heard(clip, cast, options)
    for mic, track in enumerate(tracks, 1):
        name = f"{clip.subject}_{clip.trial}_2_{clip.position}_{clip.command}_{mic}.wav"
        sink.add(f"trial_{clip.trial}/mic{mic}_audio_cmd_trim/{name}", wav(track))
    return loudness(sound, clip.frames)


def _truth(clip: Clip, options: ForgeOptions, places: list[Any]) -> dict[str, Any]:
    """What is known of a clip: `places` are [x, y, roll in degrees, mouth gap] of the face centre, full-size pixels."""
    parts = []
    for part in clip.segments:
        matrix = homography(part.dx, part.dy, options.scale).ravel().tolist()
        parts.append({**asdict(part), "h": matrix})
    facts = {key: value for key, value in asdict(clip).items() if key not in ("segments", "span", "artifact")}
    artifacts = {} if not clip.artifact else {clip.artifact: list(clip.span)}
    codes = dict(zip(("thermal", "visual", "audio", "text_code"), clip.codes, strict=True))
    return {**facts, "segments": parts, "artifacts": artifacts, "codes": codes, "places": places}


def _forge_subject(out: Path, options: ForgeOptions, number: int) -> tuple[dict[str, Any], int, int]:
    """One subject's archives or recordings: (truth of its clips, frame pairs, bytes of the members)."""
    if options.raw:
        return forge_recordings(out, options, plan(options), number)
    cast = plan(options)[number]
    subject = cast.person.subject
    sessions = sorted({clip.session for clip in cast.clips})
    sinks = {session: _Sink(out, session, subject, options.extracted) for session in sessions}
    truth: dict[str, Any] = {}
    for clip in cast.clips:
        sink = sinks[clip.session]
        opening = np.zeros(clip.frames) if clip.session == 1 else _write_sound(sink, clip, cast, options)
        portrait = head(cast.person, clip.trial, options.scale)
        stage = Stage(portrait, options.seed, subject, clip.trial, clip.position, options.scale)
        truth[clip.key] = _truth(clip, options, _write_frames(sink, clip, options, stage, opening))
    for sink in sinks.values():
        sink.close()
    return truth, sum(clip.frames for clip in cast.clips), sum(sink.bytes for sink in sinks.values())


def forge(out: Path, options: ForgeOptions, progress: Progress | None = None, workers: int = 1) -> dict[str, Any]:
    """Write a release under `out` (new or empty) and `<out>.truth.json` beside it; returns counts and bytes.

    `progress` is called after every finished subject with how many of how many are done. The bytes depend on the
    options alone.
    An interrupted release is removed again: half of one would look like a damaged one.
    """
    out = Path(out)
    with new_release(out):
        casts = plan(options)
        written = write_tables(out, casts, options) + (write_plans(out, casts, options) if options.raw else 0)
        results = in_processes(partial(_forge_subject, out, options), len(casts), workers, progress)
    clips = {key: value for truth, _, _ in results for key, value in truth.items()}
    people = {str(cast.person.subject): {**asdict(cast.person), "split": cast.split} for cast in casts}
    write_truth(out, {"options": asdict(options), "subjects": people, "clips": clips})
    return {
        "subjects": len(casts),
        "utterances": sum(clip.session == 2 for cast in casts for clip in cast.clips),
        "stills": sum(clip.session == 1 for cast in casts for clip in cast.clips),
        "frame_pairs": sum(frames for _, frames, _ in results),
        "bytes": written + sum(size for _, _, size in results),
        "artifacts": {key: value["artifacts"] for key, value in clips.items() if value["artifacts"]},
    }
