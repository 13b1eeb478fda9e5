"""What a SpeakingFaces release holds, by names and sizes: what can be built, and what is already unusable."""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ..core.builder import Unit
from ..core.raw import Entry, Folder, Raw, unsafe
from ..core.stage import Rejection
from .shifts import spans
from .speakingfaces_tables import Metadata, Place, utterance_key

ROOTS = {"utterances": ("image_audio/", "img_audio/", ""), "stills": ("image_only/", "img_only/", "")}
"""Where archives lie: the hosted copy's folders, the paper's, or the release folder itself."""
SUFFIX = {"utterances": "ia", "stills": "io"}
PIECE = 100
"""Frames of the silent session per sample."""
MAX_PNG_BYTES = 32 << 20
MAX_WAV_BYTES = 64 << 20
MAX_STRAYS = 100
"""Members of one archive that fit no layout: so many rows each, then one row with the count of the rest."""

ARCHIVE_ENDINGS = (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar", ".part", ".crdownload")
_ARCHIVE = re.compile(r"sub_\d{1,3}_i[ao]\.(?:zip|tar)", re.ASCII)

STREAMS = {"thr_image": 1, "rgb_image": 2, "rgb_image_aligned": 3}
_PICTURE = re.compile(
    r"sub_(?P<sub>\d{1,3})_i[ao]/trial_(?P<trial>[12])/(?P<folder>(?:thr_image|rgb_image)(?:_cmd)?(?:_aligned)?)/"
    r"(?P<s>\d{1,3})_(?P<t>[12])_(?P<session>[12])_(?P<pos>[1-9])_(?:(?P<cmd>\d{1,4})_)?(?P<frame>\d{1,4})_(?P<stream>[123])\.png",
    re.ASCII,
)
_SOUND = re.compile(
    r"sub_(?P<sub>\d{1,3})_ia/trial_(?P<trial>[12])/mic(?P<mic>[12])_audio_cmd_trim/"
    r"(?P<s>\d{1,3})_(?P<t>[12])_2_(?P<pos>[1-9])_(?P<cmd>\d{1,4})_(?P<m>[12])\.wav",
    re.ASCII,
)


@dataclass
class Group:
    """The files of one utterance, or of one position of the silent session."""

    frames: dict[int, dict[int, Entry]] = field(default_factory=lambda: {1: {}, 2: {}, 3: {}})
    sounds: dict[int, Entry] = field(default_factory=dict)
    faults: list[tuple[int, str]] = field(default_factory=list)

    def entries(self) -> list[Entry]:
        pictures = [entry for stream in self.frames.values() for entry in stream.values()]
        return sorted([*pictures, *self.sounds.values()], key=lambda entry: entry.name)


def parse_subjects(text: str) -> set[int] | None:
    """ "1-5,17" -> {1, 2, 3, 4, 5, 17}; "" -> None (all). Raises ValueError with the right form."""
    if not text:
        return None
    found: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)(?:\s*-\s*(\d+))?\s*", part)
        if not match:
            raise ValueError(f"subjects {text!r}: expected numbers and ranges, as in 1-5,17")
        found.update(range(int(match[1]), int(match[2] or match[1]) + 1))
    return found


