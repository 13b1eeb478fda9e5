"""Streams: the right samples, only their bytes, and exact resume at every cut."""

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
import weakref

import numpy as np
import pytest
import torch
from facevox.loaders import shards as shards_module
from facevox.loaders.batches import together
from facevox.loaders.folder import FolderError, wanted_frames
from facevox.loaders.stream import Stream, StreamOptions

MEDIA = ("visual.webp", "thermal.webp", "mic1.flac")


class Slow:
    """Batches as they are, made more slowly than they are taken."""

    def __call__(self, samples):
        time.sleep(0.2)
        return together(samples)


def keys(batches) -> list[list[str]]:
    return [batch["__key__"] for batch in batches]


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_batches_hold_what_the_folder_holds(built, workers):
    options = StreamOptions(fields=MEDIA, frames=3, shuffle=True, batch_size=3, workers=workers)
    expected = None
    for folder in built.values():
        batches = list(Stream(folder, "utterances", "train", options))
        assert sorted(key for batch in keys(batches) for key in batch) == sorted(
            row["key"] for row in folder.index.to_pylist() if (row["config"], row["split"]) == ("utterances", "train")
        )
        for batch in batches:
            for place, key in enumerate(batch["__key__"]):
                sample = next(folder.fetch([key], MEDIA, frames=3))
                assert all(np.array_equal(np.asarray(batch[name][place]), sample[name]) for name in MEDIA)
                assert batch["json"][place]["subject"] == sample["json"]["subject"]
        assert expected is None or keys(batches) == expected
        expected = keys(batches)


@pytest.mark.parametrize("workers", [0, 1, 2])
@pytest.mark.parametrize("later", [0, 1, 2])
def test_resume_is_exact_at_every_batch_with_any_workers(built, workers, later):
    options = StreamOptions(fields=("mic1.flac",), shuffle=True, batch_size=1, workers=workers, seed=5)
    again = StreamOptions(fields=("mic1.flac",), shuffle=True, batch_size=1, workers=later, seed=5)
    whole = Stream(built["tar"], "utterances", "train", options)
    epochs = [keys(whole), keys(whole)]
    assert epochs[0] != epochs[1]
    stream = Stream(built["tar"], "utterances", "train", options)
    resumed = Stream(built["tar"], "utterances", "train", again)
    for cut, batch in enumerate(stream, 1):
        assert batch["__key__"] == epochs[0][cut - 1]
        state = stream.state_dict()
        if workers != later and cut % 3:
            continue
        resumed.load_state_dict(state)
        assert keys(resumed) == epochs[0][cut:]
        assert keys(resumed) == epochs[1]


def test_resume_twice_in_a_row(built):
    options = StreamOptions(fields=("mic1.flac",), shuffle=True, batch_size=2, workers=2)
    whole = keys(Stream(built["tar"], "utterances", "train", options))
    taken: list[list[str]] = []
    state = None
    for _ in range(len(whole)):
        stream = Stream(built["tar"], "utterances", "train", options)
        if state:
            stream.load_state_dict(state)
        taken.append(next(iter(stream))["__key__"])
        state = stream.state_dict()
    assert taken == whole
    assert (state["epoch"], state["taken"]) == (0, 8)


@pytest.mark.parametrize("workers", [0, 2])
def test_an_epoch_goes_on_with_other_ranks_and_batch_sizes(built, workers):
    """One rank, then three, then two: a state of any rank is good for all of them."""
    state, found = None, []
    for world, batch_size, steps in ((1, 2, 1), (3, 1, 1), (2, 1, 99)):
        options = {"shuffle": True, "batch_size": batch_size, "workers": workers, "world": world, "by_length": "frames"}
        ranks = [
            Stream(
                built["tar"],
                "utterances",
                "train",
                StreamOptions(fields=("mic1.flac",), frames=1, rank=rank, **options),
            )
            for rank in range(world)
        ]
        states = []
        for stream in ranks:
            if state:
                stream.load_state_dict(state)
            left = stream.left
            for _, batch in zip(range(steps), stream, strict=False):
                found += batch["__key__"]
            states.append(stream.state_dict())
            assert stream.left == max(0, left - steps) or stream.epoch == 1
        assert all(one == states[0] for one in states)
        state = states[0]
    assert state["epoch"] == 1
    assert len(found) == len(set(found)) == 8


@pytest.mark.parametrize("workers", [0, 2])
def test_ranks_share_a_split_evenly(built, workers):
    found = []
    for rank in range(3):
        options = StreamOptions(fields=("mic1.flac",), shuffle=True, batch_size=2, workers=workers, rank=rank, world=3)
        stream = Stream(built["tar"], "utterances", "train", options)
        assert len(stream) == 2
        found += [key for batch in stream for key in batch["__key__"]]
    assert len(found) == len(set(found)) == 8


