"""Forge a small AVSpeech: its two tables, clips and whole videos of made-up speakers, with known truth beside it."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..stages.avspeech_listing import TABLES, hashed, split_of
from ..stages.voice_face_facts import FORGED_MARK, youtube_key
from .avspeech_videos import BAD_ROWS, FRAME, ForgeOptions, Segment, Video, plan, planned
from .clips import command_text
from .footage import Encoding, write_video
from .forging import in_processes, new_release, write_truth
from .heads import Head, head
from .portrait import CENTRE
from .scene import Pose, visual_frame, wall
from .voices import RATE, Wave, speak

SCALE = 0.5
"""Of the heads: faces are then about 100 px wide."""
LOUD = 0.2
"""Level (root mean square) of sound at which a mouth is wide open."""
KEY_FRAME_SECONDS = 5
"""As a video site's files have them: a segment hardly ever begins at one."""

__all__ = ["ForgeOptions", "forge", "plan", "spoken"]


def spoken(video: Video, options: ForgeOptions) -> Wave:
    """(samples,) float64 in -1..1 at 44,100 Hz: all that is said in a video."""
    random = np.random.default_rng([options.seed, video.number, 63])
    samples = video.milliseconds * RATE // 1000
    words = [command_text("train", int(command)) for command in random.integers(1, 1297, video.milliseconds // 1000)]
    if video.odd == "silent":
        return np.zeros(samples)
    return speak(video.people[0], " ".join(words), samples, random)


def _openings(sound: Wave, fps: int) -> NDArray[np.float64]:
    """How wide the speaker's mouth is open in each frame, 0..1."""
    step = RATE / fps
    edges = np.round(np.arange(int(len(sound) / step) + 1) * step).astype(int)
    level = [np.sqrt(np.mean(sound[low:high] ** 2)) for low, high in pairwise(edges)]
    return np.asarray(np.clip(np.array(level) / LOUD, 0, 1))


def _face_offset(face: Head) -> tuple[float, float]:
    """Of the middle of a face from the head's CENTRE, in pixels of the frame."""
    low, high = face.points.min(0), face.points.max(0)
    middle = (low + high) / 2 - ((np.array(CENTRE) + 0.5) * SCALE - 0.5)
    return float(middle[0]), float(middle[1])


def _picture(video: Video, options: ForgeOptions, heads: list[Head], seconds: float, opening: float) -> Any:
    """One frame at a time of the video, (H, W, 3) uint8 BGR."""
    width, height = FRAME
    room = wall(options.seed, video.number, 1, SCALE)[:height, :width]
    room = cv2.copyMakeBorder(room, 0, height - room.shape[0], 0, width - room.shape[1], cv2.BORDER_REPLICATE)
    if video.odd == "no face":
        return room
    for who, face in enumerate(heads):
        x, y = video.middle(who, seconds)
        across, down = _face_offset(face)
        place = [(edge - off + 0.5) / SCALE - 0.5 for edge, off in ((x, across), (y, down))]
        room = visual_frame(face, Pose(place[0], place[1], opening=opening if not who else 0.0), room, SCALE)
    return room


def _pictures(video: Video, options: ForgeOptions, part: Segment | None, sound: Wave) -> Iterator[NDArray[np.uint8]]:
    """The frames of a segment, or of the whole video."""
    start, end = (part.start_ms, part.end_ms) if part else (0, video.milliseconds)
    heads = [head(person, 1, SCALE) for person in video.people]
    openings = _openings(sound, options.fps)
    for number in range(int((end - start) * options.fps / 1000)):
        elapsed = number / options.fps
        seconds = start / 1000 + elapsed
        opening = float(openings[min(int(seconds * options.fps), len(openings) - 1)])
        frame = _picture(video, options, heads, seconds, opening)
        if video.odd == "late face" and elapsed < 1.9:
            # First a black picture, then the empty room.
            empty = _picture(video, options, [], seconds, 0.0)
            frame = np.zeros_like(frame) if elapsed < 0.9 else empty
        yield frame


def _write(out: Path, video: Video, options: ForgeOptions) -> int:
    """The files of one video; returns their bytes."""
    sound = spoken(video, options)
    parts: list[Segment | None] = [None] if video.whole else [*video.segments]
    total = 0
    for part in parts:
        if video.odd == "video missing" or (video.odd == "clip missing" and part is video.segments[0]):
            continue
        name = f"clips/{video.youtube_id}_{part.span}.mp4" if part else f"videos/{video.youtube_id}.mp4"
        path = (out / name).with_suffix(".webm" if video.odd == "whole webm" else ".mp4")
        path.parent.mkdir(exist_ok=True)
        heard = sound[part.start_ms * RATE // 1000 : part.end_ms * RATE // 1000] if part else sound
        write_video(
            path,
            _pictures(video, options, part, sound),
            options.fps,
            None if video.odd == "no sound track" else heard,
            Encoding(KEY_FRAME_SECONDS * options.fps),
        )
        if video.odd == "cut short":
            path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
        total += path.stat().st_size
    return total


def _row(video: Video, segment: Segment) -> str:
    x, y = video.middle(segment.speaker, segment.start_ms / 1000)
    return (
        f"{video.youtube_id},{segment.start_ms / 1000:.6f},{segment.end_ms / 1000:.6f},"
        f"{x / FRAME[0]:.6f},{y / FRAME[1]:.6f}"
    )


def _write_tables(out: Path, videos: tuple[Video, ...], options: ForgeOptions) -> list[list[Any]]:
    """Both tables; returns the bad rows: table, line from 1, what is wrong."""
    lines: dict[str, list[str]] = {word: [] for word in TABLES}
    for video in videos:
        lines[video.table] += [_row(video, segment) for segment in video.segments]
    bad = []
    if options.odd:
        ids = [video.youtube_id for video in videos]
        for number, (text, why) in enumerate(BAD_ROWS):
            table = ("train", "train", "test")[number % 3]
            at = (3 * number) % (len(lines[table]) + 1)
            lines[table].insert(at, text.format(id=ids[number % len(ids)], short=ids[0][:10]))
            bad.append((table, lines[table][at], why))
    for word, name in TABLES.items():
        (out / name).write_text("".join(f"{line}\n" for line in lines[word]), encoding="utf-8")
    return [[table, lines[table].index(line) + 1, why] for table, line, why in bad]


def _truth(video: Video, held_out: frozenset[str]) -> dict[str, Any]:
    """By sample key: what a build must find."""
    found = {}
    for segment in video.segments:
        shown = segment.start_ms / 1000 + segment.attempt - 1
        found[f"{youtube_key(video.youtube_id)}_{segment.span}"] = {
            "youtube_id": video.youtube_id,
            "odd": video.odd,
            "left_out": segment.left_out,
            "frame_attempt": segment.attempt,
            "faces": len(video.people),
            "speaker": segment.speaker,
            "face": [round(edge, 2) for edge in video.middle(segment.speaker, shown)],
            "start_ms": segment.start_ms,
            "end_ms": segment.end_ms,
            "release_split": video.table,
            "split": split_of(video.youtube_id, None),
            "split_official": split_of(video.youtube_id, held_out),
        }
    return found


def _forge_video(out: Path, options: ForgeOptions, number: int) -> int:
    return _write(out, planned(options, number), options)


def forge(
    out: Path, options: ForgeOptions, progress: Callable[[int, int], None] | None = None, workers: int = 1
) -> dict[str, Any]:
    """Write a release under `out` (new or empty) and `<out>.truth.json` beside it; returns counts and bytes.

    `progress` is called after every video with how many of how many are done. The bytes depend on the options alone.
    """
    out = Path(out)
    videos = plan(options)
    with new_release(out):
        (out / FORGED_MARK).write_text(json.dumps({"dataset": "avspeech", "options": asdict(options)}, indent=1) + "\n")
        bad = _write_tables(out, videos, options)
        sizes = in_processes(partial(_forge_video, out, options), len(videos), workers, progress)
    held_out = frozenset(video.youtube_id for video in videos if video.table == "test")
    people = {
        video.youtube_id: {
            "number": video.number,
            "odd": video.odd,
            "hashed": hashed(video.youtube_id),
            "people": [asdict(person) for person in video.people],
        }
        for video in videos
    }
    clips = {key: facts for video in videos for key, facts in _truth(video, held_out).items()}
    write_truth(out, {"options": asdict(options), "videos": people, "clips": clips, "bad_rows": bad})
    return {"videos": len(videos), "segments": len(clips), "bad_rows": len(bad), "bytes": sum(sizes)}
