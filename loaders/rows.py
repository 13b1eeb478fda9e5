"""The plain facts of every sample of a built folder, column by column, without its per-frame lists."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from .folder import Folder
from .sample import SPLITS

ENTRY = ("name", "size", "sha256", "width", "height")
"""What is read of a member's entry; its frame lists are most of the index and are left alone."""


class Rows:
    """Samples as columns of plain values (None: not known), and the configs that the folder was built with."""

    def __init__(self, columns: Mapping[str, Sequence[Any]], configs: Iterable[str] = ()) -> None:
        self.columns = dict(columns)
        self.configs = tuple(configs)
        self.count = max((len(values) for values in self.columns.values()), default=0)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, name: str) -> Sequence[Any]:
        """A column; all None where the folder has no such fact."""
        return self.columns.get(name) or [None] * self.count

    def where(self, **wanted: Any) -> "Rows":
        """The rows whose facts equal these values."""
        tests = [(self[name], value) for name, value in wanted.items()]
        chosen = [at for at in range(self.count) if all(values[at] == value for values, value in tests)]
        return Rows({name: [values[at] for at in chosen] for name, values in self.columns.items()}, self.configs)

    def splits(self) -> dict[str, "Rows"]:
        """The rows of train, validation, test (empty ones too), then all rows as `total`."""
        return {**{split: self.where(split=split) for split in SPLITS}, "total": self}

    def known(self, name: str) -> list[Any]:
        """The values of a column that are not None."""
        return [value for value in self[name] if value is not None]

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


def read_rows(folder: Folder, facts: Sequence[str]) -> Rows:
    """The facts of every sample by name, and four derived columns; facts that the folder lacks are None.

    Reads one row group of tables/index.parquet at a time and nothing of the shards. Derived: `media_bytes` (size of all
    members), `raw_bytes` (of the members as uncompressed 8-bit RGB frames and 16-bit samples, a stored `aligned.webp`
    left out), `same_sound` (all sound members have one sha256; None for fewer than two) and `alignment_source` (of the
    first segment). Raises OSError when the table cannot be read.
    """
    keys = ("config", "split", "identity")
    columns: dict[str, list[Any]] = {}
    with pq.ParquetFile(folder.path / "tables" / "index.parquet") as file:
        there = set(file.schema_arrow.names)
        flat = [name for name in dict.fromkeys((*keys, "frames", "samples", *facts)) if name in there]
        nested = [f"fields.list.element.{part}" for part in ENTRY] + ["alignment.list.element.source"]
        for group in range(file.num_row_groups):
            batch = file.read_row_group(group, columns=[*flat, *nested])
            for name, values in {**{name: batch[name].to_pylist() for name in flat}, **_derived(batch)}.items():
                columns.setdefault(name, []).extend(values)
    # Not Folder.configs: its reader imports pandas, which would cost every build a second.
    with pq.ParquetFile(folder.path / "tables" / "manifest.parquet") as file:
        configs = sorted(set(file.read(columns=["config"])["config"].to_pylist()))
    return Rows(columns, configs)


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
