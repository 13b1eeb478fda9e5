"""Who is who in VoxCeleb: the meta tables of VoxCeleb1 and 2, joined through their id columns."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from ..core.raw import Folder, unsafe
from ..core.table import read_table

Subset = Literal["vox1", "vox2"]
SPLIT_RULE = "index_mod10"
"""Row i of a table, counted from 0 in file order: i % 10 of 8 is test, 9 validation, else train (SF2F's code)."""
MAX_TABLE_BYTES = 16 << 20
"""The largest published table has 0.3 MB."""
FOLDERS = ("", "meta_info", "meta", "vox1", "vox2", "voxceleb_meta", "HQ-VoxCeleb/meta_info")
"""Where published trees keep their tables, from the release's root."""

VOX1_COLUMNS = {
    "VoxCeleb1 ID": ("speaker_id", "speaker", "id"),
    "VGGFace1 ID": ("name", "vggface_id"),
    "Gender": ("sex",),
    "Nationality?": ("country",),
    "Set": ("subset",),
}
VOX2_COLUMNS = {
    "VoxCeleb2 ID": ("speaker_id", "speaker", "id"),
    "VGGFace2 ID": ("vggface_id",),
    "Name?": ("celebrity",),
    "Gender": ("Gender_y", "sex"),
    "Gender_x?": (),
    "Class_ID?": (),
    "Sample_Num?": (),
    "Flag?": (),
    "Set": ("subset",),
}
VGGFACE2_COLUMNS = {"Class_ID": ("VGGFace2 ID",), "Name": ()}
_GENDERS = {"m": "m", "male": "m", "f": "f", "female": "f"}


@dataclass(frozen=True)
class Identity:
    """One person of one subset. `name` is in NFC, with underscores; "" where no table gives one."""

    subset: Subset
    name: str
    speaker: str
    """VoxCeleb's id, `id10001`; its digits are not those of VGGFace2's id. "" where only a list of names is there."""
    vggface: str
    """VGGFace1's name of a person in vox1, VGGFace2's id (`n000012`) in vox2."""
    gender: str
    """m, f, or "" where only a list of names is there."""
    nationality: str
    """"" throughout vox2."""
    set: str
    """dev, test, or "" where only a list of names is there."""
    index: int
    """Row in its table, from 0, rows that could not be read counted."""
    faces: int | None = None
    """Pictures in VGGFace2, where the table says."""
    in_vggface2_train: bool | None = None

    @property
    def split(self) -> str:
        """train, validation or test after SPLIT_RULE."""
        return {8: "test", 9: "validation"}.get(self.index % 10, "train")

    @property
    def key(self) -> tuple[str, str]:
        """(subset, name): a name alone is not enough."""
        return self.subset, self.name or self.speaker


@dataclass(frozen=True)
class Problem:
    """A row left out: the person's name or id as far as known, the table and row, and why."""

    key: str
    place: str
    reason: str
    speaker: str = ""
    """VoxCeleb's id, where the row could be read."""


@dataclass(frozen=True)
class Identities:
    """People of one or both subsets in the order of their tables, and what was left out."""

    people: tuple[Identity, ...]
    problems: tuple[Problem, ...] = ()

    @cached_property
    def by_speaker(self) -> dict[str, Identity]:
        """By VoxCeleb id; the ids of the subsets do not meet."""
        return {person.speaker: person for person in self.people if person.speaker}

    @cached_property
    def by_vggface(self) -> dict[str, Identity]:
        """By VGGFace1 name (vox1) or VGGFace2 id (vox2)."""
        return {person.vggface: person for person in self.people}

    @cached_property
    def _by_key(self) -> dict[tuple[str, str], Identity]:
        return {person.key: person for person in self.people}

    def find(self, subset: str, name: str) -> Identity | None:
        """The person of a folder name, however its accents are encoded."""
        return self._by_key.get((subset, composed(name)))


def composed(name: str) -> str:
    """A name in Unicode NFC: folder names come in either form."""
    return unicodedata.normalize("NFC", name)


def read_vox1(data: bytes, place: str = "vox1_meta.csv") -> Identities:
    """The official table of VoxCeleb1 (tabs; commas are read too). Raises ValueError for an unknown header."""

    def person(index: int, row: Mapping[str, str]) -> Identity:
        name = _name(row["VGGFace1 ID"])
        speaker = _fits("VoxCeleb id", r"id1\d{4}", row["VoxCeleb1 ID"])
        return Identity(
            "vox1", name, speaker, name, _gender(row["Gender"]), row["Nationality"], _set(row["Set"]), index
        )

    return _read(read_table(data, VOX1_COLUMNS, place, _delimiter(data)), person, place)


def read_vox1_names(data: bytes, place: str = "vox1_names.txt") -> Identities:
    """HQ-VoxCeleb's list of names, one per line in the order of the official table: names and splits, no more."""
    lines = [{"name": line.strip()} for line in data.decode("utf-8-sig", errors="replace").splitlines() if line.strip()]

    def person(index: int, row: Mapping[str, str]) -> Identity:
        name = _name(row["name"])
        return Identity("vox1", name, "", name, "", "", "", index)

    return _read(lines, person, place, first=1)


def read_vox2(data: bytes, place: str = "full_vox2_meta.csv", names: Mapping[str, str] | None = None) -> Identities:
    """HQ-VoxCeleb's or the official table of VoxCeleb2; `names` by VGGFace2 id serve where the table has none.

    A row that contradicts itself (two ids or two genders) is left out. Raises ValueError for an unknown header.
    """

    def person(index: int, row: Mapping[str, str]) -> Identity:
        speaker = _fits("VoxCeleb id", r"id0\d{4}", row["VoxCeleb2 ID"])
        vggface = _fits("VGGFace2 id", r"n\d{6}", row["VGGFace2 ID"])
        gender = _gender(row["Gender"])
        if row["Class_ID"] not in ("", vggface):
            raise ValueError(f"Class_ID {row['Class_ID']!r} and VGGFace2 id {vggface!r} of one person differ")
        if row["Gender_x"] and _gender(row["Gender_x"]) != gender:
            raise ValueError(f"two genders of one person, {row['Gender_x']!r} and {row['Gender']!r}")
        name = row["Name"] or (names or {}).get(vggface, "")
        return Identity(
            "vox2",
            _name(name) if name else "",
            speaker,
            vggface,
            gender,
            "",
            _set(row["Set"]),
            index,
            int(row["Sample_Num"]) if row["Sample_Num"] else None,
            _fits("Flag", "[01]", row["Flag"]) == "1" if row["Flag"] else None,
        )

    return _read(read_table(data, VOX2_COLUMNS, place, _delimiter(data)), person, place)


def read_vggface2_names(data: bytes, place: str = "identity_meta.csv") -> dict[str, str]:
    """VGGFace2's table of people: name by id. Raises ValueError for an unknown header."""
    rows = read_table(data, VGGFACE2_COLUMNS, place)
    return {row["Class_ID"]: row["Name"].strip('"') for row in rows}


def join(vox1: Identities, vox2: Identities) -> Identities:
    """Both subsets; of a person with one name in both, the vox2 copy is left out and reported."""
    first = {person.name: person for person in vox1.people}
    kept, problems = [], []
    for person in vox2.people:
        same = first.get(person.name)
        if same is None:
            kept.append(person)
            continue
        reason = (
            f"{person.name} ({person.speaker}, {person.split}) is in vox1 too "
            f"({same.speaker or 'no id'}, {same.split}); the vox2 copy is left out so that nobody is in two splits"
        )
        problems.append(Problem(f"vox2/{person.name}", f"vox2 table row {person.index + 2}", reason, person.speaker))
    return Identities((*vox1.people, *kept), (*vox1.problems, *vox2.problems, *problems))


def read_identities(raw: Folder) -> Identities:
    """Whatever meta tables a release has, joined. Raises FileNotFoundError when it has none."""
    found = {name: text for name in _READERS if (text := _find(raw, name)) is not None}
    by_id, unread = _vggface2_names(raw)
    tables: dict[Subset, Identities] = {}
    for name, (place, data) in found.items():
        subset, reader = _READERS[name]
        if subset not in tables:
            tables[subset] = read_vox2(data, place, by_id) if subset == "vox2" else reader(data, place)
    if not tables:
        raise FileNotFoundError(
            f"{raw.label}: none of {', '.join(_READERS)} at its root or in {', '.join(filter(None, FOLDERS))}. "
            "Put the meta tables of VoxCeleb beside the data"
        )
    nobody = Identities(())
    joined = join(tables.get("vox1", nobody), tables.get("vox2", nobody))
    return replace(joined, problems=(*unread, *joined.problems))


def _vggface2_names(raw: Folder) -> tuple[dict[str, str], list[Problem]]:
    """Names by VGGFace2 id from a table that nobody needs to have, and a problem where it cannot be read."""
    try:
        found = _find(raw, "identity_meta.csv")
        return (read_vggface2_names(found[1], found[0]) if found else {}), []
    except ValueError as error:
        return {}, [Problem("", "identity_meta.csv", f"{error}; no names are taken from it")]


_READERS: dict[str, tuple[Subset, Callable[[bytes, str], Identities]]] = {
    "vox1_meta.csv": ("vox1", read_vox1),
    "vox1_names.txt": ("vox1", read_vox1_names),
    "full_vox2_meta.csv": ("vox2", read_vox2),
    "vox2_meta.csv": ("vox2", read_vox2),
}
"""The tables by file name, the better of two for one subset first."""


def _find(raw: Folder, name: str) -> tuple[str, bytes] | None:
    for folder in FOLDERS:
        path = f"{folder}/{name}".lstrip("/")
        if raw.exists(path):
            return path, raw.read(path, MAX_TABLE_BYTES)
    return None


def _read(
    rows: Iterable[Mapping[str, str]], person: Callable[[int, Mapping[str, str]], Identity], place: str, first: int = 2
) -> Identities:
    people: list[Identity] = []
    problems: list[Problem] = []
    seen: dict[tuple[str, str], int] = {}
    for index, row in enumerate(rows):
        at, key = f"{place} row {index + first}", next(iter(row.values()))
        try:
            one = person(index, row)
        except ValueError as error:
            problems.append(Problem(key, at, f"unreadable row: {error}"))
            continue
        marks = {(kind, mark) for kind, mark in (("name", one.name), ("id", one.speaker)) if mark}
        if double := sorted(seen[mark] for mark in marks if mark in seen):
            problems.append(Problem(key, at, f"the name or id of row {double[0]} again"))
            continue
        seen |= dict.fromkeys(marks, index + first)
        people.append(one)
    return Identities(tuple(people), tuple(problems))


def _delimiter(data: bytes) -> str:
    return "," if b"," in data.split(b"\n", 1)[0] else "\t"


def _name(text: str) -> str:
    if not text or "/" in text or text in (".", "..") or "\ufffd" in text or unsafe(text):
        raise ValueError(f"name {text!r}, expected UTF-8 text that can name a folder")
    return composed(text)


def _fits(what: str, pattern: str, text: str) -> str:
    if not re.fullmatch(pattern, text):
        raise ValueError(f"{what} {text!r}, expected the form {pattern}")
    return text


def _gender(text: str) -> str:
    if text.lower() not in _GENDERS:
        raise ValueError(f"gender {text!r}, expected m or f")
    return _GENDERS[text.lower()]


def _set(text: str) -> str:
    if text.lower() not in ("dev", "test"):
        raise ValueError(f"set {text!r}, expected dev or test")
    return text.lower()
