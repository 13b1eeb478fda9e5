"""Table 5 and the FID pair on fresh networks: real faces as a plain count has them, and what is missing or refused."""

import numpy as np
import pytest
import torch
from facevox.benchmarks.core.bench import BenchOptions, run
from facevox.benchmarks.core.judges import open_judge
from facevox.benchmarks.core.metrics import frechet_distance
from facevox.benchmarks.speakingfaces_fid import jackknifed
from facevox.models.core import checkpoint
from facevox.models.core.model import create, model_options

TINY = {"width": 0.0625, "blocks": 1, "crop_size": 32, "load_size": 34}


@pytest.fixture(scope="module")
def runs(with_faces, tmp_path_factory):
    """A CycleGAN before its first step; no CUT."""
    out = tmp_path_factory.mktemp("translations")
    options = model_options("cyclegan", TINY)
    torch.manual_seed(3)
    state = {"model": "cyclegan", "options": options.as_dict(), "weights": create("cyclegan", options).state_dict()}
    home = out / "cyclegan" / "seed0"
    home.mkdir(parents=True)
    checkpoint.save(home / "best.pt", {**state, "seed": 3, "folder": with_faces.digest})
    return out


@pytest.fixture(scope="module")
def seen(with_faces):
    """dlib's vectors of the real visual test faces, their people and trials, read without the table's code."""
    rows = [r for r in with_faces.index.to_pylist() if (r["config"], r["split"]) == ("pairs", "test")]
    rows = [row for row in rows if row["face_box"]]
    judge, vectors = open_judge("dlib"), []
    for row in rows:
        (sample,) = with_faces.fetch([row["key"]], ["visual.webp"], config="pairs")
        picture = torch.from_numpy(sample["visual.webp"].transpose(2, 0, 1).copy())[None].float()
        small = torch.nn.functional.interpolate(picture, (128, 128), mode="bicubic", antialias=True)
        vectors.append(judge([small.round().clamp(0, 255).byte()[0].permute(1, 2, 0).numpy()])[0])
    return np.array(vectors), [row["identity"] for row in rows], np.array([row["trial"] for row in rows])


def test_real_faces_are_counted_as_plainly_and_what_is_missing_has_its_command(with_faces, runs, seen):
    table = run("speakingfaces_table5", BenchOptions(with_faces.path, runs, device="cpu"))
    found = {row.labels: row for row in table.rows}
    vectors, people, trials = seen
    counts = {"TP": 0, "FP": 0, "FN": 0}
    for probe in np.flatnonzero(trials == 2):
        votes: dict = {}
        for known in np.flatnonzero(trials == 1):
            if np.linalg.norm(vectors[probe] - vectors[known]) <= 0.45:
                votes[people[known]] = votes.get(people[known], 0) + 1
        winner = max(votes, key=votes.get) if votes else None
        counts["FN" if winner is None else "TP" if winner == people[probe] else "FP"] += 1
    assert {name: found["visual, real", name].measured.value for name in counts} == counts
    assert sum(found["CycleGAN", name].measured.value for name in counts) == (trials == 2).sum()
    assert found["CUT", "TP"].measured is None and found["CUT", "TP"].published == 236
    assert table.commands == [f"facevox train cut --data {with_faces.path} --out {runs} --seed 0"]
    assert found["visual, real", "TP"].difference is None, "of other probes than the paper's 1,134"
    assert found["visual, real", "precision"].difference is not None
    assert {control.name for control in table.controls} == {"chance", "oracle", "judge", "leakage"}


def test_distances_of_sets_with_the_judge_that_is_here(with_faces, runs, seen):
    table = run("speakingfaces_fid", BenchOptions(with_faces.path, runs, device="cpu"))
    found = {row.labels: row for row in table.rows}
    vectors, _, trials = seen
    apart = frechet_distance(vectors[trials == 1], vectors[trials == 2])
    assert found["real, trial 2 from trial 1", "FID", "dlib"].measured.value == pytest.approx(apart)
    assert found["CycleGAN", "FID", "dlib"].measured.value > apart
    assert found["CycleGAN", "FID", "dlib"].published is None, "the paper's are Inception's"
    wanted = [row for row in table.rows if row.published is not None]
    assert [row.published for row in wanted] == [22.12, 18.95]
    assert all(row.command.endswith("--judge inception-2015") for row in wanted)
    kinds = [control.name for control in table.controls]
    assert (kinds.count("oracle"), kinds.count("judge"), kinds.count("chance")) == (2, 2, 2) and "leakage" in kinds
    assert all(control.passed for control in table.controls if control.name in ("oracle", "chance"))


def test_a_checkpoint_of_another_folder_is_refused(built, with_faces, runs, tmp_path):
    state = torch.load(runs / "cyclegan/seed0/best.pt", weights_only=True)
    home = tmp_path / "cyclegan/seed0"
    home.mkdir(parents=True)
    checkpoint.save(home / "best.pt", {**state, "folder": built["tar"].digest})
    for name in ("speakingfaces_table5", "speakingfaces_fid"):
        with pytest.raises(ValueError, match="trained on a folder of digest"):
            run(name, BenchOptions(with_faces.path, tmp_path, device="cpu", limit=24))


def test_the_jackknife_of_a_mean_is_its_standard_error():
    values, who = np.random.default_rng(0).standard_normal((10, 1)), np.arange(10).astype(str)
    value, error = jackknifed(lambda a, b: float(a.mean() - b.mean()), (values, who), (np.zeros((10, 1)), who))
    assert value == pytest.approx(values.mean())
    assert error == pytest.approx(values.std(ddof=1) / np.sqrt(10))
