"""Wave to spectrogram, one function and one options object per paper.

A wave is (..., samples) float32 in -1..1, that is int16 / 32768, on any device; leading dimensions are a batch of
equal lengths. Every function returns float32 in the layout that the paper's network takes.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import torch
from torch import Tensor

from .filterbank import mel_edges, of_equal_area, triangles

LOG_FLOOR = 1e-6
"""Added before the logarithm: above the power that 16-bit rounding leaves in a band, below any speech."""
FULL_SCALE = 32_768
"""Steps of int16 per unit: SF2F, voice2face and Piczak work on samples as stored."""


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

    Narrow low bands may fall between two bins and stay empty.
    """
    return triangles(mel_edges(options.bands, 0, options.rate / 2), _bins(options.rate, options.window)).float()


def mel(wave: Tensor, options: MelOptions) -> Tensor:
    """(..., samples) float32 in -1..1 -> (..., 1 + samples // hop, bands) float32 power, or its logarithm.

    Periodic Hann window, frames centred with mirrored edges. Raises ValueError for a wave shorter than half a window.
    """
    power = _centred(wave, options.window, options.window, options.hop).abs().square()
    power = power.transpose(-1, -2) @ filters(options).to(wave)
    return (power + LOG_FLOOR).log10() if options.log else power


@dataclass(frozen=True)
class Sf2fOptions:
    """SF2F's released code: the log filterbank of python_speech_features 0.6, its defaults but for the 40 bands.

    The paper says only "mel spectrogram"; `mean` and `std` are the released normalisation of its data.
    """

    rate: int = 16_000
    window: int = 400
    hop: int = 160
    fft: int = 512
    bands: int = 40
    emphasis: float = 0.97
    floor: float = 2.220446049250313e-16
    """Stands for a power of exactly 0 (the step of float64 at 1)."""
    mean: float = 10.9915
    std: float = 3.1661

    @property
    def padding(self) -> float:
        """What frames appended to a short spectrogram hold: 0 before normalisation."""
        return -self.mean / self.std


SF2F = Sf2fOptions()


