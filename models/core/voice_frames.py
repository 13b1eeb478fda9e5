"""What each 10 ms of a voice sounds like: level, pitch, how voiced, mel cepstrum."""

from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .filterbank import mel_edges, triangles

RATE = 16_000
HOP, FRAME, WINDOW = 160, 640, 400
"""Samples: a frame every 10 ms is 40 ms long, since a low voice repeats itself only every 15; its cepstrum is taken of
the 25 ms in its middle."""
FFT = 512
LOW, HIGH, BANDS = 80.0, 7600.0, 40
"""Hz of the lowest and highest corner, and number, of the mel bands."""
CEPSTRA = 19
"""Coefficients 1 to 19: the 0th is the level."""
PITCH = (60.0, 400.0)
"""Hz: the range of speaking voices."""
EMPHASIS = 0.97
LEVEL_FLOOR, BAND_FLOOR = 1e-10, 1e-8
"""Powers added before the logarithm; full scale is 1."""


@dataclass(frozen=True)
class VoiceFrames:
    """N frames: `level` dB of full scale, `pitch` Hz, `periodic` 0..1, all (N,); `cepstrum` (N, CEPSTRA); float64.

    `periodic` is the highest normalised autocorrelation at a period of a voice, `pitch` that period's frequency.
    """

    level: NDArray[np.float64]
    pitch: NDArray[np.float64]
    periodic: NDArray[np.float64]
    cepstrum: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.level)

    def __getitem__(self, part: slice) -> "VoiceFrames":
        return VoiceFrames(*(getattr(self, one.name)[part] for one in fields(self)))

    @classmethod
    def join(cls, first: "VoiceFrames", second: "VoiceFrames") -> "VoiceFrames":
        """The frames of two stretches that follow each other."""
        return cls(*(np.concatenate([getattr(part, one.name) for part in (first, second)]) for one in fields(cls)))


def voice_frames(sound: NDArray[np.int16]) -> VoiceFrames:
    """(samples,) int16 at 16 kHz -> its frames, those that lie wholly inside: 1 + (samples - 640) // 160.

    A frame is a function of its own 640 samples.
    """
    if len(sound) < FRAME:
        return VoiceFrames(np.zeros(0), np.zeros(0), np.zeros(0), np.zeros((0, CEPSTRA)))
    wave = np.lib.stride_tricks.sliding_window_view(sound, FRAME)[::HOP].astype(np.float64) / 32_768
    begin = (FRAME - WINDOW) // 2
    middle = wave[:, begin : begin + WINDOW]
    emphasised = (middle - EMPHASIS * wave[:, begin - 1 : begin - 1 + WINDOW]) * np.hanning(WINDOW + 1)[:WINDOW]
    power = np.square(np.abs(np.fft.rfft(emphasised, FFT)))
    cepstrum = np.log(power @ _bands() + BAND_FLOOR) @ _cosines()
    level = 10 * np.log10(np.mean(np.square(middle), 1) + LEVEL_FLOOR)
    pitch, periodic = _pitch(wave)
    return VoiceFrames(level, pitch, periodic, cepstrum)


def _pitch(wave: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(N, 640) -> pitch in Hz and periodicity: autocorrelation over that of the window (Boersma 1993), its peak."""
    shortest, longest = int(RATE / PITCH[1]), int(RATE / PITCH[0]) + 1
    window = np.hanning(FRAME)
    size = 1 << (FRAME + longest - 1).bit_length()
    spectrum = np.fft.rfft((wave - wave.mean(1, keepdims=True)) * window, size)
    found = np.fft.irfft(spectrum.real**2 + spectrum.imag**2, size)[:, :longest]
    own = np.fft.irfft(np.square(np.abs(np.fft.rfft(window, size))), size)[:longest]
    found = found / (found[:, :1] + 1e-9) / (own / own[0])
    period = found[:, shortest:].argmax(1) + shortest
    return RATE / period, np.clip(found[np.arange(len(found)), period], 0, 1)


@lru_cache(maxsize=1)
def _bands() -> NDArray[np.float64]:
    import torch

    points = torch.linspace(0, RATE / 2, FFT // 2 + 1, dtype=torch.float64)
    return np.asarray(triangles(mel_edges(BANDS, LOW, HIGH), points).numpy())


@lru_cache(maxsize=1)
def _cosines() -> NDArray[np.float64]:
    """(BANDS, CEPSTRA): the orthonormal DCT-II without its constant."""
    order = np.arange(1, CEPSTRA + 1)
    return np.asarray(np.sqrt(2 / BANDS) * np.cos(np.pi * order * (np.arange(BANDS)[:, None] + 0.5) / BANDS))
