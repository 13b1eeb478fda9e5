"""Thin-ResNet34 and VLAD: published counts and shapes, ghosts left out."""

import pytest
import torch
from facevox.models.core.thin_resnet import Bottleneck, ThinResNet34, Vlad
from torch import nn


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("clusters", "ghosts", "published"), [(8, 0, 7_656_200), (8, 2, 7_664_394), (10, 2, 8_196_876)]
)
def test_parameters_are_the_published_ones(clusters, ghosts, published):
    with torch.device("meta"):
        assert count(ThinResNet34(clusters, ghosts)) == published


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        (250, [(64, 128, 125), (96, 128, 125), (128, 64, 63), (256, 32, 32), (512, 16, 16), (512, 7, 16)]),
        (300, [(64, 128, 150), (96, 128, 150), (128, 64, 75), (256, 32, 38), (512, 16, 19), (512, 7, 19)]),
    ],
)
def test_shapes_are_those_of_the_table(frames, expected):
    with torch.device("meta"):
        network, found, seen = ThinResNet34(), torch.zeros(1, 1, 257, frames), []
        for part in network.trunk:
            found = part(found)
            if isinstance(part, Bottleneck | nn.MaxPool2d):
                seen.append(tuple(found.shape[1:]))
        assert list(dict.fromkeys(seen)) == expected
        assert network(torch.zeros(2, 1, 257, frames)).shape == (2, 512)


def test_a_voice_of_one_second_is_enough():
    assert ThinResNet34(width=0.125).eval()(torch.randn(1, 1, 257, 100)).shape == (1, 512)


def test_vlad_sums_residuals_and_drops_ghosts():
    vlad = Vlad(5, 3, clusters=2, ghosts=1)
    local, found = torch.randn(4, 5, 1, 6), torch.randn(4, 5, 3, 6)
    weights = vlad.assignment(found)[:, :, 0].softmax(1)
    assert vlad.assignment(found).shape[1] == 3
    for cluster in range(2):
        residuals = local[:, :, 0] - vlad.centres[cluster][:, None]
        summed = (weights[:, cluster][:, None] * residuals).sum(2)
        expected = summed / summed.norm(dim=1, keepdim=True)
        assert torch.allclose(vlad(local, found)[:, 5 * cluster : 5 * cluster + 5], expected, atol=1e-5)
