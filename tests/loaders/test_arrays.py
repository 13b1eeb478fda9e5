"""Array members: exact both ways, never a pickle, never larger than asked for."""

import io

import numpy as np
import pytest
from facevox.loaders.arrays import decode_array, encode_array


@pytest.mark.parametrize("dtype", ["<f4", ">f8", "i2", "u1", "?"])
@pytest.mark.parametrize("shape", [(3, 4, 5), (7,), (), (0, 2)])
def test_arrays_come_back_equal(dtype: str, shape: tuple[int, ...]) -> None:
    values = np.asarray(np.random.default_rng(0).random(shape) * 9).astype(dtype, order="F")
    back = decode_array(encode_array(values))
    assert back.shape == shape
    assert np.array_equal(back, values)
    assert encode_array(values.copy("C")) == encode_array(values)


def test_objects_are_refused_both_ways() -> None:
    out = io.BytesIO()
    np.save(out, np.array([{}], object), allow_pickle=True)
    with pytest.raises(ValueError, match="expected numbers"):
        decode_array(out.getvalue())
    with pytest.raises(ValueError, match="Object arrays"):
        encode_array(np.array([{}], object))


def test_damage_and_size_are_refused() -> None:
    data = encode_array(np.arange(10, dtype=np.float32))
    for cut in range(len(data)):
        with pytest.raises(ValueError, match="npy"):
            decode_array(data[:cut])
    with pytest.raises(ValueError, match="npy"):
        decode_array(data + b"\0")
    with pytest.raises(ValueError, match="at most 39 bytes"):
        decode_array(data, 39)
