"""Table 4 of VFMR: matching and retrieval with several voices and faces of a person joined."""

from .core.bench import BenchOptions
from .core.metrics import Interval, chance_average_precision
from .core.table import Measured, Row, Table
from .core.voice_face import SPLIT, command, measured_folder
from .core.voice_face_scores import Scores

TITLE = "VFMR, Table 4: joint 1:2 matching and joint retrieval (mAP) in %"
DATASETS = ("vox_vgg", "chinese_vf", "hq_voxceleb")
CONFIGS = ("voices", "faces")
NEEDS = "checkpoints of `facevox train vfmr` (stage joint)"
TRAININGS = ("vfmr --stage joint --no-freeze-voice",)
WITHOUT = {"judge": "who somebody is stands in the folder; no judge is asked"}
MATCHING, RETRIEVAL = "1:2", "mAP"
JOINED = (1, 5, 10, 15, 20, 30)
GALLERIES = {(RETRIEVAL, 20, 1): (500, 5), (RETRIEVAL, 1, 5): (100, 1)}
"""Faces of a gallery, and how many of them are right: of 100 people five faces, or one of five joined."""
UNSTEADY = "published joint accuracies do not rise steadily with the number joined: small differences say nothing"
PUBLISHED = {
    **{("VFMR1", MATCHING, 1, m): v for m, v in zip(JOINED[1:], (85.55, 84.56, 86.28, 86.53, 84.71), strict=True)},
    **{("VFMR1", MATCHING, m, 1): v for m, v in zip(JOINED[1:], (85.13, 86.01, 85.49, 86.16, 85.63), strict=True)},
    **{
        ("VFMR1", MATCHING, m, m): v
        for m, v in zip((1, 5, 10, 20, 30), (84.48, 86.42, 89.66, 89.54, 89.28), strict=True)
    },
    **{(f"VFMR{n}", RETRIEVAL, 20, 1): v for n, v in zip((1, 2, 3, 4), (12.53, 12.57, 5.29, 8.01), strict=True)},
    **{(f"VFMR{n}", RETRIEVAL, 1, 5): v for n, v in zip((1, 2, 3, 4), (21.65, 22.83, 10.39, 15.10), strict=True)},
    ("Random", RETRIEVAL, 20, 1): 2.15,
    ("Random", RETRIEVAL, 1, 5): 5.25,
}
"""Model, what, voices joined, faces joined."""
PUBLISHED_FLAGS = {
    ("Random", RETRIEVAL, 1, 5): "of 100 faces, one of them right, chance is 5.187 % by formula; 5.25 was simulated",
}


def run(options: BenchOptions) -> Table:
    """Measure what the folder is about and set it beside the paper. Raises ValueError, FolderError."""
    folder, about, scores = measured_folder(options)
    found = measure(scores) if scores else {}
    comparable = scores is None or scores.as_published
    rows = []
    own = [(about, *key) for key in found if (about, *key) not in PUBLISHED]
    for model, what, voices, faces in (*PUBLISHED, *own):
        key = (model, what, voices, faces)
        measured = found.get(key[1:]) if model == about else RANDOM.get(key[1:]) if model == "Random" else None
        needed = "" if model == "Random" else command(model, options, "vfmr_table4")
        labels = (model, what, str(voices), str(faces))
        flag = PUBLISHED_FLAGS.get(key, "")
        rows.append(Row(labels, PUBLISHED.get(key), measured, needed, digits=2, comparable=comparable, flag=flag))
    facts = {"folder": folder.digest, "about": about, "protocol": options.protocol, "seed": options.seed}
    notes = (UNSTEADY, *(scores.notes() if scores else ()), *(chances(scores) if scores else ()))
    columns = ("model", "what", "voices joined", "faces joined")
    controls = tuple(scores.controls(f"{about}, 1:2")) if scores else ()
    tested = (SPLIT,) if scores else ()
    return Table(TITLE, columns, tuple(rows), notes, facts, tested=tested, controls=controls)


# --- measuring: nothing below knows what the paper printed ---


def measure(scores: Scores) -> dict[tuple[str, int, int], Measured]:
    """By what, voices and faces joined; of people who have as many; with fewer than two there is none."""
    joined = [(1, m) for m in JOINED] + [(m, 1) for m in JOINED[1:]] + [(m, m) for m in JOINED[1:]]
    matched = {(MATCHING, voices, faces): scores.joint(voices, faces) for voices, faces in joined}
    found = {key: one for key, one in matched.items() if one is not None}
    retrieved = {(RETRIEVAL, voices, faces): scores.found(voices, faces) for voices, faces in ((20, 1), (1, 5))}
    return found | {key: one for key, one in retrieved.items() if one is not None}


def _random(faces: int, right: int) -> Measured:
    share = 100 * chance_average_precision(faces, right)
    return Measured(share, faces, faces // right, Interval(share, share), None, 1, "", exact=True)


RANDOM = {key: _random(*gallery) for key, gallery in GALLERIES.items()}
"""mAP of a random order of the paper's galleries, by formula."""


def chances(scores: Scores) -> list[str]:
    """Chance of the galleries that were asked, by formula, and how many people have enough samples to be joined."""
    own = scores.seeds[0]
    enough = [
        f"{kind} to join: " + ", ".join(f"{own.having(kind, m)} with {m}" for m in JOINED[1:])
        for kind in ("voices", "faces")
    ]
    joined = (
        f"joined are means of so many samples of those people who have as many, drawn once by seed {scores.seed}; "
        f"of {len(own.people)} people {'; '.join(enough)}"
    )
    galleries = [
        f"chance of {name} retrieval in these galleries: {100 * found[0].chance:.3f} %"
        for name, sizes in (("joint-voice", (20, 1)), ("joint-face", (1, 5)))
        if (found := scores.retrieved(*sizes))
    ]
    return [joined, *galleries]
