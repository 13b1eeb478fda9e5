"""The tables of a collection: who is in it, from which videos, with what parameters, and every candidate of it."""

import csv
import io
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, TextIO

from ..core.table import read_table
from .chinese_vf_options import SPEAKER

MAX_TABLE_BYTES = 64 << 20
"""Of the tables of people and videos."""
MAX_PARAMETER_BYTES = 1 << 20
LONGEST_ROW = 4_096
LATEST_MS = 99_999_999
"""Keys have eight digits for milliseconds: 27.7 hours."""
MOST_FACES = 999
"""Keys have three digits for the face of a frame."""
VIDEO = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_WHOLE, _REAL = re.compile(r"[0-9]{1,18}"), re.compile(r"[+-]?[0-9]{1,17}(\.[0-9]{0,17})?([eE][+-]?[0-9]{1,3})?")
GENDERS = ("m", "f", "")
NUMBERS = ("box_scale", "tau_face", "tau_voice")
"""Parameters that are facts of samples."""
FACE_COLUMNS = ("speaker_id", "video_id", "frame_ms", "k", "x", "y", "w", "h", "det_conf", "score", "kept")
VOICE_COLUMNS = ("speaker_id", "video_id", "start_ms", "end_ms", "score", "kept")


@dataclass(frozen=True)
class Speaker:
    """One person of a collection."""

    id: str
    gender: str | None
    fold: int | None


@dataclass(frozen=True, slots=True)
class Candidate:
    """One row: a face of a frame or a window of sound, with the similarity to the person's ground truth."""

    speaker: str
    video: str
    times: tuple[int, int]
    """Faces: milliseconds of the frame and number of the face in it; voices: start and end in milliseconds."""
    numbers: tuple[float | None, ...]
    """Faces: left, top, width, height of the box and the detector's score; voices: none."""
    score: float | None
    kept: bool
    reason: str

    @property
    def face(self) -> bool:
        return bool(self.numbers)

    @property
    def moment(self) -> str:
        """The last two parts of its key: `00012000_000` (frame, face) or `00012000_00015500` (start, end)."""
        return f"{self.times[0]:08d}_{self.times[1]:0{3 if self.face else 8}d}"

    def packed(self) -> str:
        """A kept one as `moment,numbers,score`: a build holds millions of them."""
        return ",".join([self.moment, *(repr(number) for number in (*self.numbers, self.score))])


def speakers(data: bytes, place: str) -> tuple[dict[str, Speaker], list[tuple[str, str]]]:
    """meta/speakers.csv -> people by id, and (row, reason) of rows left out. Raises ValueError for another header."""
    found: dict[str, Speaker] = {}
    problems = []
    rows = read_table(data, {"speaker_id": ("speaker",), "gender": (), "fold?": ()}, place)
    for number, row in enumerate(rows, 2):
        who, gender, fold = row["speaker_id"], row["gender"].lower(), row["fold"]
        if not SPEAKER.fullmatch(who):
            reason = f"speaker {who[:40]!r}, expected an id as in cvf0001"
        elif who in found:
            reason = f"{who} occurs twice; the first row counts"
        elif gender not in GENDERS:
            reason = f"gender {row['gender'][:40]!r} of {who}, expected m, f or nothing"
        elif fold and not (_WHOLE.fullmatch(fold) and int(fold) < 1000):
            reason = f"fold {fold[:40]!r} of {who}, expected a number from 0 or nothing"
        else:
            found[who] = Speaker(who, gender or None, int(fold) if fold else None)
            continue
        problems.append((f"{place}, row {number}", reason))
    return found, problems


def videos(data: bytes, place: str) -> tuple[set[tuple[str, str]], list[tuple[str, str]]]:
    """meta/videos.csv -> (speaker, video) of each, and (row, reason) of rows left out. Raises ValueError."""
    found: set[tuple[str, str]] = set()
    problems = []
    rows = read_table(data, {"video_id": ("video",), "speaker_id": ("speaker",)}, place)
    for number, row in enumerate(rows, 2):
        at = (row["speaker_id"], row["video_id"])
        if not SPEAKER.fullmatch(at[0]) or not VIDEO.fullmatch(at[1]):
            reason = f"video {at[1][:70]!r} of {at[0][:40]!r}, expected ids as in v0001 and cvf0001"
            problems.append((f"{place}, row {number}", reason))
        elif at in found:
            problems.append((f"{place}, row {number}", f"video {at[1]} of {at[0]} occurs twice"))
        else:
            found.add(at)
    return found, problems


def parameters(data: bytes, place: str) -> dict[str, str | int | float]:
    """config.json -> parameters by name, and the thresholds used as `tau_face` and `tau_voice`. Raises ValueError.

    `{"parameters": {...}, "thresholds": {"face": {"value": ...}, "voice": ...}}`, or all of them right in it.
    """
    try:
        told = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{place}: not JSON ({error}). Collect again, or remove it") from None
    own = told.get("parameters", told) if isinstance(told, dict) else None
    if not isinstance(own, dict):
        raise ValueError(f"{place}: expected a JSON object of parameters. Collect again, or remove it")
    found = dict(own)
    used = told.get("thresholds")
    for name in ("face", "voice"):
        threshold = used.get(name) if isinstance(used, dict) else None
        value = threshold.get("value") if isinstance(threshold, dict) else threshold
        if value is not None:
            found[f"tau_{name}"] = value
    for name in NUMBERS:
        value = found.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e6):
            raise ValueError(f"{place}: {name} is {value!r}, expected a number. Collect again")
    return {name: value for name, value in sorted(found.items()) if isinstance(value, str | int | float)}


