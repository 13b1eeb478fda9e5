"""What a model is to learn on made-up people, step by step through the command line, and what it then must score.

A row of `facevox bench learn` is a file `benchmarks/core/learning_<row>.py` that holds one `LESSON`:

    CROWD = Population("crowd", "speakingfaces", ("--subjects", "40"), ("--config", "utterances"))
    def score(exam: Exam) -> list[Finding]: ...   # reads exam.data and exam.best["mode7"], looks at exam.linked
    LESSON = Lesson("Gender from face and voice", CROWD, (Training("mode7", "gender", ("--epochs", "7")),), score)

Every population is forged, built and trained on twice, the second time with `--no-link`: voices then fit no face.
Rows with an equal Population share its folder, and with equal Trainings on it those too. An option of a training may
name an earlier training's best checkpoint, as in ("--initial", "encoder={voice}"). `bench learn --rows a,b` runs those
alone; `--short` runs `LESSON.short` of the rows that have one.
"""

import importlib
import json
import math
import os
import resource
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from string import Formatter

from ...loaders.durable import write_json
from ...loaders.folder import Folder
from ...loaders.names import nearest
from ...models.core.checkpoint import FORMAT, restore
from ...models.core.device import choose
from ...models.core.evaluate import Results, evaluate
from ...models.core.model import PeopleInputs
from ...models.core.reading import Reading

PREFIX = "learning_"


@dataclass(frozen=True)
class Population:
    """Made-up people and the folder built of them: options of `facevox forge DATASET` and `facevox build DATASET`."""

    name: str
    """Of its folder; different populations need different names."""
    dataset: str
    forge: tuple[str, ...] = ()
    build: tuple[str, ...] = ()


@dataclass(frozen=True)
class Training:
    """One `facevox train MODEL` with its options, without --data and --out; `name` is its folder's."""

    name: str
    model: str
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Exam:
    """What a row's score is given: the built folder, best.pt of every training by name, and which population it is."""

    data: Path
    best: Mapping[str, Path]
    linked: bool

    def results(self, training: str, split: str, batch_size: int = 32) -> Results:
        """What the trained model's `evaluate` says of every sample of a split, on the CPU."""
        model, state = restore(self.best[training])
        inputs = model.inputs()
        # Inputs of people name their configs themselves, be it one.
        config = "" if isinstance(inputs, PeopleInputs) else state["config"]
        reading = Reading(Folder(self.data), inputs, config=config, batch_size=batch_size)
        return evaluate(model, reading.stream(split), choose("cpu", "fp32"))


@dataclass(frozen=True)
class Finding:
    """One measured number, and the range it must lie in; both ends count as inside."""

    what: str
    measured: float
    chance: float | None
    """What guessing gives, in the same unit; None where guessing has no meaning."""
    count: int
    """Samples, people or trials it is over."""
    low: float = -math.inf
    high: float = math.inf
    unit: str = "%"

    @property
    def passed(self) -> bool:
        return self.low <= self.measured <= self.high

    @property
    def wanted(self) -> str | None:
        """The range in words; None where every number will do."""
        if math.isinf(self.low):
            return None if math.isinf(self.high) else f"<= {self.shown(self.high)}"
        return f">= {self.shown(self.low)}" if math.isinf(self.high) else f"{self.low:.1f}..{self.shown(self.high)}"

    def shown(self, value: float) -> str:
        return f"{value:.1f}{' %' if self.unit == '%' else ' ' + self.unit if self.unit else ''}"


@dataclass(frozen=True)
class Lesson:
    """One row: what is learned, of whom, by which trainings in order, and how it is scored."""

    title: str
    population: Population
    trainings: tuple[Training, ...]
    score: Callable[[Exam], Sequence[Finding]]
    """Called for the linked population and for the other; `exam.linked` decides the ranges of what it finds."""
    null: bool = True
    """Whether the population without link is learned from too; not where no voice meets a face."""
    short: "Lesson | None" = None
    """The same in seconds, for tests."""


@dataclass(frozen=True)
class Outcome:
    """What came of one row on one population."""

    row: str
    title: str
    linked: bool
    findings: tuple[Finding, ...]
    commands: tuple[str, ...]
    """In order, to be run in the population's folder."""
    cpu_seconds: float
    """Processor time of all its commands and the scoring; shared populations are counted in every row."""

    @property
    def passed(self) -> bool:
        return all(finding.passed for finding in self.findings)


def rows() -> list[str]:
    """Names of all rows: the files beside this one that begin with `learning_`. Nothing is imported."""
    return sorted(path.stem.removeprefix(PREFIX) for path in Path(__file__).parent.glob(f"{PREFIX}*.py"))


def lesson(row: str) -> Lesson:
    """The LESSON of a row. Raises ValueError naming the nearest row."""
    if row not in rows():
        raise ValueError(f"no row {row!r}; {nearest(row, rows())}")
    found: Lesson = importlib.import_module(f".{PREFIX}{row}", __package__).LESSON
    return found


