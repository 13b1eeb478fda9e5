"""Voice-GAN's Table I, figure 4 and t-SNE pictures: by plain counts, on a small folder with trained checkpoints."""

from pathlib import Path

import numpy as np
import pytest
import torch
from facevox.benchmarks import rcgan_figure4, rcgan_table1, rcgan_tsne
from facevox.benchmarks.core import voice_gan
from facevox.benchmarks.core.bench import BenchOptions, run
from facevox.benchmarks.core.drawing import figure
from facevox.benchmarks.core.verification import pairs, tau_draws, tau_search
from facevox.loaders.folder import Folder
from facevox.models.core import checkpoint
from facevox.models.core.model import create, model_options


@pytest.fixture(scope="module")
def classes(made_once) -> Folder:
    """Two forged people as classes of rcgan, with faces."""

    def make(home: Path) -> None:
        from facevox.builders.core.run import BuildOptions, run
        from facevox.builders.population.vox_vgg import ForgeOptions, forge
        from facevox.builders.stages.vox_vgg_options import VoxVggOptions

        forge(home / "R", ForgeOptions(people=2, images=3, utterances=5, seconds=2.2, videos=2, faults=False))
        own = VoxVggOptions(vad="energy", num_classes=2, min_voice_samples=2)
        run(BuildOptions("vox_vgg", str(home / "R"), home / "O", configs=("rcgan", "faces"), release=own))

    return Folder(made_once("classes", make) / "O")


def saved(home: Path, name: str, options: dict, digest: str):
    """A checkpoint of a network that was never trained."""
    chosen = model_options(name, options)
    torch.manual_seed(0)
    model = create(name, chosen)
    path = home / "-".join(filter(None, (name, model.variant))) / "seed0/best.pt"
    path.parent.mkdir(parents=True)
    state = {"model": name, "options": chosen.as_dict(), "weights": model.state_dict(), "seed": 0, "folder": digest}
    checkpoint.save(path, state)


@pytest.fixture(scope="module")
def runs(classes, tmp_path_factory) -> Path:
    home = tmp_path_factory.mktemp("runs")
    small = {"classes": 2}
    saved(home, "voice_classifier", {**small, "width": 0.125}, classes.digest)
    saved(home, "rcgan", {**small, "kind": "vae", "classifier_width": 0.125, "width": 0.0625}, classes.digest)
    return home


def colours(pictures):
    """A judge by mean colour and contrast."""
    return np.array([[*one.mean((0, 1)), one.std()] for one in pictures], np.float64)


@pytest.fixture
def judged_by_colour(monkeypatch):
    for table in (rcgan_table1, rcgan_figure4, rcgan_tsne):
        monkeypatch.setattr(table, "open_judge", lambda *_, **__: colours)


def test_table_1_counts_faces_nearer_to_their_target_than_tau(classes, runs, judged_by_colour):
    options = BenchOptions(classes.path, runs, device="cpu")
    table = run("rcgan_table1", options)
    rows = {row.labels: row for row in table.rows}
    assert [row.published for row in table.rows if row.published] == [72.61, 68.09, 84.52]
    assert rows["C-GAN", rcgan_table1.TAKEN].measured is None
    assert "--kind cgan" in rows["C-GAN", rcgan_table1.TAKEN].command
    assert "16.43 points" in rows["RC-GAN", rcgan_table1.TAKEN].flag
    assert rows[rcgan_table1.GUESSED, rcgan_table1.NEAREST].measured.value == 50
    faces = voice_gan.drawn(classes, runs / "rcgan-vae/seed0/best.pt", colours, options)
    known, aims = voice_gan.targets(classes, colours)
    near = nearest = 0
    for vector, label in zip(faces.vectors, faces.label, strict=True):
        apart = {int(one): np.linalg.norm(vector - aim) for one, aim in zip(known, aims, strict=True)}
        near += apart[int(label)] < table.facts["tau"]
        nearest += min(apart, key=apart.get) == label
    assert rows["VAE", rcgan_table1.TAKEN].measured.value == pytest.approx(100 * near / len(faces.label))
    assert rows["VAE", rcgan_table1.NEAREST].measured.value == pytest.approx(100 * nearest / len(faces.label))
    shared = [control.found for control in table.controls if control.name == "leakage" and not control.passed]
    assert any("face96" in one for one in shared), "the targets are in both"
    assert not any("recording" in one or "source files" in one for one in shared)


def test_table_2_has_controls_of_the_pictures_drawn(classes, runs):
    table = run("rcgan_table2", BenchOptions(classes.path, runs, device="cpu"))
    assert sum(row.measured is not None for row in table.rows) == 6
    found = {control.name: control for control in table.controls}
    assert {*found} == {"oracle", "chance", "leakage"}
    assert found["oracle"].passed
    assert found["chance"].about == "VAE" and "of 2 people" in found["chance"].found


def test_figure_4_holds_both_scales_and_curves(classes, judged_by_colour):
    table = run("rcgan_figure4", BenchOptions(classes.path))
    rows = {row.labels: row for row in table.rows}
    assert rows["L2", "best accuracy, %"].published == 93.9
    assert "squared L2" in rows["L2", "tau of the best accuracy"].flag
    assert all(row.measured for row in table.rows)
    assert [len(drawn.curves[0].x) for drawn in table.figures] == [199, 199]
    accuracy, best = table.figures[0].curves[0], rows["L2", "best accuracy, %"].measured
    assert max(accuracy.y) == pytest.approx(best.value)
    curves = [curve for drawn in table.figures for curve in drawn.curves]
    for curve in curves:
        ends = zip(curve.low, curve.y, curve.high, strict=True)
        assert all(low - 1e-9 <= value <= high + 1e-9 for low, value, high in ends)


def test_tau_of_people_drawn_once_each_is_the_search_itself():
    random = np.random.default_rng(0)
    found = pairs(random.standard_normal((12, 2)), np.repeat(list("abc"), 4), "euclidean")
    search, draws = tau_search(found.distances, found.same), tau_draws(found, seed=3, resamples=400)
    times = np.random.default_rng(3).multinomial(3, np.full(3, 1 / 3), 400)
    once = np.flatnonzero((times == 1).all(1))
    assert len(once)
    assert draws.accuracy[once[0]] == pytest.approx(search.accuracy)
    assert draws.f1[once[0]] == pytest.approx(search.f1)


def test_tsne_is_the_same_again_and_drawn_by_number(classes, runs, judged_by_colour):
    options = BenchOptions(classes.path, runs, device="cpu")
    table, again = (rcgan_tsne.run(options) for _ in range(2))
    assert table.figures == again.figures and len(table.figures) == 2
    assert all(row.measured for row in table.rows)
    drawn = figure(table.figures[1])
    assert drawn.count('text-anchor="middle">1</text>') >= len(table.figures[1].curves[0].x) > 1
    assert "<polyline" not in drawn
    assert [control.name for control in table.controls] == [*("chance", "oracle") * 4, "judge"]


@pytest.mark.parametrize("name", ["rcgan_table1", "rcgan_figure4", "rcgan_tsne"])
def test_what_is_missing_is_named_with_its_command(classes, tmp_path, name):
    table = run(name, BenchOptions(classes.path, tmp_path, judge=f"vfmr:{tmp_path / 'no.pt'}"))
    empty = [row for row in table.rows if row.measured is None]
    assert empty and all("facevox train" in row.command for row in empty)
    assert any("no checkpoint" in note for note in table.notes)
