"""Made-up people of VoxCeleb: who stands in which row of which published table, under which ids and names."""

import unicodedata
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ..stages.voxceleb_tables import Subset
from .forging import write
from .people import Person, draw

_FIRST = {
    "f": (
        "Adèle", "Beatrix", "Cécile", "Daria", "Elina", "Fenja", "Greta", "Hedda", "Ilse", "Jorunn", "Kajsa", "Liv",
        "Mirjam", "Nadja", "Odile", "Petra", "Ragna", "Sanne", "Thea", "Ulrike", "Vera", "Xenia", "Yrsa", "Zita",
    ),
    "m": (
        "André", "Bjarne", "Conrad", "Deniz", "Edvin", "Frode", "Gábor", "Halvor", "Ivo", "Jasper", "Knut", "Leif",
        "Matej", "Nils", "Ottokar", "Pavel", "Ruben", "Sander", "Tibor", "Ulf", "Viggo", "Xaver", "Yann", "Zoltan",
    ),
}  # fmt: skip
_PLAIN = ("Ashgrove", "Brindel", "Corvane", "Dunmarrow", "Eskelby", "Farrowmere", "Gildenhall", "Harrowick")
_ACCENTED = ("Åkervind", "Brûlard", "Čermanský", "Dvořín", "Eñarola", "Fürnholz", "Gränsjö", "Højvang")
_ODD = ("P!xel", "Al\u2019Mareen", "O_Tarn_Jr.", "van_Q.")
_NATIONS = ("USA", "USA", "UK", "Canada", "Australia", "India", "Norway", "Germany", "Ireland")
_KINDS = ("train", "test", "validation", "train")
"""Splits of the first people to be forged, over and over: a release of three people has all splits."""
STRANGERS = 50_000
"""Numbers of people who stand in no table begin here."""


@dataclass(frozen=True)
class Celebrity:
    """One row of a table, and whether the release has data of it."""

    subset: Subset
    row: int
    name: str
    """In NFC, with underscores."""
    speaker: str
    vggface: str
    gender: str
    nationality: str
    set: str
    in_vggface2_train: bool
    person: Person

    @property
    def folder(self) -> str:
        """The name as this release spells it on disk: some systems write accents apart (NFD)."""
        apart = self.subset == "vox1" and self.row % 2 == 0
        return unicodedata.normalize("NFD" if apart else "NFC", self.name)

    @property
    def split(self) -> str:
        """train, validation or test by SF2F's rule."""
        return {8: "test", 9: "validation"}.get(self.row % 10, "train")


@dataclass(frozen=True)
class Roster:
    """Both tables whole, and the rows of which a release holds data."""

    vox1: tuple[Celebrity, ...]
    vox2: tuple[Celebrity, ...]
    chosen: tuple[Celebrity, ...]


