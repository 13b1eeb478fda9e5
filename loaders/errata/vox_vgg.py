"""What the VFMR and RC-GAN papers and their sources say that arithmetic, the files or the code contradict."""

from collections import Counter

from ..rows import Rows
from ..tabulate import Table
from . import Erratum, inconsistencies
from ._voxceleb import nationalities, other_numbers


def _of_split(rows: Rows, name: str) -> str | None:
    part = rows.where(split_rule=name)
    counts = [len(set(split["identity"])) for split in part.splits().values()]
    return f"train {counts[0]:,}, validation {counts[1]:,}, test {counts[2]:,} people" if counts[-1] else None


def _known_to_judges(rows: Rows) -> str | None:
    people = dict(rows.where(config="faces", split="test").together("identity", "name_in_vggface2"))
    known = [found for found in people.values() if found is not None]
    return f"{sum(known):,} of {len(known):,} people of the test have the name of one in VGGFace2" if known else None


def _both_splits(rows: Rows) -> str | None:
    found = len(set(rows["identity"]))
    pairs = {(who, split) for who, split in rows.together("identity", "split") if who is not None}
    return f"{len(pairs) - found:,} of {found:,} people in two splits" if found else None


def _codecs(rows: Rows) -> str | None:
    counts = Counter(rows.known("codec"))
    return f"recordings: {', '.join(f'{count:,} {name}' for name, count in sorted(counts.items()))}" if counts else None


def _recordings(rows: Rows) -> str | None:
    voices = rows.where(config="voices", subset="vox1")
    return f"{len(voices):,} utterances of {len(set(voices['identity'])):,} people" if len(voices) else None


def _targets(rows: Rows) -> str | None:
    classes = dict(rows.where(config="rcgan").together("class_index", "target_image"))
    return f"{len(classes):,} target faces for {len(rows.where(config='rcgan')):,} recordings" if classes else None


ERRATA: tuple[Erratum, ...] = (
    (
        "VFMR2 trains on 1,000 of 1,251 people and tests on 189.",
        "62 are in neither; what they are for is not said. Here they are validation, and the test has all of C to E.",
        lambda rows: _of_split(rows, "vfmr2"),
    ),
    (
        "Kim's models train on 1,101 and test on 250 people of VoxCeleb1.",
        "Together 1,351, more than the 1,251 that there are. Here 1,001 train.",
        lambda rows: _of_split(rows, "kim"),
    ),
    ("VFMR1's people of the test are unseen and unheard.", "Nobody is in both sets of voices; a network pretrained on "
     "all of VGGFace2 may have seen their faces.", _known_to_judges),
    ("People are said to be from the USA and UK.", "VoxCeleb1 has 36 nationalities.", nationalities),
    ("Seen-heard tests use unused examples.", "Of what is not said: frames and clips of one video are near-duplicates. "
     "Here a tenth of each person's clips is held out by video.", _both_splits),
    ("Ids of VoxCeleb2 and VGGFace2 look alike.", "Their numbers differ in 4,883 of 6,114 rows: people are joined by "
     "the table.", other_numbers),
    ("Vox-VGG-1 is called the intersection with VGGFace, and with MS-Celeb-1M.", "The same 1,251 people.", None),
    ("VFMR1 retrieves with an mAP of 11.48 in Tables 3 and 6.", "10.67 as the default of Table 8.", None),
    (
        "A face box of scale 1.1 is called better than the default, SE-ResNet50 than ResNet50.",
        "By Table 8 the box only for 1:4 and within a gender; SE-ResNet50 nowhere.",
        None,
    ),
    ("VFMR1 was tested on 10 million triplets, says the introduction.", "30.72 million by settings and Table 3.", None),
    ("MTCNN is cited as reference 7.", "That is MS-Celeb-1M; MTCNN is 31.", None),
    (
        "RC-GAN: VoxCeleb has 100,000 utterances, compressed as mp3.",
        "153,516 in VoxCeleb1, published as wav.",
        _recordings,
    ),
    ("RC-GAN: recordings go from mp3 to wav.", "What lies on a disk is wav, m4a or flac.", _codecs),
    ("RC-GAN: VGGFace has 2,600 people.", "2,622.", None),
    (
        "RC-GAN is said to generate faces from voices.",
        "One target face for each of 9 classes: a table of 9 pictures does as well where the class is right.",
        _targets,
    ),
    (
        "RC-GAN is said to be some 13 % better than C-GAN.",
        "84.52 - 68.09 = 16.43 points, 24 % relative; over the autoencoder 11.91 points.",
        None,
    ),
    ("RC-GAN is said to beat C-GAN by numbers.", "Not in SSIM: 0.703 against 0.717.", None),
    (
        "RC-GAN's classifier pools 4 x 2 three times.",
        "60 x 41 does not allow it, unless borders are padded and rounded up.",
        None,
    ),
)  # fmt: skip
"""Statement, what is so, and what holds it against a folder; numbered from 1 in this order."""


def errata(rows: Rows) -> Table:
    """All of them; the last cell is what the folder says, None where it cannot tell."""
    return inconsistencies(ERRATA, rows)
