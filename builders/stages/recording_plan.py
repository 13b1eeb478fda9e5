"""Which frames of a recording are which command: the recording plan, and the rescue table that mends split words."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

from ..core.table import csv_rows, read_table
from .speakingfaces_tables import Place, within

FRAME_SAMPLES = 1575
"""Samples of one video frame: 44,100 Hz / 28 fps."""
RATE, FPS = 44_100, 28
MAX_FRAME = 100_000
PLAN_COLUMNS = {
    "command_id": ("cmd_id",),
    "pos_id": ("position_id", "position", "pos"),
    "start_fr_id": ("start_frame", "start_frame_id", "start"),
    "end_fr_id": ("end_frame", "end_frame_id", "end"),
}
TEXT_COLUMN = ("command_name", "command", "command_text", "commands", "text", "cmd")
RESCUE_COLUMNS = {
    "raw_audio_name": (),
    "begin_timestamp": ("begin",),
    "end_timestamp": ("end",),
    "new_name": (),
    "comment": ("comments",),
}
_CUT = re.compile(r"(\d{1,3})_([12])_2_([1-9])_(\d{1,4})_([12])(?:\.wav)?", re.ASCII)
_CUT_AS_RECORDED = re.compile(r"(\d{1,3})_([12])_([1-9])_([12])_(\d{1,4})(?:\.wav)?", re.ASCII)


def whole_frames(samples: int) -> int:
    """Video frames that so many samples last, in whole numbers: the float product loses one at 17 of 900 lengths."""
    return samples * FPS // RATE


@dataclass(frozen=True)
class PlannedCommand:
    """One row of a plan: frames start..end (from 1, inclusive) of the recording at its position."""

    place: Place
    text: str
    start: int
    end: int
    row: int


@dataclass(frozen=True)
class Cut:
    """One utterance-to-be: `pieces` are frames (first, last) of the recording, laid end to end.

    `begin` and `end` are samples of what lies there, `end` None for all of it. `problem` says why it is left out.
    """

    place: Place
    text: str
    row: int
    pieces: tuple[tuple[int, int], ...]
    begin: int = 0
    end: int | None = None
    rescue: str = ""
    problem: str = ""
    where: str = ""

    @property
    def frames(self) -> int:
        """Frames of all pieces."""
        return sum(last - first + 1 for first, last in self.pieces)


@dataclass(frozen=True)
class RescueRow:
    """One row of the rescue table; `problem` says what could not be read."""

    subject: int
    place: Place
    mic: int
    begin: int
    end: int | None
    command: int
    comment: str
    row: int
    problem: str = ""


def read_plan(data: bytes, name: str, trial: int) -> tuple[list[PlannedCommand], list[tuple[int, str]]]:
    """Planned commands in table order, and (row, reason) of unreadable rows. Raises ValueError for unknown headers.

    The second of the six columns is the command's text, however it is headed.
    """
    rows = csv_rows(data, name)
    second = (rows[0][1],) if rows and len(rows[0]) == 6 else ()
    columns = {**PLAN_COLUMNS, "command_name?": (*TEXT_COLUMN, *second)}
    found, problems = [], []
    for number, row in enumerate(read_table(data, columns, name), 2):
        try:
            place = Place(trial, within(int(row["pos_id"]), 1, 9), within(int(row["command_id"]), 0, 9999))
            start = within(int(row["start_fr_id"]), 1, MAX_FRAME)
            end = within(int(row["end_fr_id"]), start, MAX_FRAME)
        except ValueError as error:
            problems.append((number, f"unreadable row: {error}"))
            continue
        found.append(PlannedCommand(place, row["command_name"], start, end, number))
    return found, problems


def read_rescue(data: bytes, name: str, as_recorded: bool) -> list[RescueRow]:
    """Rows of `salvage_mission_all_data.csv`; seconds become samples. Raises ValueError for unknown headers."""
    rows = read_table(data, RESCUE_COLUMNS, name)
    return [_rescue_row(number, row, as_recorded) for number, row in enumerate(rows, 2)]


def _rescue_row(number: int, row: dict[str, str], as_recorded: bool) -> RescueRow:
    match = (_CUT_AS_RECORDED if as_recorded else _CUT).fullmatch(row["raw_audio_name"])
    if match is None:
        unknown = f"expected the name of a cut sound, as in 1_1_2_4_117_1.wav, found {row['raw_audio_name']!r}"
        return RescueRow(0, Place(1, 1), 1, 0, None, 0, "", number, unknown)
    subject, trial, position, fourth, fifth = map(int, match.groups())
    command, mic = (fifth, fourth) if as_recorded else (fourth, fifth)
    place = Place(trial, position, command)
    word = " ".join(row["comment"].lower().split())
    comment = "skip" if word.startswith("skip") else word
    try:
        if comment not in ("copy", "trim", "merge and trim", "skip"):
            raise ValueError(f"comment {row['comment']!r}, expected copy, trim, merge and trim, or skip")
        renamed = _new_command(row["new_name"], command, as_recorded)
        begin, end = (_samples(row[f"{side}_timestamp"]) for side in ("begin", "end"))
        if end is not None and (begin or 0) >= end and comment == "trim":
            raise ValueError(f"begin {row['begin_timestamp']} s is not before end {row['end_timestamp']} s")
    except ValueError as error:
        return RescueRow(subject, place, mic, 0, None, command, "", number, f"unreadable row: {error}")
    return RescueRow(subject, place, mic, begin or 0, end, renamed, comment, number)


def _new_command(text: str, command: int, as_recorded: bool) -> int:
    """`new_name` holds a command id, or a whole name with one."""
    if not text:
        return command
    if match := (_CUT_AS_RECORDED if as_recorded else _CUT).fullmatch(text):
        return int(match[5 if as_recorded else 4])
    return within(int(text), 0, 9999)


def _samples(seconds: str) -> int | None:
    if not seconds:
        return None
    value = float(seconds)
    if not (math.isfinite(value) and 0 <= value <= 3600):
        raise ValueError(f"{seconds} s, expected 0 to 3600")
    return round(value * RATE)


def cuts(plan: list[PlannedCommand], rescue: list[RescueRow], table: str) -> Iterator[Cut]:
    """What a plan gives, with the rows of the rescue table (those of this subject and trial) in place of its own.

    Microphone 2 follows microphone 1 (spec of the release), so its rows count only where microphone 1 has none.
    """
    planned: dict[Place, list[PlannedCommand]] = {}
    for command in plan:
        planned.setdefault(command.place, []).append(command)
    heard = {row.place for row in rescue if row.mic == 1}
    used = [row for row in rescue if row.mic == 1 or row.place not in heard]
    rescued = {row.place for row in used}
    for command in plan:
        if command.place not in rescued:
            yield Cut(command.place, command.text, command.row, ((command.start, command.end),))
    texts = {command.place.command: command.text for command in plan}
    for row in used:
        following = next((other for other in rescue if other.row > row.row and other.mic == row.mic), None)
        yield _rescued(row, following, planned, texts, f"{table} row {row.row}")


def _rescued(
    row: RescueRow,
    following: RescueRow | None,
    planned: dict[Place, list[PlannedCommand]],
    texts: dict[int, str],
    where: str,
) -> Cut:
    here = planned.get(row.place, [])
    place = Place(row.place.trial, row.place.position, row.command)
    if len(here) != 1:
        found = f"{len(here)} planned utterances" if here else "no planned utterance"
        return Cut(row.place, "", 0, (), problem=f"rescue of {found}", where=where)
    command, text = here[0], texts.get(row.command, "")
    pieces: tuple[tuple[int, int], ...] = ((command.start, command.end),)

    def cut(begin: int = 0, end: int | None = None, problem: str = "") -> Cut:
        return Cut(place, text, command.row, pieces, begin, end, row.comment, problem, where)

    if row.problem or row.comment == "skip":
        return cut(problem=row.problem or "the rescue table says to skip it")
    end = row.end
    if row.comment == "copy":
        return cut()
    if row.comment == "merge and trim":
        others = planned.get(following.place, []) if following else []
        if len(others) != 1 or following is None or following.place.position != place.position:
            return cut(problem="merge and trim needs a next row that names an utterance of the same recording")
        first = (command.end - command.start + 1) * FRAME_SAMPLES
        end = None if end is None else end + first
        pieces = (*pieces, (others[0].start, others[0].end))
    whole = sum(last - first + 1 for first, last in pieces) * FRAME_SAMPLES
    if row.begin >= min(whole, whole if end is None else end):
        return cut(problem=f"begins at sample {row.begin:,} of {whole:,}: nothing is left")
    return cut(row.begin, end)
