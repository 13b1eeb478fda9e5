"""What trained generators make of some samples of a split, as pictures of a report."""

from collections.abc import Mapping
from pathlib import Path

import cv2

from ...loaders.folder import Folder
from ...models.core.checkpoint import restore
from ...models.core.device import choose
from ...models.core.grid import ROWS, grid
from ...models.core.reading import Reading
from .bench import BenchOptions
from .table import Picture

QUALITY = 90
"""Of JPEG: a grid of faces of 64 pixels then takes some twenty kilobytes."""


def generated_grids(
    folder: Folder, split: str, checkpoints: Mapping[str, Path], columns: str, options: BenchOptions
) -> tuple[Picture, ...]:
    """One picture for each checkpoint, by its name in the table: rows of samples, columns as the words say.

    Only for a report (`options.pictures`), and only of checkpoints trained on this folder. Shown are the samples that
    validation draws too: the first in folder order, or people in the order of seed 0, whatever became of them.
    """
    found = []
    for name, path in checkpoints.items() if options.pictures else ():
        model, state = restore(path)
        if state["folder"] != folder.digest:
            continue
        place = choose(options.device, "fp32")
        model.eval().to(place.device)
        stream = Reading(folder, model.inputs(), batch_size=ROWS).stream(split)
        drawn = grid(model, stream, place)
        if drawn is not None:
            made, data = cv2.imencode(".jpg", drawn[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
            if not made:
                raise ValueError(f"{path}: a grid of shape {drawn.shape} cannot be written as JPEG")
            rows = f"rows of samples of split {split}, not picked by how they came out"
            described = f"{name}: {rows}; from left to right {columns}"
            found.append(Picture(f"{name}: {columns}", described, data.tobytes()))
    return tuple(found)
