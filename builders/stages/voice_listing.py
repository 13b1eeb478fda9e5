"""Which recordings of a release are whose: the units of config `voices`."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..core.builder import Unit
from ..core.stage import Rejection
from .release_files import ReleaseFile
from .voice_face_facts import person_facts, person_key, youtube_key
from .voices import VOICES
from .voxceleb_audio import MAX_BYTES, Recording, recording
from .voxceleb_tables import Identities, Identity, composed

SOUNDS = (".wav", ".m4a", ".flac", ".aac", ".mp3", ".ogg")
"""A file with one of these endings that is no recording by its place is reported."""
MAX_STRAYS = 20
"""Rows for files that are none of a release's recordings; the rest is counted in one more."""
BYTES_PER_BYTE = {"wav": 0.7, "flac": 1.1, "m4a": 3.0}
"""FLAC per byte of source, generously."""
BYTES_PER_SECOND = {"sf2f": 16_000, "piczak": 45_000, "vfmr": 103_000, "speech2face": 0}
SOURCE_BYTES_PER_SECOND = {"wav": 32_000, "flac": 16_000, "m4a": 8_000}
SPEECH2FACE_BYTES = 1_230_000
TABLES = {"vox1": "vox1_meta.csv", "vox2": "vox2_meta.csv or full_vox2_meta.csv"}
"""What gives the ids of each subset's speakers."""
_TRACK = re.compile(r"(?:.*/)?(id[01]\d{4})/([\w-]{11})/(\d{5})\.txt", re.ASCII)
_RANGE = re.compile(r"id(\d{5})\s*-\s*id(\d{5})")


@dataclass(frozen=True)
class Corpus:
    """What a dataset holds of VoxCeleb: whose voices, in which splits, on what terms."""

    dataset: str
    identities: Identities
    split_of: Callable[[Identity], str]
    identity_of: Callable[[Identity], str]
    """The sample's `identity`, as in `vox_vgg/vox1/id10001`."""
    split_rule: str
    terms: Mapping[str, str]
    subjects: str = ""

    @cached_property
    def _wanted(self) -> frozenset[str] | None:
        found: set[str] = set()
        for part in filter(None, (part.strip() for part in self.subjects.split(","))):
            ids = _RANGE.fullmatch(part)
            found.update(
                [composed(part)] if not ids else (f"id{number:05d}" for number in range(int(ids[1]), int(ids[2]) + 1))
            )
        return frozenset(found) or None

    @cached_property
    def _left_out(self) -> dict[str, str]:
        return {problem.speaker: problem.reason for problem in self.identities.problems if problem.speaker}

    def wants(self, speaker: str, name: str = "") -> bool:
        """Whether `subjects` names this person, by VoxCeleb id or name."""
        return self._wanted is None or bool(self._wanted & {speaker, name})

    @cached_property
    def _subsets(self) -> frozenset[str]:
        return frozenset(person.subset for person in self.identities.people if person.speaker)

    def stranger(self, speaker: str, subset: str) -> str:
        """Why a speaker is nobody of this dataset."""
        if subset not in self._subsets:
            return f"no table gives the speakers' ids of {subset}: put {TABLES[subset]} beside the data"
        return self._left_out.get(speaker) or f"{speaker} has no row in the meta tables of VoxCeleb beside the data"


