"""What raw recordings of SpeakingFaces hold: videos and sounds of whole positions, cut by the recording plan."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from ..core.avi import Avi
from ..core.builder import Unit
from ..core.raw import Entry, Folder, Raw, unsafe
from ..core.stage import Rejection
from .recording_plan import FRAME_SAMPLES, Cut, PlannedCommand, RescueRow, cuts, read_plan, read_rescue
from .shifts import spans
from .speakingfaces_listing import (
    ARCHIVE_ENDINGS,
    MAX_WAV_BYTES,
    PIECE,
    parse_subjects,
    person_facts,
    sort_members,
    still_key,
    unopened_kind,
)
from .speakingfaces_tables import MAX_TABLE_BYTES, Metadata, Place, utterance_key

ARCHIVES = {"utterances": "video_audio_raw", "stills": "video_only_raw"}
"""Folders of the raw archives, one per subject; what lies inside an archive is known by file names alone."""
TREES = ("train_data", "valid_data", "test_data")
SESSION_FOLDERS = {"video_audio": "utterances", "video_only": "stills"}
"""Inside the working tree's `trial_{trial}`."""
PLAN_FOLDERS = ("metadata/commands/", "metadata/", "commands/", "")
RESCUE = ("metadata/salvage_mission_all_data.csv", "salvage_mission_all_data.csv")
STREAMS = {1: "thermal", 2: "visual"}
FRAME_BYTES = 3 * (768 * 512 + 464 * 348)

_ARCHIVE = re.compile(r"sub_(\d{1,3})(?:_[a-z]{1,8})*(?:\.zip|\.tar)?", re.ASCII)
_NAME = re.compile(r"(?P<sub>\d{1,3})_(?P<trial>[12])_(?P<session>[12])_(?P<pos>[1-9])_(?P<n>[12])\.(?P<kind>avi|wav)")
_AS_RECORDED = re.compile(r"(?P<sub>\d{1,3})_(?P<trial>[12])_(?P<pos>[1-9])_(?P<n>[012])\.(?P<kind>avi|wav)", re.ASCII)
_PLAN = re.compile(r"commands_sub(?P<sub>\d{1,3})_trial(?P<trial>[12])\.csv", re.ASCII)
_FOLDER = re.compile(r"(sub|trial)_(\d{1,3})", re.ASCII)
_DERIVED = re.compile(r"(?:thr|rgb)_(?:image|video|roi|face).*|mic[12]_audio_cmd.*", re.ASCII)
_SETTINGS = re.compile(r"\d{1,3}_[12]_[1-9]\.mat", re.ASCII)


@dataclass
class Recording:
    """The files of one position: videos by stream (1 thermal, 2 visual), sounds by microphone."""

    videos: dict[int, Entry] = field(default_factory=dict)
    sounds: dict[int, Entry] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


@dataclass
class Session:
    """What the archive of one subject holds for a config."""

    recordings: dict[Place, Recording] = field(default_factory=dict)
    """By (trial, position)."""
    plans: dict[int, Entry] = field(default_factory=dict)


