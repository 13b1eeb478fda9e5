"""Where an utterance ends: the end of speech on microphone 1, with at most one second left after it."""

import numpy as np
from numpy.typing import NDArray

from .recording_plan import FRAME_SAMPLES, RATE, whole_frames

WINDOW = 441
"""Samples of 10 ms."""
RUN = 3
"""Windows in a row that make speech: clicks are shorter."""
LEAST_CONTRAST = 12.0
"""dB between quiet and loud below which nobody can tell where speech ends."""
SHARE, LEAST_ABOVE = 0.3, 6.0
"""Speech lies this share of the contrast, and at least so many dB, above the quiet of the recording."""


def levels(sound: NDArray[np.int16]) -> NDArray[np.float64]:
    """Level of each 10 ms, (samples // 441,) dB over one quantisation step."""
    whole = sound[: len(sound) // WINDOW * WINDOW].astype(np.float64).reshape(-1, WINDOW)
    return np.asarray(10 * np.log10(np.maximum(np.mean(whole**2, 1), 1.0)), np.float64)


def speech_end(sound: NDArray[np.int16], recording: NDArray[np.int16]) -> int | None:
    """Samples up to the end of the last speech in `sound`, whose quiet is judged by the whole `recording`.

    None where loud and quiet differ too little to tell.
    """
    here, around = levels(sound), levels(recording)
    if not len(here) or not len(around):
        return None
    quiet, loud = float(np.percentile(around, 10)), float(np.percentile(here, 95))
    if loud - quiet < LEAST_CONTRAST:
        return None
    above = here > quiet + max(LEAST_ABOVE, SHARE * (loud - quiet))
    runs = np.convolve(above, np.ones(RUN, np.int64), "valid") == RUN
    last = np.flatnonzero(runs)
    return int(last[-1] + RUN) * WINDOW if len(last) else None


def proposed_samples(sound: NDArray[np.int16], recording: NDArray[np.int16]) -> int | None:
    """Samples to keep of an utterance: whole video frames up to one second after its speech; None where none is found.

    An utterance that ends sooner is kept as it is.
    """
    end = speech_end(sound, recording)
    return None if end is None else min(whole_frames(end + RATE) * FRAME_SAMPLES, len(sound))


def trim(samples: int, proposed: int | None, decided: int | None) -> tuple[int, str]:
    """(samples to keep of `samples`, who says so): a person's decision stands above the proposal, "" for neither."""
    keep = proposed if decided is None else decided
    if keep is None or keep >= samples:
        return samples, "" if decided is None else "decision"
    return keep, "proposal" if decided is None else "decision"
