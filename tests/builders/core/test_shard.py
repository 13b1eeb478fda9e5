"""One shard: a sample that the folder cannot hold is a row, and the others are kept."""

import json
import struct
import zlib

import cv2
import numpy as np
import pyarrow as pa
import pytest
from facevox.builders.core import shard
from facevox.builders.core.builder import Builder, ReleaseOptions, Unit
from facevox.builders.core.plan import ShardSpec
from facevox.loaders.media import PNG_SIGNATURE
from facevox.loaders.sample import Config, Fact, Field, Sample

CONFIG = Config("faces", "x", (Field("face.png", "image", "x"),), (Fact("score", pa.float64(), "x"),))


def png(side: int) -> bytes:
    """A small picture whose header says `side`."""
    data = cv2.imencode(".png", np.zeros((4, 4, 3), np.uint8))[1].tobytes()
    header = b"IHDR" + struct.pack(">II", side, side) + data[24:29]
    return PNG_SIGNATURE + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header)) + data[33:]


class Portraits(Builder):
    name = "portraits"
    configs = (CONFIG,)

    def units(self, raw, config):
        yield Unit("ann", "faces", "train", "portraits/main/ann", 1, samples=2)

    def read(self, raw, unit, clock):
        for key, side, score in (("ann_1", 4, 0.5), ("ann_2", 8_000, 0.5), ("ann_3", 4, float("nan")), ("ann_4", 4, 1)):
            yield Sample(key, unit.identity, unit.split, {"face.png": png(side)}, {"score": score})


@pytest.mark.parametrize("ending", ["tar", "parquet", "arrow"])
def test_samples_too_large_or_not_numbers_are_rows(tmp_path, monkeypatch, ending):
    monkeypatch.setattr(shard, "find", lambda name: Portraits)
    units = tuple(Portraits(ReleaseOptions()).units(None, "faces"))
    job = shard.ShardJob(
        "portraits", str(tmp_path), tmp_path, ReleaseOptions(), ending, "", ShardSpec("s", "faces", "train", units)
    )
    result = shard.build(job)
    assert (result.samples, result.rejected) == (2, 2)
    sidecar = json.loads(job.sidecar.read_text())
    assert [(row["key"], row["row"]) for row in sidecar["samples"]] == [("ann_1", 0), ("ann_4", 1)]
    rows = {row["key"]: (row["stage"], row["reason"]) for row in sidecar["rejections"]}
    assert rows.keys() == {"ann_2", "ann_3"}
    assert rows["ann_2"][0] == "index" and "picture of 8000 x 8000 pixels" in rows["ann_2"][1]
