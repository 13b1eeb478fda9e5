"""What of AVSpeech is here: rows of its two tables, and the clip or the whole video that each is read from."""

import hashlib
import io
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TextIO

from ..core.builder import Unit
from ..core.raw import Folder
from ..core.stage import Rejection, as_json
from .avspeech_options import AvspeechOptions
from .release_files import ReleaseFile, release_files
from .voice_face_facts import youtube_key

TABLES = {"train": "avspeech_train.csv", "test": "avspeech_test.csv"}
"""The release's word for the split, and its table: no header; YouTube id, start s, end s, face x, face y."""
ENDINGS = ("mp4", "webm", "mkv")
MISSING, BAD_ROW, STRAY = "missing video", "bad row", "no row"
"""Stages of what the listing leaves out."""
LATEST_MS = 99_999_999
"""Keys have eight digits for milliseconds: 27.7 hours."""
LONGEST_ROW = 4_096
MAX_STRAYS = 20
"""Rows for files that are not read; the rest is counted in one more."""
ID_LETTERS = 11
_NAME = re.compile(r"[\w-]{11}(_\d{8}_\d{8})?", re.ASCII)


@dataclass(frozen=True)
class Segment:
    """One row of a table."""

    video: str
    """YouTube id."""
    start_ms: int
    end_ms: int
    x: float
    y: float
    """Centre of the speaker's face as fractions of the frame's width and height, from the upper left."""
    row: int
    """Line of the table, from 1."""

    @property
    def span(self) -> str:
        return f"{self.start_ms:08d}_{self.end_ms:08d}"

    @property
    def key(self) -> str:
        return f"{youtube_key(self.video)}_{self.span}"


def read_row(line: str, row: int) -> Segment:
    """One line of a table. The id is text: it may begin with `-` or look like a number. Raises ValueError."""
    if len(line) > LONGEST_ROW:
        raise ValueError(f"line of more than {LONGEST_ROW:,} letters")
    cells = [cell.strip().strip('"') for cell in line.split(",")]
    if len(cells) != 5:
        raise ValueError(f"{len(cells)} columns, expected 5: YouTube id, start, end, x, y")
    if not _NAME.fullmatch(cells[0]) or len(cells[0]) != ID_LETTERS:
        raise ValueError(f"YouTube id {cells[0][:40]!r}, expected 11 letters, digits, '-' or '_'")
    start, end, x, y = (_number(name, cell) for name, cell in zip(("start", "end", "x", "y"), cells[1:], strict=True))
    start_ms, end_ms = round(start * 1000), round(end * 1000)
    if not 0 <= start_ms < end_ms <= LATEST_MS:
        raise ValueError(f"from {cells[1]} to {cells[2]} s, expected 0 <= start < end")
    if not (0 <= x <= 1 and 0 <= y <= 1):
        raise ValueError(f"face at {cells[3]}, {cells[4]}, expected fractions from 0 to 1")
    return Segment(cells[0], start_ms, end_ms, x, y, row)


def _line(text: TextIO) -> str:
    """The next line; of one that is too long the beginning and dots, so that memory stays small."""
    line = text.readline(LONGEST_ROW + 2)
    if len(line) < LONGEST_ROW + 2 or line.endswith("\n"):
        return line
    while (rest := text.readline(LONGEST_ROW)) and not rest.endswith("\n"):
        pass
    return f"{line}..."


def _number(name: str, cell: str) -> float:
    try:
        value = float(cell) if "_" not in cell else math.nan
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or abs(value) > 1e9:
        raise ValueError(f"{name} is {cell[:40]!r}, expected a number")
    return value


def hashed(video: str) -> int:
    """SHA-1 of the id as a number, modulo 10: the same in every process and release."""
    return int(hashlib.sha1(video.encode()).hexdigest(), 16) % 10


def split_of(video: str, held_out: frozenset[str] | None) -> str:
    """train, validation or test: by hash alone, or with the official test videos `held_out`."""
    tenth = hashed(video)
    if held_out is None:
        return {8: "validation", 9: "test"}.get(tenth, "train")
    return "test" if video in held_out else "validation" if tenth == 8 else "train"


