"""Table 6 of SF2F (Bai et al.): people, pictures and recordings of data sets of voices and faces."""

from ..loaders.folder import Folder
from ..loaders.rows import Rows, read_rows
from .core.bench import BenchOptions
from .core.counts import NOTHING_GUESSED
from .core.metrics import Interval
from .core.table import Measured, Row, Table

TITLE = "SF2F, Table 6: data sets of voices and faces"
DATASETS = ("hq_voxceleb", "vox_vgg", "avspeech")
NEEDS = "configs faces and voices; counts only"
WITHOUT = NOTHING_GUESSED
VOXCELEB = "VoxCeleb (1 and 2)"
BY_SPLITS = {
    "horiguchi": "FVMatching (Horiguchi)",
    "kim": "FVCeleb (Kim)",
    "filtered_vggface": "Filtered VGGFace (voice2face)",
}
"""Sets that were made of VoxCeleb and VGGFace: how `facevox build vox_vgg --splits` names them."""
BUILDS = {
    "AVSpeech": "avspeech",
    VOXCELEB: "vox_vgg",
    "HQ-VoxCeleb": "hq_voxceleb",
    **{name: f"vox_vgg --splits {rule}" for rule, name in BY_SPLITS.items()},
}
PEOPLE, PICTURES, RECORDINGS = "people", "pictures", "recordings"

PUBLISHED: dict[tuple[str, str], float] = {
    ("FVMatching (Horiguchi)", PEOPLE): 1_078,
    ("FVMatching (Horiguchi)", PICTURES): 118_553,
    ("FVMatching (Horiguchi)", RECORDINGS): 131_815,
    ("FVCeleb (Kim)", PEOPLE): 181,
    ("FVCeleb (Kim)", PICTURES): 181,
    ("FVCeleb (Kim)", RECORDINGS): 239,
    ("AVSpeech", PEOPLE): 100_000,
    (VOXCELEB, PEOPLE): 7_245,
    (VOXCELEB, RECORDINGS): 1_237_274,
    ("Filtered VGGFace (voice2face)", PEOPLE): 1_225,
    ("Filtered VGGFace (voice2face)", PICTURES): 139_572,
    ("Filtered VGGFace (voice2face)", RECORDINGS): 149_354,
    ("HQ-VoxCeleb", PEOPLE): 3_638,
    ("HQ-VoxCeleb", PICTURES): 8_028,
    ("HQ-VoxCeleb", RECORDINGS): 609_700,
}
FLAGS = {
    (VOXCELEB, RECORDINGS): "VoxCeleb1 and the dev set of VoxCeleb2 have 153,516 + 1,092,009 = 1,245,525",
    ("AVSpeech", PEOPLE): "printed as 100,000+",
}


def run(options: BenchOptions) -> Table:
    """The folder's data set counted, beside the printed ones. Raises FolderError."""
    folder = Folder(options.data)
    name, found = measure(folder)
    rows = []
    for (dataset, what), printed in PUBLISHED.items():
        command = f"facevox build {BUILDS[dataset]} --raw RELEASE --out O && facevox bench sf2f_table6 --data O"
        measured = found.get(what) if dataset == name else None
        flag = FLAGS.get((dataset, what), "")
        rows.append(Row((dataset, what), printed, measured, command, digits=0, flag=flag))
    notes = (
        f"counted in the folder's tables, digest {folder.digest[:12]}: exact, so without intervals; it holds {name}",
        "the paper calls the faces of HQ-VoxCeleb normalised, those of all others not",
    )
    return Table(TITLE, ("data set", "of"), tuple(rows), notes, {"folder": folder.digest})


# --- measuring: nothing below knows what the paper printed ---


def measure(folder: Folder) -> tuple[str, dict[str, Measured]]:
    """Which of the sets the folder is, and its counts; of configs that it has. Raises FolderError."""
    rows = read_rows(folder, ("identity", "split_rule"))
    counts = {PEOPLE: len(set(rows["identity"]))}
    counts |= {what: len(part) for what, part in _parts(rows).items()}
    exact = {what: Interval(float(count), float(count)) for what, count in counts.items()}
    people, digest = counts[PEOPLE], folder.digest[:12]
    found = {
        what: Measured(float(count), count, people, exact[what], None, 1, digest, exact=True)
        for what, count in counts.items()
    }
    return _set_of(folder.dataset, rows), found


def _parts(rows: Rows) -> dict[str, Rows]:
    configs = {"faces": PICTURES, "voices": RECORDINGS}
    return {what: rows.where(config=config) for config, what in configs.items() if config in rows.configs}


def _set_of(dataset: str, rows: Rows) -> str:
    if dataset == "vox_vgg":
        rules = [rule for rule in rows["split_rule"] if rule]
        return BY_SPLITS.get(rules[0] if rules else "", VOXCELEB)
    return {"hq_voxceleb": "HQ-VoxCeleb", "avspeech": "AVSpeech"}.get(dataset, dataset)
