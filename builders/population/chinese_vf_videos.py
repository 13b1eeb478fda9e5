"""What forged videos for Chinese_VF hold: who is heard when, who is seen when, and how each was filmed and recorded."""

from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache

import numpy as np

from .chinese_vf_people import Speaker, cast
from .people import Person

SIZES: dict[str, tuple[tuple[int, int], ...]] = {
    "small": ((480, 320), (480, 270), (426, 320)),
    "full": ((1280, 720), (960, 540), (720, 576)),
}
"""Width and height of frames, in turn."""
RATES = (Fraction(25), Fraction(30_000, 1001))
ODD = {
    "webm": "",
    "somebody else": "nobody of the target",
    "no sound track": "no sound",
    "cut off": "not readable",
    "codec not read": "codec",
    "empty file": "not readable",
}
"""What is odd about a video, and why nothing of it can be collected; "" where it can."""
ODD_SECONDS, UNREAD_SECONDS = 10.0, 5.0
"""Length of odd videos, and of those that cannot be read at all."""
LEAST_PERIOD_MS = 10_000
"""Of a marked period (Chinese_VF, step 2)."""
_STEMS = ("lecture-{:02}", "Talk {}", "interview_{}", "Vortrag {} (Köln)", "公开课{:02}")
Random = np.random.Generator


@dataclass(frozen=True)
class ForgeOptions:
    """What to forge; the same options give the same bytes."""

    speakers: int = field(default=5, metadata={"help": "people with a folder of videos, women and men in turn"})
    videos: int = field(default=2, metadata={"help": "videos of each, without anything odd"})
    seconds: float = field(default=40.0, metadata={"help": "length of a video, 16 or more"})
    size: str = field(
        default="small",
        metadata={"help": "frames of about 480x320 (small) or 1280x720 (full)", "choices": ("small", "full")},
    )
    odd: bool = field(default=True, metadata={"help": f"add one short video for each of: {', '.join(ODD)}"})
    hard: bool = field(
        default=False,
        metadata={"help": "noise and both voices over speech, quick turns, dim light, small and turned faces"},
    )
    link: bool = field(
        default=True,
        metadata={"help": "a voice that fits the face; without, everybody has somebody else's: the null control"},
    )
    seed: int = field(default=0, metadata={"help": "population and everything else"})

    def __post_init__(self) -> None:
        if not 2 <= self.speakers <= 500 or not 1 <= self.videos <= 200 or not 16 <= self.seconds <= 7200:
            raise ValueError(f"{self}: expected 2 to 500 speakers, 1 to 200 videos of each, 16 to 7200 s")
        if self.size not in SIZES:
            raise ValueError(f"size must be one of {', '.join(SIZES)}, got {self.size!r}")


@dataclass(frozen=True)
class Span:
    """[start, end) of the sound."""

    start_ms: int
    end_ms: int
    what: str
    """target, other, noise (music alone), silence (nobody speaks; in hard videos faint music goes on) or overlap
    (target and other at once)."""


@dataclass(frozen=True)
class Framing:
    """Where a face is while the head is still: the pupils' distance and midpoint as shares of the frame."""

    distance: float
    """Of the height."""
    x: float
    y: float


@dataclass(frozen=True)
class Shot:
    """[start, end) of the pictures."""

    start_ms: int
    end_ms: int
    shows: str
    """target, other, both, slides or landscape."""
    target: Framing | None
    other: Framing | None

    @property
    def face(self) -> str:
        return self.shows if self.target or self.other else "none"


@dataclass(frozen=True)
class Channel:
    """What room, microphone and camera do to all of one video."""

    hiss_db: float
    """Speech over hiss."""
    echo_seconds: float
    """Until reverberation has fallen by 60 dB."""
    echo_db: float
    """Direct sound over reverberation."""
    dull: float
    """Of the microphone: weight of the sample before, 0 to 0.4."""
    gain: float
    music_db: float | None
    """Speech over music that runs under everything; None: no music but in the spans of noise."""
    light: tuple[float, float]
    """As in turning.Look."""
    brightness: float
    turn: float
    """Degrees of the farthest turn of the head."""


