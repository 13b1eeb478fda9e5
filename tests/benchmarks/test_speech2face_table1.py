"""Speech2Face's R@K: hits counted as plain loops count them, and the table around it."""

import numpy as np
import pytest
from facevox.benchmarks import speech2face_table1
from facevox.benchmarks.core.bench import BenchOptions, run
from facevox.benchmarks.core.faces_told import KS, Told
from facevox.loaders.folder import Folder
from facevox.models.core.train import TrainOptions, fit
from facevox.models.speech2face import Speech2faceTrainingOptions


def made(count=60, videos=20, noise=1.0, seed=0):
    random = np.random.default_rng(seed)
    faces = random.standard_normal((count, 8))
    return Told(
        np.array([f"k{at:02d}" for at in range(count)]),
        np.array([f"v{at % videos:02d}" for at in range(count)]),
        faces + noise * random.standard_normal((count, 8)),
        3 * faces,
    )


def test_hits_are_those_of_plain_loops():
    one = made()
    scores = one.scores()
    length = np.linalg.norm
    for at in range(len(one.keys)):
        gaps = [length(one.told[at] / length(one.told[at]) - face / length(face)) for face in one.faces]
        order = np.argsort(gaps).tolist()
        for k in KS:
            assert scores[f"R@{k}"][at] == 100 * (at in order[:k])
            others = [place for place, found in enumerate(order) if one.videos[found] == one.videos[at]]
            assert scores[f"R@{k} by video"][at] == 100 * (min(others) < k)
        assert scores["L2"][at] == pytest.approx(gaps[at])


def test_perfect_ones_are_all_found_and_more_than_the_gallery_too():
    found = speech2face_table1.measure([made(noise=0.0), made(noise=0.0)], 0)
    assert all(found[f"R@{k}"].value == 100 for k in KS)
    assert (found["cosine"].value, found["cosine"].seeds) == (pytest.approx(1), 2)
    random = speech2face_table1.measure([made(noise=1e6, count=400)], 0)
    assert random["R@100"].value == pytest.approx(25, abs=8)
    assert "R@1 1.67 (0.17)" in speech2face_table1.chance("test", 60, 604)


def test_scores_that_count_wrongly_fail_their_controls(monkeypatch):
    one, plain = made(), Told.scores
    assert all(control.passed for control in speech2face_table1.controlled("test", one, 0))
    for wrong, failed in (
        (lambda found: 100.0 * (np.arange(60) < 30), {"oracle", "chance"}),
        (lambda found: found["R@5"], {"chance"}),
    ):
        monkeypatch.setattr(Told, "scores", lambda own, wrong=wrong: {**plain(own), "R@1": wrong(plain(own))})
        found = speech2face_table1.controlled("test", one, 0)
        assert {control.name for control in found if not control.passed} == failed


def test_the_faces_network_is_judged_where_a_video_has_two_clips():
    one = made()
    names = np.unique(one.videos, return_inverse=True)[1]
    faces = np.eye(len(one.videos))[names] + 0.01 * one.faces[:, :1]
    (sound,) = speech2face_table1.judged("test", Told(one.keys, one.videos, one.told, faces))
    assert sound.passed
    assert speech2face_table1.judged("test", Told(one.keys, one.keys, one.told, faces)) == []


def test_the_splits_are_measured_by_what_was_trained(made_once, tmp_path):
    def make(home):
        from facevox.builders.core.run import BuildOptions, run
        from facevox.builders.population.avspeech import ForgeOptions, forge
        from facevox.builders.stages.avspeech_options import AvspeechOptions

        forge(home / "R", ForgeOptions(videos=8, clips=1, seconds=1.2, fps=4, odd=False))
        release = AvspeechOptions(face_network="dlib", quality=90)
        run(BuildOptions("avspeech", str(home / "R"), home / "O", release=release))

    folder = Folder(made_once("told", make) / "O")
    own = Speech2faceTrainingOptions(face_network="dlib", width=1 / 64, frames=259)
    fit(TrainOptions("speech2face", folder.path, tmp_path, epochs=1, batch_size=4, device="cpu", settings=own))
    table = run("speech2face_table1", BenchOptions(folder.path, tmp_path, device="cpu", pictures=True))
    found = {row.labels: row for row in table.rows}
    assert found["train", "paper", "R@100"].measured.value == 100
    assert found["test", "log 4", "R@1"].measured is None
    assert {control.name for control in table.controls} == {"leakage", "oracle", "chance"}
    assert "no video has two clips here" in table.without["judge"]
    assert all(control.passed for control in table.controls if control.name != "leakage")
    assert "that are nearest to what the voice tells; double frame: the same video" in table.pictures[0].title
    assert "51.00*" in table.text() and "trained on" in table.text()
    without = run("speech2face_table1", BenchOptions(folder.path))
    assert not without.pictures
    assert without.commands == [f"facevox train speech2face --data {folder.path} --out W --face-network dlib"]
