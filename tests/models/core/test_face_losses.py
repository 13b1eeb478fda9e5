"""What generators of faces are told: published crop, weights and layers of the face network; pictures as numbers."""

import numpy as np
import pytest
import torch
from facevox.models.core.face_losses import as_seen, face_part, perceived, perceptual, real_or_made
from facevox.models.core.face_networks import SmallFace
from facevox.models.core.inception_resnet import InceptionResnetV1
from facevox.models.core.picture_space import IMAGENET, SYMMETRIC, square
from PIL import Image


@pytest.mark.parametrize(("side", "rows", "columns"), [(64, 47, 34), (128, 94, 68), (256, 186, 136)])
def test_facenet_sees_the_published_box(side, rows, columns):
    assert face_part(torch.zeros(1, 3, side, side)).shape == (1, 3, rows, columns)
    assert as_seen(torch.full((1, 3, side, side), 0.5)).shape == (1, 3, 140, 140)


def test_the_perceptual_loss_has_the_released_layers_and_weights():
    torch.manual_seed(0)
    network = InceptionResnetV1().eval().requires_grad_(False)
    made = torch.rand(1, 3, 64, 64, requires_grad=True)
    real = torch.rand(1, 3, 64, 64)
    found = perceived(network, made)
    assert [weight for weight, _ in found] == [1 / 16, 1 / 8, 1 / 4, 1.0]
    assert [tuple(own.shape[1:]) for _, own in found] == [(256, 15, 15), (896, 7, 7), (1792, 3, 3), (512,)]
    loss = perceptual(network, made, real)
    expected = sum(w * (a - b).abs().mean() for (w, a), (_, b) in zip(found, perceived(network, real), strict=True))
    assert torch.isclose(loss, expected)
    loss.backward()
    assert made.grad.abs().sum() > 0
    assert float(perceptual(network, real, real)) == 0


def test_the_small_network_sees_whole_faces_with_the_same_weights():
    torch.manual_seed(0)
    network = SmallFace(0.25).eval().requires_grad_(False)
    made, real = torch.rand(2, 3, 64, 64, requires_grad=True), torch.rand(2, 3, 64, 64)
    found = perceived(network, made)
    assert [weight for weight, _ in found] == [1 / 16, 1 / 8, 1 / 4, 1.0]
    assert [tuple(own.shape[1:]) for _, own in found] == [(16, 28, 28), (32, 14, 14), (64, 7, 7), (512,)]
    assert torch.allclose(found[-1][1].norm(dim=1), torch.ones(2))
    shown = torch.nn.functional.interpolate((made * 255 - 127.5) / 128, (112, 112), mode="bilinear")
    assert torch.allclose(found[-1][1], torch.nn.functional.normalize(network(shown)))
    perceptual(network, made, real).backward()
    # The corners lie outside the box that FaceNet is shown.
    assert made.grad[..., :6, :6].abs().sum() > 0
    assert float(perceptual(network, real, real)) == 0


def test_a_compiled_face_network_leaves_no_term_of_the_loss_out():
    torch.manual_seed(0)
    network = InceptionResnetV1().eval().requires_grad_(False)
    pictures = torch.rand(1, 3, 64, 64)
    plain = perceived(network, pictures)
    network.compile(backend="eager")
    again = perceived(network, pictures)
    assert len(plain) == len(again) == 4
    assert all(torch.equal(one, other) for (_, one), (_, other) in zip(plain, again, strict=True))


def test_real_and_made():
    logits = torch.tensor([0.0, 0.0, 0.0])
    assert float(real_or_made(logits, True)) == pytest.approx(np.log(2))
    assert float(real_or_made(torch.tensor([2.0]), False)) == pytest.approx(np.log(1 + np.exp(2)))


@pytest.mark.parametrize("space", [IMAGENET, SYMMETRIC])
def test_pixels_come_back(space):
    pictures = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16).expand(3, 16, 16)
    assert torch.equal(space.pixels(space.normalised(pictures)), pictures)
    assert space.pixels(torch.full((3, 1, 1), 99.0)).tolist() == [[[255]]] * 3


def test_pictures_are_scaled_as_pillow_does():
    picture = np.random.default_rng(0).integers(0, 256, (130, 129, 3)).astype(np.uint8)
    wanted = np.asarray(Image.fromarray(picture).resize((64, 64), Image.Resampling.BILINEAR)).astype(int)
    found = square(torch.from_numpy(picture), 64).permute(1, 2, 0).numpy().astype(int)
    assert np.abs(found - wanted).max() <= 1
    with pytest.raises(ValueError, match="expected"):
        square(torch.zeros(4, 4), 64)
