"""Arrays of plain numbers to bytes and back (`.npy`): no pickle, bounded in size."""

import io
import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_ARRAY_BYTES = 1 << 28
"""Largest array decoded, 256 MiB."""


def encode_array(values: NDArray[Any]) -> bytes:
    """Numbers of any shape as `.npy`, in C order and little-endian: equal arrays give equal bytes."""
    out = io.BytesIO()
    plain = np.ascontiguousarray(values, values.dtype.newbyteorder("<")).reshape(values.shape)
    np.lib.format.write_array(out, plain, (1, 0), allow_pickle=False)
    return out.getvalue()


@lru_cache(maxsize=256)
def array_header(dtype: str, shape: tuple[int, ...]) -> bytes:
    """What `encode_array` writes before the numbers; `dtype` as in "<i2"."""
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(out, {"descr": dtype, "fortran_order": False, "shape": shape})
    return out.getvalue()


def decode_array(data: bytes, limit: int = MAX_ARRAY_BYTES) -> NDArray[Any]:
    """`.npy` -> its array. Raises ValueError for objects, damage, a cut, bytes too many, or more than `limit` bytes."""
    file = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(file)
        if version != (1, 0):
            raise ValueError(f"version {version}, expected (1, 0)")
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        size, found = math.prod(shape) * dtype.itemsize, len(data) - file.tell()
        if dtype.hasobject or size > limit or size != found:
            raise ValueError(f"shape {shape} of {dtype} in {found:,} bytes, expected numbers, at most {limit:,} bytes")
        file.seek(0)
        return np.asarray(np.lib.format.read_array(file, allow_pickle=False))
    except (ValueError, EOFError, SyntaxError, TypeError) as error:
        raise ValueError(f"not a readable npy array: {error}") from None
