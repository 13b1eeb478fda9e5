"""Pictures that a generator made, side by side in one PNG."""

from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...loaders.durable import written_aside
from .device import Place
from .evaluate import batches
from .model import Batch, Model

ROWS = 8
GAP = 2
"""White pixels between two pictures."""


def tiled(columns: Sequence[Tensor]) -> NDArray[np.uint8]:
    """Columns of (N, 3, H, W) uint8 RGB -> one picture of at most 8 rows, (h, w, 3) uint8 RGB.

    Pictures of other columns are scaled to the height of the first's. Raises ValueError for columns of unequal length.
    """
    height = columns[0].shape[2]
    rows = []
    for pictures in zip(*(column[:ROWS] for column in columns), strict=True):
        shown = [picture.permute(1, 2, 0).cpu().numpy() for picture in pictures]
        sized = [_of_height(picture, height) for picture in shown]
        rows.append(np.concatenate([np.pad(p, ((0, GAP), (0, GAP), (0, 0)), constant_values=255) for p in sized], 1))
    whole: NDArray[np.uint8] = np.concatenate(rows)[:-GAP, :-GAP]
    return whole


def _of_height(picture: NDArray[np.uint8], height: int) -> NDArray[np.uint8]:
    if picture.shape[0] == height:
        return picture
    size = (round(picture.shape[1] * height / picture.shape[0]), height)
    scaled: NDArray[np.uint8] = cv2.resize(picture, size, interpolation=cv2.INTER_NEAREST)
    return scaled


def save_picture(path: Path, picture: NDArray[np.uint8]) -> None:
    """Write (H, W, 3) uint8 RGB as PNG; an interruption leaves the file that was there.

    Raises ValueError for a folder or another ending than .png.
    """
    if path.is_dir() or path.suffix.lower() != ".png":
        raise ValueError(f"{path}: expected the name of a .png to write")
    path.parent.mkdir(parents=True, exist_ok=True)
    made, data = cv2.imencode(".png", picture[..., ::-1])
    if not made:
        raise ValueError(f"{path}: a picture of shape {picture.shape} cannot be written as PNG")
    with written_aside(path) as part:
        part.write_bytes(data.tobytes())


def write_grid(model: Model, stream: Iterable[Batch], place: Place, path: Path) -> None:
    """Write what `grid` gives as PNG; a model that draws nothing writes nothing."""
    found = grid(model, stream, place)
    if found is not None:
        save_picture(path, found)


def grid(model: Model, stream: Iterable[Batch], place: Place) -> NDArray[np.uint8] | None:
    """What the model makes of the stream's first samples, at most 8, as `tiled`; None of a model that draws nothing."""
    if type(model).draw is Model.draw:
        return None
    parts: list[list[Tensor]] = []
    for batch in batches(stream):
        if batch["keys"]:
            model.eval()
            with torch.inference_mode(), place.precision():
                parts.append(model.draw(place.move(batch)))
        if sum(len(columns[0]) for columns in parts if columns) >= ROWS:
            break
    if not parts or not parts[0]:
        return None
    return tiled([torch.cat(list(chain(column))) for column in zip(*parts, strict=True)])
