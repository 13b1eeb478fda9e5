"""Table 1 of VFMR: people, utterances and images of Vox-VGG-1, Vox-VGG-2 and Chinese_VF."""

from ..loaders.folder import Folder
from ..loaders.published.vox_vgg import TABLE_1
from ..loaders.rows import Rows, read_rows
from .core.bench import BenchOptions
from .core.counts import NOTHING_GUESSED
from .core.metrics import Interval
from .core.table import Measured, Row, Table

TITLE = "VFMR, Table 1: identities, utterances and images by gender"
DATASETS = ("vox_vgg", "chinese_vf")
NEEDS = "configs voices and faces; counts only"
WITHOUT = NOTHING_GUESSED
SETS = {"Vox-VGG-2": "vox2", "Vox-VGG-1": "vox1", "Chinese_VF": ""}
"""Subset of Vox-VGG; empty: another dataset."""
GENDERS = ("male", "female", "total")
COLUMNS = ("identities", "utterances", "images")
CONFIGS_OF = {"utterances": "voices", "images": "faces"}
FACTS = ("identity", "gender", "subset")
PUBLISHED = {(title, gender): counts for title, _, gender, *counts in TABLE_1}
"""By set and gender, counts by COLUMNS."""


def run(options: BenchOptions) -> Table:
    """The folder's counts beside the printed ones. Raises FolderError."""
    folder = Folder(options.data)
    rows, dataset = read_rows(folder, FACTS), folder.dataset
    found = measure(rows, dataset, folder.digest)
    listed = []
    for (title, gender), counts in PUBLISHED.items():
        for what, printed in zip(COLUMNS, counts, strict=True):
            build = f"facevox build vox_vgg --set {title.lower()}" if SETS[title] else "facevox build chinese_vf"
            measured = found.get((title, gender, what))
            listed.append(Row((title, gender, what), printed, measured, f"{build} --raw R --out O", digits=0))
    notes = [f"counted in the folder's tables, digest {folder.digest[:12]}: exact, so without intervals"]
    if dataset == "chinese_vf":
        notes.append("Chinese_VF was never published as files: this folder is a collection of other videos")
    return Table(TITLE, ("set", "gender", "count"), tuple(listed), tuple(notes), {"folder": folder.digest})


# --- measuring: nothing below knows what the paper printed ---


def measure(rows: Rows, dataset: str, digest: str) -> dict[tuple[str, str, str], Measured]:
    """By set, gender and count, of the sets that the folder holds."""
    found = {}
    for title, subset in SETS.items():
        held = rows.where(subset=subset) if subset else rows
        if not len(held) or (dataset == "chinese_vf") == bool(subset):
            continue
        for gender in GENDERS:
            part = held if gender == "total" else held.where(gender=gender[0])
            people = len(set(part["identity"]))
            counts = {"identities": people}
            counts |= {
                what: len(part.where(config=config)) for what, config in CONFIGS_OF.items() if config in rows.configs
            }
            for what, count in counts.items():
                end = Interval(count, count)
                found[title, gender, what] = Measured(count, len(part), people, end, None, 1, digest[:12], exact=True)
    return found
