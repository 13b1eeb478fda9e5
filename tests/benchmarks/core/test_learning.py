"""What is done once is not done again, what changed is; the rows there are; ranges in words."""

import itertools
import math
from pathlib import Path

import pytest
from facevox import cli
from facevox.benchmarks.core import learning
from facevox.benchmarks.core.learning import (
    Exam,
    Finding,
    Lesson,
    Place,
    Population,
    Training,
    lesson,
    rows,
    teach,
)
from facevox.cli_options import chosen
from facevox.models.core.model import find, model_options
from facevox.models.core.train import TrainOptions

PEOPLE = Population("few", "speakingfaces", ("--subjects", "3"), ("--config", "utterances"))
VOICE = Training("voice", "voice_classifier", ("--epochs", "2"))
FACE = Training("face", "rcgan", ("--initial", "encoder={voice}"))


def score(exam: Exam) -> list[Finding]:
    assert {name: path.is_file() for name, path in exam.best.items()} == {"voice": True, "face": True}
    return [Finding("right", 90.0 if exam.linked else 52.0, 50.0, 10, low=80.0 if exam.linked else 46.0)]


LESSON = Lesson("Of two", PEOPLE, (VOICE, FACE), score)


@pytest.fixture
def ran(monkeypatch):
    """The command lines that would have been run, each leaving what the real one leaves."""
    found: list[list[str]] = []

    spent = [0.0]

    def run(self: Place, name: str, command: list[str]) -> None:
        spent[0] += 2
        found.append(list(command))
        if command[0] == "train":
            made = self.home / name / command[1] / "seed0" / "best.pt"
        else:
            made = self.home / command[command.index("--out") + 1] / "whole"
        made.parent.mkdir(parents=True, exist_ok=True)
        made.write_text(" ".join(command))

    monkeypatch.setattr(Place, "_run", run)
    monkeypatch.setattr(learning, "processor_seconds", lambda: spent[0])
    return found


def learned(out: Path, what: Lesson = LESSON, linked: bool = True):
    return teach("row", what, out, linked, 1, lambda words: None)


def words(ran: list[list[str]]) -> list[str]:
    done = [" ".join(command[:2]) for command in ran]
    ran.clear()
    return done


ALL = ["forge speakingfaces", "build speakingfaces", "train voice_classifier", "train rcgan"]


def test_each_step_is_run_once_and_the_release_goes(ran, tmp_path):
    outcome = learned(tmp_path)
    assert ran[3][ran[3].index("--initial") + 1] == "encoder=voice/voice_classifier/seed0/best.pt"
    assert words(ran) == ALL
    assert outcome.passed
    assert outcome.cpu_seconds >= 8
    assert not (tmp_path / "few" / "release").exists()
    again = learned(tmp_path)
    assert (words(ran), again.commands) == ([], outcome.commands)
    assert again.cpu_seconds >= 8


def test_without_link_the_same_is_done_beside(ran, tmp_path):
    learned(tmp_path)
    words(ran)
    outcome = learned(tmp_path, linked=False)
    assert "--no-link" in ran[0]
    assert words(ran) == ALL
    assert (tmp_path / "few-null" / "data").is_dir()
    assert outcome.findings[0].measured == 52.0


@pytest.mark.parametrize(
    ("changed", "again"),
    [
        (Population("few", "speakingfaces", ("--subjects", "4"), PEOPLE.build), ALL),
        (Population("few", "speakingfaces", PEOPLE.forge, ("--config", "pairs")), ALL),
        (Training("voice", "voice_classifier", ("--epochs", "3")), ALL[2:]),
    ],
)
def test_what_follows_a_change_is_done_anew(ran, tmp_path, changed, again):
    learned(tmp_path)
    words(ran)
    trainings = (changed, FACE) if isinstance(changed, Training) else (VOICE, FACE)
    learned(tmp_path, Lesson("Of two", PEOPLE if isinstance(changed, Training) else changed, trainings, score))
    assert words(ran) == again


def test_another_version_does_everything_anew(ran, tmp_path, monkeypatch):
    learned(tmp_path)
    words(ran)
    monkeypatch.setattr(learning, "version", lambda package: "99")
    learned(tmp_path)
    assert words(ran) == ALL


def test_a_training_that_stopped_goes_on_and_one_that_failed_says_why(ran, tmp_path, monkeypatch):
    whole = Place._run

    def stopped(self: Place, name: str, command: list[str]) -> None:
        whole(self, name, command)
        if name == "face":
            (self.home / name).mkdir(exist_ok=True)
            (self.home / name / "half").touch()
            raise KeyboardInterrupt

    monkeypatch.setattr(Place, "_run", stopped)
    with pytest.raises(KeyboardInterrupt):
        learned(tmp_path)
    monkeypatch.setattr(Place, "_run", whole)
    words(ran)
    outcome = learned(tmp_path)
    assert words(ran) == ["train rcgan"]
    # Five runs of 2 s: that which stopped counts.
    assert 10 <= outcome.cpu_seconds < 12
    assert (tmp_path / "few" / "face" / "half").exists()


def test_a_command_that_fails_is_named_with_its_last_words(tmp_path):
    wrong = Lesson("", Population("wrong", "speakingfaces", ("--subjects", "0")), (), score)
    with pytest.raises(RuntimeError, match=r"wrong: `facevox forge speakingfaces .*forge.log: facevox: .*subjects"):
        learned(tmp_path, wrong)


def test_rows_are_found_by_file_name():
    assert {"gender", "rcgan", "voice_classifier"} <= set(rows())
    for row in rows():
        found = lesson(row)
        assert found.title and found.trainings
    with pytest.raises(ValueError, match="no row 'gendre'; did you mean 'gender'"):
        lesson("gendre")
    places: dict[str, Population] = {}
    for found in (what for row in rows() for what in (lesson(row), lesson(row).short) if what):
        assert places.setdefault(found.population.name, found.population) == found.population, "one name for two"


@pytest.mark.parametrize("row", rows())
def test_every_training_is_a_command_that_there_is(row):
    whole = lesson(row)
    for training in (*whole.trainings, *(whole.short.trainings if whole.short else ())):
        places = {other.name: f"{other.name}.pt" for other in whole.trainings}
        asked = [word.format_map(places) for word in training.options]
        words = ["train", training.model, "--data", "O", "--out", "W", *asked]
        parser, _ = cli._parser(words)
        given = parser.parse_args(words)
        settings = model_options(training.model, chosen(given, find(training.model).options_type))
        options = TrainOptions(training.model, given.data, given.out, **chosen(given, TrainOptions))
        # Of an option that is there twice the last counts; a flag has no value.
        for name, text in {name: text for name, text in itertools.pairwise([*asked, "--"]) if name[:2] == "--"}.items():
            field = name.removeprefix("--").replace("-", "_")
            taken = getattr(settings if hasattr(settings, field) else options, field)
            assert taken == (True if text[:2] == "--" else type(taken)(text)), f"{name} {text}"


def test_ranges_in_words():
    assert Finding("", 1.0, None, 1).wanted is None
    assert Finding("", 1.0, None, 1, low=80.0).wanted == ">= 80.0 %"
    assert Finding("", 1.0, None, 1, high=0.5, unit="").wanted == "<= 0.5"
    assert Finding("", 50.0, None, 1, low=46.0, high=54.0).wanted == "46.0..54.0 %"
    assert not Finding("", math.nan, None, 1, low=80.0).passed
    assert Finding("", 80.0, None, 1, low=80.0).passed
