"""Vox-VGG-1 and 2 (VFMR, Table 1) with the splits drawn from them, and RC-GAN's classes: published and as counted."""

from collections.abc import Iterator

import numpy as np

from ..comparison import FORGED, difference, is_forged
from ..distributions import Measure, Panel, bars, by_split, found_here, histogram, people, per_person, quantile_table
from ..errata.vox_vgg import errata as errata
from ..rows import Rows
from ..sample import SPLITS
from ..tabulate import Cell, Table
from ..waterfall import Quality
from ._vfmr import TABLE_1 as TABLE_1
from ._voxceleb import PERSON_FACTS, voxceleb_totals

TITLE = "Vox-VGG"
_VOICE_STEPS = ("list", "split", "read", "decode", "speech", "features", "track", "encode", "review")
STEPS = {
    "faces": ("list", "read", "decode", "faces", "crop", "encode", "review"),
    "voices": _VOICE_STEPS,
    "rcgan": ("list", "target", *_VOICE_STEPS[2:]),
}
CONFIDENCE = Measure(
    "det_conf", "score of the face", "detector's own scale", tuple(np.linspace(0, 1, 51).tolist()), 0.9
)
SECONDS = Measure("seconds", "length of the recording", "s", tuple(np.linspace(0, 24, 25).tolist()))
QUALITIES = (
    Quality("faces", "faces", CONFIDENCE, "min_confidence"),
    Quality("voices", "speech", SECONDS),
)
MEASURES = (
    Measure("ipd", "distance of the eyes", "px of the picture", tuple(4 * 2 ** (k / 3) for k in range(25)), None, True),
    Measure("width", "width of the picture", "px", tuple(32 * 2 ** (k / 3) for k in range(25)), None, True),
    Measure("n_faces", "faces in the picture", "faces", ()),
    Measure("list_pose", "pose in VGGFace's list", "model of its detector", ()),
    Measure("speech_seconds", "speech", "s", tuple(np.linspace(0, 24, 25).tolist())),
)
FACTS = (
    *PERSON_FACTS,
    *("split_rule", "held_out", "name_in_vggface2", "detector", "box_scale", "list_curated"),
    *("vad", "codec", "class_index", "n_clips", "n_faces", "segments", "target_image"),
    *(measure.fact for measure in MEASURES),
)
"""Facts that are read from the index, beside those of QUALITIES."""
GENDERS = {"m": "male", "f": "female"}
SPLIT_PEOPLE: tuple[tuple[str, str, Cell, Cell, Cell], ...] = (
    ("VFMR1", "vfmr1", 5994, None, 1251),
    ("VFMR1, unseen-unheard", "uu", 5994, None, 1251),
    ("VFMR1, seen-heard", "sh", None, None, None),
    ("VFMR2", "vfmr2", 1000, 62, 189),
    ("SVHF", "svhf", 942, None, None),
    ("DIMNet, voice2face", "dimnet", 924, 112, 189),
    ("filtered VGGFace (SF2F, Tables 7 and 8)", "filtered_vggface", 924, 112, 189),
    ("PINs; vfal-eva", "pins", 901, 100, 250),
    ("Kim (wrong: 2)", "kim", 1101, None, 250),
    ("Horiguchi", "horiguchi", 862, None, 216),
)
"""Whose, its name here; people in train, validation and test as published."""
FILTERED = (1_225, 139_572, 149_354)
"""Filtered VGGFace: identities, images, utterances."""


def table_1(rows: Rows) -> Table:
    """Every row of Table 1 beside the folder's: people of any config, recordings of voices, pictures of faces."""
    lines: list[tuple[Cell, ...]] = []
    for title, subset, gender, *published in TABLE_1:
        part = rows.where(subset=subset, **({} if gender == "total" else {"gender": gender[0]}))
        built: list[Cell] = [len(set(part["identity"]))]
        built += [len(part.where(config=name)) if name in rows.configs else None for name in ("voices", "faces")]
        if not subset:
            built = [None] * 3
        pairs = zip(published, built, strict=True)
        cells = [cell for count, here in pairs for cell in (count, here, difference(here, count))]
        lines.append((title, gender, *cells))
    columns = ("", "", "identities", "here", "off", "utterances", "here", "off", "images", "here", "off")
    notes = ["Images: those in which MTCNN finds a face. Chinese_VF is not of this dataset and was never published."]
    if missing := [config for config in ("faces", "voices") if config not in rows.configs]:
        notes.append(f"Not built here: {', '.join(missing)}.")
    if is_forged(rows):
        notes.append(FORGED)
    return Table("Table 1", columns, tuple(lines), tuple(notes))


