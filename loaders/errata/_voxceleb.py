"""What folders of VoxCeleb's people say about statements on them."""

from ..rows import Rows


def other_numbers(rows: Rows) -> str | None:
    """How many people of VoxCeleb2 have different numbers in VoxCeleb's and VGGFace2's ids."""
    two = rows.where(subset="vox2")
    ids = {both for both in two.together("speaker_id", "vggface_id") if None not in both}
    differ = sum(speaker.lstrip("idn0") != face.lstrip("idn0") for speaker, face in ids)
    return f"{differ:,} of {len(ids):,} people" if ids else None


def nationalities(rows: Rows) -> str | None:
    """How many nationalities the people of VoxCeleb1 have."""
    found = {name for name in rows.where(subset="vox1")["nationality"] if name}
    return f"{len(found)} nationalities" if found else None
