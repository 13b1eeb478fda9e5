"""The webdataset pipeline gives what a stream of the same split gives."""

import facevox
import numpy as np
import pytest
import torch
import webdataset
from facevox.loaders.folder import FolderError


def test_samples_are_those_of_load_dataset(built):
    folder = built["tar"].path
    fields = ("thermal.webp", "mic1.flac")
    pipeline = facevox.webdataset(folder, "utterances", "train", fields=fields, frames=2)
    expected = facevox.load_dataset(folder, "utterances", "train", streaming=True, fields=fields, frames=2)
    seen = 0
    for own, other in zip(pipeline, expected, strict=True):
        assert set(own) == {"__key__", "json", *fields}
        assert own["__key__"] == other["__key__"] and own["json"] == other["json"]
        assert all(np.array_equal(own[name], other[name]) for name in fields)
        seen += 1
    assert seen == 8


def test_it_goes_on_as_any_pipeline(built):
    shuffled = facevox.webdataset(
        built["tar"].path, "utterances", "train", fields="mic1.flac", decode=False, shardshuffle=4, seed=1
    )
    batches = shuffled.shuffle(8).to_tuple("__key__", "mic1.flac").batched(3)
    loader = torch.utils.data.DataLoader(batches, batch_size=None, num_workers=1)
    keys = [key for names, sounds in loader for key in names]
    whole = facevox.webdataset(built["tar"].path, "utterances", "train", fields=())
    assert sorted(keys) == sorted(sample["__key__"] for sample in whole)


def test_other_formats_and_names_are_refused(built):
    with pytest.raises(FolderError, match=r"webdataset reads tar shards, these are \.parquet; use facevox\.stream"):
        facevox.webdataset(built["parquet"].path, "utterances", "train")
    with pytest.raises(FolderError, match=r"no field 'mic3.flac'; there is: .*mic1.flac"):
        facevox.webdataset(built["tar"].path, "utterances", "train", fields=("mic3.flac",))
    with pytest.raises(FolderError, match="no split 'dev'"):
        facevox.webdataset(built["tar"].path, "utterances", "dev")
    assert isinstance(facevox.webdataset(built["tar"].path, "utterances", "train"), webdataset.WebDataset)
