"""A collection written by hand, faces and voices of forged people, through the builder: every row accounted for."""

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
from datasets import load_dataset
from facevox.builders.core.decisions import Decision, append, now
from facevox.builders.core.run import BuildOptions, run
from facevox.builders.population.heads import still
from facevox.builders.population.people import draw
from facevox.builders.population.voices import RATE, speak
from facevox.builders.stages.chinese_vf_options import ChineseVfOptions
from facevox.loaders.folder import Folder, FolderError, file_sha256
from facevox.loaders.resample import resample
from facevox.loaders.statistics import statistics
from facevox.loaders.verify import check

PARAMETERS = {
    "parameters": {"detector": "mtcnn", "face_embedder": "dlib", "voice_embedder": "mfcc", "box_scale": 1.3, "seed": 0},
    "thresholds": {"face": {"value": 0.9, "how": "calibrated"}, "voice": {"value": 0.5, "how": "calibrated"}},
}
UNLIKE, AGAIN = "cosine not above tau_face", "nearly the same as an earlier kept face of the video"
VIDEOS = {"cvf0001": ("v0001", "v0002", "v0003"), "cvf0002": ("v0001", "v0002"), "cvf0003": ("lecture-one",)}
FACE = ["speaker_id", "video_id", "frame_ms", "k", "x", "y", "w", "h", "det_conf", "score", "kept", "reason"]
VOICE = ["speaker_id", "video_id", "start_ms", "end_ms", "score", "kept", "reason"]
WINDOWS = ((0, 3000), (3000, 6500), (9000, 12000))


class Written:
    """What stands in a collection: rows of its tables and files by place, to be changed before it is written."""

    def __init__(self, faces: dict[str, bytes], sounds: dict[str, np.ndarray]) -> None:
        self.speakers = [[who, "f" if who == "cvf0002" else "m", 1, 1, 1, at] for at, who in enumerate(VIDEOS)]
        self.videos = [[video, who, "lecture", 30, 25, 0, 12] for who, all_ in VIDEOS.items() for video in all_]
        self.face: list[list] = []
        self.voice: list[list] = []
        self.files: dict[str, bytes] = {}
        for who, video in ((who, video) for who, all_ in VIDEOS.items() for video in all_):
            for second in range(5):
                kept, reason = (0, (UNLIKE, AGAIN)[second % 2]) if second > 2 else (1, "")
                score = 0.95 - 0.1 * (second > 2) - 0.001 * second
                row = [who, video, second * 1000, 0, 10.5, 20, 50, 60.25, 0.99, score, kept, reason]
                self.face.append(row)
                if kept:
                    self.files[f"face/{who}/{video}/{second * 1000:08d}_0.jpg"] = faces[who]
            for at, (start, end) in enumerate(WINDOWS):
                kept, reason = (0, "cosine not above tau_voice") if at == 2 else (1, "")
                self.voice.append([who, video, start, end, 0.8 - 0.3 * (at == 2), kept, reason])
                if kept:
                    sound = wav(sounds[who][: (end - start) * 16])
                    self.files[f"voice/{who}/{video}/{start:08d}_{end:08d}.wav"] = sound
            self.files[f"ground_truth/{who}/faces/1.png"] = b"never read"
        self.files[".collect/state.json"] = b"{"
        self.files["forged.json"] = b"{}"

    def tables(self) -> dict[str, bytes]:
        speakers = ["speaker_id", "gender", "n_videos", "n_segments", "n_faces", "fold"]
        videos = ["video_id", "speaker_id", "source", "duration_s", "fps", "gt_start_s", "gt_end_s"]
        return {
            "meta/speakers.csv": table(speakers, self.speakers),
            "meta/videos.csv": table(videos, self.videos),
            "candidates/face.csv": table(FACE, self.face),
            "candidates/voice.csv": table(VOICE, self.voice),
            "config.json": json.dumps(PARAMETERS).encode(),
        }

    def to(self, out: Path) -> Path:
        for name, data in (self.tables() | self.files).items():
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            (out / name).write_bytes(data)
        return out


def table(header: list[str], rows: list[list]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue().encode()


def wav(samples: np.ndarray) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, samples, 16_000, format="WAV", subtype="PCM_16")
    return out.getvalue()


