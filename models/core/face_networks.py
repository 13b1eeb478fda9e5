"""The face networks that VFMR compares (Tables 2 and 8), and a small one for a CPU."""

from torch import Tensor, nn
from torch.nn import functional

from .face_resnet import FaceResNet50

VGG_SIDE = 224
"""Pixels that VGG-M was made for; of 112 its convolutions would leave 2x2."""
DIMNET = (64, 128, 256, 512, 64)
SMALL = (32, 64, 128, 256)


def _convolution(before: int, after: int, kernel: int, stride: int, padding: int) -> list[nn.Module]:
    return [nn.Conv2d(before, after, kernel, stride, padding, bias=False), nn.BatchNorm2d(after), nn.ReLU()]


class VggM(nn.Module):
    """VGG-M as in SVHF: faces of any size, stretched to 224, -> (B, 1024). `width`: channels as a share of its own."""

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        first, second, third = (max(1, round(size * width)) for size in (96, 256, 512))
        hidden = max(1, round(4096 * width))
        self.trunk = nn.Sequential(
            *_convolution(3, first, 7, 2, 0), nn.MaxPool2d(3, 2),
            *_convolution(first, second, 5, 2, 1), nn.MaxPool2d(3, 2),
            *_convolution(second, third, 3, 1, 1),
            *_convolution(third, third, 3, 1, 1),
            *_convolution(third, third, 3, 1, 1), nn.MaxPool2d(3, 2),
        )  # fmt: skip
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(25 * third, hidden), nn.ReLU(), nn.Linear(hidden, 1024))

    def forward(self, faces: Tensor) -> Tensor:
        large = functional.interpolate(faces, (VGG_SIDE, VGG_SIDE), mode="bilinear", antialias=False)
        found: Tensor = self.head(self.trunk(large))
        return found


class Pair(nn.Module):
    """Two 3x3 convolutions beside a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        body = [*_convolution(channels, channels, 3, 1, 1), *_convolution(channels, channels, 3, 1, 1)]
        self.body = nn.Sequential(*body[:-1])

    def forward(self, found: Tensor) -> Tensor:
        return functional.relu(self.body(found) + found)


class DimnetFace(nn.Module):
    """DIMNet's face network: five halvings, each with a residual pair; their mean over the picture is (B, 64)."""

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for channels in (*(max(1, round(size * width)) for size in DIMNET[:-1]), DIMNET[-1]):
            layers += [*_convolution(before, channels, 3, 2, 1), Pair(channels)]
            before = channels
        self.trunk = nn.Sequential(*layers)

    def forward(self, faces: Tensor) -> Tensor:
        found: Tensor = self.trunk(faces).mean((2, 3))
        return found


class SmallFace(nn.Module):
    """Four halvings and one dense layer: faces of 112 -> (B, 512) in milliseconds on a CPU."""

    SIDE = 112
    """Pixels."""

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for channels in (max(1, round(size * width)) for size in SMALL):
            layers += _convolution(before, channels, 3, 2, 1)
            before = channels
        self.trunk = nn.Sequential(*layers)
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(49 * before, 512), nn.BatchNorm1d(512))

    def forward(self, faces: Tensor) -> Tensor:
        return self.activations(faces)[0]

    def activations(self, faces: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The vectors (B, 512), and what the rectifier after each halving gives, the largest side first."""
        found, kept = faces, []
        for layer in self.trunk:
            found = layer(found)
            if isinstance(layer, nn.ReLU):
                kept.append(found)
        vector: Tensor = self.head(found)
        return vector, kept


FACE_NETWORKS = ("ir50", "table2", "se", "se_ir50", "vgg_m", "dimnet", "small")


def face_network(name: str, width: float = 1.0) -> tuple[nn.Module, int]:
    """A network by name, and the size of its vectors; it takes (B, 3, 112, 112), (x - 127.5) / 128.

    ir50 and table2 are the two readings of LResNet50, se and se_ir50 the same in the order table2, ir50 with
    squeeze-excitation. Raises ValueError for another name.
    """
    if name in ("ir50", "table2", "se", "se_ir50"):
        reading = "ir50" if name.endswith("ir50") else "table2"
        return FaceResNet50(reading, name.startswith("se"), width), 512
    if name == "vgg_m":
        return VggM(width), 1024
    if name == "dimnet":
        return DimnetFace(width), DIMNET[-1]
    if name == "small":
        return SmallFace(width), 512
    raise ValueError(f"face network {name!r}: expected one of {', '.join(FACE_NETWORKS)}")