@lru_cache(maxsize=8)
def _sf2f_filters(options: Sf2fOptions) -> Tensor:
    edges = mel_edges(options.bands, 0, options.rate / 2)
    corners = torch.floor((options.fft + 1) * edges / options.rate)
    return triangles(corners, torch.arange(options.fft // 2 + 1, dtype=torch.float64)).float()


def sf2f(wave: Tensor, options: Sf2fOptions = SF2F) -> Tensor:
    """(..., samples) at 16 kHz -> (..., 40, frames): natural log power, (x - mean) / std; 100 frames are one second.

    frames = 1 + ceil((samples - 400) / 160), the last one filled with zeros. Pre-emphasis over the whole wave,
    rectangular window, power |FFT|^2 / 512. Raises ValueError for an empty wave.
    """
    _need(wave, 1)
    sound = wave * FULL_SCALE
    sound = torch.cat([sound[..., :1], sound[..., 1:] - options.emphasis * sound[..., :-1]], -1)
    beyond = max(0, sound.shape[-1] - options.window)
    frames = 1 + -(-beyond // options.hop)
    missing = (frames - 1) * options.hop + options.window - sound.shape[-1]
    framed = torch.nn.functional.pad(sound, (0, missing)).unfold(-1, options.window, options.hop)
    power = torch.fft.rfft(framed, options.fft).abs().square() / options.fft @ _sf2f_filters(options).to(wave)
    logarithm = torch.where(power == 0, options.floor, power).log()
    return (logarithm.transpose(-1, -2) - options.mean) / options.std


@dataclass(frozen=True)
class Voice2FaceOptions:
    """voice2face's released code: log filterbank after CMU Sphinx, 20 to 7,200 Hz."""

    rate: int = 16_000
    window: int = 400
    hop: int = 160
    fft: int = 1024
    bands: int = 64
    low: float = 20.0
    high: float = 7200.0
    emphasis: float = 0.97
    floor: float = 1e-5
    """Least power of a band before the logarithm, in squared steps of int16."""
    epsilon: float = 1.1920929e-07
    """Added to each band's deviation (the step of float32 at 1)."""
    least_frames: int = 1000
    """Shorter spectrograms are repeated until they have so many frames (10 s)."""


VOICE2FACE = Voice2FaceOptions()


@lru_cache(maxsize=8)
def _voice2face_filters(options: Voice2FaceOptions) -> Tensor:
    width = options.rate / options.fft
    corners = torch.round(mel_edges(options.bands, options.low, options.high) / width) * width
    return of_equal_area(triangles(corners, _bins(options.rate, options.fft)), corners).float()


def voice2face(wave: Tensor, options: Voice2FaceOptions = VOICE2FACE) -> Tensor:
    """(..., samples) at 16 kHz -> (..., 64, 1 + samples // 160): log power, each band with mean 0 and deviation 1.

    Symmetric Hamming window. As in the released code, frames that reach past the end repeat what is left of them,
    and pre-emphasis takes the sample before a frame's first from the end of the frame before (0 for the first).
    Repeat to ten seconds with `repeat`. Raises ValueError for an empty wave.
    """
    _need(wave, 1)
    samples = wave.shape[-1]
    start = torch.arange(samples // options.hop + 1, device=wave.device)[:, None] * options.hop
    left = (samples - start).clamp(1, options.window)
    index = start + torch.arange(options.window, device=wave.device) % left
    framed = torch.nn.functional.pad(wave * FULL_SCALE, (0, 1))[..., index]
    before = torch.nn.functional.pad(framed[..., :-1, -1:], (0, 0, 1, 0))
    framed = framed - options.emphasis * torch.cat([before, framed[..., :-1]], -1)
    window = torch.hamming_window(options.window, periodic=False, dtype=wave.dtype, device=wave.device)
    power = torch.fft.rfft(framed * window, options.fft).abs().square() @ _voice2face_filters(options).to(wave)
    logarithm = power.clamp(min=options.floor).log().transpose(-1, -2)
    return _normalised(logarithm, -1, options.epsilon)


@dataclass(frozen=True)
class PiczakOptions:
    """Piczak 2015 (ESC convnet), taken over by RC-GAN: segments of 41 frames with half overlap, at 22,050 Hz."""

    rate: int = 22_050
    segment: int = 20_480
    fft: int = 1024
    hop: int = 512
    bands: int = 60
    floor: float = 1e-10
    range_db: float = 80.0
    """Values are at most so far below the loudest of their segment."""
    silence_db: float = -70.0
    """Segments of this mean or less are left out."""
    delta_width: int = 9
    standardize: tuple[float, float] | None = None
    """Mean and deviation (dB) of a training set, applied before the deltas; Piczak did so, RC-GAN did not."""


PICZAK = PiczakOptions()


@lru_cache(maxsize=8)
def _piczak_filters(options: PiczakOptions) -> Tensor:
    edges = mel_edges(options.bands, 0, options.rate / 2, "slaney")
    return of_equal_area(triangles(edges, _bins(options.rate, options.fft)), edges).float()


def piczak(wave: Tensor, options: PiczakOptions = PICZAK) -> Tensor:
    """One clip (samples,) at 22,050 Hz -> its audible segments (segments, 2, 60, 41): dB, and their slope in time.

    Segments start every 10,240 samples; none for a silent clip or one shorter than 20,480 samples (0.93 s).
    """
    found = piczak_spectrogram(piczak_segments(wave, options), options)
    mean, deviation = options.standardize or (0.0, 1.0)
    return found[found[:, 0].mean((-1, -2)) * deviation + mean > options.silence_db]


def piczak_segments(wave: Tensor, options: PiczakOptions = PICZAK) -> Tensor:
    """One clip (samples,) -> (segments, 20480), scaled to a peak of 1. An incomplete tail is dropped."""
    if wave.shape[-1] < options.segment or not bool(wave.any()):
        return wave.new_zeros(0, options.segment)
    # Piczak centres int16 on half steps: -32768 and 32767 become -1 and 1.
    sound = (wave * FULL_SCALE + 0.5) / (FULL_SCALE - 0.5)
    return (sound / sound.abs().max()).unfold(-1, options.segment, options.segment // 2)


def piczak_spectrogram(segments: Tensor, options: PiczakOptions = PICZAK) -> Tensor:
    """(..., 20480) of any number of clips -> (..., 2, 60, 41): dB within 80 of the peak, slope in dB per frame.

    The slope is a straight line fitted to 9 frames; the four at either end take the slope of the nearest whole nine.
    """
    if not segments.shape[0]:
        return segments.new_zeros(0, 2, options.bands, options.segment // options.hop + 1)
    power = _centred(segments, options.fft, options.fft, options.hop).abs().square()
    power = _piczak_filters(options).to(segments).T @ power
    level = 10 * power.clamp(min=options.floor).log10()
    level = torch.maximum(level, level.amax((-1, -2), keepdim=True) - options.range_db)
    if options.standardize:
        level = (level - options.standardize[0]) / options.standardize[1]
    half = options.delta_width // 2
    across = torch.arange(-half, half + 1, dtype=level.dtype, device=level.device)
    slope = level.unfold(-1, options.delta_width, 1) @ (across / across.square().sum())
    slope = torch.cat([slope[..., :1]] * half + [slope] + [slope[..., -1:]] * half, -1)
    return torch.stack([level, slope], -3)


@dataclass(frozen=True)
class VfmrOptions:
    """VFMR and the Thin-ResNet34 speaker network that it starts from: linear magnitude, each frame normalised."""

    rate: int = 16_000
    window: int = 400
    hop: int = 160
    fft: int = 512
    epsilon: float = 1e-5
    """Added to each frame's deviation."""


VFMR = VfmrOptions()


def vfmr(wave: Tensor, options: VfmrOptions = VFMR) -> Tensor:
    """(..., samples) at 16 kHz -> (..., 257, samples // 160): magnitudes, each frame with mean 0 and deviation 1.

    Periodic Hann window, frames centred with mirrored edges; the last is dropped so that a second has 100 frames.
    Raises ValueError for a wave of 256 samples or less.
    """
    magnitude = _centred(wave, options.fft, options.window, options.hop).abs()[..., : wave.shape[-1] // options.hop]
    return _normalised(magnitude, -2, options.epsilon)


@dataclass(frozen=True)
class Speech2FaceOptions:
    """Speech2Face: the first six seconds, compressed. `mag_phase` is what the released re-implementation took."""

    rate: int = 16_000
    samples: int = 96_000
    window: int = 400
    hop: int = 160
    fft: int = 512
    power: float = 0.3
    mode: Literal["real_imag", "mag_phase"] = "real_imag"


SPEECH2FACE = Speech2FaceOptions()


def speech2face(wave: Tensor, options: Speech2FaceOptions = SPEECH2FACE) -> Tensor:
    """(..., samples) at 16 kHz, cut or repeated to 6 s -> (..., 2, 598, 257).

    `real_imag`: sign(x) |x|^0.3 of the real and of the imaginary part. `mag_phase`: |S|^0.3 and the angle (-pi..pi).
    Periodic Hann window, frames not centred, zeros after the window. Raises ValueError for an empty wave.
    """
    sound = repeat(wave, options.samples)[..., : options.samples]
    window = torch.hann_window(options.window, dtype=wave.dtype, device=wave.device)
    spectrum = torch.fft.rfft(sound.unfold(-1, options.window, options.hop) * window, options.fft)
    if options.mode == "mag_phase":
        return torch.stack([spectrum.abs() ** options.power, spectrum.angle()], -3)
    parts = torch.stack([spectrum.real, spectrum.imag], -3)
    return parts.sign() * parts.abs() ** options.power


def repeat(values: Tensor, least: int) -> Tensor:
    """(..., n) repeated along the last dimension and cut at `least`; n or more stays as it is.

    For waves and for spectrograms whose last dimension is time. Raises ValueError for n = 0.
    """
    _need(values, 1)
    length = values.shape[-1]
    if length >= least:
        return values
    return values[..., torch.arange(least, device=values.device) % length]


def _bins(rate: int, fft: int) -> Tensor:
    return torch.linspace(0, rate / 2, fft // 2 + 1, dtype=torch.float64)


def _normalised(values: Tensor, along: int, epsilon: float) -> Tensor:
    deviation, mean = torch.std_mean(values, along, correction=0, keepdim=True)
    return (values - mean) / (deviation + epsilon)


def _need(wave: Tensor, least: int) -> None:
    if wave.shape[-1] < least:
        raise ValueError(f"sound of {wave.shape[-1]} samples: a spectrogram needs more than {least - 1}")


def _centred(wave: Tensor, fft: int, window: int, hop: int) -> Tensor:
    """Complex (..., fft // 2 + 1, 1 + samples // hop) of a periodic Hann window, frames centred, edges mirrored."""
    _need(wave, fft // 2 + 1)
    spectrum = torch.stft(
        wave.reshape(-1, wave.shape[-1]),
        fft,
        hop,
        window,
        window=torch.hann_window(window, dtype=wave.dtype, device=wave.device),
        center=True,
        pad_mode="reflect",
        return_complex=True,
    )
    return spectrum.reshape(*wave.shape[:-1], *spectrum.shape[-2:])
