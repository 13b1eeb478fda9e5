"""Triangular filters on mel scales, in the layouts that papers and their libraries use."""

import math
from typing import Literal

import torch
from torch import Tensor

SLANEY_KNEE = 1000.0
SLANEY_LINEAR = 200 / 3
SLANEY_STEP = math.log(6.4) / 27
"""Slaney's scale (Auditory Toolbox): 200/3 Hz per mel up to 1 kHz, above it 27 mel for a factor of 6.4."""


def mel_edges(bands: int, low: float, high: float, scale: Literal["htk", "slaney"] = "htk") -> Tensor:
    """Corners of `bands` triangles, evenly spaced in mel from `low` to `high` Hz: (bands + 2,) float64 Hz.

    HTK: mel(f) = 2595 log10(1 + f / 700).
    """
    even = torch.linspace(0, 1, bands + 2, dtype=torch.float64)
    if scale == "htk":
        bottom, top = (2595 * math.log10(1 + hz / 700) for hz in (low, high))
        return 700 * (10 ** ((bottom + even * (top - bottom)) / 2595) - 1)
    bottom, top = (_slaney(hz) for hz in (low, high))
    mel, knee = bottom + even * (top - bottom), SLANEY_KNEE / SLANEY_LINEAR
    return torch.where(mel < knee, mel * SLANEY_LINEAR, SLANEY_KNEE * torch.exp(SLANEY_STEP * (mel - knee)))


def _slaney(hz: float) -> float:
    if hz < SLANEY_KNEE:
        return hz / SLANEY_LINEAR
    return SLANEY_KNEE / SLANEY_LINEAR + math.log(hz / SLANEY_KNEE) / SLANEY_STEP


def triangles(edges: Tensor, points: Tensor) -> Tensor:
    """Triangles of peak 1 over each three neighbouring corners, taken at `points`: (points, bands) float64.

    Corners and points are in one unit, Hz or bins. A triangle between two points, or without width, stays empty.
    """
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    rising = (points[:, None] - low) / (middle - low)
    falling = (high - points[:, None]) / (high - middle)
    return torch.minimum(rising, falling).nan_to_num(0).clamp(min=0)


def of_equal_area(filters: Tensor, edges: Tensor) -> Tensor:
    """(points, bands) triangles of peak 1 -> the same with area 1 in the unit of their corners."""
    return filters * (2 / (edges[2:] - edges[:-2]))