class Listing:
    """One pass over a release for one config. `units` yields every sample-to-be and every reason against one."""

    def __init__(self, raw: Folder, config: str, subjects: str) -> None:
        self.raw, self.config, self.wanted = raw, config, parse_subjects(subjects)
        self.tables = Metadata(raw, config)

    def units(self) -> Iterator[Unit | Rejection]:
        yield from self.tables.problems
        yield from self._extra_archives()
        for subject in sorted(self.tables.people.keys() | self._subjects_on_disk()):
            if self.wanted is None or subject in self.wanted:
                yield from self._subject(subject)

    # --- archives ---

    def _extra_archives(self) -> Iterator[Rejection]:
        """Archives beside the subjects' own that are nobody's, such as a second download of the same one."""
        for root in ROOTS[self.config]:
            for name in self.raw.names(root.rstrip("/") or "."):
                if name.lower().endswith(ARCHIVE_ENDINGS) and not _ARCHIVE.fullmatch(name):
                    reason = f"{root}{name}: not an archive of the release, expected names like sub_12_ia.zip; not read"
                    yield self.tables.rejection("", "", f"{root}{name}", reason, "extra archive")

    def _subjects_on_disk(self) -> set[int]:
        pattern = re.compile(rf"sub_(\d{{1,3}})_{SUFFIX[self.config]}(?:\.zip|\.tar)?")
        names = [name for root in ROOTS[self.config] for name in self.raw.names(root.rstrip("/") or ".")]
        return {int(match[1]) for name in names if (match := pattern.fullmatch(name))}

    def _archive(self, subject: int) -> tuple[str, Raw | None]:
        """Stem of a subject's archive and the opened archive. Raises ValueError when it is there but unreadable."""
        stems = [f"{root}sub_{subject}_{SUFFIX[self.config]}" for root in ROOTS[self.config]]
        for stem in stems:
            if (archive := self.raw.inside(stem)) is not None:
                return stem, archive
        return stems[0], None

    def _subject(self, subject: int) -> Iterator[Unit | Rejection]:
        person = self.tables.people.get(subject)
        split = person["split"] if person else ""
        try:
            stem, archive = self._archive(subject)
        except ValueError as error:
            label = str(error).split(":")[0]
            yield self.tables.rejection("", split, label, str(error), unopened_kind(error))
            return
        if archive is None:
            reason = f"{stem}.zip: not in the release folder"
            yield self.tables.rejection("", split, f"{stem}.zip", reason, "missing archive")
            return
        groups: dict[Place, Group] = {}
        yield from sort_members(
            archive,
            lambda entry: self._sort_in(entry, subject, groups),
            lambda place, reason: self.tables.rejection("", split, place, reason),
        )
        if person is None:
            for place in sorted(groups, key=lambda p: (p.trial, p.position, p.command)):
                reason = f"subject {subject} has no row in metadata/subjects.csv"
                yield self.tables.rejection(self._key(subject, place), split, archive.label, reason)
            return
        make = self._utterances if self.config == "utterances" else self._stills
        yield from make(subject, person, stem, archive.label, groups)

    def _sort_in(self, entry: Entry, subject: int, groups: dict[Place, Group]) -> str | None:
        """File an entry under its group, or say why it belongs to none."""
        if reason := unsafe(entry.name) or entry.problem:
            return f"refused: {reason}"
        picture, sound = _PICTURE.fullmatch(entry.name), _SOUND.fullmatch(entry.name)
        match = picture or sound
        if match is None or (sound and self.config == "stills"):
            return "not a file of this release's layout"
        numbers = {name: int(value) for name, value in match.groupdict().items() if value and value.isdigit()}
        if (numbers["sub"], numbers["trial"]) != (numbers["s"], numbers["t"]) or numbers["sub"] != subject:
            return f"name and folder disagree on subject or trial (archive of subject {subject})"
        if not numbers["sub"] or numbers.get("frame") == 0:
            return "subjects and frames are numbered from 1"
        limit = MAX_PNG_BYTES if picture else MAX_WAV_BYTES
        place = Place(numbers["trial"], numbers["pos"], numbers.get("cmd", 0))
        if picture:
            session = 2 if self.config == "utterances" else 1
            if numbers["session"] != session or ("cmd" in numbers) != (session == 2):
                return f"a file of session {numbers['session']} among those of session {session}"
            if STREAMS[picture["folder"].replace("_cmd", "")] != numbers["stream"]:
                return f"stream {numbers['stream']} in folder {picture['folder']}"
        group = groups.setdefault(place, Group())
        slot, number = (
            (group.frames[numbers["stream"]], numbers["frame"]) if picture else (group.sounds, numbers["mic"])
        )
        if entry.size > limit:
            group.faults.append((number, f"{entry.name} has {entry.size:,} bytes, expected at most {limit:,}"))
        elif number in slot:
            group.faults.append((number, f"{entry.name} occurs twice"))
        slot[number] = entry
        return None

    # --- units ---

    def _utterances(
        self, subject: int, person: dict[str, Any], stem: str, label: str, groups: dict[Place, Group]
    ) -> Iterator[Unit | Rejection]:
        rows: dict[Place, dict[str, Any]] = {}
        tabled = set()
        for trial in (1, 2):
            found = self.tables.commands(subject, trial, person["split"])
            if found is not None:
                tabled.add(trial)
            for item in found or ():
                if isinstance(item, Rejection):
                    yield item
                else:
                    rows[item[0]] = item[1]
        for place in sorted(groups.keys() | rows.keys(), key=lambda p: (p.trial, p.position, p.command)):
            key, group, row = utterance_key(subject, place), groups.get(place), rows.get(place)
            where = f"{label}/sub_{subject}_ia/trial_{place.trial}"
            table = f"metadata/commands/sub_{subject}_trial_{place.trial}.csv"
            if group is None:
                assert row is not None
                reason = f"row without files: {label} has none for position {place.position}, command {place.command}"
                yield self.tables.rejection(key, person["split"], f"{table} row {row['row']}", reason)
            elif row is None and place.trial in tabled:
                yield self.tables.rejection(key, person["split"], where, f"files without a row in {table}")
            elif problem := _incomplete(group, 1) or _soundless(group):
                yield self.tables.rejection(key, person["split"], where, problem)
            else:
                rules = self.tables.rules(subject, place.trial, place.position)
                count = len(group.frames[1])
                cut = [(a, b, r and r.dx, r and r.dy) for a, b, r in spans(rules, place.command, count)]
                row = {name: value for name, value in (row or {}).items() if name != "row"}
                yield self._unit(key, subject, person, place, stem, group, {"row": row, "first": 1, "spans": cut})

    def _stills(
        self, subject: int, person: dict[str, Any], stem: str, label: str, groups: dict[Place, Group]
    ) -> Iterator[Unit | Rejection]:
        for place in sorted(groups, key=lambda p: (p.trial, p.position)):
            whole = groups[place]
            last = max(number for stream in whole.frames.values() for number in stream)
            for first in range(1, last + 1, PIECE):
                numbers = range(first, min(first + PIECE, last + 1))
                frames = {s: {n: e for n, e in whole.frames[s].items() if n in numbers} for s in whole.frames}
                piece = Group(frames, {}, [fault for fault in whole.faults if fault[0] in numbers])
                key = still_key(subject, place, first)
                where = f"{label}/sub_{subject}_io/trial_{place.trial}"
                if problem := _incomplete(piece, first, numbers[-1]):
                    yield self.tables.rejection(key, person["split"], where, problem)
                    continue
                rules = self.tables.rules(subject, place.trial, place.position)
                cut = [(a, b, r and r.dx, r and r.dy) for a, b, r in spans(rules, 0, len(numbers))]
                yield self._unit(key, subject, person, place, stem, piece, {"first": first, "spans": cut})

    def _unit(
        self,
        key: str,
        subject: int,
        person: dict[str, Any],
        place: Place,
        stem: str,
        group: Group,
        more: dict[str, Any],
    ) -> Unit:
        entries = group.entries()
        listing = "\n".join(f"{entry.name} {entry.size} {entry.crc}" for entry in entries)
        details = {"archive": stem, "command": place.command, "frames": len(group.frames[1])}
        details |= {"person": person_facts(subject, person, place)}
        details |= self.tables.made | {
            "aligned": bool(group.frames[3]),
            "files": hashlib.sha256(listing.encode()).hexdigest(),
            **more,
        }
        size = sum(entry.size for entry in entries)
        return Unit(key, self.config, person["split"], f"speakingfaces/main/{subject:03d}", size, details)

    def _key(self, subject: int, place: Place) -> str:
        return utterance_key(subject, place) if self.config == "utterances" else still_key(subject, place, 1)


