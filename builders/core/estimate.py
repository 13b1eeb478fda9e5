"""A build before it is paid for: what would be written, what it costs in core-hours and bytes, what limits it."""

import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from .builder import Unit
from .plan import Plan, ShardSpec
from .ranks import loads
from .run import BuildOptions, check_found, empty_configs, make_plan
from .shard import ShardJob, ShardResult, build
from .store import destination

PROBES = 3
"""Units of each config built for real (by size: at 0, 1/3 and 2/3) to learn bytes and seconds."""
WORLDS = (1, 16, 256)
"""Numbers of workers that the cost is told for."""
WORTH_A_WORD = 1.15
"""A limit is named when it makes a build this much longer."""


@dataclass
class Rate:
    """What building a few units of one config took on one core."""

    units: int = 0
    frames: int = 0
    source_bytes: int = 0
    written_bytes: int = 0
    cpu_seconds: float = 0.0
    peak_memory: int = 0
    stages: Counter[str] = field(default_factory=Counter)
    """Seconds by the clock, whose shares `cpu_seconds` is told by."""

    def line(self, config: str) -> str:
        """Milliseconds of CPU for a frame, or for a unit where there are no clips, and how they divide."""
        count, name = (self.frames, "frame") if self.frames else (self.units, "unit")
        each, clock = 1000 * self.cpu_seconds / max(count, 1), self.stages.total() or 1.0
        parts = ", ".join(f"{stage} {each * s / clock:.2f}" for stage, s in self.stages.most_common())
        size = (
            f"{self.source_bytes / max(count, 1) / 1e3:,.0f} kB read, {self.written_bytes / max(count, 1) / 1e3:,.0f}"
        )
        return f"  {config}: {each:.2f} ms of CPU a {name} ({parts}), {size} kB written"


@dataclass(frozen=True)
class Scale:
    """A release of another size and the same mix: `source_bytes` in all (0: as it is), of so many `frames` (0: alike).

    Work goes with pixels, not with how well they were compressed: where frames are given, time follows them.
    """

    source_bytes: float = 0.0
    frames: int = 0


@dataclass
class Estimate:
    """Counts from the listing; bytes and seconds from a few units built for real into a temporary folder."""

    options: BuildOptions
    plan: Plan
    samples: Counter[tuple[str, str]] = field(default_factory=Counter)
    source_bytes: Counter[str] = field(default_factory=Counter)
    free_bytes: int | None = None
    rates: dict[str, Rate] = field(default_factory=dict)
    scale: Scale = Scale()

    def factor(self) -> float:
        """How much larger the release is that the cost is told for."""
        return self.scale.source_bytes / self.source_bytes.total() if self.scale.source_bytes else 1.0

    def read_bytes(self) -> float:
        return self.factor() * self.source_bytes.total()

    def written_bytes(self) -> float:
        return self.work_factor() * sum(
            size * rate.written_bytes / max(rate.source_bytes, 1) for size, rate in self._measured()
        )

    def frames(self) -> float:
        """In the clips of the release as it is, by the measured bytes of a frame."""
        return sum(size * rate.frames / max(rate.source_bytes, 1) for size, rate in self._measured())

    def work_factor(self) -> float:
        """How much more there is to do and to write than for the release as it is."""
        return self.scale.frames / self.frames() if self.scale.frames and self.frames() else self.factor()

    def core_seconds(self) -> float:
        return sum(self.shard_seconds())

    def shard_seconds(self) -> list[float]:
        """Seconds of one core for every shard; of a scaled release all shards of a config are equal."""
        of_byte = {name: rate.cpu_seconds / max(rate.source_bytes, 1) for name, rate in self.rates.items()}
        if self.factor() == 1.0:
            work = self.work_factor()
            return [work * shard.size * of_byte[shard.config] for shard in self.plan.shards]
        seconds = []
        for config, size in sorted(self.source_bytes.items()):
            count = max(1, round(self.factor() * size / (self.options.shard_mb << 20)))
            seconds += [self.work_factor() * size * of_byte[config] / count] * count
        return seconds

    def _measured(self) -> Iterable[tuple[int, Rate]]:
        return ((size, self.rates[config]) for config, size in self.source_bytes.items())

    def counts(self) -> list[str]:
        """What the listing alone says."""
        counts = [f"  {config} {split}: {count:,} samples" for (config, split), count in sorted(self.samples.items())]
        size = f"{self.source_bytes.total() / 1e9:,.3f} GB"
        return [
            f"{self.options.raw}: {size} to read into {len(self.plan.shards)} shards",
            *counts,
            *(f"  {line}" for line in empty_configs(self.plan)),
            f"  {len(self.plan.rejections)} left out already by names, sizes and tables",
        ]

    def lines(self) -> list[str]:
        """The words of `build --dry-run`."""
        workers = self.options.workers
        hours = max(loads(self.shard_seconds(), workers)) / 3600 if self.rates else 0.0
        probed = sum(rate.units for rate in self.rates.values())
        return [
            *self.counts(),
            f"about {self.written_bytes() / 1e9:,.3f} GB to write{self._room()}",
            f"about {60 * hours:,.1f} minutes with --workers {workers} (probe: {probed})",
            "nothing was written",
        ]

    def _room(self) -> str:
        if self.free_bytes is None:
            return ""
        fits = "fits" if self.written_bytes() < self.free_bytes else "DOES NOT FIT"
        return f", {self.free_bytes / 1e9:,.1f} GB free: {fits}"

    def cost(self, read_mb_s: float) -> list[str]:
        """Rates as measured, then core-hours, bytes, and hours on 1, 16 and 256 workers with what limits them.

        `read_mb_s` is what the storage of the release gives to all workers together, in 10^6 bytes a second; 0 when
        unknown.
        """
        each = self.shard_seconds()
        count = sum(rate.units for rate in self.rates.values())
        memory = max((rate.peak_memory for rate in self.rates.values()), default=0)
        about = f"as if it had {self.read_bytes() / 1e9:,.0f} GB" if self.scale.source_bytes else "as it is"
        if self.scale.frames:
            about += f" and {self.scale.frames:,} frames"
        return [
            f"measured on {count} units, one core, {memory / 1e6:,.0f} MB of memory:",
            *(rate.line(config) for config, rate in sorted(self.rates.items())),
            f"the release {about}: {len(each):,} shards of {self.options.shard_mb:,} MB, "
            f"{self.core_seconds() / 3600:,.1f} core-hours, {self.read_bytes() / 1e9:,.1f} GB to read, "
            f"{self.written_bytes() / 1e9:,.1f} GB to write{self._room()}",
            f"{'workers':>7} {'hours':>9} {'shards each':>11} {'read MB/s':>9} {'write MB/s':>10}  limit",
            *(self._row(workers, each, read_mb_s) for workers in WORLDS),
        ]

    def _row(self, workers: int, each: list[float], read_mb_s: float) -> str:
        busiest, even = max(loads(each, workers), default=0.0), sum(each) / workers
        reading = self.read_bytes() / (read_mb_s * 1e6) if read_mb_s else 0.0
        seconds = max(busiest, reading, 1e-9)
        limit = "cores"
        if reading > busiest:
            limit = f"storage: {read_mb_s:,.0f} MB/s; more workers than {sum(each) / reading:,.0f} gain nothing"
        elif busiest > WORTH_A_WORD * even:
            few = f"only {len(each):,} shards" if len(each) < 4 * workers else f"{len(each):,} uneven shards"
            limit = f"{few}: {even / 3600:,.2f} hours if they divided evenly; try a smaller --shard-mb"
        read, write = (size / seconds / 1e6 for size in (self.read_bytes(), self.written_bytes()))
        shares = f"{len(each) / workers:,.1f}"
        return f"{workers:>7} {seconds / 3600:>9,.2f} {shares:>11} {read:>9,.0f} {write:>10,.0f}  {limit}"


