"""Forge raw recordings: uncompressed videos and sounds of whole positions, as they came from the cameras."""

import shutil
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .avi import AviWriter
from .clips import Cast, Clip, ForgeOptions
from .filming import grain, heard, shots, wav
from .heads import head
from .portrait import CENTRE
from .scene import THERMAL, VISUAL, Stage
from .takes import Take, mishap, plan_table, rescue_table, takes
from .voices import FPS, FRAME_SAMPLES, loudness

FOLDERS = {1: ("video_only_raw", "video_only"), 2: ("video_audio_raw", "video_audio")}
"""By session: the folder of archives, and the folder inside a trial."""
PIECE = 100
_SHORTER = 3
"""Frames by which a short file ends early, and some samples more."""
_STAMP = (2020, 1, 1, 0, 0, 0)
_HISS = 39.0
"""Sigma of both microphones' own noise in 16-bit steps."""


def recorded(options: ForgeOptions, casts: tuple[Cast, ...], cast: Cast) -> dict[tuple[int, int], list[Take]]:
    """The takes of one subject by (trial, position)."""
    found: dict[tuple[int, int], list[Clip]] = defaultdict(list)
    for clip in cast.clips:
        if clip.session == 2:
            found[clip.trial, clip.position].append(clip)
    return {at: takes(options, clips, mishap(options, casts, clips[0])) for at, clips in sorted(found.items())}


def write_plans(out: Path, casts: tuple[Cast, ...], options: ForgeOptions) -> int:
    """The recording plans beside the archives, or in each trial's folder, and the rescue table; returns their bytes."""
    everything: list[Take] = []
    files: dict[Path, str] = {}
    for cast in casts:
        by_place = recorded(options, casts, cast)
        everything += [take for found in by_place.values() for take in found]
        for trial in (1, 2) if by_place else ():
            here = [take for (number, _), found in by_place.items() if number == trial for take in found]
            name = f"commands_sub{cast.person.subject}_trial{trial}.csv"
            inside = out / f"{cast.split}_data" / f"sub_{cast.person.subject}" / f"trial_{trial}"
            files[(inside if options.extracted else out / "metadata") / name] = plan_table(here)
    if any(take.rescue for take in everything):
        files[out / "metadata" / "salvage_mission_all_data.csv"] = rescue_table(everything, options.as_recorded)
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    return sum(len(text.encode()) for text in files.values())


@dataclass
class _Shelf:
    """Where the files of one subject's session go: the working tree's folder, or a stored zip with fixed times."""

    out: Path
    cast: Cast
    session: int
    options: ForgeOptions
    bytes: int = 0

    def __post_init__(self) -> None:
        self.subject = self.cast.person.subject
        self._zip: zipfile.ZipFile | None = None
        self._tree = self.out / f"{self.cast.split}_data"
        if not self.options.extracted:
            archive = self.out / FOLDERS[self.session][0] / f"sub_{self.subject}.zip"
            archive.parent.mkdir(parents=True, exist_ok=True)
            self._tree = archive.with_suffix(".part")
            self._zip = zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED)

    def path(self, trial: int, position: int, number: int, kind: str) -> Path:
        """Where to write one file; `number` is a stream (1 thermal, 2 visual) or a microphone."""
        if self.options.as_recorded:
            name = f"{self.subject}_{trial}_{position}_{number - (kind == 'avi')}.{kind}"
        else:
            name = f"{self.subject}_{trial}_{self.session}_{position}_{number}.{kind}"
        path = self._tree / f"sub_{self.subject}" / f"trial_{trial}" / FOLDERS[self.session][1] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def keep(self, path: Path) -> None:
        """Take a finished file in."""
        self.bytes += path.stat().st_size
        if self._zip is None:
            return
        entry = zipfile.ZipInfo(path.relative_to(self._tree).as_posix(), _STAMP)
        entry.external_attr = 0o644 << 16
        entry.file_size = path.stat().st_size
        with path.open("rb") as source, self._zip.open(entry, "w") as member:
            shutil.copyfileobj(source, member, 1 << 20)
        path.unlink()

    def close(self) -> None:
        """Finish the archive."""
        if self._zip is not None:
            self._zip.close()
            shutil.rmtree(self._tree, ignore_errors=True)


def forge_recordings(
    out: Path, options: ForgeOptions, casts: tuple[Cast, ...], number: int
) -> tuple[dict[str, Any], int, int]:
    """One subject's recordings: (truth of its samples, frame pairs, bytes of the files)."""
    cast = casts[number]
    truth: dict[str, Any] = {}
    total, size = 0, 0
    for session in (1, 2):
        shelf = _Shelf(out, cast, session, options)
        still = [clip for clip in cast.clips if clip.session == session == 1]
        found = recorded(options, casts, cast) if session == 2 else {}
        for clip in still:
            marks = _film(shelf, options, [(clip, clip.frames, np.zeros(clip.frames))], "")
            truth |= _still_truth(clip, marks)
            total += clip.frames
        for here in found.values():
            kind = mishap(options, casts, here[0].clip)
            openings = _record(shelf, options, cast, here, kind)
            scenes = [(take.clip, take.shown, mouth) for take, mouth in zip(here, openings, strict=True)]
            marks = _film(shelf, options, scenes, kind)
            truth |= {take.clip.key: _truth(take, marks) for take in here}
            total += sum(take.shown for take in here)
        shelf.close()
        size += shelf.bytes
    return truth, total, size


