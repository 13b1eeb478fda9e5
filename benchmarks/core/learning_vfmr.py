"""Which of two faces is the voice's, of people never seen: VFMR, anchored in a voice network trained before."""

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...loaders.folder import Folder
from ...models.core.checkpoint import restore
from ...models.core.evaluate import batches
from ...models.core.reading import Reading
from ...models.vfmr import Vfmr, by_person
from .learning import Exam, Finding, Lesson, Population, Training
from .metrics import accuracy

PEOPLE = Population(
    "pairs",
    "hq_voxceleb",
    (
        *("--source", "release", "--people", "520", "--images", "2", "--utterances", "2", "--seconds", "2.5"),
        "--no-faults",
    ),
    ("--detector", "none", "--vad", "energy"),
)
"""Aligned faces: 520 people to learn from and as many never seen, in two splits; of 120 the bar is not reached."""
BRIEF = (
    *("--picture", "masked.jpg", "--face-network", "small", "--voice-width", "0.125", "--face-width", "0.5"),
    *("--seconds", "1", "--validate-every", "0"),
)
"""An eighth of the voice network's width and a second of sound: learns in minutes on a CPU."""
TWO = ("--voices", "2", "--faces", "2", "--lr", "3e-3")
VOICE = Training(
    "voice", "vfmr", ("--stage", "voice", "--batch-size", "8", "--epochs", "10", "--lr-steps", "215", *TWO, *BRIEF)
)
FACE = Training(
    "face", "vfmr", ("--stage", "face", "--batch-size", "16", "--epochs", "8", "--lr-steps", "105", *TWO, *BRIEF)
)
ONE = ("--voices", "1", "--faces", "1", "--lr-steps", "300", "--network-lr", "1e-3")
JOINT = Training("joint", "vfmr", ("--initial", "voice={voice}", "--batch-size", "60", "--epochs", "100", *ONE, *BRIEF))
"""The face network begins fresh: what tells people apart hides what their voices go with."""
UNSEEN = ("validation", "test")
"""No checkpoint was chosen by the validation people: training does not look at them."""
AT_ONCE = 8
"""People that are read together."""
BAR, NEAR = 80.0, 4.0


def score(exam: Exam) -> list[Finding]:
    """1:2 matching, as often of one gender as of two, as VFMR's balanced batches have it; and each network alone."""
    unseen = heard_and_seen(exam)
    same, cross = matching_by_gender(unseen)
    together = (same + cross) / 2
    low, high = (BAR, 100.0) if exam.linked else (50 - NEAR, 50 + NEAR)
    people = len(unseen.gender)
    alone = [
        Finding(f"{stage} stage, 1:2 within {stage}s", _within(exam, stage), 50.0, people, low=60.0)
        for stage in ("voice", "face")
    ]
    return [
        Finding("1:2 matching, half of one gender", together, 50.0, people, low, high),
        Finding("1:2 matching, of one gender", same, 50.0, people),
        Finding("1:2 matching, of two genders", cross, 50.0, people),
        *alone,
    ]


@dataclass(frozen=True)
class Unseen:
    """Of each of N people: vectors (K, 512) of voices and of faces, and the gender."""

    voices: list[Tensor]
    faces: list[Tensor]
    gender: list[str]


def heard_and_seen(exam: Exam) -> Unseen:
    """What the joint network makes of everybody never seen."""
    model, _ = restore(exam.best["joint"])
    assert isinstance(model, Vfmr)
    model.eval()
    folder = Folder(exam.data)
    index = folder.index.select(["identity", "gender"]).to_pylist()
    gender = {row["identity"]: row["gender"] for row in index}
    found = Unseen([], [], [])
    reading = Reading(folder, replace(model.inputs(), voices=2, faces=2), batch_size=AT_ONCE)
    with torch.inference_mode():
        for batch in (batch for split in UNSEEN for batch in batches(reading.stream(split)) if batch["keys"]):
            sounds = [wave[:length] for wave, length in zip(batch["wave"], batch["length"].tolist(), strict=True)]
            people = len(batch["identities"])
            found.voices.extend(by_person(torch.cat([model.hear_whole(sound) for sound in sounds]), people))
            found.faces.extend(by_person(model.see(batch["face"]), people))
            found.gender.extend(gender[name] for name in batch["identities"])
    return found


def matching_by_gender(people: Unseen) -> tuple[float, float]:
    """Percent right over all ordered pairs of one gender, and of two; every voice, own face and other's face; ties 1/2.

    Every pair of people counts alike.
    """
    right: dict[bool, list[float]] = {True: [], False: []}
    distances = [[torch.cdist(voices, faces) for faces in people.faces] for voices in people.voices]
    for one, other in product(range(len(people.gender)), repeat=2):
        if one != other:
            gaps = distances[one][one][:, :, None] - distances[one][other][:, None]
            share = (gaps < 0).float() + 0.5 * (gaps == 0).float()
            right[people.gender[one] == people.gender[other]].append(share.mean().item())
    return 100 * float(np.mean(right[True])), 100 * float(np.mean(right[False]))


def _within(exam: Exam, stage: str) -> float:
    """Percent of right triplets when voices are matched with voices, faces with faces."""
    merits: list[NDArray[np.float64]] = [exam.results(stage, split)["merit"] for split in UNSEEN]
    return 100 * accuracy(np.concatenate(merits))


LESSON = Lesson("Voices and faces in one space (VFMR), people never seen", PEOPLE, (VOICE, FACE, JOINT), score)
