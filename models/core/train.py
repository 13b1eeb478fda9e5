"""The one training loop: any model, one folder, checkpoints that resume exactly."""

import json
import math
import platform
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from ...loaders.folder import Folder
from . import checkpoint
from .device import choose
from .evaluate import batches, evaluate
from .grid import write_grid
from .initial import begin
from .model import Batch, create, find
from .reading import Reading, people, shortage
from .train_options import TrainOptions as TrainOptions
from .train_options import validating


@dataclass
class Progress:
    """How far a run is: what a checkpoint keeps beside weights and random states."""

    epoch: int = 0
    step: int = 0
    best: tuple[float, float] = (-1.0, 0.0)
    """Mean merit on validation and, between equals, minus the loss sum: more is better."""
    best_epoch: int = 0
    epoch_steps: int = 0
    epoch_samples: int = 0
    epoch_dropped: int = 0
    epoch_loss: float = 0.0
    seconds: float = 0.0
    waiting: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Report:
    """What a finished call of `fit` left behind; accuracies are shares of 1, NaN without validation."""

    home: Path
    epochs: int
    steps: int
    best: float
    best_epoch: int
    history: tuple[dict[str, Any], ...]
    measure: str
    """What `best` is, and over which split, in words."""
    remarks: tuple[str, ...] = ()
    """Of people that the data have too little of, in words."""

    def lines(self) -> list[str]:
        """The closing words of a run."""
        found = f"{self.epochs} epochs, {self.steps} steps; checkpoints in {self.home}"
        if not self.history:
            return [found]
        last = self.history[-1]
        pace = (
            f"{last['samples_per_second']:,.1f} samples/s, {100 * last['waiting']:.0f} % of the time waiting for data"
        )
        left = f"; {last['dropped']} samples too short, left out" if last["dropped"] else ""
        best = (
            "" if math.isnan(self.best) else f"best {self.measure}: {100 * self.best:.1f} % (epoch {self.best_epoch})"
        )
        peak = f"; {last['peak_bytes'] / 2**20:,.0f} MiB at most" if "peak_bytes" in last else ""
        return [line for line in (found, best, f"loss {last['loss']:.4f}; {pace}{peak}{left}", *self.remarks) if line]


def fit(options: TrainOptions, progress: bool = False) -> Report:
    """Train, or go on where the same call stopped; writes OUT/<model>-<variant>/seed<seed>/.

    last.pt (everything needed to resume exactly), best.pt (weights of the best validation), config.json, runs.jsonl.
    Raises ValueError for an unknown model, a checkpoint of another run or a loss that is not finite, FolderError for
    a folder that does not fit. KeyboardInterrupt is raised after last.pt has been written.
    """
    run = Run(options)
    run.resume()
    for remark in run.remarks if progress else ():
        print(remark, file=sys.stderr)
    with stoppable() as stopping:
        while run.progress.epoch < run.epochs and not run.stopped and not run.at_rest:
            run.train_epoch(stopping, progress)
            if stopping.is_set():
                raise KeyboardInterrupt
    merit = run.progress.best[0]
    return Report(
        run.home,
        run.progress.epoch,
        run.progress.step,
        merit if merit >= 0 else math.nan,
        run.progress.best_epoch,
        tuple(run.progress.history),
        f"{run.model.merit} on {run.options.validation}",
        (*run.remarks, *shortage(run.stream)),
    )


@contextmanager
def stoppable() -> Iterator[threading.Event]:
    """An event that the first Ctrl-C sets, so that no step is cut in half; the second one interrupts at once."""
    stopping = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopping
        return
    before = signal.getsignal(signal.SIGINT)

    def stop(number: int, frame: Any) -> None:
        stopping.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, stop)
    try:
        yield stopping
    finally:
        signal.signal(signal.SIGINT, before)


