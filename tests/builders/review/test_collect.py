"""The collect view without a browser: marks on record, media by id alone, scores that a collection agrees with."""

import csv
import io
import json
import shutil
import time
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import soundfile
from facevox.builders.population.footage import write_video
from facevox.builders.review.collect_marks import Marking
from facevox.builders.review.collect_media import Waveforms
from facevox.builders.review.collect_run import Run
from facevox.builders.stages.collection import collect
from facevox.builders.stages.collection_options import CollectOptions
from facevox.builders.stages.marks import read, settle


@pytest.fixture
def videos(talkers, tmp_path) -> Path:
    """Two forged talkers, one video each, without marks."""
    shutil.copytree(talkers, tmp_path / "videos")
    (tmp_path / "videos" / "marks.jsonl").unlink()
    return tmp_path / "videos"


@pytest.fixture
def page(client, tmp_path):
    """page(videos, who): the application on a folder of videos."""

    def open_page(videos: Path, who: str = "ann"):
        return client(None, collect=CollectOptions(videos, tmp_path / "out"), who=who)

    return open_page


@pytest.fixture
def forged_marks(talkers) -> list[dict]:
    return [json.loads(line) for line in (talkers / "marks.jsonl").read_text().splitlines()]


def state_of(own) -> dict:
    return own.get("/api/collect/state").json()


def first(own) -> str:
    return state_of(own)["people"][0]["videos"][0]["id"]


def marked(own, video: str, about: str, **value):
    return own.post("/api/collect/mark", json={"video": video, "about": about, "value": value})


def test_people_and_videos_are_listed_with_what_is_missing(page, videos):
    own = page(videos)
    state = state_of(own)
    folders = sorted(path.name for path in videos.iterdir() if path.is_dir())
    assert [person["folder"] for person in state["people"]] == folders
    assert all(len(person["videos"]) == 1 and person["speaker"] == "" for person in state["people"])
    assert state["suggested"] == "cvf0001" and state["least"] == {"screenshots": 3, "period_ms": 10_000}
    assert own.get("/api/left").json()["collect"] == [0, 2]
    assert marked(own, first(own), "accept", verdict="accept", reason="").status_code == 200
    assert own.get("/api/left").json()["collect"] == [1, 2]


def test_a_video_is_served_in_ranges_and_by_its_id_alone(page, videos):
    own = page(videos)
    video = first(own)
    detail = own.get(f"/api/collect/videos/{video}").json()
    path = videos / detail["person"] / detail["name"]
    data = path.read_bytes()
    part = own.get(f"/api/collect/videos/{video}/file", headers={"Range": "bytes=1000-1999"})
    assert part.status_code == 206 and part.content == data[1000:2000]
    assert part.headers["content-range"] == f"bytes 1000-1999/{len(data)}"
    assert own.get(f"/api/collect/videos/{video}/file").content == data
    relative = path.relative_to(videos).as_posix()
    for name in (relative, relative.replace("/", "%2F"), "..%2F..%2Fetc%2Fpasswd", "%2E%2E", "0" * 12, "marks.jsonl"):
        for what in ("", "/file", "/frame/0.jpg", "/faces/0", "/sound/0_1000.wav", "/results", "/crop/0.jpg"):
            assert own.get(f"/api/collect/videos/{name}{what}").status_code == 404
    assert marked(own, "0" * 12, "screenshot", ms=0, box=None).status_code == 404
    assert marked(own, relative, "screenshot", ms=0, box=None).status_code == 404
    assert not (videos / "marks.jsonl").exists()


