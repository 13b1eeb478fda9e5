"""A split as a map-style dataset: any sample by number, read when it is asked for."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.data import Dataset

from .batches import SampleReader, StreamOptions
from .folder import Folder, opened
from .remote import open_shards
from .stream import check_reading, split_rows


class Samples(Dataset[dict[str, Any]]):
    """Samples of one split in storage order: `len`, `[number]`, and many at once for a DataLoader (`__getitems__`).

    A sample is a dictionary of `__key__`, `__identity__` (who it is of), `json` (the facts) and decoded media. It opens
    shards only while it reads, so it can be pickled and forked. Of `options` those on reading count: fields, facts,
    frames, align, thermal, decode, sound_seconds, threads, where, limit. Raises ValueError for options of streams
    alone, FolderError for a missing field, config or split, or when no sample fits `where`.
    """

    def __init__(self, folder: Folder | str | Path, config: str, split: str, options: StreamOptions) -> None:
        folder = opened(folder)
        check_reading(options)
        own, usual = vars(options), vars(StreamOptions())
        if idle := [name for name in ("shuffle", "by_length", "drop_last", "workers") if own[name] != usual[name]]:
            raise ValueError(f"{idle[0]}: of no use in a map-style dataset; give it to its DataLoader, or use a stream")
        table = split_rows(folder, config, split, options)
        self.folder = folder.source
        self.keys: list[str] = table["key"].to_pylist()
        self._reader = SampleReader(folder, table, options)

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, number: int) -> dict[str, Any]:
        """One sample. Raises IndexError outside the split; negative numbers count from its end."""
        return self.__getitems__([number])[0]

    def __getitems__(self, numbers: Sequence[int]) -> list[dict[str, Any]]:
        """Several samples in the asked order, their bytes read together and in file order."""
        rows = np.array([int(number) for number in numbers], np.int64)
        if outside := [int(row) for row in rows if not -len(self) <= row < len(self)]:
            raise IndexError(f"{self.folder}: sample {outside[0]} of {len(self)}")
        request = self._reader.request(rows % len(self))
        with open_shards(self.folder) as shards:
            return self._reader.samples(request, shards.read(request.ranges))