def survey(options: BuildOptions, anywhere: bool = False) -> Estimate:
    """List the release and plan its shards, without building anything. Raises like `run`.

    `anywhere` leaves the disk of `options.out` out of account.
    """
    builder, raw, plan = make_plan(options)
    raw.close()
    check_found(options, builder, plan)
    found = Estimate(options, plan)
    for shard in plan.shards:
        for unit in shard.units:
            found.samples[unit.config, unit.split] += unit.samples
            found.source_bytes[unit.config] += unit.size
    if not anywhere:
        found.free_bytes = shutil.disk_usage(_existing(destination(options.out).folder)).free
    return found


def estimate(options: BuildOptions, scale: Scale | None = None, anywhere: bool = False) -> Estimate:
    """List the release and build a few of its units into a temporary folder. Raises like `run`."""
    found = survey(options, anywhere)
    found.scale = scale or Scale()
    for config in found.source_bytes:
        units = [unit for shard in found.plan.shards if shard.config == config for unit in shard.units]
        units.sort(key=lambda unit: (unit.size, unit.key))
        # The first compiles, loads models and opens archives; a build does that once.
        _probe(options, found.plan, units[:1])
        started = time.process_time()
        made = _probe(options, found.plan, units[:: max(1, len(units) // PROBES)][:PROBES])
        cpu = time.process_time() - started
        found.rates[config] = Rate(
            min(PROBES, len(units)),
            made.frames,
            made.read_bytes,
            made.written_bytes,
            cpu,
            made.peak_memory,
            Counter(made.seconds),
        )
    return found


def _probe(options: BuildOptions, plan: Plan, units: list[Unit]) -> ShardResult:
    with tempfile.TemporaryDirectory(prefix="facevox-probe-") as folder:
        config, split = units[0].config, units[0].split
        spec = ShardSpec(f"{config}/{split}-00000", config, split, tuple(sorted(units, key=lambda unit: unit.key)))
        given = (options.dataset, str(options.raw), Path(folder), options.release, options.format)
        return build(ShardJob(*given, plan.digest(), spec))


def _existing(path: Path) -> Path:
    """The nearest folder above that exists: where the output's disk is."""
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path