def voice_units(files: Iterable[ReleaseFile | Rejection], corpus: Corpus) -> Iterator[Unit | Rejection]:
    """One unit per recording among a release's files; rows for strangers, strays and files too large.

    Keys begin with the person's, so that all recordings of one person lie together. Raises ValueError when there
    are recordings, and the tables give the ids of none of their subsets.
    """
    found: list[tuple[Recording, ReleaseFile]] = []
    tracks: dict[tuple[str, ...], ReleaseFile] = {}
    other: list[ReleaseFile] = []
    for file in files:
        if isinstance(file, Rejection):
            yield file
        elif about := recording(file.name):
            found.append((about, file))
        elif track := _TRACK.fullmatch(file.name):
            tracks[track.groups()] = file
        elif file.name.lower().endswith(SOUNDS):
            other.append(file)
    expected = "not a recording by its place, expected .../id10001/1zcIwhmdeo4/00001.wav (or .m4a, .flac)"
    yield from strays(other, VOICES.name, expected)
    _check_ids({about.subset for about, _ in found}, corpus.identities)
    shared: dict[str, dict[str, Any]] = {}
    first: dict[str, str] = {}
    for about, file in found:
        person = corpus.identities.by_speaker.get(about.speaker)
        if not corpus.wants(about.speaker, person.name if person else ""):
            continue
        if person is None:
            yield _left_out(about, file, corpus.stranger(about.speaker, about.subset))
        else:
            if about.speaker not in shared:
                shared[about.speaker] = voice_person(person, corpus)
            track_file = tracks.get((about.speaker, about.clip, about.number))
            key = voice_key(person, about.clip, about.number)
            if first.setdefault(key, file.place) == file.place:
                yield _unit(key, file, person, corpus, shared[about.speaker], track_file)
            else:
                reason = f"a second file of one recording, after {first[key]}; not read. Keep one of them"
                yield Rejection(key, VOICES.name, corpus.split_of(person), "list", file.place, reason)


def voice_person(person: Identity, corpus: Corpus) -> dict[str, Any]:
    """Facts that all voices of one person share."""
    return person_facts(person) | {"split_rule": corpus.split_rule} | dict(corpus.terms)


def voice_key(person: Identity, clip: str, number: str) -> str:
    return f"{person_key(person)}_{youtube_key(clip)}_{int(number):05d}"


def _unit(
    key: str,
    file: ReleaseFile,
    person: Identity,
    corpus: Corpus,
    shared: dict[str, Any],
    track: ReleaseFile | None,
) -> Unit | Rejection:
    split = corpus.split_of(person)
    if file.size > MAX_BYTES:
        reason = f"{file.size:,} bytes, expected at most {MAX_BYTES:,}"
        return Rejection(key, VOICES.name, split, "list", file.place, reason)
    details = {"file": file.at, "facts": shared} | ({"track": track.at} if track else {})
    return Unit(key, VOICES.name, split, corpus.identity_of(person), file.size, details)


def _left_out(about: Recording, file: ReleaseFile, reason: str) -> Rejection:
    key = f"{about.subset}-{about.speaker}_{youtube_key(about.clip)}_{about.number}"
    return Rejection(key, VOICES.name, "", "list", file.place, reason)


def strays(files: list[ReleaseFile], config: str, reason: str) -> Iterator[Rejection]:
    """Rows for files that lie where samples lie and are none, the rest counted in one more from MAX_STRAYS."""
    for file in files[:MAX_STRAYS]:
        yield Rejection("", config, "", "list", file.place, reason)
    if further := len(files[MAX_STRAYS:]):
        yield Rejection("", config, "", "list", "", f"{further:,} further files: {reason}")


def _check_ids(subsets: set[str], identities: Identities) -> None:
    known = {person.subset for person in identities.people if person.speaker}
    for subset in sorted(subsets if not subsets & known else ()):
        raise ValueError(
            f"recordings of {subset}, but no table gives its speakers' ids: put {TABLES[subset]} beside the data"
        )


def expected_bytes(units: Iterable[Unit], features: tuple[str, ...]) -> float:
    """Bytes that voices will take, generously: asked for before a build starts."""
    counted: Counter[str] = Counter()
    recordings = 0
    for unit in units:
        if "file" in unit.details:
            counted[unit.details["file"][1].rsplit(".", 1)[1]] += unit.size
            recordings += 1
    per_second = sum(BYTES_PER_SECOND[name] for name in features)
    flac = sum(size * BYTES_PER_BYTE[kind] for kind, size in counted.items())
    arrays = sum(size / SOURCE_BYTES_PER_SECOND[kind] * per_second for kind, size in counted.items())
    return flac + arrays + recordings * SPEECH2FACE_BYTES * ("speech2face" in features)
