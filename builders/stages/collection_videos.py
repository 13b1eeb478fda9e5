"""Which videos a collection is made from, under which ids, and which are turned down before they are opened."""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

from ..core.raw import Entry, Folder, open_raw, unsafe
from .marks import Marks, Speaker

ENDINGS = (".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi", ".mpg", ".mpeg", ".wmv", ".flv", ".ts", ".3gp", ".ogv")
"""Files taken for videos; whether one is read, its first bytes say (video.py), not its name."""
PLACES, BLOCK = 64, 1 << 16
"""Of `digest`: blocks read, and their bytes."""
LONGEST_ID = 64
_OTHER = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True)
class SourceVideo:
    """A video of a known speaker."""

    path: str
    """From the folder of videos, with `/`: its name in marks.jsonl."""
    speaker: str
    """As in cvf0001."""
    gender: str
    video_id: str
    """Lower-case letters, digits and `-`; no two of one speaker are alike."""
    digest: str
    """See `digest`."""

    @property
    def key(self) -> str:
        """`speaker/video_id`, the place of everything made from it inside a collection."""
        return f"{self.speaker}/{self.video_id}"


@dataclass(frozen=True)
class Refusal:
    """A video left out whole, or a speaker without ground truth (then `video_id` is empty)."""

    speaker: str
    video_id: str
    digest: str
    stage: str
    """list, mark, truth, scan, hear or score."""
    reason: str
    path: str = ""
    """For messages on the user's own screen; never written into a collection."""

    def row(self) -> dict[str, str]:
        """As a row of candidates/refused.csv."""
        own = {"speaker_id": self.speaker, **asdict(self)}
        return {name: own[name] for name in REFUSED}


REFUSED = ("speaker_id", "video_id", "digest", "stage", "reason")


@dataclass(frozen=True)
class Listing:
    """What a folder of videos holds: every video is in one of the two, in order of speaker and id."""

    videos: tuple[SourceVideo, ...]
    refused: tuple[Refusal, ...]


def person_folder(path: str) -> str:
    """Whose a video is: the first part of its path; a video right in the folder of videos is a person of its own."""
    return PurePosixPath(path).parts[0]


def video_paths(videos: Path) -> Iterator[Entry]:
    """Every file that is taken for a video, in order of its path."""
    raw = open_raw(str(videos))
    try:
        yield from (entry for entry in raw.entries() if entry.name.lower().endswith(ENDINGS))
    finally:
        raw.close()


def list_videos(videos: Path, marks: Marks, read_digest: Callable[[Path], str] | None = None) -> Listing:
    """Videos under their ids, and refusals for those that nobody said whose they are, or turned down.

    An id is the name without ending, in lower case, with `-` for all but letters and digits. It becomes `v` and ten
    digits of the content's digest where nothing is left of it, where it holds the name of the person's folder (of
    three letters or more), or where an earlier video of the speaker has it: ids stay when videos are added, and names
    of people stay out. The same content twice
    under one speaker is taken once. `read_digest` may remember digests (default: `digest`). Raises ValueError where a
    speaker has two genders.
    """
    _check_speakers(marks.speakers.values())
    raw = open_raw(str(videos))
    found: list[SourceVideo] = []
    refused: list[Refusal] = []
    taken: dict[str, set[str]] = {}
    seen: dict[tuple[str, str], str] = {}
    try:
        for entry in (entry for entry in raw.entries() if entry.name.lower().endswith(ENDINGS)):
            one = _placed(raw, entry, marks, taken, seen, read_digest or digest)
            (found if isinstance(one, SourceVideo) else refused).append(one)  # type: ignore[arg-type]
    finally:
        raw.close()
    return Listing(
        tuple(sorted(found, key=lambda video: video.key)),
        tuple(sorted(refused, key=lambda one: (one.speaker, one.video_id, one.digest))),
    )


def _placed(
    raw: Folder,
    entry: Entry,
    marks: Marks,
    taken: dict[str, set[str]],
    seen: dict[tuple[str, str], str],
    read_digest: Callable[[Path], str],
) -> SourceVideo | Refusal:
    if problem := unsafe(entry.name) or entry.problem:
        return Refusal("", "", "", "list", f"refused: {problem}", ascii(entry.name))
    content = read_digest(Path(raw.root) / entry.name)
    who = marks.speakers.get(person_folder(entry.name))
    if who is None:
        reason = "no mark says whose videos these are: expected one about speaker for this folder"
        return Refusal("", "", content, "mark", reason, entry.name)
    ids = taken.setdefault(who.speaker, set())
    name = _OTHER.sub("-", PurePosixPath(entry.name).stem.lower()).strip("-")
    person = _OTHER.sub("-", PurePosixPath(who.folder).stem.lower()).strip("-")
    if not name or len(name) > LONGEST_ID or name in ids or (len(person) > 2 and person in name):
        name = f"v{content[:10]}"
    video = SourceVideo(entry.name, who.speaker, who.gender, name, content)
    if content in (content for speaker, content in seen if speaker == who.speaker):
        reason = f"the same content as {seen[who.speaker, content]} of this speaker, which is taken"
        return Refusal(who.speaker, name, content, "list", reason, entry.name)
    ids.add(name)
    seen[who.speaker, content] = name
    own = marks.of(entry.name)
    if own.verdict == "turn down":
        return Refusal(
            who.speaker, name, content, "mark", f"turned down: {own.reason or 'no reason given'}", entry.name
        )
    if own.seen - {content}:
        reason = "marked when the video was another one (its digest changed): mark it again"
        return Refusal(who.speaker, name, content, "mark", reason, entry.name)
    return video


def _check_speakers(speakers: Iterable[Speaker]) -> None:
    genders: dict[str, Speaker] = {}
    for one in speakers:
        other = genders.setdefault(one.speaker, one)
        if other.gender != one.gender:
            raise ValueError(
                f"speaker {one.speaker}: gender {other.gender!r} in the mark of folder {other.folder}, {one.gender!r} "
                f"in that of {one.folder}. Mark one of them again"
            )


def digest(video: Path) -> str:
    """sha256 of a file's size and of 64 blocks of 64 KiB at even distances, the first and the last among them.

    It tells another recording, cut or encoding of it at once, at the cost of 4 MiB read, however long the video; a
    change of single bytes between the blocks it does not see. A file of up to 4 MiB is covered whole.
    """
    whole = hashlib.sha256()
    with video.open("rb") as file:
        size = file.seek(0, 2)
        whole.update(f"{size}\n".encode())
        covered = size <= PLACES * BLOCK
        step = max(0, size - BLOCK) / (PLACES - 1)
        starts = range(0, size, BLOCK) if covered else (int(number * step) for number in range(PLACES))
        for start in starts:
            file.seek(start)
            whole.update(file.read(BLOCK))
    return whole.hexdigest()
