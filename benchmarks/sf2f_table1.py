"""Table 1 of SF2F (Bai et al., speech fusion to face): what HQ-VoxCeleb holds."""

from ..loaders.folder import Folder
from ..loaders.published.hq_voxceleb import FACTS, TABLE_1, errata
from ..loaders.rows import DERIVED_TYPES, Rows, read_rows
from .core.bench import BenchOptions
from .core.counts import NOTHING_GUESSED, Counted, Counters, count, counted, counters
from .core.table import Measured, Table

TITLE = "SF2F, Table 1: people, pictures, recordings and sizes of HQ-VoxCeleb"
DATASETS = ("hq_voxceleb",)
NEEDS = "configs faces and voices; counts only"
WITHOUT = NOTHING_GUESSED
BUILD = "facevox build hq_voxceleb --raw RELEASE --out O"

PUBLISHED = Counted(
    TITLE,
    TABLE_1,
    (*FACTS, *DERIVED_TYPES),
    lambda rows: {int(str(row[0])): f"{row[1]} {row[2]}" for row in errata(rows).rows},
    BUILD,
)


def run(options: BenchOptions) -> Table:
    """The folder's counts beside the printed ones. Raises FolderError."""
    folder = Folder(options.data)
    rows = read_rows(folder, FACTS)
    return counted(PUBLISHED, folder, measure(rows, counters(TABLE_1), folder.digest), rows)


def measure(rows: Rows, counting: Counters, digest: str) -> dict[tuple[str, str], Measured]:
    """Counts by line and split."""
    return count(counting, rows, digest)
