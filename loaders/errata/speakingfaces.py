"""What the SpeakingFaces paper and repository say that arithmetic, the files or the code contradict."""

from collections.abc import Iterable

from ..rows import Rows
from ..sample import SPLITS
from ..tabulate import Table
from . import Erratum, inconsistencies

FPS = 28
SILENT_PAIRS = 2 * 9 * 900
"""Session-1 frame pairs per person: trials x positions x frames."""


def number_ranges(numbers: Iterable[int]) -> str:
    """1, 2, 3, 7 -> "1-3, 7"; more than six ranges are shortened to the first and last."""
    spans: list[list[int]] = []
    for number in sorted(set(numbers)):
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    words = [f"{first}-{last}" if last > first else str(first) for first, last in spans]
    return ", ".join(words if len(words) <= 6 else [*words[:2], "...", words[-1]]) or "none"


def _persons(rows: Rows) -> int:
    return len(set(rows["identity"]))


def _ages(rows: Rows) -> list[int]:
    return list(dict(row for row in rows.together("identity", "age") if row[1] is not None).values())


def _silent_by_split(rows: Rows) -> str | None:
    stills = rows.where(config="stills")
    if not len(stills):
        return None
    parts = []
    for split in SPLITS[1:]:
        part = stills.where(split=split)
        people = _persons(part)
        parts.append(f"{split} {part.total('frames'):,} of {people} x {SILENT_PAIRS:,} = {people * SILENT_PAIRS:,}")
    return "; ".join(parts)


def _silent_in_all(rows: Rows) -> str | None:
    stills = rows.where(config="stills")
    whole = _persons(stills) * SILENT_PAIRS
    return f"{stills.total('frames'):,} of {_persons(stills)} x {SILENT_PAIRS:,} = {whole:,}" if len(stills) else None


def _spoken_hours(rows: Rows) -> str | None:
    spoken = rows.where(config="utterances")
    frames = spoken.total("frames")
    return f"{frames:,} pairs at {FPS} frames/s = {frames / FPS / 3600:.3g} h" if len(spoken) else None


def _both_sessions(rows: Rows) -> str | None:
    spoken, silent = (rows.where(config=config).total("frames") for config in ("utterances", "stills"))
    return f"{spoken:,} + {silent:,} = {spoken + silent:,}" if spoken and silent else None


def _uncompressed(rows: Rows) -> str | None:
    size = sum(rows.where(config=config).total("raw_bytes") for config in ("utterances", "stills"))
    kept = rows.total("media_bytes")
    return f"{size:.3g} bytes uncompressed, {kept:.3g} bytes as stored" if size else None


def _utterances(rows: Rows) -> str | None:
    spoken = rows.where(config="utterances")
    return f"{len(spoken):,}" if len(spoken) else None


def _age_range(rows: Rows) -> str | None:
    ages = _ages(rows)
    return f"{min(ages)} to {max(ages)}" if ages else None


def _young(rows: Rows) -> str | None:
    ages = _ages(rows)
    young = sum(20 <= age <= 25 for age in ages)
    return f"{young} of {len(ages)} = {100 * young / len(ages):.1f} %" if ages else None


def _command_ids(rows: Rows) -> str | None:
    spoken = rows.where(config="utterances")
    parts = {split: spoken.where(split=split).known("command") for split in SPLITS}
    found = [f"{split} {min(ids)} to {max(ids)} ({len(set(ids))} ids)" for split, ids in parts.items() if ids]
    return "; ".join(found) or None


def _microphones(rows: Rows) -> str | None:
    same = rows.where(config="utterances").known("same_sound")
    return f"the same samples in {sum(same):,} of {len(same):,} utterances" if same else None


def _face_pairs(rows: Rows) -> str | None:
    pairs = rows.where(config="pairs")
    counts = [
        f"{split} {len(pairs.where(split=split, trial=1))} + {len(pairs.where(split=split, trial=2))}"
        for split in SPLITS
        if len(pairs.where(split=split))
    ]
    return f"trial 1 + trial 2: {'; '.join(counts)}" if counts else None


def _face_subjects(rows: Rows) -> str | None:
    subjects = rows.where(config="pairs", split="test").known("subject")
    return number_ranges(subjects) if subjects else None


def _matrices(rows: Rows) -> str | None:
    sources = rows.known("alignment_source")
    counts = [f"{sources.count(source):,} {source}" for source in sorted(set(sources))]
    return f"matrices of samples: {', '.join(counts)}" if counts else None


ERRATA: tuple[Erratum, ...] = (
    (
        "Session-1 pairs are printed as 356,400 (valid) and 324,000 (test).",
        "Swapped: 20 x 2 x 9 x 900 = 324,000 and 22 x 2 x 9 x 900 = 356,400.",
        _silent_by_split,
    ),
    (
        "The session-1 total is printed as 2,268,000.",
        "The sum is 142 x 16,200 = 2,300,400; the printed value equals 140 subjects.",
        _silent_in_all,
    ),
    (
        "Session 2 is printed as 22.8 hours.",
        "1,512,588 pairs at 28 frames/s are 15.0 h; 22.8 h is the untrimmed length.",
        _spoken_hours,
    ),
    (
        "Table 1 counts 4,581,595 pairs, the text over 3.7 million.",
        "The two sessions have 1,512,588 + 2,300,400 = 3,812,988; the larger number is before trimming.",
        _both_sessions,
    ),
    (
        "The size is given as 3.8, 7.1 and 7.5 TB.",
        "Uncompressed frames and sound before trimming are 7.66e12 bytes; the hosted images are about 2.15 TB.",
        _uncompressed,
    ),
    ('"Over 13,000" and "over 14,000" utterances.', "The table has 13,711.", _utterances),
    ("Ages are said to be 20 to 65.", "subjects.csv has 20 to 64.", _age_range),
    ("34 % are said to be aged 20 to 25.", "In subjects.csv it is 57 of 142 = 40.1 %.", _young),
    (
        "Command ids are said to run to 1297.",
        "Valid and test start again at 1 and end at 250: an id is unique only inside a split.",
        _command_ids,
    ),
    (
        "The microphones are called left and right.",
        "The repository calls the two recordings identical.",
        _microphones,
    ),
    (
        "2,700 training and 1,134 test pairs for translation.",
        "1,134 is one trial of 42 subjects; both trials are 2,268.",
        _face_pairs,
    ),
    (
        "The 42 test subjects of translation are implied to be 101 to 142.",
        "The published embeddings lack 140 and hold 90.",
        _face_subjects,
    ),
    ('Noise "variances" of 100 and 5.', "The code uses them as standard deviations.", None),
    ("CycleGAN and CUT are said to share hyper-parameters.", "Batch, rate and epochs differ.", None),
    (
        "The classifier is described as two hidden layers behind the concatenation.",
        "They sit inside each encoder; one linear layer follows the concatenation.",
        None,
    ),
    ("Thermal-only test accuracy is 65.7 in the text.", "65.8 in the table.", None),
    (
        "The homography is said to average many captures.",
        "The scripts use four hand-rounded points of one.",
        _matrices,
    ),
)
"""Statement, what is so, and what holds it against a folder; numbered from 1 in this order."""


def errata(rows: Rows) -> Table:
    """All of them; the last cell is what the folder says, None where it cannot tell."""
    return inconsistencies(ERRATA, rows)
