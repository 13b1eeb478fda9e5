"""A collection as it was told to be kept: its people, videos and parameters, and the kept candidates of each video."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import groupby

from ..core.raw import Folder
from ..core.stage import Rejection, as_json
from .chinese_vf_files import CANDIDATES, PARAMETERS, SPEAKERS, VIDEOS, Video, find_tables
from .chinese_vf_options import ChineseVfOptions
from .chinese_vf_tables import (
    FACE_COLUMNS,
    MAX_PARAMETER_BYTES,
    MAX_TABLE_BYTES,
    VOICE_COLUMNS,
    Candidate,
    candidates,
    parameters,
    speakers,
    videos,
)
from .voice_face_facts import terms

NAME, TITLE, SUBSET = "chinese_vf", "Chinese_VF", "main"
STATED_TERMS = {
    "licence": "none released: a collection of its user's own; the videos remain their uploaders'",
    "consent": "none known: nobody in the videos is known to have been asked",
    "source": "videos collected with facevox collect, as for Chinese_VF (VFMR)",
}
COLUMNS = {"faces": FACE_COLUMNS, "voices": VOICE_COLUMNS}
BAD_ROW = "bad row"
LONGEST_VIDEO_KEY = 48
"""Letters of a video's id in keys: a member of a tar has 100 for its whole name."""


def identity_of(speaker: str) -> str:
    return f"{NAME}/{SUBSET}/{speaker}"


def video_key(at: Video) -> str:
    """What the keys of a video's samples begin with; of a long id its beginning and eight digits of its hash."""
    speaker, video = at
    if len(video) > LONGEST_VIDEO_KEY:
        video = f"{video[: LONGEST_VIDEO_KEY - 9]}-{hashlib.sha256(video.encode()).hexdigest()[:8]}"
    return f"{SUBSET}-{speaker}_{video}"


class Collection:
    """A collection seen through the options of a build. Raises FileNotFoundError without its table of people.

    Kept candidates wait as text, some 120 bytes each, until the units of their config are made.
    """

    def __init__(self, raw: Folder, how: ChineseVfOptions) -> None:
        self.raw, self.how = raw, how
        self.tables = find_tables(raw)
        people = self.tables.read(SPEAKERS, MAX_TABLE_BYTES) or b""
        self.speakers, self.problems = speakers(people, self.tables.place(SPEAKERS))
        self._videos: set[Video] | None = None
        if (listed := self.tables.read(VIDEOS, MAX_TABLE_BYTES)) is not None:
            self._videos, problems = videos(listed, self.tables.place(VIDEOS))
            self.problems += problems
        told = self.tables.read(PARAMETERS, MAX_PARAMETER_BYTES)
        self.parameters = {} if told is None else parameters(told, self.tables.place(PARAMETERS))
        self.terms = terms(STATED_TERMS, TITLE, self.tables.forged)
        self._kept: dict[str, dict[Video, list[str]]] = {}
        self.counts: dict[str, Counter[Video]] = {}
        """Kept candidates by config and video."""
        self.bad: dict[str, list[Rejection]] = {}
        """Rows of the tables of candidates that are none."""
        self.twice: dict[str, set[str]] = {}
        """Keys that several rows keep."""
        for config in CANDIDATES:
            self._read(config)

    def found(self, config: str) -> Iterator[tuple[int, Candidate | str]]:
        """Rows of a config's table by line, or what is wrong with them; those of people not asked for left out."""
        name = CANDIDATES[config]
        if name in self.tables.at:
            with self.tables.open(name) as file:
                for number, row in candidates(file, self.tables.place(name), COLUMNS[config]):
                    if isinstance(row, str) or self.how.wants(row.speaker):
                        yield number, row

    def take(self, config: str) -> dict[Video, list[str]]:
        """Kept candidates by video as `moment,numbers`, in order of time; not held here any longer."""
        if config not in self._kept:
            self._read(config)
        return self._kept.pop(config)

    def known(self, row: Candidate) -> bool:
        """Whether person and video of a kept candidate stand in the tables; videos turned down whole do not."""
        if not row.kept:
            return True
        return row.speaker in self.speakers and (self._videos is None or (row.speaker, row.video) in self._videos)

    def _read(self, config: str) -> None:
        rows: defaultdict[Video, list[str]] = defaultdict(list)
        strange: dict[Video, tuple[int, int]] = {}
        self.bad[config], place = [], self.tables.place(CANDIDATES[config])
        for number, row in self.found(config):
            if isinstance(row, str):
                self.bad[config].append(Rejection("", config, "", BAD_ROW, f"{place}, row {number}", row))
            elif not self.known(row):
                at = (row.speaker, row.video)
                first, count = strange.get(at, (number, 0))
                strange[at] = (first, count + 1)
            elif row.kept:
                rows[row.speaker, row.video].append(row.packed())
        for at, (number, count) in strange.items():
            table = SPEAKERS if at[0] not in self.speakers else VIDEOS
            reason = f"{count:,} kept candidates of {at[0]} in {at[1]}, which are not in {table}"
            # They are no rows of `candidates`, where the kept ones have a row here each.
            stands_for = as_json({config: count})
            self.bad[config].append(
                Rejection("", config, "", BAD_ROW, f"{place}, row {number}", reason, measured=stands_for)
            )
        self._kept[config], self.twice[config], self.counts[config] = rows, set(), Counter()
        for at in rows:
            rows[at] = list(self._once(config, at, rows[at]))
            self.counts[config][at] = len(rows[at])

    def _once(self, config: str, at: Video, rows: list[str]) -> Iterator[str]:
        """A video's kept candidates by time; a second row of one face or window is a bad row."""
        for moment, same in groupby(sorted(rows, key=_moment), key=_moment):
            first, *more = same
            yield first
            if more:
                key, name = f"{video_key(at)}_{moment}", CANDIDATES[config]
                self.twice[config].add(key)
                reason = f"{len(more) + 1} rows keep {key}; the first counts"
                self.bad[config].append(Rejection("", config, "", BAD_ROW, self.tables.place(name), reason))


def _moment(packed: str) -> str:
    return packed.partition(",")[0]