@pytest.fixture(scope="module")
def media():
    faces, sounds = {}, {}
    for number, who in enumerate(VIDEOS):
        person = draw(5, number, "Female" if who == "cvf0002" else "Male")
        picture, _ = still(person, 1)
        faces[who] = cv2.imencode(".jpg", cv2.resize(picture[..., :3], (96, 128)))[1].tobytes()
        voice = speak(person, "turn on the kitchen light please now", 4 * RATE, np.random.default_rng(number))
        sounds[who] = resample(np.rint(voice * 20_000).astype(np.int16), RATE, 16_000)
    return faces, sounds


@pytest.fixture
def written(media):
    return Written(*media)


@pytest.fixture(scope="module")
def raw(media, tmp_path_factory):
    return Written(*media).to(tmp_path_factory.mktemp("collected") / "C")


@pytest.fixture(scope="module")
def built(raw, tmp_path_factory):
    return build(raw, tmp_path_factory.mktemp("built") / "O")


def build(raw: Path, out: Path, **options) -> Folder:
    own = {name: options.pop(name) for name in list(options) if name in ChineseVfOptions.__dataclass_fields__}
    run(BuildOptions("chinese_vf", str(raw), out, release=ChineseVfOptions(**own), **options))
    return Folder(out)


def rows(folder: Folder, **wanted) -> list[dict]:
    return [row for row in folder.index.to_pylist() if all(row[name] == value for name, value in wanted.items())]


def left_out(folder: Folder) -> list[tuple[str, str, str]]:
    return [(row["key"], row["stage"], row["place"]) for row in folder.quarantine.to_pylist()]


def files_of(folder: Folder) -> dict[str, bytes]:
    names = (path for path in folder.path.rglob("*") if path.is_file() and ".build" not in path.parts)
    return {path.relative_to(folder.path).as_posix(): path.read_bytes() for path in names}


def test_what_the_collection_kept_is_built_and_all_else_is_told(built):
    assert check(built.path).problems == []
    assert left_out(built) == []
    assert len(rows(built, config="faces")) == 18 and len(rows(built, config="voices")) == 12
    table = built.table("candidates").to_pylist()
    assert len(table) == 6 * (5 + 3) and sum(row["kept"] for row in table) == 30
    assert {row["key"] for row in table if row["kept"]} == {row["key"] for row in rows(built)}
    assert {row["reason"] for row in table if not row["kept"]} == {UNLIKE, AGAIN, "cosine not above tau_voice"}
    (person,) = [row for row in built.table("identities").to_pylist() if row["speaker_id"] == "cvf0001"]
    assert person["identity"] == "chinese_vf/main/cvf0001"
    assert (person["gender"], person["fold"], person["split"]) == ("m", 0, "test")
    assert (person["samples_faces"], person["samples_voices"]) == (9, 6)


def test_samples_carry_the_bytes_and_facts_of_the_collection(built, raw):
    key = "main-cvf0002_v0002_00001000_000"
    row = built.row(key)
    expected = {"speaker_id": "cvf0002", "gender": "f", "fold": 1, "split": "train", "split_rule": "vfmr4 fold 0"}
    expected |= {
        "video_id": "v0002",
        "frame_ms": 1000,
        "face_number": 0,
        "width": 96,
        "height": 128,
        "split_group": None,
    }
    expected |= {"detector": "mtcnn", "face_embedder": "dlib", "licence": "none needed: forged by facevox"}
    assert {name: row[name] for name in expected} == expected
    assert row["box"] == {"left": 10.5, "top": 20, "right": 60.5, "bottom": 80.25}
    assert [row[name] for name in ("box_scale", "det_conf", "score", "tau_face")] == pytest.approx(
        [1.3, 0.99, 0.949, 0.9]
    )
    (sample,) = load_dataset(str(built.path), "faces", split="train").filter(lambda row: row["__key__"] == key)
    jpeg = (raw / "face/cvf0002/v0002/00001000_0.jpg").read_bytes()
    shard, entry = built.path / row["shard"], row["fields"][0]
    assert shard.read_bytes()[entry["offset"] : entry["offset"] + entry["size"]] == jpeg
    assert sample["face.jpg"].size == (96, 128)
    voice = built.row("main-cvf0002_v0002_00003000_00006500")
    assert (voice["start_ms"], voice["end_ms"], voice["samples"], voice["codec"]) == (3000, 6500, 56_000, "wav")
    assert voice["score"] == pytest.approx(0.8) and voice["tau_voice"] == 0.5 and voice["speech_seconds"] > 1
    (sound,) = built.fetch([voice["key"]])
    assert np.array_equal(
        sound["voice.flac"], soundfile.read(raw / "voice/cvf0002/v0002/00003000_00006500.wav", dtype="int16")[0]
    )


