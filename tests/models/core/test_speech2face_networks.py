"""Speech2Face's voice encoder and losses: published count and shapes, values by hand."""

import pytest
import torch
from facevox.models.core.speech2face_networks import SHORTEST, SpeechEncoder, distillation, unit_distance
from torch import nn

SHAPES = [
    (64, 595, 254), (64, 592, 251), (128, 589, 248), (128, 294, 248), (128, 291, 245), (128, 145, 245),
    (128, 142, 242), (128, 71, 242), (256, 68, 239), (256, 34, 239), (512, 31, 236), (512, 14, 117), (512, 6, 57),
]  # fmt: skip


def test_parameters_and_shapes_are_the_published_ones():
    with torch.device("meta"):
        encoder, found, seen = SpeechEncoder(), torch.zeros(1, 2, 598, 257), []
        assert sum(parameter.numel() for parameter in encoder.parameters()) == 148_062_976
        for layer in encoder.convolutions:
            found = layer(found)
            if isinstance(layer, nn.Conv2d | nn.MaxPool2d):
                seen.append(tuple(found.shape[1:]))
        assert seen == SHAPES
        assert encoder(torch.zeros(2, 2, SHORTEST, 257)).shape == (2, 4096)
        with pytest.raises(RuntimeError):
            encoder(torch.zeros(2, 2, SHORTEST - 1, 257))


def test_losses_by_hand():
    vectors = torch.randn(3, 8)
    assert torch.allclose(unit_distance(vectors, 3 * vectors), torch.zeros(3), atol=1e-6)
    assert torch.allclose(unit_distance(vectors, -vectors), torch.full((3,), 4.0))
    softened = torch.distributions.Categorical(logits=vectors / 2)
    assert torch.allclose(distillation(vectors, vectors), softened.entropy(), atol=1e-6)
    assert (distillation(vectors, torch.randn(3, 8)) > softened.entropy()).all()
