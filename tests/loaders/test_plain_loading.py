"""What everybody else's tools make of a built folder: datasets, webdataset, Pillow, OpenCV, torchcodec."""

import io
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import cv2
import facevox
import numpy as np
import pyarrow as pa
import pytest
import soundfile
from facevox.builders.core.writers import WRITERS
from facevox.loaders.folder import FolderError
from facevox.loaders.sample import Config, Fact, Field, Sample
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def scratch_cache(tmp_path, monkeypatch):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "DOWNLOADED_DATASETS_PATH", tmp_path / "cache" / "downloads")


@pytest.fixture(params=["tar", "parquet", "arrow"])
def folder(request, built):
    return built[request.param]


@pytest.mark.parametrize("streaming", [True, False])
def test_load_dataset_gives_every_sample_with_bytes_and_facts(folder, streaming):
    from datasets import load_dataset

    for config in folder.configs:
        for split in folder.splits(config):
            rows = list(load_dataset(str(folder.path), config, split=split, streaming=streaming))
            index = [r for r in folder.index.to_pylist() if (r["config"], r["split"]) == (config, split)]
            assert [row["__key__"] for row in rows] == [r["key"] for r in index]
            for row, known in zip(rows, index, strict=True):
                sample = next(folder.fetch([known["key"]]))
                clip = np.stack([np.asarray(f.convert("RGB")) for f in frames(row["visual.webp"])])
                assert np.array_equal(clip, sample["visual.webp"])
                assert row["aligned.webp"] is None
                for fact, value in row["json"].items():
                    assert value == pytest.approx(known[fact]) if isinstance(value, float) else value == known[fact], (
                        fact
                    )


def frames(clip: bytes):
    picture = Image.open(io.BytesIO(clip))
    for number in range(picture.n_frames):
        picture.seek(number)
        yield picture


def test_tables_load(folder):
    from datasets import load_dataset

    tables = str(folder.path / "tables")
    assert len(load_dataset(tables, "index", split="train")) == 48
    assert sum(load_dataset(tables, "manifest", split="train")["samples"]) == 48
    assert len(load_dataset(tables, "identities", split="train")) == 6
    assert list(load_dataset(tables, "quarantine", split="train", streaming=True)) == []


def test_features_are_equal_in_every_format(built):
    from datasets import load_dataset

    for config in ("utterances", "stills"):
        features = [load_dataset(str(f.path), config, split="train", streaming=True).features for f in built.values()]
        assert features[0] == features[1] == features[2]


def test_a_sample_that_vanishes_is_noticed_by_plain_datasets(built, tmp_path):
    from datasets import load_dataset

    shutil.copytree(built["tar"].path, tmp_path / "copy")
    sorted((tmp_path / "copy" / "data" / "stills").glob("train-*"))[0].unlink()
    (tmp_path / "copy" / "data" / "stills" / "train-00000.tar").write_bytes(bytes(10_240))
    with pytest.raises(Exception, match=r"(?i)split|no data|sizes|generating"):
        load_dataset(str(tmp_path / "copy"), "stills", split="train")


@pytest.mark.parametrize("streaming", [True, False])
def test_our_load_dataset_is_theirs_decoded(folder, streaming):
    samples = facevox.load_dataset(folder.path, "utterances", "test", streaming=streaming, frames=3)
    rows = list(samples)
    assert len(rows) == 8
    for row in rows:
        sample = next(folder.fetch([row["__key__"]], frames=3))
        for name in ("visual.webp", "thermal.webp", "mic1.flac", "mic2.flac"):
            assert np.array_equal(row[name], sample[name])
    raw = facevox.load_dataset(folder.path, "utterances", "test", streaming=True, decode=False)
    assert isinstance(next(iter(raw))["visual.webp"], bytes)
    with pytest.raises(FolderError, match="no split 'dev'"):
        facevox.load_dataset(folder.path, "utterances", "dev")


@pytest.mark.parametrize("streaming", [True, False])
def test_our_load_dataset_keeps_the_chosen_fields(built, streaming, tmp_path, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path)
    path = built["parquet"].path
    samples = facevox.load_dataset(path, "utterances", "test", streaming=streaming, fields=["thermal.webp"], frames=2)
    sample = next(iter(samples))
    assert sorted(name for name in sample if "." in name) == ["thermal.webp"]
    assert sample["thermal.webp"].shape[0] == 2
    assert sample["json"]["frames"] > 2
    with pytest.raises(FolderError, match=r"no field 'thermal.png'; there is: .*thermal.webp"):
        facevox.load_dataset(path, "utterances", "test", streaming=streaming, fields=["thermal.png"])


