"""AVSpeech as the public re-implementation of Speech2Face used it: counts in print, in its logs, in a folder."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from ..distributions import Measure, Panel, bars, by_split, histogram, quantile_table
from ..errata import Erratum, inconsistencies
from ..rows import Rows
from ..sample import SPLITS
from ..tabulate import Cell, Table
from ..waterfall import Quality

TITLE = "AVSpeech"
USED: tuple[tuple[str, tuple[Cell, Cell, Cell, Cell]], ...] = (
    ("text of the re-implementation", (4880, 610, 610, 6100)),
    ("its table of results, rounded", (4800, 600, 600, None)),
    ("its logs", (4832, 604, 604, 6040)),
)
"""Clips in train, validation, test and in all."""
MEASURES = (
    Measure("seconds", "voice", "s", tuple(np.arange(0, 6.5, 0.25).tolist())),
    Measure("peak_db", "loudest sample", "dB of full scale", tuple(range(-63, 3, 3)), -60),
    Measure("missing_seconds", "sound missing in the file", "s", ()),
    Measure(
        "face_distance", "face from the annotated point", "widths of the box", tuple(np.arange(0, 3.1, 0.1).tolist())
    ),
    Measure("face_width", "width of the face", "pixels", tuple(np.geomspace(16, 1024, 25).tolist()), None, True),
    Measure("faces", "faces in the frame", "faces", ()),
    Measure("frame_attempt", "frame with the face", "number, one a second", ()),
)
STEPS = {
    "clips": (
        *("bad row", "missing video", "list", "open", "no frame", "no face", "several faces", "no audio"),
        *("encode", "features", "review"),
    ),
}
QUALITIES = (
    Quality("clips", "no audio", MEASURES[1]),
    Quality("clips", "no audio", replace(MEASURES[2], edges=tuple(np.arange(0, 6.25, 0.25).tolist()), mark=0.25)),
)
FACTS = (
    *("youtube_id", "start_ms", "end_ms", "usual_length", "release_split", "whole_video", "face_holds_point"),
    *("source", "repeats", "faces", "face_box"),
    *(measure.fact for measure in MEASURES if measure.fact not in ("face_width", "faces")),
)
"""Facts that are read from the index."""


def _lengths(rows: Rows) -> list[float]:
    """Annotated seconds of every segment."""
    return [(end - start) / 1000 for start, end in rows.together("start_ms", "end_ms") if end is not None]


def _videos(rows: Rows) -> int:
    return len(set(rows["identity"]))


LISTED: tuple[tuple[str, Cell, Callable[[Rows], Cell]], ...] = (
    ("rows of avspeech_train.csv", 2_621_845, lambda rows: len(rows.where(release_split="train"))),
    ("rows of avspeech_test.csv", "about 183,000", lambda rows: len(rows.where(release_split="test"))),
    ("videos", "about 290,000", _videos),
    ("speakers", "about 150,000", lambda rows: None),
    ("hours", "about 4,700", lambda rows: round(sum(_lengths(rows)) / 3600, 4)),
    ("shortest segment, s", 3, lambda rows: min(_lengths(rows), default=None)),
    ("longest segment, s", 10, lambda rows: max(_lengths(rows), default=None)),
)
"""What the list holds, as published, and what of it is in a folder."""


def clips_used(rows: Rows) -> Table:
    """Clips by split, as three places of one publication count them, beside this folder's."""
    lines: list[tuple[Cell, ...]] = [(name, *counts) for name, counts in USED]
    lines.append(("this folder, clips", *(len(part) for part in rows.splits().values())))
    lines.append(("this folder, videos", *(_videos(part) for part in rows.splits().values())))
    notes = [
        "The re-implementation keeps one clip of each video; here all are kept, and a video lies in one split. Its own "
        "splits change with every run: see the known inconsistencies.",
    ]
    if any(str(source).startswith("forged") for source in set(rows["source"])):
        notes.append("The people in this folder are forged; the published values are those of the real release.")
    return Table("Clips by split", ("", *SPLITS, "total"), tuple(lines), tuple(notes))


def of_the_list(rows: Rows) -> Table:
    """What AVSpeech lists, and what of it this folder holds."""
    lines = tuple((name, published, count(rows)) for name, published, count in LISTED)
    notes = (
        "A list of segments, no videos: what is no longer online is in nobody's folder. Speakers are not annotated.",
        "The list's own figures are quoted, not counted: hold your tables against them.",
    )
    return Table("AVSpeech's list", ("", "quoted", "this folder"), lines, notes)


