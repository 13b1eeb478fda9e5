"""What makes reading fast changes nothing of what is read, and memory does not grow with samples or epochs."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from facevox.loaders.media import encode_flac
from facevox.loaders.sample import FIELD_ENTRY
from facevox.loaders.sound_window import decode_part
from facevox.loaders.stream import Stream, StreamOptions

SMALL = 64


def small_samples(out: Path, count: int) -> Path:
    """A folder of `count` small members in one shard, each beginning with its number."""
    shard = "data/faces/train-00000.tar"
    for name in ("tables", "data/faces"):
        (out / name).mkdir(parents=True)
    bytes_ = np.zeros((count, SMALL), np.uint8)
    bytes_[:, :4] = np.arange(count, dtype="<u4")[:, None].view(np.uint8)
    (out / shard).write_bytes(bytes_.tobytes())
    none = pa.ListArray.from_arrays(pa.array(np.zeros(count + 1, np.int32)), pa.array([], pa.uint32()))
    edge = pa.array(np.zeros(count, np.uint32))
    offsets = pa.array(np.arange(count, dtype=np.uint64) * SMALL)
    columns = [["face.bin"] * count, offsets, np.full(count, SMALL, np.uint64), [""] * count, edge, edge, none, none]
    entries = pa.StructArray.from_arrays(
        [column if isinstance(column, pa.Array) else pa.array(column) for column in columns], fields=list(FIELD_ENTRY)
    )
    index = {"key": [f"s{number:06d}" for number in range(count)]} | dict.fromkeys(("config",), ["faces"] * count)
    index |= {"split": ["train"] * count, "shard": [shard] * count, "row": pa.array(np.arange(count), pa.uint32())}
    index |= {"identity": [f"p{number // 40}" for number in range(count)], "source_digest": [""] * count}
    index["fields"] = pa.ListArray.from_arrays(pa.array(np.arange(count + 1, dtype=np.int32)), entries)
    pq.write_table(pa.table(index), out / "tables" / "index.parquet")
    pq.write_table(
        pa.table({"config": ["faces"], "split": ["train"], "file": [shard]}), out / "tables/manifest.parquet"
    )
    (out / "checksums.sha256").write_text("one\n")
    return out


EPOCHS = """
import sys
from pathlib import Path
from facevox.loaders.stream import Stream, StreamOptions
folder, epochs, mark = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
def peak():
    # Not ru_maxrss: that of a new process begins at its parent's.
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
stream = Stream(folder, "faces", "train", StreamOptions(decode=False, shuffle=True, seed=3, batch_size=512))
peaks = []
for epoch in range(epochs):
    seen = bytearray(len(stream.keys))
    for number, batch in enumerate(stream):
        for key, data in zip(batch["__key__"], batch["face.bin"]):
            row = int.from_bytes(data[:4], "little")
            assert key == f"s{row:06d}" and not seen[row]
            seen[row] = 1
        if epoch == 0 and number == mark:
            peaks.append(peak())
    assert all(seen)
    peaks.append(peak())
print(*peaks)
"""


def peaks(folder: Path, epochs: int, mark: int) -> list[int]:
    """Peak memory of a process of its own, kB: after `mark` batches and after every epoch."""
    done = subprocess.run(
        [sys.executable, "-c", EPOCHS, str(folder), str(epochs), str(mark)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return [int(word) for word in done.stdout.split()]


def test_an_epoch_of_100000_small_samples_takes_no_more_memory_than_its_beginning(tmp_path):
    begin, end = peaks(small_samples(tmp_path, 100_000), 1, 20)
    assert end - begin < 8 << 10, "8 MB; an object of 100 bytes for each sample would be more"


def test_twenty_epochs_take_no_more_memory_than_two(tmp_path):
    _, _, second, *_, last = peaks(small_samples(tmp_path, 5_000), 20, 2)
    assert last - second < 4 << 10


@pytest.mark.parametrize("seconds", [0.01, 0.4, 1.0, 3.0])
def test_the_middle_of_a_sound_is_that_of_the_whole(seconds):
    whole = np.random.default_rng(1).integers(-3000, 3000, 16_001).astype(np.int16)
    count = min(round(seconds * 16_000), len(whole))
    start = len(whole) // 2 - count // 2
    assert np.array_equal(decode_part(encode_flac(whole, 16_000), seconds), whole[start : start + count])


def test_damage_in_the_middle_of_a_sound_is_an_error():
    data = bytearray(encode_flac(np.random.default_rng(1).integers(-3000, 3000, 64_000).astype(np.int16), 16_000))
    with pytest.raises(ValueError, match="not a readable sound"):
        decode_part(bytes(data[:30]), 0.1)
    with pytest.raises(ValueError, match=r"sound|Sound"):
        decode_part(bytes(data[: len(data) // 3]), 0.1)


def test_threads_and_shared_batches_give_the_same_arrays(built):
    """One by one, by threads, and stacked in shared memory by worker processes."""
    fields = ("visual.webp", "thermal.webp", "mic1.flac")
    batches = {
        (workers, threads): list(
            Stream(
                built["tar"],
                "utterances",
                "train",
                StreamOptions(
                    fields=fields, frames=2, batch_size=2, sound_seconds=0.05, workers=workers, threads=threads
                ),
            )
        )
        for workers, threads in ((0, 0), (0, 3), (2, 0))
    }
    expected = batches.pop((0, 0))
    for way, found in batches.items():
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            for name in fields:
                assert isinstance(one[name], torch.Tensor), way
                assert torch.equal(one[name], other[name]), (way, name)
