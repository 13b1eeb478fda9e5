"""Faces drawn from voices that were not trained on: RC-GAN's are told right more often than C-GAN's (Table I)."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...loaders.folder import Folder
from ...models.core.checkpoint import restore
from ...models.core.detectors import Face
from ...models.core.embedding import open_embedder
from ...models.core.evaluate import batches
from ...models.core.grid import save_picture, tiled
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


FIGURE = "figure10.png"
"""Rows of different people: target, C-GAN's face, RC-GAN's, as in the paper's figure."""


def score(exam: Exam) -> list[Finding]:
    """Of faces drawn for the test's segments, how many are nearest to their own class's target for dlib.

    Without link nothing changes: nine targets are looked up by voice, whoever's face they are (sheet 002, trap T3).
    Draws the figure beside the population's data.
    """
    drawn = {kind.name: _drawn(exam, kind.name) for kind in KINDS}
    right = {kind: _told_right(faces) for kind, faces in drawn.items()}
    _, rows = np.unique(drawn["cgan"].label, return_index=True)
    columns = [drawn["cgan"].target, drawn["cgan"].made, drawn["rcgan"].made]
    save_picture(exam.data.parent / FIGURE, tiled([column[torch.from_numpy(rows)] for column in columns]))
    chance, count = 100 / len(rows), len(right["cgan"])
    others, own = (100 * accuracy(right[kind.name]) for kind in KINDS)
    return [
        Finding("C-GAN's faces nearest to their target", others, chance, count),
        Finding("RC-GAN's faces nearest to their target", own, chance, count, low=others + 1),
    ]


@dataclass(frozen=True)
class Drawn:
    """Of every segment: its class (S,), that class's target and the face made, (S, 3, 64, 64) uint8 RGB."""

    label: NDArray[np.int64]
    target: Tensor
    made: Tensor


def _drawn(exam: Exam, kind: str) -> Drawn:
    model, _ = restore(exam.best[kind])
    assert isinstance(model, Rcgan)
    model.eval()
    parts: list[tuple[Tensor, Tensor, Tensor]] = []
    with torch.inference_mode():
        for batch in batches(Reading(Folder(exam.data), model.inputs()).stream("test")):
            if batch["keys"]:
                made = (255 * model(batch)).round().to(torch.uint8)
                parts.append((batch["class"], batch["face"], made))
    label, target, made = (torch.cat(column) for column in zip(*parts, strict=True))
    return Drawn(label.numpy(), target, made)


def _told_right(drawn: Drawn) -> NDArray[np.bool_]:
    known, first = np.unique(drawn.label, return_index=True)
    scores = _vectors(drawn.made) @ _vectors(drawn.target[torch.from_numpy(first)]).T
    told: NDArray[np.bool_] = known[scores.argmax(1)] == drawn.label
    return told


def _vectors(faces: Tensor) -> NDArray[np.float64]:
    """(N, 3, 64, 64) uint8 RGB -> unit vectors (N, 128); the faces are aligned, so that none is searched for."""
    large = list(faces.permute(0, 2, 3, 1).numpy().repeat(SCALE, 1).repeat(SCALE, 2))
    boxes = [Face((0.0, 0.0, float(face.shape[1]), float(face.shape[0])), 1.0) for face in large]
    return unit(open_embedder("dlib")(large, boxes))


LESSON = Lesson("RC-GAN and C-GAN, voices never heard", SPEAKERS, (VOICE, *KINDS), score)