def refused(data: bytes, place: str) -> list[tuple[int, str, str]]:
    """candidates/refused.csv -> (row, speaker or "", what was left out and why). Raises ValueError."""
    found = []
    columns = {"speaker_id": (), "video_id?": (), "stage?": (), "reason": ()}
    for number, row in enumerate(read_table(data, columns, place), 2):
        speaker = row["speaker_id"] if SPEAKER.fullmatch(row["speaker_id"]) else ""
        video = f"video {row['video_id'][:70]} of {speaker}" if row["video_id"] else speaker
        found.append((number, speaker, ": ".join(filter(None, (video, row["stage"][:40], row["reason"][:400])))))
    return found


def candidates(file: BinaryIO, place: str, columns: tuple[str, ...]) -> Iterator[tuple[int, Candidate | str]]:
    """Rows of a table of candidates by line from 2, or what is wrong with them, one line in memory at a time.

    `columns` is FACE_COLUMNS or VOICE_COLUMNS; others are passed over, `reason` may be missing. Raises ValueError when
    the header lacks one.
    """
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline="\n")
    head = [cell.strip().lower() for cell in _cells(_line(text))]
    if missing := [name for name in columns if name not in head]:
        raise ValueError(f"{place}: no column {missing[0]!r}; the header is {head}, expected {','.join(columns)}")
    at = {name: head.index(name) for name in (*columns, "reason") if name in head}
    for number, line in enumerate(iter(lambda: _line(text), ""), 2):
        if not line.strip():
            continue
        try:
            cells = _cells(line)
            if len(cells) != len(head):
                raise ValueError(f"{len(cells)} columns, the header has {len(head)}")
            row = {name: cells[column].strip() for name, column in at.items()}
            yield number, _candidate(row, "frame_ms" in at)
        except ValueError as error:
            yield number, str(error)


def _candidate(row: Mapping[str, str], face: bool) -> Candidate:
    speaker, video, kept, reason = row["speaker_id"], row["video_id"], row["kept"], row.get("reason", "")
    if not SPEAKER.fullmatch(speaker):
        raise ValueError(f"speaker {speaker[:40]!r}, expected an id as in cvf0001")
    if not VIDEO.fullmatch(video):
        raise ValueError(f"video {video[:70]!r}, expected lower-case letters, digits and '-'")
    if kept not in ("0", "1"):
        raise ValueError(f"kept is {kept[:40]!r}, expected 0 or 1")
    score = _real(row, "score", -1.001, 1.001)
    if face:
        times = (_whole(row, "frame_ms", LATEST_MS), _whole(row, "k", MOST_FACES))
        numbers = (*(_real(row, name, -1e6, 1e6) for name in "xywh"), _real(row, "det_conf", -1e6, 1e6))
    else:
        times, numbers = (_whole(row, "start_ms", LATEST_MS), _whole(row, "end_ms", LATEST_MS)), ()
        if times[0] >= times[1]:
            raise ValueError(f"from {times[0]} to {times[1]} ms, expected start < end")
    if face and any(side is not None and side <= 0 for side in numbers[2:4]):
        raise ValueError(f"a box of {numbers[2]} by {numbers[3]} pixels, expected sides above 0")
    if kept == "1" and (score is None or None in numbers):
        raise ValueError("kept without a score, a box or the detector's score")
    return Candidate(speaker, video, times, numbers, score, kept == "1", reason)


def _whole(row: Mapping[str, str], name: str, most: int) -> int:
    if not _WHOLE.fullmatch(row[name]) or int(row[name]) > most:
        raise ValueError(f"{name} is {row[name][:40]!r}, expected a whole number from 0 to {most:,}")
    return int(row[name])


def _real(row: Mapping[str, str], name: str, least: float, most: float) -> float | None:
    """A finite number; None for an empty cell."""
    cell = row[name]
    if not cell:
        return None
    value = float(cell) if _REAL.fullmatch(cell) else math.nan
    if not least <= value <= most:
        raise ValueError(f"{name} is {cell[:40]!r}, expected a number from {least:g} to {most:g}")
    return value


def _cells(line: str) -> list[str]:
    line = line.rstrip("\r\n")
    try:
        return line.split(",") if '"' not in line else next(csv.reader([line]), [])
    except csv.Error as error:
        raise ValueError(f"no row of a CSV table ({error})") from None


def _line(text: TextIO) -> str:
    """The next line; of one that is too long the beginning, so that memory stays small and its columns are wrong."""
    line = text.readline(LONGEST_ROW)
    if len(line) < LONGEST_ROW or line.endswith("\n"):
        return line
    while (rest := text.readline(LONGEST_ROW)) and not rest.endswith("\n"):
        pass
    return "line of more than 4,096 letters\n"
