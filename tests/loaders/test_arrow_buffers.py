"""Arrow's numbers as numpy's and back, without pandas."""

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from facevox.loaders.arrow_buffers import as_arrow, as_numpy, equal_rows


def test_numbers_go_over_and_back():
    numbers = pa.array([5, 6, 7, 8], pa.uint32()).slice(1)
    assert as_numpy(numbers).tolist() == [6, 7, 8] and as_numpy(numbers).dtype == np.uint32
    assert as_numpy(pa.array([], pa.int32())).dtype == np.int32
    assert as_arrow(np.arange(9)[::2]).to_pylist() == [0, 2, 4, 6, 8]
    with pytest.raises(ValueError, match="1 of 2 numbers are null"):
        as_numpy(pa.array([1, None], pa.int64()))


def test_rows_of_a_word():
    words = pa.chunked_array([["a", "b"], [], ["a", None]])
    assert equal_rows(words, "a").tolist() == [True, False, True, False]
    assert equal_rows(words, "c").tolist() == [False] * 4
    assert equal_rows(pa.chunked_array([], pa.string()), "a").tolist() == []


def test_a_first_batch_needs_no_pandas(built):
    script = """
import sys
from facevox.loaders.stream import Stream, StreamOptions

next(iter(Stream(sys.argv[1], "utterances", "train", StreamOptions(frames=1, shuffle=True))))
print("pandas" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(built["tar"].path)], check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "False"


def test_lists_are_converted_without_pandas_until_it_is_asked_for():
    script = """
import sys
import pyarrow as pa
from facevox.loaders.arrow_buffers import spare_pandas

spare_pandas()
table = pa.Table.from_pylist([{"number": 1.5, "words": ["a", None]}, {"number": None, "words": []}])
print("pandas" in sys.modules, table.to_pandas()["number"].isna().tolist())
import pandas
print(pa.array(pandas.Series([1.0, float("nan")])).null_count)
"""
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines() == ["False [False, True]", "1"]
