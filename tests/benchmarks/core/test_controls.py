"""Controls and slices: chance, oracle, leakage, accuracy by fact, for any table that gives its outcomes."""

import importlib
import json
from dataclasses import replace

import cv2
import numpy as np
import pyarrow as pa
import pytest
from facevox.benchmarks.core.bench import BenchOptions
from facevox.benchmarks.core.catalogue import benches
from facevox.benchmarks.core.controls import KINDS, Control, chance_by_formula, chance_by_shuffling, classification
from facevox.benchmarks.core.examine import completed, examined
from facevox.benchmarks.core.leakage import NEAR, difference_hash, leakage, training_leakage
from facevox.benchmarks.core.metrics import Interval
from facevox.benchmarks.core.outcomes import Outcomes
from facevox.benchmarks.core.recognition import vote_accuracy
from facevox.benchmarks.core.slices import named, sliced
from facevox.benchmarks.core.table import Measured, Row, Table
from facevox.loaders.folder import Folder

RANDOM = np.random.default_rng(0)


def outcomes(count: int = 300, right: float = 0.8, people: int = 30) -> Outcomes:
    truth = (np.arange(count) % people % 3 == 0).astype(int)
    predicted = np.where(RANDOM.random(count) < right, truth, 1 - truth)[None]
    keys = np.array([f"k{i:04d}" for i in range(count)])
    return Outcomes(
        ("1", "test"), "test", keys, (predicted[0] == truth).astype(float), np.arange(count) % people, truth, predicted
    )


def test_chance_by_formula_is_what_shuffling_gives():
    one = outcomes()
    said = one.predicted[0].mean() * one.truth.mean() + (1 - one.predicted[0].mean()) * (1 - one.truth.mean())
    assert chance_by_formula(one) == pytest.approx(said)
    mean, error = chance_by_shuffling(one)
    assert abs(mean - said) < 4 * error < 0.02
    assert all(control.passed for control in classification(one))


def test_a_metric_that_counts_wrongly_fails_its_oracle():
    one = outcomes()
    chance, oracle = classification(replace(one, merit=np.ones(len(one.keys))))
    assert chance.passed
    assert not oracle.passed
    table = Table("T", ("a",), (), controls=(oracle,))
    assert "WARNING: control, oracle, 1, test" in table.text()
    assert "WARNING" in table.markdown()


def test_a_metric_of_the_table_s_own_that_is_wrong_fails():
    """The controls run the table's score: one that looks at nothing, and one that counts a class as right, are told."""
    one = outcomes()
    for score in (lambda truth, predicted: 0.8, lambda truth, predicted: float(((predicted == truth) | truth).mean())):
        chance, oracle = classification(replace(one, score=score))
        assert not chance.passed
        assert not oracle.passed


def test_labels_that_are_mixed_up_are_told():
    one = outcomes(right=0.1)
    chance, oracle = classification(one)
    assert "below chance" in chance.found and not chance.passed and oracle.passed
    assert not classification(replace(one, predicted=1 - one.truth[None], merit=np.zeros(300)))[0].passed
    assert classification(outcomes(right=0.5))[0].passed


def test_accuracy_of_votes_takes_nobody_for_wrong():
    own = np.array([0, 0, 1, 1, 2])
    named = np.array([[0, 3, 1, 2, 2], [0, 0, 3, 3, 2]])
    people = np.array(list("abc"))
    assert vote_accuracy(people, own, named) == pytest.approx(6 / 10)
    assert vote_accuracy(people, own, own[None]) == 1


def test_outcomes_of_unequal_lengths_are_refused():
    with pytest.raises(ValueError, match="arrays of"):
        replace(outcomes(), merit=np.ones(3))


def test_nothing_leaks_between_the_splits_of_a_folder(built):
    found = leakage(built["tar"], "test")
    assert found
    assert all(control.passed for control in found)
    assert any("pictures visual.webp of utterances" in control.found for control in found)


def test_a_leak_is_found_in_people_media_and_pictures(built, monkeypatch):
    folder = Folder(built["tar"].path)
    rows = folder.index.to_pylist()
    first = next(r for r in rows if (r["config"], r["split"]) == ("utterances", "train"))
    rows.append({**first, "key": first["key"] + "-again", "split": "test"})
    folder.index = pa.Table.from_pylist(rows, schema=folder.index.schema)
    monkeypatch.setattr(Folder, "digest", "another")
    failed = [control.found for control in leakage(folder, "test") if not control.passed]
    for kind in ("people", "source files", "media", "pictures visual.webp of utterances"):
        assert any(kind in words for words in failed), kind


def test_a_leak_is_found_in_the_folder_of_another_training(built, build_folder, release, tmp_path):
    """The folder that a checkpoint states, where config.json or the user says it lies; else that is said."""
    folder, checkpoint = built["tar"], tmp_path / "best.pt"
    assert training_leakage(checkpoint, folder.digest, folder, "test") == []
    other = Folder(build_folder(release, tmp_path / "O", limit=1, configs=("utterances",)).path)
    assert other.digest != folder.digest
    (unknown,) = training_leakage(checkpoint, other.digest, folder, "train")
    assert not unknown.passed and "is not where config.json says; give it as --training" in unknown.found
    (wrong,) = training_leakage(checkpoint, other.digest, folder, "train", folder.path)
    assert not wrong.passed and f"is not at {folder.path}" in wrong.found
    given = training_leakage(checkpoint, other.digest, folder, "train", other.path)
    (tmp_path / "config.json").write_text(json.dumps({"data": str(other.path)}))
    assert training_leakage(checkpoint, other.digest, folder, "train") == given
    failed = [control.words for control in given if not control.passed]
    for kind in ("people", "source files", "media", "pictures visual.webp of utterances have a near duplicate"):
        assert any(kind in words for words in failed), kind
    assert all(f"train beside train of {other.path}" in control.about for control in given)


