"""Does anything of a table of vectors occur in its gallery, or in what its network was trained on."""

import numpy as np

from .controls import Control
from .embedding_table import EmbeddingTable
from .metrics import unit

NEAR = 0.999
"""Cosine from which vectors of one network are called those of one picture: recompression stays above it."""
AT_ONCE = 1024
"""Rows whose cosines to all others are held together."""


def gallery_leakage(probes: EmbeddingTable, gallery: EmbeddingTable, leave_one_out: bool) -> Control:
    """Probes whose very vector the gallery holds: the same picture is looked for and found. Their own row is none."""
    times: dict[bytes, int] = {}
    for row in gallery.vectors:
        times[row.tobytes()] = times.get(row.tobytes(), 0) + 1
    twice = [at for at, row in enumerate(probes.vectors) if times.get(row.tobytes(), 0) > leave_one_out]
    some = f", as row {twice[0]} of {probes.labels[twice[0]]}" if twice else ""
    said = f"the vectors of {len(twice)} of {len(probes.labels):,} probes are in the gallery as well{some}; expected 0"
    return Control("leakage", "probes beside the gallery", said, not twice)


def training_leakage(probes: EmbeddingTable, training: EmbeddingTable) -> list[Control]:
    """What probes share with what their network was trained on: names of people, and near-duplicate pictures.

    Raises ValueError for vectors of another size, which are not of one network.
    """
    if probes.vectors.shape[1] != training.vectors.shape[1]:
        raise ValueError(
            f"{training.source}: vectors of {training.vectors.shape[1]} numbers, {probes.source} has "
            f"{probes.vectors.shape[1]}; --training must be of the same network"
        )
    shared = sorted({*probes.people.tolist()} & {*training.people.tolist()})
    some = f", as {shared[0]}" if shared else ""
    people = f"{len(shared)} of {len(probes.people):,} people occur in both{some}; expected 0"
    mine, theirs = unit(probes.vectors), unit(training.vectors).T
    parts = [(mine[start : start + AT_ONCE] @ theirs).max(1) for start in range(0, len(mine), AT_ONCE)]
    nearest = np.concatenate(parts)
    close = int((nearest >= NEAR).sum())
    pictures = (
        f"{close} of {len(mine):,} probes have a near duplicate among {theirs.shape[1]:,}; the nearest's cosine is "
        f"{nearest.max():.4f}, expected below {NEAR}"
    )
    about = f"probes beside {training.source}"
    return [Control("leakage", about, people, not shared), Control("leakage", about, pictures, not close)]
