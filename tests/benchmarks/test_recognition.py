"""`facevox bench recognition`: what it prints beside what."""

import json

import numpy as np
import pytest
from facevox.benchmarks import recognition
from facevox.benchmarks.core.bench import BenchOptions
from facevox.cli import main


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """128 numbers of six people, four vectors each, well apart."""
    path = tmp_path_factory.mktemp("e") / "e.npz"
    random = np.random.default_rng(0)
    labels = np.repeat([f"p{n}" for n in range(6)], 4)
    vectors = np.repeat(random.standard_normal((6, 128)), 4, axis=0) + 0.01 * random.standard_normal((24, 128))
    np.savez(path, embedding=vectors, label=labels)
    return path


def test_the_command_prints_all_published_tolerances(table, capsys):
    assert main(["bench", "recognition", "--embeddings", str(table), "--leave-one-out", "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {row["tolerance"] for row in told["rows"]} == {"0.35", "0.40", "0.45", "0.50", "0.55", "0.60", "pairs"}
    verified = {row["score"]: row for row in told["rows"] if row["tolerance"] == "pairs"}
    assert verified["AUC"]["measured"]["value"] == 1 and verified["AUC"]["measured"]["count"] == 24 * 23 // 2
    assert verified["equal error"]["published"] == 0.0447 and verified["equal error"]["measured"]["value"] == 0
    first = {row["score"]: row for row in told["rows"] if row["tolerance"] == "0.45"}
    assert first["TP"]["published"] == 1118 and first["TP"]["measured"]["value"] == 24
    assert first["TP"]["difference"] is None, "over other people than the published ones"
    assert first["precision"]["measured"]["value"] == 1
    assert [control["passed"] for control in told["controls"]] == [True] * 15
    assert {control["name"] for control in told["controls"]} == {"chance", "oracle", "leakage"}
    assert set(told["without"]) == {"judge"} and any("--training FILE" in note for note in told["notes"])
    assert first["accuracy"]["measured"]["interval"] is None, "all are right: no width, no interval"
    assert any("all 42 subjects" in note and "6 people" in note for note in told["notes"])


def test_a_tolerance_and_a_metric_of_ones_own(table, capsys):
    given = ["--metric", "cosine", "--tolerance", "0.5", "--gallery", str(table), "--format", "markdown"]
    assert main(["bench", "recognition", "--embeddings", str(table), *given]) == 0
    told = capsys.readouterr().out
    assert "| 0.50 | TP | - | 24 |" in told and "0.35" not in told and "42" not in told
    assert "WARNING: control, leakage, probes beside the gallery: the vectors of 24 of 24 probes are in the" in told
    assert main(["bench", "recognition", "--embeddings", str(table), *given, "--training", str(table)]) == 0
    told = capsys.readouterr().out
    assert "6 of 6 people occur in both" in told and "24 of 24 probes have a near duplicate" in told


def test_a_gallery_is_wanted(table, tmp_path, capsys):
    for given in ([], ["--leave-one-out", "--gallery", str(table)]):
        assert main(["bench", "recognition", "--embeddings", str(table), *given]) != 0
        assert "either --leave-one-out or --gallery" in capsys.readouterr().err
    with pytest.raises(ValueError, match="needs --embeddings"):
        recognition.run(BenchOptions(leave_one_out=True))


@pytest.mark.real
def test_published_rows_stand_beside_those_of_28_subjects(real):
    file = real / "speakingfaces/embeddings/arcface512_real_visual_trial1.npz"
    found = recognition.run(BenchOptions(embeddings=file, leave_one_out=True, metric="cosine"))
    row = next(row for row in found.rows if row.labels == ("0.35", "F1"))
    assert (row.published, row.measured.value, row.difference) == (0.9982, 1.0, None)
    assert row.measured.groups == 28
    assert any("28 people" in note for note in found.notes)
