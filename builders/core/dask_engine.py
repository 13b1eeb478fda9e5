"""A Dask cluster: the one that answers at an address, or processes on this machine."""

import logging
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from typing import Any

try:
    from distributed import Client, KilledWorker, LocalCluster, wait
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError("the engine dask needs it: pip install 'facevox[dask]'", name="distributed") from missing

from .cluster import Cluster, NodeTask
from .shard import ShardResult

CONNECT = 30
"""Seconds in which a scheduler must answer."""


class DaskCluster(Cluster):
    """`address` as `dask worker` takes it (tcp://HOST:PORT), or a scheduler file (NAME.json)."""

    def __init__(self, workers: int, address: str) -> None:
        self.place = f"Dask at {address or 'this machine'}"
        self._own: Any = None
        # A lost scheduler is one line of ours, not pages of its client's.
        logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
        if not address:
            with _ctrl_c_is_for_us():
                self._own = LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    memory_limit=0,
                    dashboard_address=None,
                    silence_logs=logging.CRITICAL,
                )
        where = {"scheduler_file": address} if address.endswith(".json") else {"address": self._own or address}
        try:
            self._client = Client(**where, timeout=CONNECT, set_as_default=False)
        except (OSError, ValueError) as error:
            raise RuntimeError(f"{self.place}: no scheduler answers ({error})") from None

    def ask(self, question: Callable[[], str]) -> dict[str, str]:
        with self._answering():
            found = self._client.run(question, on_error="return")
        answers = {}
        for worker, answer in found.items():
            failed = isinstance(answer, BaseException)
            answers[worker] = f"cannot build: {type(answer).__name__}: {answer}" if failed else answer
        return answers

    def slots(self) -> int:
        with self._answering():
            return len(self._client.nthreads())

    def submit(self, name: str, work: NodeTask) -> Any:
        return self._client.submit(work, key=name, pure=False, retries=0)

    def finished(self, tasks: list[Any], seconds: float) -> Sequence[Any]:
        try:
            with self._answering(), self._client.as_current():
                return list(wait(tasks, timeout=seconds, return_when="FIRST_COMPLETED").done)
        except TimeoutError:
            return []

    def result(self, task: Any) -> ShardResult | Exception:
        try:
            with self._answering():
                made: ShardResult | Exception = task.result()
        except KilledWorker as error:
            advice = "often for lack of memory. Run the same command to resume"
            raise RuntimeError(f"{self.place}: the workers of {task.key} were killed, {advice} ({error})") from None
        return made

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """What fails in here is the way to the scheduler: what a shard raises comes as its result."""
        try:
            yield
        except TimeoutError:
            raise
        except (CancelledError, OSError):
            raise RuntimeError(f"{self.place}: lost the scheduler. Run the same command to resume") from None

    def cancel(self, tasks: list[Any]) -> None:
        if tasks and self._client.status == "running":
            self._client.cancel(tasks, force=True)

    def close(self) -> None:
        self._client.close(timeout=5)
        if self._own is not None:
            self._own.close(timeout=10)


@contextmanager
def _ctrl_c_is_for_us() -> Iterator[None]:
    """Processes started meanwhile ignore Ctrl-C, which a terminal sends to all; they are stopped in good order."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
