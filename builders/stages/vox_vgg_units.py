"""What a Vox-VGG release holds: people of both tables, their pictures and their recordings, in the chosen split."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

from ..core.builder import Unit
from ..core.raw import Folder
from ..core.stage import Rejection, as_json
from .release_files import ReleaseFile, release_files
from .vggface_faces import FACES, HELD_OUT, IN_VGGFACE2, PictureRow, packed, picture_place
from .vggface_listing import VGGFACE2, FaceListing, Pictures
from .voice_face_facts import (
    SPLIT_GROUP_FACT,
    VOICE_TERMS,
    is_forged,
    person_facts,
    person_key,
    split_group,
    terms,
)
from .voice_listing import SOUNDS, Corpus, voice_units
from .voices import VOICES
from .vox_vgg_options import VoxVggOptions
from .vox_vgg_splits import SEEN_HEARD, held_out, members
from .voxceleb_audio import recording
from .voxceleb_tables import FOLDERS, MAX_TABLE_BYTES, Identity, composed, read_identities, read_vggface2_names

NAME = "vox_vgg"
FACE_TERMS = {
    "licence": "that of VGGFace or VGGFace2, not stated here; rights in the photographs are third parties'",
    "consent": "none stated: photographs of celebrities found on the web",
    "source": "VGGFace (vox1) and VGGFace2 (vox2), VGG, University of Oxford",
}
STATED = {
    FACES.name: FACE_TERMS,
    VOICES.name: VOICE_TERMS,
    "rcgan": {name: f"voice: {text}; face: {FACE_TERMS[name]}" for name, text in VOICE_TERMS.items()},
}
"""Terms by config."""
HEARD = (*SOUNDS, ".txt")
"""Endings of recordings and their tracks; of other files a release may hold millions."""
HELD_OUT_VOICES = replace(VOICES, facts=(*VOICES.facts, SPLIT_GROUP_FACT, HELD_OUT))


class VoxVggRelease:
    """A release seen through the options of a build, for one config. Raises FileNotFoundError without a meta table."""

    def __init__(self, raw: Folder, how: VoxVggOptions, config: str) -> None:
        self.raw, self.how, self.config = raw, how, config
        self.identities = read_identities(raw)
        self.people = members(self.identities.people, how.sets)
        self.assigned = how.split.assign(self.people, how.split_seed)
        self.corpus = Corpus(
            NAME,
            self.identities,
            lambda person: self.assigned.get(person.key, ""),
            lambda person: f"{NAME}/{person.subset}/{person.speaker or f'row{person.index:04d}'}",
            how.splits,
            terms(STATED[config], "Vox-VGG", is_forged(raw)),
            how.subjects,
        )

    @cached_property
    def faces(self) -> FaceListing:
        return FaceListing(self.raw, {person.vggface for person in self.people})

    def problems(self) -> Iterator[Rejection]:
        """Rows of the meta tables that are left out."""
        for problem in self.identities.problems:
            yield Rejection(problem.key, self.config, "", "table", problem.place, problem.reason)

    def lonely(self) -> set[str]:
        """`identity` of everybody with pictures alone or recordings alone, in those sets of which there are both."""
        heard = {about.speaker for f in self._files if isinstance(f, ReleaseFile) and (about := recording(f.name))}
        seen = {person.key for person in self.people if self.faces.has(person)}
        spoken = {person.key for person in self.people if person.speaker in heard}
        both = {subset for subset, _ in seen} & {subset for subset, _ in spoken}
        alone = {key for key in seen ^ spoken if key[0] in both}
        return {self.corpus.identity_of(person) for person in self.people if person.key in alone}

    # --- faces ---

    def face_units(self) -> Iterator[Unit | Rejection]:
        """One unit per person; of a seen-heard split one more per picture held out."""
        yield from self.problems()
        without, names = [], self._vggface2_names
        for person in self.people:
            if not self.assigned.get(person.key) or not self.corpus.wants(person.speaker, person.name):
                continue
            pictures = self.faces.of(person)
            if pictures is None or not (pictures.files or pictures.others):
                without.append(person.name or person.speaker)
                continue
            facts = self._facts(person) | {IN_VGGFACE2.name: None if names is None else person.name in names}
            yield from self._units_of(person, pictures, facts)
        yield from self._face_problems(without)

    def _units_of(self, person: Identity, pictures: Pictures, facts: dict[str, Any]) -> Iterator[Unit | Rejection]:
        stem, split = person_key(person), self.assigned[person.key]
        if pictures.others:
            reason = f"{len(pictures.others):,} files are no pictures to read, the first {pictures.others[0]}"
            none_of_them = as_json({FACES.name: 0})
            yield Rejection(stem, FACES.name, split, "list", pictures.place, reason, measured=none_of_them)
        for key, entry, reason in pictures.doubles:
            yield Rejection(
                f"{stem}_{key}", FACES.name, split, "list", picture_place(pictures.place, entry.name), reason
            )
        boxes = self.faces.boxes(person)
        held = held_out(Counter(split_group(f"{stem}_{key}") for key in pictures.files), stem, self.how.split_seed)
        own: list[PictureRow] = []
        apart: list[tuple[PictureRow, int]] = []
        size = 0
        for key, entry in pictures.files.items():
            box = (boxes or {}).get(key)
            kept = split_group(f"{stem}_{key}") in held
            row: PictureRow = (f"{stem}_{key}", entry.name, kept, box.as_row() if box else None)
            if kept and self.how.splits == SEEN_HEARD:
                apart.append((row, entry.size))
            else:
                own.append(row)
                size += entry.size
        shared = {"place": pictures.place, "facts": facts, "listed": boxes is not None}
        identity = self.corpus.identity_of(person)
        if own:
            # A unit of one sample bears its key.
            key = stem if len(own) > 1 else own[0][0]
            yield Unit(key, FACES.name, split, identity, size, shared | {"pictures": packed(own)}, len(own))
        for row, bytes_ in apart:
            yield Unit(row[0], FACES.name, "test", identity, bytes_, shared | {"pictures": packed([row])})

    def _face_problems(self, without: list[str]) -> Iterator[Rejection]:
        if without:
            reason = f"{len(without):,} people have neither a folder nor an archive of pictures, the first {without[0]}"
            yield Rejection("", FACES.name, "", "list", without[0], reason)
        if self.faces.strangers:
            first = self.faces.strangers[0]
            reason = (
                f"pictures of {len(self.faces.strangers):,} people who are not in the chosen sets, the first {first}"
            )
            yield Rejection("", FACES.name, "", "list", first, reason)
        for place, reason in self.faces.problems:
            yield Rejection("", FACES.name, "", "list", place, reason)
        if idle := [p for p in self.people if not self.assigned.get(p.key)]:
            reason = f"{len(idle):,} people take no part in split {self.how.splits}, the first {idle[0].name}"
            yield Rejection("", FACES.name, "", "split", idle[0].vggface, reason)

    @cached_property
    def _vggface2_names(self) -> set[str] | None:
        for folder in (*FOLDERS, *(f"{base}/{folder}" for base in VGGFACE2 for folder in ("", "meta"))):
            place = str(PurePosixPath(folder.lstrip("/"), "identity_meta.csv"))
            if self.raw.exists(place):
                try:
                    names = read_vggface2_names(self.raw.read(place, MAX_TABLE_BYTES), place)
                except ValueError as error:
                    self.faces.problems.append((place, f"{error}; {IN_VGGFACE2.name} is null"))
                    return None
                return {composed(name) for name in names.values()}
        return None

    def _facts(self, person: Identity) -> dict[str, Any]:
        return person_facts(person) | {"split_rule": self.how.splits} | dict(self.corpus.terms)

    # --- voices ---

    def recordings(self) -> Iterator[Unit | Rejection]:
        """Units as `voice_units` gives them, in the config asked for; "" as split for who takes no part."""
        for item in voice_units(self._files, self.corpus):
            yield replace(item, config=self.config)

    @cached_property
    def _files(self) -> list[ReleaseFile | Rejection]:
        found = release_files(self.raw, self.config, self.faces.own_places())
        return [item for item in found if isinstance(item, Rejection) or item.name.lower().endswith(HEARD)]

    def voice_units(self) -> Iterator[Unit | Rejection]:
        """One unit per recording of the split's people; rows for what is left out."""
        yield from self.problems()
        found: dict[str, list[Unit]] = defaultdict(list)
        idle: Counter[str] = Counter()
        for item in self.recordings():
            if isinstance(item, Rejection):
                yield item
            elif item.split:
                found[item.identity].append(item)
            else:
                idle[item.identity] += 1
        if idle:
            reason = f"{idle.total():,} recordings of {len(idle):,} people who take no part in split {self.how.splits}"
            yield Rejection(
                "", VOICES.name, "", "split", min(idle), reason, measured=as_json({VOICES.name: idle.total()})
            )
        for units in found.values():
            yield from self._with_held_out(units)

    def _with_held_out(self, units: list[Unit]) -> Iterator[Unit]:
        held = held_out(Counter(_video(unit) for unit in units), units[0].identity, self.how.split_seed)
        for unit in units:
            kept = _video(unit) in held
            split = "test" if kept and self.how.splits == SEEN_HEARD else unit.split
            group = split_group(unit.key) if self.how.splits == SEEN_HEARD else None
            facts = unit.details["facts"] | {SPLIT_GROUP_FACT.name: group, HELD_OUT.name: kept}
            yield replace(unit, split=split, details={**unit.details, "facts": facts})


def _video(unit: Unit) -> str:
    return str(unit.details["file"][1].split("/")[-2])
