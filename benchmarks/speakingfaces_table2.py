"""Table 2 of SpeakingFaces (Sensors 2021, 21(10), 3465): what the splits hold."""

from ..loaders.folder import Folder
from ..loaders.published.speakingfaces import FACTS, TABLE_2, errata
from ..loaders.rows import Rows, read_rows
from .core.bench import BenchOptions
from .core.counts import NOTHING_GUESSED, Counted, Counters, count, counted, counters
from .core.table import Measured, Table

TITLE = "SpeakingFaces, Table 2: speakers, utterances, words, image pairs and hours of each split"
DATASETS = ("speakingfaces",)
NEEDS = "configs utterances and stills; counts only"
WITHOUT = NOTHING_GUESSED
BUILD = "facevox build speakingfaces --raw RELEASE --out O"

PUBLISHED = Counted(
    TITLE,
    TABLE_2,
    FACTS,
    lambda rows: {int(str(row[0])): f"{row[1]} {row[2]}" for row in errata(rows).rows},
    BUILD,
)


def run(options: BenchOptions) -> Table:
    """The folder's counts beside the printed ones. Raises FolderError."""
    folder = Folder(options.data)
    rows = read_rows(folder, FACTS)
    return counted(PUBLISHED, folder, measure(rows, counters(TABLE_2), folder.digest), rows)


def measure(rows: Rows, counting: Counters, digest: str) -> dict[tuple[str, str], Measured]:
    """Counts by line and split."""
    return count(counting, rows, digest)
