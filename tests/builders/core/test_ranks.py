"""One folder built by ranks: each its share, any of them killed, the bytes of a serial build."""

import errno
import fcntl
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack

import facevox
import pytest
from facevox.builders.core import out_folder
from facevox.builders.core import ranks as ranks_module
from facevox.builders.core import run as run_module
from facevox.builders.core.builder import ReleaseOptions, Unit
from facevox.builders.core.plan import ShardSpec
from facevox.builders.core.ranks import held, share
from facevox.builders.core.run import BuildOptions, run
from facevox.builders.core.shard import ShardJob
from facevox.builders.speakingfaces import SpeakingFacesOptions
from facevox.loaders.folder import FolderError
from hypothesis import given
from hypothesis import strategies as st

DATASET = SpeakingFacesOptions(detector="none")


def build_rank(raw, out, rank, world, options=DATASET, engine=""):
    return run(
        BuildOptions("speakingfaces", str(raw), out, shard_mb=4, engine=engine, rank=rank, world=world, release=options)
    )


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=40), st.integers(1, 9))
def test_every_shard_is_of_one_rank_and_loads_are_balanced(sizes, world):
    jobs = [
        ShardJob(
            "d", "r", None, ReleaseOptions(), "tar", "", ShardSpec(f"c/train-{n:05d}", "c", "train", (unit(n, size),))
        )
        for n, size in enumerate(sizes)
    ]
    shares = [share(jobs, rank, world) for rank in range(world)]
    assert sorted(job.spec.name for own in shares for job in own) == [job.spec.name for job in jobs]
    loads = [sum(job.spec.size for job in own) for own in shares]
    assert max(loads) <= sum(sizes) / world + max(sizes)
    assert shares == [share(jobs[::-1], rank, world) for rank in range(world)]


def unit(number: int, size: int) -> Unit:
    return Unit(f"{number}", "c", "train", "d/1", size)


def test_the_last_rank_finishes_with_the_bytes_of_a_serial_build(release, built, tmp_path, tree):
    out = tmp_path / "out"
    for rank in (2, 0):
        report = build_rank(release, out, rank, 3)
        assert report.built and not (out / "README.md").exists()
        assert f"rank {rank} of 3" in report.lines()[0] and "still to be built" in report.lines()[0]
    assert not build_rank(release, out, 1, 3).unfinished
    assert tree(out) == tree(built["tar"].path)
    again = build_rank(release, out, 0, 3)
    assert not again.built and not again.unfinished
    assert tree(out) == tree(built["tar"].path)


def test_ranks_by_the_function(release, tmp_path, tree):
    options = {"shard_mb": 4, "detector": "none", "configs": ("stills",)}
    assert facevox.build("speakingfaces", release, tmp_path / "out", rank=0, world=2, **options) is None
    folder = facevox.build("speakingfaces", release, tmp_path / "out", rank=1, world=2, **options)
    assert folder.digest == facevox.build("speakingfaces", release, tmp_path / "one", **options).digest
    assert tree(tmp_path / "out") == tree(tmp_path / "one")
    for lone in ({"rank": 0}, {"world": 2}, {"rank": 0, "world": 0}):
        with pytest.raises(ValueError, match="go together"):
            facevox.build("speakingfaces", release, tmp_path / "other", **lone)
    with pytest.raises(ValueError, match="rank 2 in a world of 2"):
        facevox.build("speakingfaces", release, tmp_path / "other", rank=2, world=2)


