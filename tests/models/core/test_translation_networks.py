"""CycleGAN's and CUT's networks: published sizes and shapes, the losses by hand, the pool."""

import math

import pytest
import torch
from facevox.models.core.translation_networks import (
    NCE_LAYERS,
    BlurGrow,
    BlurPool,
    PatchDiscriminator,
    PatchProjection,
    PicturePool,
    TranslationGenerator,
    drawn_places,
    least_squares,
    patch_nce,
)
from torch import nn


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("blur", [False, True])
def test_sizes_and_shapes_are_the_published_ones(blur):
    with torch.device("meta"):
        generator, pictures = TranslationGenerator(blur), torch.zeros(2, 3, 128, 128)
        assert (count(generator), count(PatchDiscriminator(blur))) == (11_378_179, 2_764_737)
        assert count(PatchProjection(generator.channels)) == 560_384
        assert generator(pictures).shape == pictures.shape
        assert PatchDiscriminator(blur)(pictures).shape == (2, 1, 14, 14)


def test_a_score_sees_seventy_pixels():
    network = PatchDiscriminator(width=0.05)
    for part in network.modules():
        if isinstance(part, nn.InstanceNorm2d):
            part.forward = lambda found: found
    picture = torch.zeros(1, 3, 128, 128, requires_grad=True)
    network(picture)[0, 0, 7, 7].backward()
    seen = picture.grad.abs().sum((0, 1)).nonzero()
    assert (seen.max(0).values - seen.min(0).values + 1).tolist() == [70, 70]


def test_the_compared_layers_are_pixels_halvings_and_blocks():
    generator = TranslationGenerator(blur=True, width=0.25)
    features = generator.features(torch.randn(1, 3, 32, 32))
    assert len(features) == len(NCE_LAYERS)
    assert tuple(found.shape[1] for found in features) == generator.channels
    assert [found.shape[2] for found in features] == [38, 32, 16, 8, 8]
    projected = PatchProjection(generator.channels)(features, drawn_places(features, 50))
    assert [tuple(found.shape) for found in projected] == [(1, 50, 256)] * 5
    assert torch.allclose(projected[2].norm(dim=2), torch.ones(1, 50))


def test_blurring_keeps_what_is_constant():
    flat = torch.full((1, 2, 16, 16), 3.0)
    assert torch.allclose(BlurPool(2)(flat), torch.full((1, 2, 8, 8), 3.0))
    assert torch.allclose(BlurGrow(2)(flat), torch.full((1, 2, 32, 32), 3.0))


def test_losses_by_hand():
    scores = torch.tensor([0.0, 1.0, 3.0])
    assert least_squares(scores, real=True).item() == pytest.approx(5 / 3)
    assert least_squares(scores, real=False).item() == pytest.approx(10 / 3)
    ways = torch.eye(8)[None]
    assert patch_nce(ways, ways, temperature=0.5).item() == pytest.approx(math.log(1 + 7 * math.exp(-2)))
    alike = torch.ones(2, 8, 4) / 2
    assert patch_nce(alike, alike).item() == pytest.approx(math.log(8))
    made, source = ways.clone().requires_grad_(), ways.clone().requires_grad_()
    patch_nce(made, source).backward()
    assert made.grad is not None and source.grad is None


def test_the_pool_gives_older_pictures_in_half_of_the_cases_and_is_part_of_the_state():
    torch.manual_seed(0)
    pool = PicturePool(size=20, side=1)
    numbers = torch.arange(1.0, 421)[:, None, None, None].expand(-1, 3, 1, 1)
    assert torch.equal(pool.exchange(numbers[:20]), numbers[:20])
    given = pool.exchange(numbers[20:])[:, 0, 0, 0]
    older = (given != numbers[20:, 0, 0, 0]).float().mean().item()
    assert 0.4 < older < 0.6
    again = PicturePool(size=20, side=1)
    again.load_state_dict(pool.state_dict())
    state = torch.get_rng_state()
    expected = pool.exchange(numbers)
    torch.set_rng_state(state)
    assert torch.equal(again.exchange(numbers), expected)
