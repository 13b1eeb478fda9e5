"""Tables of embeddings that others made: a vector and whose it is, row by row, out of .npz, .csv or .parquet."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.typing import NDArray

from .embeddings import check_begins_as_archive

VECTORS = ("embedding", "embeddings", "encodings", "vectors")
LABELS = ("sub_id", "subject", "identity", "label", "labels", "identities", "names")
"""Names that the two are looked for under, the first that is there; the first of each are SpeakingFaces' own."""
ENDINGS = (".npz", ".csv", ".parquet")
MOST_BYTES = 16 << 30
"""Unpacked; more is refused before it is read."""
DAMAGED = (BadZipFile, EOFError, zlib.error, RuntimeError, OSError)
"""What zipfile raises for damaged files; a flipped bit may call a member encrypted, or send the reader to nowhere."""


@dataclass(frozen=True)
class EmbeddingTable:
    """Vectors (N, D) float64, finite, and whose each is, (N,) words; in the order of the file."""

    source: str
    vectors: NDArray[np.float64]
    labels: NDArray[np.str_]

    @property
    def people(self) -> NDArray[np.str_]:
        """Everybody once, in order."""
        return np.unique(self.labels)

    @property
    def digest(self) -> str:
        """First 12 hexadecimal digits of the SHA-256 of the labels and the vectors."""
        return sha256("\n".join(self.labels).encode() + self.vectors.tobytes()).hexdigest()[:12]


def read_embeddings(path: str | Path) -> EmbeddingTable:
    """Read a table: a 2-D array or list column of `VECTORS`, or numbered columns as e0, e1, ...; labels of `LABELS`.

    Nothing is unpickled. Raises FileNotFoundError for no such file; ValueError, naming file and row, for another
    format, no or missing labels, vectors of several sizes, numbers that are missing or not finite.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such table of embeddings")
    if path.suffix not in ENDINGS:
        raise ValueError(f"{path}: expected a table of embeddings as {', '.join(ENDINGS)}")
    columns = _arrays(path) if path.suffix == ".npz" else _columns(path)
    vectors, labels = _vectors(path, columns), _labels(path, columns)
    if len(vectors) != len(labels):
        raise ValueError(f"{path}: {len(vectors)} vectors and {len(labels)} labels; expected one label a vector")
    if not vectors.size:
        raise ValueError(f"{path}: holds no vectors")
    if not (finite := np.isfinite(vectors).all(1)).all():
        row = int(np.argmin(finite))
        raise ValueError(f"{path}, row {row}: NaN or infinity in the vector of {labels[row]}; leave such rows out")
    return EmbeddingTable(str(path), vectors, labels)


def _arrays(path: Path) -> Mapping[str, Any]:
    """The arrays of an .npz that are wanted here."""
    try:
        check_begins_as_archive(path)
        with ZipFile(path) as packed:
            size = sum(member.file_size for member in packed.infolist())
        if size > MOST_BYTES:
            raise ValueError(f"{path}: {size} bytes unpacked, expected at most {MOST_BYTES}")
        with np.load(path, allow_pickle=False) as stored:
            return {name: _array(path, stored, name) for name in stored.files if name in VECTORS + LABELS}
    except DAMAGED as error:
        raise ValueError(f"{path}: no .npz file ({error}). Copy or write it again") from None


def _array(path: Path, stored: Any, name: str) -> NDArray[Any]:
    try:
        found: NDArray[Any] = stored[name]
    except ValueError as error:
        raise ValueError(
            f"{path}, {name}: {error}. Save a plain array; Python objects (vectors of several sizes, text as objects) "
            "are never unpickled"
        ) from None
    return found


def _columns(path: Path) -> Mapping[str, Any]:
    import pyarrow
    from pyarrow import csv, parquet

    try:
        table = csv.read_csv(path) if path.suffix == ".csv" else parquet.read_table(path)
    except pyarrow.ArrowException as error:
        raise ValueError(f"{path}: {' '.join(str(error).split())}") from None
    return dict(zip(table.column_names, table.columns, strict=True))


def _vectors(path: Path, columns: Mapping[str, Any]) -> NDArray[np.float64]:
    name = next((name for name in VECTORS if name in columns), None)
    numbered = _numbered(list(columns))
    if name is None and not numbered:
        raise ValueError(
            f"{path}: no vectors; expected {', '.join(VECTORS)} or columns e0, e1, ..., found {[*columns]}"
        )
    if name is None:
        return np.stack([_numbers(path, column, columns[column]) for column in numbered], axis=1)
    if isinstance(columns[name], np.ndarray):
        found = columns[name]
        if found.ndim != 2 or found.dtype.kind not in "fiu":
            raise ValueError(f"{path}, {name}: {found.dtype} of shape {found.shape}; expected numbers of shape (N, D)")
        return np.asarray(found, np.float64)
    listed = columns[name].to_pylist()
    if not all(isinstance(row, list) for row in listed):
        raise ValueError(f"{path}, {name}: expected a list of numbers in every row")
    sizes = [len(row) for row in listed]
    if len(set(sizes)) > 1:
        row = next(at for at, size in enumerate(sizes) if size != sizes[0])
        raise ValueError(f"{path}, row {row}: a vector of {sizes[row]} numbers, the first row has {sizes[0]}")
    return np.array(listed, np.float64)


def _numbered(names: Sequence[str]) -> list[str]:
    """Columns that differ by the number at their end alone, in the order of the numbers: e0, e1, ... or 0, 1, ..."""
    series: dict[str, list[str]] = {}
    for name in names:
        beginning = name.rstrip("0123456789")
        if beginning != name:
            series.setdefault(beginning, []).append(name)
    longest = max(series.values(), key=len, default=[])
    return sorted(longest, key=lambda name: int(name[len(name.rstrip("0123456789")) :])) if len(longest) > 1 else []


def _numbers(path: Path, name: str, column: Any) -> NDArray[np.float64]:
    try:
        return np.asarray(column.to_numpy(), np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{path}, column {name}: expected numbers, found {column.type}") from None


def _labels(path: Path, columns: Mapping[str, Any]) -> NDArray[np.str_]:
    name = next((name for name in LABELS if name in columns), None)
    if name is None:
        raise ValueError(f"{path}: no labels; expected one of {', '.join(LABELS)}, found {[*columns]}")
    found = columns[name]
    listed = found.tolist() if isinstance(found, np.ndarray) else found.to_pylist()
    for row, label in enumerate(listed):
        if label is None or isinstance(label, list) or label != label or not str(label).strip():
            raise ValueError(f"{path}, row {row}: {name} is missing; every vector needs the name of a person")
    return np.array([str(label).strip() for label in listed], np.str_)
