"""How far voices are from faces of the same person and of others, over all pairs (VFMR, Figure 9)."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ...models.core.device import choose
from .embeddings import Embeddings

BINS = 64
PAIRS_AT_ONCE = 1 << 22
"""Distances that are held together; changes no number."""


@dataclass(frozen=True)
class Distances:
    """Euclidean distances of voices to own faces (positive) and to faces of others (negative)."""

    positive: NDArray[np.float64]
    """Mean of every identity's voices and own faces, (P,) in the order of the names."""
    negative: NDArray[np.float64]
    """Mean of every identity's voices and all faces of others, (P,)."""
    edges: NDArray[np.float64]
    """Of BINS equal parts from 0 to the largest distance there can be, (BINS + 1,)."""
    counts: NDArray[np.int64]
    """Pairs in each part, (2, BINS): positive, negative."""


def distances(embeddings: Embeddings, scale: float = 1.0, device: str = "auto") -> Distances:
    """Of all voices and faces, divided by `scale`: 0 to 2 where the vectors are of that length."""
    place = choose(device, "fp32").device
    heard, seen = (torch.from_numpy(part.values).to(place) / scale for part in (embeddings.voices, embeddings.faces))
    names = np.array(embeddings.people)
    of_voice, of_face = (
        torch.from_numpy(np.searchsorted(names, part.identities)).to(place)
        for part in (embeddings.voices, embeddings.faces)
    )
    most = float(heard.norm(dim=1).max() + seen.norm(dim=1).max()) or 1.0
    sums = torch.zeros(2, len(names), dtype=torch.float64, device=place)
    pairs, counts = torch.zeros_like(sums), torch.zeros(2, BINS, dtype=torch.int64, device=place)
    rows = max(PAIRS_AT_ONCE // len(seen), 1)
    for start in range(0, len(heard), rows):
        whose = of_voice[start : start + rows]
        # Products would lose the digits that small distances have.
        found = torch.cdist(heard[start : start + rows], seen, compute_mode="donot_use_mm_for_euclid_dist")
        own = whose[:, None] == of_face[None]
        bins = (found * (BINS / most)).long().clamp(max=BINS - 1)
        for kind, chosen in enumerate((own, ~own)):
            sums[kind].index_add_(0, whose, (found * chosen).sum(1, dtype=torch.float64))
            pairs[kind].index_add_(0, whose, chosen.sum(1).double())
            counts[kind] += torch.bincount(bins[chosen], minlength=BINS)
    positive, negative = (sums / pairs).cpu().numpy()
    return Distances(positive, negative, np.linspace(0, most, BINS + 1), counts.cpu().numpy())
