"""The corrected triplet loss against a plain loop; counts and confidence as published."""

import itertools

import pytest
import torch
from facevox.models.core.triplets import SphereHead, confidence, triplet_count, triplet_loss


def test_the_loss_is_the_mean_over_every_triplet():
    voices, faces = torch.randn(3, 2, 5, dtype=torch.float64), torch.randn(3, 4, 5, dtype=torch.float64)
    terms = [
        max(0.0, float((voices[i, q] - faces[i, own]).norm() - (voices[i, q] - faces[j, other]).norm()) + 1.0)
        for i, j in itertools.permutations(range(3), 2)
        for q, own, other in itertools.product(range(2), range(4), range(4))
    ]
    assert len(terms) == triplet_count(3, 2, 4)
    assert float(triplet_loss(voices, faces)) == pytest.approx(sum(terms) / len(terms))


def test_people_far_apart_cost_nothing_and_give_no_gradient():
    centres = 10 * torch.eye(4)[:, None]
    voices, faces = (centres + 0.1 * torch.randn(4, 3, 4)).requires_grad_(), centres.expand(4, 2, 4)
    loss = triplet_loss(voices, faces)
    loss.backward()
    assert loss.item() == 0 and voices.grad.abs().sum() == 0
    assert triplet_loss(centres, centres.flip(0)).item() > 1


def test_counts_and_confidence_are_the_published_ones():
    assert triplet_count(4, 4, 8) == 3_072
    assert 10_000 * triplet_count(4, 4, 8) == 30_720_000
    assert confidence(1251, 30_720_000) == pytest.approx(3725.26, abs=0.01)
    assert confidence(189, 10_000) == pytest.approx(-239.62, abs=0.01)
    assert confidence(189, 3_072_000) == pytest.approx(842.87, abs=0.01)


def test_vectors_lie_on_the_sphere():
    vectors = SphereHead(features=7)(torch.randn(6, 7))
    assert vectors.shape == (6, 512)
    assert torch.allclose(vectors.norm(dim=1), torch.full((6,), 128.0))
    with pytest.raises(ValueError, match="expected two or more"):
        triplet_loss(torch.randn(1, 2, 3), torch.randn(1, 2, 3))
