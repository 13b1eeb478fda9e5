"""Shards into batches: only the bytes that a batch needs, in a fixed order, resumable by one number."""

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Mapping
from contextlib import nullcontext
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from .arrow_buffers import as_arrow, equal_rows
from .batches import Batches, Failure, Inputs, Reader, SampleReader, as_tensors, together
from .batches import StreamOptions as StreamOptions
from .folder import Folder, check_frames, opened
from .made_ahead import MAKING, made_ahead
from .order import Order
from .shards import FolderError
from .where import selection


class BatchStream(ABC):
    """One rank's batches by a plan, epoch after epoch; `_identity` is what a saved position must share with the stream.

    The position is the epoch and how much of it all ranks have taken together, so it holds for another number of ranks,
    another batch size and another number of workers. `state_dict` and `load_state_dict` are those of torchdata.
    """

    def __init__(self, plan: Any, batches: Batches, workers: int, threads: int = 0) -> None:
        if min(workers, threads) < 0:
            raise ValueError(f"workers {workers}, threads {threads}: expected 0 or more of each")
        self.order, self.workers, self.threads = plan, workers, threads
        self.epoch = 0
        self._taken, self._block = 0, plan.block
        self._moved = 0
        self._batches = batches
        self._loader: DataLoader[Any] | None = None

    def __len__(self) -> int:
        """Batches of a whole epoch, equal on every rank."""
        return len(self.order)

    @property
    def left(self) -> int:
        """Batches of this epoch from where the stream stands, equal on every rank."""
        return int(self.order.left(self._taken))

    def __iter__(self) -> Iterator[Any]:
        """The rest of this epoch; at its end the next iteration is the next epoch."""
        if self._loader is None or not _whole(self._loader):
            self._loader = _loader(self._batches, self.workers)
        self._moved += 1
        epoch, moved, begin = self.epoch, self._moved, self._taken
        self._batches.position[:] = torch.tensor([epoch, begin, self._block])
        made = self._made(self._loader)
        for number, batch in enumerate(made_ahead(made) if self.threads and not self.workers else made, 1):
            if isinstance(batch, Failure):
                raise batch.error
            self._only(moved)
            self._taken = self.order.edge(number, begin)
            yield batch
        self._only(moved)
        self.epoch, self._taken, self._block = epoch + 1, 0, self.order.block

    def _made(self, loader: DataLoader[Any]) -> Generator[Any]:
        """What the workers make. Raises RuntimeError when the system kills one.

        Torch tells of a killed worker by a signal: where it falls between two batches, torch's own RuntimeError comes
        out of whatever the training does at that moment.
        """
        batches: Iterator[Any] | None = None
        while True:
            try:
                if batches is None:
                    batches = _forked(loader)
                batch = next(batches)
            except StopIteration:
                return
            except RuntimeError as error:
                # The loader has ended its other workers; the next iteration starts new ones.
                self._loader = None
                if "DataLoader worker" not in str(error):
                    raise
                raise RuntimeError(
                    f"a stream worker was killed in epoch {self.epoch} after {self._taken:,} samples, often for lack "
                    "of memory: try fewer workers or smaller batches. Iterating again goes on from there"
                ) from error
            yield batch

    @cached_property
    def _facts(self) -> dict[str, Any]:
        return self._identity()

    @abstractmethod
    def _identity(self) -> dict[str, Any]:
        """What a position saved by another stream must have in common with this one."""

    def _only(self, moved: int) -> None:
        if self._moved != moved:
            raise RuntimeError("another iteration or load_state_dict has moved this stream; start a new iteration")

    def state_dict(self) -> dict[str, Any]:
        """Epoch, what all ranks have taken of it, and what must match for these to mean the same."""
        return {"epoch": self.epoch, "taken": self._taken, "block": self._block, **self._facts}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where `state_dict` was taken, on any rank of any world.

        Raises ValueError naming what differs, or when fewer samples of the epoch are left than there are ranks.
        """
        if differing := [name for name in self._facts if self._facts[name] != state.get(name)]:
            was = "; ".join(f"{name} was {state.get(name)!r}, now {self._facts[name]!r}" for name in differing)
            raise ValueError(f"the saved position belongs to another stream: {was}")
        epoch, taken, block = (int(state[name]) for name in ("epoch", "taken", "block"))
        self.order.left(taken)
        self.epoch, self._taken, self._block = epoch, taken, block
        self._moved += 1


class Stream(BatchStream):
    """One rank's batches of one split, epoch after epoch: `for batch in stream` runs from where it stands to the end.

    `inputs(samples)` turns a list of samples into a batch, inside the worker processes; without it `together` does.
    Arrays come out as tensors. `state_dict()` after any batch and `load_state_dict` continue exactly there, also with
    another number of workers, ranks or samples in a batch: no sample of the epoch is repeated or lost. Config, split,
    `where`, `limit`, `seed`, `shuffle` and `by_length` must be the same.
    Raises FolderError for a missing field, config or split, or when no sample fits `where`.
    """

    def __init__(
        self, folder: Folder | str | Path, config: str, split: str, options: StreamOptions, inputs: Inputs | None = None
    ) -> None:
        self.folder = opened(folder)
        self.config, self.split, self.options = config, split, options
        check_reading(options)
        table = split_rows(self.folder, config, split, options)
        self.keys = table["key"]
        order = Order(
            table.num_rows,
            options.batch_size,
            options.seed,
            options.shuffle,
            options.drop_last,
            options.rank,
            options.world,
            lengths(table, options.by_length, self.folder) if options.by_length else None,
        )
        reader: Reader = SampleReader(self.folder, table, options)
        batches = Batches(self.folder.source, reader, order, inputs or together)
        super().__init__(order, batches, options.workers, options.threads)

    def _identity(self) -> dict[str, Any]:
        own = {name: getattr(self.options, name) for name in ("seed", "shuffle", "by_length")}
        keys = keys_digest(self.keys)
        return {"config": self.config, "split": self.split, "rows": keys, "folder": self.folder.digest, **own}


def check_reading(options: StreamOptions) -> None:
    """Raise ValueError for options that no reader knows."""
    if options.thermal not in ("rgb", "index"):
        raise ValueError(f"thermal {options.thermal!r}: expected 'rgb' or 'index'")
    if min(options.workers, options.threads, options.limit) < 0:
        numbers = f"workers {options.workers}, threads {options.threads}, limit {options.limit}"
        raise ValueError(f"{numbers}: expected 0 or more of each")
    if not 0 <= options.sound_seconds < float("inf"):
        raise ValueError(f"sound_seconds {options.sound_seconds}: expected 0 (all) or more")
    check_frames(options.frames)


def keys_digest(keys: pa.ChunkedArray) -> str:
    """What tells one choice of rows from another."""
    return sha256("\n".join(keys.to_pylist()).encode()).hexdigest()[:16]


def lengths(table: pa.Table, fact: str, folder: Folder) -> NDArray[np.float64]:
    """A numeric fact of every row (rows,). Raises FolderError when there is no such fact, or it is null somewhere."""
    if fact not in table.column_names or not (
        pa.types.is_integer(table[fact].type) or pa.types.is_floating(table[fact].type)
    ):
        numeric = [f.name for f in table.schema if pa.types.is_integer(f.type) or pa.types.is_floating(f.type)]
        raise FolderError(f"{folder}: no numeric fact {fact!r} to batch by; there is: {', '.join(numeric)}")
    if table[fact].null_count:
        raise FolderError(
            f"{folder}: fact {fact!r} is unknown in {table[fact].null_count} of {table.num_rows} samples; leave "
            f'them out with where="{fact} is not None"'
        )
    return np.asarray(table[fact].to_numpy(), np.float64)


def split_rows(folder: Folder, config: str, split: str, options: StreamOptions) -> pa.Table:
    """The index rows of a split that a stream reads, in storage order."""
    folder.shard_names(config, split)
    chosen = equal_rows(folder.index["config"], config) & equal_rows(folder.index["split"], split)
    table = selection(options.where, folder.index.take(as_arrow(np.flatnonzero(chosen))))
    if options.limit:
        table = table.slice(0, options.limit)
    if not table.num_rows:
        raise FolderError(f"{folder}: no sample of {config} {split} fits where={options.where!r}")
    return table.combine_chunks()


def _loader(batches: Batches, workers: int) -> DataLoader[Any]:
    return DataLoader(
        batches,
        batch_size=None,
        num_workers=workers,
        persistent_workers=workers > 0,
        prefetch_factor=2 if workers else None,
        collate_fn=as_tensors,
    )


def _whole(loader: DataLoader[Any]) -> bool:
    """Whether all of its workers live, or none was started yet."""
    started = getattr(loader, "_iterator", None)
    return all(worker.is_alive() for worker in getattr(started, "_workers", ()))


def _forked(loader: DataLoader[Any]) -> Iterator[Any]:
    """Start the workers from a moment without OpenCV threads: in a forked child they would be gone, their locks not."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        # A loader without workers forks nobody, and may be started by the thread that holds the lock.
        with MAKING if loader.num_workers else nullcontext():
            return iter(loader)
    finally:
        cv2.setNumThreads(threads)
