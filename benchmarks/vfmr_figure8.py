"""Figure 8 of VFMR: the individual test, every identity against all others."""

import numpy as np

from .core.bench import BenchOptions
from .core.table import Measured, Row, Table
from .core.voice_face import SPLIT, command, measured_folder
from .core.voice_face_scores import Scores

TITLE = "VFMR, Figure 8: individual test, identities by their 1:2 accuracy"
DATASETS = ("vox_vgg", "chinese_vf", "hq_voxceleb")
CONFIGS = ("voices", "faces")
NEEDS = "checkpoints of `facevox train vfmr` (stage joint)"
TRAININGS = ("vfmr --stage joint --no-freeze-voice",)
WITHOUT = {"judge": "who somebody is stands in the folder; no judge is asked"}
BELOW, ABOVE, MEAN = "identities below 60 %, in %", "identities above 75 %, in %", "mean accuracy, %"
HARDEST = 20
"""Identities that are listed."""
PUBLISHED = {("VFMR1", BELOW): 100 * 15 / 1251}
"""Only 15 of 1,251 below 60 %; of those above 75 % the paper says "most"."""


def run(options: BenchOptions) -> Table:
    """Measure what the folder is about and set it beside the paper. Raises ValueError, FolderError."""
    folder, about, scores = measured_folder(options)
    found = measure(scores) if scores else {}
    comparable = scores is None or scores.as_published
    rows = [
        Row((model, what), PUBLISHED.get((model, what)), found.get(what) if model == about else None,
            command(model, options, "vfmr_figure8"), digits=2, comparable=comparable)
        for model in dict.fromkeys(("VFMR1", about))
        for what in (BELOW, ABOVE, MEAN)
    ]  # fmt: skip
    facts = {"folder": folder.digest, "about": about, "protocol": options.protocol, "seed": options.seed}
    notes = (*scores.notes(), *hardest(scores)) if scores else ()
    outcomes = (scores.outcomes((about, "1:2"), SPLIT),) if scores else ()
    controls = tuple(scores.controls(f"{about}, 1:2")) if scores else ()
    return Table(TITLE, ("model", "what"), tuple(rows), notes, facts, outcomes=outcomes, controls=controls)


# --- measuring: nothing below knows what the paper printed ---


def measure(scores: Scores) -> dict[str, Measured]:
    """Shares of identities, and their mean, of all triplets; the paper draws 10 for each two people."""
    statistics = {BELOW: lambda one: one < 0.6, ABOVE: lambda one: one > 0.75, MEAN: lambda one: one}
    return {what: scores.of_people(statistic) for what, statistic in statistics.items()}


def hardest(scores: Scores) -> list[str]:
    """The histogram and the identities with the lowest accuracy, in words."""
    mean = np.mean(scores.individuals, axis=0)
    counts, edges = np.histogram(mean, np.linspace(0, 1, 11))
    parts = (f"{100 * low:.0f} to {100 * low + 10:.0f} %: {n}" for low, n in zip(edges, counts, strict=False) if n)
    order = np.argsort(mean, kind="stable")[:HARDEST]
    named = ", ".join(f"{scores.seeds[0].people[at]} {100 * mean[at]:.1f}" for at in order)
    return [f"identities by accuracy: {'; '.join(parts)}", f"lowest: {named}"]
