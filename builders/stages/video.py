"""Video files read by time, not by frame number: the frame on screen at a moment, and exactly the sound of a span.

Every seek goes to a key frame (or a sound packet) before the moment, and what lies in between is decoded and dropped,
so that nothing snaps to a key frame. Time 0 is where the file begins.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ...loaders.resample import MAX_RATE, resample

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame

PICTURE_CODECS = ("h264", "hevc", "vp8", "vp9", "av1", "libdav1d", "mpeg4")
SOUND_CODECS = ("aac", "mp3", "opus", "vorbis", "flac", "alac", "ac3", "eac3")
"""What mp4, webm and mkv files hold in practice; nothing else is decoded."""
TICK = Fraction(1, 1000)
"""Matroska counts whole milliseconds: a frame due up to so much later than a moment is on screen at it."""
LEAD_IN = Fraction(1, 5)
"""Seconds of sound decoded and dropped after a seek: a coder's first packets lean on those before (Opus asks 80 ms)."""
JITTER = Fraction(1, 200)
"""Seconds by which a sound frame's time stamp may differ from where the one before ended; more is a gap."""
MARGIN_MS, GRID_MS = 50, 40
"""Sound on both sides that the resampler may look at, and the grid on which all usual rates have whole samples."""
EVEN = ("aac", "mp3", "opus")
"""Codecs whose packets all hold equally many samples."""
ROUNDED = Fraction(1, 500)
"""Seconds by which a coarse clock may place such a packet beside its true place."""


@dataclass(frozen=True)
class VideoLimits:
    """What is refused before it is decoded."""

    pixels: int = 8_847_360
    """Of a frame: 4096x2160."""
    seconds: int = 24 * 3600
    """Stated length of a file."""
    streams: int = 16
    run: int = 20_000
    """Frames decoded to reach a moment: ten minutes at 30 frames/s without a key frame."""


@dataclass(frozen=True)
class Shot:
    """The frame on screen at a moment."""

    picture: NDArray[np.uint8]
    """(H, W, 3) uint8 RGB, upright."""
    seconds: float
    """Where the frame begins, from the file's beginning."""


@dataclass(frozen=True)
class Sound:
    """The sound of a span."""

    samples: NDArray[np.int16]
    """(samples,) one channel; shorter than the span where the track ends before it."""
    rate: int
    """Of the track, Hz."""
    channels: int
    codec: str
    missing: float
    """Seconds of the span without sound in the file: what was cut off the end, and gaps, which are silent."""


@dataclass
class _Span:
    """Samples of a span as they come in; `covered` says which are the file's own."""

    samples: NDArray[np.int16] = field(default_factory=lambda: np.zeros(0, np.int16))
    covered: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    rate: int = 1
    channels: int = 0
    mixer: Any = None

    def put(self, at: int, mono: NDArray[np.int16]) -> None:
        low, high = max(at, 0), min(at + len(mono), len(self.samples))
        if low < high:
            self.samples[low:high] = mono[low - at : high - at]
            self.covered[low:high] = True


