"""Fixtures: forged releases, folders built from them, and the real data where there is some."""

import fcntl
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

# Before torch is imported: its threads spin against the build and stream workers that the tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Images set this: every process that a test starts would compile all that it imports anew, two seconds for torch alone.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

import numpy as np
import pytest
from facevox.builders.core.run import BuildOptions, run
from facevox.builders.population.clips import ForgeOptions
from facevox.builders.population.speakingfaces import forge
from facevox.builders.speakingfaces import SpeakingFacesOptions
from facevox.loaders.folder import Folder
from facevox.loaders.vp8l import Vp8lEncoder
from facevox.loaders.vp8l_decoder import decode

FORMATS = ("tar", "parquet", "arrow")
os.environ["HF_HUB_OFFLINE"] = "1"
sys.dont_write_bytecode = False


def pytest_addoption(parser):
    parser.addoption("--require-real", action="store_true", help="fail, not skip, when the real data folder is missing")


def real_folder() -> Path | None:
    named = os.environ.get("FACEVOX_REAL")
    beside = Path(__file__).resolve().parents[2] / "shared" / "real"
    return Path(named) if named else beside if beside.is_dir() else None


def pytest_collection_modifyitems(config, items):
    # Files with long tests first: the last ones to start should be short, so that no process waits for the other.
    long = {item.path for item in items if "slow" in item.keywords}
    items.sort(key=lambda item: item.path not in long)
    where = real_folder()
    if where is not None and where.is_dir():
        return
    if config.getoption("--require-real"):
        raise pytest.UsageError(
            f"--require-real: no real data folder (FACEVOX_REAL is {os.environ.get('FACEVOX_REAL')!r})"
        )
    for item in items:
        if "real" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="no real data folder; set FACEVOX_REAL"))


@pytest.fixture(scope="session")
def real() -> Path:
    where = real_folder()
    assert where is not None
    return where


@pytest.fixture(scope="session")
def made_once(tmp_path_factory) -> Callable[[str, Callable[[Path], object]], Path]:
    """made_once(name, make): a folder filled by make(folder), by the first process of the test run that asks for it.

    The others wait for it and read the same files: nobody may change them.
    """
    base = tmp_path_factory.getbasetemp()
    common = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def get(name: str, make: Callable[[Path], object]) -> Path:
        home, whole = common / f"once-{name}", common / f"once-{name}.whole"
        with (common / f"once-{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not whole.exists():
                shutil.rmtree(home, ignore_errors=True)
                home.mkdir()
                make(home)
                whole.touch()
        return home

    return get


@pytest.fixture(scope="session")
def compiled(made_once) -> None:
    """Clips are coded by compiled code: one process compiles it, which takes twenty seconds, the others read it."""

    def make(home: Path) -> None:
        for picture in (np.zeros((8, 8, 3), np.uint8), np.arange(3 * 64 * 64).reshape(64, 64, 3).astype(np.uint8)):
            assert decode(Vp8lEncoder()(picture), np.empty_like(picture))

    made_once("compiled", make)


@pytest.fixture(scope="session")
def release(made_once) -> Path:
    """A small forged release of six people, two positions, one utterance of about 12 frames each, zipped."""

    def make(home: Path) -> None:
        options = ForgeOptions(subjects=6, positions=2, utterances=1, frames=12, stills_frames=3, size="small")
        forge(home / "release", options, workers=2)
        (home / "release.truth.json").rename(home / "kept-from-the-builder.json")

    return made_once("release", make) / "release"


@pytest.fixture(scope="session")
def truth(release) -> Path:
    """Where the truth about `release` was moved to, so that no stage of the build can read it."""
    return release.parent / "kept-from-the-builder.json"


def build(raw: Path, out: Path, **options) -> Folder:
    """Build with plain keyword options, those of SpeakingFaces told apart by name; no faces are searched unless asked.

    Most tests are not about faces, which cost half a second a process and 3 ms a frame.
    """
    options.setdefault("detector", "none")
    own = {name: options.pop(name) for name in list(options) if name in SpeakingFacesOptions.__dataclass_fields__}
    run(BuildOptions("speakingfaces", str(raw), out, release=SpeakingFacesOptions(**own), **options))
    return Folder(out)


@pytest.fixture(scope="session")
def built(release, made_once, compiled) -> dict[str, Folder]:
    """The release built in every format by one process, small shards."""
    # Two processes that ask at the same time begin at different ends.
    order = FORMATS[::-1] if os.environ.get("PYTEST_XDIST_WORKER", "gw0") != "gw0" else FORMATS
    for name in order:
        made_once(name, lambda home, name=name: build(release, home / "O", format=name, shard_mb=4))
    return {name: Folder(made_once(name, lambda home: None) / "O") for name in FORMATS}


@pytest.fixture(scope="session")
def with_faces(release, made_once, build_folder) -> Folder:
    """`release` with its pairs and crops, every frame of it searched for faces by dlib; nobody may change it."""
    options = {"configs": ("utterances", "pairs", "crops"), "shard_mb": 1, "detector": "dlib-hog"}
    return Folder(made_once("with-faces", lambda home: build_folder(release, home / "out", **options)) / "out")


@pytest.fixture(scope="session")
def build_folder(compiled):
    """build(raw, out, **options): run a build and open the folder."""
    return build


@pytest.fixture(scope="session")
def tree():
    """tree(folder): every file's bytes by relative path, sidecars and plan included, run facts and lock left out."""

    def read(folder: Path) -> dict[str, bytes]:
        files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
        return {
            name: path.read_bytes() for name, path in files.items() if name not in (".build/runs.jsonl", ".build/lock")
        }

    return read


@pytest.fixture(scope="session")
def s3():
    """An S3-compatible server with one bucket; the options that reach it."""
    import fsspec

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    options = {"endpoint_url": f"http://127.0.0.1:{port}", "key": "AKIAFAKE", "secret": "hush-hush"}
    try:
        for _ in range(300):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        fsspec.filesystem("s3", **options).mkdir("s3://faces")
        yield options
    finally:
        server.kill()
        server.wait()


@pytest.fixture(scope="session")
def voices_and_faces(made_once) -> Folder:
    """Vox-VGG of six forged people, three of them in train and three in test; two faces and two voices each."""

    def make(home: Path) -> None:
        from facevox.builders.core.run import BuildOptions, run
        from facevox.builders.population.vox_vgg import ForgeOptions, forge
        from facevox.builders.stages.vox_vgg_options import VoxVggOptions

        forge(home / "R", ForgeOptions(people=3, images=2, utterances=2, seconds=2.4, videos=1, faults=False))
        run(BuildOptions("vox_vgg", str(home / "R"), home / "O", release=VoxVggOptions(vad="energy")))

    return Folder(made_once("voices-and-faces", make) / "O")
