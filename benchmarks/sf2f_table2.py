"""Table 2 of SF2F (Bai et al.): Inception and VGGFace score of real faces at three resolutions."""

import numpy as np
from numpy.typing import NDArray

from ..loaders.folder import Folder
from ..models.core.face_crops import resized
from .core.bench import BenchOptions
from .core.class_controls import class_controls
from .core.class_judges import INCEPTION, SPLITS, choosing, classes_missing, obtaining_classes, open_class_judge, scored
from .core.table import Measured, Row, Table

TITLE = "SF2F, Table 2: Inception and VGGFace score of the real faces of HQ-VoxCeleb"
DATASETS = ("hq_voxceleb",)
CONFIGS = ("faces",)
NEEDS = "judges of classes: inception-2015, and that of --class-judge (--models)"
SIDES = (64, 128, 256)
SPLIT = "test"
PICTURE = "masked.jpg"
INCEPTION_SCORE, FACE_SCORE = "Inception Score", "VGGFace Score"

PUBLISHED = {
    (INCEPTION_SCORE, 64): 2.074,
    (INCEPTION_SCORE, 128): 2.286,
    (INCEPTION_SCORE, 256): 2.583,
    (FACE_SCORE, 64): 48.720,
    (FACE_SCORE, 128): 51.048,
    (FACE_SCORE, 256): 50.525,
}


def run(options: BenchOptions) -> Table:
    """Both scores, as far as their judges are here. Raises FolderError, ValueError."""
    folder, judges = Folder(options.data), {INCEPTION_SCORE: INCEPTION, FACE_SCORE: options.class_judge}
    rows, (found, seen) = [], measure(folder, options)
    absent = {score: classes_missing(judge, options.models) for score, judge in judges.items()}
    for (score, side), printed in PUBLISHED.items():
        steps = [obtaining_classes(judges[score], options.data, options.runs or "W")] if absent[score] else []
        bench = f"facevox bench sf2f_table2 --data {options.data} {choosing(options.class_judge, options.models)}"
        command = " && ".join(filter(None, [*steps, bench]))
        measured = found.get((score, side))
        rows.append(Row((score, f"{side} px"), printed, measured, command, digits=3, comparable=False))
    notes = (
        *(f"{score}: by {judge}" + (f" ({absent[score]})" if absent[score] else "") for score, judge in judges.items()),
        f"all pictures of split {SPLIT}, in {SPLITS} parts; a score is at most the pictures of a part, so folders of "
        "other sizes are not comparable. 95 %: Student's, of the parts",
    )
    controls = [one for judge, parts in seen.items() for one in class_controls(judge, *parts, options.seed)]
    return Table(
        TITLE,
        ("score", "resolution"),
        tuple(rows),
        notes,
        {"folder": folder.digest},
        controls=tuple(controls),
        tested=(SPLIT,) if found else (),
    )


# --- measuring: nothing below knows what the paper printed ---


Seen = dict[str, tuple[NDArray[np.float64], NDArray[np.str_]]]
"""By judge, probabilities (N, classes) of the real faces at the largest size, and whose each is, (N,)."""


def measure(folder: Folder, options: BenchOptions) -> tuple[dict[tuple[str, int], Measured], Seen]:
    """Scores by resolution of the judges that are here, and what these see. Raises FolderError, ValueError."""
    wanted = {INCEPTION_SCORE: INCEPTION, FACE_SCORE: options.class_judge}
    judges = {
        score: open_class_judge(name, options.models)
        for score, name in wanted.items()
        if not classes_missing(name, options.models)
    }
    rows = folder.index.select(["config", "split", "identity", "key"]).to_pylist()
    chosen = sorted((r["key"], r["identity"]) for r in rows if (r["config"], r["split"]) == ("faces", SPLIT))
    shares: dict[tuple[str, int], list[NDArray[np.float64]]] = {}
    for key, _ in chosen[: options.limit or None] if judges else ():
        (sample,) = folder.fetch([key], [PICTURE], config="faces")
        for side in SIDES:
            picture = resized(sample[PICTURE], (side, side))
            for score, judge in judges.items():
                shares.setdefault((score, side), []).append(judge([picture])[0])
    people = [who for _, who in chosen[: options.limit or None]]
    keys = [key for key, _ in chosen[: options.limit or None]]
    found = {label: scored([np.array(part)], people, keys, options.seed) for label, part in shares.items()}
    seen = {
        f"{wanted[score]} at {side} px": (np.array(part), np.array(people, np.str_))
        for (score, side), part in shares.items()
        if side == SIDES[-1]
    }
    return found, seen
