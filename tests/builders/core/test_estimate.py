"""What a build would cost, told before it starts: counts of the listing, measured rates, limits."""

from collections import Counter
from pathlib import Path

import pytest
from facevox.builders.core.estimate import Estimate, Rate, Scale, survey
from facevox.builders.core.run import BuildOptions
from facevox.builders.speakingfaces import SpeakingFacesOptions
from facevox.cli import main

DOCS = Path(__file__).resolve().parents[3] / "docs"


@pytest.fixture
def priced(release) -> Estimate:
    """A survey of the release with rates that are easy to reckon with: 1 ms of CPU a kB, half as much written."""
    options = BuildOptions("speakingfaces", str(release), Path("O"), shard_mb=4, release=SpeakingFacesOptions())
    found = survey(options, anywhere=True)
    for config in found.source_bytes:
        found.rates[config] = Rate(1, 10, 1_000_000, 500_000, 1.0, 100_000_000, Counter({"encode": 3.0, "read": 1.0}))
    return found


def row(found: Estimate, workers: int, read_mb_s: float = 0.0) -> list[str]:
    return next(line.split(maxsplit=5) for line in found.cost(read_mb_s) if line.split()[0] == str(workers))


def test_core_hours_and_bytes_follow_rates_and_scale(priced):
    size = priced.source_bytes.total()
    assert priced.core_seconds() == pytest.approx(size / 1e6)
    assert priced.written_bytes() == pytest.approx(size / 2)
    assert priced.frames() == pytest.approx(size / 1e5)
    priced.scale = Scale(source_bytes=3.8e10)
    assert priced.core_seconds() == pytest.approx(3.8e4)
    assert priced.written_bytes() == pytest.approx(1.9e10)
    assert len(priced.shard_seconds()) == pytest.approx(3.8e10 / (4 << 20), rel=0.01)
    priced.scale = Scale(source_bytes=3.8e10, frames=190_000)
    assert priced.read_bytes() == pytest.approx(3.8e10)
    assert priced.core_seconds() == pytest.approx(1.9e4)
    assert "utterances: 100.00 ms of CPU a frame (encode 75.00, read 25.00), 100 kB read" in "\n".join(priced.cost(0))


def test_the_limit_is_named(priced):
    priced.scale = Scale(source_bytes=3.6e11)
    for workers in (1, 16, 256):
        _, hours, _, read, _, limit = row(priced, workers)
        assert limit == "cores"
        assert float(hours) == pytest.approx(100 / workers, rel=0.02)
        assert float(read.replace(",", "")) == pytest.approx(workers, rel=0.02)
    _, hours, _, read, _, limit = row(priced, 256, read_mb_s=50.0)
    assert (float(hours), float(read)) == (2.0, 50.0)
    assert limit == "storage: 50 MB/s; more workers than 50 gain nothing"
    priced.scale = Scale()
    assert len(priced.plan.shards) < 64
    assert f"only {len(priced.plan.shards)} shards" in row(priced, 256)[-1]


def test_a_plan_counts_what_the_build_makes_and_writes_nothing(release, built, tmp_path, capfd):
    line = ["plan", "speakingfaces", "--raw", str(release), "--out", str(tmp_path / "O"), "--shard-mb", "4"]
    assert main([*line, "--detector", "none"]) == 0
    told = capfd.readouterr().out
    assert f"into {len(list(built['tar'].path.rglob('*.tar')))} shards" in told
    assert "utterances test: 8 samples" in told
    assert main([*line, "--detector", "none", "--estimate", "--read-mb-s", "100", "--config", "utterances"]) == 0
    told = capfd.readouterr().out
    written = float(told.split("GB to read, ")[1].split(" GB to write")[0])
    actual = sum(path.stat().st_size for path in (built["tar"].path / "data/utterances").rglob("*.tar")) / 1e9
    assert written == pytest.approx(actual, abs=0.05)
    assert "encode" in told and "fits" in told
    header = next(line for line in told.splitlines() if "workers" in line and "limit" in line)
    assert header in (DOCS / "planning.md").read_text().splitlines()
    assert not (tmp_path / "O").exists()
    assert main([*line, "--read-mb-s", "100"]) == 2
    assert "with --estimate" in capfd.readouterr().err
