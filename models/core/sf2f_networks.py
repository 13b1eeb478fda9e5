"""Networks of SF2F: voice encoder, fuser and face decoders (HQ-VoxCeleb / SF2F, Tables 9 and 10, and released code)."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

MEL_BANDS = 40
DIMENSION = 512
"""Of a voice vector."""
KERNELS = ((2, 1), (3, 1), (5, 2), (7, 3))
"""Kernel and padding of the four parallel convolutions of a 1D-Inception block."""
CHANNELS = (256, 384, 576, 864)
"""After each block of the encoder."""


class InceptionBlock(nn.Module):
    """(B, before, T) -> (B, after, ceil(T / 2)): four convolutions side by side, each a quarter of the channels."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(
                nn.Conv1d(before, after // 4, kernel, 2, padding, bias=False), nn.BatchNorm1d(after // 4), nn.ReLU()
            )
            for kernel, padding in KERNELS
        )

    def forward(self, found: Tensor) -> Tensor:
        length = (found.shape[2] + 1) // 2
        # The branch of kernel 2 is one frame longer where T is even; the last one goes.
        return torch.cat([branch(found)[..., :length] for branch in self.branches], 1)


class VoiceEncoder(nn.Module):
    """Mel frames (B, 40, T) -> unit voice vectors (B, 512). `last`: "conv" as released, "inception" as in Table 9.

    Raises ValueError for another `last`.
    """

    def __init__(self, last: str = "conv", width: float = 1.0, dimension: int = DIMENSION) -> None:
        super().__init__()
        if last not in ("conv", "inception"):
            raise ValueError(f"last layer {last!r} of the voice encoder: expected conv or inception")
        sizes = [MEL_BANDS, *(4 * max(1, round(channels * width / 4)) for channels in CHANNELS)]
        self.blocks = nn.Sequential(*(InceptionBlock(a, b) for a, b in pairwise(sizes)))
        released = nn.Conv1d(sizes[-1], dimension, 3, 2, 1)
        self.last: nn.Module = released if last == "conv" else InceptionBlock(sizes[-1], dimension)

    def forward(self, mel: Tensor) -> Tensor:
        return functional.normalize(self.last(self.blocks(mel)).mean(2))


class PlainEncoder(nn.Module):
    """voice2face's encoder, SF2F's "Baseline Encoder": strided convolutions, (B, bands, T) -> (B, dimension).

    40 bands to 512 in SF2F's comparison, 64 to 64 in voice2face; the vector is of unit length where `unit` asks.
    """

    def __init__(
        self, bands: int = MEL_BANDS, dimension: int = DIMENSION, width: float = 1.0, unit: bool = False
    ) -> None:
        super().__init__()
        self.unit = unit
        sizes = [bands, *(max(1, round(channels * width)) for channels in CHANNELS)]
        layers: list[nn.Module] = []
        for before, after in pairwise(sizes):
            layers += [nn.Conv1d(before, after, 3, 2, 1, bias=False), nn.BatchNorm1d(after), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Conv1d(sizes[-1], dimension, 3, 2, 1))

    def forward(self, mel: Tensor) -> Tensor:
        found: Tensor = self.layers(mel).mean(2)
        return functional.normalize(found) if self.unit else found


class Fuser(nn.Module):
    """Unit vectors of windows of one voice (B, N, 512) -> one unit vector (B, 512), whatever their order.

    `beside`: what each attended vector is joined with, "query" as released, "embedding" as printed. `real` (B, N) bool
    marks windows that count, so that voices with fewer windows fit into a batch.
    Raises ValueError for another `beside`.
    """

    def __init__(self, dimension: int = DIMENSION, beside: str = "query") -> None:
        super().__init__()
        if beside not in ("query", "embedding"):
            raise ValueError(f"vector {beside!r} beside the attended one: expected query or embedding")
        self.beside = beside
        self.query = nn.Linear(dimension, dimension, bias=False)
        self.out = nn.Linear(2 * dimension, dimension, bias=False)

    def forward(self, windows: Tensor, real: Tensor | None = None) -> Tensor:
        queries = self.query(windows)
        scores = queries @ windows.transpose(1, 2)
        if real is not None:
            scores = scores.masked_fill(~real[:, None, :], float("-inf"))
        attended = scores.softmax(2) @ windows
        fused = self.out(torch.cat([attended, queries if self.beside == "query" else windows], 2))
        weights = torch.ones_like(fused[..., :1]) if real is None else real[..., None].to(fused)
        return functional.normalize((fused * weights).sum(1) / weights.sum(1))


class Widening(nn.Module):
    """Twice the side: nearest pixels, 3x3 convolution, norm, gated linear unit."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Upsample(scale_factor=2), nn.Conv2d(before, 2 * after, 3, 1, 1, bias=False), nn.BatchNorm2d(2 * after),
            nn.GLU(1),
        )  # fmt: skip

    def forward(self, found: Tensor) -> Tensor:
        wider: Tensor = self.body(found)
        return wider


def _to_picture(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, channels, 3, 1, 1), nn.LeakyReLU(0.01), nn.Conv2d(channels, 3, 1))


class FaceDecoder(nn.Module):
    """Voice vectors (B, 512) -> pictures per side of `sides`, smallest first, each (B, 3, side, side), unbounded.

    (64,) and (128,) decode one size, (64, 128) both from one trunk. Raises ValueError for other sides.
    """

    def __init__(self, sides: tuple[int, ...] = (64,), dimension: int = DIMENSION, width: float = 1.0) -> None:
        super().__init__()
        if sides not in ((64,), (128,), (64, 128)):
            raise ValueError(f"picture sides {sides}: expected (64,), (128,) or (64, 128)")
        self.start = max(1, round(512 * width))
        flat = self.start * 16
        self.seed = nn.Sequential(nn.Linear(dimension, 2 * flat, bias=False), nn.BatchNorm1d(2 * flat), nn.GLU(1))
        sizes = [max(1, self.start >> step) for step in range(6 if max(sides) == 128 else 5)]
        self.trunk = nn.ModuleList(Widening(a, b) for a, b in pairwise(sizes))
        # The trunk's side doubles from 4: after 4 steps 64, after 5 steps 128.
        self.pictures = nn.ModuleDict({str(side): _to_picture(sizes[(side // 4).bit_length() - 1]) for side in sides})

    def forward(self, voices: Tensor) -> list[Tensor]:
        found, made = self.seed(voices).unflatten(1, (self.start, 4, 4)), []
        for part in self.trunk:
            found = part(found)
            if (side := str(found.shape[3])) in self.pictures:
                made.append(self.pictures[side](found))
        return made


class TransposedDecoder(nn.Module):
    """voice2face's decoder, SF2F's "Baseline Decoder": (B, dimension) -> (B, 3, 64, 64), unbounded."""

    def __init__(self, dimension: int = DIMENSION, width: float = 1.0) -> None:
        super().__init__()
        sizes = [max(1, round(channels * width)) for channels in (1024, 512, 256, 128, 64)]
        layers: list[nn.Module] = [nn.ConvTranspose2d(dimension, sizes[0], 4), nn.ReLU()]
        for before, after in pairwise(sizes):
            layers += [nn.ConvTranspose2d(before, after, 4, 2, 1), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Conv2d(sizes[-1], 3, 1))

    def forward(self, voices: Tensor) -> Tensor:
        picture: Tensor = self.layers(voices[:, :, None, None])
        return picture
