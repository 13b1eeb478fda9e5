"""Shards into batches: only the bytes that a batch needs, in a fixed order, resumable by one number."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from .folder import Folder, Frames, check_frames, decode_member, member_ranges, wanted_frames
from .members import Members
from .order import Order
from .palette import heat_index
from .shards import FolderError, Shards
from .where import selection

Inputs = Callable[[list[dict[str, Any]]], Any]
MUST_MATCH = ("config", "split", "rows", "folder", "batch_size", "seed", "shuffle", "drop_last", "world")


@dataclass(frozen=True)
class StreamOptions:
    """What a stream reads and how it batches.

    `fields`: media by name, None for all. `frames`: "all", n equally spaced, a sequence of numbers from 0, or a slice.
    `align` warps `visual.webp` into the thermal frame. `thermal`: "rgb" or "index" (palette index, which rises
    with heat). `decode=False` hands over bytes (a list of frame payloads for clips). `where` is a condition on facts.
    """

    fields: tuple[str, ...] | None = None
    frames: Frames = "all"
    align: bool = False
    thermal: str = "rgb"
    decode: bool = True
    where: str = ""
    shuffle: bool = False
    seed: int = 0
    batch_size: int = 16
    drop_last: bool = False
    workers: int = 0
    rank: int = 0
    world: int = 1
    limit: int = 0


class Stream:
    """One rank's batches of one split, epoch after epoch: `for batch in stream` runs from where it stands to the end.

    `inputs(samples)` turns a list of samples into a batch, inside the worker processes; without it `together` does.
    Arrays come out as tensors. `state_dict()` after any batch and `load_state_dict` continue exactly there, also with
    another number of workers. Raises FolderError for a missing field, config or split, or when no sample fits `where`.
    """

    def __init__(
        self, folder: Folder | str | Path, config: str, split: str, options: StreamOptions, inputs: Inputs | None = None
    ) -> None:
        self.folder = folder if isinstance(folder, Folder) else Folder(folder)
        self.config, self.split, self.options = config, split, options
        if options.thermal not in ("rgb", "index"):
            raise ValueError(f"thermal {options.thermal!r}: expected 'rgb' or 'index'")
        if options.workers < 0 or options.limit < 0:
            raise ValueError(f"workers {options.workers}, limit {options.limit}: expected 0 or more of each")
        check_frames(options.frames)
        table = _rows(self.folder, config, split, options)
        self.keys = table["key"]
        self.order = Order(
            table.num_rows,
            options.batch_size,
            options.seed,
            options.shuffle,
            options.drop_last,
            options.rank,
            options.world,
        )
        self.epoch = 0
        self._next = 0
        self._moved = 0
        self._matches: dict[str, Any] | None = None
        self._batches = _Batches(self.folder, table, options, self.order, inputs or together)
        self._loader: DataLoader[Any] | None = None

    def __len__(self) -> int:
        """Batches of an epoch."""
        return len(self.order)

    def __iter__(self) -> Iterator[Any]:
        """The rest of this epoch; at its end the next iteration is the next epoch."""
        if self._loader is None:
            self._loader = _loader(self._batches, self.options.workers)
        self._batches.position[:] = torch.tensor([self.epoch, self._next])
        self._moved += 1
        epoch, moved = self.epoch, self._moved
        for batch in _forked(self._loader):
            if isinstance(batch, _Failure):
                raise batch.error
            self._only(moved)
            self._next += 1
            yield batch
        self._only(moved)
        self.epoch, self._next = epoch + 1, 0

    def _only(self, moved: int) -> None:
        if self._moved != moved:
            raise RuntimeError("another iteration or load_state_dict has moved this stream; start a new iteration")

    def state_dict(self) -> dict[str, Any]:
        """Epoch and number of batches taken, plus what must match for the numbers to mean the same."""
        return {"epoch": self.epoch, "batch": self._next, **self._identity()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where `state_dict` was taken. Raises ValueError naming what differs."""
        mine = self._identity()
        if differing := [name for name in MUST_MATCH if mine[name] != state.get(name)]:
            was = "; ".join(f"{name} was {state.get(name)!r}, now {mine[name]!r}" for name in differing)
            raise ValueError(f"the saved position belongs to another stream: {was}")
        self.epoch, self._next = int(state["epoch"]), int(state["batch"])
        self._moved += 1

    def _identity(self) -> dict[str, Any]:
        if self._matches is None:
            keys = sha256("\n".join(self.keys.to_pylist()).encode()).hexdigest()[:16]
            own = {
                name: getattr(self.options, name) for name in ("batch_size", "seed", "shuffle", "drop_last", "world")
            }
            whose = {"config": self.config, "split": self.split, "rows": keys, "folder": self.folder.digest}
            self._matches = {**whose, **own}
        return self._matches


def _rows(folder: Folder, config: str, split: str, options: StreamOptions) -> pa.Table:
    """The index rows of a split that a stream reads, in storage order."""
    folder.shards(config, split)
    table = selection(f"config == {config!r} and split == {split!r}", folder.index)
    table = selection(options.where, table)
    if options.limit:
        table = table.slice(0, options.limit)
    if not table.num_rows:
        raise FolderError(f"{folder.path}: no sample of {config} {split} fits where={options.where!r}")
    return table.combine_chunks()


def _loader(batches: "_Batches", workers: int) -> DataLoader[Any]:
    return DataLoader(
        batches,
        batch_size=None,
        num_workers=workers,
        persistent_workers=workers > 0,
        prefetch_factor=2 if workers else None,
    )


