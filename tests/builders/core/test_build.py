"""Builds that cannot be broken: same bytes for any worker count, kill, cut, fault; nothing lost, nothing left over."""

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from facevox.builders.core import out_folder
from facevox.builders.population.clips import ForgeOptions
from facevox.builders.population.speakingfaces import forge
from facevox.cli import main
from facevox.loaders.folder import Folder, FolderError
from facevox.loaders.verify import check


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    """Six utterances and six stills: a build of about two seconds."""
    out = tmp_path_factory.mktemp("tiny") / "release"
    forge(out, ForgeOptions(subjects=3, positions=1, utterances=1, frames=8, stills_frames=2, size="small"))
    return out


@pytest.fixture(scope="module")
def whole(tiny, tmp_path_factory, build_folder) -> Path:
    """The tiny release built by one process without interruption."""
    out = tmp_path_factory.mktemp("whole") / "out"
    build_folder(tiny, out, shard_mb=1)
    return out


def command(raw: Path, out: Path, *more: str) -> list[str]:
    return [
        sys.executable,
        "-m",
        "facevox",
        "build",
        "speakingfaces",
        "--raw",
        str(raw),
        "--out",
        str(out),
        "--detector",
        "none",
        *more,
    ]


def facevox(*arguments: object, **options) -> subprocess.CompletedProcess:
    line = [sys.executable, "-m", "facevox", *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, timeout=300, **options)


@pytest.mark.parametrize("format_", ["tar", "parquet", "arrow"])
def test_two_workers_give_the_same_bytes_in_every_format(tiny, tmp_path, build_folder, tree, format_):
    for workers in (1, 2):
        build_folder(tiny, tmp_path / str(workers), format=format_, shard_mb=1, workers=workers)
    assert tree(tmp_path / "1") == tree(tmp_path / "2")


def test_extracted_folders_and_zips_give_the_same_bytes(tiny, whole, tmp_path, build_folder, tree):
    import zipfile

    for archive in tiny.rglob("*.zip"):
        with zipfile.ZipFile(archive) as members:
            members.extractall(tmp_path / "release" / archive.parent.name)
    shutil.copytree(tiny / "metadata", tmp_path / "release" / "metadata")
    build_folder(tmp_path / "release", tmp_path / "out", shard_mb=1)
    assert {n: b for n, b in tree(tmp_path / "out").items() if n.startswith("data/")} == {
        n: b for n, b in tree(whole).items() if n.startswith("data/")
    }


KILLS: list[tuple[int, int]] = []
"""(half-written files, finished shards) found right after each kill."""


STARTER = """
import json, os, signal, sys
import facevox.api, facevox.builders.core.run, facevox.builders.speakingfaces, tqdm
from facevox.cli import main
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for line in sys.stdin:
    process = os.fork()
    if not process:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDWR), 0)
        os.dup2(0, 1), os.dup2(0, 2)
        os._exit(main(json.loads(line)))
    print(process, flush=True)
"""
"""Runs a command line of facevox in a session of its own for every line it reads, without importing it anew."""


