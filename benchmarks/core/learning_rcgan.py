"""Faces drawn from voices that were not trained on: RC-GAN's are told right more often than C-GAN's (Table I)."""

import numpy as np
import torch
from numpy.typing import NDArray

from ...loaders.folder import Folder
from ...models.core.checkpoint import restore
from ...models.core.detectors import Face
from ...models.core.embedding import open_embedder
from ...models.core.evaluate import batches
from ...models.core.reading import Reading
from ...models.rcgan import Rcgan
from .learning import Exam, Finding, Lesson, Training
from .learning_voice_classifier import SPEAKERS, VOICE
from .metrics import accuracy, unit

SCALE = 3
"""Times that faces of 64 pixels are enlarged for dlib, which was trained on chips of 150."""
BRIEF = (
    *("--width", "0.25", "--classifier-width", "0.5", "--segments", "2", "--epochs", "12", "--lr", "1e-3"),
    *("--validate-every", "0"),
)
"""A quarter of the paper's widths, and ten times its learning rate for its 5,000 epochs."""
KINDS = tuple(
    Training(kind, "rcgan", ("--kind", kind, "--initial", "encoder={voice}", *BRIEF)) for kind in ("cgan", "rcgan")
)


def score(exam: Exam) -> list[Finding]:
    """Of faces drawn for the test's segments, how many are nearest to their own class's target for dlib.

    Without link nothing changes: nine targets are looked up by voice, whoever's face they are (sheet 002, trap T3).
    """
    right = {kind: _told_right(exam, kind) for kind in ("cgan", "rcgan")}
    chance, count = 100 / 9, len(right["cgan"])
    others = 100 * accuracy(right["cgan"])
    return [
        Finding("C-GAN's faces nearest to their target", others, chance, count),
        Finding(
            "RC-GAN's faces nearest to their target", 100 * accuracy(right["rcgan"]), chance, count, low=others + 1
        ),
    ]


def _told_right(exam: Exam, kind: str) -> NDArray[np.bool_]:
    model, _ = restore(exam.best[kind])
    assert isinstance(model, Rcgan)
    model.eval()
    targets: dict[int, NDArray[np.uint8]] = {}
    made: list[NDArray[np.uint8]] = []
    wanted: list[int] = []
    for batch in batches(Reading(Folder(exam.data), model.inputs()).stream("test")):
        if batch["keys"]:
            with torch.inference_mode():
                made += list((255 * model(batch)).round().byte().permute(0, 2, 3, 1).numpy())
            wanted += batch["class"].tolist()
            targets |= dict(zip(batch["class"].tolist(), batch["face"].permute(0, 2, 3, 1).numpy(), strict=True))
    known = sorted(targets)
    scores = _vectors(made) @ _vectors([targets[label] for label in known]).T
    return np.array([known[at] for at in scores.argmax(1)]) == np.array(wanted)


def _vectors(faces: list[NDArray[np.uint8]]) -> NDArray[np.float64]:
    """(64, 64, 3) uint8 RGB -> unit vectors (N, 128); the faces are aligned, so that none is searched for."""
    large = [face.repeat(SCALE, 0).repeat(SCALE, 1) for face in faces]
    boxes = [Face((0.0, 0.0, float(face.shape[1]), float(face.shape[0])), 1.0) for face in large]
    return unit(open_embedder("dlib")(large, boxes))


LESSON = Lesson("RC-GAN and C-GAN, voices never heard", SPEAKERS, (VOICE, *KINDS), score)
