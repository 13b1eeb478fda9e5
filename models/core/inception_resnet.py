"""Inception-ResNet-v1 (Szegedy and others 2017), the network of FaceNet's public weights."""

from collections import OrderedDict
from collections.abc import Collection
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

IDENTITIES = 8_631
"""People of the training half of VGGFace2."""
Sides = int | tuple[int, int]


class ConvNorm(nn.Module):
    """Convolution without bias, batch normalisation, rectifier."""

    def __init__(self, inputs: int, outputs: int, kernel: Sides, stride: int = 1, padding: Sides = 0) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.bn(self.conv(x)))


class Branches(nn.Module):
    """branch0, branch1, ... of one input, their channels beside each other."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        for number, branch in enumerate(branches):
            self.add_module(f"branch{number}", branch)

    def side_by_side(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for name, branch in self.named_children() if name.startswith("branch")], 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.side_by_side(x)


class Residual(Branches):
    """Branches brought back to the input's channels, scaled, and added to it."""

    def __init__(self, channels: int, joined: int, scale: float, rectified: bool, *branches: nn.Module) -> None:
        super().__init__(*branches)
        self.conv2d = nn.Conv2d(joined, channels, 1)
        self.scale, self.rectified = scale, rectified

    def forward(self, x: Tensor) -> Tensor:
        added = x + self.scale * self.conv2d(self.side_by_side(x))
        return torch.relu(added) if self.rectified else added


def _block35() -> Residual:
    one, two, three = (ConvNorm(256, 32, 1) for _ in range(3))
    twice = nn.Sequential(three, ConvNorm(32, 32, 3, padding=1), ConvNorm(32, 32, 3, padding=1))
    return Residual(256, 96, 0.17, True, one, nn.Sequential(two, ConvNorm(32, 32, 3, padding=1)), twice)


def _crossed(channels: int, width: int, length: int, scale: float, rectified: bool = True) -> Residual:
    """Block17 (length 7) and Block8 (length 3): a row and then a column instead of a square."""
    half = length // 2
    row = ConvNorm(width, width, (1, length), padding=(0, half))
    column = ConvNorm(width, width, (length, 1), padding=(half, 0))
    branches = ConvNorm(channels, width, 1), nn.Sequential(ConvNorm(channels, width, 1), row, column)
    return Residual(channels, 2 * width, scale, rectified, *branches)


def _reduction(inputs: int, *branches: tuple[int, ...]) -> Branches:
    """Half the size: one branch for each list of channels (its first 1x1, its last of stride 2), and a maximum."""
    made: list[nn.Module] = []
    for channels in branches:
        if len(channels) == 1:
            made.append(ConvNorm(inputs, channels[0], 3, 2))
            continue
        steps = [ConvNorm(inputs, channels[0], 1)]
        steps += [ConvNorm(a, b, 3, padding=1) for a, b in pairwise(channels[:-1])]
        made.append(nn.Sequential(*steps, ConvNorm(channels[-2], channels[-1], 3, 2)))
    return Branches(*made, nn.MaxPool2d(3, 2))


class InceptionResnetV1(nn.Module):
    """Pictures (N, 3, H, W), from 75 px, as (pixel - 127.5) / 128 -> unit vectors (N, 512) and logits (N, 8631).

    The names are those of facenet-pytorch's weights. The logits are of the vector before it is made a unit one.
    """

    def __init__(self) -> None:
        super().__init__()
        parts: OrderedDict[str, nn.Module] = OrderedDict(
            conv2d_1a=ConvNorm(3, 32, 3, 2),
            conv2d_2a=ConvNorm(32, 32, 3),
            conv2d_2b=ConvNorm(32, 64, 3, padding=1),
            maxpool_3a=nn.MaxPool2d(3, 2),
            conv2d_3b=ConvNorm(64, 80, 1),
            conv2d_4a=ConvNorm(80, 192, 3),
            conv2d_4b=ConvNorm(192, 256, 3, 2),
            repeat_1=nn.Sequential(*(_block35() for _ in range(5))),
            mixed_6a=_reduction(256, (384,), (192, 192, 256)),
            repeat_2=nn.Sequential(*(_crossed(896, 128, 7, 0.1) for _ in range(10))),
            mixed_7a=_reduction(896, (256, 384), (256, 256), (256, 256, 256)),
            repeat_3=nn.Sequential(*(_crossed(1792, 192, 3, 0.2) for _ in range(5))),
            block8=_crossed(1792, 192, 3, 1.0, rectified=False),
        )
        for name, part in parts.items():
            self.add_module(name, part)
        self.order = tuple(parts)
        self.last_linear = nn.Linear(1792, 512, bias=False)
        self.last_bn = nn.BatchNorm1d(512, eps=0.001)
        self.logits = nn.Linear(512, IDENTITIES)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        vector, _ = self.activations(x)
        return normalize(vector), self.logits(vector)

    def activations(self, x: Tensor, kept: Collection[str] = ()) -> tuple[Tensor, dict[str, Tensor]]:
        """The vectors (N, 512) before they are made unit ones, and what the parts named of `order` give, for losses.

        Not a forward hook's work: a compiled network may pass hooks over.
        """
        found = {}
        for name in self.order:
            x = self.get_submodule(name)(x)
            if name in kept:
                found[name] = x
        return self.last_bn(self.last_linear(x.mean((2, 3)))), found
