"""Train what the tables need on a folder, through the command line: in full, or briefly at reduced width."""

import json
import os
import resource
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from ..loaders.durable import write_bytes
from ..loaders.folder import Folder
from .core.catalogue import entries
from .core.face_field import face_words

TITLE = "The trainings that the tables measure"
APART = "trains: `facevox bench train --short --data O --out W`"
SHORT = {
    "gender": "--epochs 7 --batch-size 8 --width 0.25 --optimizer adam --lr 0.001",
    "cyclegan": "--constant 1 --decay 1 --epochs 2 --width 0.125 --blocks 2",
    "cut": "--constant 1 --decay 1 --epochs 2 --width 0.125 --blocks 5 --patches 64",
    "sf2f": "--epochs 10 --batch-size 2 --width 0.0625 --perceptual 0",
    "voice2face": "--epochs 10 --batch-size 2 --width 0.0625",
    "vfmr": "--epochs 4 --batch-size 2 --face-network small --face-width 0.25 --voice-width 0.25 --voices 1 --faces 1",
    "voice_classifier": "--epochs 8 --width 0.25 --segments 4",
    "rcgan": "--epochs 4 --width 0.125 --classifier-width 0.25 --segments 4",
    "speech2face": "--epochs 2 --width 0.0625 --face-network dlib",
}
"""What shortens a model's training to minutes of a CPU; the numbers then test the software, not the paper."""


@dataclass(frozen=True)
class TrainOptions:
    """What to train for: the tables of a folder's dataset."""

    data: str | Path
    out: str | Path
    short: bool = False
    tables: tuple[str, ...] = ()
    """Only what these need; empty: all."""
    device: str = "auto"


@dataclass(frozen=True)
class Step:
    """One training: its command, how it ended, and its time."""

    command: str
    code: int
    seconds: float
    cpu_seconds: float
    log: str
    last: str
    """Its last words."""


@dataclass(frozen=True)
class Trained:
    """All steps in order."""

    steps: tuple[Step, ...]
    short: bool

    @property
    def passed(self) -> bool:
        return all(step.code == 0 for step in self.steps)

    def text(self) -> str:
        """A line for each step with its time, then the sum."""
        lines = []
        for step in self.steps:
            ended = "" if step.code == 0 else f"  FAILED, see {step.log}: {step.last}"
            lines.append(f"{step.seconds:8.1f} s  {step.cpu_seconds:8.1f} CPU s  {step.command}{ended}")
        spent, worked = sum(step.seconds for step in self.steps), sum(step.cpu_seconds for step in self.steps)
        kind = "short: narrow networks, few epochs; the numbers say nothing about the papers" if self.short else "full"
        return "\n".join([*lines, f"{spent:8.1f} s  {worked:8.1f} CPU s  in all, {kind}"])

    def json(self) -> str:
        return json.dumps({"short": self.short, "steps": [asdict(step) for step in self.steps]}, indent=1) + "\n"


def trainings(options: TrainOptions) -> list[list[str]]:
    """The command lines, each once, for every table that fits the folder. Raises ValueError for an unknown table."""
    folder, found = Folder(options.data), []
    known = entries()
    if unknown := {*options.tables} - {one.name for one in known}:
        raise ValueError(f"no table {sorted(unknown)[0]!r}; there is: {', '.join(one.name for one in known)}")
    for one in known:
        fits = not one.unfit(folder.dataset, folder.configs)
        if fits and (not options.tables or one.name in options.tables):
            found += [line for line in one.trainings if line not in found]
    return [command(line, options, folder) for line in found]


def command(line: str, options: TrainOptions, folder: Folder) -> list[str]:
    """A training of the catalogue as a whole command, on the faces that the folder has.

    Its own --out is a folder below the one that was given.
    """
    model, *words = shlex.split(line)
    named = face_words(model, folder)
    words += [] if {*named[:1]} & {*words} else named
    out = Path(options.out)
    if "--out" in words:
        at = words.index("--out")
        out, words = out / words[at + 1], words[:at] + words[at + 2 :]
    words = [word.replace("{out}", str(options.out)) for word in words]
    brief = shlex.split(SHORT[model]) if options.short else []
    device = ["--device", options.device] if options.device != "auto" else []
    return ["train", model, "--data", str(options.data), "--out", str(out), *brief, *words, *device]


def run(options: TrainOptions, say: Callable[[str], None] = lambda words: None) -> Trained:
    """Run the trainings one by one; each goes on where it stopped. W/train.json and W/logs say how it went.

    A training that fails does not keep the others from running.
    """
    out = Path(options.out)
    (out / "logs").mkdir(parents=True, exist_ok=True)
    steps: list[Step] = []
    for number, words in enumerate(trainings(options)):
        shown = "facevox " + shlex.join(words)
        say(shown)
        steps.append(_train(words, shown, out / "logs" / f"{number:02d}-{words[1]}.log"))
        say(f"{steps[-1].seconds:.1f} s, {'done' if steps[-1].code == 0 else 'FAILED: ' + steps[-1].last}")
        write_bytes(out / "train.json", Trained(tuple(steps), options.short).json().encode())
    return Trained(tuple(steps), options.short)


def _train(words: list[str], shown: str, log: Path) -> Step:
    # The short networks are small: two threads would wait for each other longer than one works.
    environment = {"OMP_NUM_THREADS": "1", **os.environ}
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    with log.open("w") as told:
        done = subprocess.run(
            [sys.executable, "-m", "facevox", *words],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=told,
            stderr=subprocess.STDOUT,
            check=False,
        )
    after, seconds = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - started
    worked = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    last = (log.read_text(errors="replace").replace("\r", "\n").strip().splitlines() or ["no word"])[-1]
    return Step(shown, done.returncode, seconds, worked, str(log), last)