def test_no_table_is_silent_about_a_kind_of_control():
    found = Row(("1",), None, Measured(50.0, 4, 2, Interval(40, 60), None, 1, "0123456789ab"))
    sound = Control("oracle", "1", "100 %, expected 100", True)
    own = Table("T", ("a",), (found,), controls=(sound,), without={"leakage": "nothing is trained"})
    said = completed(own, {"judge": "nobody is judged"})
    assert [(control.name, control.passed) for control in said.controls] == [("oracle", True), ("chance", False)]
    text = said.text()
    assert "WARNING: control, chance, this table: was not made, nor said why" in text
    assert "no control, leakage: nothing is trained" in text and "no control, judge: nobody is judged" in text
    assert said.plain()["without"] == {"judge": "nobody is judged", "leakage": "nothing is trained"}
    empty = completed(Table("T", ("a",), (Row(("1",), None, None),)), {})
    assert empty.lacking == ["no control, chance, oracle, judge, leakage: nothing is estimated here"]


def test_reasons_are_of_kinds_of_controls():
    for name in benches():
        reasons = getattr(importlib.import_module(f"facevox.benchmarks.{name}"), "WITHOUT", {})
        assert set(reasons) <= set(KINDS) and all(reasons.values()), name


def test_hashes_are_near_for_the_same_picture_and_far_for_others(real_or_made):
    first, second = real_or_made
    again = cv2.imdecode(cv2.imencode(".jpg", first, [cv2.IMWRITE_JPEG_QUALITY, 60])[1], cv2.IMREAD_COLOR)
    smaller = cv2.resize(first, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)

    def apart(a, b):
        return int(np.bitwise_count(difference_hash(a) ^ difference_hash(b)).sum())

    assert apart(first, again) <= NEAR
    assert apart(first, smaller) <= NEAR
    assert apart(first, second) > NEAR


@pytest.fixture
def real_or_made(built):
    folder = built["tar"]
    rows = [r for r in folder.index.select(["key", "config", "identity"]).to_pylist() if r["config"] == "utterances"]
    other = next(row for row in rows if row["identity"] != rows[0]["identity"])
    return [
        next(folder.fetch([row["key"]], ("visual.webp",), 1, "utterances"))["visual.webp"][0]
        for row in (rows[0], other)
    ]


def test_slices_are_plain_means_and_their_largest_gap():
    one = outcomes(600)
    gender = ["Male" if who % 2 else "Female" for who in one.groups]
    age = [18 + int(who) for who in one.groups]
    by = {found.fact: found for found in sliced(one, {"gender": gender, "age": age, "snr_db": [None] * 600})}
    assert set(by) == {"gender", "age"}
    for part in by["gender"].parts:
        chosen = np.array(gender) == part.value
        assert part.accuracy == pytest.approx(100 * one.merit[chosen].mean())
        assert part.groups == 15
        assert part.interval.low <= part.accuracy <= part.interval.high
    assert [part.value for part in by["age"].parts] == ["below 25", "25 to 35", "35 or more"]
    accuracies = [part.accuracy for part in by["age"].parts]
    assert by["age"].points == pytest.approx(max(accuracies) - min(accuracies))
    assert by["age"].gap.low <= by["age"].points <= by["age"].gap.high
    assert "largest gap" in list(by["gender"].lines())[-1]


def test_names_of_parts():
    assert named("accessories", "None") == "None"
    assert named("accessories", ["Glasses", "Hat"]) == "Glasses; Hat"
    assert [named("snr_db", value) for value in (5, 10, 29.9, 30, None)] == [
        "below 10",
        "10 to 20",
        "20 to 30",
        "30 or more",
        None,
    ]


def test_a_table_with_outcomes_is_examined_without_a_line_of_its_own(built):
    folder = built["tar"]
    rows = [r for r in folder.index.to_pylist() if (r["config"], r["split"]) == ("utterances", "test")]
    truth = np.array([row["gender"] == "Male" for row in rows]).astype(int)
    own = Outcomes(
        ("1", "test"),
        "test",
        np.array([row["key"] for row in rows]),
        np.ones(len(rows)),
        np.array([row["identity"] for row in rows]),
        truth,
        truth[None],
        "utterances",
    )
    judge = Control("judge", "dlib", "4.5 % of pairs of real faces are told wrongly", True)
    table = examined(Table("T", ("ID", "split"), (), outcomes=(own,), controls=(judge,)), folder, slices=True)
    assert {control.name for control in table.controls} == {"judge", "chance", "oracle", "leakage"}
    by = {found.fact: found for found in table.slices}
    assert [part.value for part in by["position"].parts] == sorted({str(row["position"]) for row in rows})
    lost = replace(own, keys=np.array(["none", *own.keys[1:]]))
    with pytest.raises(ValueError, match="key none is not in the index"):
        examined(Table("T", ("ID", "split"), (), outcomes=(lost,)), folder, slices=True)
    assert BenchOptions(folder.path).slices is False
