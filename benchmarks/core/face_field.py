"""Which pictures of a folder a model is trained on: datasets name them differently."""

from ...loaders.folder import Folder
from ...models.core.generating import FACES

FIELDS = (*FACES, "face.jpg")
"""Fields of config `faces` that hold a face crop, in the order of preference."""
OPTIONS = {"sf2f": ("--face", "masked.jpg"), "voice2face": ("--face", "masked.jpg"), "vfmr": ("--picture", "face.webp")}
"""What a model's training calls the field, and which one it takes unasked."""


def face_field(folder: Folder) -> str:
    """The face crop of config `faces` that is liked best of those there; empty without one."""
    rows = folder.index.select(["config", "fields"]).to_pylist()
    there = {entry["name"] for row in rows if row["config"] == "faces" for entry in row["fields"]}
    return next((name for name in FIELDS if name in there), "")


def face_words(model: str, folder: Folder) -> list[str]:
    """The words that `facevox train MODEL` needs to read this folder's faces; none where it does so unasked."""
    option, unasked = OPTIONS.get(model, ("", ""))
    found = face_field(folder) if option else ""
    return [option, found] if found != unasked and found else []
