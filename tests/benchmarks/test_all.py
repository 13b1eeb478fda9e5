"""All tables at once: a report for what fits, reasons for what does not, an exit code for what broke."""

import argparse
import json
import shlex
from dataclasses import replace
from types import SimpleNamespace

import cv2
import pyarrow as pa
import pytest
from facevox.benchmarks import all as every
from facevox.benchmarks.all import AllOptions, run
from facevox.benchmarks.core.bench import COMMANDED, BenchOptions
from facevox.benchmarks.core.catalogue import Entry
from facevox.benchmarks.core.metrics import Interval
from facevox.benchmarks.core.table import Curve, Figure, Measured, Picture, Row, Table
from facevox.benchmarks.train import SHORT, TrainOptions, command, trainings
from facevox.benchmarks.train import run as train
from facevox.cli import main
from facevox.cli_bench import GIVEN, add

FOUND = Measured(50.0, 4, 2, Interval(40, 60), None, 1, "0123456789ab")
GOOD = Table("Good", ("a",), (Row(("1",), None, FOUND),))


def test_nothing_trained_is_a_report_of_commands(built, tmp_path, capsys):
    given = ["bench", "all", "--data", str(built["tar"].path), "--runs", str(tmp_path), "--out", str(tmp_path / "R")]
    assert main(given) == 0
    content = json.loads((tmp_path / "R" / "report.json").read_text())
    by_name = {table["name"]: table for table in content["tables"]}
    assert by_name["speakingfaces_table4"]["status"] == "0 of 22 rows measured"
    assert by_name["recognition"]["command"].startswith("facevox bench recognition --embeddings")
    assert "learn" not in by_name
    assert all(table["table"] or (table["reason"] and table["command"]) for table in content["tables"])
    assert not [path.name for path in (tmp_path / "R").iterdir() if path.suffix not in (".html", ".md", ".json")]
    assert "report.html" in capsys.readouterr().out
    assert str(built["tar"].digest) in (tmp_path / "R" / "report.html").read_text()


def test_a_table_that_breaks_is_a_row_and_the_exit_code(built, tmp_path, monkeypatch):
    broken = Entry("broken", "Breaks", ("speakingfaces",), needs="nothing")
    other = Entry("voices", "Of others", ("hq_voxceleb",), ("voices",), needs="nothing")
    lacking = Entry("lacking", "Needs a package", ("speakingfaces",), needs="nothing")
    monkeypatch.setattr(every, "entries", lambda: [broken, other, lacking])

    def fails(name: str, options: BenchOptions):
        if name == "lacking":
            raise ModuleNotFoundError("pip install 'facevox[build]'")
        raise ZeroDivisionError(f"{name} broke")

    monkeypatch.setattr(every, "run_table", fails)
    report = run(AllOptions((built["tar"].path,), tmp_path / "R"))
    assert [result.status for result in report.results] == ["FAILED", "not measured", "not measured"]
    assert report.results[0].reason == "ZeroDivisionError: broken broke"
    assert "holds speakingfaces" in report.results[1].reason
    assert report.results[1].command.startswith("facevox build hq_voxceleb --raw RELEASE --out O --config voices")
    assert "pip install" in report.results[2].reason
    assert not report.passed


def test_what_cannot_be_written_breaks_its_table_alone(built, tmp_path, monkeypatch):
    nan = float("nan")
    axes = Figure("F", "x", "y", (Curve("c", (1, 2), (1, nan)),))
    tables = {
        "decoder": cv2.error("bad picture"),
        "figure": replace(GOOD, figures=(axes,)),
        "good": GOOD,
        "nan": replace(GOOD, rows=(Row(("1",), None, replace(FOUND, value=nan)),)),
        "picture": replace(GOOD, pictures=(Picture("p", "p", b"<svg>"),)),
    }

    def made(name: str, options: BenchOptions) -> Table:
        if isinstance(tables[name], Exception):
            raise tables[name]
        return tables[name]

    monkeypatch.setattr(every, "entries", lambda: [Entry(name, name) for name in tables])
    monkeypatch.setattr(every, "run_table", made)
    run(AllOptions((built["tar"].path,), tmp_path / "R"))
    content = json.loads((tmp_path / "R" / "report.json").read_text())
    assert {one["name"] for one in content["tables"] if one["status"] == "FAILED"} == tables.keys() - {"good"}
    assert "UNFINISHED" not in content["facts"]["tables"]


def test_a_killed_run_leaves_what_it_had_measured(built, tmp_path, monkeypatch):
    def made(name: str, options: BenchOptions) -> Table:
        if name == "killed":
            raise KeyboardInterrupt
        return GOOD

    monkeypatch.setattr(every, "entries", lambda: [Entry("good", "Good"), Entry("killed", "Killed")])
    monkeypatch.setattr(every, "run_table", made)
    with pytest.raises(KeyboardInterrupt):
        run(AllOptions((built["tar"].path,), tmp_path / "R"))
    content = json.loads((tmp_path / "R" / "report.json").read_text())
    assert [one["name"] for one in content["tables"]] == ["good"]
    assert content["facts"]["tables"] == "UNFINISHED: 1 of 2 so far"


