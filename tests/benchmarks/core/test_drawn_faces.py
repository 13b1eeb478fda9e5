"""Scores of drawn faces: perfect and random vectors, galleries, the paper's rows with their flags."""

import numpy as np
import pytest
from facevox.benchmarks.core.bench import BenchOptions, run
from facevox.benchmarks.core.drawn_faces import DIGITS, first_seconds, scores

RANDOM = np.random.default_rng(0)


def test_perfect_drawings_score_everything_and_random_ones_chance():
    truth = RANDOM.standard_normal((300, 64))
    truth /= np.linalg.norm(truth, axis=1, keepdims=True)
    best = scores(truth, truth)
    assert best["cosine"] == pytest.approx(np.ones(300))
    assert best["L1"] == pytest.approx(np.zeros(300))
    assert best["R@1"].mean() == 100
    guessed = scores(RANDOM.standard_normal((300, 64)), truth)
    for k in (1, 2, 5, 10):
        near = 100 * 4 * np.sqrt(k / 100 * (1 - k / 100) / 300)
        assert guessed[f"R@{k}"].mean() == pytest.approx(k, abs=near)
    assert abs(guessed["cosine"].mean()) < 0.05


def test_people_beyond_the_last_whole_gallery_count_in_none():
    truth = np.eye(150)
    found = scores(truth, truth)
    assert np.isnan(found["R@1"]).sum() == 50
    assert not np.isnan(found["cosine"]).any()
    assert not np.isnan(scores(truth[:20], truth[:20])["R@1"]).any()


def test_first_seconds_leave_pauses_out():
    sound = np.arange(64_000).astype(np.int16)
    cut, speech = first_seconds(sound, [(1000, 9000), (20_000, 40_000)], 1.0)
    assert speech == [(0, 16_000)]
    assert (cut[:8000] == sound[1000:9000]).all()
    assert (cut[8000:] == sound[20_000:28_000]).all()
    assert len(first_seconds(sound, [], 100)[0]) == 64_000


@pytest.mark.parametrize(
    ("name", "methods"), [("sf2f_table3", 6), ("sf2f_table4", 5), ("sf2f_table5", 3), ("sf2f_table8", 6)]
)
def test_rows_are_the_papers_and_nothing_trained_is_commands(built, tmp_path, name, methods):
    table = run(name, BenchOptions(built["tar"].path, tmp_path))
    assert len({row.labels[:2] for row in table.rows}) == methods
    assert {row.labels[2] for row in table.rows} == set(DIGITS)
    assert all(row.published is not None and row.measured is None for row in table.rows)
    assert any("facevox train sf2f" in command for command in table.commands)
    if name == "sf2f_table8":
        assert [row.labels for row in table.rows if row.flag] == [("voice2face", "1.25 s", "R@10")]
    if name == "sf2f_table5":
        assert sum(bool(row.flag) for row in table.rows) == 5
