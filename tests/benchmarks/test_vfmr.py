"""VFMR's tables on a tiny network: what the folder is about is measured, all else says how it would be."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from facevox.benchmarks.core.bench import BenchOptions, run
from facevox.benchmarks.core.voice_face import embedded, groups, role, trained
from facevox.loaders.folder import Folder
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


@pytest.mark.parametrize(
    ("rule", "subset", "row"),
    [
        ("vfmr1", "vox1", "VFMR1"),
        ("uu", "vox1", "VFMR1"),
        ("vfmr2", "vox1", "VFMR2"),
        ("sh", "vox2", "VFMR1 (SH)"),
        ("sh", "vox1", "VFMR2 (SH)"),
        ("vfmr3", "", "VFMR3"),
        ("vfmr4 fold 3", "", "VFMR4"),
        ("pins", "vox1", "split pins"),
    ],
)
def test_which_row_a_folder_is_about(rule, subset, row):
    assert role(pa.table({"split_rule": [rule] * 2, "subset": [subset] * 2})) == row


@pytest.mark.parametrize("name", ["vfmr_figure6", "vfmr_figure8"])
def test_the_curve_and_individuals(name, options):
    table = run(name, options)
    measured = [row for row in table.rows if row.measured]
    assert {row.labels[0] for row in measured} == {"split index_mod10"}
    assert all(0 <= row.measured.interval.low <= row.measured.interval.high <= 100 for row in measured)
    assert any(row.measured is None and row.published and row.command for row in table.rows)
    assert table.markdown()


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
