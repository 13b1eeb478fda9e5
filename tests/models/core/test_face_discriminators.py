"""Discriminators of SF2F and voice2face: published counts and shapes."""

import pytest
import torch
from facevox.models.core.face_discriminators import IdentityDiscriminator, PictureDiscriminator, Voice2FaceDiscriminator
from torch import nn

PEOPLE = 2_890
"""Identities that SF2F trains on."""


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(("side", "pictures", "identities"), [(64, 659_521, 3_885_707), (128, 2_757_953, 6_246_027)])
def test_parameters_and_patches(side, pictures, identities):
    with torch.device("meta"):
        faces = torch.zeros(2, 3, side, side)
        assert count(PictureDiscriminator(side)) == pictures
        assert PictureDiscriminator(side)(faces).shape == (2, 1, 6, 6)
        assert count(IdentityDiscriminator(PEOPLE, side)) == identities
        real, who = IdentityDiscriminator(PEOPLE, side)(faces)
        assert (real.shape, who.shape) == ((2,), (2, PEOPLE))


def test_voice2face():
    with torch.device("meta"):
        network = Voice2FaceDiscriminator(100)
        assert count(network.trunk) == 3_310_720
        real, who = network(torch.zeros(2, 3, 64, 64))
        assert (real.shape, who.shape) == ((2,), (2, 100))


def test_other_sides_are_refused():
    with pytest.raises(ValueError, match="expected 64 or 128"):
        PictureDiscriminator(96)
