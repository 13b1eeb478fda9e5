"""Table 1 of SpeakingFaces (Sensors 2021, 21(10), 3465): its own line in the comparison of datasets."""

from ..loaders.folder import Folder
from ..loaders.published.speakingfaces import FACTS, TABLE_1_PAIRS, TABLE_2, errata
from ..loaders.rows import Rows, read_rows
from .core.bench import BenchOptions
from .core.counts import NOTHING_GUESSED, Counters, count, counters
from .core.table import Measured, Row, Table

TITLE = "SpeakingFaces, Table 1: subjects and image pairs of both sessions"
DATASETS = ("speakingfaces",)
NEEDS = "configs utterances and stills; counts only"
WITHOUT = NOTHING_GUESSED
BUILD = "facevox build speakingfaces --raw RELEASE --out O"

PUBLISHED = {"speakers": 142, "image pairs": TABLE_1_PAIRS}
PAIRS = ("image pairs, session 2", "image pairs, session 1")
UNTRIMMED = 4
"""Number of the known inconsistency: pairs before trimming."""


def run(options: BenchOptions) -> Table:
    """The folder's counts beside the printed ones. Raises FolderError."""
    folder = Folder(options.data)
    rows = read_rows(folder, FACTS)
    counting = {name: one for name, one in counters(TABLE_2).items() if name in ("speakers", *PAIRS)}
    found = measure(rows, counting, folder.digest)
    flag = next(f"{row[1]} {row[2]}" for row in errata(rows).rows if row[0] == UNTRIMMED)
    listed = [
        Row((name,), PUBLISHED[name], found.get(name), BUILD, digits=0, flag=flag if name == "image pairs" else "")
        for name in PUBLISHED
    ]
    note = "the other lines of the table are other datasets, and no counts of a folder"
    return Table(TITLE, ("row",), tuple(listed), (note,), {"folder": folder.digest})


def measure(rows: Rows, counting: Counters, digest: str) -> dict[str, Measured]:
    """Speakers and pairs of both sessions; no pairs where a session was not built."""
    found = count(counting, rows, digest)
    totals = {name: found[name, "total"] for name in counting if (name, "total") in found}
    both = [totals[name] for name in PAIRS if name in totals]
    measured = {"speakers": totals["speakers"]}
    if len(both) == len(PAIRS):
        measured["image pairs"] = added(*both)
    return measured


def added(first: Measured, second: Measured) -> Measured:
    """The sum of two exact counts over the same rows."""
    value = first.value + second.value
    end = type(first.interval)(value, value)
    return Measured(value, first.count, first.groups, end, None, 1, first.protocol, exact=True)