def test_tables_load_without_code_of_ours(built):
    table = load_dataset(str(built.path / "tables"), "candidates", split="train")
    assert len(table) == 48 and sum(table["kept"]) == 30
    assert "candidates" in built.tables and "`candidates`" in (built.path / "tables/README.md").read_text()
    with pytest.raises(FolderError, match="no table 'candidate'; there is: candidates, identities"):
        built.table("candidate")


def test_folders_of_one_name_are_not_taken_for_each_other(written, built, tmp_path):
    written.face[0][9] = 0.96
    other = build(written.to(tmp_path / "C"), tmp_path / "O")
    assert other.path.name == built.path.name
    for folder, score in ((built, 0.95), (other, 0.96)):
        table = load_dataset(str(folder.path / "tables"), "candidates", split="train")
        faces = load_dataset(str(folder.path), "faces", split="test")
        assert table[0]["key"] == faces[0]["__key__"] == "main-cvf0001_v0001_00000000_000"
        assert table[0]["score"] == faces[0]["json"]["score"] == pytest.approx(score)


def test_every_odd_row_and_file_has_its_row_in_the_quarantine(written, tmp_path):
    cut = "face/cvf0001/v0001/00000000_0.jpg"
    written.files[cut] = written.files[cut][:-300]
    written.files["voice/cvf0001/v0001/00000000_00003000.wav"] = b"RIFF"
    written.files["voice/cvf0001/v0001/00003000_00006500.wav"] = wav(np.zeros(8000, np.int16))
    del written.files["face/cvf0001/v0002/00001000_0.jpg"]
    written.files["face/cvf0001/v0002/00009000_0.jpg"] = b"nobody names it"
    written.files["face/cvf0001/v0009/00009000_0.jpg"] = b"nobody names it"
    written.files["face/cvf0001/odd.jpg"] = b""
    written.face.append(["cvf0001", "v0001", 1000, 0, 1, 1, 9, 9, 0.9, 0.9, 1, "twice"])
    written.face.append(["cvf0001", "v0001", "soon", 0, 1, 1, 9, 9, 0.9, 0.9, 1, ""])
    written.face.append(["cvf0001", "v0001", 7000, 0, 1, 1, -9, 9, 0.9, 0.9, 0, ""])
    written.face.append(["cvf0001", "v0001", 8000, 0, 1, 1, 9, 9, 0.9, "nan", 1, ""])
    written.face.append(["cvf0007", "v0001", 8000, 0, 1, 1, 9, 9, 0.9, 0.9, 1, ""])
    written.voice.append(["../../etc", "v0001", 0, 3000, 0.9, 1, ""])
    written.voice.append(["cvf0001", "v0001", 3000, 3000, 0.9, 1, ""])
    written.voice.append(["cvf0001", "v0077", 0, 3000, 0.9, 1, ""])
    written.voice.append(["cvf0006", "v0001", 0, 3000, "", 0, "video left out: the target is never seen"])
    written.files["candidates/refused.csv"] = table(
        ["speaker_id", "video_id", "digest", "stage", "reason"], [["cvf0006", "v0001", "ab", "hear", "never seen"]]
    )
    written.speakers.append(["cvf0004", "m", 0, 0, 0, 2])
    written.speakers.append(["cvf0005", "x", 0, 0, 0, 2])
    built = build(written.to(tmp_path / "C"), tmp_path / "O")
    found = left_out(built)
    faces = [
        (row["key"], row["stage"], row["reason"]) for row in built.quarantine.to_pylist() if row["config"] == "faces"
    ]
    told = sorted((stage, key) for key, stage, _ in faces)
    assert told == [
        *[("bad row", "")] * 5,
        *[("collect", "")] * 2,
        ("decode", "main-cvf0001_v0001_00000000_000"),
        ("list", ""),
        ("missing file", "main-cvf0001_v0002_00001000_000"),
        *[("no row", "")] * 2,
        ("table", ""),
    ]
    reasons = " | ".join(reason for *_, reason in faces)
    assert "frame_ms is 'soon'" in reasons and "score is 'nan'" in reasons and "2 rows keep" in reasons
    assert "not in meta/speakers.csv" in reasons and "cut short" in reasons and "gender 'x'" in reasons
    voices = [(row["stage"], row["reason"]) for row in built.quarantine.to_pylist() if row["config"] == "voices"]
    assert [stage for stage, _ in voices].count("bad row") == 3
    assert ("collect", "video v0001 of cvf0006: hear: never seen") in voices
    stages = {key: stage for key, stage, _ in found if key}
    assert stages["main-cvf0001_v0001_00000000_00003000"] == "decode"
    assert stages["main-cvf0001_v0001_00003000_00006500"] in ("speech", "length")
    assert check(built.path).problems == []
    kept = sum(row["kept"] for row in built.table("candidates").to_pylist())
    assert kept == built.index.num_rows + len(stages)


