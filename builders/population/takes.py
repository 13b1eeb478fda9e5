"""How a forged subject was recorded: where each utterance lies in its recording, what was planned, what went wrong."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from .clips import COMMAND_IDS, Cast, Clip, ForgeOptions, command_text, split_of
from .voices import FRAME_SAMPLES, RATE

MISHAPS = (
    "split", "no thermal video", "short visual video", "no microphone 2", "short microphone 2", "misread", "skip",
)  # fmt: skip
"""What goes wrong in one recording each: a command spoken across two windows; files that are missing or end early;
another command read than planned; an utterance that a person threw out."""
REASONS = {
    "no thermal video": "thermal video missing",
    "short visual video": "visual video too short",
    "no microphone 2": "sound of microphone 2 missing",
    "short microphone 2": "microphones of different lengths",
    "skip": "says to skip it",
}
MAX_FRAMES = 900
SPILT = 2
"""Frames of a split command that fall into the next window."""
GAP = 1
"""Frames between two windows that belong to nobody."""
LONG_PAUSE = 36
"""Frames of silence after the last utterance of the first day: more than the second that trimming leaves."""


@dataclass(frozen=True)
class Take:
    """One utterance in its recording: spoken from frame `begins` on, planned for frames start..end, all from 1."""

    clip: Clip
    begins: int
    start: int
    end: int
    shown: int
    """Frames filmed of it, with the silence after it."""
    planned: int
    """The command that the plan names."""
    rescue: tuple[str, str, str, str] | None = None
    """Comment, begin, end in seconds and new name, as in the rescue table."""
    reason: str = ""
    """Part of the reason for which a build must leave it out, or ""."""

    @property
    def removed(self) -> int:
        """Frames at the beginning that jump, or lie before the last one that does."""
        return self.clip.span[1] if self.clip.artifact == "jump" else 0

    @property
    def speech_end(self) -> int:
        """Sample of the recording at which its speech ends."""
        return FRAME_SAMPLES * (self.begins - 1) + self.clip.samples

    @property
    def first(self) -> int:
        """First frame of the finished utterance."""
        return self.begins + self.removed

    @property
    def samples(self) -> tuple[int, int]:
        """First and one past the last sample of the utterance before its end is trimmed."""
        merged = self.rescue is not None and self.rescue[0] == "merge and trim"
        end = self.speech_end if merged else FRAME_SAMPLES * self.end
        return FRAME_SAMPLES * (self.first - 1), end


@lru_cache(maxsize=8)
def _mishaps(options: ForgeOptions, places: tuple[tuple[int, int, int], ...]) -> dict[tuple[int, int, int], str]:
    if not options.mishaps:
        return {}
    order = np.random.default_rng([options.seed, 51]).permutation(len(places)).tolist()
    kinds = MISHAPS if options.utterances > 1 else MISHAPS[1:]
    return {places[at]: kind for at, kind in zip(order, kinds, strict=False)}


def mishap(options: ForgeOptions, casts: Iterable[Cast], clip: Clip) -> str:
    """What goes wrong in the recording of a clip; a third of all recordings is sound."""
    places = sorted({(c.subject, c.trial, c.position) for cast in casts for c in cast.clips if c.session == 2})
    found = _mishaps(options, tuple(places))
    kept = dict(sorted(found.items(), key=lambda item: MISHAPS.index(item[1]))[: 2 * len(places) // 3])
    return kept.get((clip.subject, clip.trial, clip.position), "")


def takes(options: ForgeOptions, clips: list[Clip], kind: str) -> list[Take]:
    """The utterances of one recording in order. Raises ValueError for more than a position's 900 frames."""
    found: list[Take] = []
    at, start = 1, 1
    for number, clip in enumerate(clips):
        random = np.random.default_rng([options.seed, clip.subject, clip.trial, clip.position, clip.command, 52])
        last = clip.trial == 1 and clip.position == options.positions and number == len(clips) - 1
        shown = clip.frames + (LONG_PAUSE if last else 2 + int(random.integers(3))) + GAP
        take = Take(clip, at, start, at + shown - 1 - GAP, shown, clip.command)
        found.append(take)
        at, start = at + shown, at + shown
        if kind == "split" and number == 0:
            found[0] = replace(take, end=take.begins + clip.frames - SPILT - 1)
            start = found[0].end + 1
    if at - 1 > MAX_FRAMES:
        raise ValueError(
            f"{at - 1} frames in one recording, at most {MAX_FRAMES}: forge fewer utterances per position, or shorter"
        )
    return _spoilt(found, kind)


def _spoilt(found: list[Take], kind: str) -> list[Take]:
    if kind == "split":
        first, second = found[:2]
        rest = (first.speech_end - FRAME_SAMPLES * (second.start - 1)) / RATE
        begin = FRAME_SAMPLES * (second.begins - second.start) / RATE
        found[0] = replace(first, rescue=("merge and trim", "0", f"{rest:.6f}", ""))
        found[1] = replace(second, rescue=("trim", f"{begin:.6f}", "", ""))
    elif kind == "misread":
        clip = found[0].clip
        ids = COMMAND_IDS[split_of(clip.subject)]
        taken = {take.clip.command for take in found}
        other = next(n for n in (clip.command + step for step in range(1, ids)) if (n - 1) % ids + 1 not in taken)
        rescue = ("copy", "", "", str(clip.command))
        found[0] = replace(found[0], planned=(other - 1) % ids + 1, rescue=rescue)
    elif kind == "skip":
        found[0] = replace(found[0], rescue=("skip - not a command", "", "", ""), reason=REASONS[kind])
    elif kind.startswith("short"):
        found[-1] = replace(found[-1], reason=REASONS[kind])
    elif kind:
        found = [replace(take, reason=REASONS[kind]) for take in found]
    return found


def plan_table(found: list[Take]) -> str:
    """The recording plan of one subject and trial."""
    lines = [",commands,command_id,pos_id,start_fr_id,end_fr_id"]
    for row, take in enumerate(found):
        text = command_text(split_of(take.clip.subject), take.planned)
        lines.append(f"{row},{text},{take.planned},{take.clip.position},{take.start},{take.end}")
    return "\r\n".join(lines) + "\r\n"


def rescue_table(found: list[Take], as_recorded: bool) -> str:
    """The rescue table of the whole release: a row per microphone."""
    lines = ["raw_audio_name,begin_timestamp,end_timestamp,new_name,comment,"]
    for take in found:
        clip, at = take.clip, f"{take.clip.subject}_{take.clip.trial}"
        for mic in (1, 2) if take.rescue else ():
            assert take.rescue is not None
            name = f"{at}_{clip.position}_{mic}_{take.planned}" if as_recorded else (
                f"{at}_2_{clip.position}_{take.planned}_{mic}"
            )  # fmt: skip
            comment, begin, end, renamed = take.rescue
            lines.append(f"{name}.wav,{begin},{end},{renamed},{comment},")
    return "\r\n".join(lines) + "\r\n"
