"""The voice windows of one video: Algorithm 1 in each turn of speech, and what lies between them, with reasons."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ...models.core.speaker import SpeakerEmbedder
from .collection_options import CollectOptions
from .collection_sound import RATE, TrackSound
from .speech_turns import Span, stretches, turns, voiced_levels, windows_of_turn
from .target_speech import WindowOptions, find_windows

UNLIKE, SHORT, NO_SPEECH = "cosine not above tau_voice", "speech shorter than s_min", "no voice"
NEARER = "as near to another speaker's ground truth"
CLEARLY = 0.02
"""By which a window's cosine to the target must exceed that to every other speaker: on forged voices chosen on one
release (seed 0), where a stranger came that near; 0.05 cost true speech."""


@dataclass(frozen=True)
class VoiceCandidate:
    """A window of a track, [start, end) in milliseconds; `reason` says why it is left out, "" for a kept one."""

    start_ms: int
    end_ms: int
    score: float
    """Cosine to the speaker's ground truth; NaN for what holds no window of s_min."""
    reason: str = ""


@dataclass
class Heard:
    """What was asked about a track and a target before: stretches of voice (None: not yet), and cosines of spans."""

    voice: list[Span] | None = None
    scores: dict[Span, float] = field(default_factory=dict)
    others: dict[Span, float] = field(default_factory=dict)
    """Of a span: its highest cosine to another speaker."""


class VoiceFinder:
    """Finds the target's windows in one track. `target` (D,) is the speaker's mean vector."""

    def __init__(
        self,
        options: CollectOptions,
        sound: TrackSound,
        embed: SpeakerEmbedder,
        target: NDArray[np.float32],
        tau: float,
        cohort: NDArray[np.float32],
        heard: Heard | None = None,
    ) -> None:
        """`cohort` (n, D) are mean vectors of other speakers, none as near to a kept window as the target, or empty;
        `heard` serves several thresholds of the same track, target and cohort."""
        self._heard = heard or Heard()
        self._options, self._sound, self._embed, self._target, self._tau = options, sound, embed, target, tau
        self._cohort = cohort
        self._windows = WindowOptions(options.s_min, options.s_step, options.s_max, tau, options.strict_paper)
        self._track = embed.track(sound.read, sound.samples)

    def run(self) -> list[VoiceCandidate]:
        """Every part of the track once, in order: kept windows, and the rest with reasons."""
        return self._with_rest(self.windows(), self._length, self._voice())

    def windows(self) -> list[VoiceCandidate]:
        """The windows alone, kept or (as printed in the paper) not, in order."""
        found = self._as_printed(self._length) if self._options.strict_paper else self._as_intended(self._voice())
        return [self._judged(span) for span in found]

    @property
    def _length(self) -> int:
        return self._sound.samples * 1000 // RATE

    def _voice(self) -> list[Span]:
        if self._heard.voice is None:
            levels = voiced_levels(self._sound.read, self._sound.samples)
            self._heard.voice = stretches(levels, self._length)
        return self._heard.voice

    def _as_intended(self, voice: Sequence[Span]) -> list[Span]:
        found = []
        for turn in turns(voice, self._score, self._windows):
            found += windows_of_turn(turn, self._track_score, self._score, self._windows)
        return found

    def _as_printed(self, length: int) -> list[Span]:
        def score(start: float, end: float) -> float:
            return self._track_score(round(start * 1000), round(end * 1000))

        return [(round(w.start * 1000), round(w.end * 1000)) for w in find_windows(score, length / 1000, self._windows)]

    def _score(self, start: int, end: int) -> float:
        known = self._heard.scores
        if (start, end) not in known:
            known[start, end] = float(self._vector(start, end) @ self._target)
        return known[start, end]

    def _track_score(self, start: int, end: int) -> float:
        known = self._heard.scores
        if (start, end) not in known:
            known[start, end] = float(self._track(start * RATE // 1000, end * RATE // 1000) @ self._target)
        return known[start, end]

    def _judged(self, span: Span) -> VoiceCandidate:
        score = self._score(*span)
        reason = "" if score > self._tau else UNLIKE
        return VoiceCandidate(*span, score, reason or (NEARER if self._nearest_other(span) > score - CLEARLY else ""))

    def _nearest_other(self, span: Span) -> float:
        if not len(self._cohort):
            return -2.0
        known = self._heard.others
        if span not in known:
            known[span] = float((self._cohort @ self._vector(*span)).max())
        return known[span]

    def _vector(self, start: int, end: int) -> NDArray[np.float32]:
        vector: NDArray[np.float32] = self._embed([self._sound.read(start * RATE // 1000, end * RATE // 1000)])[0]
        return vector

    def _with_rest(self, found: Sequence[VoiceCandidate], length: int, voice: Sequence[Span]) -> list[VoiceCandidate]:
        """The windows with what lies between them in pieces of s_min, the last of a gap maybe shorter."""
        least, at = round(self._options.s_min * 1000), 0
        whole = []
        for window in [*found, VoiceCandidate(length, length, 0.0)]:
            while at < window.start_ms:
                end = min(at + least, window.start_ms)
                spoken = sum(max(0, min(end, stop) - max(at, start)) for start, stop in voice)
                if not spoken:
                    whole.append(VoiceCandidate(at, end, float("nan"), NO_SPEECH))
                elif end - at < least:
                    whole.append(VoiceCandidate(at, end, float("nan"), SHORT))
                else:
                    whole.append(VoiceCandidate(at, end, self._score(at, end), UNLIKE))
                at = end
            if window.end_ms > window.start_ms:
                whole.append(window)
                at = window.end_ms
        return whole
