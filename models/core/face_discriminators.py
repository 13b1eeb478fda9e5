"""Discriminators of SF2F and voice2face: is a face real, and whose is it."""

from itertools import pairwise

from torch import Tensor, nn


def _trunk(side: int, width: float) -> tuple[nn.Sequential, int]:
    """4x4 convolutions of stride 2 without padding; norm and activation between them only. Returns its channels too.

    Raises ValueError for another side than 64 or 128.
    """
    if side not in (64, 128):
        raise ValueError(f"pictures of {side} px to a discriminator: expected 64 or 128")
    sizes = [3, *(max(1, round(n * width)) for n in ((64, 128, 256) if side == 64 else (64, 128, 256, 512)))]
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        if layers:
            layers += [nn.BatchNorm2d(before), nn.LeakyReLU(0.1)]
        layers.append(nn.Conv2d(before, after, 4, 2))
    return nn.Sequential(*layers), sizes[-1]


class PictureDiscriminator(nn.Module):
    """SF2F's image discriminator: (B, 3, side, side) -> logits of patches (B, 1, 6, 6), positive for real."""

    def __init__(self, side: int = 64, width: float = 1.0) -> None:
        super().__init__()
        self.trunk, channels = _trunk(side, width)
        self.score = nn.Conv2d(channels, 1, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        logits: Tensor = self.score(self.trunk(pictures))
        return logits


class IdentityDiscriminator(nn.Module):
    """SF2F's auxiliary classifier: (B, 3, side, side) -> logits for real (B,), and of identities (B, people)."""

    def __init__(self, people: int, side: int = 64, width: float = 1.0) -> None:
        super().__init__()
        self.trunk, channels = _trunk(side, width)
        self.joint = nn.Linear(channels, 1024)
        self.real = nn.Linear(1024, 1)
        self.who = nn.Linear(1024, people)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        found = self.joint(self.trunk(pictures).mean((2, 3)))
        return self.real(found)[:, 0], self.who(found)


class PlainIdentityDiscriminator(nn.Module):
    """SF2F's port of voice2face's: (B, 3, 64, 64) -> logits for real (B,), and of identities (B, people); no norm."""

    def __init__(self, people: int, width: float = 1.0) -> None:
        super().__init__()
        sizes = [max(1, round(channels * width)) for channels in (32, 64, 128, 256, 512)]
        layers: list[nn.Module] = [nn.Conv2d(3, sizes[0], 1), nn.LeakyReLU(0.2)]
        for before, after in pairwise(sizes[:-1]):
            layers += [nn.Conv2d(before, after, 4, 2, 1), nn.LeakyReLU(0.2)]
        self.trunk = nn.Sequential(*layers, nn.Conv2d(sizes[-2], sizes[-1], 4))
        self.joint = nn.Linear(sizes[-1], 1024)
        self.real = nn.Linear(1024, 1)
        self.who = nn.Linear(1024, people)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        found = self.joint(self.trunk(pictures).mean((2, 3)))
        return self.real(found)[:, 0], self.who(found)


class Voice2FaceDiscriminator(nn.Module):
    """voice2face's trunk with two heads: (B, 3, 64, 64) -> logits for real (B,), and of identities (B, people)."""

    def __init__(self, people: int, width: float = 1.0) -> None:
        super().__init__()
        sizes = [max(1, round(channels * width)) for channels in (32, 64, 128, 256, 512)]
        layers: list[nn.Module] = [nn.Conv2d(3, sizes[0], 1), nn.LeakyReLU(0.2)]
        for before, after in pairwise(sizes):
            layers += [nn.Conv2d(before, after, 4, 2, 1), nn.LeakyReLU(0.2)]
        self.trunk = nn.Sequential(*layers, nn.Conv2d(sizes[-1], 64, 4), nn.LeakyReLU(0.2), nn.Flatten())
        self.real = nn.Linear(64, 1, bias=False)
        self.who = nn.Linear(64, people, bias=False)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        found = self.trunk(pictures)
        return self.real(found)[:, 0], self.who(found)
