"""The command line: help that teaches, one clear line for bad use, and functions that do the same."""

import argparse
import os
import re
import subprocess
import sys
import tempfile

import facevox
import pytest
from facevox import cli_publish
from facevox.cli import main


def run(*words: object, **options) -> subprocess.CompletedProcess:
    line = [sys.executable, "-m", "facevox", *map(str, words)]
    return subprocess.run(line, capture_output=True, text=True, timeout=120, **options)


def test_help_imports_nothing_heavy():
    script = (
        "import sys; from facevox.cli import main; main([]); "
        "heavy = {'numpy', 'cv2', 'torch', 'pyarrow', 'datasets', 'PIL', 'matplotlib'} & set(sys.modules); "
        "print('heavy:', sorted(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip().endswith("heavy: []"), done.stdout + done.stderr
    assert "facevox demo" in done.stdout
    plain = subprocess.run(
        [sys.executable, "-c", "import facevox, sys; print('numpy' in sys.modules)"], capture_output=True, text=True
    )
    assert plain.stdout.strip() == "False"


@pytest.mark.parametrize(
    "words",
    [
        ["build"],
        ["forge"],
        ["build", "speakingfaces"],
        ["forge", "speakingfaces"],
        ["forge", "faults"],
        ["show"],
        ["stats"],
        ["verify"],
    ],
)
def test_every_command_explains_itself(words, capsys):
    with pytest.raises(SystemExit) as ended:
        main([*words, "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert "usage: facevox" in text
    if words[-1] == "speakingfaces":
        assert "options of speakingfaces" in text


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == f"facevox {facevox.__version__}"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            ["build", "speakingface", "--raw", "{release}", "--out", "{out}", "--effort", "1"],
            "did you mean 'speakingfaces'?",
        ),
        (
            ["build", "speakingfaces", "--raw", "{release}", "--out", "{out}", "--config", "utterance"],
            "did you mean 'utterances'?",
        ),
        (
            ["build", "speakingfaces", "--raw", "{release}", "--out", "{out}", "--format", "parket"],
            "did you mean 'parquet'?",
        ),
        (["build", "speakingfaces", "--raw", "{out}/none", "--out", "{out}"], "no such release folder"),
        (["build", "speakingfaces", "--raw", "{out}", "--out", "{out}/o"], "metadata/subjects.csv: not found"),
        (
            [
                "build",
                "speakingfaces",
                "--raw",
                "{release}",
                "--out",
                "{built}",
                "--shard-mb",
                "4",
                "--effort",
                "3",
                "--detector",
                "none",
            ],
            "effort was 0, now 3",
        ),
        (["build", "speakingfaces", "--raw", "{release}", "--out", "{out}", "--subjects", "one"], "as in 1-5,17"),
        (
            ["build", "speakingfaces", "--raw", "{release}", "--out", "{out}", "--subjects", "1000"],
            "nothing of SpeakingFaces to build",
        ),
        (["build", "speakingfaces", "--raw", "{release}", "--out", "/proc/nowhere"], "No such file or directory"),
        (["build", "speakingfaces", "--raw", "{release}", "--out", "/dev/null"], "not a folder"),
        (["build", "speakingfaces", "--raw", "{release}", "--out", "{out}", "--workers", "0"], "expected 1 or more"),
        (["forge", "nothing", "--out", "{out}"], "nothing to forge called 'nothing'"),
        (["forge", "speakingfaces", "--out", "{release}"], "new or empty"),
        (["info", "{out}"], "no dataset folder"),
        (["show", "{built}", "nobody"], "keys look like"),
        (["verify", "{out}"], "no dataset folder"),
        (["convert", "{built}", "s3://bucket/O", "--format", "arrow"], "convert makes a folder on a local disk"),
        (["publish", "s3://bucket/O", "user/name"], "publish sends a folder on a local disk"),
    ],
)
def test_bad_use_is_one_clear_line_and_exit_code_2(release, built, tmp_path, capfd, words, expected):
    places = {"release": release, "built": built["tar"].path, "out": tmp_path}
    assert main([word.format(**places) for word in words]) == 2
    said = capfd.readouterr().err
    assert expected in said
    assert len(said.strip().splitlines()) == 1, said
    assert said.startswith("facevox: ")


