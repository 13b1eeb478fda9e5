"""What every view of the review page works on: the folder, who is looking, what was decided, where one stopped."""

import getpass
import hashlib
import json
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
from starlette.routing import Route

from ...loaders.durable import write_json
from ...loaders.folder import Folder, FolderError
from ...loaders.shards import Shards
from ..core.agreement import Agreement, agreements
from ..core.decisions import (
    FILE,
    UNDO,
    Decision,
    append,
    check_effect,
    now,
    out_of_date,
    read,
    shown,
)

MAX_PLACE = 500
ROWS_KEPT = 256


def cache_home() -> Path:
    """Where thumbnails and places are kept: facevox/review in the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "facevox" / "review"


@dataclass(frozen=True)
class ReviewOptions:
    """What the page shows, to whom, and where it listens."""

    folder: Path | None = None
    """The built dataset folder; None shows the collector alone."""
    raw: str = ""
    """The release that the folder was built from, to show what was left out; "" for none."""
    collect: Any = None
    """Options of a collection of videos; None hides the collector."""
    who: str = field(default_factory=getpass.getuser)
    port: int = 0
    """Port on 127.0.0.1; 0 takes a free one."""
    browser: bool = True
    cache: Path = field(default_factory=cache_home)
    view: str = ""
    """The view to begin with; "" goes on where this person stopped."""


class View(Protocol):
    """One view of the page: routes below /api/NAME, and the module page/NAME.js."""

    name: str
    title: str

    def __init__(self, desk: "Desk") -> None: ...

    def available(self) -> bool:
        """Whether there is anything for it to show."""

    def routes(self) -> list[Route]:
        """Its routes, each below /api/NAME/."""

    def left(self) -> tuple[int, int] | None:
        """(done, total) of what it asks people to decide; None where nothing is counted."""


class Desk:
    """The state behind the page. Safe to use from several threads.

    Raises FolderError for a folder that is none, ValueError for an empty `who` or a review.jsonl with a broken line.
    """

    def __init__(self, options: ReviewOptions) -> None:
        if not options.who.strip() or not options.who.isprintable():
            raise ValueError("who is empty or holds control characters, expected a name or initials")
        self.options, self.who, self.raw = options, options.who.strip(), options.raw
        self._lock = threading.RLock()
        self._folder: tuple[int, Folder] | None = None
        self._stale: tuple[tuple[Decision, ...], str, frozenset[Decision]] = ((), "", frozenset())
        self._records: tuple[tuple[int, int], tuple[Decision, ...]] = ((0, 0), ())
        self._made: list[tuple[Decision | None, Decision]] = []
        self._at: Mapping[tuple[str, str], int] = {}
        self._rows: dict[tuple[str, str], dict[str, Any]] = {}
        place = options.folder or getattr(options.collect, "videos", None)
        if place is None:
            raise ValueError("nothing to review: expected a dataset folder or a folder of videos")
        named = hashlib.sha256(str(Path(place).resolve()).encode()).hexdigest()[:16]
        self.cache = options.cache / named
        # Small pictures of faces are nobody else's business; a cache that cannot be made costs time alone.
        with suppress(OSError):
            self.cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.title = Path(place).resolve().name
        if options.folder is not None:
            self._check(self.folder)
            self.records()

    @staticmethod
    def _check(folder: Folder) -> None:
        if "source_digest" not in folder.index.column_names:
            raise FolderError(
                f"{folder.path}: built by an older facevox, without what decisions need. Build it again in a new folder"
            )

    # --- the folder ---

    @property
    def folder(self) -> Folder:
        """The dataset folder, opened again when a build has written it anew. Raises FolderError without one."""
        if self.options.folder is None:
            raise FolderError("no dataset folder here: the page was opened for videos alone")
        tables = (self.options.folder / "tables" / f"{name}.parquet" for name in ("index", "quarantine"))
        with self._lock:
            # A build writes one table after the other.
            stamp = max((table.stat().st_mtime_ns for table in tables if table.is_file()), default=0)
            if self._folder is None or self._folder[0] != stamp:
                try:
                    folder = Folder(self.options.folder)
                    # Read now: a build that comes later takes its tables away for a while.
                    _ = folder.index, folder.quarantine, folder.manifest, folder.dataset
                except (FolderError, FileNotFoundError):
                    if self._folder is None:
                        raise
                    # A build is writing the folder; until it has, what was open is shown.
                    return self._folder[1]
                self._folder = stamp, folder
                self._at, self._rows = {}, {}
            return self._folder[1]

    @property
    def built(self) -> int:
        """When the open folder's tables were written, whole seconds since 1970, as words have them."""
        self.folder  # noqa: B018 - looks whether there is a newer one
        return (self._folder[0] if self._folder else 0) // 10**9

    @property
    def version(self) -> str:
        """Changes when the folder is built again: part of every address of its media."""
        if self.options.folder is None:
            return "0"
        self.folder  # noqa: B018 - looks whether there is a newer one
        return f"{self._folder[0] if self._folder else 0:x}"

    def row(self, config: str, key: str) -> dict[str, Any]:
        """The index row of a sample. Raises KeyError for one that the index does not have."""
        with self._lock:
            table = self.folder.index
            if not self._at:
                pairs = zip(table["config"].to_pylist(), table["key"].to_pylist(), strict=True)
                self._at = {pair: number for number, pair in enumerate(pairs)}
            at = self._at[config, key]
            if (config, key) not in self._rows:
                while len(self._rows) >= ROWS_KEPT:
                    del self._rows[next(iter(self._rows))]
                self._rows[config, key] = pa.Table.to_pylist(table.slice(at, 1))[0]
            return self._rows[config, key]

    def member(self, config: str, key: str, field: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """(index row, entry of one of its members). Raises KeyError where the index has none of that name."""
        row = self.row(config, key)
        for entry in row["fields"]:
            if entry["name"] == field:
                return row, entry
        raise KeyError(field)

    def parts(self, row: Mapping[str, Any], ranges: Sequence[tuple[int, int]]) -> list[memoryview]:
        """The bytes of (offset, size) ranges of the shard of a row. Raises FolderError when it is cut short."""
        with Shards(self.folder.path) as shards:
            found = shards.read({row["shard"]: ranges})[row["shard"]]
        return [found[place] for place in ranges]

    # --- decisions ---

    @property
    def file(self) -> Path:
        """The folder's review.jsonl."""
        return self.folder.path / FILE

    def records(self) -> tuple[Decision, ...]:
        """Every decision on record, read again only when the file changed. Raises ValueError for a broken line."""
        with self._lock:
            try:
                state = self.file.stat()
            except FileNotFoundError:
                return ()
            stamp = state.st_mtime_ns, state.st_size
            if stamp != self._records[0]:
                self._records = stamp, read(self.file)
            return self._records[1]

    def out_of_date(self) -> frozenset[Decision]:
        """Last words about samples that have changed since they were said: a build does not follow them."""
        with self._lock:
            records, version = self.records(), self.version
            if self._stale[0] is not records or self._stale[1] != version:
                self._stale = records, version, frozenset(out_of_date(self.folder, records))
            return self._stale[2]

    def agreement(self) -> tuple[Agreement, ...]:
        """How far every two people agree on what both judged, with Cohen's kappa and each disagreement."""
        return agreements(self.records())

    def own(self) -> dict[tuple[str, str, str], Decision]:
        """The words of this person in force, by subject, oldest first."""
        mine = (record for record in self.records() if record.who == self.who)
        found: dict[tuple[str, str, str], Decision] = {}
        for record in mine:
            whole = record.verdict == UNDO and record.about == "artifact" and not record.value
            for subject in [s for s in found if s[:2] == record.subject[:2]] if whole else [record.subject]:
                found.pop(subject, None)
            if record.verdict != UNDO:
                found[record.subject] = record
        return found

    def decide(
        self,
        key: str,
        about: str,
        verdict: str,
        value: str | int | None = None,
        reason: str = "",
        version: str = "",
    ) -> Decision:
        """Put this person's word on record, on the disk when it returns; `version` is that of the folder they saw.

        Raises ValueError for words outside the schema, that nothing would follow or about what a build has replaced,
        FolderError for an unknown key.
        """
        with self._lock:
            folder = self.folder
            if version and version != self.version:
                raise ValueError("the folder was built again since this was shown: reload the page and look again")
            decision = Decision(key, about, verdict, value, reason, self.who, now(), shown(folder, key))
            check_effect(folder, decision)
            before = self.own().get(decision.subject)
            append(self.file, decision)
            if verdict != UNDO or before:
                self._made.append((before, decision))
            return decision

    def undo(self) -> Decision | None:
        """Take back what this person did last; a word that it had replaced is put on record again.

        Returns the record that was added; None where there is nothing to take back.
        """
        with self._lock:
            own = self.own()
            while self._made:
                before, last = self._made.pop()
                if own.get(last.subject) == (None if last.verdict == UNDO else last):
                    return self._take_back(before, last)
            return self._take_back(None, next(reversed(own.values()))) if own else None

    def _take_back(self, before: Decision | None, last: Decision) -> Decision:
        if before:
            record = replace(before, when=now())
            # Now this one is in force in the place of the one before, for the next undo.
            self._made = [(record if was == before else was, record if made == before else made)
                          for was, made in self._made]  # fmt: skip
        else:
            # The sample need not be there any more.
            value = None if last.about == "trim" else last.value
            record = replace(last, verdict=UNDO, value=value, reason="", when=now())
        append(self.file, record)
        return record

    # --- the place ---

    @property
    def _place_file(self) -> Path:
        return self.cache / f"place-{hashlib.sha256(self.who.encode()).hexdigest()[:16]}.json"

    def places(self) -> dict[str, str]:
        """Where this person stopped: the place in each view by its name, and under "" the view last seen."""
        try:
            found = json.loads(self._place_file.read_bytes())
        except (OSError, ValueError):
            return {}
        return dict(_texts(found)) if isinstance(found, dict) else {}

    def stop_at(self, view: str, place: str) -> None:
        """Remember the place in a view. Raises ValueError for one that is too long or no text."""
        if not isinstance(place, str) or len(place) > MAX_PLACE or not place.isprintable():
            raise ValueError(f"place {str(place)[:40]!r}: expected at most {MAX_PLACE} printable characters")
        with self._lock:
            write_json(self._place_file, {**self.places(), "": view, view: place})


def _texts(found: Mapping[Any, Any]) -> Iterator[tuple[str, str]]:
    for name, place in found.items():
        if isinstance(name, str) and isinstance(place, str) and len(place) <= MAX_PLACE:
            yield name, place
