"""The voice windows of one video: Algorithm 1 on its scores, and what lies between the windows, with reasons."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...models.core.speaker import SpeakerEmbedder
from .collection_options import CollectOptions
from .collection_sound import RATE, TrackSound
from .target_speech import WindowOptions, find_windows

UNLIKE, SHORT = "cosine not above tau_voice", "shorter than s_min"


@dataclass(frozen=True)
class VoiceCandidate:
    """A window of a track, [start, end) in milliseconds; `reason` says why it is left out, "" for a kept one."""

    start_ms: int
    end_ms: int
    score: float
    """Cosine to the speaker's ground truth; NaN for what is too short to have one."""
    reason: str = ""


def find_voices(
    options: CollectOptions,
    sound: TrackSound,
    embed: SpeakerEmbedder,
    target: NDArray[np.float32],
    scored: NDArray[np.float32],
    tau: float,
) -> list[VoiceCandidate]:
    """Every part of a track once, in order: the windows of Algorithm 1, and the rest in pieces of s_min.

    `scored` are the cosines of the windows of s_min at every s_step (Scores.voices), `target` the speaker's mean.
    """
    track = embed.track(sound.read, sound.samples)
    step, least = round(options.s_step * 1000), round(options.s_min * 1000)

    def score(start: float, end: float) -> float:
        first, last = round(start * 1000), round(end * 1000)
        number, off = divmod(first, step)
        if last - first == least and not off and number < len(scored):
            return float(scored[number])
        return float(track(first * RATE // 1000, last * RATE // 1000) @ target)

    windows = WindowOptions(options.s_min, options.s_step, options.s_max, tau, options.strict_paper)
    length = sound.samples / RATE
    found = []
    for window in find_windows(score, length, windows):
        own = VoiceCandidate(round(window.start * 1000), round(window.end * 1000), window.score)
        found.append(own if own.score > tau else VoiceCandidate(own.start_ms, own.end_ms, own.score, UNLIKE))
    return _with_rest(found, int(length * 1000), scored, options)


def _with_rest(
    found: Sequence[VoiceCandidate], length: int, scored: NDArray[np.float32], options: CollectOptions
) -> list[VoiceCandidate]:
    """The windows with what lies between them, cut into pieces of s_min; the last piece of a gap may be shorter."""
    step, least = round(options.s_step * 1000), round(options.s_min * 1000)
    whole, at = [], 0
    for window in [*found, VoiceCandidate(length, length, 0.0)]:
        while at < window.start_ms:
            end = min(at + least, window.start_ms)
            number, off = divmod(at, step)
            known = end - at == least and not off and number < len(scored)
            score = float(scored[number]) if known else float("nan")
            whole.append(VoiceCandidate(at, end, score, UNLIKE if known else SHORT))
            at = end
        if window.end_ms > window.start_ms:
            whole.append(window)
            at = window.end_ms
    return whole
