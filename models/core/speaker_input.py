"""The log-mel spectrogram that published speaker networks take: Kaldi's filterbank, less its mean over time."""

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from .filterbank import triangles

RATE = 16_000
WINDOW, HOP, FFT = 400, 160, 512
BANDS, LOW, HIGH = 80, 20.0, 8000.0
EMPHASIS = 0.97
FLOOR = 1.1920929e-07
"""Least power of a band (the step of float32 at 1)."""
FULL_SCALE = 32_768


def log_mel(window: NDArray[np.int16]) -> NDArray[np.float32]:
    """(samples,) int16 at 16 kHz -> (frames, 80) float32, frames = 1 + (samples - 400) // 160, each band of mean 0.

    As Kaldi's compute-fbank-feats without dither, with a Hamming window: samples as stored, each frame less its mean,
    pre-emphasis within the frame, natural logarithm of the power. Then the mean over the window's frames is taken off,
    as WeSpeaker and 3D-Speaker do.
    """
    frames = np.lib.stride_tricks.sliding_window_view(window, WINDOW)[::HOP].astype(np.float64)
    frames = frames - frames.mean(1, keepdims=True)
    frames = frames - EMPHASIS * np.concatenate([frames[:, :1], frames[:, :-1]], 1)
    power = np.square(np.abs(np.fft.rfft(frames * np.hamming(WINDOW), FFT)))
    bands = np.log(np.maximum(power @ _bands(), FLOOR))
    return np.asarray(bands - bands.mean(0), np.float32)


@lru_cache(maxsize=1)
def _bands() -> NDArray[np.float64]:
    """(257, 80): triangles on the scale 1127 ln(1 + f / 700), straight in mel."""
    low, high = (1127 * np.log1p(hz / 700) for hz in (LOW, HIGH))
    edges = torch.linspace(low, high, BANDS + 2, dtype=torch.float64)
    points = torch.from_numpy(1127 * np.log1p(np.arange(FFT // 2 + 1) * RATE / FFT / 700))
    filters = triangles(edges, points).numpy()
    filters[-1] = 0
    return np.asarray(filters)
