"""A dataset folder in a remote place: its tables in the local cache, its shards read by many range requests at once."""

import json
import os
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from types import TracebackType

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from .answers import Answer, Fault
from .arrow_buffers import as_numpy
from .places import Place, shown
from .range_cache import RangeCache
from .retries import tried
from .shards import SHARD_NAME, FolderError, Parts, Range, Request, Shards

AT_ONCE = 16
"""Requests under way in one process: at 15 ms a request they keep 60 MB/s full with ranges of 60 KB."""
AHEAD_BYTES = 32 << 20
AHEAD_BATCHES = 32
"""How far requests run ahead of decoding, and at least one batch."""
GAP_SHARE = 0.05
"""Ranges are fetched together where the bytes between them are at most this part of what is fetched."""
LARGEST_REQUEST = 8 << 20


@dataclass(frozen=True)
class Shard:
    """What the tables say of a shard: its size and sha256, and of the whole members in it, by their first bytes."""

    size: int
    sha256: str
    first: NDArray[np.int64]
    length: NDArray[np.int64]
    digests: NDArray[np.void]

    def digest(self, wanted: Range) -> bytes | None:
        """The sha256 of a range that is a whole member; None for a part of one."""
        at = int(np.searchsorted(self.first, wanted[0]))
        if at < len(self.first) and (self.first[at], self.length[at]) == wanted:
            return bytes(self.digests[at].tobytes())
        return None


def described(manifest: pa.Table, index: pa.Table) -> dict[str, Shard]:
    """Every shard of a folder by name, from its tables."""
    lists = index["fields"].combine_chunks()
    fields, rows = lists.flatten(), np.diff(as_numpy(lists.offsets))
    shards = index["shard"].combine_chunks().dictionary_encode()
    names: list[str] = shards.dictionary.to_pylist()
    of = np.repeat(as_numpy(shards.indices), rows)
    first = as_numpy(fields.field("offset")).astype(np.int64)
    length = as_numpy(fields.field("size")).astype(np.int64)
    text = "".join(fields.field("sha256").to_pylist())
    digests = np.frombuffer(bytes.fromhex(text), np.dtype("V32"))
    order = np.lexsort((first, of))
    cuts = np.searchsorted(of[order], np.arange(len(names) + 1))
    own = {name: order[cuts[at] : cuts[at + 1]] for at, name in enumerate(names)}
    none = np.array([], np.int64)
    return {
        row["file"]: Shard(row["size"], row["sha256"], first[at], length[at], digests[at])
        for row in manifest.select(["file", "size", "sha256"]).to_pylist()
        if row["file"]
        for at in [own.get(row["file"], none)]
    }


@dataclass(frozen=True)
class RemoteFolder:
    """What reading shards from a place takes; plain data, so that workers can have it."""

    place: Place
    shards: Mapping[str, Shard]
    cache: RangeCache

    def __str__(self) -> str:
        return str(self.place)


def ask_span(place: Place, name: str, span: Range, size: int, advice: str = "") -> Answer | Fault:
    """One try to have these bytes, all of them, of a shard that has `size` bytes; `advice` for when it has others."""
    answer = place.ask(name, span)
    if isinstance(answer, Answer) and answer.total not in (None, size):
        return Fault(f"the shard has {answer.total:,} bytes there, {size:,} in the manifest{advice}", False)
    if isinstance(answer, Answer) and len(answer.data) != span[1]:
        return Fault(f"{len(answer.data):,} bytes came instead of {span[1]:,}", True)
    return answer


_POOL: dict[int, ThreadPoolExecutor] = {}


def _pool() -> ThreadPoolExecutor:
    """This process's threads for requests; those of a process that forked it are gone."""
    # One step, since several threads may come first at once; a pool that nobody takes starts no thread.
    return _POOL.get(os.getpid()) or _POOL.setdefault(os.getpid(), ThreadPoolExecutor(AT_ONCE, "facevox-fetch"))


