"""Algorithm 1 of the VFMR benchmark: the windows of a sound track in which the target speaks."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

Score = Callable[[float, float], float]
"""(start, end) in seconds of the track -> how like the target's voice that window is."""


@dataclass(frozen=True)
class WindowOptions:
    """Lengths in seconds, kept to whole milliseconds; the paper gives no values (section "Data collection").

    `threshold` is what a window's score must exceed. `strict_paper` follows the algorithm as it is printed.
    """

    s_min: float = 3.0
    s_step: float = 0.5
    s_max: float = 10.0
    threshold: float = 0.6
    strict_paper: bool = False

    def __post_init__(self) -> None:
        lengths = (self.s_min, self.s_step, self.s_max)
        # Comparisons with NaN are false, so that NaN is refused too.
        if not (0.001 <= self.s_step < float("inf") and 0.001 <= self.s_min <= self.s_max < float("inf")):
            raise ValueError(f"windows of {lengths} s: expected s_step of 0.001 or more and 0.001 <= s_min <= s_max")
        if any(abs(round(length * 1000) - length * 1000) > 1e-6 for length in lengths):
            raise ValueError(f"windows of {lengths} s: expected whole milliseconds")
        if self.threshold != self.threshold:
            raise ValueError("threshold: expected a number, found NaN")


@dataclass(frozen=True)
class Window:
    """A window of a track, in seconds, and its score."""

    start: float
    end: float
    score: float


def find_windows(score: Score, length: float, options: WindowOptions | None = None) -> Iterator[Window]:
    """The windows of a track of `length` seconds whose score exceeds the threshold, in order, none overlapping.

    From `s_min` on a window grows by `s_step` while that makes its score strictly better, up to `s_max`. A window at
    or below the threshold moves on by `s_step`, so that no beginning of speech is cut, and nothing of it is recorded.
    The last window may end where the track ends; what is left after it, shorter than `s_min`, belongs to none. Each
    window is scored once: about length / s_step calls, none before the windows so far have been taken, and never one
    that starts before the last or ends after the track. A score that is not a number counts as below.

    As printed in the paper (`strict_paper`) every window is recorded whatever its score, the next one starts at its
    end, growth has no limit, and the window that reaches the track's end is lost.
    """
    chosen = options or WindowOptions()
    return (_as_printed if chosen.strict_paper else _as_intended)(score, int(length * 1000 + 1e-6), chosen)


def _milliseconds(options: WindowOptions) -> tuple[int, int, int]:
    """Whole numbers, since sums of tenths of a second would drift."""
    return round(options.s_min * 1000), round(options.s_step * 1000), round(options.s_max * 1000)


def _as_intended(score: Score, length: int, options: WindowOptions) -> Iterator[Window]:
    least, step, most = _milliseconds(options)
    start = 0
    while start + least <= length:
        end = start + least
        best = score(start / 1000, end / 1000)
        if not best > options.threshold:
            start += step
            continue
        while end + step <= min(length, start + most):
            grown = score(start / 1000, (end + step) / 1000)
            if not grown > best:
                break
            end, best = end + step, grown
        yield Window(start / 1000, end / 1000, best)
        start = end


def _as_printed(score: Score, length: int, options: WindowOptions) -> Iterator[Window]:
    least, step, _ = _milliseconds(options)
    start, end = 0, least
    while end < length:
        found = score(start / 1000, end / 1000)
        # Beyond the track there is nothing to score: a window that would reach so far ends with the track.
        if found > options.threshold and score(start / 1000, min(end + step, length) / 1000) > found:
            end += step
        else:
            yield Window(start / 1000, end / 1000, found)
            start, end = end, end + least
