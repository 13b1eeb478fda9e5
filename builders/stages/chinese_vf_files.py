"""Where the files of a collection lie: its tables, and the faces and sounds of each video, in folders or archives."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

from ..core.raw import ARCHIVES, Folder
from ..core.stage import Reject, Rejection
from .release_files import ReleaseFile, read_file, release_files
from .voice_face_facts import FORGED_MARK

SPEAKERS, VIDEOS, PARAMETERS = "meta/speakers.csv", "meta/videos.csv", "config.json"
CANDIDATES = {"faces": "candidates/face.csv", "voices": "candidates/voice.csv"}
REFUSED = "candidates/refused.csv"
TABLES = (SPEAKERS, VIDEOS, PARAMETERS, *CANDIDATES.values(), REFUSED, FORGED_MARK)
FOLDERS = {"faces": "face", "voices": "voice"}
UNREAD = ("ground_truth", "videos", ".collect")
"""Folders of a collection that hold no samples: marks' pictures and sounds, the videos, the collector's own state."""
NAMES = {
    "faces": re.compile(r"(?:.*/)?(cvf[0-9]{4,6})/([a-z0-9][a-z0-9-]*)/([0-9]{8}_[0-9]{1,3}\.jpg)"),
    "voices": re.compile(r"(?:.*/)?(cvf[0-9]{4,6})/([a-z0-9][a-z0-9-]*)/([0-9]{8}_[0-9]{8}\.wav)"),
}
MEDIA = {"faces": (".jpg", ".jpeg", ".png", ".webp"), "voices": (".wav", ".flac", ".mp3", ".m4a")}
_NOT_READ = re.compile(r"(?:.*/)?(?:" + "|".join(map(re.escape, UNREAD)) + r")/.*")

Video = tuple[str, str]
"""Person and video, as in ("cvf0001", "v0001")."""


@dataclass
class Tables:
    """Each table of a collection by its usual place, wherever it lies."""

    raw: Folder
    at: dict[str, list[str]] = field(default_factory=dict)

    def read(self, name: str, limit: int) -> bytes | None:
        """All of it, or None where there is none. Raises ValueError for damage or more than `limit` bytes."""
        if name not in self.at:
            return None
        try:
            return read_file(self.raw, self.at[name], limit)
        except Reject as verdict:
            raise ValueError(f"{verdict.place}: {verdict.reason}") from None

    def open(self, name: str) -> BinaryIO:
        """To be read from its beginning. Raises ValueError and FileNotFoundError."""
        stem, inner = self.at[name]
        if not stem:
            return self.raw.open(inner)
        archive = self.raw.inside(stem)
        if archive is None:
            raise FileNotFoundError(f"{self.raw.label}/{stem}: the archive is gone since the collection was listed")
        return archive.open(inner)

    def place(self, name: str) -> str:
        """For people to read."""
        return "/".join(filter(None, self.at.get(name, ["", name])))

    @property
    def forged(self) -> bool:
        """Whether facevox made up the videos: its mark lies beside `meta`."""
        if SPEAKERS not in self.at or FORGED_MARK not in self.at:
            return False
        stem, name = self.at[SPEAKERS]
        return self.at[FORGED_MARK] == [stem, name.removesuffix(SPEAKERS) + FORGED_MARK]


def find_tables(raw: Folder) -> Tables:
    """The tables of a collection: in the folder itself, else in an archive that lies right in it."""
    found = Tables(raw, {name: ["", name] for name in TABLES if raw.exists(name)})
    if SPEAKERS in found.at:
        return found
    for item in release_files(raw, "", (*FOLDERS.values(), *UNREAD)):
        if isinstance(item, ReleaseFile):
            for name in TABLES:
                if item.name == name or item.name.endswith(f"/{name}"):
                    found.at.setdefault(name, item.at)
    if SPEAKERS not in found.at:
        raise FileNotFoundError(
            f"{raw.label}: no {SPEAKERS}. Pass the folder that `facevox collect --out` wrote, not that of the videos"
        )
    return found


class Media:
    """The files of one config by person, video and name; memory is about 110 bytes a file."""

    def __init__(self) -> None:
        self._of: defaultdict[Video, dict[tuple[str, str], list[str]]] = defaultdict(dict)

    def add(self, file: ReleaseFile, at: Video, name: str) -> None:
        folder = (file.archive, file.name[: len(file.name) - len(name)])
        self._of[at].setdefault(folder, []).append(f"{name}:{file.size}")

    def pop(self, at: Video) -> tuple[list[tuple[str, str]], dict[str, tuple[int, int]], list[str]]:
        """Folders (archive, name up to the last `/`), (folder's number, size) by name, and places of second files."""
        folders = sorted(found := self._of.pop(at, {}))
        files: dict[str, tuple[int, int]] = {}
        second = []
        for number, folder in enumerate(folders):
            for entry in found[folder]:
                name, size = entry.rsplit(":", 1)
                if name in files:
                    second.append("/".join(filter(None, (folder[0], folder[1] + name))))
                else:
                    files[name] = (number, int(size))
        return folders, files, second

    def rest(self) -> Iterator[tuple[Video, str, int]]:
        """Video, first file's place and number of files of all that was not asked for."""
        for at, folders in sorted(self._of.items()):
            archive, folder = min(folders)
            name = min(folders[archive, folder]).rsplit(":", 1)[0]
            yield at, "/".join(filter(None, (archive, folder + name))), sum(map(len, folders.values()))


def find_media(raw: Folder, config: str) -> tuple[Media, list[Rejection]]:
    """All faces or all sounds, folder by folder so that memory does not hold them all; rows for what is no sample."""
    media, rows, odd = Media(), list[Rejection](), list[str]()
    for item in release_files(raw, config, _skipped(raw, config)):
        if isinstance(item, Rejection):
            rows.append(item)
        elif fits := NAMES[config].fullmatch(item.name):
            media.add(item, (fits[1], fits[2]), fits[3])
        elif item.name.lower().endswith(MEDIA[config]) and not _NOT_READ.fullmatch(item.name):
            odd.append(item.place)
    if odd:
        example = {"faces": "face/cvf0001/v0001/00012000_0.jpg", "voices": "voice/cvf0001/v0001/00000000_00003500.wav"}
        reason = f"{len(odd):,} files are not named like samples, as in {example[config]}, the first {odd[0]}"
        rows.append(Rejection("", config, "", "list", odd[0], reason))
    return media, rows


def _skipped(raw: Folder, config: str) -> list[str]:
    """Places where no samples of this config lie."""
    own = FOLDERS[config]
    others = [name for name in FOLDERS.values() if name != own]
    archives = [name + ending for name in others for ending in ARCHIVES]
    # What is below a place that is not there makes the folders above it be listed one by one.
    single = [f"{own}/{who}/-" for who in raw.names(own) if not who.lower().endswith(ARCHIVES)]
    return [*UNREAD, *others, *archives, *single]


def member(folders: Mapping[int, tuple[str, str]] | list[list[str]], number: int, name: str) -> list[str]:
    """What `read_file` needs for a file of one of a unit's folders."""
    archive, folder = folders[number]
    return [archive, folder + name]
