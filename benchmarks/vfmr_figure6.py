"""Figure 6 of VFMR: 1:n matching for n = 2 .. 10."""

from .core.bench import BenchOptions
from .core.controls import Control
from .core.gallery_controls import tuple_controls
from .core.table import Curve, Figure, Measured, Row, Table
from .core.voice_face import SPLIT, command, measured_folder
from .core.voice_face_scores import Scores

TITLE = "VFMR, Figure 6: 1:n matching in %"
DATASETS = ("vox_vgg", "chinese_vf", "hq_voxceleb")
CONFIGS = ("voices", "faces")
NEEDS = "checkpoints of `facevox train vfmr` (stage joint)"
TRAININGS = ("vfmr --stage joint --no-freeze-voice",)
WITHOUT = {"judge": "who somebody is stands in the folder; no judge is asked"}
SIZES = tuple(range(2, 11))
PUBLISHED = {
    "VFMR1": {3: 73.50, 4: 64.43},
    "VFMR2": {3: 71.74, 4: 62.88},
    "VFMR3": {3: 55.38, 4: 45.12},
    "VFMR4": {3: 67.10, 4: 57.80},
}
"""What is printed of the curves, in Tables 5 and 6. Their 1:2 is half of one gender: no point of this curve."""


def run(options: BenchOptions) -> Table:
    """Measure what the folder is about. Raises ValueError, FolderError."""
    folder, about, scores = measured_folder(options)
    found = measure(scores) if scores else {}
    comparable = scores is None or scores.as_published
    printed = PUBLISHED.get(about, {})
    needed = command(about, options, "vfmr_figure6")
    rows = [
        Row((about, f"1:{n}"), printed.get(n), found.get(n), needed, digits=2, comparable=comparable) for n in SIZES
    ]
    rows += [
        Row((model, f"1:{n}"), value, None, command(model, options, "vfmr_figure6"), digits=2)
        for model, values in PUBLISHED.items()
        for n, value in values.items()
        if model != about
    ]
    facts = {"folder": folder.digest, "about": about, "protocol": options.protocol, "seed": options.seed}
    notes = (*(scores.notes() if scores else ()), "1:n over all people alike, so that 1:2 is not that of Table 3")
    outcomes = (scores.outcomes((about, "1:2"), SPLIT),) if scores else ()
    figures, controls = (_figure(about, found),), _controls(about, scores) if scores else ()
    return Table(TITLE, ("model", "what"), tuple(rows), notes, facts, figures, outcomes=outcomes, controls=controls)


def _controls(about: str, scores: Scores) -> tuple[Control, ...]:
    own = tuple_controls(f"{about}, 1:n", scores.seeds[0], scores.metric, scores.device, scores.seed)
    return *scores.leakage, *own


def _figure(about: str, found: dict[int, Measured]) -> Figure:
    sizes = tuple(map(float, found))
    curves = [Curve("chance", tuple(map(float, SIZES)), tuple(100 / n for n in SIZES))]
    if found:
        values = found.values()
        ends = [tuple(getattr(one.interval, end) for one in values) for end in ("low", "high")]
        curves.append(Curve(f"{about}, measured", sizes, tuple(one.value for one in values), low=ends[0], high=ends[1]))
    if printed := PUBLISHED.get(about):
        curves.append(Curve(f"{about}, published", tuple(map(float, printed)), tuple(printed.values()), True))
    return Figure(TITLE, "n: faces to choose from", "right, %", tuple(curves))


# --- measuring: nothing below knows what the paper printed ---


def measure(scores: Scores) -> dict[int, Measured]:
    """By n, as far as there are people."""
    return {n: one for n in SIZES if (one := scores.among(n)) is not None}
