"""Scores of drawn faces: perfect and random vectors, galleries, the paper's rows with their flags."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from facevox.benchmarks import sf2f_table8
from facevox.benchmarks.core import drawn_faces
from facevox.benchmarks.core.bench import BenchOptions, run
from facevox.benchmarks.core.drawn_faces import (
    DIGITS,
    Drawing,
    PaperTable,
    drawn_table,
    first_seconds,
    score_drawings,
    scores,
)
from facevox.benchmarks.core.judges import ALIGNED, WHOLE
from facevox.models.core import checkpoint
from facevox.models.core.generating import generated
from facevox.models.core.model import create, model_options

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


class Population:
    """Three people of a folder: voices and faces as they were read, and how often each picture was."""

    path, digest, dataset = Path("O"), "d" * 64, "vox_vgg"

    def __init__(self, field: str) -> None:
        rows, self.samples, self.reads = [], {}, []
        for person in range(3):
            for config, name, count in (("faces", field, 2), ("voices", "voice.flac", 2)):
                for number in range(count):
                    key = f"{config}-{person}-{number}"
                    rows.append(
                        {"key": key, "config": config, "split": "test", "identity": f"p{person}", "dataset": "vox_vgg",
                         "fields": [{"name": name}], "speech": [{"first": 100, "end": 30_000}]}
                    )  # fmt: skip
                    made = np.random.default_rng([person, number, config == "faces"])
                    sound = (3000 * made.standard_normal(32_000)).astype(np.int16)
                    self.samples[key] = made.integers(0, 256, (32, 32, 3), np.uint8) if config == "faces" else sound
        self.index = pa.Table.from_pylist(rows)

    def fetch(self, keys, fields, **_):
        self.reads += keys
        return [{fields[0]: self.samples[key]} for key in keys]


def look(pictures) -> np.ndarray:
    """A judge of nine numbers: the mean colours of thirds of the picture."""
    return np.array([np.concatenate([p.mean((0, 1)) - 128 for p in np.array_split(one, 3)]) for one in pictures])


@pytest.fixture
def drawn(tmp_path, monkeypatch):
    """A population, the options to measure it, a network that draws and the boxes that judges were opened with."""
    drawn_faces._judged.cache_clear()
    options = model_options("voice2face", {"preset": "v2f_sf2f", "width": 0.0625, "face": "face.webp"})
    torch.manual_seed(1)
    model = create("voice2face", options)
    path = tmp_path / "voice2face-v2f_sf2f-face/seed0/best.pt"
    path.parent.mkdir(parents=True)
    state = {"model": "voice2face", "options": options.as_dict(), "weights": model.state_dict(), "seed": 0}
    checkpoint.save(path, {**state, "folder": Population.digest})
    population, boxes = Population("face.webp"), []
    monkeypatch.setattr(drawn_faces, "Folder", lambda place: population)
    monkeypatch.setattr(drawn_faces, "missing", lambda name: "")
    monkeypatch.setattr(drawn_faces, "open_judge", lambda name, box, slips: boxes.append(box) or look)
    return population, BenchOptions("O", tmp_path), model.eval(), boxes


def test_a_checkpoint_s_drawings_score_as_counted_plainly(drawn):
    population, options, model, boxes = drawn
    one = Drawing(("voice2face", "1.25 s"), "voice2face-v2f_sf2f-face", 1.25, "voice2face --preset v2f_sf2f")
    found = score_drawings(population, (one,), options)
    unit = {}
    for person in range(3):
        for kind in ("faces", "voices"):
            parts = []
            for number in range(2):
                sample = population.samples[f"{kind}-{person}-{number}"]
                if kind == "voices":
                    said = sample[100:30_000][:20_000]
                    sample = generated(model, said, [(0, len(said))])
                vector = look([sample])[0]
                parts.append(vector / np.linalg.norm(vector))
            unit[kind, person] = np.mean(parts, 0)
    long = {at: vector / np.linalg.norm(vector) for at, vector in unit.items()}
    cosine = {(a, b): long["voices", a] @ long["faces", b] for a in range(3) for b in range(3)}
    assert found[one.labels, "cosine"].value == pytest.approx(np.mean([cosine[a, a] for a in range(3)]))
    apart = [np.abs(unit["voices", a] - unit["faces", a]).sum() for a in range(3)]
    assert found[one.labels, "L1"].value == pytest.approx(np.mean(apart))
    first = [all(cosine[a, a] > cosine[a, b] for b in range(3) if b != a) for a in range(3)]
    assert found[one.labels, "R@1"].value == pytest.approx(100 * np.mean(first))
    assert found[one.labels, "cosine"].count == 3
    table = drawn_table(PaperTable("sf2f_table8", "T", (one,), {}), found, options)
    assert [control.name for control in table.controls] == ["judge", "oracle", "chance"]
    assert table.controls[1].passed and "R@1 100" in table.controls[1].found
    assert "33.33 by formula" in table.controls[2].found
    assert population.reads.count("faces-0-0") == 1, "every true picture is judged once"
    assert {*boxes} == {WHOLE}, "Vox-VGG's crops are the detector's box"


def test_a_checkpoint_of_another_folder_or_model_is_refused(drawn):
    population, options, _, _ = drawn
    one = Drawing(("voice2face", "1.25 s"), "voice2face-v2f_sf2f-face", 1.25)
    population.digest = "e" * 64
    with pytest.raises(ValueError, match="trained on a folder of digest"):
        score_drawings(population, (one,), options)


def test_a_missing_judge_is_said_and_not_trained_for(drawn, monkeypatch):
    population, options, _, _ = drawn
    monkeypatch.setattr(drawn_faces, "missing", lambda name: "no descriptor.dat here")
    trained, other = sf2f_table8.DRAWINGS[1], sf2f_table8.DRAWINGS[2]
    found = score_drawings(population, (trained, other), options)
    paper = PaperTable("sf2f_table8", sf2f_table8.TITLE, (trained, other), sf2f_table8.PUBLISHED)
    table = drawn_table(paper, found, options)
    assert any("dlib (no descriptor.dat here)" in note for note in table.notes)
    by = {row.labels: row.command for row in table.rows}
    bench = f"facevox bench sf2f_table8 --data O --runs {options.runs} --judge dlib"
    *before, last = by[(*trained.labels, "cosine")].split(" && ")
    assert last == bench and not any("facevox train" in step for step in before)
    first, *_, last = by[(*other.labels, "cosine")].split(" && ")
    assert (first, last) == (f"facevox train sf2f --out {options.runs} --face face.webp --data O", bench)


def test_boxes_of_crops_that_are_aligned_leave_room(monkeypatch):
    boxes = []
    monkeypatch.setattr(drawn_faces, "open_judge", lambda name, box, slips: boxes.append(box))
    for field in ("masked.jpg", "face.webp"):
        drawn_faces._judge(Population(field), BenchOptions())
    assert boxes == [ALIGNED, WHOLE]
