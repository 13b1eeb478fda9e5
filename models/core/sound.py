"""Wave to spectrogram, one options object per paper."""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

LOG_FLOOR = 1e-6
"""Added before the logarithm: above the power that 16-bit rounding leaves in a band, below any speech."""


@dataclass(frozen=True)
class MelOptions:
    """A mel spectrogram; the defaults are the library defaults for 16 kHz that SpeakingFaces' baseline used.

    `rate` is the rate (Hz) that the filters are laid out for. The baseline hands 44.1 kHz sound to filters for
    16 kHz, so that every band lies 2.76 times higher than its name says.
    """

    rate: int = 16_000
    window: int = 400
    hop: int = 200
    bands: int = 128
    log: bool = False
    """Decimal logarithm of the power plus LOG_FLOOR, instead of the power itself."""


@lru_cache(maxsize=8)
def filters(options: MelOptions) -> Tensor:
    """Triangles on the HTK mel scale from 0 to rate / 2, peak 1: (window // 2 + 1, bands) float32.

    mel(f) = 2595 log10(1 + f / 700). Narrow low bands may fall between two bins and stay empty.
    """
    bins = torch.linspace(0, options.rate / 2, options.window // 2 + 1, dtype=torch.float64)
    top = 2595 * torch.log10(torch.tensor(1 + options.rate / 2 / 700, dtype=torch.float64))
    edges = 700 * (10 ** (torch.linspace(0, 1, options.bands + 2, dtype=torch.float64) * top / 2595) - 1)
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    rising = (bins[:, None] - low) / (middle - low)
    falling = (high - bins[:, None]) / (high - middle)
    return torch.minimum(rising, falling).clamp(min=0).float()


def mel(wave: Tensor, options: MelOptions) -> Tensor:
    """(..., samples) float32 in -1..1 -> (..., 1 + samples // hop, bands) float32 power, or its logarithm.

    Periodic Hann window, frames centred with mirrored edges. Raises ValueError for a wave shorter than half a window.
    """
    if wave.shape[-1] <= options.window // 2:
        raise ValueError(f"sound of {wave.shape[-1]} samples: a spectrogram needs more than {options.window // 2}")
    spectrum = torch.stft(
        wave.reshape(-1, wave.shape[-1]),
        options.window,
        options.hop,
        window=torch.hann_window(options.window, dtype=wave.dtype, device=wave.device),
        center=True,
        pad_mode="reflect",
        return_complex=True,
    )
    power = spectrum.abs().square().transpose(-1, -2) @ filters(options).to(wave)
    power = (power + LOG_FLOOR).log10() if options.log else power
    return power.reshape(*wave.shape[:-1], *power.shape[-2:])
