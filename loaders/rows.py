"""The plain facts of every sample of a built folder, column by column, without its per-frame lists."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from .folder import Folder
from .sample import SPLITS

ENTRY = ("name", "size", "sha256", "width", "height")
"""What is read of a member's entry; its frame lists are most of the index and are left alone."""
DERIVED_TYPES = {
    "media_bytes": pa.int64(),
    "raw_bytes": pa.int64(),
    "same_sound": pa.bool_(),
    "alignment_source": pa.string(),
}
"""Columns made of what a sample's members and alignment say."""


class Rows:
    """Samples as columns of plain values (None: not known), and the configs that the folder was built with.

    Columns are held as Arrow arrays and become Python values when asked for: millions of rows are counted in seconds.
    """

    def __init__(self, columns: Mapping[str, Sequence[Any] | pa.ChunkedArray], configs: Iterable[str] = ()) -> None:
        self._arrays = {name: _array(values) for name, values in columns.items()}
        self._chosen: NDArray[np.int64] | None = None
        self.configs = tuple(configs)
        self.count = max((len(values) for values in self._arrays.values()), default=0)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, name: str) -> Sequence[Any]:
        """A column; all None where the folder has no such fact."""
        return _values(self._column(name)) if name in self._arrays else [None] * self.count

    @property
    def columns(self) -> dict[str, Sequence[Any]]:
        """Every column."""
        return {name: self[name] for name in self._arrays}

    def _column(self, name: str) -> pa.Array:
        array = self._arrays[name]
        return array if self._chosen is None else array.take(pa.array(self._chosen))

    def with_column(self, name: str, values: Sequence[Any]) -> "Rows":
        """The same rows with one column more."""
        return Rows({**{old: self._column(old) for old in self._arrays}, name: values}, self.configs)

    def where(self, **wanted: Any) -> "Rows":
        """The rows whose facts equal these values."""
        here = np.ones(self.count, bool)
        for name, value in wanted.items():
            here &= _equal(self._column(name), value) if name in self._arrays else value is None
        chosen = Rows({}, self.configs)
        chosen._arrays, within = self._arrays, np.flatnonzero(here)
        chosen._chosen = within if self._chosen is None else self._chosen[within]
        chosen.count = len(within)
        return chosen

    def splits(self) -> dict[str, "Rows"]:
        """The rows of train, validation, test (empty ones too), then all rows as `total`."""
        return {**{split: self.where(split=split) for split in SPLITS}, "total": self}

    def known(self, name: str) -> list[Any]:
        """The values of a column that are not None."""
        return list(_values(self._column(name).drop_null())) if name in self._arrays else []

    def numbers(self, name: str) -> NDArray[np.float64]:
        """The finite values of a column, float64."""
        values = np.array(self.known(name), np.float64)
        return values[np.isfinite(values)]

    def total(self, name: str) -> Any:
        """The sum of the known values of a column."""
        return sum(self.known(name))

    def together(self, *names: str) -> Iterator[tuple[Any, ...]]:
        """Several columns side by side."""
        return zip(*(self[name] for name in names), strict=True)


def _array(values: Sequence[Any] | pa.ChunkedArray | pa.Array) -> pa.Array:
    array = values if isinstance(values, pa.ChunkedArray | pa.Array) else pa.array(values)
    if isinstance(array, pa.ChunkedArray):
        array = array.unify_dictionaries().combine_chunks()
    return array.dictionary_encode() if pa.types.is_string(array.type) else array


def _values(array: pa.Array) -> list[Any]:
    """Python values; equal words are one object."""
    if not pa.types.is_dictionary(array.type):
        return list(array.to_pylist())
    words = np.array([*array.dictionary.to_pylist(), None], object)
    found: list[Any] = words[array.indices.fill_null(len(words) - 1).to_numpy()].tolist()
    return found


