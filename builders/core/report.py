"""What a build says and keeps about itself when it ends: counts over the folder, times and versions of this run."""

import json
import platform
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from .followed import Followed
from .shard import ShardResult
from .versions import deciding_versions


@dataclass
class BuildReport:
    """What a run did: counts over the whole folder, and what this run took."""

    out: Path
    place: str = ""
    """Where the folder is, in words."""
    samples: int = 0
    rejected: int = 0
    shards: int = 0
    built: int = 0
    frames: int = 0
    taken: int = 0
    """Samples kept and left out by the shards of this run."""
    sound: float = 0.0
    """Seconds of sound written."""
    read_bytes: int = 0
    written_bytes: int = 0
    elapsed: float = 0.0
    peak_memory: int = 0
    seconds: Counter[str] = field(default_factory=Counter)
    decisions: Followed = field(default_factory=Followed)
    stages: Counter[str] = field(default_factory=Counter)
    """Rows of the quarantine by the stage that left them out."""
    empty: list[str] = field(default_factory=list)
    """A line for every config asked for of which nothing was found."""
    upgraded: list[str] = field(default_factory=list)
    """Packages that changed since the run that made the other shards."""
    unfinished: str = ""
    """Why the folder has no tables yet: other ranks still build."""

    def add(self, result: ShardResult) -> None:
        self.built += 1
        self.frames += result.frames
        self.sound += result.sound
        self.taken += result.samples + result.rejected
        self.read_bytes += result.read_bytes
        self.written_bytes += result.written_bytes
        self.peak_memory = max(self.peak_memory, result.peak_memory)
        self.seconds.update(result.seconds)

    def lines(self) -> list[str]:
        """The closing words of a build."""
        if self.unfinished:
            return [self.unfinished, *self.empty, *self._pace()]
        told = ", ".join(f"{stage} {count:,}" for stage, count in self.stages.most_common())
        quarantine = (
            f"{self.rejected:,} rows in {self.place}/tables/quarantine.parquet ({told})" if told else "nothing left out"
        )
        kept = [f"{self.samples:,} samples kept, {quarantine}; {self.shards} shards in {self.place}"]
        kept += [*self.empty, *self.decisions.lines()]
        if self.upgraded and self.built < self.shards:
            kept.append(f"the other shards were made with other versions ({', '.join(self.upgraded)})")
        return [*kept, *self._pace()]

    def _pace(self) -> list[str]:
        if not self.built:
            return ["nothing was missing"]
        total = sum(self.seconds.values()) or 1.0
        each, name = (self.frames, "frame") if self.frames else (self.taken, "item")
        spent = [(stage, 100 * s / total, 1000 * s / max(each, 1)) for stage, s in self.seconds.most_common()]
        shares = f"ms per {name}: " + ", ".join(f"{stage} {ms:.2f} ({share:.0f} %)" for stage, share, ms in spent)
        rate = (
            f"{self.frames / self.elapsed:,.1f} frames/s"
            if self.frames
            else f"{self.taken / self.elapsed:,.1f} items/s"
        )
        rate += f", {self.sound / self.elapsed / 60:,.1f} minutes of sound/s" if self.sound else ""
        pace = f"{rate}, {self.read_bytes / self.elapsed / 1e6:,.1f} MB/s read"
        return [
            f"{self.built} shards in {self.elapsed:.1f} s: {pace}, peak {self.peak_memory >> 20} MB a worker",
            shares,
        ]

    def count(self) -> None:
        """Take the counts of the finished folder from its tables."""
        manifest = pq.read_table(self.out / "tables" / "manifest.parquet").to_pylist()
        self.samples = sum(row["samples"] for row in manifest)
        self.stages = Counter(pq.read_table(self.out / "tables" / "quarantine.parquet")["stage"].to_pylist())
        self.rejected = self.stages.total()

    def record(self, engine: str, workers: int) -> None:
        """Add a line about this run to `.build/runs.jsonl`."""
        facts: dict[str, Any] = {"finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "workers": workers}
        names = ("built", "frames", "sound", "read_bytes", "written_bytes", "elapsed", "peak_memory")
        facts |= {name: getattr(self, name) for name in names}
        facts |= {"engine": engine, "seconds": dict(self.seconds), "python": platform.python_version()}
        facts |= {"versions": deciding_versions()}
        with (self.out / ".build" / "runs.jsonl").open("a") as runs:
            runs.write(json.dumps(facts) + "\n")