def test_a_frame_is_the_one_of_that_moment_and_its_faces_lie_where_they_were_forged(page, videos, forged_marks):
    own = page(videos)
    detail = own.get(f"/api/collect/videos/{first(own)}").json()
    assert detail["facts"]["sound"] and detail["facts"]["problem"] == ""
    path = videos / detail["person"] / detail["name"]
    shot = next(
        m
        for m in forged_marks
        if m["about"] == "screenshot" and m["video"] == f"{detail['person']}/{detail['name']}" and m["value"]["box"]
    )
    ms, (left, top, width, height) = shot["value"]["ms"], shot["value"]["box"]
    base = f"/api/collect/videos/{detail['id']}"
    shown = cv2.imdecode(np.frombuffer(own.get(f"{base}/frame/{ms}.jpg").content, np.uint8), cv2.IMREAD_COLOR_RGB)
    with av.open(str(path)) as file:
        frames = {float(frame.time): frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)}
    due = frames[max(at for at in frames if at <= ms / 1000 + 0.001)]
    assert shown.shape == due.shape and np.abs(shown.astype(int) - due).mean() < 4
    faces = own.get(f"{base}/faces/{ms}").json()["faces"]
    assert any(
        abs(x + w / 2 - left - width / 2) < 0.35 * width and abs(y + h / 2 - top - height / 2) < 0.35 * height
        for x, y, w, h in (face["box"] for face in faces)
    )
    x, y, w, h = faces[0]["box"]
    small = cv2.imdecode(np.frombuffer(own.get(f"{base}/face/{ms}.webp?box={x},{y},{w},{h}").content, np.uint8), 1)
    assert 40 < max(small.shape) <= 128
    assert own.get(f"{base}/frame/99000000.jpg").status_code == 400
    assert own.get(f"{base}/face/{ms}.webp?box=1,2,3").status_code == 400


def test_the_waveform_and_sounds_are_those_of_the_file(page, videos, tmp_path):
    own = page(videos)
    detail = own.get(f"/api/collect/videos/{first(own)}").json()
    path, base = videos / detail["person"] / detail["name"], f"/api/collect/videos/{detail['id']}"
    with av.open(str(path)) as file:
        mono = av.AudioResampler(format="flt", layout="mono", rate=16_000)
        parts = [part.to_ndarray()[0] for frame in file.decode(audio=0) for part in mono.resample(frame)]
    sound = np.concatenate(parts)[: 16 * 16_000]
    rows = np.array(own.get(f"{base}/waveform?start=0&end=16000&pixels=100").json())
    due = np.abs(sound.reshape(100, -1)).max(1) * 128
    assert rows.shape == (100, 2) and (rows[:, 0] <= 0).all()
    assert np.corrcoef(np.abs(rows).max(1), due)[0, 1] > 0.98
    close = np.array(own.get(f"{base}/waveform?start=4000&end=5000&pixels=100").json())
    assert (
        np.abs(close).max() == np.abs(np.array(own.get(f"{base}/waveform?start=4000&end=5000&pixels=1").json())).max()
    )
    heard, rate = soundfile.read(io.BytesIO(own.get(f"{base}/sound/4000_6000.wav").content))
    assert rate == 16_000 and len(heard) == 32_000
    assert np.corrcoef(heard, sound[64_000:96_000])[0, 1] > 0.99
    for query in ("start=5&end=5&pixels=10", "start=0&end=9&pixels=99999", "start=-1&end=9&pixels=1", "end=9&pixels=1"):
        assert own.get(f"{base}/waveform?{query}").status_code == 400
    assert own.get(f"{base}/sound/0_99999999.wav").status_code == 400


def test_a_file_without_sound_or_that_is_no_video_is_told_of(page, videos, tmp_path):
    (videos / "mute").mkdir()
    write_video(videos / "mute" / "a.mp4", (np.full((64, 64, 3), n, np.uint8) for n in range(40)), 10, None)
    (videos / "mute" / "b.mp4").write_bytes(b"not a video at all")
    own = page(videos)
    mute, broken = next(p for p in state_of(own)["people"] if p["folder"] == "mute")["videos"]
    known = own.get(f"/api/collect/videos/{mute['id']}").json()["facts"]
    assert not known["sound"] and known["width"] == 64 and known["frames_per_second"] == 10
    assert own.get(f"/api/collect/videos/{mute['id']}/waveform?start=0&end=4000&pixels=50").json() == []
    assert "not an mp4" in own.get(f"/api/collect/videos/{broken['id']}").json()["facts"]["problem"]
    assert marked(own, broken["id"], "screenshot", ms=0, box=None).status_code == 400
    assert marked(own, broken["id"], "accept", verdict="turn down", reason="broken").status_code == 200


