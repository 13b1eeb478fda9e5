"""The videos of a folder under ids that the page may name, and the marks made on them, with undo."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any

from ..core.raw import unsafe
from ..core.records import now
from ..stages.collection_videos import digest, person_folder, video_paths
from ..stages.marks import SUBJECTS, UNDO, Mark, Marks, MarksFile, append, read, settle

ID_LETTERS = 12


@dataclass(frozen=True)
class VideoFile:
    """A video as the page names it."""

    id: str
    """The first letters of the sha256 of its path: the same at every start, and no path."""
    path: str
    """From the folder of videos, with `/`."""

    @property
    def person(self) -> str:
        """The folder whose video it is, or its own name where it lies right in the folder of videos."""
        return person_folder(self.path)

    @property
    def name(self) -> str:
        return PurePosixPath(self.path).name


@dataclass(frozen=True)
class Act:
    """A mark, and the mark on the same subject that it replaced."""

    mark: Mark
    before: Mark | None


class Marking:
    """The videos and marks of one folder. Safe to use from several threads.

    Raises ValueError for a marks.jsonl with a broken line or an empty `who`, FileNotFoundError without a folder.
    """

    def __init__(self, folder: Path, file: Path, who: str) -> None:
        self.folder, self.file, self.who = folder, file, who
        self._lock = threading.RLock()
        self._read: tuple[tuple[int, int], MarksFile, Marks] = ((-1, -1), MarksFile(), Marks())
        self._digests: dict[tuple[str, int, int], str] = {}
        self.videos: Mapping[str, VideoFile] = {}
        self.refused: tuple[str, ...] = ()
        self.look()
        self._acts = _acts(self._file().marks, who)

    def look(self) -> None:
        """List the folder again: videos may have been added."""
        found, refused = [], []
        for entry in video_paths(self.folder):
            problem = unsafe(entry.name) or entry.problem
            if problem:
                refused.append(f"{entry.name!a}: {problem}")
            else:
                found.append(VideoFile(sha256(entry.name.encode()).hexdigest()[:ID_LETTERS], entry.name))
        found.sort(key=lambda video: (video.person, video.path))
        self.videos, self.refused = {video.id: video for video in found}, tuple(refused)

    def path(self, video: VideoFile) -> Path:
        return self.folder / video.path

    def digest(self, video: VideoFile) -> str:
        """The digest of a video's content."""
        return self.digest_at(self.path(video))

    def digest_at(self, path: Path) -> str:
        """`digest`, remembered as long as the file's size and time stay."""
        state = path.stat()
        stamp = str(path), state.st_size, state.st_mtime_ns
        if stamp not in self._digests:
            self._digests[stamp] = digest(path)
        return self._digests[stamp]

    # --- marks ---

    def _file(self) -> MarksFile:
        with self._lock:
            try:
                state = self.file.stat()
                stamp = state.st_mtime_ns, state.st_size
            except FileNotFoundError:
                stamp = (0, 0)
            if stamp != self._read[0]:
                held = read(self.file)
                self._read = stamp, held, settle(held.marks)
            return self._read[1]

    def marks(self) -> Marks:
        """The marks in force, read again when the file changed. Raises ValueError for a broken line."""
        with self._lock:
            self._file()
            return self._read[2]

    @property
    def torn(self) -> str:
        """What became of a last line that was cut short, or ""."""
        return self._file().torn

    def mark(self, video: VideoFile | None, about: str, value: Mapping[str, Any]) -> Mark:
        """Put a mark on record, on the disk when it returns; `video` is None for marks of all videos.

        Raises ValueError, saying what was expected, for a value outside the schema of marks.jsonl.
        """
        seen = self.digest(video) if video else ""
        mark = Mark(video.path if video else "", about, dict(value), self.who, now(), seen)
        with self._lock:
            before = _latest(self._file().marks).get(mark.subject)
            append(self.file, mark)
            if not (mark.undoes and before is None):
                self._acts.append(Act(mark, before))
            return mark

    def undo(self) -> Mark | None:
        """Take this person's last mark back, or put back the one that it replaced; None where there is none."""
        with self._lock:
            latest = _latest(self._file().marks)
            while self._acts:
                act = self._acts.pop()
                present = latest.get(act.mark.subject)
                own = None if act.mark.undoes else act.mark
                # What another mark replaced since is no longer there to be taken back.
                if _said(present) != _said(own) or _said(own) == _said(act.before):
                    continue
                append(self.file, self._restored(act))
                return act.mark
            return None

    @property
    def can_undo(self) -> bool:
        return bool(self._acts)

    def _restored(self, act: Act) -> Mark:
        word, mark = act.before, act.mark
        value = dict(word.value) if word else _taken_back(mark)
        return Mark(mark.video, mark.about, value, self.who, now(), word.seen if word else mark.seen)


def _said(mark: Mark | None) -> Any:
    return dict(mark.value) if mark else None


def _taken_back(mark: Mark) -> dict[str, Any]:
    """The value that takes a mark back: its subject, and undo."""
    part = SUBJECTS[mark.about]
    return {UNDO: True, **({part: mark.value[part]} if part else {})}


def _latest(marks: tuple[Mark, ...]) -> dict[tuple[str, str, str], Mark]:
    """The mark in force of each subject."""
    latest: dict[tuple[str, str, str], Mark] = {}
    for mark in marks:
        latest.pop(mark.subject, None)
        if not mark.undoes:
            latest[mark.subject] = mark
    return latest


def _acts(marks: tuple[Mark, ...], who: str) -> list[Act]:
    """What a person did and did not take back, oldest first, as far as the file tells."""
    acts: list[Act] = []
    latest: dict[tuple[str, str, str], Mark] = {}
    for mark in marks:
        before, word = latest.pop(mark.subject, None), None if mark.undoes else mark
        if word:
            latest[mark.subject] = word
        if mark.who != who:
            continue
        last = acts[-1] if acts else None
        # Back to what was there before the last act: it was taken back.
        if last and last.mark.subject == mark.subject and _said(last.before) == _said(word):
            acts.pop()
        elif word or before:
            acts.append(Act(mark, before))
    return acts
