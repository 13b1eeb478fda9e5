"""From the frames of a window to one unit vector of its voice."""

import numpy as np
from numpy.typing import NDArray

from .speaker_space import shipped
from .voice_frames import CEPSTRA, VoiceFrames

VOICED, LEAST_LEVEL = 0.45, -60.0
"""Periodicity and dB of full scale from which a frame counts as voiced."""
LEAST_FRAMES = 20
"""Voiced frames without which nothing can be said about a voice."""
PAUSE, EDGE_PAUSE = 0.6, 0.5
"""Seconds without a voiced frame that speech has between words, and at a window's ends."""
LEAST_VOICED, ENOUGH_VOICED = 0.1, 0.25
"""Shares of voiced frames: up to the first a window is no speech at all, from the second it is speech throughout."""
MEASURES = 3 * CEPSTRA + 3
RATIO_SHARE = 0.15
"""Of a cosine; the rest is the shipped space's."""
DIMENSION = MEASURES + CEPSTRA + 1


def voice_vector(frames: VoiceFrames) -> NDArray[np.float32]:
    """A window's frames -> (DIMENSION,) float32 unit vector.

    Its first numbers say where the voice lies in the shipped space (speaker_space.py), the next are the cepstra's means
    in units of their deviations, made unit vectors and weighted by RATIO_SHARE. The last number says how little speech
    there is, 0..1, and the others are together sqrt(1 - that ** 2) long. So a cosine between a voice and silence or
    noise is near 0, and one between two voices is the weighted mean of the two cosines.
    """
    voiced = voiced_frames(frames)
    share = spoken_share(voiced)
    vector = np.zeros(DIMENSION)
    if share:
        mean, directions = shipped()
        measures = voice_measures(frames, voiced)
        # What speech is like is the same for all voices: measured as it is, it would hide what sets one apart.
        place = directions @ (measures - mean)
        # A channel adds the same to all frames, and moves this ratio little where a voice varies much.
        ratio = measures[:CEPSTRA] / np.exp(measures[CEPSTRA : 2 * CEPSTRA])
        vector[:MEASURES] = share * np.sqrt(1 - RATIO_SHARE) * place / (np.linalg.norm(place) + 1e-9)
        vector[MEASURES:-1] = share * np.sqrt(RATIO_SHARE) * ratio / (np.linalg.norm(ratio) + 1e-9)
    vector[-1] = np.sqrt(1 - share**2)
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


def voiced_frames(frames: VoiceFrames) -> NDArray[np.bool_]:
    return np.asarray((frames.periodic > VOICED) & (frames.level > LEAST_LEVEL))


def voice_measures(frames: VoiceFrames, voiced: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(MEASURES,): means and log deviations of the voiced frames' cepstra, log deviations of their slopes, and the
    median and the inner and outer spread of log2 of the pitch."""
    cepstrum = frames.cepstrum[voiced]
    # Slope of a straight line through five frames, per frame (Furui 1981).
    whole = frames.cepstrum
    slope = (2 * (whole[4:] - whole[:-4]) + whole[3:-1] - whole[1:-3])[voiced[2:-2]] / 10
    low, lower, middle, upper, high = np.percentile(np.log2(frames.pitch[voiced]), (10, 25, 50, 75, 90))
    pitch = [middle, np.log(upper - lower + 0.02), np.log(high - low + 0.02)]
    spreads = [
        np.log(part.std(0) + 1e-3) if len(part) else np.full(CEPSTRA, np.log(1e-3)) for part in (cepstrum, slope)
    ]
    return np.concatenate([cepstrum.mean(0), *spreads, pitch])


def spoken_share(voiced: NDArray[np.bool_]) -> float:
    """(N,) whether each 10 ms is voiced -> how far the window is speech throughout, 0..1.

    0 where hardly anything is voiced; less the longer its pauses are beyond those of running speech, and at the ends.
    """
    count = int(voiced.sum())
    if count < LEAST_FRAMES or count <= LEAST_VOICED * len(voiced):
        return 0.0
    at = np.flatnonzero(voiced)
    pauses = np.diff(at) / 100 - PAUSE
    beyond = pauses[pauses > 0].sum()
    for edge in (at[0], len(voiced) - 1 - at[-1]):
        beyond += max(0.0, edge / 100 - EDGE_PAUSE)
    paused = min(1.0, 2 * beyond / (len(voiced) / 100))
    return float(min(1.0, (count / len(voiced) - LEAST_VOICED) / (ENOUGH_VOICED - LEAST_VOICED)) * (1 - paused))
