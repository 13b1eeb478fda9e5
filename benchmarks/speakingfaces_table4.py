"""Table 4 of SpeakingFaces (Sensors 2021, 21(10), 3465): gender accuracy with clean and noisy streams, and without."""

import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from ..loaders.folder import Folder
from ..models.core.checkpoint import restore
from ..models.core.device import Place, choose
from ..models.core.evaluate import Results, batches, joined, results
from ..models.core.model import Batch
from ..models.core.reading import Reading
from ..models.gender import AGE_LIMITS, AUDIO_NOISE, IMAGE_NOISE, MODES, Gender, GenderInputs
from .core.bench import BenchOptions
from .core.metrics import Interval, accuracy, bootstrap, spread
from .core.outcomes import Outcomes
from .core.protocol import Protocol
from .core.table import Measured, Row, Table

TITLE = "SpeakingFaces, Table 4: gender and age accuracy in % of utterances"
DATASETS = ("speakingfaces",)
CONFIGS = ("utterances",)
NEEDS = "checkpoints of `facevox train gender` in modes 1, 2, 3 and 7 (--task age: rows the paper lacks)"
TRAININGS = ("gender --mode 7", "gender --mode 1", "gender --mode 3", "gender --mode 2", "gender --mode 7 --task age")
WITHOUT = {"judge": "classes are facts of the release; no judge is asked"}
SPLITS = ("validation", "test")
SEEDS = 5
"""Seeds the authors evaluated per mode."""


@dataclass(frozen=True)
class Case:
    """One row: which model, and which of its streams get noise."""

    mode: int
    noisy: tuple[str, ...] = ()
    task: str = "gender"

    @property
    def run(self) -> str:
        """Name of the folder that `facevox train` makes for the model."""
        return f"gender-mode{self.mode}" + ("" if self.task == "gender" else f"-{self.task}")

    def state(self, stream: str) -> str:
        return "-" if stream not in MODES[self.mode] else "noisy" if stream in self.noisy else "clean"


CASES: dict[str, Case] = {
    "1": Case(7),
    "2": Case(7, ("thermal",)),
    "3": Case(7, ("audio",)),
    "4": Case(7, ("audio", "thermal")),
    "5": Case(7, ("visual",)),
    "6": Case(7, ("visual", "thermal")),
    "7": Case(7, ("visual", "audio")),
    "8": Case(7, ("visual", "audio", "thermal")),
    "9": Case(1),
    "10": Case(3),
    "11": Case(2),
    **{f"age, mode {mode}": Case(mode, task="age") for mode in MODES},
}
"""The eleven rows of the table, then age, which the authors trained and did not print."""

PUBLISHED = {
    "1": {"validation": 89.6, "test": 96.0},
    "2": {"validation": 87.9, "test": 95.6},
    "3": {"validation": 81.9, "test": 84.4},
    "4": {"validation": 76.6, "test": 82.0},
    "5": {"validation": 89.2, "test": 93.6},
    "6": {"validation": 84.5, "test": 88.2},
    "7": {"validation": 67.5, "test": 65.8},
    "8": {"validation": 55.2, "test": 50.1},
    "9": {"validation": 91.5, "test": 91.3},
    "10": {"validation": 90.1, "test": 94.8},
    "11": {"validation": 94.8, "test": 94.3},
}


PUBLISHED_FLAGS = {("7", "test"): "the text gives 65.7 for this number of the table"}


@dataclass
class Trained:
    """One checkpoint, and the results of its rows per split as they come in."""

    run: str
    model: Gender
    inputs: GenderInputs
    found: dict[tuple[str, str], list[Results]] = field(default_factory=dict)


