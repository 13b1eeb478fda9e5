"""Where VGGFace and VGGFace2 lie in a release, whose pictures are where, and which boxes they were published with.

train/n000002/0001_01.jpg           VGGFace2: folders, or train.tar, train.zip, or an archive per person;
vggface2/test/n000001/0001_01.jpg   vggface2_train and vggface2_test are read as train and test
bb_landmark/loose_bb_train.csv      optional: VGGFace2's boxes
vggface1/A.J._Buckley/00000001.jpg  VGGFace: folders or archives per person, also in VGGFace/, vgg_face_dataset/,
                                    at the root, or all in vggface1.tar or .zip
vggface1/files/A.J._Buckley.txt     optional: VGGFace's lists, also in files/
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from pathlib import PurePosixPath

from ..core.raw import ARCHIVES, LEADS_OUT, Entry, Folder, unsafe
from .vggface_boxes import LOOSE_BOXES, PublishedBox, loose_boxes, read_list, read_loose_boxes
from .voice_listing import SOUNDS
from .voxceleb_tables import Identity, composed

VGGFACE2 = ("", "vggface2", "VGGFace2", "VGG-Face2")
PARTS = ("train", "test", "vggface2_train", "vggface2_test")
VGGFACE1 = ("vggface1", "VGGFace1", "vggface", "VGGFace", "VGG-Face", "vgg_face_dataset", "")
ROOTS = (*(f"{base}/{part}".lstrip("/") for base in VGGFACE2 for part in PARTS), *VGGFACE1)
COMPRESSED = (".tar.gz", ".tgz")
"""How VGGFace2 comes; nothing in such a file can be reached without reading all before it."""
LISTS = "files"
PICTURES = (".jpg", ".jpeg", ".png", ".webp")
_NUMBERED = re.compile(r"\d{4,}_\d{2,}", re.ASCII)
_OF_RECORDINGS = re.compile(r"wav|aac|m4a|flac|mp4|txt|dev|test|id[01]\d{4}", re.ASCII)
"""Folders of VoxCeleb, which may lie where people's pictures do."""
_ID = re.compile(r"n\d{6}", re.ASCII)
_ODD = re.compile(r"[^a-z0-9]+")
MAX_LIST_BYTES = 16 << 20
"""VGGFace's lists have 1,000 lines of about 150 bytes."""


@dataclass(frozen=True)
class Pictures:
    """What a release holds of one person; `place` is what `Folder.inside` opens."""

    place: str
    files: dict[str, Entry]
    """By `picture_key`, in order."""
    others: tuple[str, ...]
    """Files that are no pictures, or must not be opened, each with the reason."""
    doubles: tuple[tuple[str, Entry, str], ...] = ()
    """Key, picture and reason of those whose key an earlier picture has."""


@dataclass(frozen=True)
class _Place:
    """Where pictures of one person lie: `stem` is what `Folder.inside` opens, `shown` what is on the disk."""

    stem: str
    shown: str
    entries: list[Entry] | None = None
    """This person's, where one archive holds all people."""


