"""Test faces of SpeakingFaces' translation task, and what trained networks make of the thermal ones."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...loaders.folder import Folder, FolderError
from ...models.core.checkpoint import restore
from ...models.core.device import choose
from ...models.core.evaluate import batches
from ...models.core.reading import Reading
from ...models.core.translation import FacePairInputs, Translation
from .bench import BenchOptions

METHODS = ("cut", "cyclegan")
SPLIT = "test"
CONFIG = "pairs"


@dataclass(frozen=True)
class TestFaces:
    """N pairs in folder order: sample keys, people and trials (N,), visual and thermal crops (N, 3, 128, 128) uint8."""

    __test__ = False
    keys: NDArray[np.str_]
    people: NDArray[np.str_]
    trials: NDArray[np.int64]
    visual: Tensor
    thermal: Tensor


def test_faces(folder: Folder, options: BenchOptions) -> TestFaces:
    """All pairs of the test split. Raises FolderError where there are none."""
    if SPLIT not in folder.splits(CONFIG):
        raise FolderError(f"{folder}: no test pairs; build with --configs pairs, with a detector")
    keys: list[str] = []
    sets: dict[str, list[Tensor]] = {"visual": [], "thermal": []}
    reading = Reading(folder, FacePairInputs(), limit=options.limit, batch_size=options.batch_size)
    for batch in (batch for batch in batches(reading.stream(SPLIT)) if batch["keys"]):
        keys += batch["keys"]
        for name, parts in sets.items():
            parts.append(batch[name])
    if not keys:
        raise FolderError(f"{folder}: no test pair has a face")
    rows = folder.index.select(["key", "config", "identity", "trial"]).to_pylist()
    facts = {row["key"]: row for row in rows if row["config"] == CONFIG}
    return TestFaces(
        np.array(keys),
        np.array([facts[key]["identity"] for key in keys]),
        np.array([facts[key]["trial"] for key in keys]),
        *(torch.cat(parts) for parts in sets.values()),
    )


def checkpoints(method: str, options: BenchOptions) -> list[Path]:
    """RUNS/METHOD/seed*/best.pt of all seeds."""
    return sorted(Path(options.runs).glob(f"{method}/seed*/best.pt")) if options.runs else []


def networks(folder: Folder, method: str, options: BenchOptions) -> Iterator[Translation]:
    """The trained networks `RUNS/METHOD/seed*/best.pt`, in evaluation mode. Raises ValueError for one not of here."""
    for path in checkpoints(method, options):
        model, state = restore(path)
        if not isinstance(model, Translation) or model.name != method:
            raise ValueError(f"{path}: is of {state['model']}; expected {method}")
        if state["folder"] != folder.digest:
            raise ValueError(
                f"{path}: trained on a folder of digest {state['folder'][:12]}, this one has {folder.digest[:12]}. "
                "Give --data the folder it was trained on"
            )
        yield model.eval()


def translated(network: Translation, thermal: Tensor, options: BenchOptions) -> Tensor:
    """(N, 3, H, W) uint8 -> the visual faces (N, 3, h, w) uint8 that it makes of them."""
    place = choose(options.device, "fp32")
    network.to(place.device)
    with torch.inference_mode():
        parts = torch.split(thermal, options.batch_size)
        made = [network.translate(part.to(place.device)).cpu() for part in parts]
    return torch.cat(made)


def pictures(faces: Tensor) -> list[NDArray[np.uint8]]:
    """(N, 3, H, W) uint8 -> N pictures (H, W, 3)."""
    return [np.ascontiguousarray(face.permute(1, 2, 0).numpy()) for face in faces]
