"""What samples of the voice-face corpora say about themselves: whose they are, on what terms; and how keys are made."""

import re
import string
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from ...loaders.sample import SPLIT_GROUP, Fact
from ..core.raw import Folder
from .voxceleb_tables import SPLIT_RULE, Identity

FORGED_MARK = "forged.json"
"""A file at the root of a release that facevox made up."""
FORGED_TERMS = {
    "licence": "none needed: forged by facevox",
    "consent": "none needed: a person who does not exist",
}
VOICE_TERMS = {
    "licence": "VoxCeleb's metadata CC BY 4.0; sound remains its uploaders'",
    "consent": "none stated: public people in videos on YouTube",
    "source": "VoxCeleb 1 and 2, VGG, University of Oxford",
}
"""Stated of VoxCeleb's recordings."""
TERMS = (
    Fact("licence", pa.string(), "licence of the release, as far as it states one"),
    Fact("consent", pa.string(), "what the pictured or recorded person agreed to"),
    Fact("source", pa.string(), "where the release comes from"),
)
PERSON = (
    Fact("subset", pa.string(), "vox1 or vox2: VoxCeleb1 or VoxCeleb2"),
    Fact("name", pa.string(), "the person's name with underscores, Unicode NFC; null where no table gives one"),
    Fact("speaker_id", pa.string(), "VoxCeleb's id of the person, as in id10001; null where only names are listed"),
    Fact("vggface_id", pa.string(), "VGGFace1's name (vox1) or VGGFace2's id (vox2), from the meta table"),
    Fact("gender", pa.string(), "m or f as in the meta table; null where only names are listed"),
    Fact("nationality", pa.string(), "as in the meta table of vox1; null in vox2"),
    Fact("release_split", pa.string(), "dev or test of VoxCeleb; null where only names are listed"),
)
_LETTERS = string.digits + string.ascii_uppercase + string.ascii_lowercase + "-_"
_DIGITS = string.digits + string.ascii_lowercase[:22]
_YOUTUBE = re.compile(r"[\w-]{11}", re.ASCII)


def terms(stated: Mapping[str, str], title: str, forged: bool) -> dict[str, str]:
    """The facts of TERMS: the dataset's own `stated` ones, or those of a forged release in the layout of `title`."""
    return dict(stated) if not forged else FORGED_TERMS | {"source": f"forged by facevox in the layout of {title}"}


def is_forged(raw: Folder) -> bool:
    return raw.exists(FORGED_MARK)


def person_facts(person: Identity) -> dict[str, Any]:
    """The facts of PERSON; what the tables leave open is None."""
    return {
        "subset": person.subset,
        "name": person.name or None,
        "speaker_id": person.speaker or None,
        "vggface_id": person.vggface or None,
        "gender": person.gender or None,
        "nationality": person.nationality or None,
        "release_split": person.set or None,
    }


def person_key(person: Identity) -> str:
    """The `{subset}-{id}` that keys begin with: `vox1-id10001`, or `vox1-row0000` where the tables give no id."""
    return f"{person.subset}-{person.speaker or f'row{person.index:04d}'}"


def youtube_key(video: str) -> str:
    """A YouTube id (11 letters, digits, `-`, `_`, case counts) as 14 lower-case letters and digits, one to one.

    Keys are lower-case, ids are not. Raises ValueError for anything else than such an id.
    """
    if not _YOUTUBE.fullmatch(video):
        raise ValueError(f"YouTube id {video!r}: expected 11 letters, digits, '-' or '_'")
    number = 0
    for letter in video:
        number = number * 64 + _LETTERS.index(letter)
    return "".join(_DIGITS[number >> shift & 31] for shift in range(65, -1, -5))


SPLIT_RULE_FACT = Fact("split_rule", pa.string(), f"how the split was decided: {SPLIT_RULE} is SF2F's by table row")
SPLIT_GROUP_FACT = Fact(
    SPLIT_GROUP,
    pa.string(),
    "what lies whole in one split where people do not: a person's video, photograph or recording; null: the person",
)


def split_group(key: str) -> str:
    """The video or photograph that a sample is from: whose it is and which, the first two parts of the key."""
    return "_".join(key.split("_")[:2])