def found_here(rows: Rows) -> Table:
    """How the faces and voices of this folder were come by."""
    tests: tuple[tuple[str, Callable[[Rows], list[bool]]], ...] = (
        ("read from the whole video", lambda part: part.known("whole_video")),
        ("segment of 3 to 10 s", lambda part: part.known("usual_length")),
        ("voice repeated to reach 6 s", lambda part: [count > 1 for count in part.known("repeats")]),
        ("face in the first frame", lambda part: [number == 1 for number in part.known("frame_attempt")]),
        ("several faces in the frame", lambda part: [count > 1 for count in part.known("faces")]),
        ("face holds the annotated point", lambda part: part.known("face_holds_point")),
    )
    lines: list[tuple[Cell, ...]] = []
    for name, test in tests:
        counts = [sum(test(part)) for part in rows.splits().values()]
        share = f"{100 * counts[-1] / len(rows):.1f}" if len(rows) else None
        lines.append((name, *counts, share))
    return Table("Found here, clips", ("", *SPLITS, "total", "%"), tuple(lines))


def _measured(rows: Rows) -> Rows:
    """The rows with the width of the face."""
    widths = [None if box is None else box["right"] - box["left"] for box in rows["face_box"]]
    return rows.with_column("face_width", widths)


def tables(rows: Rows) -> Iterator[Table]:
    """Every table, in the order of printing."""
    yield clips_used(rows)
    yield of_the_list(rows)
    yield found_here(rows)
    whole = _measured(rows)
    yield quantile_table("Distributions", (("clips", whole, measure) for measure in MEASURES))


def panels(rows: Rows) -> Iterator[Panel]:
    """What is drawn."""
    whole = _measured(rows)
    parts = {split: whole.where(split=split) for split in SPLITS}
    filters = {quality.measure.fact for quality in QUALITIES}
    for measure in MEASURES:
        if measure.edges and measure.fact not in filters:
            yield histogram(measure.meaning.capitalize(), parts, measure, "clips")
    yield bars("Frame with the face", "one a second", "clips", by_split(whole, "frame_attempt", range(1, 7)))
    most = max((count for count in whole.known("faces")), default=1)
    yield bars("Faces in the frame", "faces", "clips", by_split(whole, "faces", range(1, min(most, 8) + 1)))


def _clips(rows: Rows) -> str:
    counts = [len(part) for part in rows.splits().values()]
    return f"{counts[-1]:,} clips: " + ", ".join(
        f"{split} {count:,}" for split, count in zip(SPLITS, counts[:-1], strict=True)
    )


def _leak(rows: Rows) -> str:
    in_two = len(set(rows.together("identity", "split"))) - _videos(rows)
    return f"{in_two} of {_videos(rows):,} videos in two splits"


def _per_video(rows: Rows) -> str:
    return f"{len(rows):,} clips of {_videos(rows):,} videos"


def _point(rows: Rows) -> str | None:
    held = rows.known("face_holds_point")
    several = [holds for holds, count in rows.together("face_holds_point", "faces") if (count or 0) > 1]
    if not held:
        return None
    return f"the point lies in the face in {sum(held):,} of {len(held):,} clips; {len(several):,} show several faces"


def _attempts(rows: Rows) -> str | None:
    numbers = rows.known("frame_attempt")
    return (
        f"{sum(number > 1 for number in numbers):,} of {len(numbers):,} faces are of a later frame" if numbers else None
    )


ERRATA: tuple[Erratum, ...] = (
    (
        "The re-implementation counts 6,100 clips in its text and around 5,000 in a caption.",
        "Its logs have 6,040: 4,832, 604 and 604.",
        _clips,
    ),
    (
        "Its test scores are called those of completely new images.",
        "Ids go through an unordered set whose order changes with every run: test clips were training clips of "
        "earlier runs. R@1 is 51 % in test and 45 % in training.",
        _leak,
    ),
    (
        "One clip stands for a video.",
        "Later rows of an id are skipped by the program, not by the list.",
        _per_video,
    ),
    (
        "Clips are said to begin at the annotated start.",
        "They are cut by stream copy, which begins at the key frame before.",
        None,
    ),
    (
        "The annotated place of the face is read.",
        "It is not used: of several faces none is chosen, the clip is left out or the program stops.",
        _point,
    ),
    (
        "The face is that of the first frame.",
        "One still of the first second, whatever it shows; a title or closed eyes included.",
        _attempts,
    ),
    (
        "The window is said to last 25 mm, over 512 bands.",
        "25 ms, an FFT of 512 points, 257 bands.",
        None,
    ),
    (
        "The spectrum is said to be compressed as sgn(S) |S|^0.3, real and imaginary part.",
        "The program stacks |S|^0.3 and the angle: released weights need mode mag_phase.",
        None,
    ),
    (
        "The galleries are given as 4,800 and 600 faces.",
        "Rounded: 4,832 and 604 queries, each against as many faces; the program as published takes all 6,040.",
        None,
    ),
)
"""Statement, what is so, and what holds it against a folder; numbered from 1 in this order."""


def errata(rows: Rows) -> Table:
    """All of them; the last cell is what the folder says, None where it cannot tell."""
    return inconsistencies(ERRATA, rows)