def _forked(loader: DataLoader[Any]) -> Iterator[Any]:
    """Start the workers from a moment without OpenCV threads: in a forked child they would be gone, their locks not."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        return iter(loader)
    finally:
        cv2.setNumThreads(threads)


def together(samples: list[dict[str, Any]]) -> dict[str, Any]:
    """A batch as a dictionary: arrays of equal shape stacked, everything else as lists."""
    batch: dict[str, Any] = {}
    for name in dict.fromkeys(name for sample in samples for name in sample):
        values: list[Any] = [sample.get(name) for sample in samples]
        shapes = {value.shape if isinstance(value, np.ndarray) else None for value in values}
        batch[name] = np.stack(values) if len(shapes) == 1 and None not in shapes else values
    return batch


@dataclass(frozen=True)
class _Failure:
    """An error on its way out of a worker, without the DataLoader's wrapping of its message."""

    error: Exception


class _Batches(IterableDataset[Any]):
    """The batches that one worker makes: every n-th from the shared position on."""

    def __init__(self, folder: Folder, table: pa.Table, options: StreamOptions, order: Order, inputs: Inputs) -> None:
        self.path, self.options, self.order, self.inputs = folder.path, options, order, inputs
        self.facts = table.drop_columns(["config", "split", "shard", "row", "identity", "fields"])
        self.members = Members(folder.path, table, options.fields)
        # Living workers are told through shared memory where the next iteration begins.
        self.position = torch.zeros(2, dtype=torch.int64).share_memory_()  # type: ignore[no-untyped-call]

    def __iter__(self) -> Iterator[Any]:
        worker = get_worker_info()
        first, step = (worker.id, worker.num_workers) if worker else (0, 1)
        epoch, start = self.position.tolist()
        with Shards() as shards:
            for number in range(start + first, len(self.order), step):
                try:
                    yield self.inputs(self._samples(self.order.batch(epoch, number), shards))
                except (ValueError, OSError, IndexError) as error:
                    yield _Failure(error)
                    return

    def _samples(self, rows: np.ndarray[Any, np.dtype[np.int64]], shards: Shards) -> list[dict[str, Any]]:
        """Read the samples of a batch in file order and return them in the order's."""
        facts = self.facts.take(pa.array(rows)).to_pylist()
        found: dict[int, dict[str, Any]] = {}
        for at in np.lexsort((self.members.first_byte[rows], self.members.shard[rows])):
            found[int(at)] = self._sample(int(rows[at]), facts[at], shards)
        return [found[at] for at in range(len(rows))]

    def _sample(self, row: int, facts: dict[str, Any], shards: Shards) -> dict[str, Any]:
        entries = self.members.entries(row)
        key = facts.pop("key")
        sample: dict[str, Any] = {"__key__": key, "json": facts}
        warped = self.options.align and self.options.decode and any(e["name"] == "visual.webp" for e in entries)
        stored = self.members.entry(row, "aligned.webp") if warped else None
        if stored is not None:
            # Kept by the build where the matrices do not reproduce the release's aligned frames.
            entries = [{**stored, "name": "visual.webp"} if e["name"] == "visual.webp" else e for e in entries]
        ranges = {entry["name"]: member_ranges(entry, self.options.frames) for entry in entries}
        parts = shards.read(self.members.path(row), [r for wanted in ranges.values() for r in wanted])
        for entry in entries:
            name = entry["name"]
            data = [parts[r] for r in ranges[name]]
            sample[name] = self._decoded(entry, data) if self.options.decode else _raw(entry, data)
        if warped and stored is None:
            thermal = self.members.entry(row, "thermal.webp")
            if thermal is None:
                raise FolderError(f"{key}: has no thermal.webp to align to; use align=False")
            numbers, size = wanted_frames(self.options.frames, facts["frames"]), (thermal["width"], thermal["height"])
            sample["visual.webp"] = aligned(sample["visual.webp"], numbers, facts, size, key)
        return sample

    def _decoded(self, entry: Mapping[str, Any], data: Sequence[memoryview]) -> Any:
        array = decode_member(entry, data)
        return heat_index(array) if entry["name"] == "thermal.webp" and self.options.thermal == "index" else array


def _raw(entry: Mapping[str, Any], data: Sequence[memoryview]) -> Any:
    payloads = [bytes(part) for part in data]
    return payloads if entry["frame_offset"].size else payloads[0]


def aligned(
    visual: np.ndarray[Any, np.dtype[np.uint8]],
    numbers: Sequence[int],
    facts: Mapping[str, Any],
    size: tuple[int, int],
    key: str,
) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Warp visual frames (n, H, W, 3) uint8 of the given numbers (from 0) into thermal ones of `size` (width, height).

    Raises FolderError where no matrix covers a frame.
    """
    warped = np.empty((len(numbers), size[1], size[0], 3), np.uint8)
    segments = facts.get("alignment") or ()
    for place, number in enumerate(numbers):
        h = next((s["h"] for s in segments if s["first"] <= number + 1 <= s["last"]), None)
        if h is None:
            raise FolderError(
                f"{key}: frame {number + 1} has no alignment matrix; leave it out with where=, or align=False"
            )
        matrix = np.array(h, np.float64).reshape(3, 3)
        cv2.warpPerspective(visual[place], matrix, size, dst=warped[place], flags=cv2.INTER_LINEAR, borderValue=0)
    return warped