class Run:
    """One model on its way: what `fit` needs from epoch to epoch."""

    def __init__(self, options: TrainOptions) -> None:
        if min(options.epochs, options.batch_size, options.workers, options.max_steps, options.save_every) < 0:
            raise ValueError("epochs, batch size, workers and steps: expected 0 or more of each")
        self.folder = Folder(options.data)
        self.place = choose(options.device, options.precision)
        torch.manual_seed(options.seed)
        self.settings = options.settings or find(options.model).options_type()
        configs = find(options.model).tells_apart(self.settings)
        self.people = people(self.folder, configs, "train", options.where)
        model = create(options.model, self.settings, self.people)
        initial = begin(model, options.initial, Path(options.models) if options.models else None, self.people)
        self.model = self.place.settle(model, options.channels_last, options.compile)
        name = "-".join(part for part in (options.model, self.model.variant) if part)
        self.home = Path(options.out) / name / f"seed{options.seed}"
        own = {name: getattr(options, name) for name in ("config", "where", "limit", "workers")}
        batch_size = options.batch_size or self.model.batch_size
        self.reading = Reading(self.folder, self.model.inputs(), batch_size=batch_size, **own)
        self.stream = self.reading.stream("train", shuffle=self.model.shuffle, seed=options.seed)
        paper_steps = 0 if options.epochs else self.model.steps
        self.epochs = -(-paper_steps // len(self.stream)) if paper_steps else options.epochs or self.model.epochs
        self.steps = paper_steps
        self.options, self.remarks = validating(options, self.folder, self.reading.configs)
        self.progress = Progress()
        limits = (paper_steps, options.max_steps)
        self.asked = {
            "epochs": 0 if paper_steps else self.epochs,
            "max_steps": min(filter(None, limits), default=0),
            "precision": "bf16" if self.place.bf16 else "fp32",
            **{name: getattr(options, name) for name in ("validation", "validate_every", "patience")},
        }
        """Of the call, beside `identity`, what decides which weights come out."""
        self.identity = {
            "model": options.model,
            "options": self.settings.as_dict(),
            "folder": self.folder.digest,
            "config": ",".join(self.reading.configs),
            "seed": options.seed,
            "batch_size": batch_size,
            "where": options.where,
            "limit": options.limit,
            "initial": initial,
        }

    @property
    def stopped(self) -> bool:
        return 0 < self.options.max_steps <= self.progress.step

    @property
    def at_rest(self) -> bool:
        """Whether the last validations were all no better than one before."""
        since = [line for line in self.progress.history if "merit" in line and line["epoch"] > self.progress.best_epoch]
        return 0 < self.options.patience <= len(since)

    def resume(self) -> None:
        """Take up last.pt where there is one; else write what this run is to config.json."""
        path = self.home / "last.pt"
        if not path.exists():
            weights = sum(parameter.numel() for parameter in self.model.parameters())
            about = {**self.identity, "data": str(self.options.data), "parameters": weights, "place": str(self.place)}
            about |= {"people": len(self.people)} if self.people else {}
            about |= {"python": platform.python_version(), "torch": torch.__version__, "facevox": version("facevox")}
            checkpoint.save_json(self.home / "config.json", about)
            return
        state = checkpoint.load(path)
        checkpoint.check_match(path, state, self.identity)
        self.model.load_state_dict(state["weights"])
        for name, optimizer in self.model.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        for name, scheduler in self.model.schedulers.items():
            scheduler.load_state_dict(state["schedulers"][name])
        self.stream.load_state_dict(state["stream"])
        self.progress = Progress(**{**state["progress"], "best": tuple(state["progress"]["best"])})
        torch.set_rng_state(state["random"]["cpu"])
        if self.place.device.type == "cuda" and state["random"]["cuda"]:
            torch.cuda.set_rng_state_all(state["random"]["cuda"])

    def save(self) -> None:
        """Write last.pt, and runs.jsonl from the same history."""
        cuda = torch.cuda.get_rng_state_all() if self.place.device.type == "cuda" else []
        state = {
            **self.identity,
            "asked": self.asked,
            "people": self.people,
            "weights": self.model.state_dict(),
            "optimizers": {name: value.state_dict() for name, value in self.model.optimizers.items()},
            "schedulers": {name: value.state_dict() for name, value in self.model.schedulers.items()},
            "random": {"cpu": torch.get_rng_state(), "cuda": cuda},
            "stream": self.stream.state_dict(),
            "progress": asdict(self.progress),
        }
        checkpoint.save(self.home / "last.pt", state)
        lines = "".join(json.dumps(facts) + "\n" for facts in self.progress.history)
        checkpoint.save_text(self.home / "runs.jsonl", lines)

    def train_epoch(self, stopping: threading.Event, progress: bool) -> None:
        """Train to the end of the epoch and validate; or to where the run is told to stop. Saves in both cases."""
        now, total = self.progress, len(self.stream)
        # The paper's steps may end inside an epoch, which then ends there.
        total = min(total, now.epoch_steps + self.steps - now.step) if self.steps else total
        found = batches(self.stream)
        with _bar(f"epoch {now.epoch + 1}/{self._epochs_to_come}", total, now.epoch_steps, progress) as bar:
            while now.epoch_steps < total:
                started = time.perf_counter()
                batch = self._next(found, stopping)
                if batch is None:
                    break
                arrived = time.perf_counter()
                loss = self._step(batch)
                now.seconds += time.perf_counter() - started
                now.waiting += arrived - started
                bar.set_postfix_str(f"loss {loss:.4f}, {now.epoch_samples / now.seconds:,.1f} samples/s", refresh=False)
                bar.update()
                # The last batch belongs with its validation: no checkpoint falls between the two.
                if now.epoch_steps < total:
                    if stopping.is_set() or self.stopped:
                        break
                    if self.options.save_every and not now.step % self.options.save_every:
                        self.save()
        if now.epoch_steps >= total:
            # The stream moves to its next epoch only when it is asked once more.
            if not self.steps or now.step < self.steps:
                next(found, None)
            self._end_epoch()
        self.save()

    @property
    def _epochs_to_come(self) -> int:
        """Epochs in all, as far as the steps allow."""
        most = self.asked["max_steps"]
        return min(self.epochs, -(-int(most) // len(self.stream))) if most else self.epochs

    def _next(self, found: Iterator[Batch], stopping: threading.Event) -> Batch | None:
        try:
            return next(found)
        except RuntimeError:
            # Ctrl-C reaches the reading processes too; what was trained so far is still whole.
            if stopping.is_set():
                return None
            raise

    def _step(self, batch: Batch) -> float:
        """One step; returns its loss, 0 for a batch of which nothing can be used. Raises ValueError unless finite."""
        now = self.progress
        now.step += 1
        now.epoch_steps += 1
        now.epoch_dropped += batch["dropped"]
        if not (keys := batch["keys"]):
            return 0.0
        self.model.train()
        with self.place.precision():
            losses = {name: float(value) for name, value in self.model.step(self.place.move(batch)).items()}
        for name, value in losses.items():
            if not math.isfinite(value):
                some = ", ".join(keys[:4]) + (f" and {len(keys) - 4} more" if len(keys) > 4 else "")
                raise ValueError(
                    f"loss {name} is {value} at step {now.step}, epoch {now.epoch + 1} (samples {some}). Try a smaller "
                    f"--lr, --precision fp32 or scaled inputs; {self.home}/last.pt, if there, is from before it"
                )
        loss = next(iter(losses.values()))
        now.epoch_samples += len(keys)
        now.epoch_loss += loss * len(keys)
        return loss

    def _end_epoch(self) -> None:
        """Validate, keep the best weights, record the epoch and begin the next."""
        now, options = self.progress, self.options
        if not now.epoch_samples:
            raise ValueError(
                f"{self.folder}: none of the {now.epoch_dropped} samples of {self.identity['config']}, train can be "
                f"used by {options.model}: too few frames or too little sound"
            )
        facts: dict[str, Any] = {"epoch": now.epoch + 1, "step": now.step, "loss": now.epoch_loss / now.epoch_samples}
        facts |= {"lr": self.model.learning_rate, "samples": now.epoch_samples, "dropped": now.epoch_dropped}
        facts |= {"samples_per_second": now.epoch_samples / now.seconds, "waiting": now.waiting / now.seconds}
        facts |= {"peak_bytes": self.place.peak_bytes(), "channels_last": options.channels_last}
        facts |= {"compile": options.compile}
        now.epoch += 1
        self.model.finish_epoch()
        due = options.validate_every and (now.epoch % options.validate_every == 0 or now.epoch == self.epochs)
        facts |= self._validate() if due else {}
        if due or not options.validate_every:
            score = (facts.get("merit", -1.0), -facts.get("validation_loss", 0.0))
            if score > now.best or not options.validate_every:
                now.best, now.best_epoch = score, now.epoch
                lasting = self.model.weights_without(*self.model.passing)
                weights = {"weights": lasting, "epoch": now.epoch, "score": score[0]}
                checkpoint.save(
                    self.home / "best.pt", {**self.identity, "asked": self.asked, "people": self.people, **weights}
                )
        facts |= {"finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "place": str(self.place)}
        now.history.append(facts)
        now.epoch_steps = now.epoch_samples = now.epoch_dropped = 0
        now.epoch_loss = now.seconds = now.waiting = 0.0

    def _validate(self) -> dict[str, float]:
        """Mean merit and summed loss on the validation split; the model steps its schedulers with them."""
        stream = self.reading.stream(self.options.validation)
        found = evaluate(self.model, stream, self.place)
        write_grid(self.model, self.reading.stream(self.options.validation), self.place, self._grid)
        merit, loss = float(found["merit"].mean()), float(found["loss"].sum())
        self.model.end_epoch({"merit": merit, "loss": loss})
        return {"merit": merit, "validation_loss": loss, "validation_samples": len(found["keys"])}

    @property
    def _grid(self) -> Path:
        return self.home / "grids" / f"epoch{self.progress.epoch:04d}.png"


def _bar(text: str, total: int, done: int, shown: bool) -> Any:
    from tqdm import tqdm

    return tqdm(total=total, initial=done, desc=text, unit="step", disable=not shown, mininterval=0.5, leave=False)
