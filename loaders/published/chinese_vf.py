"""Chinese_VF (VFMR, Table 1) and its splits, as published and as counted in a folder."""

from collections import Counter
from collections.abc import Iterator

import numpy as np

from ..comparison import FORGED, difference, is_forged
from ..distributions import Measure, Panel, bars, by_split, found_here, histogram, people, per_person, quantile_table
from ..errata.chinese_vf import errata as errata
from ..rows import Rows
from ..sample import SPLITS
from ..tabulate import Cell, Table
from ..waterfall import Quality
from ._vfmr import TABLE_1

TITLE = "Chinese_VF"
COUNTS = tuple((gender, (who, voices, faces)) for title, _, gender, who, voices, faces in TABLE_1 if title == TITLE)
"""Gender; identities, utterances, images."""
PER_IDENTITY = (593, 2_301)
"""Utterances and images of one identity."""
SPLIT_PEOPLE: tuple[tuple[str, str, Cell, Cell], ...] = (
    ("VFMR3", "vfmr3", None, 500),
    ("VFMR4, five folds", "vfmr4", 400, 100),
    ("seen-heard", "sh", None, None),
)
"""Whose, its name here; people in train and test as published."""
REASONS = {
    "score of the detector": "detector",
    "cosine not above": "score",
    "another face of the frame": "other face",
    "nearly the same": "duplicate",
    "shorter than": "too short",
    "video left out": "video",
}
"""How the collector's reasons for what it did not keep begin, and the step that each is of."""
STEPS = {
    "faces": (
        *("detector", "score", "other face", "duplicate", "video", "split", "missing file"),
        *("read", "decode", "review"),
    ),
    "voices": (
        *("too short", "score", "video", "split", "missing file", "read", "decode", "speech", "length", "encode"),
        *("features", "review"),
    ),
}
"""What the collector and the build leave out, in order."""
SCORES = tuple(np.linspace(-0.2, 1, 121).tolist())
QUALITIES = (
    Quality("faces", "score", Measure("score", "similarity of the face", "cosine", SCORES), "tau_face"),
    Quality("voices", "score", Measure("score", "similarity of the voice", "cosine", SCORES), "tau_voice"),
)
MEASURES = (
    Measure("det_conf", "score of the face", "detector's own scale", tuple(np.linspace(0.8, 1, 41).tolist())),
    Measure("width", "width of the face's picture", "px", tuple(16 * 2 ** (k / 4) for k in range(25)), None, True),
    Measure("seconds", "length of the window", "s", tuple(np.linspace(0, 12, 25).tolist())),
    Measure("speech_seconds", "speech in the window", "s", tuple(np.linspace(0, 12, 25).tolist())),
)
OF_CONFIG = (("faces", MEASURES[0]), ("faces", MEASURES[1]), ("voices", MEASURES[2]), ("voices", MEASURES[3]))
FACTS = (
    *("speaker_id", "gender", "fold", "split_rule", "video_id", "source", "start_ms", "end_ms"),
    *("detector", "box_scale", "face_embedder", "voice_embedder", "tau_face", "tau_voice", "vad"),
    *(measure.fact for measure in MEASURES),
)
"""Facts that are read from the index, beside those of QUALITIES."""


def table_1(rows: Rows) -> Table:
    """Chinese_VF's rows of Table 1 beside the folder's: people of any config, windows of voices, faces."""
    lines: list[tuple[Cell, ...]] = []
    for gender, published in COUNTS:
        part = rows if gender == "total" else rows.where(gender=gender[0])
        built: list[Cell] = [len(set(part["identity"]))]
        built += [len(part.where(config=name)) if name in rows.configs else None for name in ("voices", "faces")]
        pairs = zip(published, built, strict=True)
        lines.append((gender, *(cell for count, here in pairs for cell in (count, here, difference(here, count)))))
    columns = ("", "identities", "here", "off", "utterances", "here", "off", "images", "here", "off")
    notes = ["Chinese_VF was never published as files: this folder is a collection of other videos."]
    if missing := [config for config in ("faces", "voices") if config not in rows.configs]:
        notes.append(f"Not built here: {', '.join(missing)}.")
    if is_forged(rows):
        notes.append(FORGED)
    return Table("Table 1", columns, tuple(lines), tuple(notes))


def per_identity(rows: Rows) -> Table:
    """Windows, faces and videos of one person on average, published and here."""
    held = len(set(rows["identity"])) or None
    lines: list[tuple[Cell, ...]] = []
    for title, config, published in (("utterances", "voices", PER_IDENTITY[0]), ("images", "faces", PER_IDENTITY[1])):
        count = len(rows.where(config=config)) if config in rows.configs else None
        lines.append((title, published, count / held if held and count is not None else None))
    videos = len({at for at in rows.together("identity", "video_id") if at[1]})
    lines.append(("videos", None, videos / held if held else None))
    return Table("Of one identity", ("", "published", "here"), tuple(lines))


def splits_table(rows: Rows) -> Table:
    """People of the published splits beside those of the one that the folder was built with."""
    built = rows.where(config="faces") if "faces" in rows.configs else rows
    rule = next((str(name).split(" ")[0] for name in built.known("split_rule")), "")
    here = [len(set(built.where(split=split)["identity"])) for split in ("train", "test")]
    lines = tuple((*published, *(here if published[1] == rule else (None, None))) for published in SPLIT_PEOPLE)
    return Table("People by published split", ("", "--splits", "train", "test", "train here", "test here"), lines)


def folds_table(rows: Rows) -> Table:
    """People, windows and faces of each fold."""
    lines: list[tuple[Cell, ...]] = []
    for fold in sorted(set(rows.known("fold"))):
        part = rows.where(fold=fold)
        who = people(part, ("gender",))
        counts = [len(part.where(config=name)) if name in rows.configs else None for name in ("voices", "faces")]
        lines.append((fold, len(who), len(who.where(gender="m")), len(who.where(gender="f")), *counts))
    return Table("Folds", ("fold", "people", "m", "f", "voices", "faces"), tuple(lines))


FOUND = {
    "faces": ("detector", "face_embedder", "tau_face", "box_scale"),
    "voices": ("voice_embedder", "tau_voice", "vad"),
}
"""By what faces and voices were found and scored."""


def tables(rows: Rows) -> Iterator[Table]:
    """Every table, in the order of printing; the steps' come after."""
    yield table_1(rows)
    yield per_identity(rows)
    yield splits_table(rows)
    yield folds_table(rows)
    yield found_here(rows, FOUND)
    kinds = [(quality.config, quality.measure) for quality in QUALITIES] + list(OF_CONFIG)
    yield quantile_table("Distributions", ((config, rows.where(config=config), measure) for config, measure in kinds))


def panels(rows: Rows) -> Iterator[Panel]:
    """What is drawn after the steps."""
    persons = people(rows, ("gender",))
    yield bars("People", "gender", "people", by_split(persons, "gender", sorted(set(persons.known("gender")))))
    for config, measure in OF_CONFIG:
        parts = {split: rows.where(config=config, split=split) for split in SPLITS}
        yield histogram(measure.meaning.capitalize(), parts, measure, "samples")
    edges = tuple(2**k for k in range(13))
    for config in ("faces", "voices"):
        part = rows.where(config=config)
        of_video = list(Counter(part.together("identity", "video_id")).values())
        drawn = {"a person": Rows({"count": per_person(part)}), "a video": Rows({"count": of_video})}
        measure = Measure("count", config, "number", edges, None, True)
        yield histogram(f"{config.capitalize()} of one person and video", drawn, measure, "people and videos")
