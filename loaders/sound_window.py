"""A part of a sound, without decoding the rest of it."""

import io

import numpy as np
import soundfile
from numpy.typing import NDArray

from .media import MAX_AUDIO_SAMPLES, check_wav

Samples = NDArray[np.int16]


def part_of(samples: int, rate: int, seconds: float, place: float | None) -> tuple[int, int]:
    """Which of so many samples at `rate` Hz is the first wanted, and how many: `seconds`, all where there are fewer.

    From the middle, n // 2 - count // 2, or from a `place` of 0 (the first possible) up to, but not, 1, all places
    equally likely.
    """
    count = min(round(seconds * rate), samples)
    return samples // 2 - count // 2 if place is None else int(place * (samples - count + 1)), count


def decode_part(data: bytes | memoryview, seconds: float, place: float | None = None) -> Samples:
    """A part of a 16-bit WAV or FLAC, as part_of counts it: (samples,) or (samples, channels) int16.

    Raises ValueError for damage in what is decoded, another sample format, or more than MAX_AUDIO_SAMPLES values.
    """
    if bytes(data[:4]) == b"RIFF":
        check_wav(data)
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as sound:
            first, count = part_of(sound.frames, sound.samplerate, seconds, place)
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
