"""A forged AVSpeech, and real talking clips, through the builder: truth met, splits, sounds, faces, leavings."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch
from facevox.builders.core.run import BuildOptions, run
from facevox.builders.population.avspeech import ForgeOptions, forge, plan, spoken
from facevox.builders.stages.avspeech_options import AvspeechOptions
from facevox.builders.stages.voice_face_facts import youtube_key
from facevox.loaders.folder import Folder
from facevox.loaders.statistics import statistics
from facevox.loaders.verify import check
from facevox.models.core.sound import speech2face
from scipy.signal import resample_poly

FORGED = ForgeOptions(videos=3, clips=2, seconds=2.6, fps=8, seed=3)


def build(raw: Path, out: Path, **options) -> Folder:
    own = {name: options.pop(name) for name in list(options) if name in AvspeechOptions.__dataclass_fields__}
    run(BuildOptions("avspeech", str(raw), out, release=AvspeechOptions(**own), **options))
    return Folder(out)


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    out = tmp_path_factory.mktemp("forged") / "release"
    forge(out, FORGED)
    return out


@pytest.fixture(scope="module")
def truth(release):
    return json.loads(release.with_name("release.truth.json").read_text())


@pytest.fixture(scope="module")
def built(release, tmp_path_factory):
    return build(release, tmp_path_factory.mktemp("built") / "out")


def rows(folder: Folder) -> list[dict]:
    return folder.index.to_pylist()


def quarantine(folder: Folder) -> list[dict]:
    return folder.quarantine.to_pylist()


def whole_sound(path: Path) -> np.ndarray:
    """A file's sound from beginning to end, decoded in one go, as (samples,) float at 16 kHz."""
    with av.open(str(path)) as file:
        parts = list(file.decode(audio=0))
    rate = parts[0].sample_rate
    joined = np.concatenate([part.to_ndarray().mean(0) for part in parts])
    common = np.gcd(rate, 16_000)
    return resample_poly(joined, 16_000 // common, rate // common)


def whole_film(path: Path) -> list[tuple[float, np.ndarray]]:
    with av.open(str(path)) as file:
        return [(frame.time, frame.to_ndarray(format="rgb24")) for frame in file.decode(video=0)]


def best_lag(ours: np.ndarray, theirs: np.ndarray, reach: int = 30) -> tuple[int, float]:
    """(lag, correlation) at which two sounds agree best, by sliding one over the other."""
    count = min(len(ours), len(theirs)) - 2 * reach
    middle = ours[reach : reach + count].astype(float)
    found = {
        lag: np.corrcoef(middle, theirs[reach + lag : reach + lag + count])[0, 1] for lag in range(-reach, reach + 1)
    }
    lag = max(found, key=found.get)
    return lag, found[lag]


def test_what_is_kept_and_what_is_left_out_is_as_forged(built, truth):
    kept = {row["key"] for row in rows(built)}
    assert kept == {key for key, clip in truth["clips"].items() if not clip["left_out"]}
    left = {row["key"]: row["stage"] for row in quarantine(built)}
    for key, clip in truth["clips"].items():
        # A video of which nothing is here has one row, not one for each segment.
        name = youtube_key(clip["youtube_id"]) if clip["odd"] == "video missing" else key
        assert not clip["left_out"] or left.pop(name, clip["left_out"]) == clip["left_out"]
    assert set(left.values()) == {"bad row"}
    assert check(built.path).problems == []


def test_the_truth_tells_of_every_row_of_the_tables(release, truth):
    lines = [(release / f"avspeech_{name}.csv").read_text().splitlines() for name in ("train", "test")]
    assert sum(map(len, lines)) == len(truth["clips"]) + len(truth["bad_rows"])


def test_bad_rows_are_named_by_table_and_line(built, truth):
    found = {row["place"]: row["reason"] for row in quarantine(built) if row["stage"] == "bad row"}
    assert found.keys() == {f"avspeech_{table}.csv, row {line}" for table, line, _ in truth["bad_rows"]}
    assert len(found) == 10


def test_faces_are_the_annotated_ones(built, truth):
    several = 0
    for row in rows(built):
        clip = truth["clips"][row["key"]]
        box = row["face_box"]
        middle = np.array([box["left"] + box["right"], box["top"] + box["bottom"]]) / 2
        assert np.hypot(*(middle - clip["face"])) < 22, row["key"]
        assert row["frame_attempt"] == clip["frame_attempt"]
        assert row["faces"] == clip["faces"]
        assert row["face_holds_point"] and row["face_distance"] < 0.3
        several += row["faces"] == 2
    assert several == 2


def test_pictures_are_the_box_of_the_frame_that_is_on_screen(built, release):
    for row in rows(built):
        if row["release_row"] % 3 and not row["whole_video"]:
            continue
        begin = row["start_ms"] / 1000 if row["whole_video"] else 0
        moment = begin + row["frame_attempt"] - 1 + 0.001
        time, frame = [shot for shot in whole_film(release / row["file"]) if shot[0] <= moment][-1]
        assert row["frame_seconds"] == pytest.approx(time - begin, abs=1e-6)
        box = row["face_box"]
        part = frame[box["top"] : box["bottom"], box["left"] : box["right"]]
        (sample,) = built.fetch([row["key"]], ["face.webp"])
        assert np.array_equal(sample["face.webp"], cv2.resize(part, (224, 224), interpolation=cv2.INTER_LINEAR))
        assert (row["frame_width"], row["frame_height"]) == frame.shape[1::-1]


def test_voices_are_exactly_the_segment_however_they_were_stored(built, release):
    videos = {video.youtube_id: video for video in plan(FORGED)}
    for row in rows(built):
        (sample,) = built.fetch([row["key"]], ["voice.flac"])
        voice = sample["voice.flac"]
        wanted = 16 * min(row["end_ms"] - row["start_ms"], 6_000)
        assert len(voice) == row["samples"] == wanted
        assert (row["seconds"], row["repeats"]) == (wanted / 16_000, -(-96_000 // wanted))
        first = row["start_ms"] * 16 if row["whole_video"] else 0
        lag, agreement = best_lag(voice, whole_sound(release / row["file"])[first:])
        assert lag == 0 and agreement > 0.99, row["key"]
        said = resample_poly(spoken(videos[row["youtube_id"]], FORGED), 160, 441)[16 * row["start_ms"] :]
        lag, agreement = best_lag(voice, said)
        assert lag == 0 and agreement > 0.95, row["key"]


def test_the_split_is_that_of_the_id_in_every_process(built, truth):
    code = (
        "import json, sys; from facevox.builders.stages.avspeech_listing import split_of;"
        "print(json.dumps([split_of(video, None) for video in json.load(sys.stdin)]))"
    )
    videos = sorted(truth["videos"])
    found = [
        json.loads(
            subprocess.run(
                [sys.executable, "-c", code],
                input=json.dumps(videos),
                capture_output=True,
                text=True,
                check=True,
                env=os.environ | {"PYTHONHASHSEED": seed},
            ).stdout
        )
        for seed in ("1", "2")
    ]
    assert found[0] == found[1]
    of_video = dict(zip(videos, found[0], strict=True))
    assert {row["youtube_id"]: row["split"] for row in rows(built)}.items() <= of_video.items()
    assert set(of_video.values()) == {"train", "validation", "test"}
    assert {row["identity"] for row in rows(built)} == {f"avspeech/main/{row['youtube_id']}" for row in rows(built)}


def test_official_test_videos_are_held_out_on_request(release, truth, tmp_path):
    folder = build(release, tmp_path / "out", split="official")
    for row in rows(folder):
        assert row["split"] == truth["clips"][row["key"]]["split_official"]
        assert (row["split"] == "test") == (row["release_split"] == "test")
        assert row["split_rule"] == "official"
    assert len(rows(folder)) == sum(not clip["left_out"] for clip in truth["clips"].values())


def test_stored_spectrograms_equal_those_of_the_repeated_voice(release, truth, tmp_path):
    odd = {facts["odd"]: video for video, facts in truth["videos"].items()}
    chosen = f"{odd['short']},{odd['id begins with a dash']}"
    folder = build(release, tmp_path / "out", subjects=chosen, features="speech2face")
    assert {row["youtube_id"] for row in rows(folder)} == set(chosen.split(","))
    for row in rows(folder):
        (sample,) = folder.fetch([row["key"]])
        voice = sample["voice.flac"].astype(np.float32) / 32_768
        repeated = np.concatenate([voice] * row["repeats"])[:96_000]
        assert len(repeated) == 96_000
        assert row["repeats"] == 3 or row["samples"] > 32_000
        stored = sample["speech2face.array"]
        assert stored.shape == (2, 598, 257) and stored.dtype == np.float32
        assert np.array_equal(stored, speech2face(torch.from_numpy(repeated)).numpy())


def test_two_workers_write_the_bytes_of_one(release, truth, built, tmp_path, tree):
    few = ",".join(sorted(truth["videos"])[:4])
    one, two = (build(release, tmp_path / str(count), subjects=few, workers=count, shard_mb=1) for count in (1, 2))
    assert tree(one.path) == tree(two.path)
    known = {row["key"]: row["fields"][0]["sha256"] for row in rows(built)}
    assert all(known[row["key"]] == row["fields"][0]["sha256"] for row in rows(one))


def test_nothing_is_written_beside_the_release(built, release, truth):
    names = {path.relative_to(release).as_posix().split("/")[0] for path in release.rglob("*")}
    assert names == {"avspeech_train.csv", "avspeech_test.csv", "clips", "videos", "forged.json"}
    assert {path.suffix for path in release.rglob("*.*") if path.parent != release} == {".mp4", ".webm"}
    clips = {path.stem[:11] for path in (release / "clips").iterdir()}
    assert not clips & {video for video, facts in truth["videos"].items() if facts["odd"].startswith("whole")}


def test_several_faces_are_left_out_on_request(release, truth, tmp_path):
    odd = {facts["odd"]: video for video, facts in truth["videos"].items()}
    chosen = [odd["two faces"], odd["late face"]]
    folder = build(release, tmp_path / "out", subjects=",".join(chosen), one_face=True, quality=80)
    assert {row["youtube_id"] for row in rows(folder)} == {odd["late face"]}
    left = [row for row in quarantine(folder) if row["stage"] == "several faces"]
    assert len(left) == 2
    assert all(json.loads(row["measured"])["faces"] == 2 for row in left)


def test_files_that_no_row_names_are_told_of(release, truth, tmp_path):
    raw = tmp_path / "raw"
    shutil.copytree(release, raw)
    clip = next(path for path in sorted((raw / "clips").iterdir()))
    clip.rename(clip.with_stem(clip.stem[:-1] + str((int(clip.stem[-1]) + 1) % 10)))
    (raw / "clips" / "holiday.mp4").write_bytes(b"x")
    shutil.copy(clip.with_stem(clip.stem[:-1] + str((int(clip.stem[-1]) + 1) % 10)), raw / "videos" / "abcdefghijk.mp4")
    folder = build(raw, tmp_path / "out", limit=1)
    strays = [row for row in quarantine(folder) if row["stage"] == "no row"]
    assert len(strays) == 3
    missing = [row["place"] for row in quarantine(folder) if row["stage"] == "missing video"]
    assert f"clips/{clip.name}" in missing


def test_a_release_without_tables_or_an_unknown_detector_is_refused(release, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="avspeech_train.csv"):
        build(tmp_path / "empty", tmp_path / "out")
    with pytest.raises(ValueError, match="dlib-hog"):
        build(release, tmp_path / "out", detector="dlib-hogg")
    shutil.copy(release / "avspeech_train.csv", tmp_path / "empty")
    with pytest.raises(FileNotFoundError, match="--split official needs"):
        build(tmp_path / "empty", tmp_path / "out", split="official")


TALKING = {
    "astorfi_sample": "talkastorfi",
    "vr_face1": "-talkvrface",
    "vr_face3": "00000000003",
    "vr_face4": "talkvrface4",
}


@pytest.mark.real
def test_real_talking_clips_are_kept_with_their_own_voice_and_face(real, tmp_path):
    raw = tmp_path / "raw"
    (raw / "videos").mkdir(parents=True)
    lines = []
    for name, video in TALKING.items():
        shutil.copy(real / "talking" / "video" / f"{name}.mp4", raw / "videos" / f"{video}.mp4")
        lines.append(f"{video},0.0,4.5,0.5,0.4\n")
        lines.append(f"{video},1.234,5.0,0.5,0.4\n")
    negative = {"lp_d18": "silentlpd18", "short_hamilton_clip": "hamiltonfff", "avobjects_demo": "avobjectsff"}
    for name, video in negative.items():
        shutil.copy(real / "talking_negative" / "video" / f"{name}.mp4", raw / "videos" / f"{video}.mp4")
        lines += [f"{video},0.0,6.5,{x},0.5\n" for x in (0.3,)]
    lines += [f"{negative['avobjects_demo']},{start},{start + 4},{x},0.5\n" for start, x in ((3.0, 0.1), (5.0, 0.9))]
    (raw / "avspeech_train.csv").write_text("".join(lines))
    folder = build(raw, tmp_path / "out")
    found = {(row["youtube_id"], row["start_ms"]): row for row in rows(folder)}
    boxes = np.genfromtxt(real / "ground_truth" / "video_faces.csv", str, delimiter=",", skip_header=1)
    for name, video in TALKING.items():
        theirs = whole_sound(real / "talking" / "audio" / f"{name}.wav")
        for start in (0, 1_234):
            row = found[video, start]
            (sample,) = folder.fetch([row["key"]], ["voice.flac"])
            lag, agreement = best_lag(sample["voice.flac"], theirs[16 * start :])
            assert abs(lag) <= 1 and agreement > 0.98, (name, lag, agreement)
        first = next(line for line in boxes if line[0].endswith(f"{name}.mp4") and line[1] == "0")
        left, top, right, bottom = map(int, first[3].split())
        box = found[video, 0]["face_box"]
        across = min(right, box["right"]) - max(left, box["left"])
        down = min(bottom, box["bottom"]) - max(top, box["top"])
        ours = (box["right"] - box["left"]) * (box["bottom"] - box["top"])
        shared = across * down
        assert across > 0 and shared / ((right - left) * (bottom - top) + ours - shared) > 0.6, name
    left_out = {row["place"]: row["stage"] for row in quarantine(folder)}
    assert left_out == {"videos/silentlpd18.mp4": "no audio"}
    assert found["hamiltonfff", 0]["frame_attempt"] > 1
    group = [found["avobjectsff", start] for start in (3_000, 5_000)]
    assert all(row["faces"] >= 4 for row in group)
    assert group[0]["face_box"]["right"] < group[1]["face_box"]["left"]
    assert check(folder.path).problems == []


def test_statistics_tell_of_every_segment_left_out(built):
    found = statistics(built)
    steps = next(table.rows for table in found.tables if table.title == "Left out step by step: clips")
    left = [row for row in quarantine(built) if row["key"]]
    # A video of which there is nothing is one row for all its segments.
    segments = sum(json.loads(row["measured"] or "{}").get("clips", 1) for row in left)
    assert steps[0][1] == len(rows(built)) + segments and steps[-1][3] == len(rows(built))
    assert {row[0] for row in steps} == {row["stage"] for row in left}
