"""SF2F's tables on a small folder, judged by a face network trained on it; judges of classes; what is missing."""

from pathlib import Path

import numpy as np
import pytest
import torch
from facevox.api import train
from facevox.benchmarks import sf2f_table2, sf2f_table6
from facevox.benchmarks.core.bench import BenchOptions, run
from facevox.benchmarks.core.class_judges import classes_missing, open_class_judge, scored
from facevox.benchmarks.core.judges import open_judge
from facevox.benchmarks.core.metrics import class_score
from facevox.models.core.checkpoint import restore
from facevox.models.core.picture_space import square

SCORE = "VGGFace Score"


@pytest.fixture(scope="module")
def runs(voices_and_faces, tmp_path_factory) -> Path:
    """A face network and SF2F's first stage after a step or two."""
    home = tmp_path_factory.mktemp("runs")
    common = {"device": "cpu", "epochs": 1, "validate_every": 0, "batch_size": 2}
    face = {"stage": "face", "face_network": "small", "face_width": 0.125, "faces": 2}
    train("vfmr", voices_and_faces.path, home, **common, **face)
    train("sf2f", voices_and_faces.path, home, **common, width=0.0625, perceptual=0.0, face="face.webp")
    return home


@pytest.fixture(scope="module")
def judge(runs) -> str:
    return f"vfmr:{next(runs.glob('vfmr-face*/seed0/*.pt'))}"


def test_a_trained_face_network_judges_pictures_and_their_people(judge, runs):
    pictures = [np.random.default_rng(at).integers(0, 256, (60 + at, 50, 3), np.uint8) for at in range(3)]
    model, _ = restore(Path(judge[5:]))
    model.eval()
    squares = torch.stack([square(torch.from_numpy(one), 112) for one in pictures])
    with torch.inference_mode():
        seen = model.see(squares)
        shares = model.people(seen).softmax(1).numpy()
    assert open_judge(judge)(pictures) == pytest.approx(seen.numpy(), abs=1e-4)
    assert open_class_judge(judge)(pictures) == pytest.approx(shares, abs=1e-4)
    other = next(runs.glob("sf2f-encoder-64/seed0/*.pt"))
    for opened in (open_judge, open_class_judge):
        with pytest.raises(ValueError, match="is of sf2f; expected vfmr"):
            opened(f"vfmr:{other}")


def test_the_judges_own_error_is_told_for_a_trained_network(voices_and_faces, judge):
    table = run("judges", BenchOptions(voices_and_faces.path, judge=judge, device="cpu"))
    mine = {row.labels[1]: row.measured for row in table.rows if row.labels[0].startswith(judge)}
    assert {"wrong nearest", "AUC", "equal error"} == set(mine)
    assert all(measured.groups == 3 and 0 <= measured.value <= 100 for measured in mine.values())


def test_table_8_is_measured_by_judges_trained_here(voices_and_faces, runs, judge):
    table = run("sf2f_table8", BenchOptions(voices_and_faces.path, runs, judge=judge, class_judge=judge, device="cpu"))
    rows = {row.labels: row for row in table.rows}
    row = rows["SF2F without fuser", "5 s", SCORE]
    assert row.published == 16.49 and row.measured.count == row.measured.groups == 3
    assert 1 <= row.measured.value <= 3
    assert all(rows["SF2F without fuser", "5 s", score].measured for score in ("cosine", "L1", "R@1", "R@10"))
    assert rows["SF2F", "5 s", SCORE].measured is None
    assert "--stage fuser" in rows["SF2F", "5 s", SCORE].command
    assert "facevox bench sf2f_table8" in rows["SF2F", "5 s", SCORE].command
    without = run("sf2f_table8", BenchOptions(voices_and_faces.path, runs, judge=judge, device="cpu"))
    missing = {row.labels: row for row in without.rows}["SF2F without fuser", "5 s", SCORE]
    assert missing.measured is None and "facevox train" not in missing.command
    assert missing.command.endswith("--class-judge vggface-resnet50 --models FOLDER")
    assert any("resnet50_ft_dag.pth" in note for note in without.notes)