@dataclass(frozen=True)
class Video:
    """One video of a speaker."""

    number: int
    speaker: Speaker
    other: Person
    name: str
    """From the folder of videos, with `/`."""
    odd: str
    day: int
    size: tuple[int, int]
    fps: Fraction
    key_frame_seconds: float
    channel: Channel
    spans: tuple[Span, ...]
    shots: tuple[Shot, ...]
    seed: int

    @property
    def milliseconds(self) -> int:
        return self.spans[-1].end_ms

    @property
    def frames(self) -> int:
        return int(self.milliseconds * self.fps / 1000)

    @property
    def period(self) -> tuple[int, int] | None:
        """[start, end) in ms in which the target speaks alone, long enough to be marked, if there is one."""
        for span in self.spans:
            if span.what == "target" and span.end_ms - span.start_ms >= LEAST_PERIOD_MS + 300:
                return span.start_ms + 100, span.end_ms - 100
        return None

    def random(self, salt: int) -> Random:
        return np.random.default_rng([self.seed, self.number, salt])

    def shot(self, seconds: float) -> Shot:
        """On screen at a time."""
        return next((shot for shot in self.shots if seconds * 1000 < shot.end_ms), self.shots[-1])


@lru_cache(maxsize=2)
def plan(options: ForgeOptions) -> tuple[Video, ...]:
    """All videos: those of each speaker in turn, then one of each odd kind."""
    speakers, _ = cast(options.speakers, options.seed, options.link)
    kinds = [(speaker, which, "") for speaker in speakers for which in range(options.videos)]
    if options.odd:
        kinds += [(speakers[at % len(speakers)], options.videos + at, odd) for at, odd in enumerate(ODD)]
    return tuple(_video(options, number, *kind) for number, kind in enumerate(kinds))


def _video(options: ForgeOptions, number: int, speaker: Speaker, which: int, odd: str) -> Video:
    random = np.random.default_rng([options.seed, number, 91])
    seconds = options.seconds
    if odd:
        seconds = ODD_SECONDS if ODD[odd] in ("", "nobody of the target") else UNREAD_SECONDS
    spans = _turns(random, round(1000 * seconds), number, not which, options.hard)
    if odd == "somebody else":
        spans = [Span(span.start_ms, span.end_ms, span.what.replace("target", "other")) for span in spans]
    shots = _shots(random, spans, number, options.hard)
    if odd == "somebody else":
        shots = [_without_target(shot) for shot in shots]
    stem = _STEMS[number % len(_STEMS)].format(which + 1)
    sizes = SIZES[options.size]
    return Video(
        number,
        speaker,
        _asking(options, speaker, number),
        f"{speaker.folder}/{stem}{'.webm' if odd == 'webm' else '.mp4'}",
        odd,
        1 + which % 2,
        sizes[(number + which) % len(sizes)],
        RATES[(number + which) % len(RATES)],
        round(float(random.uniform(2, 10)), 2),
        _channel(random, options.hard),
        tuple(spans),
        tuple(shots),
        options.seed,
    )


