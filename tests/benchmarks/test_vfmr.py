"""VFMR's tables on a tiny network: what the folder is about is measured, all else says how it would be."""

import re
from copy import copy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
import torch
from facevox.benchmarks import vfmr_table1, vfmr_table8
from facevox.benchmarks.core import voice_face, voice_face_scores
from facevox.benchmarks.core.bench import BenchOptions, run
from facevox.benchmarks.core.catalogue import entry
from facevox.benchmarks.core.trials import Trials
from facevox.benchmarks.core.voice_face import (
    PAPER_STEPS,
    Trained,
    as_published,
    command,
    embedded,
    groups,
    networks_told,
    people_told,
    picture_of,
    role,
    trained,
    trained_elsewhere,
)
from facevox.benchmarks.core.voice_face_scores import Scores
from facevox.benchmarks.matching import PAIRED
from facevox.benchmarks.vfmr_table8 import config_of
from facevox.cli import main
from facevox.loaders.comparison import FORGED
from facevox.loaders.folder import Folder
from facevox.loaders.rows import Rows
from facevox.models.core.checkpoint import restore
from facevox.models.core.train import TrainOptions, fit
from facevox.models.vfmr import VfmrOptions

TINY = VfmrOptions(
    face_network="small",
    voice_width=0.05,
    face_width=0.1,
    voices=2,
    faces=2,
    seconds=1,
    freeze_voice=False,
    picture="masked.jpg",
)


@pytest.fixture(scope="module")
def people(made_once) -> Folder:
    """Aligned faces and voices of forged people of two splits; two of both of everybody."""

    def make(home: Path) -> None:
        from facevox.builders.core.run import BuildOptions, run
        from facevox.builders.population.hq_voxceleb import ForgeOptions, forge
        from facevox.builders.stages.hq_options import HqVoxCelebOptions

        forge(home / "R", ForgeOptions(source="release", people=6, images=2, utterances=2, seconds=1.5, faults=False))
        release = HqVoxCelebOptions(vad="energy", detector="none")
        run(BuildOptions("hq_voxceleb", str(home / "R"), home / "O", release=release))

    return Folder(made_once("people", make) / "O")


@pytest.fixture(scope="module")
def options(people, tmp_path_factory) -> BenchOptions:
    """One epoch of two seeds."""
    out = tmp_path_factory.mktemp("runs")
    first = TrainOptions("vfmr", people.path, out, epochs=1, batch_size=6, device="cpu", settings=TINY)
    for seed in (0, 1):
        fit(replace(first, seed=seed, validate_every=0))
    return BenchOptions(people.path, out, device="cpu")


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


@pytest.mark.parametrize("name", ["vfmr_table3", "vfmr_tables5_6"])
@pytest.mark.parametrize("protocol", ["exact", "paper"])
def test_the_row_of_the_folder_is_measured(name, protocol, options):
    table = run(name, replace(options, protocol=protocol))
    measured = {row.labels: row for row in table.rows if row.measured}
    assert {labels[0] for labels in measured} == {"split index_mod10"}
    assert all(row.measured.seeds == 2 for row in measured.values())
    assert all(0 <= row.measured.interval.low <= row.measured.interval.high <= 100 for row in measured.values())
    assert ("exact: all" in table.text()) == (protocol == "exact")
    assert "T = " in table.text()
    assert {control.name for control in table.controls} >= {"chance", "oracle", "leakage"}
    assert "facevox build chinese_vf --splits vfmr4 --raw R --out O; facevox train vfmr --data O" in table.text()


def test_retrieved_faces_are_shown_where_pictures_are_asked_for(people, options):
    (shown,) = run("vfmr_tables5_6", replace(options, pictures=True)).pictures
    assert shown.data.startswith(b"RIFF")
    (count,) = re.findall(r"The first voices of (\d+) people", shown.title)
    rows = [row for row in people.index.to_pylist() if row["split"] == "test"]
    heard, seen = ({row["identity"] for row in rows if row["config"] == name} for name in ("voices", "faces"))
    assert int(count) == len(heard & seen)
    assert not run("vfmr_tables5_6", options).pictures


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


