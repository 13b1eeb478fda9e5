"""What a person marks in a folder of videos: `marks.jsonl`, one record a line, read strictly, only ever added to.

Marks are data: with the videos they make the same collection again without the page.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from ..core.records import append_line, check_signature, contents, parse_fields, parsed, torn_tail

FILE = "marks.jsonl"
UNDO = "undo"
SPEAKER = re.compile(r"cvf[0-9]{4,6}")
GENDERS = ("m", "f", "")
VERDICTS = ("accept", "turn down")
LEAST_PERIOD_MS = 10_000
"""Of the ground truth sound (spec of Chinese_VF, step 2)."""
LEAST_SCREENSHOTS = 3
"""Of a speaker, over all their videos (step 1)."""
LAST_MS = 24 * 3600 * 1000
SUBJECTS = {"speaker": "folder", "screenshot": "ms", "period": "", "thresholds": "", "accept": ""}
"""What a mark may be about, and which part of its value tells one such mark from another of the same video."""
OF_ALL = ("speaker", "thresholds")
"""Marks of no single video: their `video` is empty."""


@dataclass(frozen=True)
class Mark:
    """One record: what `who` says about one video, or about all where `video` is empty.

    `video` is a path from the folder of videos, with `/`. `value` by `about`:
    speaker {folder, speaker, gender}; screenshot {ms, box: [left, top, width, height] in pixels of the upright frame,
    or null for its largest face}; period {start_ms, end_ms}, the target speaks alone; thresholds {face, voice}, each a
    cosine or null for a calibrated one; accept {verdict: accept or turn down, reason}. With {"undo": true} and the
    subject (folder, ms) it takes an earlier mark back. `when` is UTC as in 2026-03-01T12:00:00Z, `seen` the
    `digest` of the video (collection_videos.py), or "". Raises ValueError, saying what was expected, for anything else.
    """

    video: str
    about: str
    value: Mapping[str, Any]
    who: str
    when: str
    seen: str = ""

    def __post_init__(self) -> None:
        _check(self)

    @property
    def subject(self) -> tuple[str, str, str]:
        """What it is about: a later mark on the same subject takes the place of an earlier one, whoever made it."""
        part = SUBJECTS[self.about]
        return self.video, self.about, str(self.value[part]) if part else ""

    @property
    def undoes(self) -> bool:
        return bool(self.value.get(UNDO))


@dataclass(frozen=True)
class Speaker:
    """Whose videos lie in a folder. The folder's name stays here; only the id goes into the collection."""

    folder: str
    speaker: str
    """As in cvf0001."""
    gender: str
    """m, f, or "" where not known."""


@dataclass(frozen=True)
class Screenshot:
    """A face of the target."""

    ms: int
    box: tuple[int, int, int, int] | None
    """left, top, width, height in pixels; None: the largest face of the frame."""


@dataclass(frozen=True)
class Period:
    """A span in which the target speaks alone, [start, end) from the beginning of the file."""

    start_ms: int
    end_ms: int


@dataclass(frozen=True)
class VideoMarks:
    """The marks in force for one video."""

    screenshots: tuple[Screenshot, ...] = ()
    period: Period | None = None
    verdict: str = ""
    reason: str = ""
    seen: frozenset[str] = frozenset()
    """Digests of the video at the time of its screenshots and its period."""


@dataclass(frozen=True)
class Marks:
    """The marks in force."""

    speakers: Mapping[str, Speaker] = field(default_factory=dict)
    """By folder."""
    videos: Mapping[str, VideoMarks] = field(default_factory=dict)
    """By path from the folder of videos; without those that have no mark."""
    face: float | None = None
    voice: float | None = None
    """Thresholds; None: calibrated."""

    def of(self, video: str) -> VideoMarks:
        return self.videos.get(video, VideoMarks())


@dataclass(frozen=True)
class MarksFile:
    """What a file holds."""

    marks: tuple[Mark, ...] = ()
    torn: str = ""
    """In words, the last line where its writing was cut short; else ""."""


def _check(mark: Mark) -> None:
    for name in ("video", "about", "who", "when", "seen"):
        if not isinstance(getattr(mark, name), str):
            raise ValueError(f"{name} is {getattr(mark, name)!r}, expected text")
    if mark.about not in SUBJECTS:
        raise ValueError(f"about {mark.about!r}, expected one of {', '.join(SUBJECTS)}")
    check_signature(mark.who, mark.when, mark.seen)
    if mark.about in OF_ALL and mark.video:
        raise ValueError(f"video {mark.video!r} about {mark.about}, expected an empty one: it is not of one video")
    if mark.about not in OF_ALL:
        check_place(mark.video)
    if not isinstance(mark.value, Mapping):
        raise ValueError(f"value {mark.value!r}, expected an object")
    _check_value(mark.about, dict(mark.value))


def check_place(video: str) -> str:
    """The path, or ValueError unless it is a plain path from the folder of videos down, with `/`."""
    parts = PurePosixPath(video).parts
    if not parts or "/".join(parts) != video or ".." in parts or parts[0] == "/" or "\0" in video:
        raise ValueError(f"video {video!r}, expected a path from the folder of videos, as in ann/lecture-1.mp4")
    return video


