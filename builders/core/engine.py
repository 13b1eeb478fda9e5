"""Who builds the missing shards: this process, several, or a cluster, with the same results in any order."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, as_completed, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import wait as wait_for
from typing import Any, TypeVar

import cv2
import pyarrow as pa

from ...loaders.arrow_buffers import spare_pandas
from ...loaders.names import nearest
from .cluster import build_on, one_thread
from .shard import Progress, ShardJob, ShardResult, build

Made = TypeVar("Made")
Pieces = Callable[[int, int], None]
"""Called after every finished piece with how many of how many are done."""
PRELOADED = ["facevox.builders.core.shard", "facevox.loaders.vp8l"]
"""What every worker would import, a second each."""
PRELOADED_IF_USED = ["scipy.signal"]
"""As long to import, for those who forge: its caller has imported it by then."""


Engine = Callable[[Sequence[ShardJob], Progress | None], Iterator[ShardResult]]
"""Builds shards and yields what each took, in any order; closed early, it stops what is under way."""
ENGINES = ("serial", "processes", "dask", "ray")


def engine_name(name: str, workers: int, address: str) -> str:
    """The engine of that name, by default the one for so many workers. Raises ValueError for what does not fit."""
    if name not in ("", *ENGINES):
        raise ValueError(f"no engine {name!r}; {nearest(name, list(ENGINES))}")
    if address and name not in ("dask", "ray"):
        raise ValueError(f"address {address!r} is of a cluster: name its engine, dask or ray")
    if name == "serial" and workers > 1:
        raise ValueError(f"{workers} workers, but the serial engine is one process: leave the engine out")
    return name or ("serial" if workers == 1 else "processes")


def engine(name: str, workers: int, address: str) -> Engine:
    """The engine that `engine_name` chose, with so many processes here, or on the cluster that answers at `address`.

    Raises ModuleNotFoundError when its package is missing.
    """
    if name == "dask":
        from .dask_engine import DaskCluster

        return partial(build_on, partial(DaskCluster, workers, address))
    if name == "ray":
        from .ray_engine import RayCluster

        return partial(build_on, partial(RayCluster, workers, address))
    return serial if name == "serial" else partial(processes, workers)


def serial(jobs: Sequence[ShardJob], tell: Progress | None) -> Iterator[ShardResult]:
    """One after the other in this process."""
    with one_thread():
        for job in jobs:
            yield build(job, tell)


def processes(workers: int, jobs: Sequence[ShardJob], tell: Progress | None) -> Iterator[ShardResult]:
    """A pool of fresh processes. Raises RuntimeError when the system kills one."""
    context = fresh_processes()
    told = context.SimpleQueue()
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(
        workers, mp_context=context, initializer=_start_worker, initargs=(told, dict(os.environ))
    )
    try:
        with _deaths_told():
            waiting = {pool.submit(_build_in_worker, job) for job in jobs}
            while waiting:
                done, waiting = wait(waiting, timeout=0.2, return_when=FIRST_COMPLETED)
                while not told.empty():
                    size = told.get()
                    if tell:
                        tell(size)
                yield from (future.result() for future in done)
    except BaseException:
        _stop(pool, others)
        raise
    pool.shutdown()


def _stop(pool: ProcessPoolExecutor, others: set[Any]) -> None:
    """Half-made work is worth nothing: stop at once rather than wait minutes for it. `others` are not of the pool."""
    pool.shutdown(wait=False, cancel_futures=True)
    for child in set(multiprocessing.active_children()) - others:
        child.kill()
        child.join()


def in_processes(
    piece: Callable[[int], Made], count: int, workers: int = 1, progress: Pieces | None = None
) -> list[Made]:
    """`piece(0)` to `piece(count - 1)` in that order; with several workers `piece` must be picklable.

    Raises RuntimeError when the system kills a worker.
    """
    if workers == 1 or count <= 1:
        done = []
        for number in range(count):
            done.append(piece(number))
            if progress:
                progress(len(done), count)
        return done
    size = min(workers, count, 4 * (os.cpu_count() or 1))
    others = set(multiprocessing.active_children())
    # The piece goes to each process once, not with every number: it may hold a list of all that is to be done.
    pool = ProcessPoolExecutor(size, fresh_processes(), _start_piece_worker, (dict(os.environ), piece))
    try:
        with _deaths_told():
            futures: list[Future[Made]] = [pool.submit(_do_piece, number) for number in range(count)]
            for finished, future in enumerate(as_completed(futures), 1):
                future.result()
                if progress:
                    progress(finished, count)
    except BaseException:
        _stop(pool, others)
        raise
    pool.shutdown()
    return [future.result() for future in futures]


def fresh_processes() -> Any:
    """How processes start that inherit imports and no more: from a server of their own, where there are such."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*PRELOADED, *(name for name in PRELOADED_IF_USED if name in sys.modules)])
    return context


@contextmanager
def _deaths_told() -> Iterator[None]:
    """A process that the system killed, in words: handing out the next job may find it as well as a result may."""
    try:
        yield
    except BrokenProcessPool:
        advice = "often for lack of memory: try fewer --workers. Run the same command to resume"
        raise RuntimeError(f"a worker was killed by the system, {advice}") from None


_TOLD: Any = None
_PIECE: Callable[[int], Any] | None = None


def _start_worker(told: Any, environment: dict[str, str]) -> None:
    global _TOLD
    _TOLD = told
    _settle(environment)
    pa.set_cpu_count(1)


def _start_piece_worker(environment: dict[str, str], piece: Callable[[int], Any]) -> None:
    global _PIECE
    _PIECE = piece
    _settle(environment)


def _do_piece(number: int) -> Any:
    assert _PIECE is not None
    return _PIECE(number)


def _settle(environment: dict[str, str]) -> None:
    # The server has that of the first build of its process.
    os.environ.update(environment)
    spare_pandas()
    # Ctrl-C is for the parent, which stops the pool and tidies up.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    """A killed build must not leave workers behind that write into a folder somebody else resumes."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        os._exit(1)


def _build_in_worker(job: ShardJob) -> ShardResult:
    return build(job, _TOLD.put)
