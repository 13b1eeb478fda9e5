"""What a forged release contains: people, clips, shifts and artifacts, all decided before a picture is drawn."""

from dataclasses import dataclass, field

import numpy as np

from .people import Person
from .voices import FRAME_SAMPLES

SPLITS = {"train": (1, 100), "valid": (101, 120), "test": (121, 142)}
COMMAND_IDS = {"train": 1297, "valid": 250, "test": 250}
ARTIFACTS = ("freeze", "blur", "chin", "noise", "jump", "text", "both")
JUMPS = (-160, -320, 480)
"""Visual pixels, as in the published rules for single frames."""

_VERBS = (
    "open", "close", "start", "stop", "show", "find", "play", "check", "send", "read", "set", "save", "turn",
    "move", "share", "lock", "call", "book", "order", "mute",
)  # fmt: skip
_ADJECTIVES = (
    "first", "last", "new", "old", "kitchen", "garden", "morning", "evening", "red", "blue", "main", "little",
    "open", "daily",
)  # fmt: skip
_NOUNS = (
    "light", "door", "mail", "song", "picture", "news", "weather", "list", "timer", "camera", "message", "file",
    "map", "movie", "recipe", "note",
)  # fmt: skip
_TAILS = ("", "please", "for me", "right now", "on my phone", "in the office", "after lunch", "every day")


@dataclass(frozen=True)
class ForgeOptions:
    """What to forge; the same options give the same bytes."""

    subjects: int = field(
        default=6, metadata={"help": "people, 1..142; every split has some from 3 on, and both genders from 6 on"}
    )
    positions: int = field(default=2, metadata={"help": "camera positions 1..n of nine"})
    utterances: int = field(default=2, metadata={"help": "spoken commands per position and trial"})
    frames: int = field(
        default=12,
        metadata={"help": "nominal length of an utterance in frame pairs; the actual one varies by about an eighth"},
    )
    stills_frames: int = field(
        default=4,
        metadata={"help": "frame pairs per position and trial of the silent session; 0 leaves out its archives"},
    )
    seed: int = field(default=0, metadata={"help": "population and everything else"})
    extracted: bool = field(default=False, metadata={"help": "plain folders in place of zip archives"})
    size: str = field(
        default="full",
        metadata={
            "help": "full: 768x512 and 464x348 as in the release; small: exactly half",
            "choices": ("full", "small"),
        },
    )
    link: bool = field(
        default=True,
        metadata={"help": "a voice that fits the face; without, everybody has somebody else's: the null control"},
    )
    artifacts: bool = field(
        default=True, metadata={"help": "plant freezes, blur, cut chins, noise, wrong words and sideways jumps"}
    )
    deviations: bool = field(
        default=True,
        metadata={"help": "let some commands and frames have shifts of their own, published as conditional rules"},
    )
    raw: bool = field(
        default=False,
        metadata={"help": "raw recordings (AVI, WAV, plans) in place of the published archives: build --source raw"},
    )
    as_recorded: bool = field(
        default=False, metadata={"help": "with --raw: the recorder's file names, as in 1_1_4_0.avi (0 is thermal)"}
    )
    mishaps: bool = field(
        default=True,
        metadata={"help": "with --raw: split and misread commands with their rescue table, missing and short files"},
    )

    def __post_init__(self) -> None:
        if self.as_recorded and not self.raw:
            raise ValueError("as_recorded names raw recordings: it needs raw (--raw)")
        limits = {"subjects": (1, 142), "positions": (1, 9), "utterances": (0, 60), "frames": (4, 900)}
        for name, (low, high) in (limits | {"stills_frames": (0, 900)}).items():
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} must lie in {low}..{high}, got {getattr(self, name)}.")
        if self.size not in ("full", "small"):
            raise ValueError(f"size must be 'full' or 'small', got {self.size!r}.")

    @property
    def scale(self) -> float:
        """Frame size relative to the release's."""
        return 1.0 if self.size == "full" else 0.5


@dataclass(frozen=True)
class Segment:
    """Frames first..last (from 1, inclusive) of a clip that share one published shift in visual pixels."""

    first: int
    last: int
    dx: int
    dy: int
    why: str = "default"
    """"default", "command", "frames" or "jump"."""


@dataclass(frozen=True)
class Clip:
    """One utterance, or the silent frames of one position (session 1, command 0)."""

    subject: int
    trial: int
    session: int
    position: int
    command: int
    frames: int
    samples: int = 0
    segments: tuple[Segment, ...] = ()
    artifact: str = ""
    """"" or one of ARTIFACTS."""
    span: tuple[int, int] = (0, 0)
    """Frames that the artifact touches, from 1, inclusive; (0, 0) for none."""
    text: str = ""
    said: str = ""

    @property
    def key(self) -> str:
        """{sub:03d}_{trial}_{session}_{pos}_{cmd:04d}; stills end at the position."""
        start = f"{self.subject:03d}_{self.trial}_{self.session}_{self.position}"
        return start if self.session == 1 else f"{start}_{self.command:04d}"

    @property
    def codes(self) -> tuple[int, int, int, int]:
        """Published artifact codes: thermal, visual, audio, text."""
        visual = {"blur": 1, "chin": 2, "both": 3}.get(self.artifact, 0)
        return int(self.artifact == "freeze"), visual, int(self.artifact == "noise"), int(self.artifact == "text")


