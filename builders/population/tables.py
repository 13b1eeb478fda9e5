"""The metadata of a forged release, in the spelling of the published files."""

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from .clips import SPLITS, Cast, Clip, ForgeOptions, Segment

_PATHS = {"train": "data\\", "valid": "D:\\image_alignment\\validation\\"}
COMMAND_COLUMNS = "command_name,command_id,position_id,transcription,thermal,visual,audio,text"


def write_tables(out: Path, casts: tuple[Cast, ...], options: ForgeOptions) -> int:
    """Write `metadata/` of a release; returns the bytes written."""
    files = {"subjects.csv": _subjects(casts)}
    for cast in casts:
        for trial in (1, 2):
            files[f"commands/sub_{cast.person.subject}_trial_{trial}.csv"] = _commands(cast, trial)
    for split in SPLITS:
        here = [cast for cast in casts if cast.split == split]
        files[f"session_1/alignment_info_{split}.csv"] = _session_1(here)
        if split in _PATHS:
            files[f"session_2/{split}.csv"] = _session_2(here, split, options)
    # The one file that a real release lacks: nobody may take forged people, their licence and their consent for real.
    files["forged.json"] = json.dumps({"made_by": "facevox forge", "seed": options.seed, "size": options.size})
    for name, text in files.items():
        path = out / "metadata" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    return sum(len(text.encode()) for text in files.values())


def _subjects(casts: Iterable[Cast]) -> str:
    """CRLF, no final newline, "None" as a word, as published."""
    lines = ["Sub_ID,Split,Age,Gender,Ethnicity,Acc_Trial_1,Acc_Trial_2"]
    for cast in casts:
        who = cast.person
        facts = (who.subject, cast.split.title(), who.age, who.gender, who.ethnicity, *who.accessories)
        lines.append(",".join(map(str, facts)))
    return "\r\n".join(lines)


def _commands(cast: Cast, trial: int) -> str:
    lines = [COMMAND_COLUMNS]
    for clip in cast.clips:
        if clip.session == 2 and clip.trial == trial:
            codes = ",".join(map(str, clip.codes))
            lines.append(f"{clip.text},{clip.command},{clip.position},{clip.said},{codes}")
    return "\r\n".join(lines) + "\r\n"


def _session_1(casts: Iterable[Cast]) -> str:
    lines = ["sub_id,trial_id,dy,dx"]
    for cast in casts:
        for trial in (1, 2):
            pairs = cast.shifts[trial, 1]
            dy, dx = (" ".join(str(pair[axis]) for pair in pairs) for axis in (1, 0))
            lines.append(f"{cast.person.subject},{trial},{dy},{dx}")
    return "\r\n".join(lines) + "\r\n"


def _session_2(casts: Iterable[Cast], split: str, options: ForgeOptions) -> str:
    """One cell of old command lines per subject and trial; valid has a fifth, empty column and a keyless note."""
    extra = "," if split == "valid" else ""
    text = f"sub_id,trial_id,commands,comments{extra}\r\n"
    for cast in casts:
        for trial in (1, 2):
            lines, notes = _cell(cast, trial, _PATHS[split], options)
            text += f'{cast.person.subject},{trial},"{lines}","{notes}"{extra}\r\n'
    if split == "valid":
        text += ",,,a frame may be missing at the last position,\r\n"
    return text


def _cell(cast: Cast, trial: int, path: str, options: ForgeOptions) -> tuple[str, str]:
    """The command lines and the comment of one subject and trial; hand-typed blanks and line ends included."""
    subject = cast.person.subject
    random = np.random.default_rng([options.seed, subject, trial, 8])
    upper = random.integers(0, 4, 9).tolist()
    boxed = random.random(9) < 0.14
    lines, notes = [], []
    for position in range(1, options.positions + 1):
        clips = [c for c in cast.clips if (c.session, c.trial, c.position) == (2, trial, position)]
        pairs = [*cast.shifts[trial, 2][: position - 1]]

        def line(shift: tuple[int, int], suffix: str, box: bool, before: list[tuple[int, int]] = pairs) -> str:
            """The line for the last of `before` + [shift]; earlier positions are repeated."""
            whole = [*before, shift]
            start = f"python align_crop_image.py -p {path} -i {subject} {trial} {len(whole)}"
            dy, dx = (" ".join(str(pair[axis]) for pair in whole) for axis in (1, 0))
            fixed = f" -f none -r {_BOX[options.size]}" if box else ""
            mouth = " ".join(map(str, upper[: len(whole)]))
            return f"{start} -y {dy} -x {dx} -s {int(random.random() < 0.7)} -l {mouth}{fixed}{suffix}"

        rules = [(clip, part) for clip in clips for part in clip.segments if part.why != "default"]
        for clip, part in rules:
            lines.append(line((part.dx, part.dy), f" (for {_condition(clip, part)})", part.why == "jump"))
            if part.why == "jump":
                notes.append(f"{subject}_{trial}_2_{position}_{clip.command}_2_2.png - shifted")
        for clip in clips:
            if clip.artifact == "freeze":
                span = f"[{clip.span[0]}, {clip.span[1]}]"
                notes.append(
                    f"position {position}, command_id=='{clip.command}', frames {span} - thermal image is frozen"
                )
        rest = " (for everything else)" if rules else ""
        lines.append(line(cast.shifts[trial, 2][position - 1], rest, bool(boxed[position - 1])))
    ends = ("\n", "\r\n")[int(random.random() < 0.3)]
    if random.random() < 0.2:
        lines[-1] += " "
    if random.random() < 0.2:
        lines[0] = lines[0].replace(" -x ", "  -x ")
    if random.random() < 0.15:
        lines.append("")
    return ends.join(lines), "; ".join(notes)


_BOX = {"full": "150 180 310 280", "small": "75 90 155 140"}
"""A fixed mouth box in the thermal frame."""


def _condition(clip: Clip, part: Segment) -> str:
    chosen = f"command_id=='{clip.command}'"
    if part.why == "jump":
        return f"{chosen} and frame_id=='2'"
    return f"{chosen} and int(frame_id)<{part.last + 1}" if part.why == "frames" else chosen
