"""Streams: the right samples, and only their bytes."""

import os
import shutil

import facevox
import numpy as np
import pytest
import torch
from facevox.loaders import shards as shards_module
from facevox.loaders.batches import together
from facevox.loaders.folder import FolderError, wanted_frames
from facevox.loaders.stream import Stream, StreamOptions

MEDIA = ("visual.webp", "thermal.webp", "mic1.flac")


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


@pytest.mark.parametrize("frames", [0, -1, "last", [], True, 2.5])
def test_impossible_frames_are_refused(built, frames):
    with pytest.raises(ValueError, match="expected 'all'"):
        Stream(built["tar"], "utterances", "train", StreamOptions(frames=frames))


def test_only_needed_bytes_are_read(built, monkeypatch):
    """Three frames of two clips and one sound: at most a tenth more than their bytes."""
    read: list[int] = []
    real_read = os.preadv
    monkeypatch.setattr(
        shards_module.os, "preadv", lambda h, into, at: read.append(sum(map(len, into))) or real_read(h, into, at)
    )
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
    advise, preadv = os.posix_fadvise, os.preadv

    def note(handle, first, length, advice):
        told.extend([(handle, first, length)] if advice == os.POSIX_FADV_WILLNEED else [])
        return advise(handle, first, length, advice)

    def noted(handle, into, first):
        asked = (handle, first, sum(map(len, into)))
        assert asked in told
        read.append(asked)
        return preadv(handle, into, first)

    monkeypatch.setattr(os, "posix_fadvise", note)
    monkeypatch.setattr(os, "preadv", noted)
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


def test_only_the_chosen_facts_are_handed_over(built):
    all_of_them = Stream(built["tar"], "utterances", "train", StreamOptions(fields=("mic1.flac",), align=False))
    few = facevox.stream(
        built["tar"], "utterances", "train", fields=("visual.webp",), facts="age", align=True, frames=1
    )
    for one, other in zip(all_of_them, few, strict=True):
        assert other["json"] == [{"age": facts["age"]} for facts in one["json"]]
        assert one["__identity__"] == other["__identity__"]
    none = facevox.identity_batches(built["tar"], "train", identities=1, samples={"utterances": 1}, facts=(), frames=1)
    assert next(iter(none))["utterances"]["json"] == [{}]
    for wrong, words in (("agee", "no fact 'agee'; did you mean 'age'"), ("key", "no fact 'key'")):
        with pytest.raises(FolderError, match=words):
            facevox.stream(built["tar"], "utterances", "train", facts=wrong)


class Turned:
    """Pictures from RGB to BGR, as views."""

    def __call__(self, samples):
        return together([{"x": sample["thermal.webp"][..., ::-1]} for sample in samples])


class Words:
    """Arrays of words, which torch has no tensors of."""

    def __call__(self, samples):
        return together([{"x": np.array(["a", "b"])} for _ in samples])["x"].tolist()


def test_arrays_of_words_are_stacked_in_workers_too(built):
    options = {"fields": ("thermal.webp",), "frames": 1, "batch_size": 2, "inputs": Words(), "workers": 1}
    assert next(iter(facevox.stream(built["tar"], "utterances", "train", **options))) == [["a", "b"]] * 2


def test_views_are_stacked_in_workers_too(built):
    options = {"fields": ("thermal.webp",), "frames": 1, "batch_size": 2}
    plain = list(facevox.stream(built["tar"], "utterances", "train", **options))
    turned = list(facevox.stream(built["tar"], "utterances", "train", inputs=Turned(), workers=1, **options))
    for one, other in zip(plain, turned, strict=True):
        assert torch.equal(one["thermal.webp"].flip(-1), other["x"])
