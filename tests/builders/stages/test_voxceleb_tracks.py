"""Face tracks in both units."""

import numpy as np
import pytest
from facevox.builders.core.stage import Reject
from facevox.builders.stages.voxceleb_tracks import read_track

HEADER = (
    "Identity  : \t{id}\nReference : \t1zcIwhmdeo4\nOffset    : \t-3\nFV Conf   : \t16.647\t(1.000)\n"
    "ASD Conf  : \t4.456\n\nFRAME \tX \tY \tW \tH \n"
)
PIXELS = HEADER.format(id="id10001") + "000245 \t192 \t54 \t160 \t144 \n000246 \t-16 \t54 \t160 \t144 \n\n"
FRACTIONS = HEADER.format(id="id00012") + "000100 0.300 0.150 0.250 0.400\n000101 0.310 0.150 1.020 0.400\n"


def test_pixels_of_a_frame_of_360_lines_become_fractions():
    track = read_track(PIXELS.encode(), "t.txt")
    assert (track.identity, track.reference, track.offset) == ("id10001", "1zcIwhmdeo4", -3)
    assert (track.face_confidence, track.speaker_confidence, track.unit) == (16.647, 4.456, "pixel")
    assert track.frames.tolist() == [245, 246]
    assert track.seconds == (9.8, 9.88)
    # 16:9 of any size is 640 x 360 there.
    for size in ((1280, 720), (640, 360)):
        assert np.allclose(track.fractions(*size), [[0.3, 0.15, 0.25, 0.4], [-0.025, 0.15, 0.25, 0.4]])
    assert np.allclose(track.fractions(480, 360)[0], [0.4, 0.15, 1 / 3, 0.4])


def test_fractions_stay_as_they_are():
    track = read_track(FRACTIONS.replace("\n", "\r\n").encode(), "t.txt")
    assert track.unit == "fraction"
    assert np.array_equal(track.fractions(1280, 720), [[0.3, 0.15, 0.25, 0.4], [0.31, 0.15, 1.02, 0.4]])


@pytest.mark.parametrize(
    ("text", "reason", "place"),
    [
        ("", "without a line FRAME X Y W H", "t.txt"),
        (HEADER.format(id="id10001"), "without frames", "t.txt"),
        (PIXELS.replace("Offset", "Shift"), "without offset in its header", "t.txt"),
        (PIXELS.replace("4.456", "high"), "could not convert string to float: 'high'", "t.txt"),
        (PIXELS.replace("000246", "000245"), "frame numbers do not rise", "t.txt"),
        (PIXELS.replace("144 \n000246", "144 7 \n000246"), "expected a frame number and four numbers", "t.txt line 8"),
        (PIXELS.replace("-16", "left"), "expected a frame number and four numbers", "t.txt line 9"),
        (PIXELS.replace("-16", "nan"), "expected a size above 0", "t.txt line 9"),
        (PIXELS.replace("160 \t144 \n\n", "0 \t144 \n\n"), "a box of 0.0 x 144.0", "t.txt line 9"),
    ],
)
def test_what_is_no_track_is_told(text, reason, place):
    with pytest.raises(Reject, match=reason) as told:
        read_track(text.encode(), "t.txt")
    assert told.value.place == place
