"""Trained translations at work: one picture, and a figure with the same faces by several models."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...loaders.folder import Folder, FolderError
from .grid import ROWS, tiled
from .model import Batch, Inputs


@runtime_checkable
class Translator(Protocol):
    """A model that makes pictures of another kind out of pictures."""

    def translate(self, pictures: Tensor) -> Tensor:
        """(B, 3, H, W) uint8 RGB of any size -> (B, 3, h, w) uint8 RGB."""

    def inputs(self) -> Inputs:
        """What gives batches with the pictures `thermal` and what they should become, `visual`."""


def translated(network: Translator, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB -> (h, w, 3) uint8 RGB. The network is expected in evaluation mode."""
    with torch.inference_mode():
        made = network.translate(torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))[None])
    turned: NDArray[np.uint8] = made[0].permute(1, 2, 0).numpy()
    return turned


def figure(networks: Sequence[Translator], folder: Folder, split: str) -> NDArray[np.uint8]:
    """As SpeakingFaces' figure 9: a row for each of up to 8 people of a split; thermal, each network's, real.

    Of everybody the sample in the middle, of the config that the first network was made for. Raises FolderError for a
    folder without that config or split.
    """
    batch = _one_of_everybody(networks[0].inputs(), folder, split)
    with torch.inference_mode():
        made = [network.translate(batch["thermal"]) for network in networks]
    return tiled([batch["thermal"], *made, batch["visual"]])


def _one_of_everybody(inputs: Inputs, folder: Folder, split: str) -> Batch:
    if split not in (there := folder.splits(inputs.config)):
        raise FolderError(
            f"{folder}: config {inputs.config!r} has no split {split!r}; there is: {', '.join(there) or 'none'}"
        )
    keys: dict[str, list[str]] = {}
    for row in folder.index.select(["key", "identity", "config", "split"]).to_pylist():
        if (row["config"], row["split"]) == (inputs.config, split):
            keys.setdefault(row["identity"], []).append(row["key"])
    middle = [listed[len(listed) // 2] for _, listed in sorted(keys.items())]
    chosen = [middle[place] for place in np.linspace(0, len(middle) - 1, min(ROWS, len(middle))).astype(int)]
    batch = inputs(list(folder.fetch(chosen, inputs.fields, inputs.frames, inputs.config)))
    if not batch["keys"]:
        raise FolderError(f"{folder}: no sample of {inputs.config}, {split} has a face")
    return batch
