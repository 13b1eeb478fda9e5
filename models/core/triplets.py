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
    Table 2 has a norm before: `norm`. Without `unit` the vector is as long as it comes, times `scale` (Table 8).
    """

    def __init__(self, features: int = DIMENSION, scale: float = SCALE, norm: bool = True, unit: bool = True) -> None:
        super().__init__()
        self.scale, self.unit = scale, unit
        self.linear = nn.Linear(features, DIMENSION)
        self.norm: nn.Module = nn.BatchNorm1d(DIMENSION) if norm else nn.Identity()

    def forward(self, features: Tensor) -> Tensor:
        found = self.norm(self.linear(features)).float()
        return self.scale * (nn.functional.normalize(found) if self.unit else found)


def triplet_count(identities: int, voices: int, faces: int) -> int:
    """Triplets of a batch: every voice, each own face against each face of everybody else."""
    return identities * (identities - 1) * voices * faces**2


def confidence(identities: int, triplets: int) -> float:
    """VFMR's confidence coefficient T = N ln K, K = n / (N (N - 1)): below 0, fewer triplets than pairs of people."""
    return identities * math.log(triplets / (identities * (identities - 1)))


def triplet_gaps(voices: Tensor, faces: Tensor) -> Tensor:
    """Of every triplet, the voice's distance to the own face less that to the other's: below 0 where it is right.

    `voices` (b, q, D) and `faces` (b, r, D) of b identities -> (b, b - 1, q, r, r): whose voice, whose other face,
    which voice, own face, other face. Euclidean. Raises ValueError for fewer than two identities.
    """
    people, own_voices, own_faces = voices.shape[0], voices.shape[1], faces.shape[1]
    if people < 2 or faces.shape[0] != people:
        raise ValueError(f"voices of {people} and faces of {faces.shape[0]} identities: expected two or more of both")
    distances = torch.cdist(voices.flatten(0, 1), faces.flatten(0, 1)).view(people, own_voices, people, own_faces)
    same = torch.eye(people, dtype=torch.bool, device=distances.device)
    own = distances.transpose(1, 2)[same]
    others = distances.transpose(1, 2)[~same].view(people, people - 1, own_voices, own_faces)
    return own[:, None, :, :, None] - others[:, :, :, None, :]


def triplet_loss(voices: Tensor, faces: Tensor, margin: float = MARGIN, reduction: str = "mean") -> Tensor:
    """Mean (or `reduction` "sum") over all triplets of max(0, d(voice, own face) - d(voice, other's face) + margin).

    The paper's Equation 1 prints one distance twice; this is the corrected one. Raises ValueError as `triplet_gaps`.
    """
    terms = (triplet_gaps(voices, faces) + margin).clamp(min=0)
    return terms.sum() if reduction == "sum" else terms.mean()


def matched(voices: Tensor, faces: Tensor, margin: float = MARGIN, paired: bool = False) -> tuple[Tensor, Tensor]:
    """Of every voice (b * q,): the share of its triplets in which the own face is nearer, a tie 1/2; its mean loss.

    `paired`: voice k and face k of a person are one and the same thing, which is not matched with itself.
    """
    gaps = triplet_gaps(voices, faces)
    right = (gaps < 0).float() + 0.5 * (gaps == 0).float()
    losses = (gaps + margin).clamp(min=0)
    own = torch.ones(gaps.shape[2:4], device=gaps.device)
    own = own - torch.eye(len(own), device=gaps.device) if paired else own
    shares = (own / own.sum(1, keepdim=True))[None]
    merits, errors = ((values.mean((1, 4)) * shares).sum(2).flatten() for values in (right, losses))
    return merits, errors