@dataclass
class FaceListing:
    """Pictures of people by the ids or names that their meta table gives."""

    raw: Folder
    wanted: Collection[str]
    """VGGFace2 ids and VGGFace names, in Unicode NFC."""
    problems: list[tuple[str, str]] = field(default_factory=list)
    """Place and reason of archives and tables that cannot be read, and of second places of one person."""
    _seen: set[str] = field(default_factory=set, init=False)
    _own: set[str] = field(default_factory=set, init=False)
    """Places that hold pictures alone."""

    def has(self, person: Identity) -> bool:
        """Whether there is a folder or an archive of this person."""
        return person.vggface in self._places

    def of(self, person: Identity) -> Pictures | None:
        """None when there is neither a folder nor an archive of this person."""
        found = self._places.get(person.vggface)
        if found is None:
            return None
        return _sorted(found.stem, list(self._open(found.stem)) if found.entries is None else found.entries)

    def own_places(self) -> set[str]:
        """Folders and archives that hold pictures of people, from the release's root: no recordings lie there."""
        _ = self._places
        return self._own

    @cached_property
    def strangers(self) -> list[str]:
        """Names of folders and archives of people who are not wanted."""
        _ = self._places
        return sorted(self._seen - set(self.wanted))

    def boxes(self, person: Identity) -> dict[str, PublishedBox] | None:
        """Published boxes by picture name without ending; None where the release has none of this person."""
        if person.subset == "vox1":
            return self._list(person.vggface)
        lines = self._loose.get(person.vggface)
        return None if lines is None else loose_boxes(lines)

    @cached_property
    def _places(self) -> dict[str, _Place]:
        """VGGFace id or name -> where the pictures are."""
        found: dict[str, _Place] = {}
        for root in ROOTS:
            self._check_compressed(root)
            for name, place in self._people(root):
                who = composed(name)
                if root and not _OF_RECORDINGS.fullmatch(who):
                    self._seen.add(who)
                if place.entries is None and (who in self.wanted or _ID.fullmatch(who)):
                    self._own.add(place.shown)
                if who not in self.wanted:
                    continue
                if (first := found.setdefault(who, place)) is not place:
                    reason = f"a second place of {who}'s pictures, after {first.shown}; not read. Keep one of them"
                    self.problems.append((place.shown, reason))
        return found

    def _people(self, root: str) -> Iterator[tuple[str, _Place]]:
        """Names with their places, of one name first what `Folder.inside` opens."""
        if root and self._is_archive(root):
            yield from self._in_archive(root)
        if root and self.raw.leads_out(root):
            self.problems.append((root, f"{LEADS_OUT}; not read. Copy the folder into the release"))
            return
        for name in sorted(self.raw.names(root), key=lambda name: (*_opened_first(name), name)):
            place = f"{root}/{name}".lstrip("/")
            if name == LISTS:
                continue
            if reason := unsafe(name):
                self.problems.append((place, f"refused: {reason}. Rename it"))
            elif name.endswith(ARCHIVES):
                yield name.rsplit(".", 1)[0], _Place(place.rsplit(".", 1)[0], place)
            elif composed(name) in self.wanted or self.raw.fs.isdir(self.raw._path(place)):
                yield name, _Place(place, place)

    def _in_archive(self, root: str) -> Iterator[tuple[str, _Place]]:
        shown = next(root + ending for ending in ARCHIVES if self.raw.exists(root + ending))
        people: dict[str, list[Entry]] = defaultdict(list)
        sounds = False
        for entry in self._open(root):
            sounds = sounds or entry.name.lower().endswith(SOUNDS)
            who = PurePosixPath(entry.name).parent.name
            if who and (entry.name.lower().endswith(PICTURES) or composed(who) in self.wanted):
                people[who].append(entry)
        if people and not sounds:
            self._own.add(shown)
        for name, entries in sorted(people.items()):
            yield name, _Place(root, f"{shown}/{name}", entries)

    def _check_compressed(self, root: str) -> None:
        for place in (root + ending for ending in COMPRESSED if root):
            if self.raw.exists(place):
                reason = "compressed as a whole, which cannot be read in place: gunzip it, or extract it"
                self.problems.append((place, reason))

    def _is_archive(self, root: str) -> bool:
        return any(self.raw.exists(root + ending) for ending in ARCHIVES)

    def _open(self, place: str) -> list[Entry]:
        try:
            opened = self.raw.inside(place)
            return list(opened.entries()) if opened else []
        except ValueError as error:
            self.problems.append((place, str(error)))
            return []

    @cached_property
    def _loose(self) -> dict[str, bytearray]:
        found: dict[str, bytearray] = {}
        for base in VGGFACE2:
            for part in PARTS[:2]:
                place = f"{base}/{LOOSE_BOXES}/loose_bb_{part}.csv".lstrip("/")
                if not self.raw.exists(place):
                    continue
                try:
                    with self.raw.open(place) as file:
                        found |= read_loose_boxes(file, place, self.wanted, self.problems)
                except ValueError as error:
                    self.problems.append((place, str(error)))
        return found

    def _list(self, name: str) -> dict[str, PublishedBox] | None:
        for base, form in product(VGGFACE1, (name, unicodedata.normalize("NFD", name))):
            place = f"{base}/{LISTS}/{form}.txt".lstrip("/")
            if self.raw.exists(place):
                try:
                    return read_list(self.raw.read(place, MAX_LIST_BYTES), place, self.problems)
                except ValueError as error:
                    self.problems.append((place, f"{error}; nobody's box is known from it"))
        return None


def _sorted(place: str, entries: list[Entry]) -> Pictures:
    files: dict[str, Entry] = {}
    others, doubles = [], []
    for entry in sorted(entries, key=lambda entry: entry.name):
        name = PurePosixPath(entry.name).name
        if problem := unsafe(entry.name) or entry.problem:
            others.append(f"{name} ({problem})")
        elif not name.lower().endswith(PICTURES):
            others.append(f"{name} (not {', '.join(PICTURES)})")
        elif (key := picture_key(name)) in files:
            doubles.append(
                (key, entry, f"the key {key} is that of {PurePosixPath(files[key].name).name} too; not read")
            )
        else:
            files[key] = entry
    return Pictures(place, dict(sorted(files.items())), tuple(others), tuple(doubles))


def _opened_first(name: str) -> tuple[str, int]:
    """`Folder.inside` opens Ann.zip before Ann.tar before Ann."""
    endings = (*ARCHIVES, "")
    ending = next(ending for ending in endings if name.endswith(ending))
    return name.removesuffix(ending), endings.index(ending)


def picture_key(name: str) -> str:
    """A picture's part of a sample key: `0001_01` of 0001_01.jpg, `00000001` of 1.jpg, else a-z, 0-9 and `-`."""
    stem = name.rsplit(".", 1)[0]
    if _NUMBERED.fullmatch(stem):
        return stem
    return f"{int(stem):08d}" if stem.isdecimal() and stem.isascii() else _ODD.sub("-", stem.lower()).strip("-") or "0"