class RecordingListing:
    """One pass over raw recordings for one config; yields what the listing of the published archives yields."""

    def __init__(self, raw: Folder, config: str, subjects: str, as_recorded: bool) -> None:
        self.raw, self.config, self.wanted = raw, config, parse_subjects(subjects)
        self.as_recorded = as_recorded
        self.tables = Metadata(raw, config)
        self._rescue: list[RescueRow] = []

    def units(self) -> Iterator[Unit | Rejection]:
        yield from self.tables.problems
        places: dict[int, str] = {}
        yield from self._find_places(places)
        if self.config == "utterances":
            yield from self._read_rescue(self.tables.people.keys())
        for subject in sorted(self.tables.people.keys() | places.keys()):
            if self.wanted is None or subject in self.wanted:
                yield from self._subject(subject, places.get(subject))

    # --- where recordings lie ---

    def _find_places(self, places: dict[int, str]) -> Iterator[Rejection]:
        """Note the stem of each subject's archive or folder; a row for every further one and for nobody's archives.

        The config's own folder goes before the working tree, and a zip before a tar before a folder.
        """
        for root in (ARCHIVES[self.config], *TREES):
            for name in sorted(self.raw.names(root), key=lambda n: (not n.endswith(".zip"), not n.endswith(".tar"), n)):
                place, reason = f"{root}/{name}", ""
                if match := _ARCHIVE.fullmatch(name):
                    subject, stem = int(match[1]), place.removesuffix(".zip").removesuffix(".tar")
                    if subject not in places:
                        places[subject] = stem
                    elif self.wanted is None or subject in self.wanted:
                        reason = f"{place}: a second place of subject {subject}, after {places[subject]}; not read"
                elif name.lower().endswith(ARCHIVE_ENDINGS):
                    reason = f"{place}: not an archive of raw recordings, expected names like sub_12.zip; not read"
                if reason:
                    yield self.tables.rejection("", "", place, reason, "extra archive")

    def _subject(self, subject: int, stem: str | None) -> Iterator[Unit | Rejection]:
        person = self.tables.people.get(subject)
        split = person["split"] if person else ""
        if stem is None:
            looked = f"{ARCHIVES[self.config]}/sub_{subject}.zip or train_data/, valid_data/, test_data/sub_{subject}"
            hint = "not in the release folder (the published archives are built without --source raw)"
            yield self.tables.rejection("", split, f"sub_{subject}", f"recordings {looked}: {hint}", "missing archive")
            return
        try:
            archive = self.raw.inside(stem)
        except ValueError as error:
            yield self.tables.rejection("", split, str(error).split(":")[0], str(error), unopened_kind(error))
            return
        assert archive is not None
        session = Session()
        yield from sort_members(
            archive,
            lambda entry: self._sort_in(entry, subject, session),
            lambda place, reason: self.tables.rejection("", split, place, reason),
        )
        if person is None:
            reason = f"subject {subject} has no row in metadata/subjects.csv"
            yield self.tables.rejection("", split, archive.label, reason)
            return
        make = self._utterances if self.config == "utterances" else self._stills
        yield from make(subject, person, stem, archive, session)

    def _sort_in(self, entry: Entry, subject: int, session: Session) -> str | None:
        """File an entry under its position, pass over what was derived later, or say why it belongs nowhere."""
        if reason := unsafe(entry.name) or entry.problem:
            return f"refused: {reason}"
        path = PurePosixPath(entry.name)
        folders = path.parts[:-1]
        if any(_DERIVED.fullmatch(part) for part in folders) or _SETTINGS.fullmatch(path.name):
            return None
        match = (_AS_RECORDED if self.as_recorded else _NAME).fullmatch(path.name) or _PLAN.fullmatch(path.name)
        if match is None:
            if not self.as_recorded and _AS_RECORDED.fullmatch(path.name):
                return "a name as recorded (thermal 0, visual 1, no session); --as-recorded accepts such names"
            return "not a file of raw recordings" + (" named as recorded" if self.as_recorded else "")
        numbers = {name: int(value) for name, value in match.groupdict().items() if value.isdigit()}
        stated = {kind: int(number) for part in folders if (m := _FOLDER.match(part)) for kind, number in [m.groups()]}
        if numbers["sub"] != subject or stated.get("trial", numbers["trial"]) != numbers["trial"]:
            return f"name and folder disagree on subject or trial (recordings of subject {subject})"
        if match.re is _PLAN:
            first = session.plans.setdefault(numbers["trial"], entry)
            return (
                None if first is entry else f"a second plan of trial {numbers['trial']}, after {first.name}; not read"
            )
        named = next((SESSION_FOLDERS[part] for part in folders if part in SESSION_FOLDERS), self.config)
        config = named if self.as_recorded else {1: "stills", 2: "utterances"}[numbers["session"]]
        if config != named:
            return f"a recording of session {numbers['session']} among those of the other session"
        if config == self.config:
            self._file(session, Place(numbers["trial"], numbers["pos"]), entry, match["kind"], numbers["n"])
        return None

    def _file(self, session: Session, place: Place, entry: Entry, kind: str, number: int) -> None:
        recording = session.recordings.setdefault(place, Recording())
        slot = recording.videos if kind == "avi" else recording.sounds
        # MATLAB counted the streams from 0 and the microphones from 1.
        number += 1 if kind == "avi" and self.as_recorded else 0
        if number not in (1, 2):
            recording.faults.append(f"{entry.name}: expected {'stream' if kind == 'avi' else 'microphone'} 1 or 2")
        elif number in slot:
            recording.faults.append(f"{entry.name} occurs twice")
        elif kind == "wav" and entry.size > MAX_WAV_BYTES:
            recording.faults.append(f"{entry.name} has {entry.size:,} bytes, expected at most {MAX_WAV_BYTES:,}")
        slot.setdefault(number, entry)

    # --- tables ---

    def _read_rescue(self, known: Any) -> Iterator[Rejection]:
        name = next((name for name in RESCUE if self.raw.exists(name)), None)
        if name is None:
            return
        self._rescue = read_rescue(self.raw.read(name, MAX_TABLE_BYTES), name, self.as_recorded)
        for row in self._rescue:
            if row.problem and not row.subject:
                yield self.tables.rejection("", "", f"{name} row {row.row}", row.problem)
            elif row.subject not in known:
                reason = f"subject {row.subject} has no row in metadata/subjects.csv"
                yield self.tables.rejection("", "", f"{name} row {row.row}", reason)

    def _plan(self, subject: int, trial: int, split: str, archive: Raw, session: Session) -> list[Any] | Rejection:
        """Rejections of unreadable rows and PlannedCommands, or one Rejection where there is no plan."""
        name = f"commands_sub{subject}_trial{trial}.csv"
        places = [f"{at}{name}" for at in PLAN_FOLDERS if self.raw.exists(f"{at}{name}")]
        entry = session.plans.get(trial)
        if entry is None and not places:
            reason = "no recording plan, in the archive or in metadata/: no one can say which frames are spoken"
            return self.tables.rejection("", split, name, reason)
        name = f"{archive.label}/{entry.name}" if entry else places.pop(0)
        second = f"a second plan of trial {trial}, after {name}; not read"
        extra = [self.tables.rejection("", split, place, second) for place in places]
        try:
            data = archive.read(entry.name, MAX_TABLE_BYTES) if entry else self.raw.read(name, MAX_TABLE_BYTES)
            rows, problems = read_plan(data, name, trial)
        except ValueError as error:
            return self.tables.rejection("", split, name, str(error))
        problem_rows = (self.tables.rejection("", split, f"{name} row {row}", why) for row, why in problems)
        return [*extra, *problem_rows, *rows]

    def _published(self, subject: int, trial: int, split: str) -> tuple[dict[Place, dict[str, Any]] | None, list[Any]]:
        """Rows of the published command table by place, None without one; and its unreadable rows."""
        found = self.tables.commands(subject, trial, split)
        if found is None:
            return None, []
        rows = {item[0]: item[1] for item in found if not isinstance(item, Rejection)}
        return rows, [item for item in found if isinstance(item, Rejection)]

    # --- units ---

    def _utterances(
        self, subject: int, person: dict[str, Any], stem: str, archive: Raw, session: Session
    ) -> Iterator[Unit | Rejection]:
        split = person["split"]
        for trial in (1, 2):
            here = {at: found for at, found in session.recordings.items() if at.trial == trial}
            plan = self._plan(subject, trial, split, archive, session)
            if isinstance(plan, Rejection):
                yield plan
                continue
            yield from (item for item in plan if isinstance(item, Rejection))
            commands = [item for item in plan if isinstance(item, PlannedCommand)]
            rows, problems = self._published(subject, trial, split)
            yield from problems
            for at in sorted(
                here.keys() - {Place(trial, c.place.position) for c in commands}, key=lambda p: p.position
            ):
                reason = f"recording of trial {trial}, position {at.position} without a planned command"
                yield self.tables.rejection("", split, archive.label, reason)
            rescue = [r for r in self._rescue if (r.subject, r.place.trial) == (subject, trial)]
            table = next((name for name in RESCUE if self.raw.exists(name)), "")
            unplanned = dict(rows or {})
            for cut in cuts(commands, rescue, table):
                unplanned.pop(cut.place, None)
                recording = here.get(Place(trial, cut.place.position), Recording())
                key = utterance_key(subject, cut.place)
                if problem := cut.problem or _absent(recording, subject, cut.place):
                    yield self.tables.rejection(key, split, cut.where or archive.label, problem)
                elif rows is not None and cut.place not in rows:
                    reason = "planned and recorded, but without a row in the published command table: left out there"
                    yield self.tables.rejection(key, split, archive.label, reason)
                else:
                    row = {"command_text": cut.text or None, **(rows or {}).get(cut.place, {})}
                    yield self._utterance(subject, person, stem, recording, cut, row)
            for place, left in unplanned.items():
                where = f"metadata/commands/sub_{subject}_trial_{trial}.csv row {left['row']}"
                reason = f"row without a planned utterance at position {place.position}, command {place.command}"
                yield self.tables.rejection(utterance_key(subject, place), split, where, reason)

    def _utterance(
        self, subject: int, person: dict[str, Any], stem: str, recording: Recording, cut: Cut, row: dict[str, Any]
    ) -> Unit:
        rules = self.tables.rules(subject, cut.place.trial, cut.place.position)
        parts = [(a, b, r and r.dx, r and r.dy) for a, b, r in spans(rules, cut.place.command, cut.frames)]
        row = {name: value for name, value in row.items() if name != "row"}
        more = {"row": row, "first": 1, "spans": parts, "pieces": cut.pieces, "begin": cut.begin, "end": cut.end}
        key = utterance_key(subject, cut.place)
        return self._unit(key, subject, person, cut.place, stem, recording, more | {"rescue": cut.rescue})

    def _stills(
        self, subject: int, person: dict[str, Any], stem: str, archive: Raw, session: Session
    ) -> Iterator[Unit | Rejection]:
        for place in sorted(session.recordings, key=lambda p: (p.trial, p.position)):
            recording = session.recordings[place]
            try:
                counts = {stream: _frames(archive, entry) for stream, entry in recording.videos.items()}
            except ValueError as error:
                yield self.tables.rejection(still_key(subject, place, 1), person["split"], archive.label, str(error))
                continue
            last = max((there for there, _ in counts.values()), default=0)
            for first in range(1, max(2, last + 1), PIECE):
                numbers = range(first, max(first + 1, min(first + PIECE, last + 1)))
                key = still_key(subject, place, first)
                if problem := _absent(recording, subject, place) or _short(counts, numbers[-1]):
                    yield self.tables.rejection(key, person["split"], archive.label, problem)
                    continue
                rules = self.tables.rules(subject, place.trial, place.position)
                parts = [(a, b, r and r.dx, r and r.dy) for a, b, r in spans(rules, 0, len(numbers))]
                more = {"first": first, "spans": parts, "pieces": ((first, numbers[-1]),)}
                yield self._unit(key, subject, person, place, stem, recording, more)
            stated = max((stated for _, stated in counts.values()), default=0)
            if stated > last > 0:
                reason = f"headers state {stated:,} frames, the videos have {last:,}: the files are cut short"
                yield self.tables.rejection(still_key(subject, place, last + 1), person["split"], archive.label, reason)

    def _unit(
        self,
        key: str,
        subject: int,
        person: dict[str, Any],
        place: Place,
        stem: str,
        recording: Recording,
        more: dict[str, Any],
    ) -> Unit:
        videos = {str(stream): recording.videos[stream] for stream in (1, 2)}
        members = videos | {f"mic{mic}": entry for mic, entry in sorted(recording.sounds.items())}
        listing = "\n".join(f"{entry.name} {entry.size} {entry.crc}" for entry in members.values())
        frames = sum(last - first + 1 for first, last in more["pieces"])
        details = {"archive": stem, "command": place.command, "frames": frames, "aligned": False}
        details |= self.tables.made | {"person": person_facts(subject, person, place), **more}
        details |= {"members": {name: entry.name for name, entry in members.items()}}
        details |= {"files": hashlib.sha256(listing.encode()).hexdigest()}
        sound = 4 * FRAME_SAMPLES if self.config == "utterances" else 0
        size = frames * (round(FRAME_BYTES * details["scale"] ** 2) + sound)
        return Unit(key, self.config, person["split"], f"speakingfaces/main/{subject:03d}", size, details)


def _absent(recording: Recording, subject: int, place: Place) -> str:
    """What of a position was not recorded, with the columns of the authors' report; "" when all is there."""
    if recording.faults:
        return "; ".join(recording.faults[:3])
    spoken = f", command_id {place.command}" if place.command else ""
    about = f"(sub_id {subject}, trial_id {place.trial}, position {place.position}{spoken}"
    for stream, name in STREAMS.items():
        if stream not in recording.videos:
            return f"{name} video missing {about}, stream_id {stream})"
    for mic in (1, 2) if place.command else ():
        if mic not in recording.sounds:
            return f"sound of microphone {mic} missing {about})"
    return ""


def _frames(archive: Raw, entry: Entry) -> tuple[int, int]:
    """Frames of a video that are there and that its header states. Raises ValueError when it is none."""
    with archive.open(entry.name) as file:
        video = Avi(file, f"{archive.label}/{entry.name}")
        return video.count(entry.size), video.stated


def _short(counts: dict[int, tuple[int, int]], last: int) -> str:
    short = [f"{STREAMS[stream]} video has {count}" for stream, (count, _) in sorted(counts.items()) if count < last]
    return f"{' and '.join(short)} of {last} frames" if short else ""
