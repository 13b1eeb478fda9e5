"""The numbers in which face generators draw: pixels with a mean and a deviation per colour."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class PictureSpace:
    """Mean and deviation of red, green and blue on a scale of 0 to 1."""

    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]

    def normalised(self, pictures: Tensor) -> Tensor:
        """(..., 3, H, W) uint8 RGB -> float32 in this space."""
        mean, deviation = self._colours(pictures)
        return (pictures.float() / 255 - mean) / deviation

    def shares(self, made: Tensor) -> Tensor:
        """(..., 3, H, W) in this space -> float32 on a scale of 0 to 1, not clamped; gradients pass."""
        mean, deviation = self._colours(made)
        return made.float() * deviation + mean

    def pixels(self, made: Tensor) -> Tensor:
        """(..., 3, H, W) in this space -> uint8 RGB."""
        return (self.shares(made).clamp(0, 1) * 255).round().to(torch.uint8)

    def _colours(self, beside: Tensor) -> tuple[Tensor, Tensor]:
        mean, deviation = (
            torch.tensor(own, device=beside.device)[:, None, None] for own in (self.mean, self.deviation)
        )
        return mean, deviation


IMAGENET = PictureSpace((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""SF2F's code."""
SYMMETRIC = PictureSpace((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
"""voice2face's code: (x - 127.5) / 127.5."""


def square(picture: Tensor, side: int) -> Tensor:
    """RGB (H, W, 3) uint8 of any shape -> (3, side, side) uint8: bilinear over the area that a pixel covers, as Pillow.

    Raises ValueError for another shape or type.
    """
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != torch.uint8 or 0 in picture.shape:
        raise ValueError(f"picture of shape {tuple(picture.shape)}, {picture.dtype}: expected (H, W, 3) uint8")
    planes = picture.permute(2, 0, 1)[None].float()
    scaled = functional.interpolate(planes, (side, side), mode="bilinear", antialias=True, align_corners=False)
    return scaled[0].round().clamp(0, 255).to(torch.uint8)
