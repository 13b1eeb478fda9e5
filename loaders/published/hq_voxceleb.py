"""HQ-VoxCeleb (Bai et al., SF2F): Tables 1 and 6 as printed and as counted; what its pictures were kept for."""

from collections.abc import Callable, Iterator

import numpy as np

from ..comparison import FORGED, Line, comparison, is_forged, uneven
from ..distributions import Measure, Panel, bars, by_split, found_here, histogram, people, per_person, quantile_table
from ..errata.hq_voxceleb import crop_sides
from ..errata.hq_voxceleb import errata as errata
from ..rows import Rows
from ..sample import SPLITS
from ..tabulate import Cell, Table
from ..waterfall import Quality
from ._voxceleb import PERSON_FACTS, voxceleb_totals

TITLE = "HQ-VoxCeleb"
PEOPLE = 3_638
NEUTRAL = 6
"""Place of "neutral" among the seven probabilities of `emotion`."""
STEPS = {
    "faces": (
        *("list", "pairing", "read", "decode", "faces", "resolution", "quality", "edge", "pose", "emotion"),
        *("alignment", "rank", "segmentation", "encode", "identity", "review"),
    ),
    "voices": ("list", "pairing", "read", "decode", "speech", "features", "track", "encode", "review"),
}
"""A picture that a person leaves out (review) is not looked at; it comes last as people have the last word."""


def _steps(most: float, count: int, least: float = 0.0) -> tuple[float, ...]:
    return tuple(np.linspace(least, most, count + 1).tolist())


def _octaves(mark: float, below: int, above: int, parts: int = 3) -> tuple[float, ...]:
    """Edges from `below` octaves under a threshold to `above` over it: the threshold is one of them."""
    return tuple(mark * 2 ** (k / parts) for k in range(-below * parts, above * parts + 1))


IPD = Measure("ipd_px", "distance of the pupils", "px", _octaves(30, 2, 5), 30, True)
SHARPNESS = Measure("sharpness", "sharpness of the face", "variance of the Laplacian", _octaves(40, 4, 8, 2), 40, True)
ASYM5 = Measure("asym5", "five-point asymmetry", "pupil distances", _steps(0.3, 40), 0.045)
ASYM68 = Measure("asym68", "mirror asymmetry, 68 points", "pupil distances", _steps(0.3, 40), 0.06)
YAW = Measure("yaw_deg", "yaw", "degrees, bias not subtracted", _steps(60, 30, -60))
PITCH = Measure("pitch_deg", "pitch", "degrees, bias not subtracted", _steps(60, 30, -60))
EMOTION = Measure("emotion", "neutral expression", "probability", _steps(1, 20))
BORDER = Measure("border_fraction", "crop beyond the picture", "share of the crop", _steps(1, 20), 0.5)
MASK = Measure("mask_fraction", "person in the crop", "share of the crop", _steps(1, 50), 0.98)
SECONDS = Measure("seconds", "length of the recording", "s", _steps(24, 24))
QUALITIES = (
    Quality("faces", "resolution", IPD, "min_ipd"),
    Quality("faces", "quality", SHARPNESS, "min_sharpness"),
    Quality("faces", "pose", ASYM5, "max_asym5"),
    Quality("faces", "pose", ASYM68, "max_asym68"),
    Quality("faces", "pose", YAW),
    Quality("faces", "pose", PITCH),
    Quality("faces", "emotion", EMOTION, part=NEUTRAL),
    Quality("faces", "alignment", BORDER, "max_border"),
    Quality("faces", "segmentation", MASK),
    Quality("voices", "speech", SECONDS),
)
MEASURES = (
    Measure("white_share", "white background", "share of the crop", _steps(1, 20)),
    Measure("speech_seconds", "speech", "s", _steps(24, 24)),
    Measure("mel_frames", "spectrogram", "frames, 100 a second", ()),
)
FACTS = (
    *PERSON_FACTS,
    *("width", "height", "side_px", "white_share", "picked_by", "emotion_judge", "drawing", "segmenter"),
    *("speech_seconds", "mel_frames", "mel_source", "vad", "codec"),
)
"""Facts that are read from the index, beside those of QUALITIES."""


def _of(config: str, count: Callable[[Rows], Cell]) -> Callable[[Rows], Cell]:
    return lambda rows: count(rows.where(config=config))


def _people(rows: Rows) -> int:
    """People with a face and a voice where both are built, else with what is built."""
    sets = [set(rows.where(config=config)["identity"]) for config in ("faces", "voices") if config in rows.configs]
    return len(set.intersection(*sets)) if sets else 0


def _mean_side(at: int) -> Callable[[Rows], Cell]:
    def mean(rows: Rows) -> Cell:
        sides = [side[at] for side in crop_sides(rows)]
        return round(float(np.mean(sides)), 2) if sides else None

    return mean


TABLE_1 = (
    Line("identities", (2890, 370, 378, 3638), _people),
    Line("images", (6375, 859, 794, 8028), _of("faces", len), ("faces",)),
    Line("speech", (478009, 63337, 68354, 609700), _of("voices", len), ("voices",)),
    Line("average width, px", (505.78, 503.63, 504.37, 505.41), _mean_side(0), ("faces",), (6,), adds_up=False),
    Line("average height, px", (505.78, 503.63, 504.37, 505.41), _mean_side(1), ("faces",), (6,), adds_up=False),
)
"""Published values in the paper's order; the total comes last."""
TABLE_6: tuple[tuple[str, Cell, Cell, Cell, str], ...] = (
    ("FVMatching (Horiguchi)", 1_078, 118_553, 131_815, "no"),
    ("FVCeleb (Kim)", 181, 181, 239, "no"),
    ("AVSpeech", "100,000+", None, None, "no"),
    ("VoxCeleb (1 and 2 dev; wrong: 4)", 7_245, None, 1_237_274, "no"),
    ("Filtered VGGFace (voice2face)", 1_225, 139_572, 149_354, "no"),
    ("HQ-VoxCeleb", 3_638, 8_028, 609_700, "yes"),
)
"""Identities, images, speech and whether faces are normalised."""
SPLIT_PEOPLE = {"vox1": (1001, 125, 125), "vox2": (4892, 611, 611)}
"""The rule by row over the whole meta tables, before people without face or voice are dropped."""
GENDERS = {"vox1": {"m": 690, "f": 561}, "vox2": {"m": 3763, "f": 2351}}
"""People of the meta tables."""