def test_without_file_locks_the_command_without_rank_finishes(release, built, tmp_path, tree, monkeypatch):
    def no_locks(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    out = tmp_path / "out"
    with monkeypatch.context() as patched:
        patched.setattr(fcntl, "flock", no_locks)
        for rank in (0, 1):
            report = build_rank(release, out, rank, 2)
            assert "without file locks only the same command without --rank" in report.lines()[0]
        with pytest.raises(FolderError, match="effort was"):
            build_rank(release, out, 1, 2, SpeakingFacesOptions(detector="none", effort=2))
        assert not run(BuildOptions("speakingfaces", str(release), out, shard_mb=4, release=DATASET)).built
    assert tree(out) == tree(built["tar"].path)


def test_of_two_plans_written_at_once_one_counts(release, tmp_path, monkeypatch):
    """On storage without locks, another rank's plan appears between looking for one and writing one."""
    monkeypatch.setattr(out_folder, "take", lambda lock, kind: False)
    monkeypatch.setattr(ranks_module, "take", lambda lock, kind: False)
    first = run_module.check_space

    def other_rank(*given):
        monkeypatch.setattr(run_module, "check_space", first)
        other = SpeakingFacesOptions(detector="none", limit=1)
        run(BuildOptions("speakingfaces", str(release), tmp_path / "out", shard_mb=4, release=other, rank=1, world=2))

    monkeypatch.setattr(run_module, "check_space", other_rank)
    with pytest.raises(FolderError, match="limit was 1, now 0"):
        build_rank(release, tmp_path / "out", 0, 2)


def test_ranks_that_do_not_belong_together_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(ranks_module, "TAKEN_AFTER", 0.0)
    monkeypatch.setattr(ranks_module, "FINISHED_AFTER", 0.0)
    out = tmp_path / "out"
    with held(out, 0, 2):
        with held(out, 1, 2):
            pass
        with pytest.raises(FolderError, match="rank 0 of 2 is building already"), held(out, 0, 2):
            pass
        with pytest.raises(FolderError, match="rank-00000-of-00002 is building. Give all ranks"), held(out, 1, 3):
            pass
        with pytest.raises(FolderError, match="another build is running"), held(out, 0, 0):
            pass
        monkeypatch.setattr(ranks_module, "node_versions", lambda: {"numpy": "0.9"})
        with (
            pytest.raises(FolderError, match=r"other bytes than rank-00000-of-00002: .*numpy \S+ -> 0.9"),
            held(out, 1, 2),
        ):
            pass
    with held(out, 0, 0), pytest.raises(FolderError, match="another build is running"), held(out, 0, 2):
        pass
    assert not list(out.rglob("rank-*"))


def test_a_rank_waits_for_who_holds_the_folder_alone(tmp_path, monkeypatch):
    with ExitStack() as finishing:
        finishing.enter_context(held(tmp_path / "out", 0, 0))
        threading.Timer(0.3, finishing.close).start()
        waits = pytest.warns(UserWarning, match="held by another build; waiting up to 300 s")
        with waits, held(tmp_path / "out", 1, 2) as hold:
            assert not hold.alone
    monkeypatch.setattr(ranks_module, "FINISHED_AFTER", 0.2)
    with held(tmp_path / "out", 0, 0):
        refused = pytest.raises(FolderError, match="another build is running")
        with pytest.warns(UserWarning, match="waiting"), refused, held(tmp_path / "out", 1, 2):
            pass


def test_a_rank_that_leaves_shards_to_others_holds_the_folder_no_more(release, tmp_path, monkeypatch):
    monkeypatch.setattr(ranks_module, "FINISHED_AFTER", 0.0)
    joined = []

    def while_it_ends(*_):
        with held(tmp_path / "out", 1, 3) as hold:
            joined.append(hold.take_over())

    monkeypatch.setattr(run_module.BuildReport, "record", while_it_ends)
    assert build_rank(release, tmp_path / "out", 0, 3).unfinished
    assert joined == [True]


@pytest.mark.parametrize(("rank", "world", "engine"), [(2, 2, ""), (-1, 2, ""), (1, 0, ""), (0, 2, "dask")])
def test_odd_ranks_are_refused(release, tmp_path, rank, world, engine):
    with pytest.raises(ValueError, match="rank"):
        build_rank(release, tmp_path / "out", rank, world, engine=engine)


@pytest.mark.slow
def test_ranks_at_once_one_killed(release, built, tmp_path, tree):
    out = tmp_path / "out"
    line = [sys.executable, "-m", "facevox", "build", "speakingfaces", "--raw", release, "--out", out, "--world", "2"]
    line += ["--detector", "none", "--shard-mb", "4"]
    ranks = [
        subprocess.Popen([*map(str, line), "--rank", str(rank)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        for rank in range(2)
    ]
    deadline = time.monotonic() + 90
    while len(list(out.glob(".build/shards/*/*.json"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    ranks[0].kill()
    said = ranks[1].communicate(timeout=120)[0].decode()
    assert ranks[0].wait() == -signal.SIGKILL and ranks[1].returncode == 0
    assert "rank 1 of 2" in said
    assert not build_rank(release, out, 0, 2).unfinished
    assert tree(out) == tree(built["tar"].path)
