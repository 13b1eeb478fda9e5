"""Numbers of Arrow as numpy arrays and back, sharing their memory.

pyarrow's own conversions import pandas, which takes longer than all else before a first batch.
"""

import sys
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def as_numpy(array: pa.Array) -> NDArray[Any]:
    """The numbers of an Arrow array without nulls (n,), as numpy sees them. Raises ValueError for one with nulls."""
    if array.null_count:
        raise ValueError(f"{array.null_count} of {len(array)} numbers are null, expected none")
    if not len(array):
        return np.empty(0, str(array.type))
    return np.asarray(np.from_dlpack(array))


def as_arrow(rows: NDArray[np.int64]) -> pa.Int64Array:
    """Row numbers (n,) int64 as an Arrow array, for `take`."""
    return pa.Array.from_buffers(pa.int64(), len(rows), [None, pa.py_buffer(np.ascontiguousarray(rows, np.int64))])


def equal_rows(column: pa.ChunkedArray, value: str) -> NDArray[np.bool_]:
    """Which entries of a column of words are `value` (n,)."""
    words = column.combine_chunks().dictionary_encode()
    names: list[str | None] = words.dictionary.to_pylist()
    if value not in names:
        return np.zeros(len(column), bool)
    codes = words.indices.fill_null(-1) if words.indices.null_count else words.indices
    return np.asarray(as_numpy(codes) == names.index(value))


def spare_pandas() -> None:
    """Have pyarrow find no pandas when it converts its first list, for which alone it would import it: 60 MB.

    For processes of our own. From then on, until something asks pyarrow for pandas by name, `pa.array` takes a pandas
    Series for any other sequence, whose NaN are not nulls.
    """
    if "pandas" in sys.modules:
        return
    sys.meta_path.insert(0, _NoPandas)
    try:
        pa.array([0])
    finally:
        sys.meta_path.remove(_NoPandas)


class _NoPandas:
    """Says of pandas that it is not there."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError("pyarrow is to do without pandas", name=name)
