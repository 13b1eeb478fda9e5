"""From the frames of a window to one unit vector of its voice."""

import numpy as np
from numpy.typing import NDArray

from .voice_frames import CEPSTRA, PITCH, VoiceFrames

VOICED, LEAST_LEVEL = 0.45, -60.0
"""Periodicity and dB of full scale from which a frame counts as voiced."""
PITCH_BINS, PITCH_BLUR = 64, 3.0
"""Bins of the pitch histogram over its range in octaves, and the deviation in bins of what it is blurred with."""
PITCH_SHARE = 0.3
"""The pitch's share of a cosine; the spectrum has the rest."""
PAUSE, EDGE_PAUSE = 0.6, 0.5
"""Seconds without a voiced frame that speech has between words, and at a window's ends."""
LEAST_VOICED, ENOUGH_VOICED = 0.1, 0.25
"""Shares of voiced frames: up to the first a window is no speech at all, from the second it is speech throughout."""
DIMENSION = CEPSTRA + PITCH_BINS + 1


def voice_vector(frames: VoiceFrames) -> NDArray[np.float32]:
    """A window's frames -> (DIMENSION,) float32 unit vector.

    The last number says how little speech there is, 0..1; the others, of length sqrt(1 - that ** 2), what its voice is
    like. So a cosine between a voice and silence or noise is near 0, and one between two voices is the cosine of what
    they are like.
    """
    voiced = (frames.periodic > VOICED) & (frames.level > LEAST_LEVEL)
    share = spoken_share(voiced)
    vector = np.zeros(DIMENSION)
    vector[-1] = np.sqrt(1 - share**2)
    if share:
        cepstrum = frames.cepstrum[voiced]
        # A mean in units of its deviation: what a channel does to all frames alike weighs less where a voice varies.
        spectrum = cepstrum.mean(0) / (cepstrum.std(0) + 1e-3)
        pitch = pitch_histogram(frames.pitch[voiced])
        vector[:CEPSTRA] = share * np.sqrt(1 - PITCH_SHARE) * spectrum / (np.linalg.norm(spectrum) + 1e-9)
        vector[CEPSTRA:-1] = share * np.sqrt(PITCH_SHARE) * pitch
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


def pitch_histogram(pitch: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) Hz -> (PITCH_BINS,) of length 1: roots of shares, so that a product is Bhattacharyya's coefficient."""
    low, high = np.log2(PITCH)
    place = ((np.log2(pitch) - low) / (high - low) * PITCH_BINS).astype(int)
    counted = np.bincount(np.clip(place, 0, PITCH_BINS - 1), minlength=PITCH_BINS)
    reach = np.arange(-3 * int(PITCH_BLUR), 3 * int(PITCH_BLUR) + 1)
    blurred = np.convolve(counted, np.exp(-0.5 * (reach / PITCH_BLUR) ** 2), "same")
    return np.asarray(np.sqrt(blurred / blurred.sum()))


def spoken_share(voiced: NDArray[np.bool_]) -> float:
    """(N,) whether each 10 ms is voiced -> how far the window is speech throughout, 0..1.

    0 where hardly anything is voiced; less the longer its pauses are beyond those of running speech, and at the ends.
    """
    count = int(voiced.sum())
    if not count or count <= LEAST_VOICED * len(voiced):
        return 0.0
    at = np.flatnonzero(voiced)
    pauses = np.diff(at) / 100 - PAUSE
    beyond = pauses[pauses > 0].sum()
    for edge in (at[0], len(voiced) - 1 - at[-1]):
        beyond += max(0.0, edge / 100 - EDGE_PAUSE)
    paused = min(1.0, 2 * beyond / (len(voiced) / 100))
    return float(min(1.0, (count / len(voiced) - LEAST_VOICED) / (ENOUGH_VOICED - LEAST_VOICED)) * (1 - paused))
