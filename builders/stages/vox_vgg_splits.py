"""Who of Vox-VGG-1 and Vox-VGG-2 is trained and tested on: the published splits, drawn by name from whole tables.

Published are counts; which people they are is known only where a rule of names gives exactly those counts (F-Z, A-B,
C-E). The others are drawn here by a hash of seed and name, so that no library's random numbers decide them.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from .voxceleb_tables import Identity, Subset

SETS: dict[str, Subset] = {"vox-vgg-1": "vox1", "vox-vgg-2": "vox2"}
PEOPLE = 1_251
"""Of Vox-VGG-1, all of VoxCeleb1 (VFMR, Table 1)."""
SEEN_HEARD = "sh"
"""The split that parts people's clips instead of people."""
HELD_OUT_SHARE = 0.1
"""Of a person's clips, by whole videos: the seen-heard test of VFMR."""
VFMR2_TRAIN = 1_000
"""Of the people of Vox-VGG-1 whose names begin with neither C, D nor E."""


@dataclass(frozen=True)
class Split:
    """One published split: the sets that it is about, its rule in words and the rule itself."""

    sets: tuple[str, ...]
    rule: str
    assign: Callable[[Sequence[Identity], int], dict[tuple[str, str], str]]
    """People of Vox-VGG in table order and a seed -> split by `Identity.key`; who is missing takes no part."""


def _by_set(people: Sequence[Identity], seed: int) -> dict[tuple[str, str], str]:
    return {person.key: "train" if person.subset == "vox2" else "test" for person in people}


def _by_letter(people: Sequence[Identity], seed: int) -> dict[tuple[str, str], str]:
    return {person.key: _of_letter(person.name) for person in people}


def _of_letter(name: str) -> str:
    return "validation" if name[:1] in "AB" else "test" if name[:1] in "CDE" else "train"


def _vfmr2(people: Sequence[Identity], seed: int) -> dict[tuple[str, str], str]:
    found = {person.key: "test" for person in people if _of_letter(person.name) == "test"}
    others = _drawn([person for person in people if person.key not in found], seed)
    return found | {person.key: "train" if at < VFMR2_TRAIN else "validation" for at, person in enumerate(others)}


def _counted(train: int, validation: int, test: int) -> Callable[[Sequence[Identity], int], dict[tuple[str, str], str]]:
    """So many of Vox-VGG-1's 1,251 people, drawn by hash; of another number of people, the same shares."""

    def assign(people: Sequence[Identity], seed: int) -> dict[tuple[str, str], str]:
        cuts = [round(len(people) * count / PEOPLE) for count in (test, test + validation, test + validation + train)]
        names = ["test"] * cuts[0] + ["validation"] * (cuts[1] - cuts[0]) + ["train"] * (cuts[2] - cuts[1])
        return {person.key: name for person, name in zip(_drawn(people, seed), names, strict=False)}

    return assign


def _everybody(people: Sequence[Identity], seed: int) -> dict[tuple[str, str], str]:
    return {person.key: "train" for person in people}


def _drawn(people: Iterable[Identity], seed: int) -> list[Identity]:
    return sorted(people, key=lambda person: rank(seed, person.name))


def rank(seed: int, *what: str) -> str:
    """Where something comes in a draw: the smallest first."""
    return hashlib.sha256(" ".join([str(seed), *what]).encode()).hexdigest()


_LETTERS = "names F-Z train, A-B validation, C-E test"
_BOTH, _FIRST = tuple(SETS), ("vox-vgg-1",)
SPLITS: dict[str, Split] = {
    "vfmr1": Split(_BOTH, "train Vox-VGG-2 (5,994), test Vox-VGG-1 (1,251)", _by_set),
    "uu": Split(_BOTH, "unseen-unheard: nobody of the test is in train; the people of vfmr1", _by_set),
    "vfmr2": Split(_FIRST, "test names C-E, train 1,000 others by seed, the rest validation", _vfmr2),
    "svhf": Split(_FIRST, f"{_LETTERS}: 942 train people as SVHF has", _by_letter),
    "dimnet": Split(_FIRST, f"{_LETTERS}: 924, 112 and 189 of those with filtered faces", _by_letter),
    "filtered_vggface": Split(_FIRST, f"{_LETTERS}; faces are the curated ones of VGGFace's lists", _by_letter),
    "pins": Split(_FIRST, "901 train, 100 validation, 250 test, drawn by seed", _counted(901, 100, 250)),
    "kim": Split(
        _FIRST, "1,001 train, 250 test, drawn by seed (printed: 1,101, more than there are)", _counted(1_001, 0, 250)
    ),
    "horiguchi": Split(_FIRST, "862 train, 216 test, 173 in neither, drawn by seed", _counted(862, 0, 216)),
    SEEN_HEARD: Split(
        _BOTH, "seen-heard: everybody in train, a tenth of each person's clips by video is test", _everybody
    ),
}


def members(people: Iterable[Identity], chosen: Iterable[str]) -> list[Identity]:
    """People of the chosen sets: all of VoxCeleb1, and the dev speakers of VoxCeleb2 (VFMR's Vox-VGG-2)."""
    subsets = {SETS[name] for name in chosen}
    return [p for p in people if p.subset in subsets and (p.subset == "vox1" or p.set == "dev")]


def held_out(clips: Mapping[str, int], who: str, seed: int) -> set[str]:
    """Videos of one person kept for the seen-heard test: drawn by seed until a tenth of all clips is reached.

    `clips` counts them by video. One video always stays for training: who has only one is not tested.
    """
    wanted, held, taken = HELD_OUT_SHARE * sum(clips.values()), set[str](), 0
    for video in sorted(clips, key=lambda video: rank(seed, who, video))[: max(0, len(clips) - 1)]:
        if taken >= wanted:
            break
        held.add(video)
        taken += clips[video]
    return held
