"""Marks of a folder of videos: strict, last one wins, never lost but for the one being written."""

import json
import threading

import pytest
from facevox.builders.stages import marks
from facevox.builders.stages.marks import Mark, Period, Screenshot, append, read, settle

WHEN = "2026-03-01T12:00:00Z"


def mark(video, about, value, who="ann", seen=""):
    return Mark(video, about, value, who, WHEN, seen)


def shot(ms, box=None):
    return mark("ann/a.mp4", "screenshot", {"ms": ms, "box": box})


def test_what_is_appended_is_read_and_settled_as_meant(tmp_path):
    path = tmp_path / marks.FILE
    records = (
        mark("", "speaker", {"folder": "Ann Smith", "speaker": "cvf0001", "gender": "f"}),
        shot(2000),
        shot(1000, [1, 2, 30, 40]),
        shot(1000, [5, 6, 30, 40]),
        shot(3000),
        mark("ann/a.mp4", "screenshot", {"ms": 3000, "undo": True}, "ben"),
        mark("ann/a.mp4", "period", {"start_ms": 0, "end_ms": 10_000}, seen="ab" * 32),
        mark("ann/a.mp4", "period", {"start_ms": 500, "end_ms": 12_000}, seen="cd" * 32),
        mark("ann/b.mp4", "accept", {"verdict": "turn down", "reason": "two people talk"}),
        mark("", "thresholds", {"face": 0.9, "voice": None}),
    )
    for record in records:
        append(path, record)
    held = read(path)
    assert held.marks == records and not held.torn
    settled = settle(held.marks)
    assert settled.speakers["Ann Smith"].speaker == "cvf0001"
    assert (settled.face, settled.voice) == (0.9, None)
    own = settled.of("ann/a.mp4")
    assert own.screenshots == (Screenshot(1000, (5, 6, 30, 40)), Screenshot(2000, None))
    assert own.period == Period(500, 12_000) and own.seen == {"cd" * 32}
    assert settled.of("ann/b.mp4").reason == "two people talk"
    assert settled.of("ann/none.mp4").screenshots == ()


def test_everything_can_be_taken_back():
    undo = {"undo": True}
    records = [
        mark("", "speaker", {"folder": "a", "speaker": "cvf0001", "gender": ""}),
        mark("", "speaker", {"folder": "a", **undo}),
        mark("a/a.mp4", "period", {"start_ms": 0, "end_ms": 10_000}),
        mark("a/a.mp4", "period", undo),
        mark("a/a.mp4", "accept", {"verdict": "accept", "reason": ""}),
        mark("a/a.mp4", "accept", undo),
        mark("", "thresholds", {"face": 0.1, "voice": 0.2}),
        mark("", "thresholds", undo),
    ]
    assert settle(records) == settle([])


@pytest.mark.parametrize(
    ("video", "about", "value", "told"),
    [
        ("a.mp4", "colour", {}, "expected one of speaker"),
        ("a.mp4", "speaker", {"folder": "a", "speaker": "cvf0001", "gender": "f"}, "expected an empty one"),
        ("", "speaker", {"folder": "a", "speaker": "ann", "gender": "f"}, "an id as in cvf0001"),
        ("", "speaker", {"folder": "../a", "speaker": "cvf0001", "gender": "f"}, "name of a folder"),
        ("", "speaker", {"folder": "a", "speaker": "cvf0001", "gender": "x"}, "m, f or an empty text"),
        ("", "screenshot", {"ms": 1, "box": None}, "expected a path"),
        ("../a.mp4", "screenshot", {"ms": 1, "box": None}, "expected a path"),
        ("/a.mp4", "screenshot", {"ms": 1, "box": None}, "expected a path"),
        ("a//b.mp4", "screenshot", {"ms": 1, "box": None}, "expected a path"),
        ("a.mp4", "screenshot", {"ms": -1, "box": None}, "whole milliseconds"),
        ("a.mp4", "screenshot", {"ms": True, "box": None}, "whole milliseconds"),
        ("a.mp4", "screenshot", {"ms": 1, "box": [0, 0, 0, 5]}, "whole pixels"),
        ("a.mp4", "screenshot", {"ms": 1, "box": [0, 0, 5.5, 5]}, "whole pixels"),
        ("a.mp4", "screenshot", {"ms": 1}, "needs 'box'"),
        ("a.mp4", "screenshot", {"ms": 1, "box": None, "size": 3}, "knows no 'size'"),
        ("a.mp4", "period", {"start_ms": 0, "end_ms": 9_999}, "expected 10 s or more"),
        ("", "thresholds", {"face": float("nan"), "voice": None}, "a cosine"),
        ("", "thresholds", {"face": 2, "voice": None}, "a cosine"),
        ("a.mp4", "accept", {"verdict": "maybe", "reason": ""}, "accept or turn down"),
        ("a.mp4", "accept", [], "expected an object"),
    ],
)
def test_anything_else_is_refused_in_words(video, about, value, told):
    with pytest.raises(ValueError, match=told):
        mark(video, about, value)


def test_a_broken_line_is_named_and_a_torn_last_one_is_told(tmp_path):
    path = tmp_path / marks.FILE
    append(path, shot(1))
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"video": "ann/a.mp4", "about": "per')
    held = read(path)
    assert held.marks == (shot(1),) and "line 2" in held.torn
    append(path, shot(2))
    assert read(path).marks == (shot(1), shot(2)) and not read(path).torn
    path.write_bytes(b'{"video": 1}\n' + whole)
    with pytest.raises(ValueError, match=r"marks\.jsonl, line 1: no 'about'"):
        read(path)
    with pytest.raises(ValueError, match="line 1"):
        append(path, shot(3))
    path.write_bytes(whole.rstrip(b"\n"))
    append(path, shot(4))
    assert read(path).marks == (shot(1), shot(4))


def test_two_writers_lose_nothing(tmp_path):
    path = tmp_path / marks.FILE
    threads = [
        threading.Thread(target=lambda first=first: [append(path, shot(first + n)) for n in range(25)])
        for first in (0, 1000)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = path.read_text().splitlines()
    assert len(lines) == 50 and all(json.loads(line) for line in lines)
    assert len(settle(read(path).marks).of("ann/a.mp4").screenshots) == 50
