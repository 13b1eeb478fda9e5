"""Trained generators at work: the face of one recording, and a figure with the same voices by several models."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...loaders.folder import Folder, FolderError
from .drawing_inputs import SOUND
from .grid import ROWS, tiled
from .picture_space import square

FACES = ("masked.jpg", "face.webp")
"""Fields of config `faces` that hold a face crop, in the order of preference."""


@runtime_checkable
class FaceGenerator(Protocol):
    """A model that draws a face from a voice."""

    def generate(self, sound: NDArray[np.int16], speech: Sequence[tuple[int, int]]) -> Tensor:
        """(samples,) int16 at 16 kHz and where in it somebody speaks (first, end) -> (1, 3, H, W) uint8 RGB."""


def generated(network: FaceGenerator, sound: NDArray[np.int16], speech: Sequence[tuple[int, int]]) -> NDArray[np.uint8]:
    """What the model draws, (H, W, 3) uint8 RGB. The network is expected in evaluation mode."""
    with torch.inference_mode():
        drawn: NDArray[np.uint8] = network.generate(sound, speech)[0].permute(1, 2, 0).cpu().numpy()
    return drawn


def figure(networks: Sequence[FaceGenerator], folder: Folder, split: str) -> NDArray[np.uint8]:
    """As SF2F's figure 5: a row for each of up to 8 people of a split; what each network draws, and the true face.

    Of everybody the first recording and the first picture. Raises FolderError for a folder without voices and faces of
    the same people.
    """
    rows: dict[tuple[str, str], Mapping[str, Any]] = {}
    for row in folder.index.to_pylist():
        if row["split"] == split:
            rows.setdefault((row["config"], row["identity"]), row)
    people = sorted(who for config, who in rows if config == "voices" and ("faces", who) in rows)
    if not people:
        raise FolderError(f"{folder}: nobody of split {split!r} is in both configs, voices and faces")
    shown = [people[place] for place in np.linspace(0, len(people) - 1, min(ROWS, len(people))).astype(int)]
    drawn = [_drawn(networks, folder, rows["voices", who]) for who in shown]
    side = max(picture.shape[0] for picture in drawn[0])
    real = [square(torch.from_numpy(_face(folder, rows["faces", who])), side) for who in shown]
    columns = [
        torch.stack([torch.from_numpy(p).permute(2, 0, 1) for p in column]) for column in zip(*drawn, strict=True)
    ]
    return tiled([torch.stack(real), *columns])


def _drawn(networks: Sequence[FaceGenerator], folder: Folder, row: Mapping[str, Any]) -> list[NDArray[np.uint8]]:
    (sample,) = folder.fetch([row["key"]], [SOUND], config="voices")
    speech = [(part["first"], part["end"]) for part in row["speech"]]
    return [generated(network, sample[SOUND], speech) for network in networks]


def _face(folder: Folder, row: Mapping[str, Any]) -> NDArray[np.uint8]:
    there = {entry["name"] for entry in row["fields"]}
    name = next((name for name in FACES if name in there), None)
    if name is None:
        raise FolderError(
            f"{folder}: {row['key']} has none of {', '.join(FACES)}; there is: {', '.join(sorted(there))}"
        )
    (sample,) = folder.fetch([row["key"]], [name], config="faces")
    picture: NDArray[np.uint8] = sample[name]
    return picture
