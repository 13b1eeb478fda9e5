"""Shards into batches: only the bytes that a batch needs, in a fixed order, resumable by one number."""

from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import cv2
import pyarrow as pa
import torch
from torch.utils.data import DataLoader

from .batches import Batches, Failure, Inputs, together
from .batches import StreamOptions as StreamOptions
from .folder import Folder, check_frames
from .order import Order
from .shards import FolderError
from .where import selection

MUST_MATCH = ("config", "split", "rows", "folder", "batch_size", "seed", "shuffle", "drop_last", "world")


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
        self._batches = Batches(self.folder, table, options, self.order, inputs or together)
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
            if isinstance(batch, Failure):
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


def _loader(batches: Batches, workers: int) -> DataLoader[Any]:
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
