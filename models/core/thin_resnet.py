"""VFMR's voice network: Thin-ResNet34 and NetVLAD or GhostVLAD (VFMR Table 2; Xie et al. 2019 as released)."""

import torch
from torch import Tensor, nn
from torch.nn import functional

STAGES = ((48, 96, 2, 1), (96, 128, 3, 2), (128, 256, 3, 2), (256, 512, 3, 2))
"""Inner channels, channels, blocks and stride of res2 to res5."""
DIMENSION = 512
"""Of local features and of the vector of a voice."""
HEIGHT = 7
"""Frequencies left of 257 after the trunk."""


def stages(width: float = 1.0) -> tuple[tuple[int, int, int, int], ...]:
    """STAGES with channels as a share of the paper's."""
    return tuple((max(1, round(a * width)), max(1, round(b * width)), count, step) for a, b, count, step in STAGES)


class Bottleneck(nn.Module):
    """1x1 (with the stride), 3x3 and 1x1 convolutions beside a shortcut, which is a projection where `project`."""

    def __init__(self, before: int, inner: int, after: int, stride: int, project: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(before, inner, 1, stride, bias=False), nn.BatchNorm2d(inner), nn.ReLU(),
            nn.Conv2d(inner, inner, 3, 1, 1, bias=False), nn.BatchNorm2d(inner), nn.ReLU(),
            nn.Conv2d(inner, after, 1, bias=False), nn.BatchNorm2d(after),
        )  # fmt: skip
        projection = (nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))
        self.shortcut = nn.Sequential(*projection) if project else nn.Identity()

    def forward(self, found: Tensor) -> Tensor:
        joined: Tensor = functional.relu(self.body(found) + self.shortcut(found))
        return joined


class Vlad(nn.Module):
    """Local features to one vector: residuals to K centres by soft assignment; G ghost clusters take what is noise.

    (B, D, 1, T) features and (B, D, H, T) for the assignment -> (B, K * D); each cluster's sum has length 1. G = 0 is
    NetVLAD, as VFMR prints it; the released weights have G = 2.
    """

    def __init__(self, features: int, height: int, clusters: int = 8, ghosts: int = 0) -> None:
        super().__init__()
        self.kept = clusters
        self.assignment = nn.Conv2d(features, clusters + ghosts, (height, 1))
        self.centres = nn.Parameter(torch.empty(clusters + ghosts, features))
        nn.init.orthogonal_(self.centres)

    def forward(self, local: Tensor, found: Tensor) -> Tensor:
        weights = self.assignment(found).flatten(2).softmax(1)[:, : self.kept]
        flat = local.flatten(2)
        sums = torch.einsum("bkt,bdt->bkd", weights, flat) - weights.sum(2)[..., None] * self.centres[: self.kept]
        return functional.normalize(sums, dim=2).flatten(1)


class ThinResNet34(nn.Module):
    """A spectrogram (B, 1, 257, T), T >= 100 frames of 10 ms -> the vector of a voice (B, 512), not of unit length."""

    def __init__(self, clusters: int = 8, ghosts: int = 0, width: float = 1.0) -> None:
        super().__init__()
        chosen = stages(width)
        first, features = max(1, round(64 * width)), chosen[-1][1]
        layers: list[nn.Module] = [nn.Conv2d(1, first, 7, 1, 3, bias=False), nn.BatchNorm2d(first), nn.ReLU()]
        layers.append(nn.MaxPool2d(2, 2))
        before = first
        for inner, after, count, stride in chosen:
            for number in range(count):
                layers.append(Bottleneck(before, inner, after, 1 if number else stride, project=not number))
                before = after
        self.trunk = nn.Sequential(*layers, nn.MaxPool2d((3, 1), (2, 1)))
        self.local = nn.Conv2d(features, features, (HEIGHT, 1))
        self.vlad = Vlad(features, HEIGHT, clusters, ghosts)
        self.vector = nn.Linear(clusters * features, DIMENSION)
        self.apply(_orthogonal)

    def forward(self, spectrogram: Tensor) -> Tensor:
        found = self.trunk(spectrogram)
        joined: Tensor = functional.relu(self.vector(self.vlad(functional.relu(self.local(found)), found)))
        return joined


def _orthogonal(module: nn.Module) -> None:
    """The released network's start: orthogonal weights, biases of zero."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.orthogonal_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
