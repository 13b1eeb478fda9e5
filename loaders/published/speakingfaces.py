"""SpeakingFaces (Sensors 2021, 21(10), 3465): Tables 2 and 3 as printed and as counted; distributions to know it by."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from ..comparison import FORGED, Line, compared, difference, is_forged, uneven
from ..distributions import Measure, Panel, age_rows, bars, by_split, histogram, people, quantile_table
from ..errata.speakingfaces import FPS, number_ranges
from ..errata.speakingfaces import errata as errata
from ..rows import DERIVED_TYPES, Rows
from ..sample import SPLITS
from ..tabulate import Cell, Table

TITLE = "SpeakingFaces"
SUBJECTS = 142
AGE_CLASSES = {"24 or less": (0, 24), "25 to 34": (25, 34), "35 or more": (35, 999)}
PERSON = ("subject", "gender", "age", "ethnicity")
CODES = ("thermal_code", "visual_code", "audio_code", "text_code")
VERDICTS = {
    "frozen": "frozen thermal frames",
    "blurred": "blurred visual frames",
    "chin_cut": "chin outside the visual frame",
    "flickers": "frames that jump sideways",
    "noisy": "background noise",
}
BLUR_EDGES = tuple(np.geomspace(1, 4096, 25).tolist())
MEASURES = (
    Measure("seconds", "length", "s", tuple(np.arange(0, 12.5, 0.5).tolist())),
    Measure("aligned_residual", "alignment residual", "grey levels", tuple(np.arange(0, 4.2, 0.2).tolist()), 2),
    Measure("blur_min", "blur, worst frame", "variance of the Laplacian", BLUR_EDGES, 10, True),
    Measure("freeze_longest", "longest frozen run", "frames", ()),
    Measure("snr_db", "signal-to-noise ratio", "dB", tuple(range(-10, 72, 4))),
)  # fmt: skip
FACTS = (
    *PERSON,
    *("accessories", "trial", "source", "command", "transcript", "aligned_stored"),
    *CODES,
    *VERDICTS,
    *(measure.fact for measure in MEASURES),
    *DERIVED_TYPES,
)
"""Facts that are read from the index."""


# --- Table 2 ---


def _distinct(values: Sequence[object]) -> int:
    return len({value for value in values if value is not None})


def _commands(rows: Rows) -> int:
    """Command ids start again in every split, so a command is a pair of split and id."""
    return len({(split, command) for split, command in rows.together("split", "command") if command is not None})


def words(rows: Rows) -> list[str]:
    """Every word of every transcript: what stands between blanks, in lower case."""
    return [word for text in rows.known("transcript") for word in text.lower().split()]


def _said(rows: Rows, count: Callable[[list[str]], int]) -> Cell:
    """Words are counted where there is a transcript at all; without any the number is not known."""
    return count(words(rows)) if rows.known("transcript") or not len(rows) else None


def _spoken(count: Callable[[Rows], Cell]) -> Callable[[Rows], Cell]:
    return lambda rows: count(rows.where(config="utterances"))


def _silent(count: Callable[[Rows], Cell]) -> Callable[[Rows], Cell]:
    return lambda rows: count(rows.where(config="stills"))


def _pairs(rows: Rows) -> int:
    return int(rows.total("frames"))


def _hours(rows: Rows) -> float:
    return _pairs(rows) / FPS / 3600


def _raw(rows: Rows) -> float:
    both = [rows.where(config=config).total("raw_bytes") for config in ("utterances", "stills")]
    return float(sum(both)) / 1e12


TABLE_2 = (
    Line("speakers", (100, 20, 22, 142), lambda rows: _distinct(rows["identity"])),
    Line("speaker ids", ("1-100", "101-120", "121-142", "1-142"), lambda rows: number_ranges(rows.known("subject"))),
    Line("utterances", (9771, 1963, 1977, 13711), _spoken(len), ("utterances",)),
    Line("unique commands", (1297, 250, 250, 1797), _spoken(_commands), ("utterances",)),
    Line("words", (52769, 10324, 11177, 74270), _spoken(lambda rows: _said(rows, len)), ("utterances",)),
    Line("unique words", (683, 337, 312, 823), _spoken(lambda rows: _said(rows, _distinct)), ("utterances",),
         adds_up=False),
    Line("image pairs, session 2", (1054989, 223528, 234071, 1512588), _spoken(_pairs), ("utterances",)),
    Line("image pairs, session 1", (1620000, 356400, 324000, 2268000), _silent(_pairs), ("stills",), (1, 2)),
    Line("hours, session 2", (16.1, 3.2, 3.5, 22.8), _spoken(_hours), ("utterances",), (3,)),
    Line("hours, session 1", (16.1, 3.2, 3.5, 22.8), _silent(_hours), ("stills",)),
    Line("TB uncompressed", (5.0, 1.0, 1.1, 7.1), _raw, ("utterances", "stills"), (5,)),
)  # fmt: skip
"""Published values in the paper's order."""


