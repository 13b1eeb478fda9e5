"""Shards built by a cluster: one task each, few in flight, started again elsewhere when a worker is lost."""

import hashlib
import platform
import secrets
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2

from ...loaders.durable import PART, write_bytes
from ...loaders.folder import FolderError
from .raw import open_raw
from .shard import Progress, ShardJob, ShardResult, build, close_releases
from .versions import changed, node_versions

LOST_WORKERS = 3
"""How often a shard is started again whose worker was lost; then it is taken to kill its workers."""
PATIENCE = 120.0
"""Seconds to wait for a first worker, or for a new one after the last was lost."""
SEEN_WITHIN = 10.0
"""Seconds in which a node must see a new file: network storage keeps directory listings for a while."""


@dataclass(frozen=True)
class Ticket:
    """What a node must see and be to build for somebody: made by the one who asks, looked at by every worker.

    Its file in the dataset folder is gone when the asking build has ended, or another has begun; so is the ticket.
    """

    out: Path
    raw: str
    base: str
    """Where a relative `raw` starts."""
    listing: str
    """Digest of the names and sizes at the top of the release."""
    versions: Mapping[str, str]
    token: str = field(default_factory=lambda: secrets.token_hex(8))

    @property
    def file(self) -> Path:
        # Ends as half-written files do: the next build removes it with them.
        return self.out / ".build" / f"ticket-{self.token}{PART}"

    def check(self, _: int = 0) -> None:
        """Raise RuntimeError when nobody wants the work any more."""
        if not self.file.exists():
            raise RuntimeError(f"{self.out}: the build that asked for this shard has ended")

    def refusal(self) -> str:
        """Why this node must not build: other packages, or it does not see the same places; "" when it may."""
        if other := changed(self.versions, node_versions()):
            return f"would write other bytes: {', '.join(other)} there. Install the same versions on every node"
        shared = "every node must see the dataset folder and the release under the same path, on shared storage"
        until = time.monotonic() + SEEN_WITHIN
        while not self.file.exists():
            if time.monotonic() > until:
                return f"does not see what is written to {self.out}: {shared}"
            time.sleep(0.2)
        try:
            probe = self.file.with_name(f"ticket-{self.token}-{secrets.token_hex(4)}{PART}")
            probe.write_bytes(b"")
            probe.unlink()
            if release_listing(self.raw, self.base) != self.listing:
                return f"sees another release at {self.raw}: {shared}"
        except OSError as error:
            return f"cannot use the folders ({error}): {shared}"
        return ""


class Cluster(ABC):
    """Processes on several nodes that take one task each at a time. `place` names it in errors."""

    place: str

    @abstractmethod
    def ask(self, question: Callable[[], str]) -> dict[str, str]:
        """What every node that builds answers now, by its name."""

    @abstractmethod
    def slots(self) -> int:
        """Shards that can be built at once now; 0 when no worker is there."""

    @abstractmethod
    def submit(self, name: str, work: "NodeTask") -> Any:
        """Start `work` somewhere, again when its worker is lost; returns a hashable task."""

    @abstractmethod
    def finished(self, tasks: list[Any], seconds: float) -> Sequence[Any]:
        """Those of `tasks` that ended, waiting at most so long for one."""

    @abstractmethod
    def result(self, task: Any) -> ShardResult | Exception:
        """What a finished task gave. Raises RuntimeError when its workers were lost once too often."""

    @abstractmethod
    def cancel(self, tasks: list[Any]) -> None:
        """Drop what has not ended; work under way stops by itself at its next unit."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the cluster, and end it if it was started here."""


def build_on(connect: Callable[[], Cluster], jobs: Sequence[ShardJob], tell: Progress | None) -> Iterator[ShardResult]:
    """Build on a cluster. Raises FolderError for a node that would write other bytes or does not see the folders,
    RuntimeError when no worker is left or a shard kills its workers, and what a shard raises."""
    if not jobs:
        return
    here = str(Path.cwd())
    jobs = [replace(job, out=job.out.absolute(), base=here) for job in jobs]
    raw = jobs[0].raw
    ticket = Ticket(jobs[0].out, raw, here, release_listing(raw, here), node_versions())
    write_bytes(ticket.file, b"")
    try:
        cluster = connect()
        try:
            _wait_for_slots(cluster)
            refused = {node: why for node, why in sorted(cluster.ask(ticket.refusal).items()) if why}
            for node, why in refused.items():
                raise FolderError(f"{cluster.place}: node {node} {why}")
            yield from _build(cluster, ticket, jobs, tell)
        finally:
            # Before the cluster goes: whoever still works for this build stops.
            ticket.file.unlink(missing_ok=True)
            cluster.close()
    finally:
        ticket.file.unlink(missing_ok=True)


def _build(cluster: Cluster, ticket: Ticket, jobs: Sequence[ShardJob], tell: Progress | None) -> Iterator[ShardResult]:
    waiting, running = deque(jobs), dict[Any, ShardJob]()
    try:
        while waiting or running:
            slots = _wait_for_slots(cluster)
            while waiting and len(running) < slots:
                job = waiting.popleft()
                running[cluster.submit(f"{ticket.token}-{job.spec.name}", NodeTask(ticket, job))] = job
            for task in cluster.finished(list(running), 1.0):
                result = cluster.result(task)
                if isinstance(result, Exception):
                    raise result
                size = running.pop(task).spec.size
                if tell:
                    tell(size)
                yield result
    finally:
        cluster.cancel(list(running))


def _wait_for_slots(cluster: Cluster) -> int:
    until = time.monotonic() + PATIENCE
    while not (slots := cluster.slots()):
        if time.monotonic() > until:
            raise RuntimeError(f"{cluster.place}: no worker for {PATIENCE:.0f} seconds. Start some")
        time.sleep(0.5)
    return slots


@dataclass(frozen=True)
class NodeTask:
    """One shard as a task: what a node runs. A node that joined late is looked at before its first shard."""

    ticket: Ticket
    job: ShardJob

    def __call__(self) -> ShardResult | Exception:
        """Build. A full disk or a refusal is a result too: raised, a cluster may take it for a fault and try again."""
        # Dask may give a process several threads; open archives and OpenCV's settings are one per process.
        with _ONE_AT_A_TIME, one_thread():
            try:
                _admit(self.ticket)
                self.ticket.check()
                return build(self.job, self.ticket.check)
            except (OSError, ValueError, RuntimeError, MemoryError, ImportError) as error:
                return error


_ONE_AT_A_TIME = threading.Lock()
_ADMITTED: list[str] = []


def _admit(ticket: Ticket) -> None:
    if ticket.token in _ADMITTED:
        return
    if why := ticket.refusal():
        raise FolderError(f"node {platform.node()} {why}")
    # Workers outlive builds: the release may have changed since the last one.
    close_releases()
    _ADMITTED[:] = [ticket.token]


@contextmanager
def one_thread() -> Iterator[None]:
    """OpenCV on one thread: there is a process per core already."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


def release_listing(raw: str, base: str) -> str:
    """Digest of the names and sizes at the top of a release."""
    release = open_raw(raw, base)
    try:
        found = sorted(
            f"{Path(info['name']).name} {info['size'] if info['type'] == 'file' else 'folder'}"
            for info in release.fs.ls(release.root, detail=True)
        )
    finally:
        release.close()
    return hashlib.sha256("\n".join(found).encode()).hexdigest()