@pytest.mark.parametrize("words", [["build", "speakingfaces", "--raw", "/nowhere", "--out", "o"], ["info", "/nowhere"]])
def test_the_process_ends_as_the_function_does(words, tmp_path):
    done = run(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert done.stderr.startswith("facevox: ")


@pytest.mark.parametrize(
    "words",
    [["build", "speakingfaces"], ["nonsense"], ["build", "speakingfaces", "--raw", "r", "--out", "o", "--nonsense"]],
)
def test_wrong_arguments_exit_with_2(words, capfd):
    try:
        code = main(words)
    except SystemExit as ended:
        code = ended.code
    assert code == 2
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ["train", "gender", "--data", "O", "--out", "W", "--widht", "1"],
            "train: unrecognized arguments: --widht 1 .*mean --width",
        ),
        (["build", "speakingfaces", "--raw", "R"], "build: the following arguments are required: --out"),
        (["bulid"], "invalid choice: 'bulid'"),
    ],
)
def test_a_slip_is_one_line_with_what_was_nearest(words, line, capfd):
    with pytest.raises(SystemExit):
        main(words)
    told = capfd.readouterr().err
    assert told.count("\n") == 1 and re.search(line, told) and "--help` tells" in told


@pytest.mark.skipif(
    os.geteuid() != 0, reason="root can read everything, so it hands the command to somebody who cannot"
)
@pytest.mark.parametrize("words", ["info {out}", "build speakingfaces --raw {out} --out {out}/o"])
def test_no_permission_is_one_clear_line_for_root(words):
    script = (
        "import os, sys, facevox.loaders.info, facevox.api, facevox.builders.speakingfaces; "
        "import facevox.builders.core.estimate, fsspec.implementations.local; from facevox.cli import main; "
        "os.setuid(65534); sys.exit(main(sys.argv[1:]))"
    )
    # Not below pytest's own folder, which nobody else may even look into.
    with tempfile.TemporaryDirectory() as out:
        line = [sys.executable, "-c", script, *words.format(out=out).split()]
        done = subprocess.run(line, capture_output=True, text=True)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert "Permission denied" in done.stderr


def test_functions_do_what_the_commands_do(release, built, tmp_path, tree):
    # Four workers against one: the bytes are the same.
    folder = facevox.build("speakingfaces", release, tmp_path / "out", shard_mb=4, detector="none", workers=4)
    assert tree(tmp_path / "out") == tree(built["tar"].path)
    assert facevox.open(tmp_path / "out").digest == folder.digest
    assert facevox.verify(tmp_path / "out").problems == []
    key = folder.index["key"][-1].as_py()
    picture = facevox.show(tmp_path / "out", key, tmp_path / "p.png")
    assert picture.read_bytes()[:4] == b"\x89PNG"
    with pytest.raises(ValueError, match="did you mean 'effort'"):
        facevox.build("speakingfaces", release, tmp_path / "other", efort=1)
    with pytest.raises(AttributeError, match="there is: "):
        _ = facevox.nothing


def test_info_verify_show_and_doctor_print(built, tmp_path, capsys):
    folder = built["tar"]
    assert main(["info", str(folder.path)]) == 0
    words = capsys.readouterr().out
    assert "utterances  train" in words
    assert f'load_dataset("{folder.path}"' in words
    assert main(["verify", str(folder.path)]) == 0
    assert capsys.readouterr().out.strip().endswith("sound")
    still = next(key for key in folder.index["key"].to_pylist() if key.split("_")[2] == "1")
    assert main(["show", str(folder.path), still, "--out", str(tmp_path / "s.png"), "--frame", "2"]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "s.png")
    assert main(["doctor"]) == 0
    assert "ready" in capsys.readouterr().out


def test_verify_exits_with_1_when_something_is_wrong(built, tmp_path, capsys):
    import shutil

    shutil.copytree(built["tar"].path, tmp_path / "copy")
    next((tmp_path / "copy" / "data").rglob("*.tar")).unlink()
    assert main(["verify", str(tmp_path / "copy")]) == 1
    assert "missing" in capsys.readouterr().out


def test_faults_from_the_command_line(release, tmp_path, capsys):
    assert main(["forge", "faults", "--release", str(release), "--out", str(tmp_path / "damaged"), "--seed", "1"]) == 0
    assert "empty_zip: image_" in capsys.readouterr().out


def publishing() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    cli_publish.add(parser.add_subparsers())
    return parser


@pytest.mark.parametrize(
    ("text", "share"), [("1000", 1000), ("1", 1), ("0.01", 0.01), ("1%", 0.01), ("100%", None), ("0.5%", 0.005)]
)
def test_a_sample_is_a_number_or_a_share_and_all_of_it_is_everything(text, share):
    options = publishing().parse_args(["verify", "O", "--sample", text])
    assert options.sample == (share if share is None else pytest.approx(share))


@pytest.mark.parametrize(
    "text", ["250%", "100.5%", "0%", "nan", "inf", "nan%", "2.5", "0", "-1", "-5%", "abc", "%", "1%%"]
)
def test_a_sample_that_means_nothing_is_explained(text, capsys):
    with pytest.raises(SystemExit):
        publishing().parse_args(["verify", "O", f"--sample={text}"])
    assert "expected a number of samples as 1000, or a share of all as 0.01 or 1%" in capsys.readouterr().err