@dataclass(frozen=True)
class Cast:
    """Everything about one subject."""

    person: Person
    split: str
    shifts: dict[tuple[int, int], tuple[tuple[int, int], ...]] = field(hash=False)
    """(trial, session) -> nine (dx, dy)."""
    clips: tuple[Clip, ...] = ()


def command_text(split: str, command: int) -> str:
    """The words of a command: one text per id and split, the same in every release."""
    number = ((command - 1) * 7919 + 13 * list(SPLITS).index(split)) % 35840
    parts = []
    for words in (_VERBS, _ADJECTIVES, _NOUNS, _TAILS):
        number, here = divmod(number, len(words))
        parts.append(words[here])
    verb, adjective, noun, tail = parts
    return " ".join(f"{verb} the {adjective} {noun} {tail}".split())


def split_of(subject: int) -> str:
    """train, valid or test by subject number."""
    return next(name for name, (low, high) in SPLITS.items() if low <= subject <= high)


def subjects(options: ForgeOptions) -> list[tuple[int, str]]:
    """(subject, gender), sorted; genders alternate inside a split."""
    count = options.subjects
    if count < 3:
        sizes = {"train": 1, "test": count - 1}
    else:
        least = 2 if count >= 6 else 1
        sizes = {"valid": max(least, round(count * 20 / 142)), "test": max(least, round(count * 22 / 142))}
        sizes = {"train": count - sum(sizes.values())} | sizes
    random = np.random.default_rng([options.seed, 1])
    chosen = []
    for split, size in sizes.items():
        low, high = SPLITS[split]
        first = int(random.integers(2))
        for place, subject in enumerate(sorted(random.choice(np.arange(low, high + 1), size, replace=False).tolist())):
            chosen.append((int(subject), ("Female", "Male")[(place + first) % 2]))
    return sorted(chosen)


def shifts(options: ForgeOptions, subject: int) -> dict[tuple[int, int], tuple[tuple[int, int], ...]]:
    """Nine (dx, dy) per trial and session, spread like the published ones."""
    random = np.random.default_rng([options.seed, subject, 2])
    found = {}
    for trial in (1, 2):
        middle = float(np.clip(random.gamma(4.4, 10.2), 12, 96))
        dy = np.clip(np.round(middle + random.normal(0, 5.5, 9)), 2, 110)
        dx = np.clip(np.round(1.25 + random.normal(0, 3.6, 9)), -25, 20)
        found[trial, 1] = (dx, dy)
        dy = np.clip(np.round(dy + 3 + random.normal(0, 6, 9)), 2, 110)
        found[trial, 2] = (np.clip(np.round(dx - 1.9 + random.normal(0, 2.5, 9)), -25, 20), dy)
    scale = options.scale
    return {
        key: tuple((round(float(x) * scale), round(float(y) * scale)) for x, y in zip(dx, dy, strict=True))
        for key, (dx, dy) in found.items()
    }


def _commands(options: ForgeOptions, subject: int, trial: int, split: str) -> list[list[int]]:
    """Command numbers per position; one may come again at the last position."""
    random = np.random.default_rng([options.seed, subject, trial, 3])
    count = options.positions * options.utterances
    drawn = random.choice(np.arange(1, COMMAND_IDS[split] + 1), count, replace=count > COMMAND_IDS[split]).tolist()
    table = [drawn[place * options.utterances : (place + 1) * options.utterances] for place in range(options.positions)]
    if options.positions > 1 and options.utterances and (trial == 1 or random.random() < 0.5):
        table[-1][-1] = table[0][0]
    return [[int(command) for command in row] for row in table]


def lay_out(options: ForgeOptions, cast: Cast) -> list[Clip]:
    """The clips of a subject before artifacts."""
    clips = []
    subject = cast.person.subject
    for trial in (1, 2):
        for position in range(1, options.positions + 1):
            dx, dy = cast.shifts[trial, 1][position - 1]
            still = (Segment(1, options.stills_frames, dx, dy),)
            if options.stills_frames:
                clips.append(Clip(subject, trial, 1, position, 0, options.stills_frames, segments=still))
        for position, row in enumerate(_commands(options, subject, trial, cast.split), 1):
            for command in row:
                random = np.random.default_rng([options.seed, subject, trial, position, command, 4])
                frames = max(4, options.frames + int(random.integers(-(options.frames // 8), options.frames // 8 + 1)))
                samples = frames * FRAME_SAMPLES + int(random.integers(FRAME_SAMPLES))
                dx, dy = cast.shifts[trial, 2][position - 1]
                text = command_text(cast.split, command)
                parts = (Segment(1, frames, dx, dy),)
                clips.append(Clip(subject, trial, 2, position, command, frames, samples, parts, "", (0, 0), text, text))
    return clips
