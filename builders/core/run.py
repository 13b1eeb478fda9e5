"""The missing shards of a plan, by one process or many; then the folder is finished."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ...loaders.durable import write_json
from ...loaders.folder import FolderError
from ...loaders.names import nearest
from ...loaders.verify_working import FOLLOWED
from . import card
from .builder import Builder, ReleaseOptions, Unit, find
from .decisions import DECIDABLE
from .engine import engine, engine_name
from .out_folder import check_places, check_space
from .plan import Plan, make, reconcile
from .ranks import Hold, check_rank, held, share
from .raw import Folder, open_raw
from .report import BuildReport
from .review import Review, open_review
from .shard import Progress, ShardJob, close_releases, is_done
from .stage import Rejection
from .store import Destination, destination
from .versions import upgraded
from .writers import WRITERS

LAYOUT = 3
"""Raised when the same release and options give other bytes than before."""
SEEN_AFTER = 60.0
"""Seconds after which network storage must show a file that another node has renamed."""


@dataclass(frozen=True)
class BuildOptions:
    """What to build, from where, to where, and how; see `facevox build --help`."""

    dataset: str
    raw: str
    out: str | Path
    """A folder, or a remote place such as s3://bucket/O."""
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
    rank: int = 0
    world: int = 0
    """Build only the shards of rank 0 <= rank < world, beside the other ranks; 0: all of them."""
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


def check_found(options: BuildOptions, builder: Builder, plan: Plan) -> None:
    """Raise FileNotFoundError, with what is known of the reason, for a plan without a shard."""
    if not plan.shards:
        wanted = f"nobody is left by --subjects {options.release.subjects}" if options.release.subjects else ""
        reasons = wanted or "; ".join(sorted({r.reason for r in plan.rejections})[:3]) or "no file fits its layout"
        raise FileNotFoundError(f"{options.raw}: nothing of {builder.title} to build here ({reasons})")


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
    check_rank(options.rank, options.world, options.engine)
    name = engine_name(options.engine, options.workers, options.address)
    options = replace(options, release=options.release.settled())
    builder, raw, fresh = make_plan(options)
    raw.close()
    close_releases()
    check_found(options, builder, fresh)
    to = destination(options.out)
    out, store = to.folder, to.store
    if store and options.world:
        raise ValueError(f"{store}: ranks share a folder that all of them see; build into a place without --rank")
    check_places(out, options.raw)
    with held(out, options.rank, options.world) as hold:
        if store:
            store.bring_back(out)
        review = open_review(out)
        plan, jobs = _planned(options, to, builder, fresh, review, hold)
        own = share(jobs, options.rank, options.world) if options.world else jobs
        with hold.whole_files_only(own):
            missing = [job for job in own if not is_done(job, options.recheck)]
            if missing:
                (out / "checksums.sha256").unlink(missing_ok=True)
                if store:
                    store.begin(out)
            report = BuildReport(out, to.name, shards=len(plan.shards), upgraded=upgraded(out))
            report.empty = empty_configs(plan)
            total = sum(job.spec.size for job in own)
            tell = progress(total, total - sum(job.spec.size for job in missing)) if progress else None
            for result in engine(name, options.workers, options.address)(missing, tell):
                report.add(result)
            _await_shards(missing)
            alone = hold.take_over()
            absent = sum(not is_done(job) for job in jobs) if options.world else 0
            if absent or not alone:
                hold.let_go()
                report.unfinished = hold.words(len(own), len(jobs), absent)
            else:
                _finish(report, builder, plan, review, raw)
            report.elapsed = time.perf_counter() - started
            with hold.planning():
                report.record(name, options.workers)
            if store:
                store.finish(out)
    return report


def _planned(
    options: BuildOptions, to: Destination, builder: Builder, fresh: Plan, review: Review, hold: Hold
) -> tuple[Plan, list[ShardJob]]:
    """The plan of the folder, written down before the first shard, and its jobs. Ranks that start at once agree."""
    file, size = to.folder / ".build" / "plan.json", options.shard_mb << 20
    with hold.planning():
        first = not file.exists()
        plan = review.hand_to(reconcile(fresh, file, size, options.extend, review.retried, to.name))
        digest = plan.options_digest()
        given = (options.dataset, str(options.raw), to.folder, options.release, options.format)
        jobs = [ShardJob(*given, spec.digest(digest), spec, store=to.store) for spec in plan.shards]
        own = share(jobs, options.rank, options.world) if options.world else jobs
        here = [job for job in own if not is_done(job)]
        if to.store:
            here = sorted(here, key=lambda job: job.spec.size)[-options.workers :]
        check_space(to.folder, [unit for job in here for unit in job.spec.units], builder)
        if not first and json.loads(file.read_text())["digest"] == plan.digest():
            return plan, jobs
        if hold.alone or hold.lock:
            plan.save(file)
        elif not first:
            raise FolderError(f"{to.folder}: the release grew. Build once without --rank, then go on with the ranks")
        else:
            try:
                plan.create(file)
            except FileExistsError:
                return _planned(options, to, builder, fresh, review, hold)
    return plan, jobs


def _await_shards(built: Sequence[ShardJob]) -> None:
    """Wait until this process sees what nodes say they wrote. Raises FolderError after a minute."""
    until = time.monotonic() + SEEN_AFTER
    if built and built[0].store:
        built[0].store.look_again()
    for job in built:
        while not is_done(job):
            if time.monotonic() > until:
                raise FolderError(f"{job.out}: {job.spec.name} was built but is not here. Run the same command again")
            time.sleep(0.5)
            if job.store:
                job.store.look_again()


def _finish(report: BuildReport, builder: Builder, plan: Plan, review: Review, raw: Folder) -> None:
    can = {name: builder.decidable(builder.config(name)) for name in plan.options["configs"]}
    write_json(report.out / DECIDABLE, can)
    write_json(report.out / FOLLOWED, review.read)
    report.decisions = card.finish(report.out, builder, plan, review, raw)
    raw.close()
    report.count()
