"""`facevox calibrate` and `facevox forge calibration` at the command line and as functions."""

import facevox
import pytest
from facevox.cli import main


@pytest.fixture(scope="module")
def captures(tmp_path_factory):
    out = tmp_path_factory.mktemp("captures") / "C"
    assert main(["forge", "calibration", "--out", str(out), "--captures", "3"]) == 0
    return out


def test_help_teaches_names_and_results(capsys):
    for words, said in (
        (["calibrate"], ("1_0.png  1_1.png", "desk_thermal.png", "calibration.json", "overlay_1.png", "--out")),
        (["forge", "calibration"], ("--captures", "--spoiled", "--seed")),
        (["build", "speakingfaces"], ("--calibration",)),
    ):
        with pytest.raises(SystemExit) as ended:
            main([*words, "--help"])
        text = capsys.readouterr().out
        assert ended.value.code == 0
        assert all(word in text for word in said), text


def test_the_table_of_a_folder(captures, tmp_path, capsys):
    assert main(["calibrate", str(captures), "--out", str(tmp_path / "K")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:4] == ["capture", "thermal", "visual", "matched"]
    assert lines[1].split()[:4] == ["1", "12", "12", "12"]
    assert "rejected: visual picture" in lines[2]
    assert "2 of 3 captures used" in lines[5]
    assert "published matrix, public captures      6.84  3.95" in lines
    assert sorted(path.name for path in (tmp_path / "K").iterdir()) == [
        "calibration.json",
        *(f"overlay_{n}.png" for n in (1, 2, 3)),
    ]


def test_one_line_for_bad_input_and_exit_code_1_without_a_usable_capture(captures, tmp_path, capsys):
    for words, said in (
        (["calibrate", str(tmp_path / "nowhere")], "no such folder"),
        (["calibrate", str(tmp_path)], "no captures"),
        (["calibrate", str(captures), "--out", str(captures)], "holds the captures themselves"),
        (["forge", "calibration", "--out", str(captures)], "new or empty"),
    ):
        assert main(words) == 2
        error = capsys.readouterr().err
        assert said in error
        assert error.count("\n") == 1
    lonely = tmp_path / "lonely"
    lonely.mkdir()
    (lonely / "1_0.png").write_bytes((captures / "1_0.png").read_bytes())
    assert main(["calibrate", str(lonely), "--out", str(tmp_path / "K")]) == 1
    assert "visual picture 1_1.png or 1_visual.png is missing" in capsys.readouterr().out


def test_unknown_options_are_refused_for_everything_that_is_forged(tmp_path, capsys):
    for what in ("calibration", "speakingfaces"):
        with pytest.raises(SystemExit) as ended:
            main(["forge", what, "--out", str(tmp_path / "x"), "--bogus", "3"])
        assert ended.value.code == 2
        assert "unrecognized arguments: --bogus" in capsys.readouterr().err


def test_the_functions_do_the_same(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert facevox.forge("calibration", "C", captures=1, spoiled=0) == {"captures": 1, "spoiled": 0}
    report = facevox.calibrate("C")
    assert report.calibration.pooled.shift_rms < 0.5
    assert (tmp_path / "C-calibrated" / "calibration.json").is_file()
    with pytest.raises(ValueError, match="did you mean 'captures'"):
        facevox.forge("calibration", "D", capture=1)
