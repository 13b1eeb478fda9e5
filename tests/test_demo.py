"""The demo walks the whole road; what it trained has learned, and learned only what there was to learn."""

import re
import shutil
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from facevox import demo as demo_module
from facevox.api import train
from facevox.benchmarks import speakingfaces_table4 as table4
from facevox.benchmarks.core.bench import BenchOptions
from facevox.demo import BRIEF
from facevox.loaders.folder import Folder


@pytest.fixture(scope="module")
def demo(tmp_path_factory, compiled) -> tuple[Path, str]:
    """What `facevox demo --keep` leaves behind, and what it printed."""
    home = tmp_path_factory.mktemp("demo")
    done = subprocess.run(
        [sys.executable, "-m", "facevox", "demo", "--keep"], cwd=home, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return home / "facevox-demo", done.stdout


def printed(said: str) -> dict[tuple[str, str], float]:
    """What the demo's table says was measured, in %, by row and split."""
    rows = (re.split(r"\s{2,}", line.strip()) for line in said.splitlines())
    return {
        (row[0], row[4]): float(row[6]) for row in rows if row[4:5] and row[4] in table4.SPLITS and row[6][0].isdigit()
    }


@pytest.mark.slow
def test_the_demo_walks_the_whole_road(demo):
    home, said = demo
    assert "sound" in said
    assert (home / "facevox-demo.png").stat().st_size > 10_000
    assert (home / "runs" / "gender-mode7" / "seed0" / "best.pt").is_file()
    assert {split for row, split in printed(said) if row == "1"} == {"validation", "test"}


def test_the_crowd_is_built_without_dlib(tmp_path, monkeypatch):
    asked = {}
    monkeypatch.setattr("facevox.api.forge", lambda *_, **__: {})
    monkeypatch.setattr("facevox.api.build", lambda *_, **options: asked.update(options))
    monkeypatch.setattr("facevox.api.train", lambda *_, **__: pytest.fail("reached training without a folder"))
    with pytest.raises(AttributeError):
        demo_module._train(tmp_path, 1)
    assert asked["detector"] == "none"


@pytest.mark.parametrize("fails", [False, True])
def test_the_demo_cleans_up(fails, tmp_path, monkeypatch):
    homes = []

    def walk(home, workers):
        homes.append(home)
        (home / "release").mkdir()
        if fails:
            raise OSError("disk full")

    monkeypatch.setattr(demo_module, "_walk", walk)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OSError, match="disk full") if fails else nullcontext():
        demo_module.run(keep=False, workers=1)
    assert not homes[0].exists()
    assert not list(tmp_path.iterdir())


def shuffled_labels(folder: Folder, out: Path) -> Folder:
    """A copy whose training and validation genders are dealt anew, half of each gender keeping theirs."""
    shutil.copytree(folder.path, out)
    rows = folder.index.select(["subject", "gender", "split"]).to_pylist()
    people = sorted({(r["split"], r["gender"], r["subject"]) for r in rows if r["split"] != "test"})
    swapped = {subject for place, (_, _, subject) in enumerate(people) if place % 2}
    other = {"Female": "Male", "Male": "Female"}
    dealt = [other[r["gender"]] if r["subject"] in swapped else r["gender"] for r in rows]
    at = folder.index.column_names.index("gender")
    pq.write_table(folder.index.set_column(at, "gender", pa.array(dealt)), out / "tables" / "index.parquet")
    return Folder(out)


@pytest.fixture
def one_thread():
    """On busy cores two threads of torch wait for each other several times longer than one works."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.slow
def test_it_learns_falls_with_noise_and_is_at_chance_without_labels(demo, tmp_path, one_thread, monkeypatch):
    """Noise as published: clipped noise leaves the coarse shape of a made-up face readable, wrapped noise does not."""
    home, said = demo
    found = printed(said)
    assert found["1", "test"] >= 90
    clean, noisy = (np.mean([found[row, split] for split in table4.SPLITS]) for row in ("1", "8"))
    assert noisy <= clean - 15

    crowd = Folder(home / "crowd")
    lied = shuffled_labels(crowd, tmp_path / "shuffled")
    train("gender", lied.path, tmp_path / "chance", **BRIEF)
    monkeypatch.setattr(table4, "CASES", {"1": table4.CASES["1"]})
    bench = BenchOptions(crowd.path, tmp_path / "chance", device="cpu", as_published=True)
    chance, _ = table4.measure(crowd, bench)["1", "test"]
    assert chance.interval.low <= 50 <= chance.interval.high
    assert chance.value < 80