@lru_cache(maxsize=4)
def roster(people: int, seed: int, link: bool = True) -> Roster:
    """Tables with `people` rows of each subset chosen, every split among the first three; a pure function.

    As in the real tables most digits of VoxCeleb2's and VGGFace2's ids differ, and one person is in both subsets: in
    the training part of vox1, and among the test speakers and the validation part of vox2.
    """
    rows = 10 * (-(-people // 4) + 1)
    vox1 = _vox1(rows, seed, link)
    vox2 = _vox2(rows, seed, link, vox1[0])
    picked = _rows(people, rows)
    chosen = (*(vox1[row] for row in picked), *(vox2[row] for row in picked))
    return Roster(vox1, vox2, chosen)


def _rows(people: int, rows: int) -> list[int]:
    left = {"train": [], "test": [], "validation": []}  # type: dict[str, list[int]]
    for row in range(rows):
        left[{8: "test", 9: "validation"}.get(row % 10, "train")].append(row)
    return sorted(left[_KINDS[number % len(_KINDS)]].pop(0) for number in range(people))


def _names(rows: int, seed: int, salt: int) -> list[tuple[str, str]]:
    """(name, gender) of each row in code point order; every second one has accents, some odd characters."""
    random = np.random.default_rng([seed, salt, 71])
    found: dict[str, str] = {}
    while len(found) < rows:
        gender = ("f", "m")[len(found) % 2]
        first = str(random.choice(_FIRST[gender]))
        last = str(random.choice((_ACCENTED, _PLAIN, _ACCENTED, _PLAIN, _ODD)[len(found) % 5]))
        middle = "" if random.random() < 0.7 else f"{chr(65 + int(random.integers(26)))}._"
        found.setdefault(f"{first}_{middle}{last}", gender)
    return sorted(found.items())


def _vox1(rows: int, seed: int, link: bool) -> tuple[Celebrity, ...]:
    random = np.random.default_rng([seed, 72])
    people = []
    for row, (name, gender) in enumerate(_names(rows, seed, 1)):
        person = draw(seed, row + 1, _sex(gender), link)
        group = "test" if name.startswith("E") else "dev"
        nation = str(random.choice(_NATIONS))
        people.append(Celebrity("vox1", row, name, f"id{10_001 + row}", name, gender, nation, group, False, person))
    return tuple(people)


def _vox2(rows: int, seed: int, link: bool, shared: Celebrity) -> tuple[Celebrity, ...]:
    random = np.random.default_rng([seed, 73])
    taken = {celebrity_name for celebrity_name, _ in _names(rows, seed, 1)}
    names = [(name, gender) for name, gender in _names(3 * rows, seed, 2) if name not in taken][:rows]
    classes = np.cumsum(random.integers(2, min(40, 18_000 // rows), rows)) + 10
    people = []
    for row, ((name, gender), number) in enumerate(zip(names, classes.tolist(), strict=True)):
        # The real table begins with equal digits; then they are one apart, with farther ones in between.
        apart = 0 if row < rows // 5 else 1
        person = draw(seed, 10_000 + row, _sex(gender), link)
        test = row % 17 == 12
        if row == 9:
            name, gender, person, test = shared.name, shared.gender, shared.person, True
        ids = f"id{number + apart:05d}", f"n{number:06d}"
        people.append(Celebrity("vox2", row, name, *ids, gender, "", ("dev", "test")[test], row % 7 != 3, person))
    return tuple(people)


def _sex(gender: str) -> str:
    return {"m": "Male", "f": "Female"}[gender]


def strangers(seed: int, row: int) -> tuple[Person, ...]:
    """One or two people who are nobody's celebrity."""
    return tuple(draw(seed, STRANGERS + 2 * row + number) for number in range(1 + row % 2))


def write_tables(out: Path, people: Roster, pictures: int = 0) -> int:
    """`meta_info/` in the published formats; returns its bytes. `pictures`: of each person in VGGFace2, 0 unknown."""
    vox1 = ["VoxCeleb1 ID\tVGGFace1 ID\tGender\tNationality\tSet"]
    vox1 += ["\t".join((one.speaker, one.vggface, one.gender, one.nationality, one.set)) for one in people.vox1]
    vox2 = ["Class_ID,Name,Sample_Num,Flag,Gender_x,VoxCeleb2ID,VGGFace2ID,Gender_y,Set"]
    for one in people.vox2:
        number = pictures or 98 + 37 * one.row % 746
        cells = (one.vggface, one.name, number, int(one.in_vggface2_train), one.gender, one.speaker, one.vggface)
        vox2.append(",".join(map(str, (*cells, one.gender, one.set))))
    files = {
        "vox1_meta.csv": vox1,
        "vox1_names.txt": [one.name for one in people.vox1],
        "full_vox2_meta.csv": vox2,
    }
    return sum(write(out / "meta_info" / name, ("\n".join(lines) + "\n").encode()) for name, lines in files.items())


def person_truth(one: Celebrity) -> dict[str, Any]:
    """A table row, how the name is spelt on disk and the latents behind face and voice."""
    facts = {name: value for name, value in asdict(one).items() if name != "person"}
    return facts | {"folder": one.folder, "split": one.split, **asdict(one.person), "gender": one.gender}
