"""Whose face goes with a voice, of people never seen: Speech2Face's voice encoder, among dlib's vectors of faces."""

from math import sqrt

import numpy as np
import torch
from numpy.typing import NDArray

from ...loaders.folder import Folder
from ...models.core.checkpoint import restore
from ...models.core.evaluate import batches
from ...models.core.model import Model
from ...models.core.reading import Reading
from .learning import Exam, Finding, Lesson, Population, Training
from .metrics import ranks, recall_at

PEOPLE = Population(
    "strangers",
    "avspeech",
    ("--videos", "1600", "--clips", "1", "--seconds", "3", "--fps", "4", "--no-odd"),
    ("--face-network", "dlib", "--quality", "90"),
)
"""800 people to learn from, 400 to choose the options by, 400 to be found; one clip each."""
NARROW = ("--face-network", "dlib", "--mode", "mag_phase", "--width", "0.0625", "--frames", "259", "--channels-last")
QUICK = (
    *("--batch-size", "8", "--epochs", "20", "--validate-every", "0"),
    *("--lr", "4e-3", "--decay-steps", "20", "--norm-momentum", "0.1"),
)
TIMES_CHANCE = 5
PLACES = 10


def score(exam: Exam) -> list[Finding]:
    """R@10 of clips among the faces of the split, as Speech2Face has it; at chance where no voice fits a face."""
    model, _ = restore(exam.best["encoder"])
    places = found_again(model.eval(), Folder(exam.data), "test")
    count = len(places)
    chance = 100 * min(1.0, PLACES / count)
    near = 196 * sqrt(chance / 100 * (1 - chance / 100) / count)
    low, high = (TIMES_CHANCE * chance, 100.0) if exam.linked else (chance - near, chance + near)
    first = Finding("R@1, test", 100 * recall_at(places, 1), 100 / count, count)
    return [first, Finding(f"R@{PLACES}, test", 100 * recall_at(places, PLACES), chance, count, low, high)]


def found_again(model: Model, folder: Folder, split: str, batch_size: int = 16) -> NDArray[np.int64]:
    """Of every clip of the split, the place from 0 of its own face's vector among all, by the cosine to the one told.

    Another clip of the same person counts as a miss (Speech2Face 5); the row's people have one clip each.
    """
    told, faces = [], []
    with torch.inference_mode():
        for batch in batches(Reading(folder, model.inputs(), batch_size=batch_size).stream(split)):
            if batch["keys"]:
                told.append(model(batch).float().numpy())
                faces.append(batch["face"].numpy())
    gallery = np.concatenate(faces)
    return ranks(np.concatenate(told), gallery, np.arange(len(gallery)))


FEW = Population(
    "few-strangers",
    "avspeech",
    ("--videos", "4", "--clips", "1", "--seconds", "3", "--fps", "4", "--no-odd"),
    ("--face-network", "dlib", "--quality", "90"),
)
SHORT = Lesson(
    "Speech2Face of a handful of people, to see that it runs",
    FEW,
    (Training("encoder", "speech2face", (*NARROW, *QUICK, "--epochs", "2", "--batch-size", "2")),),
    lambda exam: [Finding(one.what, one.measured, one.chance, one.count) for one in score(exam)],
    null=False,
)
LESSON = Lesson(
    "Faces found by voices (Speech2Face), people never seen",
    PEOPLE,
    (Training("encoder", "speech2face", (*NARROW, *QUICK)),),
    score,
    short=SHORT,
)
