"""Tables 5 and 6 of VFMR: matching among 2, 3 and 4, of one gender, and retrieval; unseen and seen people."""

from ..loaders.folder import Folder
from ..models.core.voice_face_inputs import FACES
from .core.bench import BenchOptions
from .core.retrieved_faces import by_voices, picture
from .core.table import Measured, Picture, Row, Table
from .core.voice_face import SPLIT, command, measured_folder
from .core.voice_face_scores import Scores

TITLE = "VFMR, Tables 5 and 6: 1:2, 1:3, 1:4, of one gender, and retrieval (mAP) in %"
DATASETS = ("vox_vgg", "chinese_vf", "hq_voxceleb")
CONFIGS = ("voices", "faces")
NEEDS = "checkpoints of `facevox train vfmr` (stage joint)"
TRAININGS = ("vfmr --stage joint --no-freeze-voice",)
WITHOUT = {"judge": "who somebody is stands in the folder; no judge is asked"}
COLUMNS = ("1:2", "1:3", "1:4", "Male", "Female", "mAP")
PUBLISHED = {
    "VFMR3": (71.52, 55.38, 45.12, 55.57, 54.46, 5.00),
    "VFMR4": (79.14, 67.10, 57.80, 64.49, 64.04, 7.06),
    "VFMR1": (84.48, 73.50, 64.43, 69.85, 71.04, 11.48),
    "VFMR1 (SH)": (87.95, 78.75, 71.86, 77.45, 78.47, 19.21),
    "VFMR2": (83.55, 71.74, 62.88, 66.89, 70.97, 9.61),
    "VFMR2 (SH)": (95.97, 92.16, 89.19, 92.12, 92.14, 38.39),
}
"""By COLUMNS; without (SH) the test people are not in training (UU)."""
PUBLISHED_FLAGS = {("VFMR1", "mAP"): "VFMR1's mAP is 11.48 in Tables 3 and 6 and 10.67 in Table 8"}


def run(options: BenchOptions) -> Table:
    """Measure what the folder is about and set it beside the paper. Raises ValueError, FolderError."""
    folder, about, scores = measured_folder(options)
    found = measure(scores) if scores else {}
    comparable = scores is None or scores.as_published
    rows = []
    for model in dict.fromkeys((*PUBLISHED, about)):
        for at, column in enumerate(COLUMNS):
            value = PUBLISHED[model][at] if model in PUBLISHED else None
            measured = found.get(column) if model == about else None
            flag = PUBLISHED_FLAGS.get((model, column), "")
            needed = command(model, options, "vfmr_tables5_6")
            rows.append(Row((model, column), value, measured, needed, digits=2, comparable=comparable, flag=flag))
    facts = {"folder": folder.digest, "about": about, "protocol": options.protocol, "seed": options.seed}
    notes = tuple(scores.notes()) if scores else ()
    outcomes = (scores.outcomes((about, "1:2"), SPLIT),) if scores else ()
    controls = tuple(scores.controls(f"{about}, 1:2")) if scores else ()
    shown = retrieved_faces(folder, scores) if scores and options.pictures else ()
    columns = ("model", "what")
    return Table(TITLE, columns, tuple(rows), notes, facts, pictures=shown, outcomes=outcomes, controls=controls)


# --- measuring: nothing below knows what the paper printed ---


def measure(scores: Scores) -> dict[str, Measured]:
    """By COLUMNS, what can be had of the test split's people."""
    return scores.table()


def retrieved_faces(folder: Folder, scores: Scores) -> tuple[Picture, ...]:
    """What voices find in the first galleries that mAP is over, by the first network."""
    found = by_voices(scores.seeds[0], scores.asked_voices, scores.seed, scores.metric)
    return picture(folder, found, FACES, scores.picture, "the same person")
