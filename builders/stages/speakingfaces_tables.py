"""The metadata tables of a SpeakingFaces release: people, commands, published shifts."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..core.raw import Folder
from ..core.stage import Rejection
from ..core.table import read_table
from .shifts import ShiftRule, read_session_one, read_session_two

SPLIT = {"train": "train", "valid": "validation", "test": "test"}
MAX_TABLE_BYTES = 4 << 20
"""The largest published table has 0.3 MB."""
CODES = {"thermal": 1, "visual": 3, "audio": 1, "text": 2}
"""Largest published artifact code of each stream (Table 3)."""

PERSON_COLUMNS = {
    "sub_id": ("subject", "subject_id", "id"),
    "split": (),
    "age": (),
    "gender": ("sex",),
    "ethnicity": (),
    "acc_trial_1": ("accessories_trial_1",),
    "acc_trial_2": ("accessories_trial_2",),
}
COMMAND_COLUMNS = {
    "command_name": ("command", "cmd", "command_text"),
    "command_id": ("cmd_id", "commandid"),
    "position_id": ("pos_id", "position", "pos"),
    "transcription": ("transcript", "text_transcription", "said"),
    "thermal": ("thr", "thermal_code", "thermal_artifact", "thermal_artifacts"),
    "visual": ("rgb", "visual_code", "visual_artifact", "visual_artifacts"),
    "audio": ("audio_code", "audio_artifact", "audio_artifacts"),
    "text": ("text_code", "text_artifact", "text_artifacts"),
}


@dataclass(frozen=True)
class Place:
    """(trial, position, command) of a group; command 0 in the silent session."""

    trial: int
    position: int
    command: int = 0


def utterance_key(subject: int, place: Place) -> str:
    return f"{subject:03d}_{place.trial}_2_{place.position}_{place.command:04d}"


def within(value: int, least: int, most: int) -> int:
    """The value, or ValueError unless least <= value <= most."""
    if not least <= value <= most:
        raise ValueError(f"{value}, expected {least} to {most}")
    return value


class Metadata:
    """The tables of one release, read for one config."""

    def __init__(self, raw: Folder, config: str) -> None:
        self.raw, self.config = raw, config

    def _read(self, name: str) -> bytes | None:
        return self.raw.read(name, MAX_TABLE_BYTES) if self.raw.exists(name) else None

    @property
    def people(self) -> dict[int, dict[str, Any]]:
        """Rows of subjects.csv by number. Raises FileNotFoundError when there is no such table."""
        return self._people[0]

    @property
    def problems(self) -> list[Rejection]:
        """Rows and lines of the tables that could not be read."""
        return [*self._people[1], *self._shifts[1]]

    @cached_property
    def _people(self) -> tuple[dict[int, dict[str, Any]], list[Rejection]]:
        name = "metadata/subjects.csv"
        table = self._read(name)
        if table is None:
            where = f"{self.raw.label}/{name}"
            raise FileNotFoundError(
                f"{where}: not found. --raw must be the folder that holds metadata/ and the archives or recordings"
            )
        people: dict[int, dict[str, Any]] = {}
        rows: list[Rejection] = []
        for number, row in enumerate(read_table(table, PERSON_COLUMNS, name), 2):
            try:
                subject = within(int(row["sub_id"]), 1, 999)
                person = {**row, "age": within(int(row["age"]), 0, 120), "split": SPLIT[row["split"].lower()]}
            except (ValueError, KeyError) as error:
                reason = f"unreadable row ({error!r}); expected whole numbers and a split of Train, Valid or Test"
                rows.append(self.rejection("", "", f"{name} row {number}", reason))
                continue
            if subject in people:
                rows.append(self.rejection("", "", f"{name} row {number}", f"second row for subject {subject}"))
                continue
            people[subject] = person
        return people, rows

    def rules(self, subject: int, trial: int, position: int) -> list[ShiftRule]:
        """Published shift rules of a camera position in the config's session; [] where there are none."""
        return self._shifts[0].get((subject, trial, position), [])

    @cached_property
    def _shifts(self) -> tuple[dict[tuple[int, int, int], list[ShiftRule]], list[Rejection]]:
        """Published rules by (subject, trial, position), of the config's session, and unreadable lines."""
        rules: dict[tuple[int, int, int], list[ShiftRule]] = {}
        rows: list[Rejection] = []
        for split in SPLIT:
            silent = self.config == "stills"
            name = f"metadata/session_1/alignment_info_{split}.csv" if silent else f"metadata/session_2/{split}.csv"
            table = self._read(name)
            if table is None:
                continue
            try:
                if silent:
                    found, problems = read_session_one(table)
                    rules |= {at: [ShiftRule(dy, dx, 0, "none")] for at, (dx, dy) in found.items()}
                else:
                    read = read_session_two(table)
                    rules, problems = rules | read.rules, read.problems
            except ValueError as error:
                problems = [(1, str(error))]
            rows += [self.rejection("", SPLIT[split], f"{name} row {row}", reason) for row, reason in problems]
        return rules, rows

    def commands(self, subject: int, trial: int, split: str) -> list[tuple[Place, dict[str, Any]] | Rejection] | None:
        """Rows of one command table, or None when there is none; an unreadable one gives a Rejection and no rows."""
        name = f"metadata/commands/sub_{subject}_trial_{trial}.csv"
        try:
            table = self._read(name)
            rows = read_table(table, COMMAND_COLUMNS, name) if table is not None else None
        except ValueError as error:
            return [self.rejection("", split, name, str(error))]
        return None if rows is None else list(self._command_rows(subject, trial, split, rows))

    def _command_rows(
        self, subject: int, trial: int, split: str, rows: list[dict[str, str]]
    ) -> Iterator[tuple[Place, dict[str, Any]] | Rejection]:
        name = f"metadata/commands/sub_{subject}_trial_{trial}.csv"
        seen = set()
        for number, row in enumerate(rows, 2):
            try:
                position, command = within(int(row["position_id"]), 1, 9), within(int(row["command_id"]), 0, 9999)
                place = Place(trial, position, command)
                codes = {f"{kind}_code": within(int(row[kind]), 0, most) for kind, most in CODES.items()}
            except ValueError as error:
                yield self.rejection("", split, f"{name} row {number}", f"unreadable row: {error}")
                continue
            if place in seen:
                key = utterance_key(subject, place)
                yield self.rejection(key, split, f"{name} row {number}", "second row for this position and command")
                continue
            seen.add(place)
            yield (
                place,
                {"command_text": row["command_name"], "transcript": row["transcription"], **codes, "row": number},
            )

    @cached_property
    def made(self) -> dict[str, Any]:
        """Whether the release says that it is forged, and the size of its frames relative to the real ones."""
        note = self._read("metadata/forged.json")
        size = "full"
        try:
            size = json.loads(note)["size"] if note is not None else size
        except (ValueError, TypeError, KeyError):
            size = "unknown"
        if size not in ("full", "small"):
            raise ValueError(
                f"{self.raw.label}/metadata/forged.json: expected a size of full or small; forge the release again"
            )
        return {"forged": note is not None, "scale": 0.5 if size == "small" else 1.0}

    def rejection(self, key: str, split: str, place: str, reason: str, kind: str = "Reject") -> Rejection:
        """A quarantine row of the listing stage."""
        return Rejection(key, self.config, split, "list", place, reason, kind)