def test_the_commands_told_are_those_that_were_run(built, tmp_path, monkeypatch):
    seen: list[BenchOptions] = []
    monkeypatch.setattr(every, "entries", lambda: [Entry("good", "Good")])
    monkeypatch.setattr(every, "run_table", lambda name, options: seen.append(options) or GOOD)
    common = BenchOptions(
        runs=tmp_path / "a run",
        protocol="paper",
        judge="vfmr:W/best.pt",
        device="cpu",
        embeddings="E.npz",
        gallery="G.npz",
        metric="cosine",
        tolerance=0.35,
        as_published=True,
        leave_one_out=True,
    )
    report = run(AllOptions((built["tar"].path,), tmp_path / "R", common=common))
    parser = argparse.ArgumentParser()
    add(parser)
    for told, ran in ((report.command, common), (report.results[0].command, seen[0])):
        read = parser.parse_args(shlex.split(told)[2:])
        (read.runs,) = read.runs
        assert {name: str(getattr(read, name)) for name in COMMANDED} == {
            name: str(getattr(ran, name)) for name in COMMANDED
        }
    assert {*COMMANDED} == {*GIVEN, "runs"}


def test_checkpoints_lie_in_one_folder_for_all_or_in_one_for_each_dataset(built, tmp_path, monkeypatch):
    seen: list[BenchOptions] = []
    monkeypatch.setattr(every, "entries", lambda: [Entry("good", "Good")])
    monkeypatch.setattr(every, "run_table", lambda name, options: seen.append(options) or GOOD)
    folders = (built["tar"].path, built["arrow"].path)
    for runs, expected in ((("W",), ["W", "W"]), (("W", "V"), ["W", "V"]), ((), ["", ""])):
        report = run(AllOptions(folders, tmp_path / "R", runs=runs))
        assert [str(options.runs) for options in seen] == expected
        assert report.command.count("--runs") == len(runs)
        seen.clear()
    with pytest.raises(ValueError, match="3 folders of checkpoints for 2 datasets: give --runs once, or once for each"):
        run(AllOptions(folders, tmp_path / "R", runs=("U", "V", "W")))


def test_wrong_use_is_refused(built, tmp_path):
    with pytest.raises(ValueError, match="needs --data"):
        run(AllOptions((), tmp_path))
    with pytest.raises(ValueError, match="no table 'nosuch'"):
        run(AllOptions((built["tar"].path,), tmp_path, ("nosuch",)))
    with pytest.raises(ValueError, match="lies in a dataset folder"):
        run(AllOptions((built["tar"].path,), built["tar"].path / "R"))
    assert main(["bench", "speakingfaces_table4", "--data", "A", "--data", "B"]) == 2


def test_trainings_are_commands_each_once_and_every_model_has_a_short_one(built, tmp_path):
    options = TrainOptions(built["tar"].path, tmp_path, short=True)
    found = trainings(options)
    assert len({tuple(words) for words in found}) == len(found) >= 5
    models = {words[1] for words in found}
    assert "gender" in models
    assert models <= SHORT.keys()
    assert command("gender --mode 7 --out frames-5", options, built["tar"])[5] == str(tmp_path / "frames-5")


@pytest.mark.parametrize(
    ("field", "words"),
    [("masked.jpg", ["", "", "--picture masked.jpg"]), ("face.webp", ["--face face.webp", "--face face.webp", ""]),
     ("face.jpg", ["--face face.jpg", "--face face.jpg", "--picture face.jpg"])],
)  # fmt: skip
def test_trainings_read_the_faces_that_the_folder_has(tmp_path, field, words):
    rows = [{"config": "voices", "fields": [{"name": "voice.flac"}]}, {"config": "faces", "fields": [{"name": field}]}]
    folder = SimpleNamespace(index=pa.Table.from_pylist(rows))
    options = TrainOptions("O", tmp_path)
    plain = {model: command(model, options, SimpleNamespace(index=folder.index.slice(0, 1))) for model in SHORT}
    for model, added in zip(("sf2f", "voice2face", "vfmr"), words, strict=True):
        assert command(model, options, folder) == [*plain[model], *added.split()]
    assert command("gender", options, folder) == plain["gender"]
    own = command("vfmr --picture origin.jpg", options, folder)
    assert own == [*plain["vfmr"], "--picture", "origin.jpg"], "a table that names its own is not contradicted"


@pytest.mark.slow
def test_short_trainings_run_through_the_command_line_and_state_their_time(built, tmp_path, monkeypatch):
    monkeypatch.setitem(SHORT, "gender", "--epochs 1 --batch-size 12 --width 0.05")
    monkeypatch.setattr(
        "facevox.benchmarks.train.trainings", lambda options: [command("gender --mode 3", options, built["tar"])]
    )
    trained = train(TrainOptions(built["tar"].path, tmp_path, short=True, device="cpu"))
    assert trained.passed
    assert (tmp_path / "gender-mode3" / "seed0" / "best.pt").is_file()
    assert "CPU s  in all" in trained.text()
    assert json.loads((tmp_path / "train.json").read_text())["steps"][0]["code"] == 0