def _equal(array: pa.Array, value: Any) -> NDArray[np.bool_]:
    if value is None:
        return np.asarray(array.is_null().to_numpy(zero_copy_only=False), bool)
    if pa.types.is_dictionary(array.type):
        at = array.dictionary.index(value).as_py() if isinstance(value, str) else -1
        same = pc.equal(array.indices, at)
    elif pa.types.is_null(array.type):
        return np.zeros(len(array), bool)
    else:
        same = pc.equal(array, value)
    return np.asarray(same.fill_null(False).to_numpy(zero_copy_only=False), bool)


def read_rows(folder: Folder, facts: Sequence[str]) -> Rows:
    """The facts of every sample by name, those of DERIVED_TYPES among them; facts that the folder lacks are None.

    Reads one row group of tables/index.parquet at a time and nothing of the shards. Derived: `media_bytes` (size of all
    members), `raw_bytes` (of the members as uncompressed 8-bit RGB frames and 16-bit samples, a stored `aligned.webp`
    left out), `same_sound` (all sound members have one sha256; None for fewer than two) and `alignment_source` (of the
    first segment). Raises OSError when the table cannot be read.
    """
    path, wanted = folder.path / "tables" / "index.parquet", set(facts)
    schema = pq.read_schema(path)
    names = dict.fromkeys(("config", "split", "identity", "frames", "samples", *facts))
    flat = [name for name in names if name in schema.names]
    words = [name for name in flat if pa.types.is_string(schema.field(name).type)]
    derived = [name for name in DERIVED_TYPES if name in wanted]
    nested = [f"fields.list.element.{part}" for part in ENTRY] + ["alignment.list.element.source"]
    columns: dict[str, list[pa.Array]] = {name: [] for name in (*flat, *derived)}
    with pq.ParquetFile(path, read_dictionary=words) as file:
        for group in range(file.num_row_groups):
            batch = file.read_row_group(group, columns=[*flat, *(nested if derived else ())])
            for name in flat:
                columns[name] += batch[name].chunks
            found = _derived(batch) if derived else {}
            for name in derived:
                columns[name].append(pa.array(found[name], DERIVED_TYPES[name]))
    types = {name: schema.field(name).type for name in flat} | DERIVED_TYPES
    arrays = {
        name: pa.chunked_array(chunks) if chunks else pa.chunked_array([], types[name])
        for name, chunks in columns.items()
    }
    # Not Folder.configs: its reader imports pandas, which would cost every build a second.
    with pq.ParquetFile(folder.path / "tables" / "manifest.parquet") as file:
        configs = sorted(set(file.read(columns=["config"])["config"].to_pylist()))
    return Rows(arrays, configs)


def _derived(batch: pa.Table) -> dict[str, list[Any]]:
    names = batch.column_names
    nothing = [None] * batch.num_rows
    frames = batch["frames"].to_pylist() if "frames" in names else nothing
    samples = batch["samples"].to_pylist() if "samples" in names else nothing
    segments = batch["alignment"].to_pylist() if "alignment" in names else nothing
    members = batch["fields"].to_pylist()
    return {
        "media_bytes": [sum(entry["size"] for entry in entries) for entries in members],
        "raw_bytes": [_raw_bytes(*row) for row in zip(members, frames, samples, strict=True)],
        "same_sound": [_same_sound(entries) for entries in members],
        "alignment_source": [found[0]["source"] if found else None for found in segments],
    }


def _raw_bytes(entries: Sequence[Mapping[str, Any]], frames: int | None, samples: int | None) -> int:
    pixels = sum(
        entry["width"] * entry["height"] for entry in entries if entry["width"] and entry["name"] != "aligned.webp"
    )
    sounds = sum(entry["name"].endswith(".flac") for entry in entries)
    return int(pixels * 3 * (frames or 1) + sounds * 2 * (samples or 0))


def _same_sound(entries: Sequence[Mapping[str, Any]]) -> bool | None:
    sums = [entry["sha256"] for entry in entries if entry["name"].endswith(".flac")]
    return len(set(sums)) == 1 if len(sums) > 1 else None
