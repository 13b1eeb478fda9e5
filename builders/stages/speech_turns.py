"""Where a turn of the target begins and ends: Algorithm 1 finds its windows, pauses and single steps place its edges.

A window of three seconds with half a second of silence or of somebody else in it still scores high. So the algorithm
runs on stretches of voice between pauses, never across one that may part two speakers, and the edges of what it finds
are moved until the three seconds at them are of the target alone.
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ...models.core.voice_frames import FRAME, HOP, voice_frames
from ...models.core.voice_vector import LEAST_LEVEL, VOICED
from .target_speech import WindowOptions, find_windows

Span = tuple[int, int]
"""[start, end) in milliseconds."""
Score = Callable[[int, int], float]
"""Of a span: its cosine to the target."""
FRAME_MS, FRAMES_AT_ONCE = 10, 1000
PAUSE_MS = 250
"""Without voice, from which on two stretches are told apart."""
BELOW_LOUD, BELOW_OWN = 30.0, 25.0
"""dB that a voiced frame may lie below the loud ones (95th percentile) of the track, and at the edges of a stretch of
those of the stretch: an echo dies away through these levels in a few hundredths of a second."""
JOINED_MS, BRIDGED_MS = 450, 1000
"""Longest pause inside a turn, and between stretches one of which is too short for a window of its own: people pause
so long inside a sentence (0.6 s and more between two speakers)."""
LEAST_MS, SHORT_MS = 60, 1000
"""Shortest stretch that has a score at all; one below a second has a rough one."""
SHORTER, SHORTEST = 0.75, 0.5
"""Share of the threshold that stretches shorter than s_min, and than SHORT_MS, must exceed to be joined to a turn: of
real voices (LibriSpeech), 1 to 3 s of the target score 0.66 or more, of others 0.27 or less, at a threshold of 0.6."""
STEP_MS = 100
"""By which edges move."""


def voiced_levels(read: Callable[[int, int], NDArray[np.int16]], samples: int) -> NDArray[np.float32]:
    """(N,) dB of full scale of each 10 ms of a track read piece by piece; -inf where it is not voiced."""
    count = max(0, (samples - FRAME) // HOP + 1)
    levels = np.full(count, -np.inf, np.float32)
    for first in range(0, count, FRAMES_AT_ONCE):
        last = min(first + FRAMES_AT_ONCE, count) - 1
        frames = voice_frames(read(first * HOP, last * HOP + FRAME))
        voiced = (frames.periodic > VOICED) & (frames.level > LEAST_LEVEL)
        levels[first : last + 1][voiced] = frames.level[voiced]
    return levels


def stretches(voiced: NDArray[np.float32], length: int) -> list[Span]:
    """Stretches of voice in a track of `length` ms, in order and apart, from its `voiced_levels`."""
    loud = np.isfinite(voiced)
    if not loud.any():
        return []
    loud &= voiced > np.percentile(voiced[loud], 95) - BELOW_LOUD
    at = np.flatnonzero(loud)
    breaks = np.flatnonzero(np.diff(at) > PAUSE_MS // FRAME_MS)
    spans = []
    for first, last in zip([0, *(breaks + 1)], [*breaks, len(at) - 1], strict=True):
        own = at[first : last + 1]
        levels = voiced[own]
        own = own[levels > np.percentile(levels, 95) - BELOW_OWN]
        # A frame of 40 ms is voiced by what lies in its middle; at the end of a stretch that is already echo.
        spans.append((max(0, int(own[0]) * FRAME_MS - FRAME_MS), min(length, int(own[-1] + 2) * FRAME_MS)))
    return [(start, end) for start, end in spans if end - start >= LEAST_MS]


def turns(spans: Sequence[Span], score: Score, options: WindowOptions) -> list[Span]:
    """Stretches joined over pauses where both sides are the target's; those that hold no window of s_min are left out.

    A long stretch that is not of the target as a whole stays by itself: the speaker may change in it without a pause.
    """
    least = round(options.s_min * 1000)
    found: list[Span] = []
    joinable = False
    before = 0
    for start, end in spans:
        length = end - start
        share = 1.0 if length >= least else SHORTER if length >= SHORT_MS else SHORTEST
        alike = score(start, end) > share * options.threshold
        pause = BRIDGED_MS if min(length, before) < least else JOINED_MS
        if alike and joinable and start - found[-1][1] <= pause:
            found[-1] = (found[-1][0], end)
        elif alike or length >= least:
            found.append((start, end))
        joinable, before = alike, length
    return [(start, end) for start, end in found if end - start >= least]


def windows_of_turn(turn: Span, track: Score, score: Score, options: WindowOptions) -> list[Span]:
    """What of a turn is kept: windows of s_min to s_max, in order, none overlapping.

    `track` scores windows in the order of Algorithm 1, `score` any.
    """
    begin, end = turn

    def at(start: float, stop: float) -> float:
        return track(begin + round(start * 1000), begin + round(stop * 1000))

    found = find_windows(at, (end - begin) / 1000, options)
    runs: list[list[int]] = []
    for window in found:
        start, stop = begin + round(window.start * 1000), begin + round(window.end * 1000)
        if runs and runs[-1][-1] == start:
            runs[-1].append(stop)
        else:
            runs.append([start, stop])
    kept: list[Span] = []
    for number, run in enumerate(runs):
        low = kept[-1][1] if kept else begin
        high = runs[number + 1][0] if number + 1 < len(runs) else end
        first = _edge(run[0], (low, run[-1]), 1, score, options)
        last = _edge(run[-1], (first, high), -1, score, options)
        kept += _cut([first, *run[1:-1], last], options)
    return kept


def _edge(edge: int, within: Span, inwards: int, score: Score, options: WindowOptions) -> int:
    """A start (`inwards` 1) or an end (-1) moved: out while the s_min inside it pass, up to the limit of `within`, else
    back in while they become strictly more like the target."""
    least = round(options.s_min * 1000)
    limit, other = within if inwards > 0 else within[::-1]

    def inside(at: int) -> float:
        return score(at, at + least) if inwards > 0 else score(at - least, at)

    while abs(limit - edge) >= STEP_MS and inside(edge - inwards * STEP_MS) > options.threshold:
        edge -= inwards * STEP_MS
    if abs(limit - edge) < STEP_MS and inside(limit) > options.threshold:
        return limit
    own = inside(edge)
    while abs(other - edge) >= least + STEP_MS and (next_one := inside(edge + inwards * STEP_MS)) > own:
        edge, own = edge + inwards * STEP_MS, next_one
    return edge


def _cut(bounds: Sequence[int], options: WindowOptions) -> list[Span]:
    """A run between moved edges cut where the algorithm ended its windows, as far as all parts stay long enough."""
    least, most = round(options.s_min * 1000), round(options.s_max * 1000)
    if bounds[-1] - bounds[0] < least:
        return []
    kept = [bounds[0]]
    for bound in bounds[1:-1]:
        if bound - kept[-1] >= least and bounds[-1] - bound >= least:
            kept.append(bound)
    spans: list[Span] = []
    for start, end in zip(kept, [*kept[1:], bounds[-1]], strict=True):
        parts = max(1, math.ceil((end - start) / most))
        if end - start < parts * least:
            parts, end = parts - 1, start + (parts - 1) * most
        edges = [start + round(number * (end - start) / parts) for number in range(parts + 1)]
        spans += pairwise(edges)
    return spans
