"""A part of a sound, without decoding the rest of it."""

import io
from collections.abc import Callable

import numpy as np
import soundfile
from numpy.typing import NDArray

from .media import MAX_AUDIO_SAMPLES, check_wav

Samples = NDArray[np.int16]
Window = Callable[[int, int], tuple[int, int]]
"""From samples and rate in Hz: which sample is the first wanted, and how many."""


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
