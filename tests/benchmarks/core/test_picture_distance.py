"""The distance of translated faces from real ones: nothing before training, nothing between equal sets."""

import pytest
import torch
from facevox.benchmarks.core.metrics import frechet_distance
from facevox.benchmarks.core.picture_distance import described, translation_distances
from facevox.models.core import checkpoint
from facevox.models.core.embedding import open_embedder
from facevox.models.core.model import create, model_options


def saved(path, name: str, **own):
    options = model_options(name, own)
    torch.manual_seed(5)
    weights = create(name, options).state_dict()
    checkpoint.save(path, {"model": name, "options": options.as_dict(), "weights": weights, "seed": 5})
    return path


def test_a_fresh_checkpoint_is_as_far_as_before_training(with_faces, tmp_path):
    path = saved(tmp_path / "c.pt", "cyclegan", width=0.0625, blocks=1, crop_size=32, load_size=34)
    found = translation_distances(with_faces.path, path, where="position == 1 and trial == 1")
    rows = [row for row in with_faces.index.to_pylist() if (row["config"], row["split"]) == ("pairs", "test")]
    assert found.count == sum(row["position"] == 1 == row["trial"] for row in rows) > 0
    assert found.trained == found.untrained > 0
    assert found.thermal > 0
    with pytest.raises(ValueError, match="is of voice_classifier, which translates no pictures"):
        other = saved(tmp_path / "v.pt", "voice_classifier", classes=2, width=0.125)
        translation_distances(with_faces.path, other)


def test_vectors_are_of_length_one_and_equal_sets_are_at_no_distance():
    pictures = torch.randint(0, 256, (6, 3, 40, 30), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    vectors = described(open_embedder("dlib"), pictures)
    assert vectors.shape == (6, 128)
    assert (vectors**2).sum(1) == pytest.approx(1)
    assert frechet_distance(vectors, vectors) == pytest.approx(0, abs=1e-4)
