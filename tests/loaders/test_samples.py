"""The map-style dataset: any sample by number, alone, in bulk, pickled and in workers."""

import io
import multiprocessing
from multiprocessing.reduction import ForkingPickler

import facevox
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader


def test_samples_are_the_folders(built):
    for folder in built.values():
        samples = facevox.dataset(folder.path, "utterances", "train", fields="mic1.flac", where="trial == 1")
        rows = [
            r for r in folder.index.to_pylist() if (r["config"], r["split"], r["trial"]) == ("utterances", "train", 1)
        ]
        assert [sample["__key__"] for sample in (samples[n] for n in range(len(samples)))] == [r["key"] for r in rows]
        (fetched,) = folder.fetch([rows[-1]["key"]], ["mic1.flac"])
        assert np.array_equal(samples[-1]["mic1.flac"], fetched["mic1.flac"])
        several = samples.__getitems__([2, 0, 2])
        assert [one["__key__"] for one in several] == [rows[n]["key"] for n in (2, 0, 2)]
        for outside in (len(rows), -len(rows) - 1):
            with pytest.raises(IndexError, match=f"sample {outside} of {len(rows)}"):
                samples[outside]
        assert len(facevox.dataset(folder.path, "utterances", "train", limit=2)) == 2


def test_it_travels_to_other_processes(built):
    samples = facevox.dataset(built["tar"].path, "utterances", "train", fields=("mic1.flac",))
    sent = bytes(ForkingPickler.dumps(samples))
    again = ForkingPickler.loads(io.BytesIO(sent).getvalue())
    assert np.array_equal(again[3]["mic1.flac"], samples[3]["mic1.flac"])
    assert "fork" in multiprocessing.get_all_start_methods()
    loader = DataLoader(
        *(samples, 3),
        shuffle=True,
        num_workers=2,
        collate_fn=facevox.Padding(),
        generator=torch.Generator().manual_seed(0),
    )
    batches = list(loader)
    assert sorted(key for batch in batches for key in batch["__key__"]) == sorted(samples.keys)
    assert all(batch["mic1.flac.mask"].shape == batch["mic1.flac"].shape for batch in batches)


def test_what_only_streams_know_is_refused(built):
    with pytest.raises(ValueError, match="shuffle: of no use in a map-style dataset; give it to its DataLoader"):
        facevox.dataset(built["tar"].path, "utterances", "train", shuffle=True)
