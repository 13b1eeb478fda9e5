"""Gender of people never seen: right with clean streams, falling with noise; by voice alone only where it fits."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from ...loaders.folder import Folder
from ...models.core.checkpoint import restore
from ...models.core.device import choose
from ...models.core.evaluate import Results, batches, joined, results
from ...models.core.reading import Reading
from ...models.gender import MODES, Gender
from .learning import Exam, Finding, Lesson, Population, Training
from .metrics import accuracy, bootstrap

CROWD = Population(
    "crowd",
    "speakingfaces",
    (
        *("--subjects", "40", "--positions", "1", "--utterances", "2", "--frames", "14", "--stills-frames", "0"),
        *("--size", "small", "--no-artifacts"),
    ),
    ("--config", "utterances", "--detector", "none"),
)
BRIEF = ("--batch-size", "8", "--width", "0.25", "--frames", "1", "--optimizer", "adam", "--lr", "1e-3")
"""A quarter of the paper's widths and one frame a clip: learns in seconds on a CPU."""
ALL = Training("all", "gender", ("--mode", "7", "--epochs", "7", *BRIEF))
VOICE = Training("voice", "gender", ("--mode", "3", "--epochs", "12", *BRIEF))
STREAMS = MODES[7]
SPLITS = ("validation", "test")
FALL = 5.0
"""Points that noise in all streams must cost, so that a network deaf to noise does not pass."""


def score(exam: Exam) -> list[Finding]:
    """Clean accuracy, which falls with every noisy stream; that of the voice alone, at chance without link."""
    voice = joined([exam.results("voice", split) for split in SPLITS])
    heard = 100 * accuracy(voice["merit"])
    by_person = bootstrap(voice["merit"], voice["subject"])
    near = 50 * (by_person.high - by_person.low)
    low, high = (70.0, 100.0) if exam.linked else (50 - near, 50 + near)
    alone = Finding("voice alone, validation and test", heard, 50.0, len(voice["keys"]), low, high)
    return [*_seen(exam), alone]


def _seen(exam: Exam) -> list[Finding]:
    clean = exam.results("all", "test")
    seen = Finding("all streams, test", 100 * accuracy(clean["merit"]), 50.0, len(clean["keys"]), low=90.0)
    right = _with_noise(exam)
    levels = []
    for count in range(len(STREAMS) + 1):
        cases = [case for noisy, case in right.items() if len(noisy) == count]
        levels.append(100 * float(np.mean([accuracy(case["merit"]) for case in cases])))
    return [seen, *falling(levels, len(right[()]["keys"]))]


def falling(levels: Sequence[float], clips: int) -> list[Finding]:
    """Of mode 7's percent right with 0, 1, .. noisy streams (means over which, as rows 1 to 8 of Table 4).

    Each at most the one before, the last FALL points below the first.
    """
    most = [*levels[:-2], min(levels[-2], levels[0] - FALL)]
    return [
        Finding(f"{noisy} of {len(levels) - 1} streams noisy, validation and test", here, 50.0, clips, high=high)
        for noisy, (here, high) in enumerate(zip(levels[1:], most, strict=True), start=1)
    ]


def _with_noise(exam: Exam) -> dict[tuple[str, ...], Results]:
    """Results of mode 7 by the streams that are noisy; pixels wrap around, as in the published code."""
    model, _ = restore(exam.best["all"])
    assert isinstance(model, Gender)
    place = choose("cpu", "fp32")
    reading = Reading(Folder(exam.data), replace(model.inputs(), noisy=True, wrap=True))
    cases = [noisy for count in range(len(STREAMS) + 1) for noisy in combinations(STREAMS, count)]
    parts: dict[tuple[str, ...], list[Results]] = {noisy: [] for noisy in cases}
    for split in SPLITS:
        for batch in batches(reading.stream(split)):
            for noisy in cases if batch["keys"] else ():
                swapped = {stream: batch[f"noisy_{stream}"] for stream in noisy}
                parts[noisy].append(results(model, batch | swapped, place))
    return {noisy: joined(found) for noisy, found in parts.items()}


LESSON = Lesson(
    "Gender from face, heat and voice (SpeakingFaces, Table 4), people never seen", CROWD, (ALL, VOICE), score
)
