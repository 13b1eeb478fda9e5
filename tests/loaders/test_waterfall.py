"""What steps left out is counted as planted, and measurements before, after and of what was kept belong together."""

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from facevox.loaders import waterfall
from facevox.loaders.distributions import Measure
from facevox.loaders.folder import Folder
from facevox.loaders.histograms import draw
from facevox.loaders.rows import Rows
from facevox.loaders.waterfall import (
    Quality,
    options_of,
    quality_panels,
    quality_table,
    read_left_out,
    spreads,
    waterfalls,
)

STEPS = {"faces": ("list", "resolution", "pose"), "voices": ("speech",)}
IPD = Quality("faces", "resolution", Measure("ipd_px", "distance", "px", (0, 30, 60, 90), 30), "min_ipd")
NEUTRAL = Quality("faces", "pose", Measure("emotion", "neutral", "probability", (0, 0.5, 1)), part=1)


@pytest.fixture
def planted(tmp_path):
    """Twelve strangers' pictures in one row, 40 too small, 25 turned, 7 silent voices; 35 faces and 3 voices kept."""

    def row(stage, number, measured=None, config="faces", key="k{}"):
        text = "" if measured is None else json.dumps(measured)
        return {
            "key": key.format(number), "config": config, "split": "", "stage": stage, "place": "", "reason": "",
            "kind": "Reject", "measured": text,
        }  # fmt: skip

    rows = [row("resolution", n, {"ipd_px": 10 + n / 4}) for n in range(40)]
    rows += [row("pose", n, {"ipd_px": 45.0, "emotion": [0.75, 0.25]}) for n in range(25)]
    rows += [row("speech", n, config="voices") for n in range(7)]
    rows += [row("list", 0, {"faces": 12}, key=""), row("list", 0, key=""), row("table", 3), row("table", 4)]
    (tmp_path / "tables").mkdir()
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "tables" / "quarantine.parquet")
    pq.write_table(pa.table({"key": ["a"]}), tmp_path / "tables" / "index.parquet")
    kept = Rows(
        {
            "config": ["faces"] * 35 + ["voices"] * 3,
            "ipd_px": [75.0] * 34 + [float("nan")] + [None] * 3,
            "emotion": [[0.1, 0.9]] * 35 + [None] * 3,
        },
        ("faces", "voices"),
    )
    return Folder(tmp_path), kept


def test_the_planted_counts_come_back_in_the_order_of_the_steps(planted):
    folder, kept = planted
    faces, voices = waterfalls(read_left_out(folder, STEPS, ()), kept, STEPS)
    assert faces.lines() == [("list", 112, 12, 100), ("resolution", 100, 40, 60), ("pose", 60, 25, 35)]
    assert voices.lines() == [("speech", 10, 7, 3)]
    assert (faces.read, voices.read) == (112, 10)
    table = faces.table()
    assert sum(row[-1] for row in table.rows) + 100 * 35 / 112 == pytest.approx(100)
    assert "35 of 112 kept" in table.notes[0] and "list 1, table 2" in table.notes[1]
    panel = faces.panel()
    assert panel.categories == ("read", "list", "resolution", "pose", "kept")
    assert panel.series == {"came in": (112, 112, 100, 60, 35), "left": (112, 100, 60, 35, 35)}


def test_measurements_before_after_and_kept_are_parts_of_each_other(planted):
    folder, kept = planted
    found = read_left_out(folder, STEPS, (IPD, NEUTRAL))
    (_, before, after, last), (_, *emotion) = spreads(found, kept)
    assert (before.bins.tolist(), after.bins.tolist(), last.bins.tolist()) == ([40, 25, 34], [0, 25, 34], [0, 0, 34])
    assert before.cells() == (99, 10.0, round((sum(10 + n / 4 for n in range(40)) + 25 * 45 + 34 * 75) / 99, 6), 75.0)
    assert [spread.bins.tolist() for spread in emotion] == [[25, 35], [0, 35], [0, 35]]
    table = quality_table(found, kept)
    assert [row[3:5] for row in table.rows[:3]] == [("before", 99), ("after", 59), ("kept", 34)]


@pytest.mark.parametrize(("card", "mark"), [(None, 30), ("| `min_ipd` | `25.5` |", 25.5), ("| `other` | `1` |", 30)])
def test_the_threshold_drawn_is_the_one_of_the_build(planted, card, mark):
    folder, kept = planted
    if card:
        (folder.path / "README.md").write_text(f"# X\n\n## Built with\n\n{card}\n\n## Terms\n\n| `min_ipd` | `1` |\n")
    panel, _ = quality_panels(read_left_out(folder, STEPS, (IPD, NEUTRAL)), kept, options_of(folder))
    assert panel.mark == mark
    assert panel.series == {"before": (40, 25, 34), "after resolution": (0, 25, 34), "kept": (0, 0, 34)}


def test_counts_do_not_depend_on_how_many_rows_are_read_at_once(planted, monkeypatch):
    folder, _ = planted
    whole = read_left_out(folder, STEPS, (IPD, NEUTRAL))
    monkeypatch.setattr(waterfall, "ROWS_AT_ONCE", 3)
    parts = read_left_out(folder, STEPS, (IPD, NEUTRAL))
    assert (parts.steps, parts.beside) == (whole.steps, whole.beside)
    for quality in (IPD, NEUTRAL):
        assert np.array_equal(parts.here[quality].bins, whole.here[quality].bins)
        assert parts.elsewhere[quality].cells() == whole.elsewhere[quality].cells()


def test_where_nothing_was_left_out_everything_is_kept(planted):
    folder, kept = planted
    path = folder.path / "tables" / "quarantine.parquet"
    with pq.ParquetWriter(path, pq.read_schema(path)):
        pass
    faces, _ = waterfalls(read_left_out(folder, STEPS, (IPD,)), kept, STEPS)
    assert faces.table().rows == (("none", 35, 0, 35, 0.0),)
    assert quality_table(read_left_out(folder, STEPS, (IPD,)), kept) is None
    (panel,) = quality_panels(read_left_out(folder, STEPS, (IPD,)), kept, {})
    assert list(panel.series) == ["kept"] and panel.mark is None


@pytest.mark.parametrize("measured", ["[1]", "{", "3"])
def test_measured_that_is_no_object_is_told_in_one_line(planted, measured):
    folder, _ = planted
    path = folder.path / "tables" / "quarantine.parquet"
    table = pq.read_table(path).slice(0, 1)
    pq.write_table(table.set_column(7, "measured", [[measured]]), path)
    with pytest.raises(ValueError, match="expected a JSON object") as error:
        read_left_out(folder, STEPS, (IPD,))
    assert len(str(error.value).splitlines()) == 1


def test_the_figure_is_drawn_from_steps_and_qualities(planted, tmp_path):
    folder, kept = planted
    found = read_left_out(folder, STEPS, (IPD, NEUTRAL))
    panels = [*(fall.panel() for fall in waterfalls(found, kept, STEPS)), *quality_panels(found, kept, {})]
    first = draw(panels, "planted", tmp_path / "a.png").read_bytes()
    assert first[:4] == b"\x89PNG"
    stacked = [replace(panel, nested=False) for panel in panels]
    assert first != draw(stacked, "planted", tmp_path / "c.png").read_bytes()
