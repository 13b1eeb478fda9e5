"""Exact matching beside samples: both ways measure the same thing, and what each took is told."""

import json

import pytest
from facevox.benchmarks import matching_speed
from facevox.benchmarks.core.bench import BenchOptions
from facevox.benchmarks.core.matching_ways import matched
from facevox.cli import main

SMALL = ("--people", "40", "--each", "3", "--triplets", "61440")


def test_both_ways_agree_and_count_what_they_did(monkeypatch):
    monkeypatch.setattr(matching_speed, "_fresh", matched)
    found = matching_speed.run(BenchOptions(people=40, each=3, triplets=61_440, device="cpu"))
    exact, sampled = found.results["exact"], found.results["sampled"]
    assert exact.triplets == 40 * 39 * 3 * 3 * 3
    assert (exact.pairs, sampled.triplets, sampled.pairs) == (120 * 120, 61_440, 20 * 512)
    assert abs(exact.accuracy - sampled.accuracy) <= 3 * sampled.error
    assert exact.error == 0 < sampled.error
    assert all(one.seconds > 0 and one.cpu_seconds > 0 and one.peak_bytes > 2**26 for one in (exact, sampled))
    assert "| sampled | 61,440 |" in found.markdown()


def test_the_command_needs_no_folder_and_measures_in_processes_of_their_own(capsys):
    assert main(["bench", "matching_speed", *SMALL, "--device", "cpu", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found["results"]) == {"exact", "sampled"}
    assert found["facts"]["people"] == 40


def test_too_few_people_are_refused():
    with pytest.raises(ValueError, match="3 people with 20 voices and faces: expected 6 or more"):
        matching_speed.run(BenchOptions(people=3))
