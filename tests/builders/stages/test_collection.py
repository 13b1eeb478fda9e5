"""A folder of forged videos with known truth becomes a collection: what is kept, what is turned down, and the bytes."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import wave
from collections import Counter
from pathlib import Path

import cv2
import facevox
import pytest
from facevox.builders.stages.collection import collect, estimate
from facevox.builders.stages.collection_options import CollectOptions
from facevox.builders.stages.collection_videos import list_videos
from facevox.builders.stages.marks import read, settle


@pytest.fixture(scope="module")
def videos(talkers, tmp_path_factory):
    """Two people's videos; of the first also one of the other person, one cut off, one empty and one that is none."""
    folder = tmp_path_factory.mktemp("collect") / "V"
    shutil.copytree(talkers, folder)
    shutil.copy(talkers.with_name("V.truth.json"), folder.parent)
    truth = json.loads(folder.with_name("V.truth.json").read_text())["videos"]
    # The first speaker is interviewed by the second, the second by somebody else.
    first, second = (folder / name for name in sorted(truth, key=lambda name: truth[name]["speaker"]))
    shutil.copy(second, first.parent / "somebody else.mp4")
    (first.parent / "cut off.mp4").write_bytes(first.read_bytes()[: first.stat().st_size // 2])
    (first.parent / "empty.webm").write_bytes(b"")
    (first.parent / "words.mkv").write_text("no video")
    (folder / "nobody.mp4").write_bytes(first.read_bytes()[:1000])
    return folder


@pytest.fixture(scope="module")
def collected(videos):
    options = CollectOptions(videos, videos.parent / "C")
    return options.out, collect(options)


def rows(out, name):
    with (out / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def by_key(videos):
    """The truth of each video that was made, by its key in a collection."""
    truth = json.loads(videos.with_name("V.truth.json").read_text())["videos"]
    listed = list_videos(videos, settle(read(videos / "marks.jsonl").marks)).videos
    return {video.key: truth[video.path] for video in listed if video.path in truth}


def kept_of(out, name):
    return [row for row in rows(out, f"candidates/{name}.csv") if row["kept"] == "1"]


def test_the_targets_speech_is_kept_and_nothing_else(videos, collected):
    out, _ = collected
    spoken = kept = right = 0
    for key, truth in by_key(videos).items():
        target = [(start, end) for start, end, what in truth["spans"] if what == "target"]
        spoken += sum(end - start for start, end in target)
        for row in kept_of(out, "voice"):
            if key == f"{row['speaker_id']}/{row['video_id']}":
                start, end = int(row["start_ms"]), int(row["end_ms"])
                kept += end - start
                right += sum(max(0, min(end, stop) - max(start, begin)) for begin, stop in target)
    assert right / spoken >= 0.9 and right / kept >= 0.98, (right / spoken, right / kept)


def test_kept_faces_are_the_targets(videos, collected):
    out, _ = collected
    truth = by_key(videos)
    shown = []
    for row in kept_of(out, "face"):
        shots = truth[f"{row['speaker_id']}/{row['video_id']}"]["shots"]
        shown += [what for start, end, what in shots if start <= int(row["frame_ms"]) < end]
    assert len(shown) >= 4 and {"target"} <= set(shown) <= {"target", "both"}


def test_every_video_is_kept_or_turned_down_with_a_reason(collected):
    out, report = collected
    reasons = {one.path.split("/")[-1]: one.reason for one in report.refused}
    assert "never seen" in reasons["somebody else.mp4"]
    assert "not a readable video" in reasons["cut off.mp4"]
    assert "0 bytes" in reasons["empty.webm"]
    assert "not an mp4, webm or mkv" in reasons["words.mkv"]
    assert "no mark says whose" in reasons["nobody.mp4"]
    assert len(rows(out, "candidates/refused.csv")) == len(report.refused) == 5
    assert len(rows(out, "meta/videos.csv")) == 2
    words = (out / "candidates/refused.csv").read_text() + (out / "config.json").read_text()
    assert "nobody" not in words and not any(name in words for name in ("Lin Yutong", "Brindel"))


def test_tables_and_files_agree(collected):
    out, _ = collected
    for row in kept_of(out, "voice"):
        name = f"{int(row['start_ms']):08d}_{int(row['end_ms']):08d}.wav"
        with wave.open(str(out / "voice" / row["speaker_id"] / row["video_id"] / name)) as sound:
            assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (16_000, 1, 2)
            assert sound.getnframes() == (int(row["end_ms"]) - int(row["start_ms"])) * 16
    for row in kept_of(out, "face"):
        name = f"{int(row['frame_ms']):08d}_{row['k']}.jpg"
        picture = cv2.imread(str(out / "face" / row["speaker_id"] / row["video_id"] / name))
        side = round(1.3 * max(int(row["w"]), int(row["h"])))
        assert max(picture.shape[:2]) <= side + 2 and min(picture.shape[:2]) >= side // 2
    counted = Counter(row["speaker_id"] for row in kept_of(out, "voice"))
    faces = Counter(row["speaker_id"] for row in kept_of(out, "face"))
    for row in rows(out, "meta/speakers.csv"):
        assert (row["n_videos"], row["n_segments"]) == ("1", str(counted[row["speaker_id"]]))
        assert row["n_faces"] == str(faces[row["speaker_id"]]) and row["gender"] in "mf" and row["fold"] in "01234"
    assert len(list(out.glob("face/*/*/*.jpg"))) == sum(faces.values())
    assert len(list(out.glob("voice/*/*/*.wav"))) == sum(counted.values())
    assert len(list(out.glob("ground_truth/*/faces/*.png"))) >= 6 and len(list(out.glob("ground_truth/*/*.wav"))) == 2
    assert (out / "forged.json").is_file()


def test_voice_candidates_cover_every_track_once(collected):
    out, _ = collected
    at: dict[str, int] = {}
    for row in rows(out, "candidates/voice.csv"):
        assert int(row["start_ms"]) == at.get(row["video_id"], 0) < int(row["end_ms"])
        assert (row["kept"] == "1") == (not row["reason"])
        at[row["video_id"]] = int(row["end_ms"])
    assert all(abs(end - 17_000) < 200 for end in at.values())


def files(out):
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file() and path.name != "lock"
    }


@pytest.mark.slow
def test_killed_and_resumed_with_two_workers_gives_the_same_bytes(videos, collected):
    out = videos.parent / "D"
    command = [sys.executable, "-m", "facevox", "collect", str(videos), "--marks", str(videos / "marks.jsonl")]
    command += ["--out", str(out), "--workers", "2"]
    environment = {**os.environ, "PYTHONPATH": str(Path(facevox.__file__).parents[1])}
    running = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while running.poll() is None and time.monotonic() < deadline and not list(out.glob(".collect/*/*/scan.json")):
        time.sleep(0.05)
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert not (out / "config.json").exists()
    collect(CollectOptions(videos, out, workers=2))
    assert files(out) == files(collected[0])


def test_other_thresholds_scan_nothing_again_and_leave_nothing_behind(videos, collected, tmp_path):
    out = tmp_path / "E"
    shutil.copytree(collected[0], out)
    strict = collect(CollectOptions(videos, out, tau_voice=0.9999))
    assert strict.scanned == 0 and not list(out.glob("voice/*/*")) and not rows(out, "meta/speakers.csv")
    assert sum("never heard" in one.reason for one in strict.refused) == 2
    collect(CollectOptions(videos, out))
    assert files(out) == files(collected[0])


def test_the_collection_never_goes_where_something_else_is(videos, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"holds 'notes\.txt'"):
        collect(CollectOptions(videos, tmp_path))
    with pytest.raises(ValueError, match="outside of the folder of videos"):
        collect(CollectOptions(videos, videos / "C"))
    with pytest.raises(ValueError, match="Mark the videos first"):
        collect(CollectOptions(videos, tmp_path / "C", tmp_path / "none.jsonl"))


def test_a_dry_run_tells_and_writes_nothing(videos, tmp_path):
    lines = estimate(CollectOptions(videos, tmp_path / "C"))
    assert "6 videos of 2 speakers" in lines[0] and "51 s to scan" in lines[1]
    assert not (tmp_path / "C").exists()
