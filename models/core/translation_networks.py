"""Networks of CycleGAN and CUT for 128-pixel faces: generator, patch discriminator, projections of patches.

SpeakingFaces 7.2 names the generator (ResNet, 9 blocks); the rest are the two methods' published defaults.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTH = 64
BLOCKS = 9
NCE_LAYERS = (0, 4, 8, 12, 16)
"""Layers of the generator whose features CUT compares: pixels, both halvings, the first and the fifth block."""
PATCHES = 256
PROJECTED = 256
"""Dimension of a projected patch."""


class BlurPool(nn.Module):
    """(B, C, H, W) -> half the side, smoothed before by a 3x3 binomial window, so that shifts do not alias."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        line = torch.tensor([1.0, 2, 1])
        self.register_buffer("window", (line[:, None] * line / 16).expand(channels, 1, 3, 3).clone(), persistent=False)

    def forward(self, found: Tensor) -> Tensor:
        padded = functional.pad(found, (1, 1, 1, 1), mode="reflect")
        return functional.conv2d(padded, self.get_buffer("window"), stride=2, groups=self.channels)


class BlurGrow(nn.Module):
    """(B, C, H, W) -> twice the side by a 4x4 binomial window."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        line = torch.tensor([1.0, 3, 3, 1])
        self.register_buffer("window", (line[:, None] * line / 16).expand(channels, 1, 4, 4).clone(), persistent=False)

    def forward(self, found: Tensor) -> Tensor:
        padded = functional.pad(found, (1, 1, 1, 1), mode="replicate")
        grown = functional.conv_transpose2d(
            padded, self.get_buffer("window"), stride=2, padding=2, groups=self.channels
        )
        return grown[:, :, 1:-1, 1:-1]


def _half(before: int, after: int, blur: bool) -> list[nn.Module]:
    plain = nn.Conv2d(before, after, 3, 1 if blur else 2, 1)
    layers: list[nn.Module] = [plain, nn.InstanceNorm2d(after), nn.ReLU()]
    return [*layers, BlurPool(after)] if blur else layers


def _double(before: int, after: int, blur: bool) -> list[nn.Module]:
    if blur:
        return [BlurGrow(before), nn.Conv2d(before, after, 3, 1, 1), nn.InstanceNorm2d(after), nn.ReLU()]
    grow = nn.ConvTranspose2d(before, after, 3, 2, 1, output_padding=1)
    return [grow, nn.InstanceNorm2d(after), nn.ReLU()]


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with reflected rims beside the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect"), nn.InstanceNorm2d(channels), nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect"), nn.InstanceNorm2d(channels),
        )  # fmt: skip

    def forward(self, found: Tensor) -> Tensor:
        joined: Tensor = found + self.body(found)
        return joined


class TranslationGenerator(nn.Module):
    """Pictures (B, 3, H, W) in -1..1 -> pictures of that shape in -1..1; H and W multiples of 4, 128 in the paper.

    `blur`: halving and doubling without aliasing, as CUT does. 11,378,179 parameters at full width.
    """

    def __init__(self, blur: bool = False, width: float = 1.0, blocks: int = BLOCKS) -> None:
        super().__init__()
        first = max(1, round(WIDTH * width))
        layers: list[nn.Module] = [nn.ReflectionPad2d(3), nn.Conv2d(3, first, 7), nn.InstanceNorm2d(first), nn.ReLU()]
        layers += [*_half(first, 2 * first, blur), *_half(2 * first, 4 * first, blur)]
        layers += [ResidualBlock(4 * first) for _ in range(blocks)]
        layers += [*_double(4 * first, 2 * first, blur), *_double(2 * first, first, blur)]
        self.layers = nn.Sequential(*layers, nn.ReflectionPad2d(3), nn.Conv2d(first, 3, 7), nn.Tanh())
        # 3 for the pixels, then what the chosen layers of a network with blur give.
        self.channels = (3, 2 * first, 4 * first, 4 * first, 4 * first)

    def forward(self, pictures: Tensor) -> Tensor:
        made: Tensor = self.layers(pictures)
        return made

    def features(self, pictures: Tensor, wanted: Sequence[int] = NCE_LAYERS) -> list[Tensor]:
        """What the wanted layers make of pictures, and nothing after the last of them."""
        found, kept = pictures, []
        for number in range(max(wanted) + 1):
            found = self.layers[number](found)
            if number in wanted:
                kept.append(found)
        return kept


class PatchDiscriminator(nn.Module):
    """Pictures (B, 3, H, W) in -1..1 -> scores of patches of 70 pixels (B, 1, h, w), 1 wanted for real, 0 for made.

    2,764,737 parameters at full width.
    """

    def __init__(self, blur: bool = False, width: float = 1.0) -> None:
        super().__init__()
        first = max(1, round(WIDTH * width))
        layers: list[nn.Module] = []
        before = 3
        for after in (first, 2 * first, 4 * first):
            layers.append(nn.Conv2d(before, after, 4, 1 if blur else 2, 1))
            layers += [nn.LeakyReLU(0.2)] if before == 3 else [nn.InstanceNorm2d(after), nn.LeakyReLU(0.2)]
            layers += [BlurPool(after)] if blur else []
            before = after
        layers += [nn.Conv2d(before, 8 * first, 4, 1, 1), nn.InstanceNorm2d(8 * first), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(8 * first, 1, 4, 1, 1))

    def forward(self, pictures: Tensor) -> Tensor:
        scores: Tensor = self.layers(pictures)
        return scores


class PatchProjection(nn.Module):
    """Features of some layers at some places -> unit vectors per layer (B, patches, 256): two dense layers each."""

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        self.each = nn.ModuleList(
            nn.Sequential(nn.Linear(count, PROJECTED), nn.ReLU(), nn.Linear(PROJECTED, PROJECTED)) for count in channels
        )

    def forward(self, features: Sequence[Tensor], places: Sequence[Tensor]) -> list[Tensor]:
        """`features` (B, C, H, W) and `places`, row-major pixel numbers (patches,), one of each per layer."""
        taken = [found.flatten(2)[:, :, place].transpose(1, 2) for found, place in zip(features, places, strict=True)]
        return [functional.normalize(layer(part), dim=2) for layer, part in zip(self.each, taken, strict=True)]


def drawn_places(features: Sequence[Tensor], patches: int = PATCHES) -> list[Tensor]:
    """Different pixels of each layer's features (B, C, H, W) by torch's random state; all of them where fewer."""
    return [torch.randperm(found[0, 0].numel(), device=found.device)[:patches] for found in features]


def patch_nce(made: Tensor, source: Tensor, temperature: float = 0.07) -> Tensor:
    """CUT's loss of one layer: each patch of the made picture is to be told from the others by its own source patch.

    Unit vectors (B, patches, D) of both; negatives are patches of the same picture; no gradient reaches the source.
    """
    scores = made @ source.detach().transpose(1, 2) / temperature
    wanted = torch.arange(scores.shape[1], device=scores.device).expand(scores.shape[:2])
    return functional.cross_entropy(scores.flatten(0, 1), wanted.flatten())


def least_squares(scores: Tensor, real: bool) -> Tensor:
    """Mean squared distance of a discriminator's scores from 1 for real, from 0 for made."""
    return (scores - float(real)).square().mean()


class PicturePool(nn.Module):
    """The last made pictures, for a discriminator that should not forget; part of a model's weights, so of its state.

    `exchange` gives for each picture (B, 3, H, W) itself or, in half of the cases once the pool is full, an older one
    whose place it takes; drawn from torch's random state. CycleGAN holds 50.
    """

    def __init__(self, size: int = 50, side: int = 128) -> None:
        super().__init__()
        self.register_buffer("held", torch.zeros(size, 3, side, side))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    def exchange(self, pictures: Tensor) -> Tensor:
        held, count = self.get_buffer("held"), self.get_buffer("count")
        given = []
        for picture in pictures.detach():
            if count < len(held):
                held[count] = picture
                count += 1
            elif torch.rand(()) < 0.5:
                place = int(torch.randint(len(held), ()))
                older = held[place].clone()
                held[place] = picture
                given.append(older)
                continue
            given.append(picture)
        return torch.stack(given)
