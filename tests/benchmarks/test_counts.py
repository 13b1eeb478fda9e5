"""Tables of counts: the folder's own numbers, exact, beside the printed ones with their flags."""

import pytest
from facevox.benchmarks.core.bench import BenchOptions, run
from facevox.benchmarks.core.catalogue import entry
from facevox.loaders.folder import Folder


def test_table_2_counts_what_the_index_holds(built):
    table = run("speakingfaces_table2", BenchOptions(built["tar"].path))
    rows = [r for r in Folder(built["tar"].path).index.to_pylist() if r["config"] == "utterances"]
    found = {row.labels: row for row in table.rows}
    assert found["utterances", "total"].measured.value == len(rows)
    assert found["utterances", "test"].measured.value == sum(r["split"] == "test" for r in rows)
    assert found["image pairs, session 2", "total"].measured.value == sum(r["frames"] for r in rows)
    assert found["utterances", "total"].published == 13711
    assert "2,300,400" in found["image pairs, session 1", "total"].flag
    assert not found["speakers", "train"].flag
    text = table.text()
    assert "2,268,000*" in text
    assert "exact" in text
    assert "forged" in text


def test_table_1_adds_both_sessions(built):
    table = run("speakingfaces_table1", BenchOptions(built["tar"].path))
    frames = [
        r["frames"] for r in Folder(built["tar"].path).index.to_pylist() if r["config"] in ("utterances", "stills")
    ]
    by_name = {row.labels[0]: row for row in table.rows}
    assert by_name["image pairs"].measured.value == sum(frames)
    assert by_name["image pairs"].published == 4_581_595
    assert "3,812,988" in by_name["image pairs"].flag
    assert by_name["speakers"].measured.value == 6


def test_figure_8_without_checkpoints_is_a_list_of_commands(built, tmp_path):
    table = run("speakingfaces_figure8", BenchOptions(built["tar"].path, tmp_path))
    assert all(row.measured is None for row in table.rows)
    assert [command.split("--frames ")[1][0] for command in table.commands] == ["1", "3", "5", "7", "9"]
    for training in entry("speakingfaces_figure8").trainings:
        words = training.split()
        assert words[-1] == f"frames-{words[words.index('--frames') + 1]}"


def test_figure_8_measures_accuracy_and_time_and_draws_both(built, tmp_path):
    from facevox.models.core.train import TrainOptions, fit
    from facevox.models.gender import GenderOptions

    for frames in (1, 3):
        tiny = GenderOptions(width=0.05, dropout=0.1, frames=frames)
        out = tmp_path / f"frames-{frames}"
        fit(TrainOptions("gender", built["tar"].path, out, epochs=1, batch_size=12, device="cpu", settings=tiny))
    table = run("speakingfaces_figure8", BenchOptions(built["tar"].path, tmp_path, device="cpu"))
    found = {row.labels: row.measured for row in table.rows}
    assert 0 <= found["1", "test", "accuracy, %"].value <= 100
    assert found["3", "test", "ms a clip"].value > 0
    assert found["5", "test", "ms a clip"] is None
    assert [figure.y_axis for figure in table.figures] == ["% of utterances", "ms a clip"]
    assert table.figures[0].curves[0].x == (1, 3)
    assert {control.name for control in table.controls} == {"chance", "oracle", "leakage"}
    (tmp_path / "frames-1").rename(tmp_path / "frames-9")
    with pytest.raises(ValueError, match="with 9 images a clip"):
        run("speakingfaces_figure8", BenchOptions(built["tar"].path, tmp_path, device="cpu"))
