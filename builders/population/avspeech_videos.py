"""What a forged AVSpeech holds: videos, their people, segments and what is odd about them, decided before drawing."""

from dataclasses import dataclass, field

import numpy as np

from ..stages.avspeech_listing import hashed
from .people import Person, draw

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
FRAME = (480, 320)
"""Width and height of a frame in pixels."""
TENTHS = (0, 8, 9, 3)
"""Last digits of the hashed ids, in turn: train, validation, test, train."""

ODD = {
    "two faces": "",
    "late face": "",
    "whole video": "",
    "whole webm": "",
    "short": "",
    "id of digits": "",
    "id begins with a dash": "",
    "clip missing": "missing video",
    "video missing": "missing video",
    "cut short": "no frame",
    "no face": "no face",
    "silent": "no audio",
    "no sound track": "no audio",
}
"""What is odd about a video, and the stage at which a build leaves out its first segment; "" where it is kept."""
BAD_ROWS = (
    ("{id},1.000000,4.000000,0.500000", "a column is missing"),
    ("{id},1.000000,4.000000,0.500000,0.500000,1", "a column too many"),
    ("{id},4.000000,4.000000,0.500000,0.500000", "end is not after start"),
    ("{id},-1.000000,3.000000,0.500000,0.500000", "starts before the video"),
    ("{id},1.000000,4.000000,1.200000,0.500000", "face right of the frame"),
    ("{id},1.000000,4.000000,0.500000,-0.100000", "face above the frame"),
    ("{id},nan,4.000000,0.500000,0.500000", "start is not a number"),
    ("{id},one,4.000000,0.500000,0.500000", "start is a word"),
    ("#NAME?,1.000000,4.000000,0.500000,0.500000", "what a spreadsheet makes of an id that begins with a dash"),
    ("{short},1.000000,4.000000,0.500000,0.500000", "id of ten letters"),
)


@dataclass(frozen=True)
class ForgeOptions:
    """What to forge; the same options give the same bytes."""

    videos: int = field(default=6, metadata={"help": "videos without anything odd, one person each"})
    clips: int = field(default=2, metadata={"help": "segments of each video"})
    seconds: float = field(default=3.2, metadata={"help": "length of a segment, up to a quarter more"})
    fps: int = field(default=12, metadata={"help": "frames per second"})
    seed: int = field(default=0, metadata={"help": "population and everything else"})
    odd: bool = field(
        default=True, metadata={"help": f"add one video for each of: {', '.join(ODD)}; and bad rows in the tables"}
    )
    link: bool = field(
        default=True,
        metadata={"help": "a voice that fits the face; without, everybody has somebody else's: the null control"},
    )

    def __post_init__(self) -> None:
        if self.videos < 0 or self.clips < 1 or not 0.5 <= self.seconds <= 60 or not 4 <= self.fps <= 60:
            raise ValueError(f"{self}: expected 0 or more videos, 1 or more clips, 0.5 to 60 s, 4 to 60 frames/s")
        if not self.videos and not self.odd:
            raise ValueError("videos=0 without odd ones: nothing to forge")


@dataclass(frozen=True)
class Segment:
    """One row of a table."""

    start_ms: int
    end_ms: int
    speaker: int
    """Which of the video's people the row points to."""
    left_out: str
    """Stage at which a build must leave it out, or ""."""
    attempt: int
    """The first frame of one a second, from 1, that shows a face."""

    @property
    def span(self) -> str:
        return f"{self.start_ms:08d}_{self.end_ms:08d}"


@dataclass(frozen=True)
class Video:
    """One video with one voice: that of the person whom its first row points to."""

    number: int
    youtube_id: str
    odd: str
    table: str
    """The table that names it: train or test."""
    people: tuple[Person, ...]
    segments: tuple[Segment, ...]

    @property
    def whole(self) -> bool:
        """Whether the release holds the video itself, not its segments."""
        return self.odd in ("whole video", "whole webm")

    @property
    def milliseconds(self) -> int:
        """Length of the video: half a second more than the last segment needs."""
        return max(segment.end_ms for segment in self.segments) + 500

    def middle(self, person: int, seconds: float) -> tuple[float, float]:
        """Where the middle of somebody's face is at a time of the video, in pixels of the frame.

        Everybody moves all the time, so that a frame tells its time.
        """
        width, height = FRAME
        x = width * ((0.27, 0.73)[person] if len(self.people) > 1 else 0.5)
        sway = 24.0 * np.sin(2 * np.pi * seconds / 8.3 + 1.7 * self.number + person)
        return float(x + sway), height * 0.5 + float(6.0 * np.cos(2 * np.pi * seconds / 5.1 + self.number))


def youtube_id(options: ForgeOptions, number: int, odd: str) -> str:
    """An id whose hash puts the video into the split whose turn it is."""
    random = np.random.default_rng([options.seed, number, 61])
    letters = "0123456789" if odd == "id of digits" else LETTERS
    while True:
        name = "".join(letters[int(at)] for at in random.integers(0, len(letters), 11))
        if odd == "id of digits":
            name = "0" + name[1:]
        elif odd == "id begins with a dash":
            name = "-" + name[1:]
        elif name[0] in "-_":
            continue
        if hashed(name) == TENTHS[number % len(TENTHS)]:
            return name


def plan(options: ForgeOptions) -> tuple[Video, ...]:
    """All videos: the plain ones first, then one of each odd kind."""
    return tuple(planned(options, number) for number in range(options.videos + len(ODD) * options.odd))


def planned(options: ForgeOptions, number: int) -> Video:
    """One video, counted from 0."""
    odd = "" if number < options.videos else list(ODD)[number - options.videos]
    # Ids take the splits in turn: both genders must come in each.
    first = number + number // len(TENTHS)
    random = np.random.default_rng([options.seed, number, 62])
    count = 2 if odd == "two faces" else 1
    people = tuple(
        draw(options.seed, 2 * number + who + 1, ("Female", "Male")[(first + who) % 2], options.link)
        for who in range(count)
    )
    segments, at = [], int(random.integers(300, 900))
    clips = 1 if odd in ("cut short", "no face", "silent", "no sound track") else options.clips
    clips = max(clips, 2) if odd in ("two faces", "clip missing") else clips
    for which in range(clips):
        length = 2_000 if odd == "short" else round(1000 * options.seconds * random.uniform(1, 1.25))
        at += 10 if odd == "late face" and not which else 0
        left_out = ODD.get(odd, "") if odd != "clip missing" or not which else ""
        late = odd == "late face"
        segments.append(Segment(at, at + length, which % count, left_out, 3 if late else 1))
        at += length + int(random.integers(700, 2_300))
    return Video(
        number, youtube_id(options, number, odd), odd, "test" if number % 5 == 4 else "train", people, tuple(segments)
    )