def _asking(options: ForgeOptions, speaker: Speaker, number: int) -> Person:
    """Another speaker of the release and somebody from outside in turn, of either gender."""
    speakers, outside = cast(options.speakers, options.seed, options.link)
    if number % 2:
        return outside[(number // 2) % len(outside)]
    return speakers[(speaker.number + 1 + number // 2 % (len(speakers) - 1)) % len(speakers)].person


def _channel(random: Random, hard: bool) -> Channel:
    dim = float(random.uniform(0.45, 0.75) if hard else random.uniform(0.85, 1.08))
    return Channel(
        hiss_db=round(float(random.uniform(14, 22) if hard else random.uniform(28, 45)), 2),
        echo_seconds=round(float(random.uniform(0.4, 0.8) if hard else random.uniform(0.12, 0.4)), 3),
        echo_db=round(float(random.uniform(1, 6) if hard else random.uniform(7, 15)), 2),
        dull=round(float(random.uniform(0.0, 0.35)), 3),
        gain=round(float(random.uniform(0.6, 1.1)), 3),
        music_db=round(float(random.uniform(6, 12)), 2) if hard else None,
        light=(round(float(random.uniform(-0.25, 0.25)), 3), round(float(random.uniform(0, 0.2)), 3)),
        brightness=round(dim, 3),
        turn=round(float(random.uniform(25, 38) if hard else random.uniform(12, 22)), 2),
    )


def _turns(random: Random, total: int, number: int, marked: bool, hard: bool) -> list[Span]:
    """Who is heard, in ms: one long turn of the target early, then the other, noise and pauses between turns."""
    low, high = (2.0, 5.0) if hard else (5.0, 12.0)
    opening = [("noise", random.uniform(1.8, 3.0)) if number % 3 == 1 else ("silence", random.uniform(0.5, 1.2))]
    parts: list[tuple[str, float]] = opening
    cycle = 0
    while sum(length for _, length in parts) * 1000 < total:
        first = random.uniform(10.6, 12.0) if not cycle and marked else random.uniform(low, high)
        between = [("other", random.uniform(3, 6)), ("noise", random.uniform(2.5, 4.5))][(number + cycle) % 2]
        if hard and between[0] == "other" and random.random() < 0.5:
            between = ("overlap", random.uniform(1.5, 3))
        pauses = [("silence", random.uniform(0.5, 1.8) if not hard else random.uniform(0.3, 0.6)) for _ in range(2)]
        last = ("target", random.uniform(3, 7))
        more = [("target", first), *pauses[:1], between, *pauses[1:], last]
        if cycle % 2:
            more = [between, *pauses[:1], last, *pauses[1:], ("target", first)]
        parts += [*more, ("silence", random.uniform(0.6, 2.0))]
        cycle += 1
    spans: list[Span] = []
    at = 0
    for what, length in parts:
        end = min(at + round(1000 * length), total)
        # What is left of a turn at the end may be too short to be a phrase.
        heard = what if end - at >= 3000 or end < total else "silence"
        if spans and spans[-1].what == heard:
            spans[-1] = Span(spans[-1].start_ms, end, heard)
        elif at < end:
            spans.append(Span(at, end, heard))
        at = end
    return spans


_CLOSE, _WIDE = (0.145, 0.165), (0.115, 0.135)
"""Distances of the pupils in a shot of the face and in one of the upper body, as shares of the frame's height."""


def _framing(random: Random, distances: tuple[float, float], x: float) -> Framing:
    distance = float(random.uniform(*distances))
    return Framing(round(distance, 4), x, round(float(max(0.42, 2.75 * distance) + random.uniform(0, 0.03)), 4))


def _shots(random: Random, spans: list[Span], number: int, hard: bool) -> list[Shot]:
    """Who is seen: cuts lie near the changes of the sound, a few tenths of a second before or after them."""
    small = 0.7 if hard else 1.0
    close, wide = ((low * small, high * small) for low, high in (_CLOSE, _WIDE))
    x = float(random.choice((0.5, 0.4, 0.6)))
    usual = _framing(random, (close, wide)[number % 2], x)
    second = _framing(random, (wide, close)[number % 2], float(random.choice((0.5, 0.42, 0.58))))
    pair = tuple(_framing(random, (0.095 * small, 0.11 * small), side) for side in (0.27, 0.74))
    looks: dict[str, tuple[Framing | None, Framing | None]] = {
        "target": (usual, None),
        "target again": (second, None),
        "other": (None, usual if number % 4 < 2 else second),
        "both": (pair[0], pair[1]),
        "slides": (None, None),
        "landscape": (None, None),
    }
    shots: list[Shot] = []
    asked = number - 1
    for span in spans:
        asked += span.what in ("other", "overlap")
        for what, end in _seen(random, span, asked):
            begin = shots[-1].end_ms if shots else 0
            last = span is spans[-1] and end == span.end_ms
            cut = end if last else min(end + int(random.integers(-300, 301)), spans[-1].end_ms - 400)
            if cut - begin < 400 and not last:
                continue
            if shots and shots[-1].shows == what.split()[0] and (shots[-1].target, shots[-1].other) == looks[what]:
                shots[-1] = Shot(shots[-1].start_ms, cut, shots[-1].shows, *looks[what])
            else:
                shots.append(Shot(begin, cut, what.split()[0], *looks[what]))
    return shots


def _seen(random: Random, span: Span, asked: int) -> list[tuple[str, int]]:
    """What is shown during a span of the sound, each until when in ms."""
    plain = ("slides", "landscape")[int(random.integers(2))]
    if span.what in ("other", "overlap"):
        return [(("other", "target", "both")[asked % 3], span.end_ms)]
    if span.what == "noise":
        return [(plain if random.random() < 0.7 else "target", span.end_ms)]
    length = span.end_ms - span.start_ms
    if span.what == "silence" or length < 7000:
        return [("target", span.end_ms)]
    # A long turn: away to a picture of what is spoken about, to the other listening, or to both of them.
    away = str(random.choice((plain, plain, "both", "other")))
    first = span.start_ms + int(length * random.uniform(0.45, 0.6))
    back = first + int(random.integers(2000, 3200))
    return [("target", first), (away, back), ("target again", span.end_ms)]


def _without_target(shot: Shot) -> Shot:
    if shot.shows not in ("target", "both"):
        return shot
    return Shot(shot.start_ms, shot.end_ms, "other", None, shot.other or shot.target)