def table_1(rows: Rows) -> Table:
    """Published, built and their difference for every row of Table 1, by split and in all."""
    return comparison("Table 1", TABLE_1, rows, tuple(_notes(rows)))


def _notes(rows: Rows) -> Iterator[str]:
    if missing := [config for config in ("faces", "voices") if config not in rows.configs]:
        yield f"Not built here: {', '.join(missing)}."
    if (held := _people(rows)) < PEOPLE:
        yield f"This folder holds {held:,} of {PEOPLE:,} identities: its counts cannot reach the published ones."
    if "candidates" in {"candidates" if how in ("rank", "decision") else how for how in rows["picked_by"]}:
        yield "Its faces were picked here from web photos, by measured thresholds; the published ones by people."
    if is_forged(rows):
        yield FORGED
    yield from uneven(TABLE_1)
    yield "An identity has a face and a voice. The paper prints one number for both sides of its average resolution."


def table_6(rows: Rows) -> Table:
    """The paper's comparison of datasets, with this folder as one more."""
    images, speech = (len(rows.where(config=name)) if name in rows.configs else None for name in ("faces", "voices"))
    lines: list[tuple[Cell, ...]] = [*TABLE_6, ("this folder", _people(rows), images, speech, "yes")]
    columns = ("dataset", "identities", "images", "speech", "normalised faces")
    return Table("Table 6: datasets", columns, tuple(lines))


def people_table(rows: Rows) -> Table:
    """People by subset: the rule's split and gender over whole meta tables, and here."""
    persons = people(rows, ("subset", "gender"))
    lines: list[tuple[Cell, ...]] = []
    for subset, counts in SPLIT_PEOPLE.items():
        part = persons.where(subset=subset)
        lines.append((subset, "everybody", "meta table", *counts, sum(counts)))
        lines.append(("", "", "here", *(len(split) for split in part.splits().values())))
        for gender, count in GENDERS[subset].items():
            lines.append(("", gender, "meta table", None, None, None, count))
            lines.append(("", "", "here", *(len(split.where(gender=gender)) for split in part.splits().values())))
    notes = ("By table row: of ten, the ninth is test and the tenth validation.",)
    return Table("People", ("subset", "people", "", *SPLITS, "total"), tuple(lines), notes)


def per_identity(rows: Rows) -> Table:
    """Images and recordings of one identity: published means, and how many identities here have how many images."""
    faces, voices = (rows.where(config=name) for name in ("faces", "voices"))
    counts = [per_person(faces), per_person(voices)]
    means = [float(np.mean(found)) if found else None for found in counts]
    lines: list[tuple[Cell, ...]] = [
        ("images, mean", round(8028 / 3638, 2), means[0]),
        ("recordings, mean", round(609_700 / 3638, 1), means[1]),
    ]
    for number in range(1, 8):
        lines.append((f"identities with {number} images", None, counts[0].count(number)))
    lines.append(("identities with more", None, sum(count > 7 for count in counts[0])))
    return Table("Of one identity", ("", "published", "here"), tuple(lines))


FOUND = {"faces": ("picked_by", "emotion_judge", "drawing", "segmenter"), "voices": ("mel_source", "vad", "codec")}
"""By what the faces and voices of this folder were judged and made."""


def tables(rows: Rows) -> Iterator[Table]:
    """Every table, in the order of printing; the steps' come after."""
    yield table_1(rows)
    yield table_6(rows)
    yield voxceleb_totals(rows)
    yield people_table(rows)
    yield per_identity(rows)
    yield found_here(rows, FOUND)
    kept = [(quality.config, quality.measure) for quality in QUALITIES if quality.part is None]
    measured = [*kept, ("faces", MEASURES[0]), *(("voices", measure) for measure in MEASURES[1:])]
    yield quantile_table("Distributions", ((name, rows.where(config=name), measure) for name, measure in measured))


def panels(rows: Rows) -> Iterator[Panel]:
    """What is drawn after the steps."""
    persons = people(rows, ("gender",))
    yield bars("Gender", "gender", "people", by_split(persons, "gender", sorted(set(persons.known("gender")))))
    counts = {split: per_person(part.where(config="faces")) for split, part in rows.splits().items()}
    series = {split: tuple(float(counts[split].count(number)) for number in range(1, 8)) for split in SPLITS}
    yield Panel("Images of one identity", "images", "people", series, categories=tuple(map(str, range(1, 8))))
    sides = [max(side) for side in crop_sides(rows)]
    crops = Rows({"side": sides, "config": ["faces"] * len(sides)})
    yield histogram("Side of the crop", {"faces": crops}, Measure("side", "longer side", "px", _octaves(128, 1, 5),
                    None, True), "faces")  # fmt: skip
    for measure in MEASURES:
        if measure.edges:
            yield histogram(measure.meaning.capitalize(), rows.splits() | {"total": Rows({})}, measure, "samples")
