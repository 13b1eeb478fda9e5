"""Which networks are measured on which folder, whose numbers these are, and trials as files."""

from copy import copy
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import torch
from facevox.benchmarks.core import voice_face_scores
from facevox.benchmarks.core.bench import run
from facevox.benchmarks.core.trials import Trials
from facevox.benchmarks.core.voice_face import (
    PAPER_STEPS,
    as_published,
    command,
    embedded,
    groups,
    networks_told,
    people_told,
    picture_of,
    role,
    scores,
    trained,
)
from facevox.benchmarks.core.voice_face_scores import Scores
from facevox.loaders.comparison import FORGED
from facevox.models.core.checkpoint import restore
from facevox.models.vfmr import VfmrOptions


def test_vectors_are_those_of_the_network_alone(people, options):
    one, _ = groups(trained(options.runs))[0]
    found = embedded(one, people, options)
    model, _ = restore(one.path)
    model.eval()
    sample = next(people.fetch([str(found.voices.keys[3])], ["voice.flac"], config="voices"))
    with torch.inference_mode():
        heard = model.hear_whole(torch.as_tensor(sample["voice.flac"]))[0].numpy()
    assert found.voices.values[3] == pytest.approx(heard, abs=1e-4)
    assert np.linalg.norm(found.faces.values, axis=1) == pytest.approx(128, rel=1e-4)
    assert found.folder == people.digest


@pytest.mark.parametrize(
    ("rule", "subset", "row"),
    [
        ("vfmr1", "vox1", "VFMR1"),
        ("uu", "vox1", "VFMR1"),
        ("vfmr2", "vox1", "VFMR2"),
        ("sh", "vox2", "VFMR1 (SH)"),
        ("sh", "vox1", "VFMR2 (SH)"),
        ("sh", "", "split sh"),
        ("vfmr3", "", "VFMR3"),
        ("vfmr4 fold 3", "", "VFMR4"),
        ("pins", "vox1", "split pins"),
    ],
)
def test_which_row_a_folder_is_about(rule, subset, row):
    assert role(pa.table({"split_rule": [rule] * 2, "subset": [subset] * 2})) == row


def test_seen_and_heard_of_both_sets_or_of_another_collection_is_no_row_of_the_paper():
    assert role(pa.table({"split_rule": ["sh"] * 2, "subset": ["vox1", "vox2"]})) == "split sh"
    assert role(pa.table({"split_rule": ["sh"] * 2})) == "split sh"


def test_faces_are_read_from_the_field_that_the_folder_has(people, options):
    one, _ = groups(trained(options.runs))[0]
    model = copy(one.model)
    model.options = replace(model.options, picture="face.webp")
    found, own = (embedded(each, people, options) for each in (replace(one, model=model), one))
    assert np.array_equal(found.faces.values, own.faces.values)
    assert picture_of(people, "origin.jpg") == "origin.jpg"


def test_commands_train_on_what_the_row_was_trained_on(options):
    assert "--picture masked.jpg" in command("this folder", options)
    assert "build chinese_vf --splits vfmr4 --raw R --out O; facevox train vfmr --data O" in command("VFMR4", options)
    assert "--picture face.jpg" in command("VFMR4", options)
    third = command("VFMR3", options, "vfmr_table4")
    assert third.startswith("facevox build vox_vgg --splits vfmr1 --raw R --out O; facevox train vfmr --data O")
    measures = f"facevox bench vfmr_table4 --data P --runs {options.runs}"
    assert third.endswith(f"facevox build chinese_vf --splits vfmr3 --raw C --out P; {measures}")


def test_what_was_measured_is_told_and_other_trainings_are_not_compared(options):
    one, _ = groups(trained(options.runs))[0]
    told = " ".join(networks_told([one]))
    assert (
        f"measured: {one.path}; faces by small of width 0.1, voices by netvlad of width 0.05, begun with noth" in told
    )
    assert "not the paper's training, so that no difference is told: changed are " in told
    assert "face_network small" in told
    assert not as_published(one)
    text = run("vfmr_figure6", options).text()
    assert told.split(";")[0] in text
    assert FORGED in text


def test_the_papers_own_training_is_compared(options):
    one, _ = groups(trained(options.runs))[0]
    model = copy(one.model)
    model.options = VfmrOptions(picture="face.jpg")
    assert as_published(replace(one, model=model, begun=frozenset({"voice", "face"})))
    assert not as_published(replace(one, model=model, begun=frozenset({"voice"})))


def test_people_of_another_training_are_looked_for(people, options):
    """Of a network trained on the same folder nothing is asked twice; another's folder is looked for."""
    one, _ = groups(trained(options.runs))[0]
    assert scores([one], people, options).leakage == ()
    with pytest.raises(ValueError, match="trained on a folder of digest"):
        scores([replace(one, folder="0" * 64)], people, options)


def test_who_is_left_out_is_told():
    rows = [("voices", "a"), ("faces", "a"), ("voices", "b"), ("voices", "c"), ("faces", "d")]
    index = pa.table(
        {
            "split": ["test"] * 5,
            "config": [config for config, _ in rows],
            "identity": [name for _, name in rows],
            "split_rule": ["vfmr4 fold 3"] * 5,
        }
    )
    told = people_told(index)
    assert "left out: 2 people with voices and no faces, as b" in told
    assert "left out: 1 people with faces and no voices, as d" in told
    assert "vfmr4 fold 3 alone; the paper's number is the mean of five folds (--fold 0 to 4)" in told


def test_trials_are_files_that_are_asked_again(people, options, tmp_path, monkeypatch):
    monkeypatch.setattr(voice_face_scores, "TUPLES", 50)
    drawn = Scores([embedded(trained(options.runs)[0], people, options)], protocol="paper", device="cpu")
    asked = replace(drawn, trials=tmp_path / "T")
    first, pair = asked.among(3), asked.among(2)
    kept = {path.stem: Trials.load(path).digest for path in (tmp_path / "T").glob("*.parquet")}
    assert kept == {"tuples-2": pair.protocol, "tuples-3": first.protocol}
    again = replace(asked, seed=5).among(3)
    assert (again.protocol, again.value) == (first.protocol, first.value)
    assert replace(drawn, seed=5).among(3).protocol != first.protocol


def test_vfmr1_is_tested_with_its_own_number_of_batches():
    assert Scores([], steps=PAPER_STEPS["VFMR1"]).steps * 3072 == 30_720_000
