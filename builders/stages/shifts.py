"""The published shift tables of SpeakingFaces: old command lines in CSV cells, read into rules and frame spans."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..core.table import csv_rows

POSITIONS = 9
Problem = tuple[int, str]
"""(row of the table, what could not be read)."""


@dataclass(frozen=True)
class ShiftRule:
    """One line of the session-2 tables: shifts in visual pixels, and how the mouth was cropped.

    `upper` indexes the 17 chin landmarks; `detector` is hog, dnn or none; `box` is x0, y0, x1, y1 in the 464x348 frame.
    A rule with `commands` holds for these command ids alone, and with `frames` (first, last) for these frames alone.
    """

    dy: int
    dx: int
    upper: int
    detector: str
    box: tuple[int, int, int, int] | None = None
    commands: frozenset[int] | None = None
    frames: tuple[int, int] | None = None

    def fits(self, command: int, frame: int) -> bool:
        """Whether this conditional rule holds for a frame."""
        if self.commands is not None and command not in self.commands:
            return False
        return self.frames is None or self.frames[0] <= frame <= self.frames[1]

    @property
    def conditional(self) -> bool:
        return self.commands is not None or self.frames is not None


@dataclass
class ShiftTable:
    """Rules by (subject, trial, position) in table order, hand comments by (subject, trial), unreadable lines."""

    rules: dict[tuple[int, int, int], list[ShiftRule]] = field(default_factory=dict)
    comments: dict[tuple[int, int], str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def rule_for(rules: Sequence[ShiftRule], command: int, frame: int) -> ShiftRule | None:
    """The first conditional rule that fits, else the first unconditional one, else None."""
    fitting = (rule for rule in rules if rule.conditional and rule.fits(command, frame))
    return next(fitting, None) or next((rule for rule in rules if not rule.conditional), None)


def spans(rules: Sequence[ShiftRule], command: int, frames: int) -> list[tuple[int, int, ShiftRule | None]]:
    """Cut frames 1..`frames` of an utterance into (first, last, rule) where rule is None if none is published."""
    found: list[tuple[int, int, ShiftRule | None]] = []
    for frame in range(1, frames + 1):
        rule = rule_for(rules, command, frame)
        if found and found[-1][2] is rule:
            found[-1] = (found[-1][0], frame, rule)
        else:
            found.append((frame, frame, rule))
    return found


def _rows(table: bytes, header: Sequence[str]) -> list[list[str]]:
    rows = csv_rows(table, "shift table")
    if not rows or [cell.strip() for cell in rows[0][: len(header)]] != list(header):
        raise ValueError(f"header {rows[0] if rows else []}, expected {','.join(header)}")
    return rows[1:]


def read_session_one(table: bytes) -> tuple[dict[tuple[int, int, int], tuple[int, int]], list[Problem]]:
    """`alignment_info_{split}.csv` -> (dx, dy) by (subject, trial, position), and unreadable rows.

    Raises ValueError when the header is not sub_id,trial_id,dy,dx.
    """
    shifts: dict[tuple[int, int, int], tuple[int, int]] = {}
    problems: list[Problem] = []
    for number, row in enumerate(_rows(table, ("sub_id", "trial_id", "dy", "dx")), 2):
        try:
            subject, trial = int(row[0]), int(row[1])
            dy, dx = [int(v) for v in row[2].split()], [int(v) for v in row[3].split()]
        except (ValueError, IndexError) as error:
            problems.append((number, f"unreadable row {row}: {error}"))
            continue
        if len(dy) != POSITIONS or len(dx) != POSITIONS:
            problems.append((number, f"{len(dy)} dy and {len(dx)} dx, expected {POSITIONS} of each"))
            continue
        shifts.update({(subject, trial, p): (dx[p - 1], dy[p - 1]) for p in range(1, POSITIONS + 1)})
    return shifts, problems


def read_session_two(table: bytes) -> ShiftTable:
    """`session_2/{train,valid}.csv` -> rules. Raises ValueError when the header is not the published one."""
    found = ShiftTable()
    for number, row in enumerate(_rows(table, ("sub_id", "trial_id", "commands", "comments")), 2):
        if not row or not row[0].strip():
            found.notes += [cell for cell in row if cell.strip()]
            continue
        try:
            subject, trial = int(row[0]), int(row[1])
        except ValueError as error:
            found.problems.append((number, f"unreadable key: {error}"))
            continue
        found.comments[subject, trial] = row[3] if len(row) > 3 else ""
        for line in row[2].splitlines():
            if not line.strip():
                continue
            try:
                position, rule, note = read_line(line)
            except ValueError as error:
                found.problems.append((number, f"{error} in line {line.strip()!r}"))
                continue
            found.rules.setdefault((subject, trial, position), []).append(rule)
            found.notes += [note] if note else []
    return found


_SUFFIX = re.compile(r"\((?=for |use )")
_COMMAND = re.compile(r"command_id\s*==\s*'?(\d+)")
_FRAME = re.compile(r"frame_+id\s*==\s*'?(\d+)")
_BELOW = re.compile(r"int\(frame_id\)\s*<\s*(\d+)")
_BETWEEN = re.compile(r"(\d+)\s*<\s*int\(frame_id\)\s*<\s*(\d+)")


def read_line(line: str) -> tuple[int, ShiftRule, str]:
    """One old command line -> (position, rule, free note). Raises ValueError when a part is missing or wrong.

    The line for a position repeats the values of all earlier positions; only the last one is its own. A repeated
    option counts the last time; words after the box numbers are dropped; two command ids joined by "and" mean "or".
    """
    cut = _SUFFIX.search(line)
    body, suffix = (line[: cut.start()], line[cut.start() :].strip()) if cut else (line, "")
    options = _options(body)
    subject_trial_position = _numbers(options, "i")
    if len(subject_trial_position) != 3 or not 1 <= subject_trial_position[2] <= POSITIONS:
        raise ValueError(f"-i {subject_trial_position}, expected subject, trial and a position of 1 to {POSITIONS}")
    position = subject_trial_position[2]
    values = {letter: _numbers(options, letter) for letter in "yxl"}
    if wrong := {letter: len(v) for letter, v in values.items() if len(v) != position}:
        raise ValueError(f"{wrong} values per option, expected {position} for position {position}")
    detector = (options.get("f") or ["hog"])[0]
    box = tuple(_numbers({"r": options.get("r", [])[:4]}, "r"))
    if len(box) != (4 if detector == "none" else 0):
        raise ValueError(f"detector {detector} with {len(box)} box numbers")
    commands, frames, note = _condition(suffix)
    own = {letter: v[position - 1] for letter, v in values.items()}
    mouth = (box[0], box[1], box[2], box[3]) if box else None
    return position, ShiftRule(own["y"], own["x"], own["l"], detector, mouth, commands, frames), note


def _options(body: str) -> dict[str, list[str]]:
    words = body.split()
    if words[:2] != ["python", "align_crop_image.py"]:
        raise ValueError("expected 'python align_crop_image.py'")
    options: dict[str, list[str]] = {}
    letter = ""
    for word in words[2:]:
        if re.fullmatch(r"-[a-zA-Z]", word):
            letter = word[1]
            options[letter] = []
        elif letter:
            options[letter].append(word)
        else:
            raise ValueError(f"stray {word!r}")
    return options


def _numbers(options: Mapping[str, Sequence[str]], letter: str) -> list[int]:
    try:
        return [int(word) for word in options.get(letter, ())]
    except ValueError:
        raise ValueError(f"-{letter} {' '.join(options[letter])}: expected whole numbers") from None


def _condition(suffix: str) -> tuple[frozenset[int] | None, tuple[int, int] | None, str]:
    """The bracket after a line -> (command ids, first and last frame, free note); None means no such condition."""
    body = suffix.strip("() ")
    if not body.startswith("for ") or body.startswith("for everything else"):
        return None, None, "" if body.startswith("for ") else body
    frames = None
    if between := _BETWEEN.search(body):
        frames = (int(between[1]) + 1, int(between[2]) - 1)
    elif below := _BELOW.search(body):
        frames = (1, int(below[1]) - 1)
    elif single := _FRAME.search(body):
        frames = (int(single[1]), int(single[1]))
    commands = frozenset(int(number) for number in _COMMAND.findall(body))
    if not commands and frames is None:
        raise ValueError(f"condition {suffix!r} names neither command_id nor frame_id")
    return commands or None, frames, ""