def test_folders_archives_per_person_and_one_archive_of_all_give_the_same(written, built, tmp_path):
    packed = tmp_path / "packed"
    files, written.files = written.files, {"forged.json": b"{}"}
    written.to(packed)
    for kind, who in (("face", None), *(("voice", who) for who in VIDEOS)):
        stem = packed / kind if who is None else packed / kind / who
        stem.parent.mkdir(exist_ok=True)
        with zipfile.ZipFile(f"{stem}.zip", "w") as archive:
            for name, data in files.items():
                if name.startswith(f"{kind}/{who or ''}"):
                    archive.writestr(name, data)
    whole = tmp_path / "whole"
    whole.mkdir()
    with zipfile.ZipFile(whole / "C.zip", "w") as archive:
        for name, data in (written.tables() | files).items():
            archive.writestr(f"C/{name}", data)
    expected = files_of(built)
    for place in (packed, whole):
        assert files_of(build(place, tmp_path / f"O-{place.name}")) == expected


def test_workers_formats_and_kills_change_nothing(raw, built, tmp_path):
    assert files_of(build(raw, tmp_path / "two", workers=2)) == files_of(built)
    code = f"""if __name__ == "__main__":
    from facevox.builders.core.run import BuildOptions, run
    from facevox.builders.stages.chinese_vf_options import ChineseVfOptions
    from pathlib import Path
    run(BuildOptions("chinese_vf", {str(raw)!r}, Path({str(tmp_path / "killed")!r}), release=ChineseVfOptions()))"""
    child = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": ""})
    sidecars = tmp_path / "killed/.build/shards"
    until = time.monotonic() + 60
    while not list(sidecars.rglob("*.json")) and child.poll() is None and time.monotonic() < until:
        time.sleep(0.002)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert not (tmp_path / "killed/checksums.sha256").exists() or child.returncode == 0
    assert files_of(build(raw, tmp_path / "killed")) == files_of(built)
    for form in ("parquet", "arrow"):
        other = build(raw, tmp_path / form, format=form)
        assert check(other.path).problems == []
        assert other.table("candidates") == built.table("candidates")


def test_splits_go_by_fold_or_by_video(raw, tmp_path):
    third = build(raw, tmp_path / "fold", fold=2)
    assert {row["identity"][-7:]: row["split"] for row in rows(third)} == {
        "cvf0001": "train",
        "cvf0002": "train",
        "cvf0003": "test",
    }
    assert {row["split"] for row in rows(build(raw, tmp_path / "all", splits="vfmr3"))} == {"test"}
    heard = build(raw, tmp_path / "sh", splits="sh")
    assert check(heard.path).problems == []
    splits: dict[str, set] = {}
    for row in rows(heard):
        splits.setdefault(row["split_group"], set()).add(row["split"])
    assert all(len(found) == 1 for found in splits.values())
    tested = sorted(group for group, found in splits.items() if found == {"test"})
    # A video of each person with several, none of who has only one.
    assert [group[:12] for group in tested] == ["main-cvf0001", "main-cvf0002"]
    with pytest.raises(ValueError, match=r"nobody is in fold 4, there is: 0, 1, 2. Choose another --fold"):
        build(raw, tmp_path / "none", fold=4)


def test_more_videos_extend_the_folder_and_other_scores_do_not(written, tmp_path):
    whole = written.to(tmp_path / "C")
    first = tmp_path / "first"
    shutil.copytree(whole, first)
    keep = ("v0001", "v0002")
    for name in ("candidates/face.csv", "candidates/voice.csv"):
        lines = (first / name).read_text().splitlines(keepends=True)
        (first / name).write_text("".join([lines[0], *(line for line in lines[1:] if line.split(",")[1] in keep)]))
    for kind in ("face", "voice"):
        shutil.rmtree(first / kind / "cvf0001/v0003")
        shutil.rmtree(first / kind / "cvf0003")
    raw, out = tmp_path / "growing", tmp_path / "O"
    shutil.copytree(first, raw)
    before = build(raw, out)
    shards = {name: data for name, data in files_of(before).items() if name.startswith("data/")}
    shutil.copytree(whole, raw, dirs_exist_ok=True)
    with pytest.raises(FolderError, match="--extend"):
        build(raw, out)
    after = build(raw, out, extend=True)
    assert check(out).problems == []
    assert after.index.num_rows == 30 and after.table("candidates").num_rows == 48
    assert all(files_of(after)[name] == data for name, data in shards.items())
    text = (raw / "candidates/face.csv").read_text().replace("0.95,1", "0.96,1")
    (raw / "candidates/face.csv").write_text(text)
    with pytest.raises(FolderError, match="gone from the release or changed"):
        build(raw, out, extend=True)


