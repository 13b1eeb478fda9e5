"""Workers of a stream: what runs in them, what it costs, and what happens when one dies."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
import weakref

import numpy as np
import pytest
import torch
from facevox.loaders.batches import together
from facevox.loaders.stream import Stream, StreamOptions


class Slow:
    """Batches as they are, made more slowly than they are taken."""

    def __call__(self, samples):
        time.sleep(0.2)
        return together(samples)


def keys(batches) -> list[list[str]]:
    return [batch["__key__"] for batch in batches]


class Small:
    """Sample-level work for the workers: thumbnails only."""

    def __call__(self, samples):
        frames = np.stack([sample["visual.webp"][0][::16, ::16] for sample in samples])
        return {"x": torch.from_numpy(frames), "worker": torch.utils.data.get_worker_info().id}


def test_workers_start_beside_living_opencv_threads(built):
    """A forked worker must not touch the locks of threads that exist in the parent alone."""
    import cv2

    threads = cv2.getNumThreads()
    try:
        cv2.setNumThreads(4)
        for _ in range(3):
            cv2.GaussianBlur(np.zeros((2000, 2000, 3), np.uint8), (31, 31), 5)
            stream = Stream(built["tar"], "utterances", "train", StreamOptions(frames=1, batch_size=3, workers=2))
            assert len(list(stream)) == 3
        assert cv2.getNumThreads() == 4
    finally:
        cv2.setNumThreads(threads)


def test_inputs_run_in_the_workers(built):
    options = StreamOptions(fields=("visual.webp",), frames=1, batch_size=2, workers=2)
    batches = list(Stream(built["tar"], "utterances", "train", options, Small()))
    assert [batch["worker"] for batch in batches] == [0, 1, 0, 1]
    assert batches[0]["x"].shape == (2, 16, 24, 3)


@pytest.mark.slow
def test_memory_stays_flat_and_workers_stay_light(built):
    script = """
import sys
from pathlib import Path
from facevox.loaders.stream import Stream, StreamOptions

class Spy:
    def __call__(self, samples):
        status = Path("/proc/self/status").read_text()
        rss = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
        return {"rss": rss, "datasets": "datasets" in sys.modules}

stream = Stream(sys.argv[1], "utterances", "train", StreamOptions(shuffle=True, batch_size=2, workers=2), Spy())
seen = []
for epoch in range(20):
    batches = list(stream)
    assert not any(bool(b["datasets"]) for b in batches)
    seen.append(max(int(b["rss"]) for b in batches) / 1024)
print(max(seen), seen[-1] - seen[2])
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(built["tar"].path)], capture_output=True, text=True, check=True
    )
    peak, growth = map(float, done.stdout.split())
    decoded = 2 * 14 * (384 * 256 * 3 + 232 * 174 * 3) / 2**20
    assert peak < 350 + 2 * decoded, done.stdout
    assert growth < 8, done.stdout


@pytest.fixture
def slow(built):
    """A stream of two workers that make batches more slowly than they are taken, and its keys in order."""
    options = StreamOptions(fields=("mic1.flac",), shuffle=True, batch_size=1, workers=2)
    whole = keys(Stream(built["tar"], "utterances", "train", options))
    return Stream(built["tar"], "utterances", "train", options, inputs=Slow()), whole


def kill_one(others) -> None:
    os.kill(next(iter(set(multiprocessing.active_children()) - others)).pid, signal.SIGKILL)


def test_a_killed_worker_is_told_and_the_stream_goes_on_where_it_stood(slow):
    stream, whole = slow
    others, seen = set(multiprocessing.active_children()), []
    with pytest.raises(RuntimeError, match="killed in epoch 0 after [1-7] samples.*Iterating again goes on"):
        for batch in stream:
            seen += [batch["__key__"]]
            if len(seen) == 1:
                kill_one(others)
    assert seen + keys(stream) == whole


def test_a_worker_killed_while_the_training_is_busy_is_replaced(slow):
    stream, whole = slow
    others, seen = set(multiprocessing.active_children()), []
    with pytest.raises(RuntimeError, match="killed"):
        for batch in stream:
            seen += [batch["__key__"]]
            kill_one(others)
            # The signal of the child's death falls in here.
            time.sleep(1)
    assert seen + keys(stream) == whole
    assert len(keys(stream)) == len(whole)


def test_a_stream_that_nobody_holds_ends_its_workers_at_once(built):
    """A cycle would keep them for the collector, whose next run in a forked worker waits for processes not its own."""
    stream = Stream(built["tar"], "utterances", "train", StreamOptions(fields=("mic1.flac",), workers=1))
    before, gone = set(multiprocessing.active_children()), weakref.ref(stream)
    next(iter(stream))
    (worker,) = set(multiprocessing.active_children()) - before
    del stream
    assert gone() is None
    # On busy cores torch waits five seconds for it, then ends it without waiting.
    worker.join(20)
    assert not worker.is_alive()