def table_2(rows: Rows) -> Table:
    """Published, built and their difference for every row of Table 2, by split and in all."""
    parts, lines = rows.splits(), compared(TABLE_2, rows)
    stored = [part.total("media_bytes") / 1e9 for part in parts.values()]
    lines.append(("GB as stored", "built", *stored))
    return Table("Table 2", ("", "", *SPLITS, "total"), tuple(lines), tuple(_notes(rows)))


TABLE_1_PAIRS = 4_581_595
"""Image pairs of this dataset in the paper's comparison of datasets; its other columns are not counts of a folder."""


def table_1(rows: Rows) -> Table:
    """The one count of Table 1 beside the folder's, over both sessions."""
    built = int(_spoken(_pairs)(rows) or 0) + int(_silent(_pairs)(rows) or 0)
    lines: tuple[tuple[Cell, ...], ...] = (
        ("image pairs, both sessions", "published (wrong: 4)", TABLE_1_PAIRS),
        ("", "built", built),
        ("", "difference", difference(built, TABLE_1_PAIRS)),
    )
    return Table("Table 1", ("", "", "total"), lines, ("The published count is of untrimmed recordings (wrong: 4).",))


def _notes(rows: Rows) -> Iterator[str]:
    held = _distinct(rows["identity"])
    if missing := [config for config in ("utterances", "stills") if config not in rows.configs]:
        yield f"Not built here: {', '.join(missing)}."
    if held < SUBJECTS:
        yield f"This folder holds {held} of {SUBJECTS} speakers: its counts cannot reach the published ones."
    if is_forged(rows):
        yield FORGED
    yield from uneven(TABLE_2)
    yield (
        'A unique command is a pair of split and id; a word stands between blanks, upper and lower case alike. "TB '
        'uncompressed" counts frames as 8-bit RGB and sound as 16-bit samples, as they are here: after trimming. '
        "Numbers after wrong: those of the known inconsistencies."
    )


# --- Table 3 and what was found here ---

TABLE_3 = (
    ("thermal", 1, "frozen", "frozen"),
    ("visual", 1, "blurred", "blurred"),
    ("visual", 2, "cut chin", "chin_cut"),
    ("visual", 3, "blurred and cut chin", ""),
    ("audio", 1, "background noise", "noisy"),
    ("text", 1, "minor text noise", ""),
    ("text", 2, "invalid", ""),
)
CLEAN_SHARE = 86
"""Per cent of utterances whose four codes are 0, as printed."""


def our_visual_code(blurred: bool | None, chin_cut: bool | None) -> int | None:
    """The verdicts as a code of Table 3: 1 blurred, 2 cut chin, 3 both; None unless both were judged."""
    return None if blurred is None or chin_cut is None else int(blurred) + 2 * int(chin_cut)


def table_3(rows: Rows) -> Table:
    """Utterances by published artifact code, beside our verdicts on the same utterances."""
    spoken = rows.where(config="utterances")
    visual = [our_visual_code(*both) for both in spoken.together("blurred", "chin_cut")]
    ours = {"thermal": spoken["frozen"], "visual": visual, "audio": spoken["noisy"]}
    lines: list[tuple[Cell, ...]] = []
    for stream, code, meaning, _ in TABLE_3:
        published = [part[f"{stream}_code"].count(code) for part in spoken.splits().values()]
        verdicts = [verdict for verdict in ours.get(stream, ()) if verdict is not None]
        lines.append((stream, code, meaning, *published, sum(v == code for v in verdicts) if verdicts else None))
    coded = sum(None not in codes for codes in spoken.together(*CODES))
    clean = [sum(codes == (0, 0, 0, 0) for codes in part.together(*CODES)) for part in spoken.splits().values()]
    lines.append(("all", 0, "clean in all four", *clean, None))
    share = (
        f"{100 * clean[-1] / coded:.1f} % of the {coded:,} utterances with codes" if coded else "no utterance has codes"
    )
    notes = (f"Clean by the release's codes: {share}; published: {CLEAN_SHARE} %.",)
    return Table(
        "Table 3: artifact codes", ("stream", "code", "meaning", *SPLITS, "total", "ours"), tuple(lines), notes
    )


def agreement(rows: Rows) -> Table:
    """Where the release's codes and our verdicts agree, over utterances that have both."""
    spoken = rows.where(config="utterances")
    lines: list[tuple[Cell, ...]] = []
    for stream, code, meaning, verdict in TABLE_3:
        if not verdict:
            continue
        pairs = spoken.together(f"{stream}_code", verdict)
        both = [(bool(theirs & code), ours) for theirs, ours in pairs if theirs is not None and ours is not None]
        counts = [both.count(case) for case in ((True, True), (True, False), (False, True), (False, False))]
        lines.append((f"{stream}: {meaning}", len(both), *counts))
    columns = ("artifact", "judged", "both", "only the release", "only we", "neither")
    return Table("Artifacts: the release's codes and ours", columns, tuple(lines))