class RemoteShards:
    """Reads of a remote folder's shards, many at once, whole members held against their sha256."""

    def __init__(self, folder: RemoteFolder) -> None:
        self.folder = folder
        self._stop = threading.Event()
        self._tags: dict[str, str] = {}

    def ahead(self, requests: Iterable[Request]) -> Iterator[tuple[Request, Parts]]:
        """Each request with its bytes, in the order of the requests, while those of later ones are being fetched."""
        waiting: deque[tuple[Request, list[_Group]]] = deque()
        held = 0
        try:
            for request in requests:
                waiting.append((request, self._begin(request.ranges)))
                held += _size(request)
                while len(waiting) > 1 and (held > AHEAD_BYTES or len(waiting) > AHEAD_BATCHES):
                    first, groups = waiting.popleft()
                    held -= _size(first)
                    yield first, _gathered(groups)
            while waiting:
                first, groups = waiting.popleft()
                yield first, _gathered(groups)
        finally:
            for _, groups in waiting:
                _cancel(groups)

    def read(self, wanted: Mapping[str, Sequence[Range]]) -> Parts:
        """The bytes of ranges by shard name.

        Raises FolderError naming place, shard and range when a shard is missing, changed or cut short, or cannot be
        had after the last try.
        """
        return _gathered(self._begin(wanted))

    def _begin(self, wanted: Mapping[str, Sequence[Range]]) -> "list[_Group]":
        self.folder.place.opened()
        groups = []
        for name in sorted(wanted):
            if not SHARD_NAME.fullmatch(name) or name not in self.folder.shards:
                raise FolderError(f"{self.folder}: {name!r} is no shard of its manifest")
            for ranges in joined(wanted[name]):
                groups.append((name, _pool().submit(self._fetch, name, ranges)))
        return groups

    def _fetch(self, name: str, ranges: list[Range]) -> dict[Range, memoryview]:
        """The bytes of near ranges: from the cache, and what it lacks by one request."""
        found: dict[Range, memoryview] = {}
        for wanted in ranges:
            kept = self.folder.cache.get(self._key(name, wanted))
            if kept is not None and self._sound(name, wanted, kept):
                found[wanted] = memoryview(kept)
        if lacking := [wanted for wanted in ranges if wanted not in found]:
            first, end = lacking[0][0], max(map(sum, lacking))
            what = f"{self.folder}/{name}, bytes {first:,} to {end:,}"
            answer = tried(partial(self._ask, name, (first, end - first), lacking), what, self._stop)
            view = memoryview(answer.data)
            for wanted in lacking:
                found[wanted] = view[wanted[0] - first :][: wanted[1]]
                self.folder.cache.put(self._key(name, wanted), found[wanted])
        return found

    def _ask(self, name: str, span: Range, ranges: list[Range]) -> Answer | Fault:
        """One try, its answer held against what the tables and earlier answers say."""
        changed = "; open the folder again, and run `facevox verify` on it"
        answer = ask_span(self.folder.place, name, span, self.folder.shards[name].size, changed)
        if isinstance(answer, Fault):
            return answer
        if answer.tag and self._tags.setdefault(name, answer.tag) != answer.tag:
            return Fault(f"the shard was changed there while it was read{changed}", False)
        for first, length in ranges:
            if not self._sound(name, (first, length), memoryview(answer.data)[first - span[0] :][:length]):
                return Fault(f"the {length:,} bytes at {first:,} do not have the sha256 of the index", True)
        return answer

    def _sound(self, name: str, wanted: Range, data: bytes | memoryview) -> bool:
        expected = self.folder.shards[name].digest(wanted)
        return len(data) == wanted[1] and (expected is None or sha256(data).digest() == expected)

    def _key(self, name: str, wanted: Range) -> str:
        # The shard's hash: a shard that was built again has other ranges. The place without its signature, often new.
        own = [shown(self.folder.place.url), name, self.folder.shards[name].sha256, *wanted]
        return sha256(json.dumps(own).encode()).hexdigest()

    def __enter__(self) -> "RemoteShards":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()


_Group = tuple[str, "Future[dict[Range, memoryview]]"]


def _size(request: Request) -> int:
    return sum(size for ranges in request.ranges.values() for _, size in ranges)


def _gathered(groups: "list[_Group]") -> Parts:
    parts: Parts = {}
    try:
        for name, group in groups:
            parts.setdefault(name, {}).update(group.result())
    finally:
        _cancel(groups)
    return parts


def _cancel(groups: "list[_Group]") -> None:
    """Begin none of these that has not begun."""
    for _, group in groups:
        group.cancel()


def joined(ranges: Iterable[Range]) -> list[list[Range]]:
    """Sorted ranges in groups to be fetched by one request each: next to each other but for a small share."""
    groups: list[list[Range]] = []
    end = between = 0
    for wanted in sorted(set(ranges)):
        first = groups[-1][0][0] if groups else 0
        gap, longer = max(0, wanted[0] - end), max(end, sum(wanted)) - first
        if groups and longer <= LARGEST_REQUEST and between + gap <= GAP_SHARE * longer:
            groups[-1].append(wanted)
            between, end = between + gap, max(end, sum(wanted))
        else:
            groups.append([wanted])
            between, end = 0, sum(wanted)
    return groups


Source = Path | RemoteFolder


def open_shards(source: Source) -> Shards | RemoteShards:
    """Reads of the shards of a local folder, or of a remote one."""
    return Shards(source) if isinstance(source, Path) else RemoteShards(source)
