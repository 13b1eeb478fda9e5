"""`facevox bench learn`: the short rows for real through the command line, and the report's three forms."""

import json
import subprocess
import sys

import pytest
from facevox.benchmarks.core.learning import Finding, Outcome
from facevox.benchmarks.learn import Learned, LearnOptions, run

FOUND = (Finding("pairs told right", 91.25, 50.0, 400, low=80.0), Finding("distance", 1.5, None, 40, unit=""))
NULL = (Finding("pairs told right", 58.0, 50.0, 400, low=46.0, high=54.0),)


@pytest.fixture
def learned() -> Learned:
    outcomes = (Outcome("vfmr", "Voices and faces", True, FOUND, ("facevox forge x",), 61.7),)
    return Learned((*outcomes, Outcome("vfmr", "Voices and faces", False, NULL, (), 2.0)), "facevox bench learn")


def test_the_report_says_what_was_wanted_and_what_was_not_reached(learned):
    lines = [" ".join(line.split()) for line in learned.text().splitlines()]
    assert "vfmr on pairs told right 91.2 % >= 80.0 % 50.0 % 400 62 ok" in lines
    assert "vfmr off pairs told right 58.0 % 46.0..54.0 % 50.0 % 400 2 NOT REACHED" in lines
    assert "vfmr on distance 1.5 - - 40" in lines
    assert not learned.passed
    assert (
        "| vfmr | off | pairs told right | 58.0 % | 46.0..54.0 % | 50.0 % | 400 | 2 | NOT REACHED |"
        in learned.markdown()
    )
    told = json.loads(learned.json())["rows"][0]
    assert (told["findings"][0]["high"], told["findings"][0]["low"], told["passed"]) == (None, 80.0, True)


def test_rows_without_a_short_version_are_left_out_or_named(tmp_path):
    with pytest.raises(ValueError, match="row 'gender' has no short version; leave out --short"):
        run(LearnOptions(tmp_path, ("gender",), short=True))
    assert "voice_classifier" in LearnOptions(tmp_path, short=True).chosen()


def test_rows_of_earlier_calls_stay_in_the_file(learned, tmp_path):
    path = tmp_path / "learn.json"
    learned.write(path)
    Learned((Outcome("gender", "Gender", True, FOUND, (), 9.0), Outcome("lost", "", True, (), (), 0.0)), "x").write(
        path
    )
    Learned((Outcome("vfmr", "Voices and faces", False, FOUND, (), 3.0),), "bench --rows vfmr").write(path)
    told = [(row["row"], row["linked"], row["measured_by"]) for row in json.loads(path.read_text())["rows"]]
    before = "facevox bench learn"
    assert told == [("gender", True, "x"), ("vfmr", True, before), ("vfmr", False, "bench --rows vfmr")]


@pytest.mark.slow
def test_the_short_version_learns(tmp_path):
    """Three people forged, built, learned from and told apart, and a second call that repeats nothing."""
    command = [
        sys.executable,
        "-m",
        "facevox",
        "bench",
        "learn",
        "--short",
        "--rows",
        "voice_classifier",
        "--out",
        str(tmp_path / "W"),
    ]
    first = subprocess.run([*command, "--format", "json"], capture_output=True, text=True)
    assert first.returncode == 0, first.stderr + first.stdout
    (told,) = json.loads(first.stdout)["rows"]
    assert told["row"] == "voice_classifier"
    assert [line.split()[1] for line in told["commands"]] == ["forge", "build", "train"]
    assert json.loads((tmp_path / "W" / "learn-short.json").read_text())["rows"] == [told]
    assert str(tmp_path) not in told["measured_by"]
    again = run(LearnOptions(tmp_path / "W", ("voice_classifier",), short=True))
    assert [finding.measured for finding in again.outcomes[0].findings] == [f["measured"] for f in told["findings"]]
