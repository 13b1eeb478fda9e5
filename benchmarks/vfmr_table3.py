"""Table 3 of VFMR: 1:2 matching and retrieval of faces by voices, with the verification of the PINs row."""

from ..models.core.triplets import confidence
from .core.bench import BenchOptions
from .core.table import Measured, Row, Table
from .core.voice_face import SPLIT, command, measured_folder
from .core.voice_face_scores import Scores

TITLE = "VFMR, Table 3: 1:2 matching and retrieval (mAP) in %"
DATASETS = ("vox_vgg", "chinese_vf", "hq_voxceleb")
CONFIGS = ("voices", "faces")
NEEDS = "checkpoints of `facevox train vfmr` (stage joint)"
TRAININGS = ("vfmr --stage joint --no-freeze-voice",)
WITHOUT = {"judge": "who somebody is stands in the folder; no judge is asked"}
MATCHING, RETRIEVAL, AREA = "1:2", "mAP", "AUC"
MISPRINT = "its printed T does not follow from its printed n, see the notes on T"
NEEDED = "does not follow from the printed n"
OTHERS = (
    "SVHF, PINs, DIMNet, Kim's and Horiguchi's are networks of other papers, which nothing here trains; their vectors "
    "of a test split are measured by `facevox bench matching`"
)
BY_VECTORS = "facevox bench matching --vectors {}.npz"
PUBLISHED: dict[tuple[str, str, str], tuple[float, str]] = {
    ("SVHF", "189", MATCHING): (81.0, ""),
    ("PINs", "100", AREA): (78.5, ""),
    ("DIMNet-I", "189", MATCHING): (83.45, MISPRINT),
    ("DIMNet-IG", "189", MATCHING): (84.12, MISPRINT),
    ("Kim's", "250", MATCHING): (78.2, ""),
    ("Horiguchi's", "216", MATCHING): (78.10, MISPRINT),
    ("VFMR1", "1251", MATCHING): (84.48, ""),
    ("VFMR2", "189", MATCHING): (83.55, MISPRINT),
    ("VFMR3", "500", MATCHING): (71.52, MISPRINT),
    ("VFMR4", "100", MATCHING): (79.14, MISPRINT),
    ("DIMNet-IG", "189", RETRIEVAL): (4.42, ""),
    ("Horiguchi's", "216", RETRIEVAL): (1.96, ""),
    ("VFMR1", "1251", RETRIEVAL): (11.48, "VFMR1's mAP is 11.48 in Tables 3 and 6 and 10.67 in Table 8"),
    ("VFMR2", "189", RETRIEVAL): (9.61, ""),
    ("VFMR3", "500", RETRIEVAL): (5.00, ""),
    ("VFMR4", "100", RETRIEVAL): (7.06, ""),
}
"""Method, test identities, what: value in % and what is known to be wrong with it."""
PUBLISHED_T = {
    "SVHF": (189, 10_000, -239, "reproduces, cut off towards 0"),
    "DIMNet-I, DIMNet-IG": (189, 678_000_000, 992, f"{NEEDED}; of n = 6.78M it does"),
    "Horiguchi's": (216, 38_000_000_000, 2188, f"{NEEDED}; 1.16e9 would be needed"),
    "VFMR1": (1251, 30_720_000, 3725, "reproduces"),
    "VFMR2": (189, 3_720_000, 842, f"{NEEDED}; of n = 3.072M, which 1,000 batches have, it does"),
    "VFMR3": (500, 3_720_000, 2502, f"{NEEDED}; of n = 37.2M it does, of the 3.072M of 1,000 batches it is 1,255.3"),
    "VFMR4": (100, 3_720_000, 823, f"{NEEDED}; of n = 37.2M it does, of the 3.072M of 1,000 batches it is 573.7"),
}
"""Identities, n and T as printed, and whether T = N ln(n / (N (N - 1))) gives it."""


def run(options: BenchOptions) -> Table:
    """Measure what the folder is about and set it beside the paper. Raises ValueError, FolderError."""
    folder, about, scores = measured_folder(options)
    found = measure(scores) if scores else {}
    comparable = scores is None or scores.as_published
    rows = [_row(key, found if key[0] == about else {}, options, comparable) for key in PUBLISHED]
    own = [] if any(key[0] == about for key in PUBLISHED) else [MATCHING, RETRIEVAL]
    needed = command(about, options, "vfmr_table3")
    rows += [Row((about, "-", what), None, found.get(what), needed, digits=2) for what in (*own, AREA)]
    notes = [_confidence(name) for name in PUBLISHED_T] + (scores.notes() if scores else []) + [OTHERS]
    facts = {"folder": folder.digest, "about": about, "protocol": options.protocol, "seed": options.seed}
    people = next((key[1] for key in PUBLISHED if key[0] == about), "-")
    outcomes = (scores.outcomes((about, people, MATCHING), SPLIT),) if scores else ()
    controls = tuple(scores.controls(f"{about}, 1:2")) if scores else ()
    columns = ("method", "test people published", "what")
    return Table(TITLE, columns, tuple(rows), tuple(notes), facts, outcomes=outcomes, controls=controls)


def _row(key: tuple[str, str, str], found: dict[str, Measured], options: BenchOptions, comparable: bool) -> Row:
    value, flag = PUBLISHED[key]
    ours = key[0].startswith("VFMR")
    needed = command(key[0], options, "vfmr_table3") if ours else BY_VECTORS.format(key[0].removesuffix("'s"))
    return Row(key, value, found.get(key[2]), needed, digits=2, comparable=comparable, flag=flag)


def _confidence(name: str) -> str:
    people, drawn, printed, verdict = PUBLISHED_T[name]
    computed = f"{confidence(people, drawn):,.2f} of N {people} and n {drawn:,}"
    return f"T of {name}: printed {printed}, computed {computed}; {verdict}"


# --- measuring: nothing below knows what the paper printed ---


def measure(scores: Scores) -> dict[str, Measured]:
    """1:2, mAP and AUC in % of the test split."""
    found = {MATCHING: scores.matching(), RETRIEVAL: scores.found(), AREA: scores.verification()}
    return {what: one for what, one in found.items() if one is not None}
