"""A sound, or a part of one without decoding the rest of it."""

import io
from collections.abc import Callable

import numpy as np
import soundfile
from numpy.typing import NDArray

from .flac_header import flac_header
from .media import MAX_AUDIO_SAMPLES, check_wav, decode_audio
from .own_decoder import OwnDecoder

OWN_AFTER = 2000
"""Sounds that a process leaves to libsndfile: so few do not repay what loading the compiled decoder takes."""
VARIABLE = "FACEVOX_SOUND_DECODER"
"""Environment variable: "auto" (default), "own" from the first sound on, "libsndfile" always; all give the same."""

Samples = NDArray[np.int16]
Window = Callable[[int, int], tuple[int, int]]
"""From samples and rate in Hz: which sample is the first wanted, and how many."""


class SoundDecoder(OwnDecoder):
    """`own()(data, header, first, out)` decodes a part of a FLAC file, or says that libsndfile has to."""

    def __init__(self) -> None:
        super().__init__("flac_decoder", VARIABLE, "libsndfile", OWN_AFTER)


_SOUNDS = SoundDecoder()


def decode_whole(data: bytes | memoryview) -> Samples:
    """All of a 16-bit WAV or FLAC: (samples,) or (samples, channels) int16. Raises ValueError as decode_audio does."""
    found = _own(data, lambda samples, rate: (0, samples))
    return decode_audio(bytes(data))[0] if found is None else found


def decode_middle(data: bytes | memoryview, seconds: float) -> Samples:
    """So many seconds (in whole samples) from the middle of a 16-bit WAV or FLAC, all of it where it is shorter.

    (samples,) or (samples, channels) int16: from number n // 2 - count // 2 on, of n. Raises ValueError for damage in
    what is decoded, another sample format, or more than MAX_AUDIO_SAMPLES values.
    """

    def window(samples: int, rate: int) -> tuple[int, int]:
        count = min(round(seconds * rate), samples)
        return samples // 2 - count // 2, count

    return _part(data, window)


def decode_window(data: bytes | memoryview, seconds: float, place: float) -> Samples:
    """As decode_middle, from a place of 0 (the first possible) up to, but not, 1 (all places are equally likely)."""

    def window(samples: int, rate: int) -> tuple[int, int]:
        count = min(round(seconds * rate), samples)
        return int(place * (samples - count + 1)), count

    return _part(data, window)


def _part(data: bytes | memoryview, window: Window) -> Samples:
    found = _own(data, window)
    if found is not None:
        return found
    if bytes(data[:4]) == b"RIFF":
        check_wav(data)
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as sound:
            first, count = window(sound.frames, sound.samplerate)
            if sound.subtype != "PCM_16" or count * sound.channels > MAX_AUDIO_SAMPLES:
                raise ValueError(
                    f"{count:,} samples of {sound.channels} channels stored as {sound.subtype}: expected PCM_16 and at "
                    f"most {MAX_AUDIO_SAMPLES:,} values"
                )
            sound.seek(first)
            samples = np.asarray(sound.read(count, dtype="int16"), np.int16)
            if len(samples) != count:
                raise ValueError(f"sound cut short: {len(samples)} of {count} samples from number {first} on")
    except soundfile.LibsndfileError as error:
        raise ValueError(f"not a readable sound file: {error}") from None
    return samples


def _own(data: bytes | memoryview, window: Window) -> Samples | None:
    """What this package's decoder makes of it; None where libsndfile has to do it."""
    decode = _SOUNDS.own()
    header = flac_header(data) if decode else None
    if decode is None or header is None:
        return None
    first, count = window(header.samples, header.rate)
    if count > MAX_AUDIO_SAMPLES:
        return None
    out = np.empty(count, np.int16)
    return out if decode(data, header, first, out) else None