def test_people_of_another_training_are_looked_for(people, options, monkeypatch):
    one, _ = groups(trained(options.runs))[0]
    control = trained_elsewhere(one, people)
    assert control.passed
    assert "0 of 4 people occur in both" in control.words
    monkeypatch.setattr(voice_face, "SPLIT", "train")
    control = trained_elsewhere(one, people)
    assert not control.passed
    assert "people occur in both, as " in control.words
    control = trained_elsewhere(replace(one, folder="0" * 64), people)
    assert not control.passed
    assert "not checked" in control.words


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


@pytest.mark.parametrize(
    "name", ["vfmr_table3", "vfmr_table4", "vfmr_tables5_6", "vfmr_table8", "vfmr_figure6", "vfmr_figure9"]
)
def test_a_folder_without_voices_is_no_folder_for_these_tables(name):
    assert "it reads config voices" in entry(name).unfit("vox_vgg", ["rcgan"])
    assert not entry(name).unfit("vox_vgg", ["voices", "faces"])


@pytest.mark.parametrize("name", ["vfmr_figure6", "vfmr_figure8"])
def test_the_curve_and_individuals(name, options):
    table = run(name, options)
    measured = [row for row in table.rows if row.measured]
    assert {row.labels[0] for row in measured} == {"split index_mod10"}
    assert all(0 <= row.measured.interval.low <= row.measured.interval.high <= 100 for row in measured)
    assert any(row.measured is None and row.published and row.command for row in table.rows)
    assert {control.name for control in table.controls} == {"chance", "oracle", "leakage"}
    assert table.markdown()


def test_individuals_are_drawn_as_published(options):
    table = run("vfmr_figure8", replace(options, protocol="paper"))
    measured = {row.labels[1]: row.measured for row in table.rows if row.measured}
    (people,) = {one.groups for one in measured.values()}
    drawn = people * (people - 1) * 10
    assert {one.count for one in measured.values()} == {drawn}
    assert f"T of individual = {people * np.log(10):.1f} of N {people} and n {drawn}" in table.text()
    assert table.facts["protocol"] == "paper"


def test_nobody_is_joined_who_has_too_few(options):
    table = run("vfmr_table4", options)
    assert not [row.labels for row in table.rows if row.measured and row.labels[2:] != ("1", "1")]
    assert "faces to join: 0 with 5, 0 with 10" in table.text()


def test_misprints_carry_their_flag_and_t_is_computed(options):
    text = run("vfmr_table3", replace(options, runs="")).text()
    assert "T of SVHF: printed -239, computed -239.62 of N 189 and n 10,000; reproduces" in text
    assert "T of VFMR3: printed 2502, computed 1,351.0" in text
    assert "11.48*" in text
    assert "* VFMR1's mAP is 11.48 in Tables 3 and 6 and 10.67 in Table 8" in text
    assert "not measured" in text


def test_a_network_of_another_folder_is_refused(options, built):
    with pytest.raises(ValueError, match="trained on a folder of digest"):
        run("vfmr_table3", replace(options, data=built["tar"].path))


def test_ablations_are_found_and_those_of_the_paper_named(options):
    table = run("vfmr_table8", options)
    measured = {row.labels for row in table.rows if row.measured}
    assert {labels[:3] for labels in measured} == {
        ("split index_mod10", "another", "face_network small, freeze_voice False, begun with nothing")
    }
    (row,) = {row.labels[2]: row for row in table.rows if row.labels[2] == "no MTCNN"}.values()
    assert row.measured is None and not row.command
    text = table.text()
    assert "no MTCNN: whole pictures as the release has them. No command measures it" in text
    assert "changed are also voice_width 0.05, face_width 0.1" in text and FORGED in text
    assert "exact: all" in text and f"begun with nothing: measured: {options.runs}" in text
    assert {control.name for control in table.controls} >= {"chance", "oracle", "leakage"}
    assert "--out" in text and "--scale 512 --initial voice=V/best.pt,face=F/best.pt" in text
    assert "10.67*" in text and "SE-ResNet50 outperforms" in text


