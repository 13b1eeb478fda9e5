"""Table 4 on tiny checkpoints."""

import ast
import inspect
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from facevox.benchmarks import speakingfaces_table4 as table4
from facevox.benchmarks.core.bench import BenchOptions, run
from facevox.loaders.folder import Folder
from facevox.models.core import checkpoint
from facevox.models.core.train import TrainOptions, fit
from facevox.models.gender import GenderOptions

TINY = GenderOptions(width=0.05, dropout=0.1)


@pytest.fixture(scope="module")
def runs(built, tmp_path_factory) -> Path:
    """One step each of modes 7 (two seeds) and 3, and of age with mode 7."""
    out = tmp_path_factory.mktemp("runs")
    options = TrainOptions("gender", built["tar"].path, out, epochs=1, batch_size=12, device="cpu", settings=TINY)
    for change in ({}, {"seed": 1}, {"settings": replace(TINY, mode=3)}, {"settings": replace(TINY, task="age")}):
        fit(replace(options, **change))
    return out


@pytest.fixture(scope="module")
def options(built, runs) -> BenchOptions:
    return BenchOptions(built["tar"].path, runs, device="cpu", batch_size=5)


@pytest.fixture(scope="module")
def table(options):
    return run("speakingfaces_table4", options)


def test_rows_are_the_papers(table):
    ids = [row.labels[0] for row in table.rows]
    assert ids == [str(n) for n in range(1, 12) for _ in range(2)] + ["age, mode 7"] * 2
    assert table.columns == ("ID", "visual", "audio", "thermal", "split")
    states = {row.labels[0]: row.labels[1:4] for row in table.rows}
    assert states["4"] == ("clean", "noisy", "noisy")
    assert states["10"] == ("-", "clean", "-")
    assert [row.published for row in table.rows[:2]] == [89.6, 96.0]
    assert table.rows[21].published == 94.3


def test_measured_seeds_and_what_is_missing(table, options):
    text = table.text()
    by_id = {(row.labels[0], row.labels[4]): row for row in table.rows}
    assert by_id["1", "test"].measured.seeds == 2
    assert by_id["1", "test"].measured.spread is not None
    assert "2 of 5" in text
    assert by_id["10", "test"].measured.seeds == 1
    assert by_id["9", "test"].measured is None
    assert f"to measure: facevox train gender --mode 1 --data {options.data} --out {options.runs} --seed 0" in text
    assert by_id["age, mode 7", "test"].published is None
    assert "these people are made up" in text
    digests = {row.measured.protocol for row in table.rows if row.measured and row.labels[4] == "test"}
    assert len(digests) == 1


def test_accuracy_is_that_of_a_plain_computation(table, options, runs):
    """Row 1, seed 0 and 1, over the clean test samples, without stream, batches or the table's code."""
    folder, shares = Folder(options.data), []
    rows = [r for r in folder.index.to_pylist() if (r["config"], r["split"]) == ("utterances", "test")]
    import cv2

    for seed in (0, 1):
        model, _ = checkpoint.restore(runs / "gender-mode7" / f"seed{seed}" / "best.pt")
        model.eval()
        inputs = model.inputs()
        right = []
        for row in filter(inputs.takes, rows):
            sample = next(folder.fetch([row["key"]], inputs.fields, frames=3))
            matrices = [np.array(row["alignment"][0]["h"]).reshape(3, 3)] * 3
            size = sample["thermal.webp"].shape[2:0:-1]
            pairs = zip(sample["visual.webp"], matrices, strict=True)
            sample["visual.webp"] = np.stack([cv2.warpPerspective(f, m, size) for f, m in pairs])
            logit = model(inputs([sample]))
            right.append((logit.item() > 0) == (row["gender"] == "Male"))
        shares.append(np.mean(right))
    found = next(r for r in table.rows if r.labels[0] == "1" and r.labels[4] == "test").measured
    assert found.value == pytest.approx(100 * np.mean(shares))
    assert found.count == len(right)
    assert found.spread == pytest.approx(100 * np.std(shares, ddof=1))


def test_batch_size_and_workers_change_no_number(table, options):
    other = run("speakingfaces_table4", replace(options, batch_size=2, workers=1))
    assert other.rows == table.rows


def test_no_published_number_is_reachable_from_measure(options, monkeypatch):
    tree = ast.parse(inspect.getsource(table4))
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    reached, todo = set(), ["measure"]
    while todo:
        name = todo.pop()
        if name not in reached:
            reached.add(name)
            names = {node.id for node in ast.walk(functions[name]) if isinstance(node, ast.Name)}
            assert "PUBLISHED" not in names, name
            todo += names & functions.keys()
    assert {"measure", "checkpoints", "pass_over", "summary"} <= reached
    before = table4.measure(Folder(options.data), options)
    monkeypatch.setattr(table4, "PUBLISHED", {})
    assert table4.measure(Folder(options.data), options) == before


def test_nothing_trained_is_a_table_of_commands(built, tmp_path):
    table = run("speakingfaces_table4", BenchOptions(built["tar"].path, tmp_path))
    assert all(row.measured is None for row in table.rows)
    assert [c.split("--mode ")[1][0] for c in table.commands] == ["7", "1", "3", "2"]


def test_a_checkpoint_of_another_folder_or_model_is_refused(built, options, runs, tmp_path):
    with pytest.raises(ValueError, match="trained on a folder of digest"):
        run("speakingfaces_table4", replace(options, data=built["parquet"].path))
    shutil.copytree(runs / "gender-mode3", tmp_path / "gender-mode7")
    with pytest.raises(ValueError, match="holds another model"):
        run("speakingfaces_table4", replace(options, runs=tmp_path))


def test_a_limit_is_said(options):
    table = run("speakingfaces_table4", replace(options, limit=3))
    assert table.notes[0].startswith("only the first 3 samples")
    assert table.rows[0].measured.count <= 3
