"""Conditions on facts."""

import pyarrow as pa
import pytest
from facevox.loaders.where import selection

TABLE = pa.table(
    {"key": list("abcd"), "code": [0, 1, 2, None], "snr": [10.0, 30.0, None, 40.0], "who": ["x", "y", "x", "z"]}
)


@pytest.mark.parametrize(
    ("condition", "keys"),
    [
        ("", "abcd"),
        ("code == 0", "a"),
        ("code != 0", "bc"),
        ("0 <= code < 2", "ab"),
        ("code == 0 or snr > 35", "ad"),
        ("code >= 1 and snr > 20", "b"),
        ("who in ['x', 'z'] and not code == 2", "ad"),
        ("who not in ('x',)", "bd"),
        ("code is None", "d"),
        ("snr is not None and who == 'x'", "a"),
        ("snr > -5", "abd"),
        ("not code == 2", "abd"),
        ("not code in [2]", "abd"),
        ("code not in [2]", "ab"),
        ("not snr > 15", "ac"),
    ],
)
def test_conditions_keep_the_right_rows(condition, keys):
    assert "".join(selection(condition, TABLE)["key"].to_pylist()) == keys


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("cod == 0", "no fact 'cod'; did you mean 'code'"),
        ("code ==", "at character"),
        ("__import__('os').system('true')", "is not a comparison"),
        ("code == open('x')", "neither a fact nor a constant"),
        ("code + 1 == 2", "neither a fact nor a constant"),
        ("[c for c in code]", "is not a comparison"),
        ("who == 5", "where="),
        ("code in who", "expected =="),
    ],
)
def test_anything_else_is_refused(condition, words):
    with pytest.raises(ValueError, match=words):
        selection(condition, TABLE)