def run(options: BenchOptions) -> Table:
    """Measure what there are checkpoints for and set it beside the paper. Raises ValueError, FolderError."""
    folder = Folder(options.data)
    found = measure(folder, options)
    measured = {at: one for at, (one, _) in found.items()}
    rows = [_row(name, split, measured.get((name, split)), options) for name in CASES for split in SPLITS]
    shown = tuple(row for row in rows if row.published is not None or row.measured is not None)
    facts = {"folder": folder.digest, "config": options.config, "as_published": options.as_published}
    facts |= {"seed": options.seed, "limit": options.limit, "torch": torch.__version__}
    facts |= {"python": platform.python_version(), "licence": _licence(folder)}
    outcomes = tuple(one for _, one in found.values())
    columns = ("ID", "visual", "audio", "thermal", "split")
    return Table(TITLE, columns, shown, _notes(options, facts), facts, outcomes=outcomes)


def _row(name: str, split: str, measured: Measured | None, options: BenchOptions) -> Row:
    case = CASES[name]
    labels = (name, *(case.state(stream) for stream in ("visual", "audio", "thermal")), split)
    task = "" if case.task == "gender" else f" --task {case.task}"
    out = options.runs or "W"
    command = f"facevox train gender --mode {case.mode}{task} --data {options.data} --out {out} --seed 0"
    seeds, flag = SEEDS if name.isdigit() else 0, PUBLISHED_FLAGS.get((name, split), "")
    return Row(labels, PUBLISHED.get(name, {}).get(split), measured, command, seeds, flag=flag)


def _licence(folder: Folder) -> str:
    return str(folder.index["licence"][0].as_py()) if "licence" in folder.index.column_names else ""


def _notes(options: BenchOptions, facts: Mapping[str, object]) -> tuple[str, ...]:
    edges = "wrapping around modulo 256, as the published code does" if options.as_published else "clipped to 0..255"
    notes = [
        f"noise: images N(0, {IMAGE_NOISE:.0f}) per value before resizing, {edges}; sound N(0, {AUDIO_NOISE:.0f}) on "
        "-1..1. Standard deviations, as in the authors' code; the paper prints them as variances",
        "measured: mean over the seeds found, sd between them; 95 %: bootstrap over people of that mean",
        f"folder digest {str(facts['folder'])[:12]}, {facts['licence'] or 'no licence stated'}",
    ]
    if "forged" in str(facts["licence"]):
        notes.insert(0, "these people are made up: the numbers check the software and say nothing about the paper")
    if options.limit:
        notes.insert(0, f"only the first {options.limit} samples of each split: not the table's protocol")
    return tuple(notes)


# --- measuring: nothing below knows what the paper printed ---


def measure(folder: Folder, options: BenchOptions) -> dict[tuple[str, str], tuple[Measured, Outcomes]]:
    """Accuracy in % and what it is the mean of, for every (row, split) with checkpoints `<model>/seed*/best.pt`.

    Every sample is read once per split for all rows and seeds whose models take the same inputs.
    Raises ValueError for a checkpoint trained on another folder, or when a sample of the split was not reached.
    """
    place = choose(options.device, "fp32")
    trained = list(checkpoints(folder, options))
    groups: dict[GenderInputs, list[Trained]] = {}
    for one in trained:
        groups.setdefault(replace(one.inputs, streams=()), []).append(one)
    for split in SPLITS:
        for inputs, members in groups.items():
            streams = tuple(s for s in MODES[7] if any(s in one.inputs.streams for one in members))
            pass_over(folder, split, replace(inputs, streams=streams), members, options, place)
    found: dict[tuple[str, str], tuple[Measured, Outcomes]] = {}
    for name, case in CASES.items():
        for split in SPLITS:
            seeds = [joined(one.found[name, split]) for one in trained if one.run == case.run]
            if seeds:
                labels = (name, *(case.state(stream) for stream in MODES[7]), split)
                told = outcomes(folder, options.config, labels, case.task, seeds)
                found[name, split] = summary(f"{name}, {split}", seeds, options.seed), told
    return found