class Video:
    """An open mp4, webm or mkv; made by `open_video`."""

    def __init__(self, container: "InputContainer", limits: VideoLimits) -> None:
        self._container, self._limits = container, limits
        self.frame_rate: Any = None
        self._packets: tuple[tuple[int, int] | None] | None = None
        self.begin = Fraction(container.start_time or 0, 1_000_000)
        self.seconds = float(container.duration or 0) / 1e6
        if self.seconds > limits.seconds:
            raise ValueError(f"video of {self.seconds:,.0f} s, expected at most {limits.seconds:,}")

    def shots(self, moments: Sequence[Fraction]) -> Iterator[Shot | None]:
        """The frame on screen at each of these ascending moments (seconds), as asked for; None beyond the last frame.

        Damaged frames are passed over. Raises ValueError without a picture track, for a codec or a size that is not
        read, and on damage.
        """
        frames, held = self._frames(moments[0]), None
        following = next(frames, None)
        for moment in moments:
            while following is not None and self._time(following) <= moment + TICK:
                held, following = following, next(frames, None)
            # After the last frame nothing is on screen, but for the time that the frame itself lasts.
            ended = following is None and held is not None and moment > self._time(held) + self._lasts(held)
            shown = (held if held is not None else following) if not ended else None
            yield None if shown is None else Shot(_upright(shown), float(self._time(shown)))

    def sampled(self, step: Fraction) -> Iterator[Shot]:
        """About one frame in `step` seconds, at least decoding: frames that no other leans on are skipped.

        For every multiple of `step` the last such frame at or before it, else the key frame right after it; none twice.
        What lies before the next key frame is jumped over where the file has an index. Raises what `shots` raises.
        """
        track = self._picture_track()
        track.codec_context.skip_frame = "NONREF"
        frames = _Ahead(self, track)
        moment, last = Fraction(0), Fraction(-1)
        try:
            while (shown := frames.shown(moment)) is not None:
                if self._time(shown) > last:
                    last = self._time(shown)
                    yield Shot(_upright(shown), float(last))
                if frames.ended:
                    return
                moment += step
        finally:
            track.codec_context.skip_frame = "DEFAULT"

    def sound(self, start_ms: int, end_ms: int, rate: int, silent: bool = False) -> Sound:
        """The span [start, end) as one channel at `rate`, mixed down, 16 bit; sample 0 lies at `start_ms`.

        A span has (end - start) * rate / 1000 samples. Raises ValueError without a sound track, for a codec that is not
        read, on damage, and for a span without any sound, unless `silent` ones are taken (then no sample comes).
        """
        track: Any = self._container.streams.best("audio")
        if track is None:
            raise ValueError("file without a sound track")
        codec = track.codec_context.name if track.codec_context else "an unknown codec"
        if codec not in SOUND_CODECS:
            raise ValueError(f"sound track of {codec}, expected one of {', '.join(SOUND_CODECS)}")
        first = max(0, start_ms - MARGIN_MS) // GRID_MS * GRID_MS
        span = self._span(track, Fraction(first, 1000), Fraction(end_ms + MARGIN_MS, 1000))
        changed = resample(span.samples, span.rate, rate)
        skipped, wanted = (start_ms - first) * rate // 1000, (end_ms - start_ms) * rate // 1000
        own = slice((start_ms - first) * span.rate // 1000, (end_ms - first) * span.rate // 1000)
        covered = np.flatnonzero(span.covered[own])
        if not len(covered) and not silent:
            raise ValueError(f"no sound from {start_ms / 1000:.3f} to {end_ms / 1000:.3f} s")
        present = min(wanted, -(-int(covered[-1] + 1) * rate // span.rate)) if len(covered) else 0
        missing = (end_ms - start_ms) / 1000 - len(covered) / span.rate
        return Sound(changed[skipped : skipped + present], span.rate, span.channels, codec, max(0.0, round(missing, 4)))

    def _seek(self, track: Any, moment: Fraction) -> None:
        self._container.seek(int((moment + self.begin) / track.time_base), stream=track)

    def _time(self, frame: Any) -> Fraction:
        return Fraction(frame.pts) * Fraction(frame.time_base) - self.begin

    def _lasts(self, frame: Any) -> Fraction:
        stated = Fraction(frame.duration or 0) * Fraction(frame.time_base)
        return stated or 1 / Fraction(self.frame_rate or 25)

    def _picture_track(self) -> Any:
        """The track of pictures, ready to decode. Raises ValueError where there is none that is read."""
        track: Any = self._container.streams.best("video")
        if track is None:
            raise ValueError("file without a picture track")
        self.frame_rate = track.average_rate
        context = track.codec_context
        name = context.name if context else "an unknown codec"
        if name not in PICTURE_CODECS:
            raise ValueError(f"picture track of {name}, expected one of {', '.join(PICTURE_CODECS)}")
        if not 0 < context.width * context.height <= self._limits.pixels:
            raise ValueError(f"frames of {context.width}x{context.height}, expected at most {self._limits.pixels:,} px")
        if not context.is_open:
            context.thread_type = "NONE"
            context.options = {"max_pixels": str(self._limits.pixels)}
        return track

    def _frames(self, moment: Fraction) -> Iterator["VideoFrame"]:
        """Whole frames in order, from one that is on screen at the moment or before it, if there is any."""
        track = self._picture_track()
        back = Fraction(0)
        while True:
            target = max(Fraction(0), moment - back)
            self._seek(track, target)
            frames = self._decoded(track, moment)
            first = next(frames, None)
            if first is None or target == 0 or self._time(first) <= moment + TICK:
                break
            # Key frames are found by decoding time, which may lie before the time at which they are shown.
            back = 2 * back + 1
        if first is not None:
            yield first
            yield from frames

    def _decoded(self, track: Any, moment: Fraction) -> Iterator["VideoFrame"]:
        behind = 0
        for frame in self._container.decode(track):
            if frame.pts is None or frame.is_corrupt:
                continue
            behind += self._time(frame) < moment
            if behind > self._limits.run:
                raise ValueError(f"no key frame in the {behind:,} frames before {float(moment):.1f} s")
            yield frame

    def _span(self, track: Any, begin: Fraction, end: Fraction) -> "_Span":
        """The track's own samples from `begin` on, as far as there are any."""
        import av

        # Asked for once, before anything else is decoded: a decoder drops its padding only the first time.
        if self._packets is None:
            self._packets = (self._grid(track),)
        span = _Span()
        following: int | None = None
        for frame in self._heard(track, begin):
            if span.mixer is None:
                span.rate, span.channels = frame.sample_rate, frame.layout.nb_channels
                if not 0 < span.rate <= MAX_RATE:
                    raise ValueError(f"sound at {span.rate:,} Hz, expected at most {MAX_RATE:,}")
                span.mixer = av.AudioResampler(format="s16", layout="mono", rate=span.rate)
                span.samples = np.zeros(int((end - begin) * span.rate), np.int16)
                span.covered = np.zeros(len(span.samples), np.bool_)
            if (frame.sample_rate, frame.layout.nb_channels) != (span.rate, span.channels):
                raise ValueError("sound that changes its rate or channels on the way")
            at = round(self._time(frame) * span.rate)
            if following is None or abs(at - following) > JITTER * span.rate:
                following = _snapped(at, self._packets[0], span.rate)
            if following >= end * span.rate:
                break
            for part in span.mixer.resample(frame):
                mono = np.asarray(part.to_ndarray()[0], np.int16)
                span.put(following - int(begin * span.rate), mono)
                following += len(mono)
        return span

    def _grid(self, track: Any) -> tuple[int, int] | None:
        """(where the second packet's samples begin, samples of a packet) where the clock is too coarse to tell."""
        if Fraction(track.time_base) < Fraction(1, 8_000) or track.codec_context.name not in EVEN:
            return None
        self._seek(track, Fraction(0))
        both = [frame for frame, _ in zip(self._container.decode(track), range(2), strict=False)]
        if len(both) < 2 or both[0].pts is None:
            return None
        return round(self._time(both[0]) * both[0].sample_rate) + both[0].samples, both[1].samples

    def _heard(self, track: Any, begin: Fraction) -> Iterator[Any]:
        """Decoded sound frames, from at least LEAD_IN before the moment where there is so much."""
        back = LEAD_IN
        while True:
            target = max(Fraction(0), begin - back)
            self._seek(track, target)
            frames = (frame for frame in self._container.decode(track) if frame.pts is not None)
            first = next(frames, None)
            if first is None or target == 0 or self._time(first) <= begin - LEAD_IN / 2:
                break
            back = 2 * back + 1
        if first is not None:
            yield first
            yield from frames


class _Ahead:
    """Frames of ever later moments, with jumps over what lies before a key frame that the file's index names."""

    def __init__(self, video: Video, track: Any) -> None:
        self._video, self._track = video, track
        video._seek(track, Fraction(0))
        # Matroska's index is there only after a seek.
        self._keys = [entry.timestamp for entry in getattr(track, "index_entries", ()) if entry.is_keyframe]
        self._frames = video._decoded(track, Fraction(0))
        self._held: VideoFrame | None = None
        self._following: VideoFrame | None = None
        self._begun = self.ended = False

    def shown(self, moment: Fraction) -> "VideoFrame | None":
        """The last decoded frame at or before the moment, or the first one behind a jump; None: no frame at all."""
        video = self._video
        near = bisect_right(self._keys, int((moment + video.begin) / self._track.time_base)) - 1
        position = -1 if self._following is None else self._following.pts
        if self._begun and near >= 0 and self._keys[near] > position:
            video._seek(self._track, moment)
            self._frames, self._begun = video._decoded(self._track, moment), False
        if not self._begun:
            self._held, self._following, self._begun = None, next(self._frames, None), True
        while self._following is not None and video._time(self._following) <= moment + TICK:
            self._held, self._following = self._following, next(self._frames, None)
        self.ended = self._following is None
        return self._held if self._held is not None else self._following


@contextmanager
def open_video(file: BinaryIO, limits: VideoLimits | None = None) -> Iterator[Video]:
    """A video to read from. What it is, its first bytes say, not its name.

    Raises ValueError, also while it is read from, for anything but a whole mp4, webm or mkv within `limits`, and
    ImportError without PyAV.
    """
    try:
        import av
    except ImportError:
        raise ImportError("video: PyAV is missing; pip install 'facevox[build]'") from None
    limits = limits or VideoLimits()
    try:
        with av.open(file, "r", format=_container(file), metadata_errors="replace") as opened:
            if len(opened.streams) > limits.streams:
                raise ValueError(f"{len(opened.streams)} tracks, expected at most {limits.streams}")
            yield Video(opened, limits)
    except (av.FFmpegError, EOFError) as error:
        raise ValueError(f"not a readable video: {getattr(error, 'strerror', '') or error}") from None


def _container(file: BinaryIO) -> str:
    head = file.read(12)
    file.seek(0)
    if head[4:8] == b"ftyp":
        return "mp4"
    if head[:4] == b"\x1a\x45\xdf\xa3":
        return "matroska"
    raise ValueError(f"not an mp4, webm or mkv: begins with {head!r}" if head else "video file of 0 bytes")


def _snapped(at: int, grid: tuple[int, int] | None, rate: int) -> int:
    """A sample number on the grid of whole packets, if it lies as near to it as rounded times do."""
    if grid is None:
        return at
    start, step = grid
    near = start + round((at - start) / step) * step
    return near if abs(near - at) <= ROUNDED * rate else at


def _upright(frame: "VideoFrame") -> NDArray[np.uint8]:
    """A frame as RGB, turned as the file says."""
    picture = frame.to_ndarray(format="rgb24")
    turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(picture, turns) if turns else picture)
