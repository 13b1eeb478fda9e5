"""Building into a remote place: the bytes of a local build, resumed from what lies there."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import fsspec
import pytest
from facevox.builders.core.plan import ShardSpec
from facevox.builders.core.review import digest as review_digest
from facevox.builders.core.run import BuildOptions, _await_shards, run
from facevox.builders.core.shard import ShardJob
from facevox.builders.core.store import destination
from facevox.builders.speakingfaces import SpeakingFacesOptions
from facevox.loaders.folder import Folder, FolderError
from facevox.loaders.range_cache import CacheOptions

OPTIONS = {"configs": ("utterances",), "shard_mb": 1}


def build(release: Path, out: str | Path, **options):
    own = SpeakingFacesOptions(detector="none")
    return run(BuildOptions("speakingfaces", str(release), out, **OPTIONS, **options, release=own))


@pytest.fixture(scope="module")
def expected(undecided) -> dict[str, bytes]:
    """Every file of a local build but the run facts."""
    files = (path for path in undecided.rglob("*") if path.is_file())
    return files_of({path.relative_to(undecided).as_posix(): path.read_bytes() for path in files})


def files_of(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name: data for name, data in files.items() if name not in (".build/runs.jsonl", ".build/lock")}


def stored(place: str, **options) -> dict[str, bytes]:
    files, root = fsspec.core.url_to_fs(place, skip_instance_cache=True, use_listings_cache=False, **options)
    return files_of({path.removeprefix(root + "/"): files.cat_file(path) for path in files.find(root)})


@pytest.fixture(autouse=True)
def s3_by_environment(s3, tmp_path, monkeypatch):
    monkeypatch.setenv("FACEVOX_CACHE", str(tmp_path / "cache"))
    for name, value in (("AWS_ENDPOINT_URL", s3["endpoint_url"]), ("AWS_ACCESS_KEY_ID", s3["key"])):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3["secret"])


def test_a_place_gets_the_bytes_of_a_local_build(few, expected, s3, tmp_path):
    place = "s3://faces/built"
    report = build(few, place, workers=2)
    assert stored(place, **s3) == expected
    assert report.shards > 2 and f"shards in {place}" in report.lines()[0]
    assert list((tmp_path / "cache" / "builds").iterdir()) == [], "no scratch is left"
    again = build(few, place)
    assert again.built == 0 and stored(place, **s3) == expected
    shard = next(name for name in expected if name.startswith("data/"))
    fsspec.filesystem("s3", **s3).pipe_file(f"{place}/{shard}", b"\0" * len(expected[shard]))
    assert build(few, place, recheck=True).built >= 1
    assert stored(place, **s3) == expected
    assert Folder(place, s3, CacheOptions(gb=0)).index.num_rows > 0


def test_a_killed_build_goes_on_where_it_stopped_also_without_its_scratch_folder(few, expected, s3, tmp_path):
    place = "s3://faces/killed"
    words = ["build", "speakingfaces", "--raw", str(few), "--out", place, "--shard-mb", "1"]
    words += ["--config", "utterances", "--detector", "none"]
    process = subprocess.Popen([sys.executable, "-m", "facevox", *words], stdout=subprocess.DEVNULL)
    files = fsspec.filesystem("s3", use_listings_cache=False, **s3)
    while not any(".build/shards/" in name for name in files.find(place)):
        assert process.poll() is None
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert "checksums.sha256" not in stored(place, **s3)
    with pytest.raises(FolderError, match="no dataset folder, or its build has not finished"):
        Folder(place, s3)
    assert len(list((tmp_path / "cache" / "builds").rglob("*.tar*"))) <= 1, "a shard that is there is not kept here"
    shutil.rmtree(tmp_path / "cache")
    report = build(few, place)
    assert 0 < report.built < report.shards
    assert stored(place, **s3) == expected


def test_a_place_whose_files_do_not_appear_whole_gets_them_under_a_part_name(few, expected, monkeypatch):
    monkeypatch.setattr("facevox.builders.core.store.WHOLE_OR_ABSENT", ())
    build(few, "memory://parts")
    assert stored("memory://parts") == expected


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("https://example.org/O", "nothing can be written over https"),
        ("hf://datasets/user/name", "run `facevox publish`"),
        ("s3://no-such-bucket/O", "s3://no-such-bucket/O.*not there"),
    ],
)
def test_places_that_cannot_be_built_to_are_told_at_once(few, place, words):
    with pytest.raises(FolderError, match=words):
        build(few, place)


def test_a_place_of_other_files_is_left_alone(few, s3):
    fsspec.filesystem("s3", **s3).pipe_file("s3://faces/taken/notes.txt", b"mine")
    with pytest.raises(FolderError, match="s3://faces/taken: holds other files and no build of facevox"):
        build(few, "s3://faces/taken")
    with pytest.raises(ValueError, match="s3://faces/taken: ranks share a folder"):
        build(few, "s3://faces/taken", rank=0, world=2)
    assert destination("s3://faces/taken").folder != destination("s3://faces/other").folder


@pytest.mark.parametrize("name", [".build/../../../evil", ".build/shards/..", ".build//x", ".build/a b"])
def test_a_listing_cannot_lead_out_of_the_scratch_folder(name, tmp_path):
    files, place = fsspec.filesystem("memory"), f"memory://listing-{tmp_path.name}"
    files.pipe_file(f"{place}/.build/plan.json", b"{}")
    files.pipe_file(f"{place}/{name}", b"x")
    to = destination(place)
    with pytest.raises(FolderError, match=r"holds a file '\.build/.*', a name that no build gives"):
        to.store.bring_back(to.folder)
    assert not list(tmp_path.rglob("evil")) and not to.folder.exists()


def test_a_shard_that_a_place_lists_late_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr("facevox.builders.core.run.SEEN_AFTER", 3.0)
    place = f"memory://late-{tmp_path.name}"
    spec = ShardSpec("c/train-00000", "c", "train", ())
    job = ShardJob("x", "", tmp_path, SpeakingFacesOptions(), "tar", "plan", spec, store=destination(place).store)
    job.sidecar.parent.mkdir(parents=True)
    facts = {
        "digest": "plan",
        "decisions": review_digest(spec),
        "rejections": [],
        "file": "data/c/train-00000.tar",
        "size": 4,
    }
    job.sidecar.write_text(json.dumps(facts))
    assert job.store.sizes == {}
    late = threading.Timer(0.8, fsspec.filesystem("memory").pipe_file, (f"{place}/{facts['file']}", b"late"))
    late.start()
    _await_shards([job])
    late.join()
