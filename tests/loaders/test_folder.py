"""A built folder: only the bytes asked for, the same in every format."""

import os
import shutil
from itertools import pairwise

import numpy as np
import pytest
from facevox.loaders import shards as shards_module
from facevox.loaders.folder import Folder, FolderError, wanted_frames
from facevox.loaders.shards import merged
from hypothesis import given
from hypothesis import strategies as st


def test_frames_can_be_chosen_in_every_way():
    assert wanted_frames("all", 4) == [0, 1, 2, 3]
    assert wanted_frames(3, 110) == [0, 54, 109]
    assert wanted_frames(1, 110) == [0]
    assert wanted_frames([5, 2], 9) == [5, 2]
    assert wanted_frames(slice(None, None, 4), 10) == [0, 4, 8]
    with pytest.raises(IndexError, match="expected 0 to 8"):
        wanted_frames([9], 9)


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(1, 50)), min_size=1, max_size=30), st.integers(0, 60))
def test_merged_ranges_cover_all_that_is_wanted_and_little_more(ranges, gap):
    joined = merged(ranges, gap)
    covered = [set(range(o, o + s)) for o, s in joined]
    wanted = set().union(*(range(o, o + s) for o, s in ranges))
    assert wanted <= set().union(*covered)
    assert all(a[0] + a[1] + gap < b[0] for a, b in pairwise(joined))
    assert sum(map(len, covered)) - len(wanted) <= gap * (len(wanted))


@pytest.mark.parametrize("frames", ["all", 3, [1], slice(0, 2)])
def test_formats_give_the_same_arrays(built, frames):
    keys = built["tar"].index["key"].to_pylist()[::5]
    for samples in zip(*(built[name].fetch(keys, frames=frames) for name in ("tar", "parquet", "arrow")), strict=True):
        for name in samples[0]:
            assert all(np.array_equal(samples[0][name], other[name]) for other in samples[1:]), name


def test_only_the_bytes_of_wanted_frames_are_read(built, monkeypatch):
    read = []
    real_read = os.preadv
    monkeypatch.setattr(
        shards_module.os, "preadv", lambda h, into, at: read.append(sum(map(len, into))) or real_read(h, into, at)
    )
    for folder in built.values():
        row = next(r for r in folder.index.to_pylist() if r["session"] == 2)
        clips = [e for e in row["fields"] if e["frame_offset"]]
        needed = sum(e["frame_size"][n] for e in clips for n in wanted_frames(3, row["frames"]))
        read.clear()
        next(folder.fetch([row["key"]], ["visual.webp", "thermal.webp"], frames=3))
        assert needed <= sum(read) <= 1.1 * needed


def test_configs_splits_and_shards(built):
    folder = built["tar"]
    assert folder.configs == ["stills", "utterances"]
    assert folder.splits("utterances") == ["train", "validation", "test"]
    assert all(path.is_file() for path in folder.shards("utterances", "test"))
    with pytest.raises(FolderError, match="no config 'utterance'; there is: stills, utterances"):
        folder.splits("utterance")
    with pytest.raises(FolderError, match="no split 'dev'; there is: train, validation, test"):
        folder.shards("stills", "dev")


def test_unknown_keys_and_fields_are_named(built):
    with pytest.raises(FolderError, match="keys look like"):
        next(built["tar"].fetch(["none"]))
    key = built["tar"].index["key"][0].as_py()
    with pytest.raises(FolderError, match=r"no field 'face.jpg'; there is:"):
        next(built["tar"].fetch([key], ["face.jpg"]))


def test_a_cut_or_missing_shard_is_an_error_not_a_gap(built, tmp_path):
    import shutil

    shutil.copytree(built["tar"].path, tmp_path / "copy")
    copy = Folder(tmp_path / "copy")
    row = copy.index.to_pylist()[-1]
    shard = copy.path / row["shard"]
    shard.write_bytes(shard.read_bytes()[: row["fields"][-1]["offset"] + 100])
    with pytest.raises(FolderError, match="cut short"):
        next(copy.fetch([row["key"]]))
    shard.unlink()
    with pytest.raises(FolderError, match="shard is missing"):
        next(copy.fetch([row["key"]]))


@pytest.mark.parametrize("cut", [True, False], ids=["cut", "footer"])
def test_a_damaged_table_is_told_with_what_to_do(built, tmp_path, cut):
    shutil.copytree(built["tar"].path, tmp_path / "O")
    index = tmp_path / "O" / "tables" / "index.parquet"
    content = bytearray(index.read_bytes())
    size = int.from_bytes(content[-8:-4], "little")
    content[-8 - size : -8] = b"\xff" * size
    index.write_bytes(content[:-9] if cut else content)
    with pytest.raises(FolderError, match="index.parquet: not a readable table .* Run `facevox verify`"):
        _ = Folder(tmp_path / "O").index


def test_no_folder_and_unfinished_folder(tmp_path):
    with pytest.raises(FolderError, match="no dataset folder"):
        Folder(tmp_path)
    (tmp_path / ".build").mkdir()
    with pytest.raises(FolderError, match="run the same build command again"):
        Folder(tmp_path)


@pytest.mark.parametrize(
    "name", ["../outside.tar", "/etc/passwd", "data/../../x/train-00000.tar", "data/utterances/train-00000.zip"]
)
def test_a_shard_name_in_a_table_cannot_lead_out_of_the_folder(built, tmp_path, name):
    import shutil

    import pyarrow.parquet as pq
    from facevox.loaders.stream import Stream, StreamOptions

    shutil.copytree(built["tar"].path, tmp_path / "copy")
    table = tmp_path / "copy" / "tables" / "index.parquet"
    index = pq.read_table(table)
    pq.write_table(index.set_column(index.schema.get_field_index("shard"), "shard", [[name] * index.num_rows]), table)
    copy = Folder(tmp_path / "copy")
    with pytest.raises(FolderError, match="expected one like"):
        next(copy.fetch([index["key"][0].as_py()]))
    with pytest.raises(FolderError, match="expected one like"):
        list(Stream(copy, "utterances", "train", StreamOptions(fields=("mic1.flac",))))
