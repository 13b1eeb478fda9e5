"""The gallery vote of SpeakingFaces' recognition test on any table of embeddings."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from .core.bench import BenchOptions
from .core.controls import Control, classification
from .core.embedding_leakage import gallery_leakage, training_leakage
from .core.embedding_table import EmbeddingTable, read_embeddings
from .core.metrics import Interval
from .core.outcomes import Outcomes
from .core.pair_controls import pair_controls
from .core.recognition import Rule, Vote, vote, vote_accuracy
from .core.table import Measured, Row, Table
from .core.verification import curve, intervals, pairs

TITLE = "Recognition by gallery vote (SpeakingFaces): whose face is it, of all in the gallery"
ASKS = ("embeddings",)
FOLDER = False
COMMAND = "facevox bench recognition --embeddings E.npz --leave-one-out"
NEEDS = "no folder, a table of vectors and labels"
WITHOUT = {"judge": "the vectors are a judge's own: the table itself is its error"}
TOLERANCES = {"euclidean": (0.35, 0.40, 0.45, 0.50, 0.55, 0.60), "cosine": (0.30, 0.35, 0.40, 0.45, 0.50, 0.60)}
"""Measured when none is given; the authors used 0.45 with dlib and 0.35 with ArcFace."""
COUNTS = ("TP", "FP", "FN")
SHARES = ("precision", "recall", "F1", "accuracy")
SUBJECTS = 42
MOST_PAIRS = 1_000_000
"""Of the verification; more are drawn by the seed."""

PUBLISHED: dict[tuple[str, int], dict[float | str, dict[str, float]]] = {
    ("euclidean", 128): {
        "pairs": {"equal error": 0.0447},
        0.35: {"TP": 1128, "FP": 1, "FN": 5, "precision": 0.9991, "recall": 0.9956},
        0.40: {"TP": 1127, "FP": 6, "FN": 1, "precision": 0.9947, "recall": 0.9991},
        0.45: {"TP": 1118, "FP": 16, "FN": 0, "precision": 0.9859, "recall": 1.0},
        0.50: {"TP": 1088, "FP": 46, "FN": 0, "precision": 0.9594, "recall": 1.0},
        0.55: {"TP": 930, "FP": 204, "FN": 0, "precision": 0.8201, "recall": 1.0},
        0.60: {"TP": 552, "FP": 582, "FN": 0, "precision": 0.4868, "recall": 1.0},
    },
    ("cosine", 512): {
        0.30: {"TP": 1119, "FP": 11, "FN": 0, "F1": 0.9951},
        0.35: {"TP": 1126, "FP": 4, "FN": 0, "F1": 0.9982},
        0.40: {"TP": 1127, "FP": 3, "FN": 0, "F1": 0.9987},
        0.45: {"TP": 1128, "FP": 2, "FN": 0, "F1": 0.9991},
        0.50: {"TP": 1130, "FP": 0, "FN": 0, "F1": 1.0},
        0.60: {"TP": 1128, "FP": 0, "FN": 2, "F1": 0.9991},
    },
}
"""Leave-one-out over the vectors that the authors published, all 42 subjects: dlib's 1134 and ArcFace's 1130."""


@dataclass(frozen=True)
class Recognised:
    """The vote at one tolerance, with intervals over people."""

    vote: Vote
    intervals: Mapping[str, Interval]


def run(options: BenchOptions) -> Table:
    """The vote at the tolerance given, or at all published ones. Raises ValueError, FileNotFoundError."""
    probes, gallery = _tables(options)
    found = measure(probes, gallery, options)
    published = PUBLISHED.get((options.metric, probes.vectors.shape[1]), {}) if options.leave_one_out else {}
    rows: list[Row] = []
    for tolerance, one in found.items():
        printed = published.get(tolerance, {})
        scores, same = one.vote.scores(), sum(printed.get(name, 0) for name in COUNTS) == len(probes.labels)
        for name in (*COUNTS, *SHARES):
            digits = 0 if name in COUNTS else 4
            measured = Measured(
                scores[name], len(probes.labels), len(probes.people), one.intervals[name], None, 1, probes.digest
            )
            rows.append(Row((f"{tolerance:.2f}", name), printed.get(name), measured, digits=digits, comparable=same))
    if options.leave_one_out:
        same = len(probes.people) == SUBJECTS
        for name, measured in verification(probes, options).items():
            value = published.get("pairs", {}).get(name)
            rows.append(Row(("pairs", name), value, measured, digits=4, comparable=same))
    facts = {"embeddings": probes.digest, "gallery": gallery.digest, "metric": options.metric, "seed": options.seed}
    notes = _notes(probes, gallery, options, found, bool(published))
    controls = (
        *(one for tolerance, found_at in found.items() for one in controlled(tolerance, found_at.vote)),
        *shared(probes, gallery, options),
    )
    return Table(TITLE, ("tolerance", "score"), tuple(rows), notes, facts, controls=controls)


def _tables(options: BenchOptions) -> tuple[EmbeddingTable, EmbeddingTable]:
    if not options.embeddings:
        raise ValueError("recognition needs --embeddings, a table of vectors and labels (.npz, .csv or .parquet)")
    if options.leave_one_out == bool(options.gallery):
        raise ValueError("recognition needs a gallery: give either --leave-one-out or --gallery TABLE")
    probes = read_embeddings(options.embeddings)
    return probes, probes if options.leave_one_out else read_embeddings(options.gallery)


def _notes(
    probes: EmbeddingTable,
    gallery: EmbeddingTable,
    options: BenchOptions,
    found: Mapping[float, Recognised],
    published: bool,
) -> tuple[str, ...]:
    match = "a distance of at most" if options.metric == "euclidean" else "a cosine above"
    people, count = len(probes.people), len(probes.labels)
    tied = ", ".join(f"{tolerance:.2f}: {one.vote.tied.sum()}" for tolerance, one in found.items())
    notes = [
        f"{count} probes of {people} people against {len(gallery.labels)} gallery vectors of {len(gallery.people)}"
        f"{', own vector left out' if options.leave_one_out else ''}; a match: {match} the tolerance; most matches "
        "win, of equals the one met first in the gallery. FN: no match at all, FP: another's name",
        f"votes that were tied: {tied}",
        "95 %: bootstrap over the probes' people, the gallery as it is",
    ]
    if not options.training:
        notes.append(
            "leakage: whether the network was trained on these people or pictures cannot be told from their vectors; "
            "--training FILE, its vectors and labels of what it was trained on, looks for both"
        )
    if published and people != SUBJECTS:
        notes.insert(
            1,
            f"published: all {SUBJECTS} subjects of SpeakingFaces' trial 1, here are {people} people to confuse, "
            "so no difference is told",
        )
    return tuple(notes)


# --- measuring: nothing below knows what was printed ---


def measure(probes: EmbeddingTable, gallery: EmbeddingTable, options: BenchOptions) -> dict[float, Recognised]:
    """The vote at each tolerance. Raises ValueError for tables that do not fit each other."""
    tolerances = (options.tolerance,) if options.tolerance else TOLERANCES[options.metric]
    found: dict[float, Recognised] = {}
    for tolerance in tolerances:
        rule = Rule(options.metric, tolerance)
        one = vote(probes.vectors, probes.labels, gallery.vectors, gallery.labels, rule, options.leave_one_out)
        found[tolerance] = Recognised(one, one.intervals(options.seed))
    return found


def controlled(tolerance: float, one: Vote) -> list[Control]:
    """Chance and oracle of the accuracy at a tolerance."""
    keys, merit = np.arange(len(one.own)), (one.named == one.own).astype(np.float64)
    score = partial(vote_accuracy, one.people)
    row = (f"{tolerance:.2f}", "accuracy")
    return classification(Outcomes(row, "", keys, merit, one.own, one.own, one.named[None], score=score))


def shared(probes: EmbeddingTable, gallery: EmbeddingTable, options: BenchOptions) -> list[Control]:
    """Controls of all pairs, where they are told, and what probes share with the gallery and with --training."""
    found = [gallery_leakage(probes, gallery, options.leave_one_out)]
    if options.training:
        found += training_leakage(probes, read_embeddings(options.training))
    if options.leave_one_out:
        tolerance = options.tolerance or TOLERANCES[options.metric][2]
        tau = tolerance if options.metric == "euclidean" else 1 - tolerance
        found += pair_controls("pairs", probes, options.metric, tau, options.seed)
    return found


def verification(table: EmbeddingTable, options: BenchOptions) -> dict[str, Measured]:
    """Area under the curve and equal error of all pairs, or of `MOST_PAIRS`. Raises ValueError for one person alone."""
    found = pairs(table.vectors, table.labels, options.metric, MOST_PAIRS, options.seed)
    line, (area, error) = curve(found), intervals(found, options.seed)
    told = {"AUC": (line.area, area), "equal error": (line.equal_error[0], error)}
    return {
        name: Measured(value, len(found.distances), len(found.people), between, None, 1, table.digest)
        for name, (value, between) in told.items()
    }
