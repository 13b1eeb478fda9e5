"""Columns of a folder come back as plain values, whichever way they were chosen."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from facevox.loaders.folder import Folder
from facevox.loaders.rows import Rows, read_rows

COLUMNS = {
    "config": ["faces", "voices", "faces", None, "faces"],
    "split": ["train", "test", "test", "train", "train"],
    "age": [30, None, 31, 30, 32],
    "held": [True, False, None, True, True],
    "emotion": [[0.5, 0.5], None, [1.0, 0.0], [], None],
    "box": [{"left": 1, "right": 3}, None, None, None, {"left": 0, "right": 9}],
    "nothing": [None] * 5,
}


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"config": "faces"},
        {"config": None},
        {"config": "pairs"},
        {"config": 3},
        {"age": 30, "held": True},
        {"age": None},
        {"held": False},
        {"nothing": "x"},
        {"nothing": None},
        {"missing": 1},
        {"missing": None},
        {"config": "faces", "split": "train"},
    ],
)
def test_where_chooses_as_a_loop_over_the_values_does(wanted):
    rows = Rows(COLUMNS, ("faces",))
    by_hand = [at for at in range(5) if all(COLUMNS.get(name, [None] * 5)[at] == v for name, v in wanted.items())]
    chosen = rows.where(**wanted)
    assert len(chosen) == len(by_hand) and chosen.configs == ("faces",)
    for name, values in COLUMNS.items():
        assert list(chosen[name]) == [values[at] for at in by_hand]
        assert chosen.known(name) == [values[at] for at in by_hand if values[at] is not None]
    assert list(chosen["missing"]) == [None] * len(by_hand) and chosen.known("missing") == []


def test_rows_chosen_twice_and_given_a_column_more():
    rows = Rows(COLUMNS).where(split="train").where(config="faces")
    assert list(rows.together("age", "held")) == [(30, True), (32, True)]
    more = rows.with_column("twice", [2 * age for age in rows["age"]])
    assert more["twice"] == [60, 64] and more.where(twice=64)["box"] == [{"left": 0, "right": 9}]
    assert [len(part) for part in Rows(COLUMNS).splits().values()] == [3, 0, 2, 5]


def test_words_of_several_row_groups_are_one_column(tmp_path):
    (tmp_path / "tables").mkdir()
    words = [["b", "a", None], ["c", "b", "b"], ["a", None, "d"]]
    schema = pa.schema([("config", pa.string()), ("identity", pa.string()), ("gender", pa.string())])
    with pq.ParquetWriter(tmp_path / "tables" / "index.parquet", schema) as file:
        for part in words:
            file.write_table(pa.table({"config": ["faces"] * 3, "identity": part, "gender": part}, schema=schema))
    pq.write_table(pa.table({"config": ["faces"]}), tmp_path / "tables" / "manifest.parquet")
    rows = read_rows(Folder(tmp_path), ("gender", "age"))
    assert rows["gender"] == [word for part in words for word in part]
    assert rows.where(gender="b")["identity"] == ["b", "b", "b"]
    assert rows["age"] == [None] * 9 and rows.configs == ("faces",)


def test_a_folder_without_rows_has_empty_columns(tmp_path):
    (tmp_path / "tables").mkdir()
    schema = pa.schema([("config", pa.string()), ("age", pa.int32())])
    for name in ("index", "manifest"):
        with pq.ParquetWriter(tmp_path / "tables" / f"{name}.parquet", schema):
            pass
    rows = read_rows(Folder(tmp_path), ("age", "media_bytes"))
    assert len(rows) == 0 and rows["age"] == [] and rows.where(config="faces").known("age") == []