def found_here(rows: Rows) -> Table:
    """Our verdicts: how many samples of each config, and their share of those that were judged."""
    lines: list[tuple[Cell, ...]] = []
    for verdict, meaning in VERDICTS.items():
        for config in _configs(rows):
            parts = rows.where(config=config).splits().values()
            judged, found = ([test(part.known(verdict)) for part in parts] for test in (len, sum))
            if judged[-1]:
                lines.append((meaning, config, *found, judged[-1], f"{100 * found[-1] / judged[-1]:.1f}"))
    return Table("Artifacts found here", ("artifact", "config", *SPLITS, "total", "judged", "%"), tuple(lines))


def alignment(rows: Rows) -> Table:
    """Where the matrices come from, and how many clips keep the release's own aligned frames."""
    lines: list[tuple[Cell, ...]] = []
    for config in _configs(rows):
        part = rows.where(config=config)
        sources = [
            sum(source == name for source in part["alignment_source"])
            for name in ("published", "calibration", "estimated")
        ]
        none = len(part) - sum(sources)
        lines.append((config, *sources, none, sum(part.known("aligned_stored"))))
    columns = ("config", "published", "calibration", "estimated", "no matrix", "aligned frames stored")
    return Table("Alignment, samples by source of the matrix", columns, tuple(lines))


def _configs(rows: Rows) -> list[str]:
    return [config for config in ("utterances", "stills") if config in rows.configs]


# --- people ---


def people_table(rows: Rows) -> Table:
    """People by gender, ethnicity and age, and what they wore on each day."""
    persons = people(rows, PERSON)
    lines: list[tuple[Cell, ...]] = []
    for fact in ("gender", "ethnicity"):
        lines += [(fact, *line) for line in by_split(persons, fact, sorted(set(persons.known(fact))))]
    lines += [("age, years", *line) for line in age_rows(persons, AGE_CLASSES)]
    for trial in (1, 2):
        worn = people(rows.where(trial=trial), ("accessories",))
        lines += [(f"worn in trial {trial}", *line) for line in worn_rows(worn)]
    return Table("People", ("fact", "value", *SPLITS, "total"), tuple(lines))


def worn_rows(persons: Rows) -> list[tuple[Cell, ...]]:
    """People by accessories, the release's words; "None" first."""
    return by_split(
        persons, "accessories", sorted(set(persons.known("accessories")), key=lambda word: (word != "None", word))
    )


# --- all of it ---


def tables(rows: Rows) -> Iterator[Table]:
    """Every table, in the order of printing."""
    yield table_1(rows)
    yield table_2(rows)
    if "utterances" in rows.configs:
        yield table_3(rows)
        yield agreement(rows)
    yield found_here(rows)
    yield alignment(rows)
    yield people_table(rows)
    measured = ((config, rows.where(config=config), measure) for measure in MEASURES for config in _configs(rows))
    yield quantile_table("Distributions", measured)


def panels(rows: Rows) -> Iterator[Panel]:
    """What is drawn."""
    persons = people(rows, PERSON)
    age = Measure("age", "age", "years", tuple(range(20, 70, 5)))
    yield histogram("Age", {split: persons.where(split=split) for split in SPLITS}, age, "people")
    yield bars("Gender", "gender", "people", by_split(persons, "gender", sorted(set(persons.known("gender")))))
    yield bars(
        "Ethnicity", "ethnicity", "people", by_split(persons, "ethnicity", sorted(set(persons.known("ethnicity"))))
    )
    worn = {f"trial {trial}": worn_rows(people(rows.where(trial=trial), ("accessories",))) for trial in (1, 2)}
    kinds = dict.fromkeys(str(line[0]) for lines in worn.values() for line in lines)
    counts = {name: {line[0]: line[-1] for line in lines} for name, lines in worn.items()}
    series = {name: tuple(float(found.get(kind) or 0) for kind in kinds) for name, found in counts.items()}
    yield Panel("Accessories", "worn", "people", series, categories=tuple(kinds))
    yield _rates(rows)
    by_config = {config: rows.where(config=config) for config in _configs(rows)}
    for measure in MEASURES:
        # Stills are cut into pieces of 100 frames: their length says nothing.
        chosen = {name: part for name, part in by_config.items() if measure.fact != "seconds" or name == "utterances"}
        if measure.edges:
            yield histogram(measure.meaning.capitalize(), chosen, measure, "samples")


def _rates(rows: Rows) -> Panel:
    """Per cent of utterances with each artifact, by the release and by us."""
    spoken = rows.where(config="utterances")
    names, theirs, ours = [], [], []
    for stream, code, meaning, verdict in TABLE_3:
        codes, verdicts = spoken.known(f"{stream}_code"), spoken.known(verdict)
        if verdict:
            names.append(meaning if verdicts else f"{meaning}\n(not judged)")
            theirs.append(100 * sum(bool(value & code) for value in codes) / max(len(codes), 1))
            ours.append(100 * sum(verdicts) / max(len(verdicts), 1))
    series = {"release": tuple(theirs), "found here": tuple(ours)}
    return Panel("Artifacts", "artifact", "% of utterances", series, categories=tuple(names))
