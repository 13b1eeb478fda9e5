"""VoxCeleb's own totals, which the corpora of faces and voices share, beside what a folder holds of them."""

from ..rows import Rows
from ..tabulate import Cell, Table

TOTALS: tuple[tuple[str, str, str, int, int], ...] = (
    ("VoxCeleb1", "vox1", "dev", 1_211, 148_642),
    ("VoxCeleb1", "vox1", "test", 40, 4_874),
    ("VoxCeleb2", "vox2", "dev", 5_994, 1_092_009),
    ("VoxCeleb2", "vox2", "test", 118, 36_237),
)
"""Speakers and utterances by subset and set."""
PERSON_FACTS = ("subset", "name", "speaker_id", "vggface_id", "gender", "nationality", "release_split", "source")


def voxceleb_totals(rows: Rows) -> Table:
    """Speakers and recordings of each set of VoxCeleb, published and here; people by any config, recordings by voices.

    Who has no set because only a list of names was given counts in neither line.
    """
    lines: list[tuple[Cell, ...]] = []
    voices = rows.where(config="voices")
    for title, subset, part, speakers, utterances in TOTALS:
        here = len(set(rows.where(subset=subset, release_split=part)["identity"]))
        recordings = len(voices.where(subset=subset, release_split=part)) if "voices" in rows.configs else None
        lines.append((title, part, speakers, here, utterances, recordings))
    columns = ("", "set", "speakers", "here", "utterances", "here")
    notes = ("The meta table of VoxCeleb2 that is handed round with names has 120 test speakers, two more.",)
    return Table("VoxCeleb", columns, tuple(lines), notes)
