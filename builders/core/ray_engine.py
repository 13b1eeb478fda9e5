"""A Ray cluster: the one that answers at an address, or processes on this machine."""

import os
from collections.abc import Callable, Sequence
from typing import Any

try:
    import ray
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError("the engine ray needs it: pip install 'facevox[ray]'", name="ray") from missing
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from .cluster import LOST_WORKERS, PATIENCE, Cluster, NodeTask
from .shard import ShardResult


class RayCluster(Cluster):
    """`address` as `ray start` prints it (HOST:PORT, or auto). A connection that the caller has is used and kept."""

    def __init__(self, workers: int, address: str) -> None:
        self.place = f"Ray at {address or 'this machine'}"
        self._connected = not ray.is_initialized()
        if not self._connected:
            return
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            if address:
                ray.init(address=address, log_to_driver=False, logging_level="ERROR")
            else:
                ray.init("local", num_cpus=workers, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise RuntimeError(f"{self.place}: no cluster answers ({error})") from None

    def ask(self, question: Callable[[], str]) -> dict[str, str]:
        task = ray.remote(_answer)
        asked = {}
        for node in ray.nodes():
            if node["Alive"] and node["Resources"].get("CPU"):
                there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
                name = f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']}:{node['NodeManagerPort']})"
                asked[name] = task.options(num_cpus=0, scheduling_strategy=there).remote(question)
        return {name: self._answer(answer) for name, answer in asked.items()}

    def _answer(self, answer: Any) -> str:
        try:
            return str(ray.get(answer, timeout=PATIENCE))
        except RayError as error:
            return f"cannot build: {error}"

    def slots(self) -> int:
        try:
            return int(ray.cluster_resources().get("CPU", 0))
        except RayError as error:
            raise RuntimeError(f"{self.place}: lost the cluster ({error}). Run the same command to resume") from None

    def submit(self, name: str, work: NodeTask) -> Any:
        task = ray.remote(num_cpus=1, max_retries=LOST_WORKERS, retry_exceptions=False)(_answer)
        return task.options(name=name, scheduling_strategy="SPREAD").remote(work)

    def finished(self, tasks: list[Any], seconds: float) -> Sequence[Any]:
        done: Sequence[Any] = ray.wait(tasks, num_returns=1, timeout=seconds)[0] if tasks else []
        return done

    def result(self, task: Any) -> ShardResult | Exception:
        try:
            made: ShardResult | Exception = ray.get(task)
        except RayError as error:
            advice = "often for lack of memory. Run the same command to resume"
            raise RuntimeError(f"{self.place}: the workers of a shard were lost, {advice} ({error})") from None
        return made

    def cancel(self, tasks: list[Any]) -> None:
        for task in tasks:
            ray.cancel(task, force=True)

    def close(self) -> None:
        if self._connected:
            ray.shutdown()


def _answer(question: Callable[[], Any]) -> Any:
    return question()