def teach(row: str, what: Lesson, out: Path, linked: bool, workers: int, say: Callable[[str], None]) -> Outcome:
    """Forge, build, train and score one row; steps that are done already are not repeated.

    Raises RuntimeError with the last words of a command that failed.
    """
    place = Place(out / (what.population.name + ("" if linked else "-null")), workers, say)
    place.settle(what.population, linked)
    for training in what.trainings:
        place.train(training)
    say(f"{row}: score")
    started = time.process_time()
    findings = tuple(what.score(Exam(place.home / "data", place.best, linked)))
    spent = place.cpu_seconds + time.process_time() - started
    return Outcome(row, what.title, linked, findings, tuple(place.commands), spent)


@dataclass
class Place:
    """The folder of one population: `data`, one folder for each training, `steps` with what was done and said."""

    home: Path
    workers: int
    say: Callable[[str], None]
    best: dict[str, Path] = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)
    cpu_seconds: float = 0.0
    chain: str = field(default_factory=lambda: _digest("", (version("facevox"), version("torch"), str(FORMAT))))
    """Digest of the versions and the steps so far: when one changes, those after it are done anew."""
    digests: dict[str, str] = field(default_factory=dict)
    """Of the trainings so far."""

    def settle(self, people: Population, linked: bool) -> None:
        """Forge and build; the release goes when the folder is built."""
        workers = ("--workers", str(self.workers))
        forge = ["forge", people.dataset, "--out", "release", *people.forge, *(() if linked else ("--no-link",))]
        build = ["build", people.dataset, "--raw", "release", "--out", "data", *people.build]
        forged = _digest(self.chain, forge)
        built = _read(self._record("build"))
        whole = built.get("done") and built.get("digest") == _digest(forged, build)
        if not whole and not (self.home / "release").is_dir():
            self._record("forge").unlink(missing_ok=True)
        self._step("forge", forge, workers, ("release", "release.truth.json"), resumes=False)
        self._step("build", build, workers, ("data",), resumes=True)
        shutil.rmtree(self.home / "release", ignore_errors=True)

    def train(self, training: Training) -> None:
        """One training, and where its checkpoint lies. Raises RuntimeError where it left none."""
        places = {name: path.relative_to(self.home).as_posix() for name, path in self.best.items()}
        options = [option.format_map(places) for option in training.options]
        command = ["train", training.model, "--data", "data", "--out", training.name, "--device", "cpu", *options]
        before = self.chain
        # Trainings follow the population, not each other; what one takes from another its options name.
        named = [name for option in training.options for _, name, _, _ in Formatter().parse(option) if name]
        self.chain = _digest(before, [self.digests[name] for name in named])
        self._step(training.name, command, (), (training.name,), resumes=True)
        self.digests[training.name], self.chain = self.chain, before
        found = sorted((self.home / training.name).glob("*/seed*/best.pt"))
        if len(found) != 1:
            raise RuntimeError(f"{self.home / training.name}: {len(found)} files best.pt, expected 1")
        self.best[training.name] = found[0]

    def _record(self, name: str) -> Path:
        return self.home / "steps" / f"{name}.json"

    def _step(self, name: str, command: list[str], more: Sequence[str], makes: Sequence[str], *, resumes: bool) -> None:
        """Run `facevox COMMAND` unless it was, as the same step after the same steps."""
        self.chain = _digest(self.chain, command)
        self.commands.append("facevox " + shlex.join([*command, *more]))
        record = self._record(name)
        known = _read(record)
        if known.get("digest") != self.chain or not (resumes or known.get("done")):
            for made in makes:
                shutil.rmtree(self.home / made, ignore_errors=True)
                (self.home / made).unlink(missing_ok=True)
            known = {"digest": self.chain, "command": self.commands[-1], "cpu_seconds": 0.0, "done": False}
            write_json(record, known)
        if not known["done"]:
            self.say(f"{self.home.name}: {self.commands[-1]}")
            before = processor_seconds()
            try:
                self._run(name, [*command, *more])
                known["done"] = True
            finally:
                known["cpu_seconds"] = float(str(known["cpu_seconds"])) + processor_seconds() - before
                write_json(record, known)
        self.cpu_seconds += float(str(known["cpu_seconds"]))

    def _run(self, name: str, command: Sequence[str]) -> None:
        """Run one command line in the folder, its words kept beside its record."""
        log = self.home / "steps" / f"{name}.log"
        # The layers are small: two threads would wait for each other longer than one works.
        environment = {"OMP_NUM_THREADS": "1", **os.environ}
        with log.open("w") as words:
            done = subprocess.run(
                [sys.executable, "-m", "facevox", *command],
                cwd=self.home,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=words,
                stderr=subprocess.STDOUT,
            )
        if done.returncode:
            last = (log.read_text(errors="replace").replace("\r", "\n").strip().splitlines() or ["no word"])[-1]
            raise RuntimeError(f"{self.home}: `facevox {shlex.join(command)}` failed, see {log}: {last}")


def processor_seconds() -> float:
    """Of all commands that this process started and that have ended."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def _digest(before: str, command: Sequence[str]) -> str:
    return sha256("\n".join([before, *command]).encode()).hexdigest()


def _read(path: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads(path.read_text()) if path.exists() else {}
    return found