def test_people_limits_configs_arrays_and_decisions(raw, tmp_path):
    one = build(raw, tmp_path / "one", subjects="2-3", configs=("faces",), limit=2)
    assert check(one.path).problems == []
    assert {row["speaker_id"] for row in one.table("candidates").to_pylist()} == {"cvf0002"}
    assert {row["config"] for row in one.table("candidates").to_pylist()} == {"faces"}
    two = build(raw, tmp_path / "two", subjects="cvf0003", fold=2, features="vfmr,sf2f")
    (voice, _) = rows(two, config="voices")
    (sample,) = two.fetch([voice["key"]])
    assert sample["vfmr.array"].shape == (257, voice["samples"] // 160)
    assert sample["sf2f.array"].shape == (40, voice["mel_frames"])
    face = rows(two, config="faces")[0]["key"]
    append(two.path / "review.jsonl", Decision(face, "face", "leave out", None, "blurred", "ann", now()))
    again = build(raw, tmp_path / "two", subjects="cvf0003", fold=2, features="vfmr,sf2f")
    assert (face, "review") in {(key, stage) for key, stage, _ in left_out(again)}
    assert check(again.path).problems == []


def test_verify_holds_the_candidates_against_samples_and_quarantine(built, tmp_path):
    def spoiled(name: str, change) -> list[str]:
        shutil.copytree(built.path, tmp_path / name)
        path, sums = tmp_path / name / "tables/candidates.parquet", tmp_path / name / "checksums.sha256"
        before = file_sha256(path)
        pq.write_table(change(pq.read_table(path)), path)
        sums.write_text(sums.read_text().replace(before, file_sha256(path)))
        return check(tmp_path / name).problems

    assert "1 kept candidates of faces neither built nor left out" in " ".join(
        spoiled("more", lambda table: _with(table, 3, kept=True))
    )
    assert "1 samples of faces are no kept candidates" in " ".join(
        spoiled("less", lambda table: _with(table, 0, kept=False, reason="score"))
    )
    assert "1 kept candidates of faces occur twice" in " ".join(
        spoiled("twice", lambda table: _with(table, 1, key=table["key"][0].as_py()))
    )
    assert "without a reason" in " ".join(spoiled("mute", lambda table: _with(table, 3, reason="")))
    assert "columns missing: score" in " ".join(spoiled("short", lambda table: table.drop_columns(["score"])))


def _with(table, row, **values):
    plain = table.to_pylist()
    plain[row] |= values
    return table.from_pylist(plain, schema=table.schema)


def test_statistics_stand_beside_the_published_ones(built):
    found = {table.title: table for table in statistics(built).tables}
    counted = {row[:1]: row for row in found["Table 1"].rows}
    assert counted[("total",)] == ("total", 500, 3, "-497", 296_269, 12, "-296,257", 1_150_710, 18, "-1,150,692")
    assert counted[("female",)][1:3] == (258, 1)
    steps = {row[0]: row[2] for row in found["Left out step by step: faces"].rows}
    assert steps == {"score": 6, "duplicate": 6}
    assert {row[0]: row[2] for row in found["Left out step by step: voices"].rows} == {"score": 6}
    panels = {panel.title: panel for panel in statistics(built).panels if "similarity" in panel.bins}
    assert {panel.mark for panel in panels.values()} == {0.9, 0.5}
    (faces,) = [panel for panel in panels.values() if panel.mark == 0.9]
    assert {name: sum(counts) for name, counts in faces.series.items()} == {"before": 30, "after score": 24, "kept": 18}
    card = (built.path / "README.md").read_text()
    assert "Collected with box_scale 1.3, detector mtcnn" in card and "1,150,710" in card


def test_a_folder_of_videos_is_told_from_a_collection(tmp_path):
    (tmp_path / "videos").mkdir()
    with pytest.raises(FileNotFoundError, match="no meta/speakers.csv. Pass the folder that `facevox collect"):
        build(tmp_path, tmp_path.parent / "O")
