"""Losses of face generators: taken for real, told to be the right person, seen alike by a face network (SF2F 3.4)."""

import torch
from torch import Tensor
from torch.nn import functional

from .face_networks import SmallFace
from .inception_resnet import InceptionResnetV1

SEEN_SIDE = 140
"""Pixels at which SF2F's code shows faces to FaceNet; its weights were trained at 160."""
VGG_BOX = (0.235, 0.195, 0.765, 0.915)
"""Left, top, right, bottom of what FaceNet is shown of an aligned face, as shares of its sides (sheet 3.5)."""
LAYERS = {"repeat_1": 1 / 16, "repeat_2": 1 / 8, "repeat_3": 1 / 4}
"""Weights of FaceNet's groups of blocks in the perceptual loss; that of its unit vector is 1 (sheet 4)."""

FaceNetwork = InceptionResnetV1 | SmallFace


def real_or_made(logits: Tensor, wanted: bool) -> Tensor:
    """Binary cross-entropy of logits of any shape with all 1 (wanted: real) or all 0; a scalar."""
    return functional.binary_cross_entropy_with_logits(logits.float(), torch.full_like(logits.float(), float(wanted)))


def face_part(pictures: Tensor) -> Tensor:
    """(B, 3, H, W) -> what lies in VGG_BOX, rows and columns inclusive: 47 x 34 of 64 x 64."""
    height, width = pictures.shape[2:]
    left, top, right, bottom = VGG_BOX
    rows = slice(int(top * height), int(bottom * height) + 1)
    return pictures[:, :, rows, int(left * width) : int(right * width) + 1]


def as_seen(shares: Tensor) -> Tensor:
    """Pictures (B, 3, H, W) on a scale of 0 to 1 -> what FaceNet takes, (B, 3, 140, 140): (pixel - 127.5) / 128."""
    part = face_part((shares * 255 - 127.5) / 128)
    return functional.interpolate(part, (SEEN_SIDE, SEEN_SIDE), mode="bilinear", align_corners=True)


def perceived(network: FaceNetwork, shares: Tensor) -> list[tuple[float, Tensor]]:
    """Weights and activations, LAYERS' and the unit vector, that a face network has for pictures in 0 to 1.

    FaceNet is shown the box of the face; the small network the whole picture, as VFMR trains it, and its last three
    halvings have the weights of FaceNet's groups.
    """
    if isinstance(network, SmallFace):
        whole = functional.interpolate((shares * 255 - 127.5) / 128, (network.SIDE, network.SIDE), mode="bilinear")
        vector, halvings = network.activations(whole)
        groups = halvings[-len(LAYERS) :]
    else:
        vector, found = network.activations(as_seen(shares), LAYERS)
        groups = [found[name] for name in LAYERS]
    return [*zip(LAYERS.values(), groups, strict=True), (1.0, functional.normalize(vector))]


def perceptual(network: FaceNetwork, made: Tensor, real: Tensor) -> Tensor:
    """Weighted mean absolute differences of what a face network makes of pictures on a scale of 0 to 1; a scalar."""
    with torch.no_grad():
        wanted = perceived(network, real)
    pairs = zip(perceived(network, made), wanted, strict=True)
    return torch.stack([weight * (own - other).abs().mean() for (weight, own), (_, other) in pairs]).sum()
