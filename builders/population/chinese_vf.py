"""Forge videos for the Chinese_VF collector: talking people, the marks of a careful person, and the truth."""

import json
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..stages.collection_videos import digest
from ..stages.marks import FILE, Mark
from ..stages.voice_face_facts import FORGED_MARK
from .chinese_vf_people import Speaker, cast, voices_apart
from .chinese_vf_pictures import Camera
from .chinese_vf_sounds import sounds
from .chinese_vf_videos import ODD, ForgeOptions, Video, plan
from .footage import Encoding, write_video
from .forging import in_processes, new_release, write_truth
from .portrait import Points
from .voices import voice_of

WHO, WHEN = "forged", "2026-03-01T12:00:00Z"
"""Of every mark."""
SCREENSHOTS = {0: 3, 1: 2}
"""Faces marked in a speaker's first and second video."""
CLEAR_YAW = 9.0
"""Degrees up to which a face is clear enough to be marked."""
CLEAR_MS = 350
"""How far a marked frame keeps from cuts."""
QUALITY, SOUND_BITS = 24, 64_000

__all__ = ["ForgeOptions", "forge", "plan"]


def _box(points: Points) -> list[int]:
    """left, top, width, height as a person draws it: hairline to chin, ear to ear."""
    low, high = points.min(0), points.max(0)
    top = low[1] - 0.25 * (high[1] - low[1])
    return [max(0, round(float(value))) for value in (low[0], top, high[0] - low[0], high[1] - top)]


def _frame_at(video: Video, milliseconds: int) -> int:
    """The frame on screen at a time."""
    return min(int(milliseconds * video.fps / 1000), video.frames - 1)


def _screenshots(video: Video, camera: Camera, wanted: int) -> list[dict[str, Any]]:
    """Clear frames of the target, far apart in time; where nobody else is seen, every second one without a box."""
    clear = []
    for ms in range(CLEAR_MS, video.milliseconds - CLEAR_MS, 200):
        shots = [video.shot((ms + aside) / 1000) for aside in (-CLEAR_MS, 0, CLEAR_MS)]
        alone = all(shot is shots[0] for shot in shots) and shots[0].shows == "target"
        if alone and abs(camera.yaw(0, ms / 1000)) <= CLEAR_YAW:
            clear.append(ms)
    picked = [clear[round(at)] for at in np.linspace(0, len(clear) - 1, min(wanted, len(clear)))]
    found = []
    for place, ms in enumerate(sorted(set(picked))):
        points = camera.faces(video.shot(ms / 1000), _frame_at(video, ms))["target"]
        found.append({"ms": ms, "box": None if place % 2 else _box(points)})
    return found


def _marks(out: Path, video: Video, camera: Camera, which: int) -> list[Mark]:
    """What a careful person marks in one video of a speaker, the `which`th from 0."""
    values = [("screenshot", value) for value in _screenshots(video, camera, SCREENSHOTS.get(which, 0))]
    if not which and video.period:
        values.append(("period", dict(zip(("start_ms", "end_ms"), video.period, strict=True))))
    seen = digest(out / video.name)
    return [Mark(video.name, about, value, WHO, WHEN, seen) for about, value in values]


def _write(out: Path, video: Video, which: int) -> tuple[int, dict[str, Any], list[Mark]]:
    """The file of one video: its bytes, its truth and its marks."""
    path = out / video.name
    path.parent.mkdir(parents=True, exist_ok=True)
    own, others, heard = sounds(video)
    camera = Camera(video, (own, others))
    encoding = Encoding(
        round(video.key_frame_seconds * video.fps),
        QUALITY,
        "mpeg2video" if video.odd == "codec not read" else "libx264",
        SOUND_BITS,
    )
    if video.odd == "empty file":
        path.write_bytes(b"")
    else:
        write_video(path, camera.frames(), video.fps, None if video.odd == "no sound track" else heard, encoding)
    if video.odd == "cut off":
        path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    marks = [] if video.odd else _marks(out, video, camera, which)
    return path.stat().st_size, _truth(video, camera), marks


def _truth(video: Video, camera: Camera) -> dict[str, Any]:
    """All that is true of a video: who is heard, who is seen in every second, where, and the conditions."""
    faces, places = [], []
    for second in range(-(-video.milliseconds // 1000)):
        shot = video.shot(float(second))
        faces.append(shot.face)
        found = camera.faces(shot, _frame_at(video, 1000 * second))
        places.append({who: _box(points) for who, points in found.items()})
    return {
        "speaker": video.speaker.speaker,
        "folder": video.speaker.folder,
        "odd": video.odd,
        "left_out": ODD.get(video.odd, ""),
        "size": list(video.size),
        "fps": [video.fps.numerator, video.fps.denominator],
        "frames": video.frames,
        "duration_ms": video.milliseconds,
        "key_frame_seconds": video.key_frame_seconds,
        "spans": [[span.start_ms, span.end_ms, span.what] for span in video.spans],
        "shots": [[shot.start_ms, shot.end_ms, shot.shows] for shot in video.shots],
        "faces": faces,
        "boxes": places,
        "yaw": [round(camera.yaw(0, float(second)), 1) for second in range(len(faces))],
        "day": video.day,
        "channel": asdict(video.channel),
        "other": asdict(video.other),
        "voices_apart": voices_apart(voice_of(video.speaker.person), voice_of(video.other)),
    }


def _forge_video(out: Path, options: ForgeOptions, number: int) -> tuple[int, dict[str, Any], list[Mark]]:
    video = plan(options)[number]
    return _write(out, video, number - video.speaker.number * options.videos)


def _speaker_mark(one: Speaker) -> Mark:
    value = {"folder": one.folder, "speaker": one.speaker, "gender": one.gender}
    return Mark("", "speaker", value, WHO, WHEN)


def forge(
    out: Path, options: ForgeOptions, progress: Callable[[int, int], None] | None = None, workers: int = 1
) -> dict[str, Any]:
    """Write videos and `marks.jsonl` under `out` (new or empty), `<out>.truth.json` beside it; returns counts, bytes.

    `progress` is called after every video with how many of how many are done. The bytes depend on the options and the
    installed encoders alone.
    """
    out = Path(out)
    videos = plan(options)
    speakers, _ = cast(options.speakers, options.seed, options.link)
    with new_release(out):
        record = {"dataset": "chinese_vf", "options": asdict(options)}
        (out / FORGED_MARK).write_text(json.dumps(record, indent=1) + "\n")
        made = in_processes(partial(_forge_video, out, options), len(videos), workers, progress)
        marks = [_speaker_mark(one) for one in speakers] + [mark for _, _, of_video in made for mark in of_video]
        lines = "".join(json.dumps(asdict(mark), ensure_ascii=False) + "\n" for mark in marks)
        (out / FILE).write_text(lines, encoding="utf-8")
    people = {one.speaker: {"folder": one.folder, "gender": one.gender, **asdict(one.person)} for one in speakers}
    truth = {video.name: facts for video, (_, facts, _) in zip(videos, made, strict=True)}
    write_truth(out, {"options": asdict(options), "speakers": people, "videos": truth})
    return {
        "speakers": len(speakers),
        "videos": len(videos),
        "marks": len(marks),
        "bytes": sum(size for size, _, _ in made),
    }
