"""One folder built by processes that know nothing of each other: rank i of n takes its share, the last one finishes."""

import fcntl
import heapq
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ...loaders.durable import PART
from ...loaders.folder import FolderError
from .out_folder import locked, take, whole_files_only
from .shard import ShardJob
from .versions import changed, node_versions

FINISHED_AFTER = 300.0
"""Seconds that a rank waits for another that holds the folder alone: to count its shards, or to write its tables."""
TAKEN_AFTER = 5.0
"""Seconds after which a rank's lock counts as held: the others look at it for moments."""


def divided(sizes: Sequence[float], world: int) -> list[list[int]]:
    """Which of `sizes`, largest first, each of `world` workers takes: always the one with the least so far.

    Nobody has more than 4/3 of the best possible (Graham, Bounds on Multiprocessing Timing Anomalies, 1969).
    """
    shares = [list[int]() for _ in range(world)]
    free = [(0.0, number) for number in range(world)]
    for at in sorted(range(len(sizes)), key=lambda at: -sizes[at]):
        load, number = free[0]
        heapq.heapreplace(free, (load + sizes[at], number))
        shares[number].append(at)
    return shares


def loads(sizes: Sequence[float], world: int) -> list[float]:
    """The sum of what each of `world` workers takes of `sizes`."""
    return [sum(sizes[at] for at in own) for own in divided(sizes, world)]


def share(jobs: Sequence[ShardJob], rank: int, world: int) -> list[ShardJob]:
    """What rank `rank` of `world` builds, balanced by source bytes: a pure function of the plan."""
    named = sorted(jobs, key=lambda job: job.spec.name)
    own = divided([job.spec.size for job in named], world)[rank]
    return [named[at] for at in sorted(own)]


def check_rank(rank: int, world: int, engine: str) -> None:
    """Raise ValueError for a rank outside its world, or one that would ask a cluster for help."""
    if world < 0 or not 0 <= rank < max(world, 1):
        raise ValueError(f"rank {rank} in a world of {world}: expected ranks 0 to world - 1, all with the same --world")
    if world and engine in ("dask", "ray"):
        raise ValueError(f"rank {rank} and the engine {engine}: choose one of the two ways to use many machines")


@dataclass
class Hold:
    """A folder held by one whole build (`world` 0), or by one rank together with the others of its world."""

    out: Path
    rank: int
    world: int
    lock: IO[str] | None
    """None where the storage has no file locks."""
    alone: bool
    """Whether nobody else builds here."""

    @contextmanager
    def planning(self) -> Iterator[None]:
        """One rank at a time plans and keeps records."""
        if self.alone:
            yield
            return
        with (self.out / ".build" / "planning.lock").open("a") as lock:
            take(lock, fcntl.LOCK_EX)
            yield

    def take_over(self) -> bool:
        """Whether this process now holds the folder alone, as must who finishes it; the last rank does.

        A rank that gets False holds the folder no more.
        """
        if self.alone or not self.lock:
            return self.alone
        # Let go first: of two last ranks that each held on and asked for more, neither would get it.
        fcntl.flock(self.lock, fcntl.LOCK_UN)
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        self.alone = True
        return True

    def let_go(self) -> None:
        """Hold the folder no more, so that ranks that start now can: there are shards for them to build.

        Not even shared with them: who ends last must find nobody here.
        """
        if self.lock:
            fcntl.flock(self.lock, fcntl.LOCK_UN)
            self.alone = False

    def words(self, own: int, shards: int, absent: int) -> str:
        """How a rank ends that does not finish the folder."""
        others = (
            f"{absent} of {shards} shards of the folder are still to be built" if absent else "all shards are built"
        )
        last = "the last rank to end finishes it, or" if self.lock else "on this storage without file locks only"
        return (
            f"rank {self.rank} of {self.world}: its {own} shards are done; {others}. The folder has no tables yet: "
            f"{last} the same command without --rank and --world"
        )

    @contextmanager
    def whole_files_only(self, own: Sequence[ShardJob]) -> Iterator[None]:
        """Remove what an interrupted build left half-written, before and after this one; a rank looks at its own."""
        if not self.world:
            with whole_files_only(self.out):
                yield
            return
        self._clear(own)
        try:
            yield
        finally:
            self._clear(own)

    def _clear(self, own: Sequence[ShardJob]) -> None:
        for job in own:
            for place in (self.out / "data", self.out / ".build" / "shards"):
                for part in (place / job.spec.name).parent.glob(f"{Path(job.spec.name).name}.*{PART}"):
                    part.unlink(missing_ok=True)


@contextmanager
def held(out: Path, rank: int, world: int) -> Iterator[Hold]:
    """Hold the folder for a build or a rank; the kernel lets go when the process dies.

    Raises FolderError when another build holds it, the same rank, one of another world, or one with other packages.
    """
    with ExitStack() as opened:
        lock = opened.enter_context(locked(out, world > 0, FINISHED_AFTER if world else 0.0))
        if world and lock:
            _join(out, rank, world, opened)
        hold = Hold(out, rank, world, lock, not world)
        try:
            yield hold
        finally:
            if hold.alone:
                for left in (*_rank_locks(out), out / ".build" / "planning.lock"):
                    left.unlink(missing_ok=True)


def _join(out: Path, rank: int, world: int, opened: ExitStack) -> None:
    """Hold the rank's own lock, and look at the other ranks that build now."""
    place = out / ".build" / f"rank-{rank:05d}-of-{world:05d}.lock"
    own = opened.enter_context(place.open("a+"))
    until = time.monotonic() + TAKEN_AFTER
    while _held(own):
        if time.monotonic() > until:
            raise FolderError(f"{out}: rank {rank} of {world} is building already. Every process needs its own --rank")
        time.sleep(0.05)
    versions = node_versions()
    own.truncate(0)
    own.write(json.dumps(versions))
    own.flush()
    for other in sorted(_rank_locks(out) - {place}):
        with suppress(FileNotFoundError), other.open("r+") as lock:
            if not _held(lock):
                continue
            if not other.name.endswith(f"-of-{world:05d}.lock"):
                raise FolderError(f"{out}: {other.stem} is building. Give all ranks the same --world, not {world}")
            # Empty for the moment between taking the lock and writing: then that rank will look at this one.
            theirs = json.loads(lock.read() or "{}")
            if differing := changed(theirs, versions) if theirs else []:
                raise FolderError(
                    f"{out}: rank {rank} would write other bytes than {other.stem}: {', '.join(differing)}. "
                    "Install the same versions for every rank"
                )


def _rank_locks(out: Path) -> set[Path]:
    return set((out / ".build").glob("rank-*-of-*.lock"))


def _held(lock: IO[str]) -> bool:
    """Whether another process holds the lock; this one has it if not."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False
