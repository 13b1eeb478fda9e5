"""A part of a sound, without decoding the rest of it."""

import io

import numpy as np
import soundfile
from numpy.typing import NDArray

from .media import MAX_AUDIO_SAMPLES, check_wav


def decode_middle(data: bytes | memoryview, seconds: float) -> NDArray[np.int16]:
    """So many seconds (in whole samples) from the middle of a 16-bit WAV or FLAC, all of it where it is shorter.

    (samples,) or (samples, channels) int16: from number n // 2 - count // 2 on, of n. Raises ValueError for damage in
    what is decoded, another sample format, or more than MAX_AUDIO_SAMPLES values.
    """
    if bytes(data[:4]) == b"RIFF":
        check_wav(data)
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as sound:
            count = min(round(seconds * sound.samplerate), sound.frames)
            if sound.subtype != "PCM_16" or count * sound.channels > MAX_AUDIO_SAMPLES:
                raise ValueError(
                    f"{count:,} samples of {sound.channels} channels stored as {sound.subtype}: expected PCM_16 and at "
                    f"most {MAX_AUDIO_SAMPLES:,} values"
                )
            sound.seek(sound.frames // 2 - count // 2)
            samples = np.asarray(sound.read(count, dtype="int16"), np.int16)
            if len(samples) != count:
                raise ValueError(f"sound cut short: {len(samples)} of {count} samples from its middle")
    except soundfile.LibsndfileError as error:
        raise ValueError(f"not a readable sound file: {error}") from None
    return samples
