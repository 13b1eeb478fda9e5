"""VFMR's loss and its counts: voices, own faces and faces of others on one sphere (VFMR Equations 1 to 3)."""

import math

import torch
from torch import Tensor, nn

from .thin_resnet import DIMENSION

SCALE = 128.0
"""Radius of the sphere of vectors."""
MARGIN = 1.0


class SphereHead(nn.Module):
    """What a network makes of a voice or a face -> a vector (B, 512) of length `scale`.

    The paper's equation prints a scalar, and the voice's feature in the face's formula; this is the corrected one. Its
    Table 2 has a norm before: `norm`.
    """

    def __init__(self, features: int = DIMENSION, scale: float = SCALE, norm: bool = True) -> None:
        super().__init__()
        self.scale = scale
        self.linear = nn.Linear(features, DIMENSION)
        self.norm: nn.Module = nn.BatchNorm1d(DIMENSION) if norm else nn.Identity()

    def forward(self, features: Tensor) -> Tensor:
        return self.scale * nn.functional.normalize(self.norm(self.linear(features)))


def triplet_count(identities: int, voices: int, faces: int) -> int:
    """Triplets of a batch: every voice, each own face against each face of everybody else."""
    return identities * (identities - 1) * voices * faces**2


def confidence(identities: int, triplets: int) -> float:
    """VFMR's confidence coefficient T = N ln K, K = n / (N (N - 1)): below 0, fewer triplets than pairs of people."""
    return identities * math.log(triplets / (identities * (identities - 1)))


def triplet_loss(voices: Tensor, faces: Tensor, margin: float = MARGIN) -> Tensor:
    """Mean over all triplets of max(0, d(voice, own face) - d(voice, other's face) + margin), d Euclidean.

    `voices` (b, q, D) and `faces` (b, r, D) of b identities. The paper's Equation 1 prints one distance twice; this is
    the corrected one. Raises ValueError for fewer than two identities.
    """
    people, own_voices, own_faces = voices.shape[0], voices.shape[1], faces.shape[1]
    if people < 2 or faces.shape[0] != people:
        raise ValueError(f"voices of {people} and faces of {faces.shape[0]} identities: expected two or more of both")
    distances = torch.cdist(voices.flatten(0, 1), faces.flatten(0, 1)).view(people, own_voices, people, own_faces)
    same = torch.eye(people, dtype=torch.bool, device=distances.device)
    own = distances.transpose(1, 2)[same]
    others = distances.transpose(1, 2)[~same].view(people, people - 1, own_voices, own_faces)
    gaps = own[:, None, :, :, None] - others[:, :, :, None, :] + margin
    return gaps.clamp(min=0).mean()
