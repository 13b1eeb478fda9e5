"""Faces drawn from the voices of people never seen: whose face a network takes them for (SF2F 5)."""

from math import inf, sqrt

import numpy as np
from numpy.typing import NDArray

from ...loaders.folder import Folder
from ...models.core.checkpoint import restore
from ...models.core.generating import FaceGenerator, generated
from ...models.sf2f import Sf2f
from .judges import ALIGNED, PictureJudge, open_judge
from .learning import Exam, Finding, Lesson, Population, Training
from .learning_vfmr import FACE, PEOPLE
from .metrics import identity_means, ranks, recall_at

BRIEF = ("--width", "0.25", "--adversarial", "0", "--identity", "0", "--lr", "2e-3", "--batch-size", "16")
"""A quarter of the paper's widths, and its losses that compare two pictures."""
SEEING = ("--perceptual-network", "small", "--perceptual-width", "0.5", "--initial", "face_network={face}")
"""What tells these people's faces apart stands in for FaceNet."""
DRAWING = ("--schedule", "6000", "--validate-every", "0")
JUDGE = Training("judge", "vfmr", (*FACE.options, "--seed", "1"))
"""A face network of the same people, from another beginning than the one that the drawing is trained by."""
TIMES_CHANCE = 3
PLACES = 10


def score(exam: Exam) -> list[Finding]:
    """R@10 of people by what is drawn from their recordings; at chance where no voice fits a face."""
    model, _ = restore(exam.best["drawing"])
    assert isinstance(model, Sf2f)
    folder, found = Folder(exam.data), []
    for name, judge in judges(exam).items():
        places = found_again(model.eval(), folder, "test", judge)
        count = len(places)
        chance = 100 * min(1.0, PLACES / count)
        near = 196 * sqrt(chance / 100 * (1 - chance / 100) / count)
        low, high = (TIMES_CHANCE * chance, 100.0) if exam.linked else (chance - near, chance + near)
        wanted = (low, high) if name != "dlib" else (-inf, inf)
        found += [
            Finding(f"R@1, test, by {name}", 100 * recall_at(places, 1), 100 / count, count),
            Finding(f"R@{PLACES}, test, by {name}", 100 * recall_at(places, PLACES), chance, count, *wanted),
        ]
    return found


def judges(exam: Exam) -> dict[str, PictureJudge]:
    """A face network trained on the population where there is one, and dlib, which knows no blurred faces."""
    own = exam.best.get(JUDGE.name)
    trained = {"a network of these people": open_judge(f"vfmr:{own}")} if own else {}
    return {**trained, "dlib": open_judge("dlib", ALIGNED)}


def found_again(network: FaceGenerator, folder: Folder, split: str, judge: PictureJudge) -> NDArray[np.int64]:
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


def _seen(folder: Folder, split: str, judge: PictureJudge) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
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
    (FACE, JUDGE, Training("drawing", "sf2f", (*BRIEF, *SEEING, *DRAWING))),
    score,
    short=SHORT,
)
