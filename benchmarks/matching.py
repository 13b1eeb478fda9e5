"""Voices and faces matched by any vectors, exactly; of two models also the difference, person by person."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..loaders.folder import Folder
from ..models.core.voice_face_inputs import FACES, VOICES
from .core.bench import BenchOptions
from .core.embeddings import Embeddings
from .core.leakage import leakage
from .core.metrics import Comparison, Interval, paired
from .core.table import Measured, Row, Table
from .core.voice_face import SPLIT
from .core.voice_face_scores import Scores

TITLE = "Matching and retrieval of voices and faces by given vectors, in %"
ASKS = ("vectors",)
FOLDER = False
COMMAND = "facevox bench matching --vectors A.npz,B.npz"
NEEDS = "no folder (with one, it must be that of the vectors), files that `--vectors-out` of VFMR's tables wrote"
WITHOUT = {"judge": "who somebody is stands in the files; no judge is asked"}
PAIRED = "1:2, over all others"


def run(options: BenchOptions) -> Table:
    """Every number of each file; of two files the paired difference. Raises ValueError, FolderError."""
    paths = [Path(name) for name in str(options.vectors).split(",") if name]
    if not 1 <= len(paths) <= 2:
        raise ValueError("matching needs --vectors A.npz, or --vectors A.npz,B.npz to compare two models")
    vectors = [Embeddings.load(path) for path in paths]
    digest = Folder(options.data).digest if options.data else vectors[0].folder
    trials = Path(options.trials) if options.trials else None
    scores = [
        Scores([one.of(digest)], options.metric, options.protocol, options.device, options.seed, trials=trials)
        for one in vectors
    ]
    names = _names(paths)
    found = measure(scores)
    rows = [
        Row((name, what), None, one, digits=2)
        for name, each in zip(names, found, strict=True)
        for what, one in each.items()
    ]
    notes = [f"{name}: {one.model or path}" for name, path, one in zip(names, paths, vectors, strict=True)]
    notes += scores[0].notes()
    if len(scores) == 2:
        compared = measure_difference(scores, options.seed)
        rows.append(Row((f"{names[0]} less {names[1]}", PAIRED), None, _shown(compared, scores[0]), digits=2))
        notes.append(f"difference: over the same identities, p = {compared.p:.4f} by flips of each identity's sign")
    facts = {"folder": digest, "seed": options.seed}
    controls = [control for name, one in zip(names, scores, strict=True) for control in one.controls(name)]
    if options.data and options.training:
        controls += leakage(Folder(options.data), SPLIT, training=Folder(options.training))
    tested, columns = (SPLIT,) if options.data and not options.training else (), ("vectors", "what")
    unknown = {"leakage": "not checked: give --data, the vectors' folder, and --training, their network's, if another"}
    return Table(
        TITLE,
        columns,
        tuple(rows),
        tuple(notes),
        facts,
        controls=tuple(controls),
        tested=tested,
        without=unknown,
        read=(FACES, VOICES),
    )


def _names(paths: Sequence[Path]) -> list[str]:
    names = [path.stem for path in paths]
    return names if len(set(names)) == len(names) else [str(path) for path in paths]


def _shown(compared: Comparison, scores: Scores) -> Measured:
    between = Interval(100 * compared.interval.low, 100 * compared.interval.high)
    people = len(scores.seeds[0].people)
    return Measured(100 * compared.difference, scores.pairs[0].triplets, people, between, None, 1, scores.digest)


# --- measuring ---


def measure(scores: Sequence[Scores]) -> list[dict[str, Measured]]:
    """By file, the columns of VFMR's Tables 5 and 6, the mean over all pairs of people, and the AUC."""
    return [one.table() | {PAIRED: one.matching_unbalanced(), "AUC": one.verification()} for one in scores]


def measure_difference(scores: Sequence[Scores], seed: int) -> Comparison:
    """What the first has more than the second, by each identity's exact accuracy.

    Raises ValueError for vectors of other samples.
    """
    first, second = scores
    if first.digest != second.digest:
        raise ValueError(
            f"vectors of other voices and faces (digests {first.digest} and {second.digest}): a paired test needs the "
            "same samples in both files"
        )
    mine, theirs = first.pairs[0], second.pairs[0]
    return paired(mine.individual, theirs.individual, np.array(mine.people), seed)