@pytest.fixture(scope="module")
def start():
    """start(command line) -> its process id; whoever is killed is gone at once."""
    server = subprocess.Popen([sys.executable, "-c", STARTER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(line: list[str]) -> int:
        server.stdin.write(json.dumps(line) + "\n")
        server.stdin.flush()
        return int(server.stdout.readline())

    yield run
    server.stdin.close()
    assert server.wait(20) == 0


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def kill(start, raw: Path, out: Path, finished: int, jitter: float, group: bool) -> None:
    """Start or resume a 2-worker build and kill it once `finished` shards are done and `jitter` seconds have passed."""
    running = start(command(raw, out, "--workers", "2", "--shard-mb", "1")[3:])
    while alive(running) and len(list(out.glob(".build/shards/*/*.json"))) < finished:
        time.sleep(0.01)
    time.sleep(jitter)
    with suppress(ProcessLookupError):
        (os.killpg if group else os.kill)(running, signal.SIGKILL)
    while alive(running):
        time.sleep(0.01)
    KILLS.append((len(list(out.glob("data/*/*.part"))), len(list(out.glob(".build/shards/*/*.json")))))


@pytest.mark.parametrize(
    "cuts",
    [(1,), (3,), (0,), (2,), (4,)]
    + [pytest.param(cuts, marks=pytest.mark.slow) for cuts in [(0, 1, 3), (1, 2, 4), (0, 2, 3), (1, 3, 4), (0, 0, 2)]],
)
def test_kill_9_at_random_moments_changes_nothing(start, tiny, whole, tmp_path, build_folder, tree, cuts):
    """Twenty kills, up to three of one build, which two workers resume; the last run is left alone, in this process."""
    chance = random.Random(str(cuts))
    for finished in cuts:
        kill(start, tiny, tmp_path / "out", finished, chance.uniform(0, 0.12), group=chance.random() < 0.5)
    build_folder(tiny, tmp_path / "out", shard_mb=1)
    assert tree(tmp_path / "out") == tree(whole)


def test_the_kills_hit_builds_at_work(whole):
    if len(KILLS) < 5:
        pytest.skip("runs after the kill tests")
    everything = len(list(whole.glob(".build/shards/*/*.json")))
    assert any(parts for parts, _ in KILLS), KILLS
    assert sum(0 < done < everything for _, done in KILLS) >= len(KILLS) // 2, KILLS


def test_resume_at_every_cut(tiny, whole, tmp_path, build_folder, tree):
    """Stop after each shard, once between the file's and the sidecar's rename, and build again."""
    shards = sorted((whole / ".build" / "shards").rglob("*.json"))
    expected = tree(whole)
    for cut in range(len(shards) + 1):
        out = tmp_path / f"cut-{cut}"
        (out / ".build").mkdir(parents=True)
        kept = shards[:cut]
        for sidecar in kept:
            for path in (sidecar, whole / json.loads(sidecar.read_text())["file"]):
                target = out / path.relative_to(whole)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(path.read_bytes())
        if cut < len(shards):
            orphan = out / json.loads(shards[cut].read_text())["file"]
            orphan.parent.mkdir(parents=True, exist_ok=True)
            orphan.write_bytes(b"renamed, but its sidecar never came")
            orphan.with_name("half-written.tar.part").write_bytes(b"half")
        build_folder(tiny, out, shard_mb=1)
        assert tree(out) == expected


def test_a_finished_folder_is_left_as_it_is(tiny, whole, build_folder):
    before = {path: path.stat().st_mtime_ns for path in (whole / "data").rglob("*.tar")}
    build_folder(tiny, whole, shard_mb=1)
    assert {path: path.stat().st_mtime_ns for path in (whole / "data").rglob("*.tar")} == before
    assert not check(whole).problems


def test_other_options_are_refused_by_name(tiny, whole, build_folder):
    for changed, words in (
        ({"format": "parquet", "shard_mb": 1}, "format was 'tar', now 'parquet'"),
        ({"shard_mb": 2}, "shard_mb was 1, now 2"),
        ({"shard_mb": 1, "effort": 4}, "effort was 0, now 4"),
        ({"shard_mb": 1, "configs": ("stills",)}, "configs was"),
    ):
        with pytest.raises(FolderError, match=words):
            build_folder(tiny, whole, **changed)


def test_a_release_that_grew_needs_extend_and_keeps_old_shards(tmp_path, build_folder, tree):
    options = {"positions": 1, "utterances": 1, "frames": 6, "stills_frames": 1, "size": "small", "artifacts": False}
    forge(tmp_path / "six", ForgeOptions(subjects=6, **options))
    archives = sorted((tmp_path / "six").rglob("*.zip"))
    aside = next(path for path in archives if path.parent.name == "image_audio")
    hidden = aside.rename(tmp_path / aside.name)
    small = build_folder(tmp_path / "six", tmp_path / "out", shard_mb=1)
    before, samples = tree(tmp_path / "out"), small.index.num_rows
    hidden.rename(aside)
    with pytest.raises(FolderError, match=r"--extend"):
        build_folder(tmp_path / "six", tmp_path / "out", shard_mb=1)
    grown = build_folder(tmp_path / "six", tmp_path / "out", shard_mb=1, extend=True)
    after = tree(tmp_path / "out")
    assert all(after[name] == data for name, data in before.items() if name.startswith("data/"))
    assert grown.index.num_rows == samples + 2
    assert not check(tmp_path / "out").problems
    for again in (True, False):
        build_folder(tmp_path / "six", tmp_path / "out", shard_mb=1, extend=again)
        assert tree(tmp_path / "out") == after
    aside.unlink()
    with pytest.raises(FolderError, match="gone from the release or changed"):
        build_folder(tmp_path / "six", tmp_path / "out", shard_mb=1, extend=True)


def test_a_failing_disk_stops_the_build_and_loses_nothing(tiny, whole, tmp_path, build_folder, tree, monkeypatch):
    """What the disk could not read today is not bad data: nothing is quarantined for it."""
    from facevox.builders.core import raw as raw_module
    from facevox.builders.core import shard as shard_module

    real_read, reads = raw_module.Zip.read, []

    def tired(self, name, limit):
        reads.append(name)
        if len(reads) == 40:
            raise OSError(5, "Input/output error", name)
        return real_read(self, name, limit)

    monkeypatch.setattr(raw_module.Zip, "read", tired)
    monkeypatch.setattr(shard_module, "_RAW", {})
    with pytest.raises(OSError, match="Input/output"):
        build_folder(tiny, tmp_path / "out", shard_mb=1)
    build_folder(tiny, tmp_path / "out", shard_mb=1)
    assert tree(tmp_path / "out") == tree(whole)


def test_recheck_mends_damage_and_retries_what_was_left_out(tiny, whole, tmp_path, build_folder, tree, monkeypatch):
    from facevox.builders.core import shard as shard_module

    out, raw = tmp_path / "out", tmp_path / "release"
    shutil.copytree(tiny, raw)
    archive = next((raw / "image_audio").glob("*.zip"))
    sound = archive.read_bytes()
    at = sound.index(b"IDAT") + 50
    archive.write_bytes(sound[:at] + bytes([sound[at] ^ 1]) + sound[at + 1 :])
    monkeypatch.setattr(shard_module, "_RAW", {})
    folder = build_folder(raw, out, shard_mb=1)
    (row,) = folder.quarantine.to_pylist()
    assert "--recheck" in row["reason"]
    archive.write_bytes(sound)
    monkeypatch.setattr(shard_module, "_RAW", {})
    build_folder(raw, out, shard_mb=1, recheck=True)
    assert tree(out) == tree(whole)
    shard = next((out / "data").rglob("*.tar"))
    broken = bytearray(shard.read_bytes())
    broken[len(broken) // 2] ^= 1
    shard.write_bytes(bytes(broken))
    assert check(out).problems
    build_folder(raw, out, shard_mb=1, recheck=True)
    assert tree(out) == tree(whole)


def test_other_peoples_files_are_left_alone(tiny, whole, tmp_path, build_folder):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "README.md").write_text("precious")
    for out in (mine, tiny, tiny / "inside", tiny.parent):
        with pytest.raises(FolderError, match="holds other files|must lie apart"):
            build_folder(tiny, out)
    assert [path.name for path in mine.iterdir()] == ["README.md"]
    shutil.copytree(whole, tmp_path / "out")
    (tmp_path / "out" / "data" / "stills" / "train-00077.tar").write_bytes(b"a stranger")
    (tmp_path / "out" / "notes.part").write_text("mine")
    build_folder(tiny, tmp_path / "out", shard_mb=1)
    assert (tmp_path / "out" / "notes.part").exists()
    assert any("train-00077.tar: not listed" in problem for problem in check(tmp_path / "out").problems)


def test_two_builds_of_one_folder(tiny, tmp_path, build_folder):
    with (
        out_folder.locked(tmp_path / "out"),
        pytest.raises(FolderError, match="another build is running"),
    ):
        build_folder(tiny, tmp_path / "out")


def test_a_full_disk_is_one_clear_line_and_the_build_resumes(tiny, whole, tmp_path, build_folder, tree):
    def small_disk() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    out = tmp_path / "out"
    failed = facevox(
        "build",
        "speakingfaces",
        "--raw",
        tiny,
        "--out",
        out,
        "--detector",
        "none",
        "--shard-mb",
        1,
        preexec_fn=small_disk,
        # Python would leave cut-off bytecode files behind.
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert failed.returncode == 2
    assert "File too large" in failed.stderr
    assert "resumes" in failed.stderr
    assert "Traceback" not in failed.stderr
    build_folder(tiny, out, shard_mb=1)
    assert tree(out) == tree(whole)


def test_a_disk_too_small_is_refused_before_anything_is_written(tiny, tmp_path, build_folder, monkeypatch):
    monkeypatch.setattr(out_folder.shutil, "disk_usage", lambda _: _Usage())
    with pytest.raises(OSError, match="GB needed, 0.00 GB free"):
        build_folder(tiny, tmp_path / "out")
    assert not (tmp_path / "out" / "data").exists()


class _Usage:
    free = 1000


def test_ctrl_c_stops_cleanly_and_prints_the_line_that_resumes(tiny, whole, tmp_path, build_folder, tree):
    out = tmp_path / "out"
    line = command(tiny, out, "--workers", "2", "--shard-mb", "1")
    running = subprocess.Popen(
        line, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, start_new_session=True
    )
    deadline = time.monotonic() + 60
    while not list(out.glob(".build/shards/*/*.json")) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(running.pid, signal.SIGINT)
    words = running.communicate(timeout=60)[1]
    assert running.returncode == 130, words
    assert "facevox build speakingfaces" in words
    assert "Traceback" not in words
    assert not list(out.rglob("*.part"))
    build_folder(tiny, out, shard_mb=1)
    assert tree(out) == tree(whole)


def _children(process: int | str) -> list[str]:
    return subprocess.run(["pgrep", "-P", str(process)], capture_output=True, text=True).stdout.split()


def test_a_worker_killed_by_the_system_is_named(tiny, whole, tmp_path, build_folder, tree):
    out = tmp_path / "out"
    line = command(tiny, out, "--workers", "2", "--shard-mb", "1")
    running = subprocess.Popen(
        line, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, start_new_session=True
    )
    workers: list[str] = []
    deadline = time.monotonic() + 60
    while not workers and time.monotonic() < deadline:
        time.sleep(0.02)
        # The build's own children are the server that starts workers and one that tidies up.
        workers = [worker for child in _children(running.pid) for worker in _children(child)]
    os.kill(int(workers[-1]), signal.SIGKILL)
    words = running.communicate(timeout=120)[1]
    assert running.returncode == 2
    assert "worker was killed" in words
    build_folder(tiny, out, shard_mb=1)
    assert tree(out) == tree(whole)


def test_run_facts_are_kept_beside_not_inside(whole):
    facts = [json.loads(line) for line in (whole / ".build" / "runs.jsonl").read_text().splitlines()]
    assert facts[0]["built"] == len(list((whole / "data").rglob("*.tar")))
    assert facts[0]["frames"] == sum(Folder(whole).index["frames"].to_pylist())
    assert {"read", "decode", "encode", "check", "align", "write"} <= facts[0]["seconds"].keys()
    assert facts[0]["peak_memory"] > 0
    assert ".build" not in (whole / "checksums.sha256").read_text()


def test_a_resumed_build_tells_which_packages_changed(tiny, whole, tmp_path, capfd):
    out = tmp_path / "out"
    shutil.copytree(whole, out)
    runs = out / ".build" / "runs.jsonl"
    facts = json.loads(runs.read_text().splitlines()[-1])
    assert {"facevox", "numpy", "numba", "pyarrow"} <= facts["versions"].keys()
    facts["versions"]["numpy"] = "1.0"
    runs.write_text(json.dumps(facts) + "\n")
    next(out.glob("data/*/*.tar")).unlink()
    assert main(command(tiny, out, "--shard-mb", "1")[3:]) == 0
    assert "the other shards were made with other versions (numpy 1.0 -> " in capfd.readouterr().out


def test_dry_run_predicts_and_writes_nothing(release, built, tmp_path, capfd):
    assert main(command(release, tmp_path / "out", "--dry-run")[3:]) == 0
    assert not (tmp_path / "out").exists()
    predicted = capfd.readouterr().out
    gigabytes = float(predicted.split("about ")[1].split(" GB to write")[0])
    actual = sum(path.stat().st_size for path in (built["tar"].path / "data").rglob("*.tar")) / 1e9
    assert gigabytes == pytest.approx(actual, rel=0.25)
    assert "utterances test: 8 samples" in predicted


@pytest.mark.slow
def test_memory_of_a_worker_is_bounded_and_flat(tmp_path, build_folder):
    """Full-size frames: the peak with six people equals that with two, and stays under 700 MB."""
    options = ForgeOptions(subjects=6, positions=1, utterances=1, frames=6, stills_frames=0)
    forge(tmp_path / "release", options, workers=2)
    everybody = sorted(int(path.stem.split("_")[1]) for path in (tmp_path / "release" / "image_audio").glob("*.zip"))
    peaks = {}
    for name, format_, people in (
        ("two", "tar", everybody[:2]),
        ("six", "tar", everybody),
        ("parquet", "parquet", everybody),
    ):
        line = command(
            tmp_path / "release", tmp_path / name, "--subjects", ",".join(map(str, people)), "--format", format_
        )
        done = subprocess.run([*line, "--workers", "2", "--config", "utterances"], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        peaks[name] = json.loads((tmp_path / name / ".build" / "runs.jsonl").read_text())["peak_memory"] / 2**20
    assert max(peaks.values()) < 700, peaks
    assert abs(peaks["six"] - peaks["two"]) < 40, peaks
