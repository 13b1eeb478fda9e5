"""SF2F's spectrogram dictionaries as pickle streams, written operation by operation: this house imports no pickle."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

_MARK, _EMPTY_DICT, _SET_ITEMS, _STOP = b"(", b"}", b"u", b"."
_REDUCE, _BUILD, _TUPLE, _TUPLE1, _TUPLE2, _TUPLE3, _NONE = b"R", b"b", b"t", b"\x85", b"\x86", b"\x87", b"N"
_TRUE = b"\x88"
PROTOCOLS = (2, 3, 4)
"""Python 2 wrote at most 2, Python 3 writes 3 unless told otherwise, and 4 since version 3.8."""


def mel_dictionary(mel: NDArray[np.float64], names: Mapping[str, str], protocol: int = 3) -> bytes:
    """{"LogMel_Features": mel (40, T) float64, **names} as `pickle.dump` of that protocol lays it down.

    The array is stored by columns, as the transposed spectrogram of SF2F's code is. Raises ValueError for a protocol
    that is not in PROTOCOLS.
    """
    if protocol not in PROTOCOLS:
        raise ValueError(f"pickle protocol {protocol}, expected one of {', '.join(map(str, PROTOCOLS))}")
    items = [_text("LogMel_Features", protocol), _array(mel, protocol)]
    for name, value in names.items():
        items += [_text(name, protocol), _text(value, protocol)]
    body = _EMPTY_DICT + _MARK + b"".join(items) + _SET_ITEMS + _STOP
    start = b"\x80" + bytes([protocol])
    return start + (b"\x95" + len(body).to_bytes(8, "little") + body if protocol == 4 else body)


def _text(text: str, protocol: int) -> bytes:
    data = text.encode()
    return b"\x8c" + bytes([len(data)]) + data if protocol == 4 else b"X" + len(data).to_bytes(4, "little") + data


def _named(module: str, name: str, protocol: int) -> bytes:
    """Something to be looked up by name."""
    if protocol == 4:
        return _text(module, 4) + _text(name, 4) + b"\x93"
    return b"c" + f"{module}\n{name}\n".encode()


def _number(value: int) -> bytes:
    return b"K" + bytes([value]) if 0 <= value < 256 else b"J" + value.to_bytes(4, "little", signed=True)


def _bytes(data: bytes, protocol: int) -> bytes:
    if protocol == 2:
        # Python 3 writes bytes so for Python 2 to read: text of the same code points, encoded back.
        text = data.decode("latin-1").encode()
        latin = b"X" + len(text).to_bytes(4, "little") + text
        return _named("_codecs", "encode", 2) + latin + _text("latin1", 2) + _TUPLE2 + _REDUCE
    return (b"C" + bytes([len(data)]) if len(data) < 256 else b"B" + len(data).to_bytes(4, "little")) + data


def _array(array: NDArray[np.float64], protocol: int) -> bytes:
    kind = (
        _named("numpy", "dtype", protocol) + _text("f8", protocol) + _number(0) + _number(1) + _TUPLE3 + _REDUCE
        + _MARK + _number(3) + _text("<", protocol) + _NONE * 3 + _number(-1) * 2 + _number(0) + _TUPLE + _BUILD
    )  # fmt: skip
    empty = (
        _named("numpy.core.multiarray", "_reconstruct", protocol) + _named("numpy", "ndarray", protocol)
        + _number(0) + _TUPLE1 + _bytes(b"b", protocol) + _TUPLE3 + _REDUCE
    )  # fmt: skip
    shape = b"".join(map(_number, array.shape)) + _TUPLE2
    data = _bytes(np.asarray(array, "<f8").tobytes(order="F"), protocol)
    return empty + _MARK + _number(1) + shape + kind + _TRUE + data + _TUPLE + _BUILD
