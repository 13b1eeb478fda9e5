"""Batches made ahead by a thread: the same ones, in order, with their errors in their turn, and an end to it."""

import threading
import time

import facevox
import numpy as np
import pytest
from facevox.loaders.made_ahead import made_ahead


def counted(until, log):
    try:
        for number in range(1, until + 1):
            log.append(number)
            yield number
        raise TypeError("what inputs= may raise")
    finally:
        log.append("closed")


def test_items_come_in_order_and_the_error_in_its_turn():
    log: list = []
    taken = []
    with pytest.raises(TypeError, match="what inputs= may raise"):
        for item in made_ahead(counted(4, log)):
            taken.append(item)
    assert taken == [1, 2, 3, 4] and log[-1] == "closed"


def test_one_item_is_made_while_another_is_used():
    log: list = []
    items = made_ahead(counted(9, log))
    assert next(items) == 1
    until = time.monotonic() + 20
    while len(log) < 2 and time.monotonic() < until:
        time.sleep(0.001)
    assert log == [1, 2], "the next, and no more"
    items.close()
    assert log == [1, 2, "closed"]
    assert not any(thread.name.startswith("facevox-batches") for thread in threading.enumerate())


@pytest.mark.parametrize("stop", [1, 2, None])
def test_threads_give_the_batches_of_one_process_and_resume(built, stop):
    options = {"fields": ("thermal.webp", "mic1.flac"), "frames": 2, "batch_size": 2, "shuffle": True, "seed": 5}
    expected = list(facevox.stream(built["tar"], "utterances", "train", **options))
    stream, found = facevox.stream(built["tar"], "utterances", "train", threads=2, **options), []
    for number, batch in enumerate(stream, 1):
        found.append(batch)
        if number == stop:
            break
    other = facevox.stream(built["tar"], "utterances", "train", threads=2, **options)
    other.load_state_dict(stream.state_dict())
    found += list(other) if stop else []
    for one, batch in zip(expected, found, strict=True):
        assert one["__key__"] == batch["__key__"]
        for name in options["fields"]:
            assert all(np.array_equal(*both) for both in zip(one[name], batch[name], strict=True))


def test_people_are_drawn_alike_with_threads(built):
    options = {"identities": 1, "samples": {"utterances": 2}, "frames": 1, "seed": 2}
    one, other = (
        [
            batch["utterances"]["__key__"]
            for batch in facevox.identity_batches(built["tar"], "train", threads=n, **options)
        ]
        for n in (0, 2)
    )
    assert one == other and len(one) > 1


class Nothing:
    """A batch that is None for every other one."""

    def __init__(self):
        self.made = 0

    def __call__(self, samples):
        self.made += 1
        return None if self.made % 2 else len(samples)


def test_a_batch_of_none_is_a_batch(built):
    stream = facevox.stream(built["tar"], "utterances", "train", batch_size=2, threads=1, inputs=Nothing())
    assert list(stream) == [None, 2] * (len(stream) // 2)


class Slow:
    """Holds a lock that a forked child would find locked for ever."""

    LOCK = threading.Lock()

    def __call__(self, samples):
        with self.LOCK:
            time.sleep(0.2)
        return len(samples)


def test_workers_are_not_started_while_a_batch_is_made(built):
    slow = iter(facevox.stream(built["tar"], "utterances", "train", batch_size=1, threads=1, inputs=Slow()))
    for _ in range(3):
        next(slow)
        workers = facevox.stream(built["tar"], "utterances", "test", batch_size=1, workers=1, inputs=Slow())
        assert list(workers) == [1] * len(workers)
