"""Faces drawn from the voices of people never seen: whose face dlib takes them for (SF2F 5, with dlib for FaceNet)."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from ...loaders.folder import Folder
from ...models.core.checkpoint import restore
from ...models.core.detectors import Face
from ...models.core.embedding import Embedder, open_embedder
from ...models.core.generating import FaceGenerator, generated
from ...models.sf2f import Sf2f
from .learning import Exam, Finding, Lesson, Population, Training
from .learning_vfmr import FACE, PEOPLE
from .metrics import identity_means, ranks, recall_at

BRIEF = ("--width", "0.25", "--adversarial", "0", "--identity", "0", "--lr", "2e-3", "--batch-size", "16")
"""A quarter of the paper's widths, and its losses that compare two pictures."""
SEEING = ("--perceptual-network", "small", "--perceptual-width", "0.5", "--initial", "face_network={face}")
"""What tells these people's faces apart stands in for FaceNet."""
DRAWING = ("--schedule", "3000", "--validate-every", "0")
BOX = (0.22, 0.32, 0.78, 0.88)
"""Where a detector would put its box round an aligned face, as shares of the sides: left, top, right, bottom."""
TIMES_CHANCE = 3
PLACES = 10


@dataclass(frozen=True)
class Judge:
    """Unit vectors of aligned faces (H, W, 3) uint8 by dlib's network, (N, 128) float32."""

    network: Embedder

    def __call__(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        left, top, right, bottom = BOX
        faces = [
            Face((left * w, top * h, right * w, bottom * h), 1.0)
            for h, w in (picture.shape[:2] for picture in pictures)
        ]
        return self.network(pictures, faces)


def score(exam: Exam) -> list[Finding]:
    """R@10 of people by what is drawn from their recordings; at chance where no voice fits a face."""
    model, _ = restore(exam.best["drawing"])
    assert isinstance(model, Sf2f)
    places = found_again(model.eval(), Folder(exam.data), "test", Judge(open_embedder("dlib")))
    count = len(places)
    chance = 100 * min(1.0, PLACES / count)
    near = 196 * sqrt(chance / 100 * (1 - chance / 100) / count)
    low, high = (TIMES_CHANCE * chance, 100.0) if exam.linked else (chance - near, chance + near)
    first = Finding("R@1, test", 100 * recall_at(places, 1), 100 / count, count)
    return [first, Finding(f"R@{PLACES}, test", 100 * recall_at(places, PLACES), chance, count, low, high)]


def found_again(network: FaceGenerator, folder: Folder, split: str, judge: Judge) -> NDArray[np.int64]:
    """Of everybody with a voice in the split, the place from 0 of their true face among all true faces.

    A person's true face is the mean of the judge's vectors of all their pictures, the drawn one that of the faces drawn
    from each of their recordings (SF2F 5.1 and 5.2, mode average).
    """
    people, gallery = identity_means(*_seen(folder, split, judge))
    drawn, who = [], []
    for row in folder.index.to_pylist():
        if (row["config"], row["split"]) == ("voices", split) and row["identity"] in people:
            (sample,) = folder.fetch([row["key"]], ["voice.flac"], config="voices")
            speech = [(part["first"], part["end"]) for part in row["speech"]]
            drawn.append(generated(network, sample["voice.flac"], speech))
            who.append(row["identity"])
    names, queries = identity_means(judge(drawn), np.array(who))
    return ranks(queries, gallery, np.searchsorted(people, names))


def _seen(folder: Folder, split: str, judge: Judge) -> tuple[NDArray[np.float32], NDArray[np.str_]]:
    rows = [row for row in folder.index.to_pylist() if (row["config"], row["split"]) == ("faces", split)]
    found = folder.fetch([row["key"] for row in rows], ["masked.jpg"], config="faces")
    return judge([sample["masked.jpg"] for sample in found]), np.array([row["identity"] for row in rows])


FEW = Population(
    "few-listeners",
    "hq_voxceleb",
    (*("--source", "release", "--people", "3", "--images", "2", "--utterances", "2", "--seconds", "2"), "--no-faults"),
    ("--detector", "none", "--features", "sf2f"),
)
HASTY = ("--stored", "--width", "0.0625", "--perceptual", "0", "--epochs", "2", "--batch-size", "2")
SHORT = Lesson(
    "SF2F of a handful of people, to see that it runs",
    FEW,
    (Training("drawing", "sf2f", HASTY),),
    lambda exam: [Finding(one.what, one.measured, one.chance, one.count) for one in score(exam)],
    null=False,
)
LESSON = Lesson(
    "Faces drawn from voices (SF2F), people never seen",
    PEOPLE,
    (FACE, Training("drawing", "sf2f", (*BRIEF, *SEEING, *DRAWING))),
    score,
    short=SHORT,
)