class Listing:
    """A release's rows as units; rows and files that give none as rejections."""

    def __init__(self, raw: Folder, config: str, how: AvspeechOptions, terms: Mapping[str, str]) -> None:
        self.raw, self.config, self.how, self.terms = raw, config, how, terms
        self.tables = {word: name for word, name in TABLES.items() if raw.exists(name)}
        if not self.tables:
            raise FileNotFoundError(
                f"{raw.label}: neither {' nor '.join(TABLES.values())}. Put AVSpeech's tables beside clips/ or videos/"
            )
        if how.split == "official" and "test" not in self.tables:
            raise FileNotFoundError(f"{raw.label}: no {TABLES['test']}, which --split official needs")
        self.files: dict[str, ReleaseFile] = {}
        self.strays: list[tuple[str, str]] = []
        self.refused: list[Rejection] = []
        self._find_files()

    def _find_files(self) -> None:
        """Every clip and video by the name that it should have; what else there is that looks like one."""
        found = []
        for file in release_files(self.raw, self.config):
            if isinstance(file, Rejection):
                self.refused.append(file)
            elif (ending := file.name.rpartition(".")[2].lower()) in ENDINGS:
                found.append((ENDINGS.index(ending), file))
        for _, file in sorted(found, key=lambda item: (item[0], item[1].place)):
            stem = file.name.rpartition("/")[2].rpartition(".")[0]
            if not _NAME.fullmatch(stem):
                self.strays.append((file.place, "named neither like a clip (ID_START_END) nor like a video (ID)"))
            elif stem in self.files:
                self.strays.append((file.place, f"{self.files[stem].place} is read in its place"))
            else:
                self.files[stem] = file

    def units(self) -> Iterator[Unit | Rejection]:
        """Every row's unit, or why there is none."""
        yield from self.refused
        held_out = None
        if self.how.split == "official":
            held_out = frozenset(row.video for row in self._segments("test"))
        here, unused = {stem[:ID_LETTERS] for stem in self.files}, set(self.files)
        shared = self._segments_of_videos()
        absent: dict[str, list[Any]] = {}
        for word in self.tables:
            for row in self._rows(word):
                if isinstance(row, Rejection):
                    yield row
                    continue
                if self.how.wanted and row.video not in self.how.wanted:
                    continue
                split = split_of(row.video, held_out)
                if stem := self._stem(row):
                    unused.discard(stem)
                    yield self._unit(row, word, split, self.files[stem], shared[row.video])
                elif row.video in here:
                    reason = "no such clip, and not the whole video; other clips of it are here"
                    yield self._rejection(row.key, split, MISSING, f"clips/{row.video}_{row.span}.mp4", reason)
                else:
                    absent.setdefault(row.video, [split, f"{TABLES[word]}, row {row.row}", 0])[2] += 1
        yield from self._missing(absent)
        if not self.how.wanted:
            yield from self._unused(unused)

    def _segments_of_videos(self) -> Counter[str]:
        """How many segments are read from each whole video."""
        if not any(len(stem) == ID_LETTERS for stem in self.files):
            return Counter()
        rows = (row for word in self.tables for row in self._segments(word))
        return Counter(row.video for row in rows if self._stem(row) == row.video)

    def _segments(self, word: str) -> Iterator[Segment]:
        return (row for row in self._rows(word) if isinstance(row, Segment))

    def _rows(self, word: str) -> Iterator[Segment | Rejection]:
        """A table line by line; blank lines are nothing."""
        name = TABLES[word]
        with self.raw.open(name) as file:
            text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline="\n")
            for number, line in enumerate(iter(lambda: _line(text), ""), 1):
                if not line.strip():
                    continue
                try:
                    yield read_row(line.strip(), number)
                except ValueError as error:
                    yield self._rejection(f"{word}_row_{number:08d}", "", BAD_ROW, f"{name}, row {number}", str(error))

    def _stem(self, row: Segment) -> str:
        """What the row is read from: its clip, else the whole video; "" where neither is here."""
        return next((stem for stem in (f"{row.video}_{row.span}", row.video) if stem in self.files), "")

    def _unit(self, row: Segment, word: str, split: str, file: ReleaseFile, shared: int) -> Unit:
        details = {
            "video": row.video,
            "span": [row.start_ms, row.end_ms],
            "point": [row.x, row.y],
            "row": [word, row.row],
            "file": file.at,
            "terms": self.terms,
            "whole": self._stem(row) == row.video,
        }
        # A whole video is shared out among its segments, so that plan and progress count its bytes once.
        size = max(1, file.size // shared) if details["whole"] else file.size
        return Unit(row.key, self.config, split, f"avspeech/main/{row.video}", size, details)

    def _missing(self, absent: Mapping[str, list[Any]]) -> Iterator[Rejection]:
        """One row for each video of which there is nothing."""
        for video, (split, first, count) in absent.items():
            reason = f"neither this video nor a clip of it is here ({first}; {count} in all): not downloaded, or no "
            reason += "longer on YouTube"
            place = f"videos/{video}.mp4"
            yield self._rejection(youtube_key(video), split, MISSING, place, reason, {self.config: count})

    def _unused(self, unused: set[str]) -> Iterator[Rejection]:
        """Files that no row names: a clip whose name is one millisecond off is one of them."""
        clip = "no row of the tables has this id, start and end (milliseconds, eight digits)"
        whole = "no row of the tables needs this video: it has none, or a clip for each"
        found = [(self.files[stem].place, clip if len(stem) > ID_LETTERS else whole) for stem in sorted(unused)]
        found += self.strays
        for place, reason in found[:MAX_STRAYS]:
            yield self._rejection("", "", STRAY, place, reason)
        if len(found) > MAX_STRAYS:
            more = f"{len(found) - MAX_STRAYS:,} more files that are not read"
            yield self._rejection("", "", STRAY, found[MAX_STRAYS][0], more)

    def _rejection(
        self, key: str, split: str, stage: str, place: str, reason: str, measured: Mapping[str, Any] | None = None
    ) -> Rejection:
        return Rejection(key, self.config, split, stage, place, reason, measured=as_json(measured or {}))
