"""The missing shards of a plan, by one process or many; then the folder is finished."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from ...loaders.durable import write_json
from ...loaders.names import nearest
from . import card
from .builder import Builder, ReleaseOptions, Unit, find
from .decisions import DECIDABLE
from .engine import engine, engine_name
from .out_folder import check_places, check_space, locked, whole_files_only
from .plan import Plan, make, reconcile
from .raw import Folder, open_raw
from .report import BuildReport
from .review import open_review
from .shard import Progress, ShardJob, close_releases, is_done
from .stage import Rejection
from .versions import upgraded
from .writers import WRITERS

LAYOUT = 3
"""Raised when the same release and options give other bytes than before."""


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
    engine: str = ""
    """serial, processes, dask or ray; by default one of the first two, by the number of workers."""
    address: str = ""
    """Where a running Dask or Ray cluster answers; by default that engine starts `workers` processes here."""
    release: ReleaseOptions = field(default_factory=ReleaseOptions)


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
    name = engine_name(options.engine, options.workers, options.address)
    options = replace(options, release=options.release.settled())
    builder, raw, fresh = make_plan(options)
    raw.close()
    close_releases()
    if not fresh.shards:
        wanted = f"nobody is left by --subjects {options.release.subjects}" if options.release.subjects else ""
        reasons = wanted or "; ".join(sorted({r.reason for r in fresh.rejections})[:3]) or "no file fits its layout"
        raise FileNotFoundError(f"{options.raw}: nothing of {builder.title} to build here ({reasons})")
    check_places(options.out, options.raw)
    with locked(options.out), whole_files_only(options.out):
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
        check_space(options.out, [unit for job in missing for unit in job.spec.units], builder)
        if not plan_file.exists() or json.loads(plan_file.read_text())["digest"] != plan.digest():
            plan.save(plan_file)
        if missing:
            (options.out / "checksums.sha256").unlink(missing_ok=True)
        report = BuildReport(options.out, shards=len(plan.shards), upgraded=upgraded(options.out))
        report.empty = empty_configs(plan)
        total = sum(job.spec.size for job in jobs)
        tell = progress(total, total - sum(job.spec.size for job in missing)) if progress else None
        for result in engine(name, options.workers, options.address)(missing, tell):
            report.add(result)
        can = {name: builder.decidable(builder.config(name)) for name in plan.options["configs"]}
        write_json(options.out / DECIDABLE, can)
        report.decisions = card.finish(options.out, builder, plan, review, raw)
        raw.close()
        report.count()
        report.elapsed = time.perf_counter() - started
        report.record(name, options.workers)
    return report