def test_peaks_are_read_block_by_block_without_seams(tmp_path, monkeypatch):
    """Long sound is never in memory at once: blocks of a second give what one block gives."""
    from facevox.builders.review import collect_media

    tone = 0.5 * np.sin(np.arange(44_100 * 5) / 20) * np.linspace(0, 1, 44_100 * 5)
    write_video(tmp_path / "a.mp4", (np.zeros((64, 64, 3), np.uint8) for _ in range(50)), 10, tone)
    whole = Waveforms(tmp_path / "whole").read(tmp_path / "a.mp4", "a", 0, 5000, 500)
    monkeypatch.setattr(collect_media, "PEAKS_STEP_MS", 1000)
    parts = Waveforms(tmp_path / "parts").read(tmp_path / "a.mp4", "a", 0, 5000, 500)
    assert np.abs(np.array(whole) - np.array(parts)).max() <= 2
    levels = np.array(whole)[:, 1]
    assert levels[490:498].mean() > 60 and levels[:20].mean() < 5


@pytest.mark.parametrize(
    ("about", "value"),
    [
        ("screenshot", {"ms": 10**8, "box": None}),
        ("screenshot", {"ms": 99_000, "box": None}),
        ("screenshot", {"ms": 100, "box": [400, 10, 200, 50]}),
        ("screenshot", {"ms": 100, "box": "all"}),
        ("screenshot", {"ms": "now", "box": None}),
        ("period", {"start_ms": 0, "end_ms": 9_999}),
        ("period", {"start_ms": 1_000, "end_ms": 60_000}),
        ("accept", {"verdict": "perhaps", "reason": ""}),
        ("speaker", {"folder": "x", "speaker": "cvf0001", "gender": "f"}),
        ("face", {}),
    ],
)
def test_marks_outside_the_video_or_the_schema_are_refused_and_not_written(page, videos, about, value):
    own = page(videos)
    answer = marked(own, first(own), about, **value)
    assert answer.status_code == 400
    assert any(word in answer.json()["error"] for word in ("expected", "ends at"))
    assert not (videos / "marks.jsonl").exists()


def test_undo_takes_back_or_puts_back_and_outlives_a_restart(page, videos):
    own = page(videos)
    video = first(own)

    def period():
        return own.get(f"/api/collect/videos/{video}").json()["period"]

    assert own.post("/api/collect/undo", json={}).json()["mark"] is None
    marked(own, video, "period", start_ms=0, end_ms=12_000)
    marked(own, video, "period", start_ms=1_000, end_ms=12_000)
    marked(own, video, "screenshot", ms=500, box=None)
    marked(own, video, "screenshot", ms=500, undo=True)
    taken_back = own.post("/api/collect/undo", json={}).json()["mark"]
    assert (taken_back["about"], taken_back["id"]) == ("screenshot", video)
    assert own.get(f"/api/collect/videos/{video}").json()["screenshots"] == [{"ms": 500, "box": None}]
    other = page(videos, "ben")
    assert other.post("/api/collect/undo", json={}).json()["mark"] is None
    own = page(videos)
    own.post("/api/collect/undo", json={})
    assert own.get(f"/api/collect/videos/{video}").json()["screenshots"] == []
    own.post("/api/collect/undo", json={})
    assert period() == {"start_ms": 0, "end_ms": 12_000}
    own = page(videos)
    own.post("/api/collect/undo", json={})
    assert period() is None
    assert own.post("/api/collect/undo", json={}).json()["mark"] is None
    # Nothing was ever rewritten.
    assert len(read(videos / "marks.jsonl").marks) == 8


def test_marks_are_on_the_disk_at_once_and_a_torn_line_is_told(page, videos):
    own = page(videos)
    marked(own, first(own), "screenshot", ms=500, box=[10, 10, 50, 50])
    (line,) = (videos / "marks.jsonl").read_text().splitlines()
    assert json.loads(line)["who"] == "ann" and len(json.loads(line)["seen"]) == 64
    with (videos / "marks.jsonl").open("a") as file:
        file.write('{"video": "x')
    assert "cut short" in " ".join(state_of(own)["warnings"])
    marked(own, first(own), "screenshot", ms=900, box=None)
    assert [m.value["ms"] for m in read(videos / "marks.jsonl").marks] == [500, 900]


