"""Processes that the system kills are named, whenever that is noticed."""

from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import pytest
from facevox.builders.core.engine import in_processes, processes


@pytest.mark.parametrize("work", [lambda: in_processes(abs, 3, 2), lambda: list(processes(2, ["job"], None))])
def test_a_worker_killed_while_jobs_are_handed_out_is_named(work, monkeypatch):
    def broken(*_):
        raise BrokenProcessPool("A child process terminated abruptly")

    monkeypatch.setattr(ProcessPoolExecutor, "submit", broken)
    with pytest.raises(RuntimeError, match="a worker was killed by the system, .* fewer --workers"):
        work()
