"""Videos forged, collected and built: from MP4s and marks to a dataset folder that plain `datasets` reads."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from datasets import load_dataset
from facevox.builders.core.run import BuildOptions, run
from facevox.builders.stages.chinese_vf_options import ChineseVfOptions
from facevox.builders.stages.collection import collect
from facevox.builders.stages.collection_options import CollectOptions
from facevox.loaders.folder import Folder
from facevox.loaders.statistics import statistics
from facevox.loaders.verify import check

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def collected(videos_with_odd_ones, tmp_path_factory) -> tuple[Path, dict]:
    """The collection, and the truth of every video."""
    home = tmp_path_factory.mktemp("videos")
    truth = json.loads(videos_with_odd_ones.with_name("V.truth.json").read_text())["videos"]
    collect(CollectOptions(videos_with_odd_ones, home / "C"))
    return home / "C", truth


def build(raw: Path, out: Path, workers: int = 1) -> Folder:
    run(BuildOptions("chinese_vf", str(raw), out, workers=workers, shard_mb=1, release=ChineseVfOptions()))
    return Folder(out)


def files_of(folder: Path) -> dict[str, bytes]:
    names = (path for path in folder.rglob("*") if path.is_file() and ".build" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in names}


def test_videos_become_a_dataset_whatever_happens_on_the_way(collected, tmp_path):
    raw, _ = collected
    code = f"""if __name__ == "__main__":
    from pathlib import Path
    from facevox.builders.core.run import BuildOptions, run
    from facevox.builders.stages.chinese_vf_options import ChineseVfOptions
    out = Path({str(tmp_path / "one")!r})
    run(BuildOptions("chinese_vf", {str(raw)!r}, out, shard_mb=1, release=ChineseVfOptions()))"""
    child = subprocess.Popen([sys.executable, "-c", code])
    until = time.monotonic() + 120
    while not list(tmp_path.rglob(".build/shards/*/*.json")) and child.poll() is None and time.monotonic() < until:
        time.sleep(0.002)
    child.send_signal(signal.SIGKILL)
    child.wait()
    one, two = build(raw, tmp_path / "one"), build(raw, tmp_path / "two", workers=2)
    assert files_of(one.path) == files_of(two.path)
    assert check(one.path).problems == []
    candidates = load_dataset(str(one.path / "tables"), "candidates", split="train")
    left_out = [row for row in one.quarantine.to_pylist() if row["key"]]
    assert sum(candidates["kept"]) == one.index.num_rows + len(left_out)
    for config, field in (("faces", "face.jpg"), ("voices", "voice.flac")):
        loaded = [row for split in one.splits(config) for row in load_dataset(str(one.path), config, split=split)]
        assert len(loaded) == sum(row["config"] == config for row in one.index.to_pylist()) and loaded[0][field]
    told = {table.title for table in statistics(one).tables}
    assert {"Table 1", "Left out step by step: faces", "Left out step by step: voices"} <= told


def test_bytes_are_the_collections_and_the_odd_videos_are_told(collected, tmp_path):
    raw, truth = collected
    built = build(raw, tmp_path / "O")
    rows = built.index.to_pylist()
    assert {row["config"] for row in rows} == {"faces", "voices"}
    for row in (row for row in rows if row["config"] == "faces"):
        place = raw / "face" / row["speaker_id"] / row["video_id"] / f"{row['frame_ms']:08d}_{row['face_number']}.jpg"
        entry = row["fields"][0]
        with (built.path / row["shard"]).open("rb") as shard:
            shard.seek(entry["offset"])
            assert shard.read(entry["size"]) == place.read_bytes()
        assert row["score"] > row["tau_face"] and row["box_scale"] == 1.3 and row["detector"] == "mtcnn"
    refused = [row for row in built.quarantine.to_pylist() if row["place"].startswith("candidates/refused.csv")]
    unusable = sum(bool(video["left_out"]) for video in truth.values())
    assert len(refused) >= 2 * unusable > 0
    assert all(row["licence"] == "none needed: forged by facevox" for row in rows)
