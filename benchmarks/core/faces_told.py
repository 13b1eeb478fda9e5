"""What Speech2Face's voice encoder tells of faces, and where the clip's own face stands among all of a split."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ...loaders.folder import Folder
from ...models.core.evaluate import batches
from ...models.core.reading import Reading
from ...models.speech2face import Speech2face
from .metrics import ranks, unit

KS = (1, 5, 10, 25, 50, 75, 100)


@dataclass(frozen=True)
class Told:
    """Of the clips of a split with a voice: `keys` and `videos` (N,), vectors told and of their faces (N, D)."""

    keys: NDArray[np.str_]
    videos: NDArray[np.str_]
    told: NDArray[np.float64]
    faces: NDArray[np.float64]

    def scores(self) -> Mapping[str, NDArray[np.float64]]:
        """Per clip (N,): in %, R@K of the own face among all, and of any face of the own video; then distances.

        Cosine; L1 and L2 of unit vectors. Ranked by the cosine, as by squared L2 of unit vectors.
        """
        own = ranks(self.told, self.faces, np.arange(len(self.keys)))
        found = {f"R@{k}": 100.0 * (own < k) for k in KS}
        likeness = unit(self.told) @ unit(self.faces).T
        same = self.videos[:, None] == self.videos[None]
        best = np.where(same, likeness, -np.inf).max(1)[:, None]
        # Of equals those of others come first: a tie is no hit.
        before = ((likeness >= best) & ~same).sum(1)
        found |= {f"R@{k} by video": 100.0 * (before < k) for k in KS}
        gaps = unit(self.told) - unit(self.faces)
        lengths = {"L1": np.abs(gaps).sum(1), "L2": np.linalg.norm(gaps, axis=1)}
        return found | {"cosine": np.asarray(likeness.diagonal())} | lengths


def told(model: Speech2face, folder: Folder, split: str, batch_size: int, device: torch.device) -> Told:
    """Of every clip with a voice. Raises ValueError for a split without, or vectors of another face network."""
    names = folder.index.select(["key", "youtube_id"]).to_pylist()
    video = {row["key"]: row["youtube_id"] for row in names}
    keys, heard, seen = list[str](), [], []
    model.to(device).eval()
    with torch.inference_mode():
        for batch in batches(Reading(folder, model.inputs(), batch_size=batch_size).stream(split)):
            if batch["keys"]:
                keys += batch["keys"]
                heard.append(model({"wave": batch["wave"].to(device)}).double().cpu().numpy())
                seen.append(batch["face"].double().numpy())
    if not keys:
        raise ValueError(f"{folder}: no clip of split {split} has a voice")
    videos = np.array([video[key] for key in keys])
    return Told(np.array(keys), videos, np.concatenate(heard), np.concatenate(seen))
