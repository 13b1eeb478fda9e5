"""What the SF2F paper and its repositories say that arithmetic, the files or the code contradict."""

from collections import Counter

from ..rows import Rows
from ..tabulate import Table
from . import Erratum, inconsistencies
from ._voxceleb import other_numbers


def _images(rows: Rows) -> str | None:
    per = Counter(rows.where(config="faces")["identity"])
    if not per:
        return None
    few = sum(count < 3 for count in per.values())
    return f"{per.total() / len(per):.2f} images per identity; {few:,} of {len(per):,} identities have fewer than 3"


def _shared_names(rows: Rows) -> str | None:
    subsets: dict[str, set[str]] = {}
    for name, subset in rows.together("name", "subset"):
        if name:
            subsets.setdefault(name, set()).add(subset)
    both = sorted(name for name, found in subsets.items() if len(found) > 1)
    found = f"{len(both)} names in both subsets{': ' if both else ''}{', '.join(both[:3])}"
    return found if subsets else None


def crop_sides(rows: Rows) -> list[tuple[int, int]]:
    """Width and height of every face crop in px: of picked ones their side, of published ones the picture's size."""
    faces = rows.where(config="faces").together("side_px", "width", "height")
    return [(side, side) if side else (width, height) for side, width, height in faces if side or (width and height)]


def _sides(rows: Rows) -> str | None:
    sides = crop_sides(rows)
    return f"{sum(w != h for w, h in sides):,} of {len(sides):,} crops are not square" if sides else None


def _sizes(rows: Rows) -> str | None:
    sides = sorted(crop_sides(rows))
    return "crops of {} x {} to {} x {} px".format(*sides[0], *sides[-1]) if sides else None


def _utterances(rows: Rows) -> str | None:
    voices = rows.where(config="voices")
    parts = [f"{subset} {len(voices.where(subset=subset)):,}" for subset in ("vox1", "vox2")]
    return f"recordings here: {', '.join(parts)}" if len(voices) else None


def _pairs(rows: Rows) -> str | None:
    people = [set(rows.where(config=config)["identity"]) for config in ("faces", "voices")]
    return f"{len(people[0] & people[1]):,} people here have both" if all(people) else None


ERRATA: tuple[Erratum, ...] = (
    (
        "Identities are said to have at least 3 images.",
        "Table 1 has 8,028 images of 3,638 identities: 2.21 of each; sample folders show 2.",
        _images,
    ),
    (
        "Training and validation share nobody.",
        "Harry_Connick_Jr. is in both meta tables: the rule by row puts him in training and in validation. Here the "
        "VoxCeleb2 copy is left out.",
        _shared_names,
    ),
    (
        "7,363 people were searched for: 1,251 and 6,112.",
        "The released table of VoxCeleb2 has 6,114 rows, two test speakers more.",
        None,
    ),
    (
        "Table 6 counts 1,237,274 utterances of VoxCeleb.",
        "Those of VoxCeleb1 and of VoxCeleb2's dev set are 153,516 + 1,092,009 = 1,245,525.",
        _utterances,
    ),
    ("Resolutions are printed as 4759 to 62458093.", "47 x 59 to 6245 x 8093: signs of the product are lost.", _sizes),
    (
        "The average resolution is printed as a square.",
        "11 of the 22 released samples are a pixel wider or higher than square.",
        _sides,
    ),
    (
        "Ids of VoxCeleb2 and VGGFace2 look alike.",
        "Their numbers differ in 4,883 of 6,114 rows: people are joined by the table.",
        other_numbers,
    ),
    (
        "The split of 2,890, 370 and 378 people is given without a rule.",
        "The program counts rows, one of ten test, one validation, and then drops people without face or voice.",
        _pairs,
    ),
    (
        "The repository's figure has pickles in masked_faces and pictures in mel_spectrograms.",
        "Labels swapped: faces are JPEGs, spectrograms are pickles.",
        None,
    ),
    (
        "Windows of 1.25 s overlap by half; Adam has b2 0.98; l1 is 10; the fuser's rate is 5e-4.",
        "The program: no overlap in training and tests, 0.999, 100 at 128 px, 1e-4.",
        None,
    ),
    (
        "SF2F is said to win everywhere in Table 8.",
        "voice2face has R@10 20.71 against 18.56 at 1.25 s, and 15.43 at 5 s: probably a misprint.",
        None,
    ),
    (
        "Table 5, one resolution of 128 px.",
        "R@1 to R@10 and the mean score repeat Table 4's row of 1 to 1.5 s: probably copied.",
        None,
    ),
    (
        "The VGGFace score is that of a network for faces.",
        "The program feeds RGB less the mean of RGB; the weights expect BGR. Published scores hold for RGB.",
        None,
    ),
    (
        "Cosine, L1 and recall are told as independent judgement.",
        "They use the network whose features the generator is trained to meet.",
        None,
    ),
)
"""Statement, what is so, and what holds it against a folder; numbered from 1 in this order."""


def errata(rows: Rows) -> Table:
    """All of them; the last cell is what the folder says, None where it cannot tell."""
    return inconsistencies(ERRATA, rows)