def unopened_kind(error: ValueError) -> str:
    """Kind of the quarantine row of an archive that could not be opened."""
    return "empty archive" if "empty file" in str(error) else "unreadable archive"


def sort_members(
    archive: Raw, sort_in: Callable[[Entry], str | None], reject: Callable[[str, str], Rejection]
) -> Iterator[Rejection]:
    """Hand every member to `sort_in`; what it says against one becomes a row, with the rest counted from MAX_STRAYS."""
    strays: Counter[str] = Counter()
    for entry in archive.entries():
        if problem := sort_in(entry):
            strays[problem] += 1
            if strays[problem] <= MAX_STRAYS:
                yield reject(f"{archive.label}/{entry.name}", problem)
    for problem, count in strays.items():
        if count > MAX_STRAYS:
            yield reject(archive.label, f"{count - MAX_STRAYS:,} further members: {problem}")


def person_facts(subject: int, person: dict[str, Any], place: Place) -> dict[str, Any]:
    """What a sample says about who is seen, and where the camera stood."""
    facts = {"subject": subject, "age": person["age"], "gender": person["gender"], "ethnicity": person["ethnicity"]}
    worn = person[f"acc_trial_{place.trial}"]
    return facts | {"trial": place.trial, "position": place.position, "accessories": worn}


def still_key(subject: int, place: Place, first: int) -> str:
    return f"{subject:03d}_{place.trial}_1_{place.position}_{first:04d}"


def _incomplete(group: Group, first: int, last: int = 0) -> str | None:
    """Why a group's frames are not one unbroken series in every stream, or None; stream 3 may be absent as a whole."""
    if group.faults:
        return "; ".join(reason for _, reason in group.faults[:3])
    last = last or max((number for stream in group.frames.values() for number in stream), default=0)
    for stream, name in ((1, "thermal"), (2, "visual"), (3, "aligned")):
        frames = group.frames[stream]
        if stream == 3 and not frames:
            continue
        if missing := [number for number in range(first, last + 1) if number not in frames]:
            shown = ", ".join(map(str, missing[:5])) + (", ..." if len(missing) > 5 else "")
            return f"{len(missing)} of {last - first + 1} {name} frames missing: {shown}"
    return None if last else "no frames"


def _soundless(group: Group) -> str | None:
    missing = [f"mic{mic}" for mic in (1, 2) if mic not in group.sounds]
    return f"sound of {' and '.join(missing)} missing" if missing else None