def wait(own) -> dict:
    for _ in range(600):
        run = own.get("/api/collect/run").json()
        if not run["running"]:
            return run
        time.sleep(0.1)
    raise AssertionError(f"still running: {run}")


def test_what_the_page_keeps_is_what_a_collection_from_the_same_marks_keeps(page, talkers, tmp_path):
    """Scores, near-duplicates and segments of the page against the tables that are written without it."""
    videos = shutil.copytree(talkers, tmp_path / "videos")
    own = page(videos)
    video = first(own)
    assert own.get(f"/api/collect/videos/{video}/results").json() == {"problem": ""}
    assert own.get(f"/api/collect/videos/{video}/effect?face=0.9&voice=0.5").status_code == 400
    assert own.post("/api/collect/run", json={"videos": [video]}).status_code == 200
    assert own.post("/api/collect/run", json={"videos": []}).status_code == 400
    own.post("/api/collect/stop", json={})
    assert "stopped" in wait(own)["error"]
    assert own.post("/api/collect/run", json={"videos": []}).json()["total"] == 2
    run = wait(own)
    assert run["error"] == "" and run["done"] == 2 and run["words"] == {}
    assert all(one["scanned"] for person in state_of(own)["people"] for one in person["videos"])
    results = own.get(f"/api/collect/videos/{video}/results").json()
    assert len(results["own"]["face"]) == 3 and len(results["others"]["face"]) == 3
    assert min(results["own"]["face"]) > max(results["others"]["face"])
    assert own.get(f"/api/collect/videos/{video}/crop/{results['faces'][0]['number']}.jpg").content[:2] == b"\xff\xd8"
    taus = {"face": results["given"]["face"]["value"], "voice": 0.65}
    effect = own.get(f"/api/collect/videos/{video}/effect", params=taus).json()
    options = CollectOptions(videos, tmp_path / "out", tau_face=taus["face"], tau_voice=taus["voice"])
    collect(options)
    detail = own.get(f"/api/collect/videos/{video}").json()
    speaker = settle(read(options.marks_file).marks).speakers[detail["person"]].speaker
    rows = {name: list(csv.DictReader((tmp_path / f"out/candidates/{name}.csv").open())) for name in ("voice", "face")}
    own_rows = {name: [row for row in rows[name] if row["speaker_id"] == speaker] for name in rows}
    assert [row["kept"] == "1" for row in own_rows["face"]] == [fate == 0 for fate in effect["faces"]]
    kept = [(int(row["start_ms"]), int(row["end_ms"])) for row in own_rows["voice"] if row["kept"] == "1"]
    assert kept and kept == [(start, end) for start, end, _ in effect["segments"]]
    again = own.get(f"/api/collect/videos/{video}/effect", params=taus).json()
    assert again == effect
    # Who turned it down still sees why: nothing of it goes from the screen.
    assert marked(own, video, "accept", verdict="turn down", reason="broken").status_code == 200
    assert own.get(f"/api/collect/videos/{video}/effect", params=taus).json() == effect
    assert own.get(f"/api/collect/videos/{video}/results").json() == results
    assert own.get(f"/api/collect/videos/{video}/crop/{results['faces'][0]['number']}.jpg").status_code == 200


def test_a_run_that_dies_is_told_of_and_the_next_one_starts(tmp_path):
    run = Run()
    run.start("scores", json.dumps, object(), ["a"])
    for _ in range(300):
        if not run.progress.running:
            break
        time.sleep(0.1)
    assert "ended at a" in run.progress.error
    with pytest.raises(ValueError, match="no video"):
        run.start("scores", json.dumps, object(), [])


def test_undo_leaves_what_somebody_else_changed_since(videos):
    ann, ben = (Marking(videos, videos / "marks.jsonl", who) for who in ("ann", "ben"))
    video = next(iter(ann.videos.values()))
    ann.mark(video, "period", {"start_ms": 0, "end_ms": 12_000})
    ben.mark(video, "period", {"start_ms": 2_000, "end_ms": 14_000})
    assert ann.undo() is None
    assert ann.marks().of(video.path).period.start_ms == 2_000
