"""VFMR's face network LResNet50 in its two readings, plain and with squeeze-excitation (VFMR Table 2; ArcFace)."""

import torch
from torch import Tensor, nn
from torch.nn import functional

DIMENSION = 512
"""Of the vector of a face."""
SIDE = 112
"""Pixels of a face picture."""
REDUCTION = 16
"""Of squeeze-excitation: channels to hidden units."""
TABLE2 = ((64, 256, 3), (128, 512, 4), (256, 1024, 6), (512, 2048, 3))
"""Inner channels, channels and blocks of the four stages as VFMR prints them; the first block of each has stride 2."""
IMPROVED = ((64, 3), (128, 4), (256, 14), (512, 3))
"""Channels and units of ArcFace's LResNet50E-IR."""

PUBLIC = {"ir50": "arcface-ir50", "se_ir50": "arcface-ir-se50"}
"""Registered networks with the layers of the reading ir50, plain and with squeeze-excitation."""
PUBLIC_NAMES = (
    (r"^input_layer\.", "trunk."),
    (r"^output_layer\.", "head."),
    (r"^body\.(\d+)\.", lambda found: f"trunk.{int(found[1]) + 3}."),
    (r"res_layer\.5\.fc1", "excitation.squeeze"),
    (r"res_layer\.5\.fc2", "excitation.excite"),
    (r"res_layer\.", "body."),
    (r"shortcut_layer\.", "shortcut."),
)
"""From their names to those here: three layers begin the trunk, before the units."""


class Excitation(nn.Module):
    """Channels weighted by what a small network makes of their means (squeeze-excitation)."""

    def __init__(self, channels: int, bias: bool) -> None:
        super().__init__()
        hidden = max(1, channels // REDUCTION)
        self.squeeze = nn.Conv2d(channels, hidden, 1, bias=bias)
        self.excite = nn.Conv2d(hidden, channels, 1, bias=bias)

    def forward(self, found: Tensor) -> Tensor:
        weights = self.excite(functional.relu(self.squeeze(found.mean((2, 3), keepdim=True))))
        return found * torch.sigmoid(weights)


class PrintedBlock(nn.Module):
    """A bottleneck of Table 2: 1x1, 3x3 (with the stride) and 1x1 convolutions beside a shortcut."""

    def __init__(self, before: int, inner: int, after: int, stride: int, excited: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(before, inner, 1, bias=False), nn.BatchNorm2d(inner), nn.ReLU(),
            nn.Conv2d(inner, inner, 3, stride, 1, bias=False), nn.BatchNorm2d(inner), nn.ReLU(),
            nn.Conv2d(inner, after, 1, bias=False), nn.BatchNorm2d(after),
        )  # fmt: skip
        self.excitation = Excitation(after, bias=True) if excited else nn.Identity()
        projection = (nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))
        self.shortcut = nn.Sequential(*projection) if before != after else nn.Identity()

    def forward(self, found: Tensor) -> Tensor:
        return functional.relu(self.excitation(self.body(found)) + self.shortcut(found))


class ImprovedUnit(nn.Module):
    """An IR unit of ArcFace: norm, 3x3, PReLU, 3x3 with the stride, norm; the shortcut changes with the shape."""

    def __init__(self, before: int, after: int, stride: int, excited: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.BatchNorm2d(before), nn.Conv2d(before, after, 3, 1, 1, bias=False), nn.PReLU(after),
            nn.Conv2d(after, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after),
        )  # fmt: skip
        self.excitation = Excitation(after, bias=False) if excited else nn.Identity()
        projection = (nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))
        self.shortcut: nn.Module = nn.Sequential(*projection)
        if before == after:
            self.shortcut = nn.Identity() if stride == 1 else nn.MaxPool2d(1, stride)

    def forward(self, found: Tensor) -> Tensor:
        joined: Tensor = self.excitation(self.body(found)) + self.shortcut(found)
        return joined


class FaceResNet50(nn.Module):
    """A face (B, 3, 112, 112), (x - 127.5) / 128 -> its vector (B, 512), not of unit length.

    `reading` "table2" is what VFMR prints (74,886,208 parameters), "ir50" what its name means in ArcFace (43,574,976);
    `excited` makes it the SE-ResNet50 of VFMR Table 8. Raises ValueError for another reading.
    """

    def __init__(self, reading: str = "ir50", excited: bool = False, width: float = 1.0) -> None:
        super().__init__()
        if reading not in ("table2", "ir50"):
            raise ValueError(f"reading {reading!r} of LResNet50: expected table2 or ir50")
        channels = max(1, round(64 * width))
        start = nn.Conv2d(3, channels, 3, 1, 1, bias=False)
        act: nn.Module = nn.ReLU() if reading == "table2" else nn.PReLU(channels)
        layers: list[nn.Module] = [start, nn.BatchNorm2d(channels), act]
        if reading == "table2":
            for inner, after, count in TABLE2:
                for number in range(count):
                    sizes = max(1, round(inner * width)), max(1, round(after * width))
                    layers.append(PrintedBlock(channels, *sizes, 1 if number else 2, excited))
                    channels = sizes[1]
        else:
            for after, count in IMPROVED:
                for number in range(count):
                    size = max(1, round(after * width))
                    layers.append(ImprovedUnit(channels, size, 1 if number else 2, excited))
                    channels = size
        self.trunk = nn.Sequential(*layers)
        flat = channels * (SIDE // 16) ** 2
        dropout: list[nn.Module] = [nn.Dropout(0.4)] if reading == "ir50" else []
        self.head = nn.Sequential(
            nn.BatchNorm2d(channels), *dropout, nn.Flatten(), nn.Linear(flat, DIMENSION), nn.BatchNorm1d(DIMENSION)
        )

    def forward(self, faces: Tensor) -> Tensor:
        found: Tensor = self.head(self.trunk(faces))
        return found
