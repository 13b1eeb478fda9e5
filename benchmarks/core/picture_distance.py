"""A distance between sets of faces, like the Frechet inception distance with a face network's numbers in its place."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...loaders.folder import Folder
from ...models.core.checkpoint import restore
from ...models.core.detectors import Face
from ...models.core.embedding import Embedder, open_embedder
from ...models.core.evaluate import batches
from ...models.core.model import Batch, create
from ...models.core.reading import Reading
from ...models.core.translation import Translation
from .metrics import frechet_distance

SCALE = 1000.0
"""Unit vectors of 128 numbers lie close together: distances are told in thousandths."""


@dataclass(frozen=True)
class TranslationDistances:
    """Of sets of pictures from the real visual faces of the same samples; 0 for the same set."""

    trained: float
    untrained: float
    """By the same network before its first step."""
    thermal: float
    """Of the thermal faces as they are."""
    count: int


def translation_distances(data: Path, checkpoint: Path, split: str = "test", where: str = "") -> TranslationDistances:
    """How far a checkpoint's translations of a split are from its real visual faces, before and after training.

    As FID, with dlib's unit vectors of whole crops (SpeakingFaces 7.4 gives the whole crop as the face too) in
    place of Inception's. Of 128 pictures or fewer the covariance has no full rank: compare with distances of the
    same samples only. Raises ValueError for a checkpoint of a model that does not translate.
    """
    model, state = restore(checkpoint)
    if not isinstance(model, Translation):
        raise ValueError(
            f"{checkpoint}: is of {state['model']}, which translates no pictures; expected cyclegan or cut"
        )
    torch.manual_seed(state["seed"])
    before = create(model.name, model.settings)
    assert isinstance(before, Translation)
    embed = open_embedder("dlib")
    found: dict[str, list[NDArray[np.float32]]] = {}
    for batch in _batches(Path(data), model, split, where):
        sets = {"visual": batch["visual"], "thermal": batch["thermal"]}
        for name, network in (("trained", model), ("untrained", before)):
            network.eval()
            with torch.inference_mode():
                sets[name] = network.translate(batch["thermal"])
        for name, pictures in sets.items():
            found.setdefault(name, []).append(described(embed, pictures))
    vectors = {name: np.concatenate(parts).astype(np.float64) for name, parts in found.items()}
    apart = {name: SCALE * frechet_distance(vectors["visual"], made) for name, made in vectors.items()}
    return TranslationDistances(apart["trained"], apart["untrained"], apart["thermal"], len(vectors["visual"]))


def described(embed: Embedder, pictures: Tensor) -> NDArray[np.float32]:
    """An embedder's unit vectors (N, D) of faces (N, 3, H, W) uint8 RGB that fill their pictures."""
    height, width = pictures.shape[2:]
    listed = [np.ascontiguousarray(picture.permute(1, 2, 0).numpy()) for picture in pictures]
    return embed(listed, [Face((0.0, 0.0, float(width), float(height)), 1.0)] * len(listed))


def _batches(data: Path, model: Any, split: str, where: str) -> Iterator[Batch]:
    for batch in batches(Reading(Folder(data), model.inputs(), where=where, batch_size=32).stream(split)):
        if batch["keys"]:
            yield batch
