"""A build before it is paid for: what would be written, how long it would take, whether it fits."""

import shutil
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from .builder import Unit
from .plan import Plan, ShardSpec
from .run import BuildOptions, empty_configs, make_plan
from .shard import ShardJob, build
from .store import destination

PROBES = 3
"""Units built for real (first, middle and last by size) to learn bytes and seconds."""


@dataclass
class Estimate:
    """Counts from the listing; bytes and seconds from a few units built for real into a temporary folder."""

    options: BuildOptions
    source_bytes: int = 0
    written_bytes: int = 0
    seconds: float = 0.0
    free_bytes: int = 0
    shards: int = 0
    rejections: int = 0
    samples: Counter[tuple[str, str]] = field(default_factory=Counter)
    empty: list[str] = field(default_factory=list)
    probed: int = 0

    def lines(self) -> list[str]:
        counts = [f"  {config} {split}: {count:,} samples" for (config, split), count in sorted(self.samples.items())]
        fits = "fits" if self.written_bytes < self.free_bytes else "DOES NOT FIT"
        return [
            f"{self.options.raw}: {self.source_bytes / 1e9:,.3f} GB to read into {self.shards} shards",
            *counts,
            *(f"  {line}" for line in self.empty),
            f"  {self.rejections} left out already by names, sizes and tables",
            f"about {self.written_bytes / 1e9:,.3f} GB to write, {self.free_bytes / 1e9:,.1f} GB free: {fits}",
            f"about {self.seconds / 60:,.1f} minutes with --workers {self.options.workers} (probe: {self.probed})",
            "nothing was written",
        ]


def estimate(options: BuildOptions) -> Estimate:
    """List the release and build a few of its units into a temporary folder. Raises like `run`."""
    _, raw, plan = make_plan(options)
    raw.close()
    units = [unit for shard in plan.shards for unit in shard.units]
    found = Estimate(
        options, sum(unit.size for unit in units), shards=len(plan.shards), rejections=len(plan.rejections)
    )
    found.empty = empty_configs(plan)
    for unit in units:
        found.samples[unit.config, unit.split] += unit.samples
    found.free_bytes = shutil.disk_usage(_existing(destination(options.out).folder)).free
    chosen = sorted(units, key=lambda unit: (unit.size, unit.key))
    probes = {unit.key: unit for unit in chosen[:: max(1, len(chosen) // PROBES)][:PROBES]}
    if probes:
        size, written, seconds = _probe(options, plan, list(probes.values()))
        found.written_bytes = round(found.source_bytes * written / size)
        found.seconds = seconds * found.source_bytes / size / options.workers
        found.probed = len(probes)
    return found


def _probe(options: BuildOptions, plan: Plan, units: list[Unit]) -> tuple[int, int, float]:
    started = time.perf_counter()
    size = written = 0
    with tempfile.TemporaryDirectory(prefix="facevox-probe-") as folder:
        for unit in units:
            spec = ShardSpec(f"{unit.config}/{unit.split}-{size:05d}", unit.config, unit.split, (unit,))
            job = ShardJob(
                options.dataset, str(options.raw), Path(folder), options.release, options.format, plan.digest(), spec
            )
            written += build(job).written_bytes
            size += unit.size
    return size, written, time.perf_counter() - started


def _existing(path: Path) -> Path:
    """The nearest folder above that exists: where the output's disk is."""
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path