def _check_value(about: str, value: dict[str, Any]) -> None:
    undo = value.pop(UNDO, False)
    if undo not in (True, False):
        raise ValueError(f"undo {undo!r}, expected true")
    subject = SUBJECTS[about]
    known = ({subject} - {""}) if undo else set(_CHECKS[about])
    if odd := sorted(known ^ value.keys()):
        what = "needs" if odd[0] in known else "knows no"
        raise ValueError(f"value about {about}{' that takes back' if undo else ''} {what} {odd[0]!r}")
    for name, inner in value.items():
        allowed, expected = _CHECKS[about][name]
        if not allowed(inner):
            raise ValueError(f"{name} {inner!r} about {about}, expected {expected}")
    if about == "period" and not undo and value["end_ms"] - value["start_ms"] < LEAST_PERIOD_MS:
        raise ValueError(
            f"period of {(value['end_ms'] - value['start_ms']) / 1000:.3f} s, expected {LEAST_PERIOD_MS // 1000} s or "
            "more in which the target speaks alone"
        )


def _moment(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LAST_MS


def _box(value: Any) -> bool:
    if value is None:
        return True
    whole = isinstance(value, list | tuple) and len(value) == 4 and all(type(edge) is int for edge in value)
    return whole and min(value) >= 0 and min(value[2:]) > 0


def _threshold(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return value is None or (number and math.isfinite(value) and -1 <= value <= 1)


def _folder(value: Any) -> bool:
    return isinstance(value, str) and value not in ("", ".", "..") and not set(value) & {"/", "\0"}


def _speaker(value: Any) -> bool:
    return isinstance(value, str) and SPEAKER.fullmatch(value) is not None


_MOMENT = (_moment, "whole milliseconds from the beginning of the file, within 24 hours")
_THRESHOLD = (_threshold, "a cosine from -1 to 1, or null for a calibrated one")
_CHECKS: dict[str, dict[str, tuple[Any, str]]] = {
    "speaker": {
        "folder": (_folder, "the name of a folder (or video) right inside the folder of videos"),
        "speaker": (_speaker, "an id as in cvf0001"),
        "gender": (lambda value: isinstance(value, str) and value in GENDERS, "m, f or an empty text"),
    },
    "screenshot": {"ms": _MOMENT, "box": (_box, "[left, top, width, height] in whole pixels of the frame, or null")},
    "period": {"start_ms": _MOMENT, "end_ms": _MOMENT},
    "thresholds": {"face": _THRESHOLD, "voice": _THRESHOLD},
    "accept": {
        "verdict": (lambda value: value in VERDICTS, " or ".join(VERDICTS)),
        "reason": (lambda value: isinstance(value, str), "text"),
    },
}


def parse(line: str) -> Mark:
    """One line of the file. Raises ValueError saying what was expected."""
    return Mark(**parse_fields(line, Mark, ("seen",)))


def read(path: Path) -> MarksFile:
    """Every record of a file in order; none where there is no file.

    A last line that begins a record and does not end it was cut short while it was written: it is told, and what
    stands before it counts. Raises ValueError with file and line for any other line that is no record.
    """
    data = contents(path)
    torn = ""
    if torn_tail(data):
        line = data.count(b"\n") + 1
        torn = f"{path}, line {line}: cut short while it was written, left out. Make that mark again"
    return MarksFile(tuple(parsed(path, data, parse)), torn)


def append(path: Path, mark: Mark) -> None:
    """Add one record at the end, flushed to the disk; other writers wait.

    A last line that was cut short goes. Raises ValueError when another line is broken.
    """
    append_line(path, {**asdict(mark), "value": dict(mark.value)}, parse)


def settle(records: Iterable[Mark]) -> Marks:
    """The marks in force: the last one of each subject, unless that takes it back. Screenshots are in order of time."""
    latest: dict[tuple[str, str, str], Mark] = {}
    for record in records:
        latest.pop(record.subject, None)
        if not record.undoes:
            latest[record.subject] = record
    of_video: dict[str, list[Mark]] = {}
    for mark in latest.values():
        of_video.setdefault(mark.video, []).append(mark)
    of_all = of_video.pop("", [])
    speakers = {m.value["folder"]: Speaker(**m.value) for m in of_all if m.about == "speaker"}
    thresholds = next((m.value for m in of_all if m.about == "thresholds"), {"face": None, "voice": None})
    videos = {video: _of_video(marks) for video, marks in sorted(of_video.items())}
    return Marks(dict(sorted(speakers.items())), videos, **dict(thresholds))


def _of_video(marks: list[Mark]) -> VideoMarks:
    shots = [
        Screenshot(m.value["ms"], None if m.value["box"] is None else tuple(m.value["box"]))
        for m in marks
        if m.about == "screenshot"
    ]
    period = next((Period(**m.value) for m in marks if m.about == "period"), None)
    word = next((m.value for m in marks if m.about == "accept"), {"verdict": "", "reason": ""})
    seen = frozenset(m.seen for m in marks if m.about in ("screenshot", "period") and m.seen)
    return VideoMarks(tuple(sorted(shots, key=lambda shot: shot.ms)), period, word["verdict"], word["reason"], seen)