def _record(shelf: _Shelf, options: ForgeOptions, cast: Cast, here: list[Take], kind: str) -> list[NDArray[np.float64]]:
    """Both microphones of a recording; returns how far the mouth opens in the frames filmed of each take."""
    clip = here[0].clip
    random = np.random.default_rng([options.seed, clip.subject, clip.trial, clip.position, 53])
    length = FRAME_SAMPLES * sum(take.shown for take in here)
    tracks = np.round(random.normal(0, _HISS, (2, length))).astype(np.int16)
    openings = []
    for take in here:
        sound, spoken = heard(take.clip, cast, options)
        at = FRAME_SAMPLES * (take.begins - 1)
        tracks[:, at : at + take.clip.samples] = spoken
        mouth = np.zeros(take.shown)
        mouth[: take.clip.frames] = loudness(sound, take.clip.frames)
        openings.append(mouth)
    for mic, track in enumerate(tracks, 1):
        if mic == 2 and kind == "no microphone 2":
            continue
        end = FRAME_SAMPLES * (here[-1].end - _SHORTER) + 700 if mic == 2 and kind == "short microphone 2" else length
        path = shelf.path(clip.trial, clip.position, mic, "wav")
        path.write_bytes(wav(track[:end]))
        shelf.keep(path)
    return openings


Scene = tuple[Clip, int, NDArray[np.float64]]
"""A clip, how many frames are filmed of it, and how far the mouth opens in each."""


def _film(shelf: _Shelf, options: ForgeOptions, scenes: list[Scene], kind: str) -> dict[int, list[int]]:
    """Both videos of a recording; returns the CRC-32 of the RGB pixels of every frame, by stream."""
    clip = scenes[0][0]
    marks: dict[int, list[int]] = {1: [], 2: []}
    sizes = [(round(width * options.scale), round(height * options.scale)) for width, height in (THERMAL, VISUAL)]
    paths = [shelf.path(clip.trial, clip.position, stream, "avi") for stream in (1, 2)]
    filmed = sum(frames for _, frames, _ in scenes)
    cut = filmed - (_SHORTER + 1 if kind == "short visual video" else 0)
    with AviWriter(paths[0], *sizes[0], FPS) as thermal, AviWriter(paths[1], *sizes[1], FPS) as visual:
        for pictures in _pictures(shelf.cast, options, scenes):
            thermal.add(pictures[0])
            if visual.frames < cut:
                visual.add(pictures[1])
            for stream, picture in enumerate(pictures, 1):
                marks[stream].append(zlib.crc32(picture[:, :, ::-1].tobytes()))
    for stream, path in enumerate(paths, 1):
        if stream == 1 and kind == "no thermal video":
            path.unlink()
        else:
            shelf.keep(path)
    return marks


def _pictures(
    cast: Cast, options: ForgeOptions, scenes: list[Scene]
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """Thermal and visual frames, uint8 BGR; the first frames of each scene are those of the published clip."""
    for clip, frames, opening in scenes:
        longer = replace(clip.segments[-1], last=frames)
        clip = replace(clip, frames=frames, segments=(*clip.segments[:-1], longer))
        portrait = head(cast.person, clip.trial, options.scale)
        stage = Stage(portrait, options.seed, clip.subject, clip.trial, clip.position, options.scale)
        chin = float(portrait.points[8, 1] / options.scale - CENTRE[1])
        held: NDArray[np.uint8] | None = None
        for frame, shot in enumerate(shots(clip, options, chin, opening), 1):
            random = grain(clip, options, frame)
            visual = stage.visual(shot, random)
            frozen = clip.artifact == "freeze" and clip.span[0] < frame <= clip.span[1]
            held = held if frozen and held is not None else stage.thermal(shot, random)
            yield held, visual


def _truth(take: Take, marks: dict[int, list[int]]) -> dict[str, Any]:
    """What a build must make of a take: `frames` and `samples` of the recording before the end is trimmed."""
    clip = take.clip
    last = take.first - 1 + (take.samples[1] - take.samples[0]) // FRAME_SAMPLES
    return {
        "recording": f"{clip.subject}_{clip.trial}_2_{clip.position}",
        "planned": [take.start, take.end],
        "planned_command": take.planned,
        "frames": [take.first, last],
        "samples": list(take.samples),
        "speech_end": take.speech_end,
        "beginning_removed": take.removed,
        "rescue": take.rescue[0] if take.rescue else "",
        "reason": take.reason,
        "said": clip.said,
        "pixels": {str(stream): values[take.first - 1 : last] for stream, values in marks.items()},
        "artifacts": {clip.artifact: list(clip.span)} if clip.artifact else {},
    }


def _still_truth(clip: Clip, marks: dict[int, list[int]]) -> dict[str, Any]:
    found = {}
    for first in range(1, clip.frames + 1, PIECE):
        last = min(first + PIECE - 1, clip.frames)
        pixels = {str(stream): values[first - 1 : last] for stream, values in marks.items()}
        name = f"{clip.subject}_{clip.trial}_1_{clip.position}"
        found[f"{clip.key}_{first:04d}"] = {
            "recording": name, "frames": [first, last], "pixels": pixels, "reason": "", "artifacts": {},
        }  # fmt: skip
    return found
