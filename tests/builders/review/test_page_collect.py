"""A marking session in a real browser, from the first face to the verdict; its marks then make the same collection."""

import json
import shutil
from pathlib import Path

import pytest
from facevox.builders.stages.collection import collect
from facevox.builders.stages.collection_options import CollectOptions
from facevox.builders.stages.marks import read, settle
from playwright.sync_api import expect

SECONDS = 17
LABELS = 46
"""Pixels left of a timeline's time 0 (page/collect_timeline.js)."""


@pytest.fixture
def session(talkers, tmp_path) -> tuple[Path, dict]:
    """Videos of which only the second talker is marked, and what the first one's marks were."""
    videos = shutil.copytree(talkers, tmp_path / "videos")
    lines = [json.loads(line) for line in (videos / "marks.jsonl").read_text().splitlines()]
    first = sorted(path.name for path in videos.iterdir() if path.is_dir())[0]
    own = [m for m in lines if m["video"].startswith(first) or m["value"].get("folder") == first]
    (videos / "marks.jsonl").write_text("".join(json.dumps(m) + "\n" for m in lines if m not in own))
    return videos, {
        "folder": first,
        "moments": [m["value"]["ms"] for m in own if m["about"] == "screenshot"],
        "period": next(m["value"] for m in own if m["about"] == "period"),
    }


def place(page, ms: float) -> tuple[float, float]:
    """Where a moment of the video lies on the waveform."""
    box = page.locator("canvas.timeline").bounding_box()
    return box["x"] + LABELS + ms / (SECONDS * 1000) * (box["width"] - LABELS), box["y"] + 60


def drag(page, start: tuple[float, float], end: tuple[float, float]) -> None:
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move((start[0] + end[0]) / 2, start[1], steps=4)
    page.mouse.move(*end, steps=4)
    page.mouse.up()


def until(page, holds) -> None:
    """Wait for what is put on record when the hand rests."""
    for _ in range(100):
        if holds():
            return
        page.wait_for_timeout(100)
    raise AssertionError("not on record after ten seconds")


def in_force(videos: Path, name: str):
    marks = settle(read(videos / "marks.jsonl").marks)
    return marks, next(own for path, own in marks.videos.items() if path.startswith(name))


def tree(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files if ".collect" not in path.parts}


def mark_faces_and_period(page, videos, known) -> None:
    expect(page.locator(".whose input")).to_be_visible()
    page.keyboard.press("b")
    page.keyboard.press("Enter")
    expect(page.locator(".whose .tag.mine")).to_be_visible()
    for count, moment in enumerate(known["moments"], 1):
        page.mouse.click(*place(page, moment))
        page.keyboard.press("c")
        expect(page.locator(".boxes button").first).to_be_visible(timeout=60_000)
        page.keyboard.press("1")
        expect(page.locator(".thumbs .thumb")).to_have_count(count)
    start, end = known["period"]["start_ms"] + 150, known["period"]["end_ms"] - 150
    drag(page, place(page, start), place(page, end))
    expect(page.locator(".span .time")).to_have_count(2)
    expect(page.locator(".people section").first.locator(".tag")).to_have_text("✓ ready")
    _, own = in_force(videos, known["folder"])
    assert abs(own.period.start_ms - start) < 60 and abs(own.period.end_ms - end) < 60
    before = own.period
    for _ in range(3):
        page.keyboard.press(",")
    page.keyboard.press("e")
    page.keyboard.press(".")
    until(page, lambda: in_force(videos, known["folder"])[1].period.start_ms != before.start_ms)
    _, own = in_force(videos, known["folder"])
    # Frames of 25 or 29.97 a second.
    assert -130 < own.period.end_ms - before.end_ms < -90
    assert 30 < own.period.start_ms - before.start_ms < 45


