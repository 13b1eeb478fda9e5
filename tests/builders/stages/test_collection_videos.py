"""Which videos a collection takes, under which ids, and what is turned down before it is opened."""

import pytest
from facevox.builders.stages.collection_videos import digest, list_videos
from facevox.builders.stages.marks import Mark, settle

WHEN = "2026-03-01T12:00:00Z"


def said(*marks):
    return settle([Mark(video, about, value, "ann", WHEN, seen) for video, about, value, seen in marks])


def speaker(folder, number, gender="f"):
    return "", "speaker", {"folder": folder, "speaker": f"cvf{number:04d}", "gender": gender}, ""


def test_every_video_is_taken_under_an_id_or_turned_down_with_a_reason(tmp_path):
    names = {
        "ann/Lecture_1 (final).mp4": b"one",
        "ann/lecture 1 final.mkv": b"two",
        "ann/课.mp4": b"three",
        "ann/ann talks.webm": b"four",
        "ann/copy.mp4": b"one",
        "ann/bad.mp4": b"five",
        "ann/changed.mp4": b"six",
        "ben.mp4": b"seven",
        "eve/e.mp4": b"eight",
        "ann/notes.txt": b"no video",
    }
    for name, content in names.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    marks = said(
        speaker("ann", 1),
        speaker("ben.mp4", 2, "m"),
        ("ann/bad.mp4", "accept", {"verdict": "turn down", "reason": "two people"}, ""),
        ("ann/changed.mp4", "screenshot", {"ms": 0, "box": None}, "ab" * 32),
    )
    listing = list_videos(tmp_path, marks)
    taken = {video.path: video.key for video in listing.videos}
    content = {name: digest(tmp_path / name)[:10] for name in names}
    assert taken == {
        "ann/Lecture_1 (final).mp4": "cvf0001/lecture-1-final",
        "ann/lecture 1 final.mkv": f"cvf0001/v{content['ann/lecture 1 final.mkv']}",
        "ann/课.mp4": f"cvf0001/v{content['ann/课.mp4']}",
        "ann/ann talks.webm": f"cvf0001/v{content['ann/ann talks.webm']}",
        "ben.mp4": f"cvf0002/v{content['ben.mp4']}",
    }
    refused = {one.path: one.reason for one in listing.refused}
    assert len(taken) + len(refused) == len(names) - 1
    assert "same content as lecture-1-final" in refused["ann/copy.mp4"]
    assert refused["ann/bad.mp4"] == "turned down: two people"
    assert "digest changed" in refused["ann/changed.mp4"]
    assert "no mark says whose" in refused["eve/e.mp4"]
    assert not any("ann" in word or "eve" in word for one in listing.refused for word in one.row().values())


def test_a_link_out_of_the_folder_is_not_followed(tmp_path):
    (tmp_path / "videos" / "ann").mkdir(parents=True)
    (tmp_path / "secret.mp4").write_bytes(b"x")
    (tmp_path / "videos" / "ann" / "a.mp4").symlink_to(tmp_path / "secret.mp4")
    listing = list_videos(tmp_path / "videos", said(speaker("ann", 1)))
    assert not listing.videos and "leads out" in listing.refused[0].reason


def test_one_speaker_has_one_gender(tmp_path):
    with pytest.raises(ValueError, match="speaker cvf0001: gender 'f' in the mark of folder a, 'm' in that of b"):
        list_videos(tmp_path, said(speaker("a", 1, "f"), speaker("b", 1, "m")))


def test_the_digest_tells_another_size_beginning_middle_and_end(tmp_path):
    path = tmp_path / "a.mp4"
    data = bytearray(6 << 20)
    seen = set()
    for change in (None, 0, len(data) - 1, len(data) // 63 * 5 + 100):
        if change is not None:
            data[change] ^= 1
        path.write_bytes(data)
        seen.add(digest(path))
    path.write_bytes(data + b"\0")
    assert len(seen | {digest(path)}) == 5
