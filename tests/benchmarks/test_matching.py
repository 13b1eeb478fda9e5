"""Vectors that were kept: scored again, and two models compared person by person."""

from dataclasses import replace

import pytest
from facevox.benchmarks.core.bench import BenchOptions, run
from facevox.benchmarks.matching import PAIRED
from facevox.cli import main


def test_vectors_are_kept_and_two_models_compared_person_by_person(options, tmp_path, capsys):
    run("vfmr_table3", replace(options, vectors_out=tmp_path / "V"))
    first, second = sorted((tmp_path / "V").glob("*.npz"))
    assert first.name == "vfmr-joint-netvlad-small-seed0.npz"
    found = run("matching", BenchOptions(vectors=f"{first},{second}", device="cpu"))
    difference = found.rows[-1].measured
    one, other = (row.measured.value for row in found.rows if row.labels[1] == PAIRED and "less" not in row.labels[0])
    assert difference.value == pytest.approx(one - other)
    assert difference.interval.low <= difference.value <= difference.interval.high
    assert "p = " in found.text()
    assert [control.name for control in found.controls] == ["chance", "oracle"] * 6
    assert set(found.without) == {"judge", "leakage"} and "give --data, the vectors' folder" in found.text()
    known = run("matching", BenchOptions(options.data, vectors=str(first), device="cpu", training=options.data))
    assert {control.name for control in known.controls} == {"chance", "oracle", "leakage"}
    same = run("matching", BenchOptions(vectors=f"{first},{first}", device="cpu"))
    assert same.rows[-1].measured.value == 0 and "p = 1.0000" in same.text()
    assert main(["bench", "matching", "--vectors", str(first), "--data", str(options.data)]) == 0
    assert main(["bench", "matching", "--vectors", f"{first},{second},{first}"]) == 2


def test_another_folder_s_vectors_are_refused(options, built, tmp_path):
    run("vfmr_table3", replace(options, vectors_out=tmp_path))
    with pytest.raises(ValueError, match="embeddings of a folder of digest"):
        run("matching", BenchOptions(built["tar"].path, vectors=next(tmp_path.glob("*.npz"))))