def test_every_row_of_table_7_has_a_command_and_a_place_of_its_own(voices_and_faces, tmp_path):
    table = run("sf2f_table7", BenchOptions(voices_and_faces.path, tmp_path, judge="dlib", device="cpu"))
    assert len({row.labels[0] for row in table.rows}) == 8
    assert all(row.published and row.measured is None and row.command for row in table.rows)
    plain = next(row.command for row in table.rows if row.labels[0] == "baseline encoder")
    assert f"facevox train sf2f --encoder plain --out {tmp_path}/plain-encoder --face face.webp --data" in plain
    assert "networks=" + str(tmp_path / "plain-encoder/sf2f-encoder-64/seed0/best.pt") in plain
    low = next(row.command for row in table.rows if row.labels[0] == "LQ dataset")
    assert "--splits filtered_vggface" in low and "sf2f_table8" in low
    assert sum(bool(row.flag) for row in table.rows) == 4 * 7


def test_the_baselines_networks_are_trained(voices_and_faces, tmp_path):
    common = {
        "device": "cpu",
        "epochs": 1,
        "validate_every": 0,
        "batch_size": 2,
        "width": 0.0625,
        "perceptual": 0.0,
        "face": "face.webp",
    }
    for option in ({"encoder": "plain"}, {"decoder": "transposed"}):
        train("sf2f", voices_and_faces.path, tmp_path / "-".join(option.values()), **common, **option)
    model, _ = restore(next((tmp_path / "plain").glob("*/seed0/*.pt")))
    heard = model.networks.encoder(torch.randn(2, 40, 125))
    assert heard.norm(dim=1).tolist() == pytest.approx([1, 1], abs=1e-5)
    model, _ = restore(next((tmp_path / "transposed").glob("*/seed0/*.pt")))
    assert [tuple(made.shape) for made in model.networks.decoder(heard)] == [(2, 3, 64, 64)]


def test_table_2_is_the_class_score_of_the_pictures(voices_and_faces, judge, monkeypatch):
    monkeypatch.setattr(sf2f_table2, "PICTURE", "face.webp")
    found, (sees,) = sf2f_table2.measure(voices_and_faces, BenchOptions(class_judge=judge))
    seen = open_class_judge(judge)
    keys = sorted(
        r["key"] for r in voices_and_faces.index.to_pylist() if (r["config"], r["split"]) == ("faces", "test")
    )
    samples = voices_and_faces.fetch(keys, ["face.webp"], config="faces")
    shares = [seen([sf2f_table2.resized(sample["face.webp"], (128, 128))])[0] for sample in samples]
    assert found[SCORE, 128].value == pytest.approx(class_score(np.array(shares))[0])
    assert {side for name, side in found if name == SCORE} == {64, 128, 256}
    assert sees == f"{judge} at 256 px"
    table = run("sf2f_table2", BenchOptions(voices_and_faces.path, class_judge=judge))
    assert {control.name for control in table.controls} == {"chance", "oracle", "judge", "leakage"}
    assert all(control.passed for control in table.controls if control.name in ("chance", "oracle"))


def test_table_2_without_judges_names_both(voices_and_faces, monkeypatch):
    monkeypatch.setattr(sf2f_table2, "PICTURE", "face.webp")
    table = run("sf2f_table2", BenchOptions(voices_and_faces.path))
    assert [row.published for row in table.rows] == [2.074, 2.286, 2.583, 48.72, 51.048, 50.525]
    assert all(row.measured is None for row in table.rows if row.labels[0] == SCORE)
    assert all("--models FOLDER" in row.command for row in table.rows if row.labels[0] == SCORE)
    assert any("resnet50_ft_dag.pth" in note for note in table.notes)


def test_table_6_counts_the_folder_and_builds_the_others(voices_and_faces):
    table = run("sf2f_table6", BenchOptions(voices_and_faces.path))
    measured = {row.labels: row.measured.value for row in table.rows if row.measured}
    configs = voices_and_faces.index["config"].to_pylist()
    assert measured[sf2f_table6.VOXCELEB, "people"] == len(set(voices_and_faces.index["identity"].to_pylist()))
    assert measured[sf2f_table6.VOXCELEB, "recordings"] == configs.count("voices")
    assert len(table.rows) == 15 and all(row.measured or "facevox build" in row.command for row in table.rows)


def test_class_scores_of_one_class_and_of_all():
    names = [f"p{at}" for at in range(20)]
    alike, apart = np.tile([[0.5, 0.5]], (20, 1)), np.eye(20)
    assert scored([alike], names, names, 0).value == pytest.approx(1)
    found = scored([apart, apart], names, names, 0)
    assert (found.value, found.seeds, found.spread) == (pytest.approx(4), 2, 0)
    assert found.interval.low == pytest.approx(4)
    with pytest.raises(ValueError, match="no judge of classes 'vggface'"):
        classes_missing("vggface")
