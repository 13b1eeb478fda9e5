"""Where the members of many samples lie: flat arrays, no Python object per sample."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from .arrow_buffers import as_numpy
from .sample import copy_name
from .shards import FolderError


class Members:
    """The `fields` column of some index rows, opened up: Arrow buffers seen as numpy arrays.

    Without `fields` all are wanted but decoded copies.

    Raises FolderError when a wanted field is missing in any of the rows, naming it and what there is.
    """

    def __init__(self, folder: str, table: pa.Table, fields: Sequence[str] | None) -> None:
        self.folder = folder
        shards = table["shard"].combine_chunks().dictionary_encode()
        self.shard: NDArray[np.int32] = as_numpy(shards.indices)
        self.names: list[str] = shards.dictionary.to_pylist()
        lists = table["fields"].combine_chunks()
        self._start: NDArray[np.int32] = as_numpy(lists.offsets)
        entries = lists.values
        self._field: list[Any] = entries.field("name").dictionary_encode().dictionary.to_pylist()
        self._kind: NDArray[np.int32] = as_numpy(entries.field("name").dictionary_encode().indices)
        self._numbers = {name: as_numpy(entries.field(name)) for name in ("offset", "size", "width", "height")}
        frames = entries.field("frame_offset")
        self._frame_start: NDArray[np.int32] = as_numpy(frames.offsets)
        self._frame_offset: NDArray[np.uint32] = as_numpy(frames.values)
        self._frame_size: NDArray[np.uint32] = as_numpy(entries.field("frame_size").values)
        self._wanted = self._choose(table, fields)
        self.first_byte = self._numbers["offset"][np.minimum(self._start[:-1], max(len(self._kind) - 1, 0))]

    def _choose(self, table: pa.Table, fields: Sequence[str] | None) -> set[int]:
        for name in fields or ():
            have = np.zeros(table.num_rows, bool)
            if name in self._field:
                rows = (
                    np.searchsorted(self._start, np.flatnonzero(self._kind == self._field.index(name)), side="right")
                    - 1
                )
                have[rows] = True
            if not have.all():
                without = table["key"][int(np.flatnonzero(~have)[0])].as_py()
                lacking = f"{int((~have).sum())} of {table.num_rows} samples have no field {name!r}, first {without}"
                raise FolderError(
                    f"{self.folder}: {lacking}; there is: {', '.join(self._field)}. Choose those, or build it in"
                )
        if fields is not None:
            return {self._field.index(name) for name in fields}
        copies = {copy_name(name) for name in self._field}
        return {code for code, name in enumerate(self._field) if name not in copies}

    def shard_name(self, row: int) -> str:
        """The shard of a row, relative to the folder."""
        return str(self.names[self.shard[row]])

    def entries(self, row: int) -> list[dict[str, Any]]:
        """The wanted members of a row, shaped like an index entry; frame tables are array views."""
        return [
            self._entry(at) for at in range(self._start[row], self._start[row + 1]) if self._kind[at] in self._wanted
        ]

    def entry(self, row: int, name: str) -> dict[str, Any] | None:
        """One member of a row, wanted or not; None when the row lacks it."""
        for at in range(self._start[row], self._start[row + 1]):
            if self._field[self._kind[at]] == name:
                return self._entry(at)
        return None

    def copy(self, row: int, name: str) -> dict[str, Any] | None:
        """The decoded copy of a member of a row; None where the build made none."""
        return self.entry(row, copy_name(name)) if copy_name(name) in self._field else None

    def _entry(self, at: int) -> dict[str, Any]:
        first, last = self._frame_start[at], self._frame_start[at + 1]
        numbers = {name: int(column[at]) for name, column in self._numbers.items()}
        frames = {"frame_offset": self._frame_offset[first:last], "frame_size": self._frame_size[first:last]}
        return {"name": self._field[self._kind[at]], **numbers, **frames}
