"""Networks of RC-GAN's paper: voice classifier, VAE, generator and discriminator (its figures 7 to 9 are missing).

Where the paper gives no size these are the smallest common ones that fit its text; the parameter counts say which.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

BANDS, FRAMES = 60, 41
DIMENSION = 128
"""Of a voice vector."""
SIDE = 64
"""Pixels of a face."""


def scaled(number: int, width: float) -> int:
    """A layer's size at a share of the paper's widths, at least 1."""
    return max(1, round(number * width))


class VoiceClassifierNetwork(nn.Module):
    """Mel spectrogram and its deltas (B, 2, 60, 41) -> logits (B, classes); `embed` gives the vector (B, 128).

    Three convolutions of 128 channels, each pooled 4x2 with the rim kept (else the third cannot be pooled), then 512,
    128 and the classes. `weight_penalty` is what Keras' L2 of 0.001 adds to the loss.
    """

    def __init__(self, classes: int = 9, width: float = 1.0) -> None:
        super().__init__()
        channels, hidden = scaled(128, width), scaled(512, width)
        layers: list[nn.Module] = []
        for before in (2, channels, channels):
            layers += [nn.Conv2d(before, channels, 3, padding=1), nn.MaxPool2d((4, 2), ceil_mode=True), nn.ReLU()]
        self.convolutions = nn.Sequential(*layers, nn.Flatten())
        self.hidden = nn.Linear(6 * channels, hidden)
        self.vector = nn.Linear(hidden, DIMENSION)
        self.classes = nn.Linear(DIMENSION, classes)
        self.dropout = nn.Dropout(0.5)

    def embed(self, spectrogram: Tensor, activated: bool = True) -> Tensor:
        """The layer before the classes, after its ReLU or before it."""
        found = self.vector(self.dropout(functional.relu(self.hidden(self.convolutions(spectrogram)))))
        return functional.relu(found) if activated else found

    def forward(self, spectrogram: Tensor) -> Tensor:
        logits: Tensor = self.classes(self.dropout(self.embed(spectrogram)))
        return logits

    def weight_penalty(self) -> Tensor:
        """Sum of squares of the dense layers' weights, times 0.001."""
        squares = [layer.weight.square().sum() for layer in (self.hidden, self.vector, self.classes)]
        return 0.001 * torch.stack(squares).sum()


def _wider(before: int, after: int, last: bool = False) -> list[nn.Module]:
    """Twice the side; the last one ends in 0..1."""
    layers: list[nn.Module] = [nn.ConvTranspose2d(before, after, 4, 2, 1, bias=last)]
    return [*layers, nn.Sigmoid()] if last else [*layers, nn.BatchNorm2d(after), nn.ReLU()]


class Autoencoder(nn.Module):
    """The paper's VAE: voice vector (B, 128) -> face (B, 3, 64, 64) in 0..1, mean and log variance (B, 128) of it."""

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        wide, narrow = scaled(128, width), scaled(64, width)
        self.encoder = nn.Sequential(nn.Linear(DIMENSION, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU())
        self.mean = nn.Linear(128, 128)
        self.log_variance = nn.Linear(128, 128)
        self.start = nn.Sequential(nn.Linear(128, wide * 16 * 16), nn.ReLU(), nn.Unflatten(1, (wide, 16, 16)))
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(wide, narrow, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(narrow, 3, 4, 2, 1), nn.Sigmoid()
        )

    def forward(self, voices: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        found = self.encoder(voices)
        mean, log_variance = self.mean(found), self.log_variance(found)
        drawn = mean + torch.randn_like(mean) * (log_variance / 2).exp() if self.training else mean
        return self.decoder(self.start(drawn)), mean, log_variance


class Generator(nn.Module):
    """Of C-GAN and RC-GAN: voice vector (B, 128), no noise -> face (B, 3, 64, 64) in 0..1."""

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        hidden, *sizes = (scaled(size, width) for size in (1024, 512, 256, 128, 64))
        layers = [nn.Linear(DIMENSION, hidden), nn.ReLU(), nn.Linear(hidden, sizes[0] * 4 * 4), nn.ReLU()]
        pairs = pairwise(sizes)
        steps = [layer for before, after in pairs for layer in _wider(before, after)]
        self.layers = nn.Sequential(
            *layers, nn.Unflatten(1, (sizes[0], 4, 4)), *steps, *_wider(sizes[-1], 3, last=True)
        )

    def forward(self, voices: Tensor) -> Tensor:
        faces: Tensor = self.layers(voices)
        return faces


class Discriminator(nn.Module):
    """Faces (B, 3, 64, 64) in 0..1 and voice vectors (B, 128) -> logits (B, 1), positive for real pairs."""

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        sizes = [scaled(size, width) for size in (64, 128, 256, 512)]
        layers: list[nn.Module] = [nn.Conv2d(3, sizes[0], 4, 2, 1), nn.LeakyReLU(0.2)]
        for before, after in pairwise(sizes):
            layers += [nn.Conv2d(before, after, 4, 2, 1), nn.BatchNorm2d(after), nn.LeakyReLU(0.2)]
        self.trunk = nn.Sequential(*layers, nn.Flatten())
        self.score = nn.Linear(sizes[-1] * 4 * 4 + DIMENSION, 1)

    def forward(self, faces: Tensor, voices: Tensor) -> Tensor:
        logits: Tensor = self.score(torch.cat([self.trunk(faces), voices], 1))
        return logits
