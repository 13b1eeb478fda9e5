"""Fixtures: forged releases, folders built from them, and the real data where there is some."""

import os
from pathlib import Path

# Before torch is imported: its threads spin against the build and stream workers that the tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from facevox.builders.core.run import BuildOptions, run
from facevox.builders.population.clips import ForgeOptions
from facevox.builders.population.speakingfaces import forge
from facevox.builders.speakingfaces import SpeakingFacesOptions
from facevox.loaders.folder import Folder

FORMATS = ("tar", "parquet", "arrow")
os.environ["HF_HUB_OFFLINE"] = "1"


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
def release(tmp_path_factory) -> Path:
    """A small forged release of six people, two positions, one utterance of about 12 frames each, zipped."""
    out = tmp_path_factory.mktemp("forged") / "release"
    forge(out, ForgeOptions(subjects=6, positions=2, utterances=1, frames=12, stills_frames=3, size="small"), workers=2)
    (out.parent / "release.truth.json").rename(out.parent / "kept-from-the-builder.json")
    return out


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
def built(release, tmp_path_factory) -> dict[str, Folder]:
    """The release built in every format by one process, small shards."""
    home = tmp_path_factory.mktemp("built")
    return {name: build(release, home / name, format=name, shard_mb=4) for name in FORMATS}


@pytest.fixture(scope="session")
def build_folder():
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
