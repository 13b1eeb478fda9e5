"""The comparison of loaders: every way reads the same samples, and what it cannot compare it says."""

import json
from dataclasses import replace

import pytest
from facevox.benchmarks import loading
from facevox.benchmarks.core.bench import BenchOptions
from facevox.benchmarks.core.loading_ways import measured
from facevox.loaders.folder import FolderError


def test_all_ways_read_the_same_and_stand_in_one_table(built, monkeypatch):
    monkeypatch.setattr(loading, "REPEATS", 1)
    monkeypatch.setattr(loading, "_fresh", lambda asked: measured(replace(asked, workers=0)))
    found = loading.run(BenchOptions(built["tar"].path))
    rows = [row for row in built["tar"].index.to_pylist() if (row["config"], row["split"]) == ("utterances", "train")]
    assert found.facts["samples"] == len(rows)
    assert list(found.results) == list(loading.WAYS)
    assert all(one["same"] == 1 and one["rate"] > 0 and one["cpu"] > 0 for one in found.results.values())
    assert "| facevox.stream |" in found.markdown() and "yes" in found.text() and "NO" not in found.text()
    assert json.loads(found.json())["results"] == found.results


def test_other_contents_are_told(built, monkeypatch):
    results = iter(range(8))
    monkeypatch.setattr(loading, "REPEATS", 1)
    same = {"samples": 2, "seconds": 1.0, "first": 0.1, "cpu": 0.1}
    monkeypatch.setattr(loading, "_fresh", lambda asked: same | {"check": next(results)})
    assert "NO" in loading.run(BenchOptions(built["tar"].path)).text()


def test_folders_that_others_cannot_read_are_refused(built):
    with pytest.raises(FolderError, match="expected tar shards with visual.webp"):
        loading.run(BenchOptions(built["parquet"].path))
