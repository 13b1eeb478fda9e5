"""Shards as tar, Parquet or Arrow: samples in, then where every member's bytes lie in the closed file."""

import hashlib
import io
import json
import mmap
import tarfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ...loaders.sample import Config, Sample

GROUP_BYTES = 64 << 20
"""A Parquet row group or Arrow batch holds at most this many bytes of media, and at least one sample."""
_PREFIX = 64

Member = tuple[str, str, int, int, str]
"""key, field, offset in the file, size, sha256."""


class ShardWriter(ABC):
    """Takes samples in order; `close` ends the file; `members` reads offsets and digests back from what was written."""

    ending: str

    def __init__(self, path: Path, config: Config) -> None:
        self.path, self.config = path, config

    @abstractmethod
    def add(self, sample: Sample) -> None: ...

    @abstractmethod
    def close(self) -> None: ...

    @abstractmethod
    def members(self) -> Iterator[Member]: ...


def facts_json(sample: Sample, config: Config) -> bytes:
    """The `json` member: every declared fact, null where unknown, in declared order."""
    facts = {fact.name: sample.facts.get(fact.name) for fact in config.facts}
    return json.dumps(facts, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


class TarWriter(ShardWriter):
    """A WebDataset tar: members sorted by name, no times and no owners, so that equal samples are equal bytes."""

    # webdataset's own writer gives the same bytes but imports torch, which every build worker would pay for.
    ending = ".tar"

    def __init__(self, path: Path, config: Config) -> None:
        super().__init__(path, config)
        self._tar = tarfile.open(path, "w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115 - closed by close()

    def add(self, sample: Sample) -> None:
        for name, data in sorted([*sample.media.items(), ("json", facts_json(sample, self.config))]):
            info = tarfile.TarInfo(f"{sample.key}.{name}")
            info.size, info.mode = len(data), 0o444
            self._tar.addfile(info, io.BytesIO(data))

    def close(self) -> None:
        self._tar.close()

    def members(self) -> Iterator[Member]:
        with tarfile.open(self.path, "r:") as tar, self.path.open("rb") as file:
            for info in tar:
                key, field = info.name.split(".", 1)
                if field != "json":
                    file.seek(info.offset_data)
                    digest = hashlib.sha256(file.read(info.size)).hexdigest()
                    yield key, field, info.offset_data, info.size, digest


class _TableWriter(ShardWriter):
    """Rows gathered into groups of at most GROUP_BYTES; members are contiguous bytes of an uncompressed column."""

    def __init__(self, path: Path, config: Config) -> None:
        super().__init__(path, config)
        self.schema = config.schema()
        self._rows: list[dict[str, Any]] = []
        self._bytes = 0
        self._groups: list[list[tuple[str, str, int, bytes, str]]] = []

    @abstractmethod
    def _write(self, batch: pa.RecordBatch) -> None: ...

    def add(self, sample: Sample) -> None:
        size = sum(map(len, sample.media.values()))
        if self._rows and self._bytes + size > GROUP_BYTES:
            self._flush()
        row: dict[str, Any] = {"__key__": sample.key, "json": dict(sample.facts)}
        for field in self.config.fields:
            data = sample.media.get(field.name)
            row[field.name] = {"bytes": data, "path": None} if field.kind == "image" and data is not None else data
        self._rows.append(row)
        self._bytes += size

    def _flush(self) -> None:
        if not self._rows:
            return
        group = []
        for field in self.config.fields:
            for row in self._rows:
                data = row[field.name]["bytes"] if isinstance(row[field.name], Mapping) else row[field.name]
                if data is not None:
                    digest = hashlib.sha256(data).hexdigest()
                    group.append((row["__key__"], field.name, len(data), data[:_PREFIX], digest))
        self._write(pa.RecordBatch.from_pylist(self._rows, schema=self.schema))
        self._groups.append(group)
        self._rows, self._bytes = [], 0

    def members(self) -> Iterator[Member]:
        """Search each member after the one before it and compare its digest: no knowledge of page headers needed."""
        with ExitStack() as stack:
            file = stack.enter_context(self.path.open("rb"))
            view = stack.enter_context(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
            cursor = 0
            for group in self._groups:
                for key, field, size, prefix, digest in group:
                    at = view.find(prefix, cursor)
                    while at >= 0 and hashlib.sha256(view[at : at + size]).hexdigest() != digest:
                        at = view.find(prefix, at + 1)
                    if at < 0:
                        raise OSError(
                            f"{self.path}: {key}.{field} was written but is not found whole; the disk may be failing"
                        )
                    yield key, field, at, size, digest
                    cursor = at + size


class ParquetWriter(_TableWriter):
    ending = ".parquet"

    def __init__(self, path: Path, config: Config) -> None:
        super().__init__(path, config)
        # Statistics would copy whole members into the footer; a dictionary or codec would break contiguity.
        self._file = pq.ParquetWriter(
            path, self.schema, compression="none", use_dictionary=False, write_statistics=False, store_schema=True
        )

    def _write(self, batch: pa.RecordBatch) -> None:
        self._file.write_batch(batch, row_group_size=max(batch.num_rows, 1))

    def close(self) -> None:
        self._flush()
        self._file.close()


class ArrowWriter(_TableWriter):
    """The Arrow IPC stream format, which `datasets` maps into memory."""

    ending = ".arrow"

    def __init__(self, path: Path, config: Config) -> None:
        super().__init__(path, config)
        self._file = pa.ipc.new_stream(str(path), self.schema)

    def _write(self, batch: pa.RecordBatch) -> None:
        self._file.write_batch(batch)

    def close(self) -> None:
        self._flush()
        self._file.close()


WRITERS: dict[str, type[ShardWriter]] = {"tar": TarWriter, "parquet": ParquetWriter, "arrow": ArrowWriter}
