"""Rows of AVSpeech's tables: the traps of their text; splits by a hash that is the same everywhere."""

import hashlib
import shutil
from collections import Counter

import pytest
from facevox.builders.core.builder import Unit
from facevox.builders.core.raw import open_raw
from facevox.builders.stages.avspeech_listing import Listing, read_row, split_of
from facevox.builders.stages.avspeech_options import AvspeechOptions

ID = "a-B_c1D2e3F"


@pytest.mark.parametrize("video", ["-zYxWvUt987", "00123456789", "1234567e123", "_________-_", "0x123456789", "1,2"])
def test_ids_are_text(video):
    line = f"{video},1.5,5.25,0.25,0.75"
    if "," in video:
        with pytest.raises(ValueError, match="6 columns"):
            read_row(line, 1)
        return
    row = read_row(line, 7)
    assert (row.video, row.start_ms, row.end_ms, row.x, row.y, row.row) == (video, 1500, 5250, 0.25, 0.75, 7)
    assert row.key.endswith("_00001500_00005250")


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ("1,4,0.5", "4 columns"),
        ("1,4,0.5,0.5,0.5", "6 columns"),
        ("4,4,0.5,0.5", "0 <= start < end"),
        ("4.0001,4.0004,0.5,0.5", "0 <= start < end"),
        ("-0.001,4,0.5,0.5", "0 <= start < end"),
        ("1,100000,0.5,0.5", "0 <= start < end"),
        ("1,4,1.000001,0.5", "fractions"),
        ("1,4,0.5,-1e-9", "fractions"),
        ("nan,4,0.5,0.5", "start is 'nan'"),
        ("1,inf,0.5,0.5", "end is 'inf'"),
        ("1,4,,0.5", "x is ''"),
        ("1,4,0.5,1_0", "y is '1_0'"),
        ("1,4,0.5,0.5" + " " * 5000, "more than 4,096 letters"),
    ],
)
def test_bad_rows_say_what_is_wrong(cells, words):
    with pytest.raises(ValueError, match=words):
        read_row(f"{ID},{cells}", 1)


@pytest.mark.parametrize("video", ["", "short", "elevenlettx!", "#NAME?", "-1.23457E+9", "ä" * 11, "../../etc/pa"])
def test_what_is_no_id_is_a_bad_row(video):
    with pytest.raises(ValueError, match="YouTube id"):
        read_row(f"{video},1,4,0.5,0.5", 1)


def test_a_split_is_the_last_digit_of_sha1():
    videos = [f"video{number:06d}" for number in range(3_000)]
    last = {video: int.from_bytes(hashlib.sha1(video.encode()).digest(), "big") % 10 for video in videos}
    counts = Counter(split_of(video, None) for video in videos)
    assert all(split_of(video, None) == {8: "validation", 9: "test"}.get(last[video], "train") for video in videos)
    assert 240 < counts["validation"] < 360 and 240 < counts["test"] < 360
    held_out = frozenset(videos[:50])
    assert Counter(split_of(video, held_out) for video in videos)["test"] == 50
    assert all(split_of(video, held_out) != "test" for video in videos[50:])


def listed(folder, **options):
    items = list(Listing(open_raw(str(folder)), "clips", AvspeechOptions(**options), {}).units())
    return [item for item in items if isinstance(item, Unit)], [item for item in items if not isinstance(item, Unit)]


def test_quotes_blank_lines_a_byte_order_mark_and_windows_line_ends_do_no_harm(tmp_path):
    (tmp_path / "clips").mkdir()
    text = f'\ufeff"{ID}",0,4,0.5,0.5\r\n\r\nid,start,end,x,y\r\n{ID},5,9,0.5,0.5'
    (tmp_path / "avspeech_train.csv").write_bytes(text.encode())
    for span in ("00000000_00004000", "00005000_00009000"):
        (tmp_path / "clips" / f"{ID}_{span}.mp4").write_bytes(b"x")
    units, rejections = listed(tmp_path)
    assert [unit.details["row"] for unit in units] == [["train", 1], ["train", 4]]
    assert [rejection.place for rejection in rejections] == ["avspeech_train.csv, row 3"]
    assert len({unit.split for unit in units}) == 1


@pytest.mark.parametrize("long", ["x" * 10_000, f"{ID},0,4,0.5,0.5{' ' * 9_000}x", " " * 9_000 + "x"])
def test_a_line_of_any_length_is_one_row(tmp_path, long):
    (tmp_path / "clips").mkdir()
    (tmp_path / "avspeech_train.csv").write_text(f"{long}\n{ID},5,9,0.5,0.5\n{long}")
    (tmp_path / "clips" / f"{ID}_00005000_00009000.mp4").write_bytes(b"x")
    units, rejections = listed(tmp_path)
    assert [unit.details["row"] for unit in units] == [["train", 2]]
    assert [rejection.place for rejection in rejections] == [f"avspeech_train.csv, row {row}" for row in (1, 3)]


def test_clips_in_archives_are_read_and_clips_come_before_videos(tmp_path):
    (tmp_path / "pack" / "clips").mkdir(parents=True)
    (tmp_path / "videos").mkdir()
    (tmp_path / "avspeech_test.csv").write_text(f"{ID},0,4,0.5,0.5\n{ID},5,9,0.5,0.5\n{ID},10,14,0.5,0.5\n")
    (tmp_path / "pack" / "clips" / f"{ID}_00000000_00004000.mp4").write_bytes(b"x" * 7)
    shutil.make_archive(str(tmp_path / "clips"), "zip", tmp_path / "pack", "clips")
    shutil.rmtree(tmp_path / "pack")
    (tmp_path / "videos" / f"{ID}.webm").write_bytes(b"x" * 9)
    (tmp_path / "videos" / f"{ID}.mp4").write_bytes(b"x" * 30)
    units, rejections = listed(tmp_path)
    assert [(unit.details["file"], unit.details["whole"], unit.size) for unit in units] == [
        (["clips", f"clips/{ID}_00000000_00004000.mp4"], False, 7),
        (["", f"videos/{ID}.mp4"], True, 15),
        (["", f"videos/{ID}.mp4"], True, 15),
    ]
    assert [(rejection.stage, rejection.place) for rejection in rejections] == [("no row", f"videos/{ID}.webm")]


def test_one_row_for_a_missing_video_and_one_for_each_missing_clip(tmp_path):
    (tmp_path / "clips").mkdir()
    gone = "gonegonegon"
    rows = [f"{video},{start},{start + 4},0.5,0.5\n" for video in (gone, ID) for start in (0, 5, 10)]
    (tmp_path / "avspeech_train.csv").write_text("".join(rows))
    (tmp_path / "clips" / f"{ID}_00005000_00009000.mp4").write_bytes(b"x")
    units, rejections = listed(tmp_path)
    assert len(units) == 1
    assert sorted(rejection.place for rejection in rejections) == [
        f"clips/{ID}_00000000_00004000.mp4",
        f"clips/{ID}_00010000_00014000.mp4",
        f"videos/{gone}.mp4",
    ]
    assert {rejection.stage for rejection in rejections} == {"missing video"}
    assert next(rejection.measured for rejection in rejections if gone in rejection.place) == '{"clips": 3}'