def test_plain_webdataset_reads_the_tars(built):
    os.environ["WDS_SECURE"] = "1"
    import webdataset

    folder = built["tar"]
    found = 0
    for shard in folder.shards("utterances", "train"):
        for sample in webdataset.WebDataset(str(shard), shardshuffle=False):
            expected = next(folder.fetch([sample["__key__"]]))
            assert np.array_equal(
                soundfile.read(io.BytesIO(sample["mic1.flac"]), dtype="int16")[0], expected["mic1.flac"]
            )
            ok, clip = cv2.imdecodeanimation(np.frombuffer(sample["visual.webp"], np.uint8))
            assert ok
            assert np.array_equal(np.stack(clip.frames)[..., 2::-1], expected["visual.webp"])
            found += 1
    assert found == 8


def test_sounds_cast_to_audio_with_torchcodec(folder):
    from datasets import Audio, load_dataset

    try:
        import torchcodec  # noqa: F401
    except (ImportError, OSError, RuntimeError) as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"torchcodec does not load here (apt-get install ffmpeg): {error}")
    rows = load_dataset(str(folder.path), "utterances", split="test").cast_column("mic1.flac", Audio())
    decoded = rows[0]["mic1.flac"]["array"]
    expected = next(folder.fetch([rows[0]["__key__"]]))["mic1.flac"]
    assert np.array_equal(np.round(np.asarray(decoded) * 32768).astype(np.int16), expected)


@pytest.mark.slow
def test_a_fresh_environment_without_facevox_and_torchcodec(built, tmp_path):
    """`pip install datasets pillow` alone loads all formats and the tables, streaming or not."""
    uv, python = Path(sys.executable).parent / "uv", tmp_path / "env" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "env"], check=True)
    line = [uv, "pip", "install", "-q", "--python", python, "-c", ROOT / "requirements.lock", "datasets", "pillow"]
    subprocess.run(line, check=True)
    script = textwrap.dedent("""
        import importlib.util, sys
        assert not importlib.util.find_spec("facevox") and not importlib.util.find_spec("torchcodec")
        from datasets import load_dataset
        for folder in sys.argv[1:]:
            for streaming in (True, False):
                for config in ("utterances", "stills"):
                    rows = list(load_dataset(folder, config, split="test", streaming=streaming))
                    assert len(rows) == 8 and rows[0]["visual.webp"][:4] == b"RIFF", folder
            assert len(load_dataset(folder + "/tables", "index", split="train")) == 48
        print("loaded")
    """)
    environment = {"HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1", "PATH": os.environ["PATH"]}
    folders = [str(folder.path) for folder in built.values()]
    done = subprocess.run(
        [python, "-c", script, *folders], capture_output=True, text=True, cwd=tmp_path, env=environment
    )
    assert done.stdout.strip() == "loaded", done.stderr


LARGE = Config(
    "large",
    "members of 24 MB",
    (Field("clip.webp", "clip", "bytes"),),
    (Fact("number", pa.int32(), "counter"),),
)


@pytest.mark.slow
@pytest.mark.parametrize("format_", ["tar", "parquet", "arrow"])
def test_ninety_members_of_24_megabytes_load_in_map_mode(tmp_path, format_):
    """Above 2**31 bytes in one column: what overflows 32-bit offsets when media are declared as images or videos."""
    import yaml
    from datasets import load_dataset
    from facevox.builders.core.card import feature

    (tmp_path / "data").mkdir()
    path = tmp_path / "data" / f"train-00000{WRITERS[format_].ending}"
    writer = WRITERS[format_](path, LARGE)
    block = np.random.default_rng(0).integers(0, 256, 24_000_000, np.uint8).tobytes()
    for number in range(30):
        media = {"clip.webp": number.to_bytes(4, "big") + block[4:]}
        writer.add(Sample(f"{number:04d}", "p", "train", media, {"number": number}))
    writer.close()
    if format_ != "tar":
        assert sum(1 for _ in writer.members()) == 30
    # The same thirty three times over: what is loaded, not what is written, has to be that large.
    for copy in (1, 2):
        path.with_name(path.name.replace("00000", f"0000{copy}")).hardlink_to(path)
    card = {
        "configs": [
            {"config_name": "large", "data_files": [{"split": "train", "path": f"data/*{WRITERS[format_].ending}"}]}
        ],
        "dataset_info": [{"config_name": "large", "features": [feature(c.name, c.type) for c in LARGE.schema()]}],
    }
    (tmp_path / "README.md").write_text(f"---\n{yaml.safe_dump(card)}---\n")
    rows = load_dataset(str(tmp_path), "large", split="train", cache_dir=str(tmp_path / "cache"))
    assert len(rows) == 90
    assert 90 * len(block) > 2**31
    for number in (0, 57, 89):
        assert rows[number]["clip.webp"][:4] == (number % 30).to_bytes(4, "big")
        assert rows[number]["json"]["number"] == number % 30
        assert len(rows[number]["clip.webp"]) == len(block)
    shutil.rmtree(tmp_path / "cache")
    shutil.rmtree(tmp_path / "data")
