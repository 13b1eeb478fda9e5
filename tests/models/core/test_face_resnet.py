"""LResNet50 in both readings: published counts and shapes."""

import pytest
import torch
from facevox.models.core.face_resnet import Excitation, FaceResNet50


@pytest.mark.parametrize(
    ("reading", "excited", "published", "channels"),
    [
        ("table2", False, 74_886_208, 2048),
        ("table2", True, 77_417_200, 2048),
        ("ir50", False, 43_574_976, 512),
        ("ir50", True, 43_797_696, 512),
    ],
)
def test_parameters_and_shapes_are_the_published_ones(reading, excited, published, channels):
    with torch.device("meta"):
        network = FaceResNet50(reading, excited)
        assert sum(parameter.numel() for parameter in network.parameters()) == published
        found, sides = torch.zeros(2, 3, 112, 112), []
        for part in network.trunk:
            found = part(found)
            sides.append(found.shape[2])
        assert list(dict.fromkeys(sides)) == [112, 56, 28, 14, 7]
        assert found.shape[1] == channels
        assert network(torch.zeros(2, 3, 112, 112)).shape == (2, 512)


def test_excitation_weighs_channels():
    part, found = Excitation(16, bias=True), torch.rand(2, 16, 4, 4)
    ratio = part(found) / found
    assert torch.allclose(ratio, ratio[:, :, :1, :1].expand_as(ratio), atol=1e-5)
    assert ratio.min() > 0 and ratio.max() < 1


def test_another_reading_is_refused():
    with pytest.raises(ValueError, match="expected table2 or ir50"):
        FaceResNet50("resnet")
