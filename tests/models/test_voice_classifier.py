"""The voice classifier: what a batch holds, what it learns, when it stops."""

import numpy as np
import pytest
import torch
from facevox.models.core.segment_inputs import FIELD, SegmentInputs
from facevox.models.voice_classifier import VoiceClassifier, VoiceClassifierOptions

RANDOM = np.random.default_rng(0)


def recording(label: int, segments: int, key: str = "a") -> dict:
    """Noise with one band louder for each class."""
    found = RANDOM.standard_normal((segments, 2, 60, 41)).astype(np.float32)
    found[:, 0, 10 * label + 5] += 3
    return {"__key__": key, FIELD: found, "json": {"class_index": label, "segments": segments}}


def test_every_segment_is_a_row_of_the_batch():
    samples = [recording(0, 3, "a"), recording(2, 2, "b"), recording(1, 0, "c")]
    batch = SegmentInputs(3)(samples)
    assert batch["spectrogram"].shape == (5, 2, 60, 41)
    assert batch["class"].tolist() == [0, 0, 0, 2, 2]
    assert (batch["keys"], batch["dropped"]) == (["a", "a", "a", "b", "b"], 1)
    few = SegmentInputs(3, segments=2)(samples)
    assert few["keys"] == ["a", "a", "b", "b"]
    assert torch.equal(few["spectrogram"][1], torch.from_numpy(samples[0][FIELD][2]))
    assert SegmentInputs(3)([samples[2]]) == {"keys": [], "dropped": 1}


def test_other_classes_and_shapes_are_refused():
    with pytest.raises(ValueError, match="class_index 2, expected 0 to 1. Train on config rcgan"):
        SegmentInputs(2)([recording(2, 1)])
    wrong = recording(0, 1) | {FIELD: np.zeros((1, 60, 41), np.float32)}
    with pytest.raises(ValueError, match=r"expected \(segments, 2, 60, 41\)"):
        SegmentInputs(2)([wrong])
    with pytest.raises(ValueError, match="2 or more classes"):
        VoiceClassifier(VoiceClassifierOptions(classes=1))


def test_it_learns_what_tells_the_classes_apart():
    torch.manual_seed(0)
    model = VoiceClassifier(VoiceClassifierOptions(classes=3, width=0.125, lr=3e-3))
    read = model.inputs()
    for _ in range(100):
        model.train()
        model.step(read([recording(label, 8) for label in range(3)]))
    model.eval()
    unseen = read([recording(label, 40) for label in range(3)])
    with torch.inference_mode():
        assert model.evaluate(unseen)["merit"].mean() > 0.9
        unseen["class"] = unseen["class"][torch.randperm(120)]
        assert abs(model.evaluate(unseen)["merit"].mean() - 1 / 3) < 0.15
