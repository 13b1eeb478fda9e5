"""How often the judges of made faces are wrong about real ones, on the people of a folder."""

from dataclasses import dataclass

import numpy as np

from ..loaders.folder import Folder, FolderError
from .core.bench import BenchOptions
from .core.judges import (
    ALIGNED,
    RULES,
    WHOLE,
    OwnError,
    heard,
    judged,
    missing,
    open_judge,
    own_error,
    real_keys,
    real_samples,
)
from .core.metrics import Interval
from .core.outcomes import Outcomes
from .core.table import Measured, Row, Table

TITLE = "The judges' own errors: real faces and voices of a folder's test people"
NEEDS = "config pairs, crops or faces (voices, utterances), dlib; --judge vfmr:CHECKPOINT for one's own face network"
WITHOUT = {"judge": "the table itself is the judges' own error"}
SPLIT = "test"


@dataclass(frozen=True)
class Kind:
    """Where real samples of a kind lie."""

    config: str
    field: str
    box: tuple[float, float, float, float] = WHOLE


PICTURES = (
    Kind("pairs", "visual.webp"),
    Kind("faces", "masked.jpg", ALIGNED),
    Kind("faces", "face.webp"),
)
SOUNDS = (Kind("voices", "voice.flac"), Kind("utterances", "mic1.flac"))


def run(options: BenchOptions) -> Table:
    """Recognition and verification of each judge on real samples, in %. Raises ValueError, FolderError."""
    folder = Folder(options.data)
    found = measure(folder, options)
    rows = []
    for one in found:
        rows += [Row((one.name, score), None, measured, digits=2) for score, measured in scores(one.error).items()]
    if absent := missing(options.judge):
        command = f"facevox bench judges --data {options.data} --judge {options.judge}"
        rows.append(Row((f"{options.judge} ({absent})", "wrong nearest"), None, None, command))
    notes = (
        "wrong nearest: samples whose nearest other one is somebody else's; wrong by vote: leave-one-out, most within "
        "the tolerance; the others are shares of all pairs. About made faces a judge is wrong at least as often",
        "tolerances: " + "; ".join(f"{name} {rule.metric} {rule.tolerance}" for name, rule in RULES.items()),
        f"leakage: {SPLIT} beside train, which matters for a judge that was trained on this folder",
    )
    facts = {"folder": folder.digest, "split": SPLIT}
    outcomes = tuple(one.outcomes() for one in found)
    read = tuple(one.config for one in found)
    return Table(TITLE, ("judge", "score"), tuple(rows), notes, facts, outcomes=outcomes, read=read)


# --- measuring ---


@dataclass(frozen=True)
class Judged:
    """A judge of the real samples of a config: what it is wrong about, and the samples' keys in order."""

    judge: str
    config: str
    error: OwnError
    keys: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.judge}, {self.config}"

    def outcomes(self) -> Outcomes:
        """Of every sample of who has several, whose the nearest other one is."""
        asked, told = self.error.asked, self.error.told[None]
        own = self.error.table.labels[asked]
        keys, merit = np.array(self.keys)[asked], self.error.right.astype(np.float64)
        return Outcomes((self.name, "nearest is the own"), SPLIT, keys, merit, own, own, told, self.config)


def measure(folder: Folder, options: BenchOptions) -> list[Judged]:
    """The judge asked for on the folder's faces, and mfcc on its voices. Raises FolderError where it has neither."""
    found = []
    for kind in _there(folder, PICTURES)[:1]:
        if not missing(options.judge):
            judge = open_judge(options.judge, kind.box, options.as_published)
            table = judged(real_samples(folder, SPLIT, kind.config, kind.field), kind.field, judge, options.judge)
            rule = RULES.get(options.judge)
            metric = rule.metric if rule else "cosine"
            error = own_error(table, metric, rule, options.seed)
            found.append(Judged(options.judge, kind.config, error, _keys(folder, kind)))
    for kind in _there(folder, SOUNDS)[:1]:
        table = heard(real_samples(folder, SPLIT, kind.config, kind.field), kind.field)
        error = own_error(table, "cosine", seed=options.seed)
        found.append(Judged("mfcc", kind.config, error, _keys(folder, kind)))
    if not found:
        raise FolderError(
            f"{folder}: has neither faces nor voices in split {SPLIT}; build configs pairs, faces or voices"
        )
    return found


def _keys(folder: Folder, kind: Kind) -> tuple[str, ...]:
    return tuple(key for keys in real_keys(folder, SPLIT, kind.config, kind.field).values() for key in keys)


def _there(folder: Folder, kinds: tuple[Kind, ...]) -> list[Kind]:
    """Kinds that the folder has in the split."""
    rows = folder.index.select(["config", "split", "fields"]).to_pylist()
    there = {(row["config"], entry["name"]) for row in rows if row["split"] == SPLIT for entry in row["fields"]}
    return [kind for kind in kinds if (kind.config, kind.field) in there]


def scores(error: OwnError) -> dict[str, Measured]:
    """What is told of one judge, in %; of `same refused` and `different accepted` no interval."""
    table = error.table
    found = {}
    for name, share in error.shares.items():
        between = error.intervals.get(name, Interval(share, share))
        of_pairs = not name.startswith("wrong")
        found[name] = Measured(
            100 * share,
            len(error.pairs.distances) if of_pairs else len(table.labels),
            len(table.people),
            Interval(100 * between.low, 100 * between.high),
            None,
            1,
            table.digest,
        )
    return found