def test_a_position_of_another_stream_is_refused_by_name(built):
    stream = Stream(built["tar"], "utterances", "train", StreamOptions(fields=("mic1.flac",), batch_size=2))
    state = stream.state_dict()
    for change, words in (
        ({"by_length": "frames"}, "by_length was '', now 'frames'"),
        ({"seed": 1, "shuffle": True}, "seed was 0, now 1; shuffle was False, now True"),
        ({"where": "trial == 1"}, "rows was"),
    ):
        other = Stream(
            built["tar"], "utterances", "train", StreamOptions(**{"fields": ("mic1.flac",), "batch_size": 2, **change})
        )
        with pytest.raises(ValueError, match=words):
            other.load_state_dict(state)
    with pytest.raises(ValueError, match="split was 'train', now 'test'"):
        Stream(built["tar"], "utterances", "test", StreamOptions(batch_size=2)).load_state_dict(state)
    with pytest.raises(RuntimeError, match="moved this stream"):
        for _ in stream:
            stream.load_state_dict(state)


def test_filters_limits_and_forms(built):
    folder = built["tar"]
    women = Stream(
        folder, "utterances", "train", StreamOptions(where="gender == 'Female' and trial == 2", batch_size=99)
    )
    (batch,) = women
    assert {(fact["gender"], fact["trial"]) for fact in batch["json"]} == {("Female", 2)}
    assert len(Stream(folder, "stills", "test", StreamOptions(limit=3, batch_size=1))) == 3
    (batch,) = Stream(
        folder, "stills", "test", StreamOptions(fields=("thermal.webp",), thermal="index", frames=(0,), limit=2)
    )
    assert batch["thermal.webp"].shape == (2, 1, 174, 232)
    assert int(batch["thermal.webp"].max()) < 224
    (raw,) = Stream(folder, "stills", "test", StreamOptions(decode=False, frames=slice(0, 2), limit=1))
    assert [type(part) for part in raw["visual.webp"][0]] == [bytes, bytes]


def test_aligned_frames_are_the_releases_own(release, built):
    options = StreamOptions(fields=("visual.webp",), frames="all", align=True, batch_size=1)
    aligned = {
        b["__key__"][0]: b["visual.webp"][0].numpy()
        for s in ("train", "test")
        for b in Stream(built["tar"], "utterances", s, options)
    }
    import cv2

    for row in built["tar"].index.to_pylist():
        if row["key"] in aligned:
            (sample,) = built["tar"].fetch([row["key"]], ["visual.webp"])
            assert aligned[row["key"]].shape == (row["frames"], 174, 232, 3)
            matrix = np.array(row["alignment"][-1]["h"]).reshape(3, 3)
            assert np.array_equal(
                aligned[row["key"]][-1], cv2.warpPerspective(sample["visual.webp"][-1], matrix, (232, 174))
            )


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


def test_two_iterators_cannot_share_a_stream(built):
    stream = Stream(built["tar"], "utterances", "train", StreamOptions(fields=("mic1.flac",), batch_size=2))
    first = iter(stream)
    next(first)
    assert len(list(stream)) == 3
    with pytest.raises(RuntimeError, match="another iteration"):
        next(first)
    assert stream.state_dict()["epoch"] == 1


@pytest.mark.parametrize("frames", [0, -1, "last", [], True, 2.5])
def test_impossible_frames_are_refused(built, frames):
    with pytest.raises(ValueError, match="expected 'all'"):
        Stream(built["tar"], "utterances", "train", StreamOptions(frames=frames))


class Small:
    """Sample-level work for the workers: thumbnails only."""

    def __call__(self, samples):
        frames = np.stack([sample["visual.webp"][0][::16, ::16] for sample in samples])
        return {"x": torch.from_numpy(frames), "worker": torch.utils.data.get_worker_info().id}


def test_inputs_run_in_the_workers(built):
    options = StreamOptions(fields=("visual.webp",), frames=1, batch_size=2, workers=2)
    batches = list(Stream(built["tar"], "utterances", "train", options, Small()))
    assert [batch["worker"] for batch in batches] == [0, 1, 0, 1]
    assert batches[0]["x"].shape == (2, 16, 24, 3)


def test_only_needed_bytes_are_read(built, monkeypatch):
    """Three frames of two clips and one sound: at most a tenth more than their bytes."""
    read: list[int] = []
    real_pread = os.pread
    monkeypatch.setattr(shards_module.os, "pread", lambda h, size, at: read.append(size) or real_pread(h, size, at))
    for folder in built.values():
        read.clear()
        list(Stream(folder, "utterances", "train", StreamOptions(fields=MEDIA, frames=3, shuffle=True, batch_size=3)))
        needed = 0
        for row in folder.index.to_pylist():
            if (row["config"], row["split"]) == ("utterances", "train"):
                for entry in row["fields"]:
                    if entry["name"] in MEDIA and entry["frame_size"]:
                        needed += sum(entry["frame_size"][n] for n in wanted_frames(3, row["frames"]))
                    elif entry["name"] in MEDIA:
                        needed += entry["size"]
        assert needed <= sum(read) <= 1.1 * needed


