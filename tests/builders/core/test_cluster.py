"""Builds on Dask and Ray: the bytes of a serial build, whatever dies; and nodes that must not build."""

import errno
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from facevox.builders.core import cluster as cluster_module
from facevox.builders.core.cluster import Ticket, node_versions, release_listing
from facevox.builders.core.engine import engine_name
from facevox.builders.core.run import BuildOptions, run
from facevox.builders.speakingfaces import SpeakingFacesOptions
from facevox.loaders.durable import write_bytes
from facevox.loaders.folder import FolderError

OTHER_NUMPY = """
import importlib.metadata as metadata
metadata.version = lambda name, real=metadata.version: "0.9" if name == "numpy" else real(name)
"""
FULL_DISK = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
"""


def built_on(engine: str, address: str, release: Path, out: Path, after_shards=lambda count: None) -> None:
    """Build with the options of the fixture `built`, telling how many shards are done."""
    done = []

    def tell(size: int) -> None:
        done.append(size)
        after_shards(len(done))

    options = SpeakingFacesOptions(detector="none")
    chosen = BuildOptions("speakingfaces", str(release), out, shard_mb=4, release=options)
    run(replace(chosen, engine=engine, address=address), lambda total, before: tell)


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory):
    """The scheduler file of a Dask cluster without workers."""
    file = tmp_path_factory.mktemp("dask") / "scheduler.json"
    place = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file)]
    process = subprocess.Popen([sys.executable, "-m", "dask", "scheduler", *place], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not file.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    yield file
    process.terminate()
    process.wait()


@pytest.fixture
def dask_worker(scheduler, tmp_path):
    """dask_worker(code): start a worker that runs `code` first; all are killed in the end."""
    started = []

    def start(code: str = "") -> subprocess.Popen:
        preload = tmp_path / f"preload{len(started)}.py"
        preload.write_text(code)
        line = [sys.executable, "-m", "dask", "worker", "--scheduler-file", str(scheduler), "--nthreads", "1"]
        line += ["--no-nanny", "--no-dashboard", "--local-directory", str(tmp_path), "--preload", str(preload)]
        # On a full disk Python would leave cut-off bytecode files behind.
        whole = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
        started.append(subprocess.Popen(line, stderr=subprocess.DEVNULL, env=whole))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_dask_with_a_killed_node_gives_the_same_bytes(scheduler, dask_worker, release, built, tmp_path, tree):
    nodes = [dask_worker(), dask_worker()]
    wait_for_workers(scheduler, 2)

    def kill_one(count: int) -> None:
        if count == 3:
            nodes[0].kill()

    built_on("dask", str(scheduler), release, tmp_path / "out", kill_one)
    assert nodes[0].wait() == -signal.SIGKILL
    assert tree(tmp_path / "out") == tree(built["tar"].path)


@pytest.mark.slow
def test_dask_tells_what_is_wrong_with_a_node(scheduler, dask_worker, release, tmp_path):
    full = dask_worker(FULL_DISK)
    wait_for_workers(scheduler, 1)
    with pytest.raises(OSError) as failed:
        built_on("dask", str(scheduler), release, tmp_path / "out")
    assert failed.value.errno == errno.EFBIG
    full.kill()
    dask_worker(OTHER_NUMPY)
    wait_for_workers(scheduler, 1)
    with pytest.raises(FolderError, match=r"node tcp://127.0.0.1:\d+ would write other bytes: numpy \S+ -> 0.9 there"):
        built_on("dask", str(scheduler), release, tmp_path / "out")
    assert not list(tmp_path.rglob("out/**/*.part"))


def wait_for_workers(scheduler: Path, count: int) -> None:
    from distributed import Client

    with Client(scheduler_file=str(scheduler), set_as_default=False) as client:
        deadline = time.monotonic() + 60
        while len(client.nthreads()) != count and time.monotonic() < deadline:
            time.sleep(0.1)
        assert len(client.nthreads()) == count


@pytest.mark.slow
def test_ray_with_a_killed_node_gives_the_same_bytes(release, built, tmp_path, tree):
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    node = {"num_cpus": 1, "object_store_memory": 80 << 20, "include_dashboard": False}
    # Or it takes Ray a quarter of a minute to notice that a node is gone.
    node["_system_config"] = {"health_check_initial_delay_ms": 500, "health_check_period_ms": 500}
    cluster = Cluster(initialize_head=True, head_node_args=node)
    try:
        other = cluster.add_node(num_cpus=1, object_store_memory=80 << 20)

        def kill_one(count: int) -> None:
            if count == 3:
                cluster.remove_node(other, allow_graceful=False)

        built_on("ray", cluster.address, release, tmp_path / "out", kill_one)
    finally:
        cluster.shutdown()
    assert tree(tmp_path / "out") == tree(built["tar"].path)


@pytest.fixture
def ticket(release, tmp_path) -> Ticket:
    made = Ticket(tmp_path / "out", str(release), "", release_listing(str(release), ""), node_versions())
    write_bytes(made.file, b"")
    return made


def test_a_node_must_see_the_folder_and_the_release(ticket, monkeypatch, tmp_path):
    monkeypatch.setattr(cluster_module, "SEEN_WITHIN", 0.0)
    assert ticket.refusal() == ""
    (tmp_path / "other").mkdir()
    assert "another release" in replace(ticket, raw=str(tmp_path / "other")).refusal()
    assert "no such release folder" in replace(ticket, raw=str(tmp_path / "absent")).refusal()
    assert "facevox code" in replace(ticket, versions=ticket.versions | {"facevox code": "0"}).refusal()
    ticket.file.unlink()
    assert "does not see what is written" in ticket.refusal()
    with pytest.raises(RuntimeError, match="has ended"):
        ticket.check()


def test_engines_are_named_and_fit_their_options():
    assert engine_name("", 1, "") == "serial"
    assert engine_name("", 2, "") == "processes"
    with pytest.raises(ValueError, match="did you mean 'dask'|dask"):
        engine_name("dusk", 1, "")
    with pytest.raises(ValueError, match="name its engine"):
        engine_name("", 1, "tcp://h:1")
    with pytest.raises(ValueError, match="serial"):
        engine_name("serial", 2, "")
