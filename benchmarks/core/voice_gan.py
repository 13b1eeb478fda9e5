"""What voice-GAN's tables read of a folder: faces of its classes, their targets, and its trained models."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...loaders.folder import Folder, FolderError
from ...models.core.checkpoint import restore
from ...models.core.evaluate import batches
from ...models.core.face_crops import resized
from ...models.core.model import Model
from ...models.core.reading import Reading
from ...models.rcgan import FACE, Rcgan
from .bench import BenchOptions
from .embedding_table import EmbeddingTable
from .judges import PictureJudge
from .metrics import unit

SPLIT = "test"
PICTURE = "face.webp"
SIDE = 192
"""Pixels that faces of 64 are enlarged to, as judges were trained on larger ones."""
CLASSIFIER = "voice_classifier"


def checkpoints(run: str, options: BenchOptions) -> list[Path]:
    """RUNS/RUN/seed*/best.pt of all seeds."""
    return sorted(Path(options.runs).glob(f"{run}/seed*/best.pt")) if options.runs else []


def opened(folder: Folder, path: Path) -> Model:
    """A checkpoint's model in evaluation mode. Raises ValueError where it was trained on another folder."""
    model, state = restore(path)
    named = "-".join(filter(None, (model.name, model.variant)))
    if path.parts[-3] != named:
        raise ValueError(f"{path}: holds {named}; expected what its folder's name says")
    if state["folder"] != folder.digest:
        raise ValueError(
            f"{path}: trained on a folder of digest {state['folder'][:12]}, this one has {folder.digest[:12]}. "
            "Give --data the folder it was trained on"
        )
    return model.eval()


# --- real faces ---


def class_people(folder: Folder) -> dict[int, str]:
    """Who each class of config rcgan is. Raises FolderError where there is none."""
    rows = folder.index.select(["config", "class_index", "identity"]).to_pylist()
    found = {row["class_index"]: row["identity"] for row in rows if row["config"] == "rcgan"}
    if not found:
        raise FolderError(f"{folder}: no class in config rcgan; build it with --num-classes")
    return dict(sorted(found.items()))


def class_faces(folder: Folder, judge: PictureJudge, name: str, limit: int = 0) -> EmbeddingTable:
    """Unit vectors of all faces of the classes' people in config faces, of any split; at most `limit` (0: all).

    Raises FolderError where none of them has a face.
    """
    people = set(class_people(folder).values())
    rows = folder.index.select(["config", "identity", "key"]).to_pylist()
    wanted = sorted((r["identity"], r["key"]) for r in rows if r["config"] == "faces" and r["identity"] in people)
    vectors = []
    for _, key in wanted[: limit or None]:
        (sample,) = folder.fetch([key], [PICTURE], config="faces")
        vectors.append(judge([sample[PICTURE]])[0])
    if not vectors:
        raise FolderError(f"{folder}: none of the classes of config rcgan has a face in config faces")
    who = np.array([identity for identity, _ in wanted[: limit or None]], np.str_)
    return EmbeddingTable(name, unit(np.array(vectors)), who)


def targets(folder: Folder, judge: PictureJudge) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The classes that the test has (K,), and unit vectors (K, D) of their target faces."""
    keys: dict[int, str] = {}
    for row in folder.index.select(["config", "split", "class_index", "key"]).to_pylist():
        if (row["config"], row["split"]) == ("rcgan", SPLIT):
            keys.setdefault(row["class_index"], row["key"])
    classes = sorted(keys)
    samples = folder.fetch([keys[one] for one in classes], [FACE], config="rcgan")
    faces = [sample[FACE] for sample in samples]
    return np.array(classes), unit(judge([resized(face, (SIDE, SIDE)) for face in faces]))


# --- voices ---


def heard(folder: Folder, model: Model, options: BenchOptions) -> Mapping[str, Any]:
    """Of every test segment its recording's `keys`, its `class`, and as `spectrogram` what is heard."""
    reading = Reading(folder, model.inputs(), limit=options.limit, batch_size=options.batch_size)
    found = [batch for batch in batches(reading.stream(SPLIT)) if batch["keys"]]
    if not found:
        raise FolderError(f"{folder}: no audible test recording in config rcgan")
    return {
        "keys": np.array([key for batch in found for key in batch["keys"]], np.str_),
        "class": torch.cat([batch["class"] for batch in found]).numpy(),
        "spectrogram": torch.cat([batch["spectrogram"] for batch in found]),
    }


@dataclass(frozen=True)
class DrawnFaces:
    """Of every test segment (S,): its recording, its class, and unit vectors (S, D) of the face drawn from it."""

    keys: NDArray[np.str_]
    label: NDArray[np.int64]
    vectors: NDArray[np.float64]


def drawn(folder: Folder, path: Path, judge: PictureJudge, options: BenchOptions) -> DrawnFaces:
    """Faces that a checkpoint of rcgan draws, as a judge sees them. Raises ValueError, FolderError."""
    model = opened(folder, path)
    if not isinstance(model, Rcgan):
        raise ValueError(f"{path}: {model.name} draws no faces of classes; expected rcgan")
    found, vectors = heard(folder, model, options), []
    for part in found["spectrogram"].split(options.batch_size):
        with torch.inference_mode():
            faces: Tensor = (255 * model({"spectrogram": part})).round().clamp(0, 255).to(torch.uint8)
        pictures = list(faces.permute(0, 2, 3, 1).numpy())
        vectors.append(judge([resized(np.ascontiguousarray(face), (SIDE, SIDE)) for face in pictures]))
    return DrawnFaces(found["keys"], found["class"], unit(np.concatenate(vectors)))
