"""`facevox bench judges`: every judge's own error on the people of a folder."""

import pytest
from facevox.benchmarks.core.bench import BenchOptions, run
from facevox.loaders.folder import FolderError


def test_faces_and_voices_of_a_folder_are_judged(with_faces):
    table = run("judges", BenchOptions(with_faces.path))
    found = {row.labels: row.measured for row in table.rows}
    assert {judge for judge, _ in found} == {"dlib, pairs", "mfcc, utterances"}
    rows = [r for r in with_faces.index.to_pylist() if (r["config"], r["split"]) == ("pairs", "test")]
    nearest = found["dlib, pairs", "wrong nearest"]
    assert nearest.groups == len({row["identity"] for row in rows}) and 0 <= nearest.value <= 100
    assert 0 <= found["dlib, pairs", "equal error"].value <= 100
    assert found["mfcc, utterances", "AUC"].interval.low <= found["mfcc, utterances", "AUC"].interval.high


def test_a_judge_that_is_not_here_is_not_measured(with_faces):
    table = run("judges", BenchOptions(with_faces.path, judge="vfmr:nowhere.pt"))
    (row,) = (row for row in table.rows if row.measured is None)
    assert "no checkpoint nowhere.pt" in row.labels[0]
    assert row.command.endswith("--judge vfmr:nowhere.pt")


def test_a_folder_without_faces_and_voices_is_refused(built, monkeypatch):
    monkeypatch.setattr("facevox.benchmarks.judges.SOUNDS", ())
    with pytest.raises(FolderError, match="neither faces nor voices"):
        run("judges", BenchOptions(built["tar"].path))
