"""`facevox bench judges`: every judge's own error on the people of a folder."""

from dataclasses import replace

import numpy as np
import pytest
from facevox.benchmarks.core.bench import BenchOptions, run
from facevox.benchmarks.core.controls import classification
from facevox.benchmarks.core.embedding_table import EmbeddingTable
from facevox.benchmarks.core.judges import open_judge, own_error
from facevox.benchmarks.judges import Judged
from facevox.loaders.folder import FolderError
from sklearn.metrics import roc_auc_score


def test_faces_and_voices_of_a_folder_are_judged(with_faces):
    table = run("judges", BenchOptions(with_faces.path))
    found = {row.labels: row.measured for row in table.rows}
    assert {judge for judge, _ in found} == {"dlib, pairs", "mfcc, utterances"}
    rows = [r for r in with_faces.index.to_pylist() if (r["config"], r["split"]) == ("pairs", "test")]
    nearest = found["dlib, pairs", "wrong nearest"]
    assert nearest.groups == len({row["identity"] for row in rows})
    judge, vectors, people = open_judge("dlib"), [], []
    for row in sorted(rows, key=lambda row: row["key"]):
        if people.count(row["identity"]) < 10:
            (sample,) = with_faces.fetch([row["key"]], ["visual.webp"], config="pairs")
            vectors.append(judge([sample["visual.webp"]])[0])
            people.append(row["identity"])
    apart = np.linalg.norm(np.array(vectors)[:, None] - np.array(vectors)[None], axis=2)
    wrong = [people[int(np.argmin(far + np.where(far == 0, np.inf, 0)))] != who
             for far, who in zip(apart, people, strict=True)]  # fmt: skip
    assert nearest.value == pytest.approx(100 * np.mean(wrong))
    upper = np.triu_indices(len(people), 1)
    same = (np.array(people)[:, None] == np.array(people)[None])[upper]
    assert found["dlib, pairs", "AUC"].value == pytest.approx(100 * roc_auc_score(same, -apart[upper]))
    assert found["dlib, pairs", "same refused"].value == pytest.approx(100 * (apart[upper][same] > 0.6).mean())
    assert found["dlib, pairs", "same refused"].told_interval is None, "of pairs, not of people"
    controls = {(control.name, control.about): control for control in table.controls}
    assert {name for name, _ in controls} == {"chance", "oracle", "leakage"}
    chance = controls["chance", "dlib, pairs, nearest is the own"]
    assert f"measured {100 - nearest.value:.2f} %" in chance.found and chance.passed
    assert all(control.passed for control in table.controls if control.name == "oracle")


def test_what_a_judge_told_of_other_samples_fails_its_control():
    random, labels = np.random.default_rng(0), np.repeat([f"p{at}" for at in range(8)], 3)
    vectors = random.standard_normal((8, 16)).repeat(3, axis=0) + 0.01 * random.standard_normal((24, 16))
    error = own_error(EmbeddingTable("j", vectors, labels), "cosine")
    keys = tuple(f"k{at}" for at in range(24))
    assert all(control.passed for control in classification(Judged("j", "faces", error, keys).outcomes()))
    mixed = replace(error, told=np.roll(error.told, 3))
    _, oracle = classification(Judged("j", "faces", mixed, keys).outcomes())
    assert not oracle.passed


def test_a_judge_that_is_not_here_is_not_measured(with_faces):
    table = run("judges", BenchOptions(with_faces.path, judge="vfmr:nowhere.pt"))
    (row,) = (row for row in table.rows if row.measured is None)
    assert "no checkpoint nowhere.pt" in row.labels[0]
    assert row.command.endswith("--judge vfmr:nowhere.pt")


def test_a_folder_without_faces_and_voices_is_refused(built, monkeypatch):
    monkeypatch.setattr("facevox.benchmarks.judges.SOUNDS", ())
    with pytest.raises(FolderError, match="neither faces nor voices"):
        run("judges", BenchOptions(built["tar"].path))
