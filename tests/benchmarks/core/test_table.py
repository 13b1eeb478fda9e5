"""Tables: published beside measured in three renderings; benches by file name."""

import json

import pytest
from facevox.benchmarks.core.bench import benches, find
from facevox.benchmarks.core.metrics import Interval
from facevox.benchmarks.core.table import Measured, Row, Table

FOUND = Measured(91.25, 40, 8, Interval(85.04, 97.5), 1.5, 2, "0123456789ab")
TABLE = Table(
    "Table 9",
    ("ID", "split"),
    (
        Row(("1", "test"), 90.0, FOUND, "train a", 5),
        Row(("2", "test"), 80.0, None, "train b", 5),
        Row(("2", "valid"), 81.0, None, "train b", 5),
        Row(("3", "test"), None, Measured(50.0, 4, 1, Interval(50, 50), None, 1, "ab"), "train c"),
    ),
    ("a note",),
    {"folder": "f00"},
)


def test_no_interval_is_told_where_there_is_none():
    alone = TABLE.rows[3]
    assert "50.0..50.0" not in TABLE.text() and alone.cells()[5] == "-"
    told = {row["ID"]: row["measured"] for row in json.loads(TABLE.json())["rows"] if row["measured"]}
    assert told["3"]["interval"] is None
    assert told["1"]["interval"] == {"low": 85.04, "high": 97.5}


def test_text():
    lines = TABLE.text().splitlines()
    assert lines[0] == "Table 9"
    assert lines[2].split() == [
        *TABLE.columns,
        "published",
        "measured",
        "difference",
        "95",
        "%",
        "sd",
        "seeds",
        "n",
        "protocol",
    ]
    assert "90.0       91.2          +1.2        85.0..97.5  1.5  2 of 5  40 of 8 people  0123456789ab" in lines[4]
    assert lines[5].split() == ["2", "test", "80.0", "not", "measured"]
    assert lines[7].split()[:4] == ["3", "test", "-", "50.0"]
    assert lines[-2:] == ["a note", "not measured yet; to measure: train b"]


def test_markdown_is_one_table():
    lines = [line for line in TABLE.markdown().splitlines() if line.startswith("|")]
    assert len(lines) == 6
    assert len({line.count("|") for line in lines}) == 1
    assert "- a note" in TABLE.markdown()


def test_json_holds_everything():
    content = json.loads(TABLE.json())
    first, second, *_ = content["rows"]
    assert (first["ID"], first["published"], first["measured"]["value"]) == ("1", 90.0, 91.25)
    assert first["difference"] == pytest.approx(1.25)
    assert first["measured"]["interval"] == {"low": 85.04, "high": 97.5}
    assert (second["measured"], second["command"], second["difference"]) == (None, "train b", None)
    assert content["facts"] == {"folder": "f00"}


def test_benches_are_found_by_file_name():
    assert "speakingfaces_table4" in benches()
    assert find("speakingfaces_table4").TITLE.startswith("SpeakingFaces, Table 4")
    with pytest.raises(ValueError, match=r"no table 'speakingfaces_table_4'; did you mean 'speakingfaces_table4'\?"):
        find("speakingfaces_table_4")


def test_leakage_is_looked_for_in_the_configs_that_a_table_is_about(built, monkeypatch):
    from types import SimpleNamespace

    from facevox.benchmarks.core import bench

    table = Table("T", ("a",), (), tested=("test",))
    module = SimpleNamespace(run=lambda options: table, CONFIGS=("stills",))
    monkeypatch.setattr(bench, "find", lambda name: module)
    asked = []
    monkeypatch.setattr("facevox.benchmarks.core.examine.leakage", lambda *_, configs: asked.append(configs) or [])
    options = bench.BenchOptions(built["tar"].path)
    bench.run("t", options)
    table = Table("T", ("a",), (), tested=("test",), read=("utterances",))
    bench.run("t", options)
    assert asked == [("stills",), ("utterances",)]