@pytest.mark.parametrize("workers", [0, 2])
def test_wrong_folders_and_shards_are_one_clear_line(built, tmp_path, workers):
    options = StreamOptions(fields=("aligned.webp",), workers=workers)
    with pytest.raises(FolderError, match=r"8 of 8 samples have no field 'aligned.webp', first .*there is: mic1.flac"):
        Stream(built["tar"], "utterances", "train", options)
    with pytest.raises(FolderError, match="no split 'dev'"):
        Stream(built["tar"], "utterances", "dev", StreamOptions())
    with pytest.raises(FolderError, match="no sample of utterances train fits"):
        Stream(built["tar"], "utterances", "train", StreamOptions(where="age > 200"))
    shutil.copytree(built["tar"].path, tmp_path / "copy")
    next((tmp_path / "copy" / "data" / "utterances").glob("train-*")).unlink()
    with pytest.raises(FolderError, match=r"shard is missing. Run `facevox verify`") as caught:
        list(Stream(tmp_path / "copy", "utterances", "train", StreamOptions(workers=workers)))
    assert "\n" not in str(caught.value)


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


def test_a_shard_deleted_while_streaming_leaves_no_gap(built, tmp_path):
    """Whoever holds the file open reads on; whoever opens it later says that it is missing."""
    copy = shutil.copytree(built["tar"].path, tmp_path / "copy")
    options = StreamOptions(fields=("mic1.flac",), batch_size=1)
    whole = keys(Stream(built["tar"], "utterances", "train", options))
    stream, seen = Stream(copy, "utterances", "train", options), []
    with pytest.raises(FolderError, match="shard is missing"):
        for batch in stream:
            seen += [batch["__key__"]]
            for shard in (copy / "data" / "utterances").glob("train-*"):
                shard.unlink()
    assert 0 < len(seen) < len(whole) and seen == whole[: len(seen)]


def test_damage_is_told_with_its_place(built, tmp_path):
    copy = shutil.copytree(built["tar"].path, tmp_path / "copy")
    row = next(
        row for row in built["tar"].index.to_pylist() if (row["config"], row["split"]) == ("utterances", "train")
    )
    entry = next(entry for entry in row["fields"] if entry["name"] == "mic1.flac")
    with (copy / row["shard"]).open("r+b") as shard:
        shard.seek(entry["offset"] + entry["size"] // 2)
        shard.write(b"\xff" * 64)
    with pytest.raises(FolderError, match=rf"{row['shard']}: {row['key']}.mic1.flac: .*Run `facevox verify`"):
        list(Stream(copy, "utterances", "train", StreamOptions(fields=("mic1.flac",))))


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


def test_a_batch_becomes_tensors_as_torch_does_it():
    """Arrays anywhere in what `inputs` gives; facts and words come out as they are."""
    from facevox.loaders.batches import as_tensors
    from torch.utils.data import default_convert

    facts = [{"name": "a", "box": {"left": 1.5, "top": None}, "spans": [{"first": 1}], "raw": b"x"}] * 2
    arrays = {"a": np.arange(3), "b": [np.float32(2), np.zeros((2, 2))], "w": np.array(["x"]), "t": (1, np.arange(2))}
    batch = {"json": facts, "__key__": ["k", "l"], "deep": {"json": [{"array": np.arange(4)}]}, **arrays}
    found, expected = as_tensors(batch), default_convert(batch)
    assert repr(found) == repr(expected)
    assert isinstance(found["deep"]["json"][0]["array"], torch.Tensor)


def test_the_kernel_is_told_of_the_next_batch_and_damage_comes_in_its_turn(built, tmp_path, monkeypatch):
    """What is told is what will be read; a shard that is missing is an error where it is read, not before."""
    told, read = [], []
    advise, pread = os.posix_fadvise, os.pread

    def note(handle, first, length, advice):
        told.extend([(handle, first, length)] if advice == os.POSIX_FADV_WILLNEED else [])
        return advise(handle, first, length, advice)

    def noted(handle, length, first):
        assert (handle, first, length) in told
        read.append((handle, first, length))
        return pread(handle, length, first)

    monkeypatch.setattr(os, "posix_fadvise", note)
    monkeypatch.setattr(os, "pread", noted)
    options = StreamOptions(fields=("mic1.flac",), frames=1, batch_size=1)
    begun = iter(Stream(built["tar"], "utterances", "train", options))
    next(begun)
    assert read and len(told) > len(read), "the next batch is under way"
    list(begun)
    assert sorted(told) == sorted(read)
    with shards_module.Shards(tmp_path) as shards:
        name = "data/faces/train-00000.tar"
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes(b"abcdef")
        there = shards_module.Request({name: [(1, 2)]}, 0)
        absent = shards_module.Request({"data/faces/train-00001.tar": [(0, 1)]}, 1)
        reading = shards.ahead([there, absent])
        assert bytes(next(reading)[1][name][1, 2]) == b"bc"
        with pytest.raises(FolderError, match="shard is missing"):
            next(reading)
