"""A remote place that a build finishes into: shards as they are done, checksums last, resumable from there."""

import math
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from ...loaders.answers import Answer, Fault
from ...loaders.durable import PART, write_bytes
from ...loaders.folder import FolderError
from ...loaders.places import Filesystem, Place, outcome, place_of
from ...loaders.range_cache import default_folder
from ...loaders.remote_tables import SUMS
from ...loaders.retries import tried

AT_ONCE = 8
PIECE = 8 << 20
ANY_LENGTH = math.inf
"""The patience with an upload, which may take minutes: its tries are counted, not timed."""
WORKING_FILE = re.compile(r"\.build(/[A-Za-z0-9_.-]+)+|review\.jsonl")
"""What a resumed build takes from the place, by names that cannot lead out of the scratch folder."""
WHOLE_OR_ABSENT = ("s3", "s3a", "gs", "gcs", "abfs", "az", "oci", "oss", "memory")
"""Protocols whose files appear whole or not at all; elsewhere a file is written aside and renamed."""


@dataclass(frozen=True)
class Destination:
    """The local folder that a build writes to, and the remote place that takes what is finished, if there is one."""

    folder: Path
    store: "Store | None" = None

    @property
    def name(self) -> str:
        return str(self.store or self.folder)


def destination(out: str | Path) -> Destination:
    """Where a build writes.

    A place gets a scratch folder in the cache (FACEVOX_CACHE), for the shards that are being made.
    Raises FolderError for places that cannot be written to.
    """
    place = place_of(out)
    if isinstance(place, Path):
        return Destination(place)
    if place.protocol in ("http", "https"):
        raise FolderError(f"{place}: nothing can be written over {place.protocol}. Build to s3://, gs:// or a folder")
    if place.protocol == "hf":
        raise FolderError(
            f"{place}: build to a folder and run `facevox publish` on it: the hub wants few, large commits"
        )
    scratch = default_folder() / "builds" / sha256(place.url.rstrip("/").encode()).hexdigest()[:16]
    return Destination(scratch, Store(place))


class Store:
    """What a build needs of a place; plain data, so that workers can have it.

    What counts as done is what lies in the place: a lost scratch folder loses the shards under way, no more.
    """

    def __init__(self, place: Place) -> None:
        self.place = place

    def __str__(self) -> str:
        return str(self.place)

    def __getstate__(self) -> dict[str, Any]:
        return {"place": self.place}

    # --- what is there ---

    @cached_property
    def sizes(self) -> dict[str, int]:
        """Every file of the place and its size, from one listing."""
        fs = self._fs
        fs.invalidate_cache()
        root = fs._strip_protocol(self.place.url).rstrip("/")
        found: Any = self._done("", partial(fs.find, root, detail=True))
        return {path.removeprefix(root).lstrip("/"): int(info["size"]) for path, info in found.items()}

    def look_again(self) -> None:
        """List the place anew when it is asked for next."""
        self.__dict__.pop("sizes", None)

    def bring_back(self, scratch: Path) -> None:
        """Make the scratch folder hold what a resumed build asks for: plan, sidecars, decisions, tables.

        Raises FolderError when the place holds other files and no build of facevox, or a file with a name that no
        build gives.
        """
        if self.sizes and not any(name.startswith(".build/") for name in self.sizes):
            raise FolderError(f"{self}: holds other files and no build of facevox. Choose a new or empty place")
        wanted = [name for name in self.sizes if name.startswith(".build/") or name == "review.jsonl"]
        if strange := [name for name in wanted if not WORKING_FILE.fullmatch(name) or ".." in name.split("/")]:
            raise FolderError(f"{self}: holds a file {strange[0]!r}, a name that no build gives. Remove it there")
        for old in (scratch / ".build" / "shards", scratch / "data"):
            shutil.rmtree(old, ignore_errors=True)
        for name in (".build/plan.json", ".build/runs.jsonl", "review.jsonl"):
            (scratch / name).unlink(missing_ok=True)
        with ThreadPoolExecutor(AT_ONCE) as several:
            list(several.map(lambda name: write_bytes(scratch / name, self._read(name)), wanted))

    def is_sound(self, name: str, digest: str) -> bool:
        """Whether a file of the place has this sha256, read in pieces."""
        found, size = sha256(), self.sizes[name]
        for first in range(0, size, PIECE):
            span = (first, min(PIECE, size - first))
            found.update(tried(partial(self.place.ask, name, span), f"{self}/{name}").data)
        return found.hexdigest() == digest

    def _read(self, name: str) -> bytes:
        return tried(partial(self.place.ask, name, None), f"{self}/{name}").data

    # --- what a build does to it ---

    def begin(self, scratch: Path) -> None:
        """Say that the folder is not whole, and by which plan it is being built."""
        self.remove(SUMS)
        self.put(scratch, ".build/plan.json")

    def put(self, scratch: Path, name: str) -> None:
        """Copy a file of the scratch folder to the place. Raises FolderError when it cannot be written."""
        fs, url = self._fs, self.place.file(name)
        target = fs._strip_protocol(url)
        if self.place.protocol in WHOLE_OR_ABSENT:
            self._done(name, partial(fs.put_file, str(scratch / name), target), ANY_LENGTH)
            return
        self._done(name, partial(fs.makedirs, target.rpartition("/")[0], exist_ok=True))
        self._done(name, partial(fs.put_file, str(scratch / name), target + PART), ANY_LENGTH)
        self._done(name, partial(fs.mv, target + PART, target))

    def remove(self, name: str) -> None:
        """Remove a file of the place, if it is there."""
        fs = self._fs
        target = fs._strip_protocol(self.place.file(name))
        tried(lambda: _gone(outcome(partial(fs.rm_file, target))), f"{self}/{name}")

    def take(self, scratch: Path, shard: str, sidecar: str, before: str) -> None:
        """Finish a shard: the file first, then the sidecar that means done; the scratch folder keeps the sidecar alone.

        `before` is the name of the file when the shard holds samples, "" when it has none.
        """
        self.remove(sidecar)
        if before:
            self.put(scratch, shard)
            (scratch / shard).unlink()
        else:
            self.remove(shard)
        self.put(scratch, sidecar)

    def finish(self, scratch: Path) -> None:
        """Copy tables, cards and what resuming takes; checksums.sha256, which says that all is whole, comes last.

        The scratch folder has done its work then, and is removed.
        """
        self.remove(SUMS)
        for name in _finished(scratch):
            self.put(scratch, name)
        self.put(scratch, SUMS)
        shutil.rmtree(scratch)

    @property
    def _fs(self) -> Any:
        opened = self.place.opened()
        if not isinstance(opened, Filesystem):
            raise FolderError(f"{self}: a web server can only be read from. Build to a folder, or to s3://bucket/O")
        return opened.fs

    def _done(self, name: str, act: Any, patience: float | None = None) -> Any:
        """The outcome of something done to the place, tried as often as reading is."""
        return tried(partial(outcome, act), f"{self}/{name}" if name else str(self), patience=patience).data


def _finished(scratch: Path) -> Iterator[str]:
    """What `finish` copies: neither shards and sidecars, which are there, nor what belongs to this machine."""
    for file in sorted(scratch.rglob("*")):
        name = file.relative_to(scratch).as_posix()
        there = name in (SUMS, "review.jsonl") or name.startswith((".build/shards/", "data/"))
        if file.is_file() and not there and not name.endswith(("lock", PART)):
            yield name


def _gone(outcome: Answer | Fault) -> Answer | Fault:
    """What is not there needs no removing."""
    return Answer(b"") if isinstance(outcome, Fault) and outcome.absent else outcome