@pytest.mark.parametrize(
    ("changes", "begun", "scale", "row"),
    [
        ({}, {"voice", "face"}, 1.0, ("default", "-")),
        ({"voice_width": 0.5, "lr": 1.0}, {"voice", "face"}, 1.0, ("default", "-")),
        ({}, {"voice", "face"}, 1.1, ("preprocessing", "MTCNN 1.1")),
        ({"face_network": "table2"}, {"voice", "face"}, 1.0, ("default", "-")),
        ({"face_network": "se_ir50"}, {"voice", "face"}, 1.0, ("network", "SE-ResNet50")),
        ({"freeze_voice": False, "freeze_face": True}, {"voice", "face"}, 1.0, ("CNN frozen", "face")),
        ({}, {"voice"}, 1.0, ("trained before", "face none, voice VoxCeleb2")),
        ({"freeze_voice": False}, set(), 1.0, ("trained before", "none")),
        ({"scale": 2.0}, {"voice", "face"}, 1.1, ("another", "scale 2.0, boxes 1.1, begun with face and voice")),
    ],
)
def test_which_ablation_a_network_is(changes, begun, scale, row):
    model = SimpleNamespace(options=VfmrOptions(**changes))
    one = Trained(Path("best.pt"), model, "digest", frozenset(begun))
    assert config_of(one, pa.table({"box_scale": [scale, None]})) == row


@pytest.mark.parametrize(
    ("changed", "same"), [({}, True), ({"scale": 512.0, "picture": "face.jpg"}, True), ({"lr": 1.0}, False)]
)
def test_an_ablation_is_compared_where_nothing_else_is_changed(changed, same, people, options, monkeypatch):
    one, _ = groups(trained(options.runs))[0]
    model = copy(one.model)
    model.options = VfmrOptions(**changed)
    seeds = [replace(one, model=model, begun=frozenset({"voice", "face"}))]
    monkeypatch.setattr(vfmr_table8, "scores", lambda *_: Scores([embedded(one, people, options)]))
    found = vfmr_table8._of_ablation(seeds, people, options)
    assert found.as_published is same
    assert len(found.told) == 1 + (not same)


def test_distances_by_face_network_equal_plain_ones(people, options):
    table = run("vfmr_figure9", options)
    found = {row.labels: row.measured for row in table.rows if row.measured}
    assert set(found) == {("small", what) for what in ("positive", "negative", "negative less positive")}
    vectors = [embedded(one, people, options) for one in trained(options.runs)]
    plain = []
    for one in vectors:
        gaps = np.linalg.norm(one.voices.values[:, None] - one.faces.values[None], axis=2) / 128
        own = one.voices.identities[:, None] == one.faces.identities[None]
        each = [one.voices.identities == name for name in one.people]
        plain.append([np.mean([gaps[who][pairs[who]].mean() for who in each]) for pairs in (own, ~own)])
    positive, negative = np.mean(plain, axis=0)
    assert found["small", "positive"].value == pytest.approx(positive, abs=1e-5)
    assert found["small", "negative"].value == pytest.approx(negative, abs=1e-5)
    assert sum(table.figures[0].curves[1].y) == pytest.approx(100)


def test_table_1_counts_by_set_and_gender():
    listed = [("a", "m", "vox1", "voices"), ("a", "m", "vox1", "faces"), ("b", "f", "vox1", "faces")]
    columns = dict(zip(("identity", "gender", "subset", "config"), zip(*listed, strict=True), strict=True))
    rows = Rows({name: list(values) for name, values in columns.items()}, ("voices", "faces"))
    found = {key: one.value for key, one in vfmr_table1.measure(rows, "vox_vgg", "digest").items()}
    assert {key[0] for key in found} == {"Vox-VGG-1"}
    assert found["Vox-VGG-1", "male", "utterances"] == found["Vox-VGG-1", "female", "images"] == 1
    assert found["Vox-VGG-1", "female", "utterances"] == 0
    assert (found["Vox-VGG-1", "total", "identities"], found["Vox-VGG-1", "total", "images"]) == (2, 2)


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
    assert [control.name for control in found.controls] == ["chance", "oracle"] * 2
    same = run("matching", BenchOptions(vectors=f"{first},{first}", device="cpu"))
    assert same.rows[-1].measured.value == 0 and "p = 1.0000" in same.text()
    assert main(["bench", "matching", "--vectors", str(first), "--data", str(options.data)]) == 0
    assert main(["bench", "matching", "--vectors", f"{first},{second},{first}"]) == 2


def test_another_folder_s_vectors_are_refused(options, built, tmp_path):
    run("vfmr_table3", replace(options, vectors_out=tmp_path))
    with pytest.raises(ValueError, match="embeddings of a folder of digest"):
        run("matching", BenchOptions(built["tar"].path, vectors=next(tmp_path.glob("*.npz"))))


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
