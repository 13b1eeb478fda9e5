"""Speech2Face's voice encoder: six seconds of sound to the 4096 numbers that VGG-Face makes of the face."""

import torch
from torch import Tensor, nn

CONVOLUTIONS = (
    (64, 1, False), (64, 1, False), (128, 1, True), (128, 1, True), (128, 1, True), (256, 1, True), (512, 1, False),
    (512, 2, False),
)  # fmt: skip
"""Channels, stride and whether half the time is dropped after it, of the 4x4 convolutions with ReLU and norm."""
FREQUENCIES = 57
"""Left of 257 after the convolutions."""
FEATURES = 4096
SHORTEST = 259
"""Frames that leave one time step after the last convolution."""
MOMENTUM = 0.01
"""Share of a batch in the running statistics of the norms, of Keras, under which the released weights were trained."""


class SpeechEncoder(nn.Module):
    """A spectrogram (B, 2, T, 257) -> VGG-Face's fc7 before its ReLU (B, 4096).

    Six seconds are T = 598; 259 is the least.
    """

    def __init__(self, width: float = 1.0, features: int = FEATURES, momentum: float = MOMENTUM) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 2
        for channels, stride, pool in CONVOLUTIONS:
            after = max(1, round(channels * width))
            layers += [nn.Conv2d(before, after, 4, stride), nn.ReLU(), _norm(after, momentum)]
            if pool:
                layers.append(nn.MaxPool2d((2, 1)))
            before = after
        self.convolutions = nn.Sequential(*layers, nn.Conv2d(before, before, 4, 2))
        self.over_time = nn.Sequential(nn.ReLU(), _norm(before, momentum))
        hidden = max(1, round(FEATURES * width))
        self.head = nn.Sequential(nn.Linear(before * FREQUENCIES, hidden), nn.ReLU(), nn.Linear(hidden, features))

    def forward(self, spectrogram: Tensor) -> Tensor:
        found = self.convolutions(spectrogram)
        found = self.over_time(found.mean(2, keepdim=True))
        # Channels run fastest in the released weights.
        features: Tensor = self.head(found.permute(0, 2, 3, 1).flatten(1))
        return features


def _norm(channels: int, momentum: float) -> nn.BatchNorm2d:
    """With Keras' epsilon."""
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=momentum)


def unit_distance(predicted: Tensor, features: Tensor) -> Tensor:
    """Squared distance of the unit vectors of two (B, D), per sample (B,): 2 - 2 cos, from 0 to 4."""
    unit = torch.nn.functional.normalize
    return (unit(predicted) - unit(features)).square().sum(1)


def distillation(features: Tensor, predicted: Tensor, temperature: float = 2.0) -> Tensor:
    """Cross-entropy of softened logits, per sample (B,): least, the entropy of the first, where both are equal."""
    wanted = (features / temperature).softmax(1)
    return -(wanted * (predicted / temperature).log_softmax(1)).sum(1)