def checkpoints(folder: Folder, options: BenchOptions) -> Iterable[Trained]:
    """The models that the rows need, as far as they are there. Raises ValueError for one of another folder."""
    for run_name in dict.fromkeys(case.run for case in CASES.values()):
        for path in sorted((Path(options.runs) / run_name).glob("seed*/best.pt")) if options.runs else ():
            model, state = restore(path)
            if not isinstance(model, Gender) or f"gender-{model.variant}" != run_name:
                raise ValueError(f"{path}: holds another model than its folder's name says")
            if state["folder"] != folder.digest:
                raise ValueError(
                    f"{path}: trained on a folder of digest {state['folder'][:12]}, this one has {folder.digest[:12]}. "
                    "Give --data the folder it was trained on"
                )
            inputs = replace(model.inputs(), noisy=True, wrap=options.as_published, seed=options.seed)
            yield Trained(run_name, model, inputs)


def pass_over(
    folder: Folder, split: str, inputs: GenderInputs, members: list[Trained], options: BenchOptions, place: Place
) -> None:
    """Read a split once and give every batch, with every row's noise, to every model."""
    own = {name: getattr(options, name) for name in ("config", "batch_size", "workers", "limit")}
    for one in members:
        one.model.to(place.device)
    for batch in batches(Reading(folder, inputs, **own).stream(split)):
        moved = place.move(batch)
        for one in members if batch["keys"] else ():
            for name, case in CASES.items():
                if case.run == one.run:
                    part = results(one.model, with_noise(moved, case), place)
                    one.found.setdefault((name, split), []).append(part)
    _check_reached(folder, split, inputs, members, options)


def with_noise(batch: Batch, case: Case) -> Batch:
    """The batch with the noisy copies of a row's streams in the place of the clean ones."""
    return batch | {stream: batch[f"noisy_{stream}"] for stream in case.noisy}


def _check_reached(
    folder: Folder, split: str, inputs: GenderInputs, members: list[Trained], options: BenchOptions
) -> None:
    """Raise ValueError when the results are not over exactly the samples that the folder's index promises."""
    if options.limit:
        return
    rows = folder.index.select(["key", "config", "split", "frames", "samples", "sample_rate"]).to_pylist()
    ours = (row for row in rows if (row["config"], row["split"]) == (options.config, split) and inputs.takes(row))
    wanted = Protocol.of(split, (row["key"] for row in ours))
    for one in members:
        for name, case in CASES.items():
            if case.run == one.run:
                reached = Protocol.of(split, joined(one.found[name, split])["keys"])
                if lack := wanted.difference(reached):
                    raise ValueError(f"row {name}, {split}: the pass over {folder} {lack}")


def summary(name: str, seeds: list[Results], seed: int) -> Measured:
    """Per-sample results of each seed, in one order -> mean accuracy, spread over seeds, interval over people."""
    protocol = Protocol.of(name, seeds[0]["keys"])
    right = np.mean([result["merit"] for result in seeds], axis=0)
    interval = bootstrap(right, seeds[0]["subject"], seed)
    between = spread(np.array([accuracy(result["merit"]) for result in seeds]))
    return Measured(
        value=100 * accuracy(right),
        count=len(right),
        groups=len(np.unique(seeds[0]["subject"])),
        interval=Interval(100 * interval.low, 100 * interval.high),
        spread=None if between is None else 100 * between,
        seeds=len(seeds),
        protocol=protocol.digest,
    )


def outcomes(folder: Folder, config: str, labels: tuple[str, ...], task: str, seeds: list[Results]) -> Outcomes:
    """Sample by sample, with labels from the folder's index, not from the batches that the models were given."""
    rows = folder.index.select(["key", "config", task]).to_pylist()
    facts = {row["key"]: row[task] for row in rows if row["config"] == config}
    values = [facts[key] for key in seeds[0]["keys"].tolist()]
    classes = np.digitize(values, AGE_LIMITS) if task == "age" else np.array([value != "Female" for value in values])
    return Outcomes(
        row=labels,
        split=labels[-1],
        keys=seeds[0]["keys"],
        merit=np.mean([result["merit"] for result in seeds], axis=0),
        groups=seeds[0]["subject"],
        truth=classes.astype(int),
        predicted=np.stack([result["prediction"].astype(int) for result in seeds]),
        config=config,
    )