def per_identity(rows: Rows) -> Table:
    """Recordings and pictures of one person on average, published and here."""
    lines: list[tuple[Cell, ...]] = []
    for title, subset, gender, who, voices, faces in TABLE_1:
        if subset and gender == "total":
            part = rows.where(subset=subset)
            held = len(set(part["identity"]))
            means = [len(part.where(config=name)) / held if held else None for name in ("voices", "faces")]
            lines.append((title, round(voices / who, 1), means[0], round(faces / who, 1), means[1]))
    columns = ("", "utterances", "here", "images", "here")
    return Table("Of one identity", columns, tuple(lines))


def splits_table(rows: Rows) -> Table:
    """People of every published split; those of the folder beside the one that it was built with."""
    built = rows.where(config="faces") if "faces" in rows.configs else rows.where(config="voices")
    lines: list[tuple[Cell, ...]] = []
    for title, name, *published in SPLIT_PEOPLE:
        part = built.where(split_rule=name)
        here = [len(set(part.where(split=split)["identity"])) for split in SPLITS] if len(part) else [None] * 3
        lines.append((title, name, *published, *here))
    columns = ("", "--splits", *SPLITS, *(f"{split} here" for split in SPLITS))
    notes = (
        "Published: 62 of VFMR2's people are in neither set, here validation; SVHF tells of no other. DIMNet and "
        f"filtered VGGFace count people with filtered faces ({FILTERED[0]:,}, with {FILTERED[1]:,} images and "
        f"{FILTERED[2]:,} utterances).",
    )
    return Table("People by published split", columns, tuple(lines), notes)


def rcgan_table(rows: Rows) -> Table:
    """RC-GAN's counts and those of the folder's config `rcgan`."""
    part = rows.where(config="rcgan")
    classes = dict(part.together("class_index", "n_faces"))
    clips = dict(part.together("class_index", "n_clips"))
    faces = sum(count or 0 for count in classes.values())
    tested = part.where(split="test").total("segments")
    lines: tuple[tuple[Cell, ...], ...] = (
        ("classes", 9, len(classes)),
        ("fewest recordings of a class", "200 or more", min(clips.values(), default=None)),
        ("recordings", None, len(part)),
        ("faces to draw targets from", 3_808, faces),
        ("pairs of these faces", 7_248_528, faces * (faces - 1) // 2),
        ("target faces", 9, len(set(part.together("class_index", "target_image")))),
        ("segments in the test", "some 420", tested),
    )
    notes = ("Some 420: the smallest count of which the three printed accuracies are whole parts.",)
    return Table("RC-GAN", ("", "published", "here"), lines, notes)


FOUND = {
    "faces": ("detector", "held_out", "name_in_vggface2", "list_curated"),
    "voices": ("held_out", "vad", "codec"),
}
"""By what faces and voices were found, and what is known of the people."""


def tables(rows: Rows) -> Iterator[Table]:
    """Every table, in the order of printing; the steps' come after."""
    yield table_1(rows)
    yield per_identity(rows)
    yield splits_table(rows)
    yield voxceleb_totals(rows)
    if "rcgan" in rows.configs:
        yield rcgan_table(rows)
    yield found_here(rows, FOUND)
    kinds = [("faces", CONFIDENCE), *(("faces", m) for m in MEASURES[:4]), ("voices", SECONDS), ("voices", MEASURES[4])]
    yield quantile_table("Distributions", ((config, rows.where(config=config), measure) for config, measure in kinds))


def panels(rows: Rows) -> Iterator[Panel]:
    """What is drawn after the steps."""
    persons = people(rows, ("subset", "gender"))
    for title, subset in (("Vox-VGG-1", "vox1"), ("Vox-VGG-2", "vox2")):
        part = persons.where(subset=subset)
        yield bars(f"{title}: people", "gender", "people", by_split(part, "gender", sorted(set(part.known("gender")))))
    for measure in MEASURES:
        if measure.edges:
            config = "voices" if measure.fact == "speech_seconds" else "faces"
            parts = {split: rows.where(config=config, split=split) for split in SPLITS}
            yield histogram(measure.meaning.capitalize(), parts, measure, "samples")
    faces = rows.where(config="faces")
    most = min(max(faces.known("n_faces"), default=1), 8)
    yield bars("Faces in the picture", "faces", "pictures", by_split(faces, "n_faces", range(1, most + 1)))
    for config in ("faces", "voices"):
        counts = {split: per_person(rows.where(config=config, split=split)) for split in SPLITS}
        edges = tuple(2**k for k in range(12))
        drawn = {split: Rows({"count": found}) for split, found in counts.items()}
        yield histogram(f"{config.capitalize()} of one person", drawn, Measure("count", config, "number", edges, None,
                        True), "people")  # fmt: skip