def test_a_marking_session_from_start_to_end(serve, page, session, tmp_path):
    videos, known = session
    out = tmp_path / "out"
    served = serve(videos, "collect", str(videos), "--out", str(out), "--who", "ann")
    page.goto(served.address)
    expect(page.locator(".video.here")).to_have_count(1)
    mark_faces_and_period(page, videos, known)
    marks, own = in_force(videos, known["folder"])
    assert len(own.screenshots) == 3 and all(shot.box for shot in own.screenshots)
    assert len({who.speaker for who in marks.speakers.values()}) == 2

    page.mouse.click(*place(page, 7_000))
    page.wait_for_timeout(700)
    shown = page.locator(".transport .place").inner_text()
    page.reload()
    expect(page.locator(".thumbs .thumb")).to_have_count(3)
    expect(page.locator(".transport .place")).to_have_text(shown)
    assert "0:07" in shown

    page.keyboard.press("a")
    expect(page.locator(".scores.face")).to_be_visible(timeout=120_000)
    expect(page.locator(".scores.voice .count")).to_contain_text("segment", timeout=60_000)
    expect(page.locator(".near .thumb img").first).to_be_visible()
    histogram = page.locator(".scores.voice canvas").bounding_box()
    middle = histogram["y"] + 40
    drag(page, (histogram["x"] + histogram["width"] * 0.4, middle), (histogram["x"] + histogram["width"] * 0.7, middle))
    expect(page.locator(".scores.voice .row")).to_contain_text("set by hand")
    page.keyboard.press("f")
    page.keyboard.press("+")
    until(page, lambda: in_force(videos, known["folder"])[0].face is not None)
    marks, _ = in_force(videos, known["folder"])
    assert marks.voice is not None and 0 < marks.voice < 1

    page.keyboard.press("y")
    expect(page.locator(".verdict .tag")).to_have_text("✓ accepted")
    expect(page.locator(".video.here .sign")).to_have_text("✓")
    expect(page.locator("#left")).to_have_text("1 left of 2")
    page.keyboard.press("u")
    expect(page.locator(".verdict .tag")).to_have_text("open")
    page.keyboard.press("y")
    expect(page.locator(".verdict .tag")).to_have_text("✓ accepted")

    page.keyboard.press("w")
    expect(page.locator(".running small")).to_contain_text("written to", timeout=120_000)
    report = collect(CollectOptions(videos, tmp_path / "again", videos / "marks.jsonl"))
    assert tree(tmp_path / "again") == tree(out)
    speaker = marks.speakers[known["folder"]].speaker
    kept = next(one for video, one in report.kept() if video.speaker == speaker)
    expect(page.locator(".scores.face .count")).to_contain_text(f"keeps {kept.faces} of ")
    expect(page.locator(".scores.voice .count")).to_contain_text(f"keeps {kept.segments} segment")
    expect(page.locator(".scores.voice .count")).to_contain_text(f" {kept.segment_seconds:.1f} of ")

    page.keyboard.press("o")
    expect(page.locator(".verdict .tag")).to_have_text("open")
    page.keyboard.press("n")
    page.keyboard.type("not a single talker")
    page.keyboard.press("Enter")
    expect(page.locator(".verdict .tag")).to_have_text("✗ turned down")
    marks, _ = in_force(videos, known["folder"])
    assert [own.reason for own in marks.videos.values() if own.verdict == "turn down"] == ["not a single talker"]
    other = next(one for video, one in report.kept() if video.speaker != speaker)
    expect(page.locator(".scores.face .count")).to_contain_text(f"keeps {other.faces} of ")


def test_the_video_plays_and_seeks_by_ranges(serve, page, talkers):
    """H.264 and AAC play in the browser; a jump asks for the part of the file that it needs."""
    served = serve(talkers, "collect", str(talkers), "--who", "ben")
    answers = []
    page.on("response", lambda answer: answers.append(answer.status) if answer.url.find("/file") > 0 else None)
    page.goto(served.address)
    page.wait_for_function("() => document.querySelector('video')?.readyState >= 2")
    page.keyboard.press(" ")
    page.wait_for_function("() => document.querySelector('video').currentTime > 0.5")
    page.keyboard.press(" ")
    page.mouse.click(*place(page, 14_000))
    page.wait_for_function("() => Math.abs(document.querySelector('video').currentTime - 14) < 0.1")
    before = page.evaluate("() => document.querySelector('video').currentTime")
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(300)
    stepped = page.evaluate("() => document.querySelector('video').currentTime") - before
    assert 0 < stepped < 0.09
    # One period: from its mark on, and stops at its end.
    page.keyboard.press("p")
    page.wait_for_function("() => !document.querySelector('video').paused")
    page.keyboard.press(" ")
    assert page.evaluate("() => document.querySelector('video').paused")
    assert set(answers) <= {200, 206}
    part = """() => fetch(document.querySelector('video').src, {headers: {Range: 'bytes=100-199'}})
        .then(async (answer) => [answer.status, (await answer.arrayBuffer()).byteLength])"""
    assert page.evaluate(part) == [206, 100]
