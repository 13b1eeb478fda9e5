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

from ..core.raw import ARCHIVES, Entry, Folder, unsafe
from .vggface_boxes import LOOSE_BOXES, PublishedBox, loose_boxes, read_list, read_loose_boxes
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


@dataclass
class FaceListing:
    """Pictures of people by the ids or names that their meta table gives."""

    raw: Folder
    wanted: Collection[str]
    """VGGFace2 ids and VGGFace names, in Unicode NFC."""
    problems: list[tuple[str, str]] = field(default_factory=list)
    """Place and reason of archives and tables that cannot be read."""
    _seen: set[str] = field(default_factory=set, init=False)

    def has(self, person: Identity) -> bool:
        """Whether there is a folder or an archive of this person."""
        return person.vggface in self._places

    def of(self, person: Identity) -> Pictures | None:
        """None when there is neither a folder nor an archive of this person."""
        found = self._places.get(person.vggface)
        if found is None:
            return None
        place, entries = found
        return _sorted(place, list(self._open(place)) if entries is None else entries)

    def top_names(self) -> set[str]:
        """Names at the release's root that hold pictures, boxes or lists, and hence no recordings."""
        found = {place.split("/")[0] for place, _ in self._places.values()}
        roots = [root for root in ROOTS if root and (self.raw.names(root) or self._is_archive(root))]
        found |= {root.split("/")[0] for root in roots} | {LISTS, LOOSE_BOXES}
        return found | {name + ending for name in found for ending in ARCHIVES}

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
    def _places(self) -> dict[str, tuple[str, list[Entry] | None]]:
        """VGGFace id or name -> where the pictures are; with entries where one archive holds all people."""
        found: dict[str, tuple[str, list[Entry] | None]] = {}
        for root in ROOTS:
            self._check_compressed(root)
            for name, at in self._people(root):
                who = composed(name)
                self._seen.update([who] if root else [])
                if who in self.wanted:
                    found.setdefault(who, at)
        return found

    def _people(self, root: str) -> Iterator[tuple[str, tuple[str, list[Entry] | None]]]:
        if root and self._is_archive(root):
            people: dict[str, list[Entry]] = defaultdict(list)
            for entry in self._open(root):
                if len(parts := PurePosixPath(entry.name).parts) > 1:
                    people[parts[-2]].append(entry)
            yield from ((name, (root, entries)) for name, entries in sorted(people.items()))
            return
        for name in self.raw.names(root):
            if name == LISTS:
                continue
            place = f"{root}/{name}".lstrip("/")
            if name.endswith(ARCHIVES):
                yield name.rsplit(".", 1)[0], (place.rsplit(".", 1)[0], None)
            elif composed(name) in self.wanted or self.raw.fs.isdir(self.raw._path(place)):
                yield name, (place, None)

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
                if self.raw.exists(place):
                    with self.raw.open(place) as file:
                        found |= read_loose_boxes(file, place, self.wanted, self.problems)
        return found

    def _list(self, name: str) -> dict[str, PublishedBox] | None:
        for base, form in product(VGGFACE1, (name, unicodedata.normalize("NFD", name))):
            place = f"{base}/{LISTS}/{form}.txt".lstrip("/")
            if self.raw.exists(place):
                return read_list(self.raw.read(place, MAX_LIST_BYTES), place, self.problems)
        return None


def _sorted(place: str, entries: list[Entry]) -> Pictures:
    files: dict[str, Entry] = {}
    others = []
    for entry in sorted(entries, key=lambda entry: entry.name):
        name = PurePosixPath(entry.name).name
        if problem := unsafe(entry.name) or entry.problem:
            others.append(f"{name} ({problem})")
        elif not name.lower().endswith(PICTURES):
            others.append(f"{name} (not {', '.join(PICTURES)})")
        elif (key := picture_key(name)) in files:
            others.append(f"{name} (the key of {PurePosixPath(files[key].name).name} again)")
        else:
            files[key] = entry
    return Pictures(place, dict(sorted(files.items())), tuple(others))


def picture_key(name: str) -> str:
    """A picture's part of a sample key: `0001_01` of 0001_01.jpg, `00000001` of 1.jpg, else a-z, 0-9 and `-`."""
    stem = name.rsplit(".", 1)[0]
    if _NUMBERED.fullmatch(stem):
        return stem
    return f"{int(stem):08d}" if stem.isdecimal() and stem.isascii() else _ODD.sub("-", stem.lower()).strip("-") or "0"
