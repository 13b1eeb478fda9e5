"""Nobody is in two splits, unless the samples say what of a person's the split divides."""

import pyarrow as pa
import pytest
from facevox.loaders.verify_tables import _divided


def divided(*rows: tuple[str, str, str | None]) -> list[str]:
    index = [dict(zip(("identity", "split", "split_group"), row, strict=True), config="faces") for row in rows]
    return list(_divided(pa.Table.from_pylist(index)))


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([("ann", "train", None), ("bob", "test", None), ("ann", "train", None)], []),
        ([("ann", "train", "clip1"), ("ann", "test", "clip2"), ("bob", "train", "clip2")], []),
        ([("ann", "train", None), ("ann", "test", None)], ["1 people .* first ann of faces in test, train"]),
        ([("ann", "train", None), ("ann", "test", "clip2")], ["1 people"]),
        ([("ann", "train", "clip1"), ("ann", "test", "clip1")], ["1 split groups .* clip1 of ann of faces"]),
    ],
)
def test_what_the_samples_say_is_divided_is_what_lies_whole_in_one_split(rows, words):
    import re

    found = divided(*rows)
    assert len(found) == len(words) and all(re.search(word, line) for word, line in zip(words, found, strict=True))
