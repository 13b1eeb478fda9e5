"""Table 5 of SpeakingFaces (Sensors 2021, 21(10), 3465): whom dlib takes translated thermal faces for."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from ..loaders.folder import Folder
from .core.bench import BenchOptions
from .core.controls import Control
from .core.judges import judge_control, open_judge
from .core.metrics import Interval, spread
from .core.outcomes import Outcomes
from .core.protocol import Protocol
from .core.recognition import NOBODY, Rule, Vote, vote, vote_accuracy
from .core.table import Measured, Row, Table
from .core.translated_faces import CONFIG, METHODS, SPLIT, networks, pictures, test_faces, translated

TITLE = "SpeakingFaces, Table 5: recognition of real and translated faces by dlib"
DATASETS = ("speakingfaces",)
CONFIGS = ("pairs",)
NEEDS = "checkpoints of `facevox train cyclegan` and `facevox train cut`, dlib"
TRAININGS = ("cyclegan", "cut")
TOLERANCE = 0.45
"""Found by the authors on real visual faces; --tolerance for another."""
COUNTS = ("TP", "FP", "FN")
SCORES = (*COUNTS, "precision", "recall", "accuracy")
PROBES = 1134
NAMES = {"visual": "visual, real", "thermal": "thermal, real", "cut": "CUT", "cyclegan": "CycleGAN"}

PUBLISHED = {
    "visual": {"TP": 1110, "FP": 4, "FN": 20, "precision": 0.9964, "recall": 0.9823, "accuracy": 0.9788},
    "thermal": {"TP": 12, "FP": 555, "FN": 567, "precision": 0.0212, "recall": 0.0207, "accuracy": 0.0106},
    "cut": {"TP": 236, "FP": 382, "FN": 516, "precision": 0.3819, "recall": 0.3138, "accuracy": 0.2081},
    "cyclegan": {"TP": 397, "FP": 317, "FN": 420, "precision": 0.5560, "recall": 0.4859, "accuracy": 0.3501},
}
"""Counts as printed; shares, printed with two decimals, worked out from them; accuracy, TP / 1134, is not printed."""


def run(options: BenchOptions) -> Table:
    """Measure the real faces, and the translated ones there are checkpoints for. Raises ValueError, FolderError."""
    folder = Folder(options.data)
    votes, keys, judge = measure(folder, options)
    rows, outcomes = [], []
    for domain, name in NAMES.items():
        command = f"facevox train {domain} --data {options.data} --out {options.runs or 'W'} --seed 0"
        measured = summary(votes[domain], keys, options.seed) if domain in votes else {}
        for score in SCORES:
            found = measured.get(score)
            same = score not in COUNTS or len(keys) == PROBES
            digits = 0 if score in COUNTS else 4
            rows.append(Row((name, score), PUBLISHED[domain][score], found, command, digits=digits, comparable=same))
        if domain in votes:
            outcomes.append(outcome(name, votes[domain], keys))
    probes = votes["visual"][0]
    notes = (
        f"gallery: {len(probes.people)} people's real visual faces of trial 1; probes: {len(keys)} faces of trial 2, "
        "whole crops of 128 pixels; dlib's 128 numbers by 68 landmarks, "
        + ("blue for red, mean of five jitters, as the published code" if options.as_published else "one look, RGB"),
        f"a match: a distance of at most {options.tolerance or TOLERANCE}; most matches win; FN: no match at all. A "
        "wrong name is no FN: precision and recall leave different probes out, accuracy leaves out none",
        "published: TP, FP and FN as printed; precision and recall, printed with two decimals, are worked out of them, "
        f"and accuracy, TP / {PROBES}, the paper does not print",
        "the row of real visual faces is the judge's own error",
    )
    facts = {"folder": folder.digest, "tolerance": options.tolerance or TOLERANCE, "as_published": options.as_published}
    return Table(TITLE, ("faces", "score"), tuple(rows), notes, facts, outcomes=tuple(outcomes), controls=(judge,))


# --- measuring: nothing below knows what the paper printed ---


def measure(folder: Folder, options: BenchOptions) -> tuple[dict[str, list[Vote]], list[str], Control]:
    """The vote on trial 2 by domain, of every seed that there is; the probes' keys; how the judge does on trial 1.

    Raises FolderError without test pairs, ValueError for a folder of one trial or a checkpoint of another folder.
    """
    faces = test_faces(folder, options)
    gallery, probes = faces.trials == 1, faces.trials == 2
    if not (gallery.any() and probes.any()):
        raise ValueError(f"{folder}: test pairs of one trial alone; the gallery is trial 1 and the probes are trial 2")
    rule = Rule("euclidean", options.tolerance or TOLERANCE)
    judge = open_judge("dlib", as_published=options.as_published)
    known, whose = judge(pictures(faces.visual[gallery])), faces.people[gallery]
    thermal = faces.thermal[probes]
    sets = {"visual": [faces.visual[probes]], "thermal": [thermal]}
    for method in METHODS:
        sets[method] = [translated(network, thermal, options) for network in networks(folder, method, options)]
    votes = {
        name: [vote(judge(pictures(one)), faces.people[probes], known, whose, rule) for one in some]
        for name, some in sets.items()
        if some
    }
    return votes, faces.keys[probes].tolist(), judge_control("dlib, real faces of trial 1", known, whose)


def summary(votes: Sequence[Vote], keys: Sequence[str], seed: int) -> dict[str, Measured]:
    """Means over seeds; shares of the counts of all seeds together, intervals over people."""
    own, named = (np.concatenate([getattr(one, name) for one in votes]) for name in ("own", "named"))
    together = Vote(votes[0].people, own, named, np.concatenate([one.tied for one in votes]))
    value, between, each = together.scores(), together.intervals(seed), [one.scores() for one in votes]
    protocol, people = Protocol.of(SPLIT, keys).digest, len(np.unique(votes[0].own))
    found = {}
    for score in SCORES:
        share = len(votes) if score in COUNTS else 1
        interval = Interval(between[score].low / share, between[score].high / share)
        width = spread(np.array([one[score] for one in each]))
        found[score] = Measured(value[score] / share, len(keys), people, interval, width, len(votes), protocol)
    return found


def outcome(name: str, votes: Sequence[Vote], keys: Sequence[str]) -> Outcomes:
    """Probe by probe, for controls and slices."""
    merit = np.mean([one.named == one.own for one in votes], axis=0)
    predicted = np.stack([np.where(one.named == NOBODY, len(one.people), one.named) for one in votes])
    own = votes[0].own
    people = votes[0].people
    row, score = (name, "accuracy"), partial(vote_accuracy, people)
    return Outcomes(row, SPLIT, np.array(keys), merit, people[own], own, predicted, CONFIG, score)
