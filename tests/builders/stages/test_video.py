"""Video files read by time: the frame on screen, the sound to a sample, at any key frames; damage refused."""

import io
import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from facevox.builders.stages.video import VideoLimits, open_video
from scipy.signal import lfilter, resample_poly

KINDS = {
    "mp4": ("libx264", "aac", 44_100, 25),
    "mkv": ("libx264", "aac", 44_100, 25),
    "webm": ("libvpx", "libopus", 48_000, 30),
    "22050.mp4": ("mpeg4", "aac", 22_050, 24),
}
SECONDS, BITS = 8, 8


def write(path: Path, picture_codec: str, sound_codec: str, rate: int, fps: int) -> np.ndarray:
    """A file whose frames show their number in black and white bars; returns its sound (channels, samples)."""
    noise = np.random.default_rng(4).standard_normal((2, SECONDS * rate))
    sound = np.clip(lfilter([1], [1, -0.9], noise) * 1500, -32768, 32767).astype(np.int16)
    with av.open(str(path), "w") as file:
        video = file.add_stream(picture_codec, rate=fps)
        video.width, video.height, video.pix_fmt = 160, 64, "yuv420p"
        video.codec_context.gop_size = 90
        if picture_codec == "libx264":
            video.options = {"bf": "3", "threads": "1"}
        audio = file.add_stream(sound_codec, rate=rate, layout="stereo")
        audio.bit_rate = 192_000
        for number in range(SECONDS * fps):
            bars = np.repeat([255 * (number >> bit & 1) for bit in range(BITS)], 20)
            picture = np.broadcast_to(bars[None, :, None], (64, 160, 3)).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts = number
            file.mux(video.encode(frame))
        file.mux(video.encode(None))
        track = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound.T).reshape(1, -1), format="s16", layout="stereo")
        track.sample_rate, track.pts, track.time_base = rate, 0, Fraction(1, rate)
        mixer = av.AudioResampler(format=audio.format, layout="stereo", rate=rate)
        for part in mixer.resample(track):
            file.mux(audio.encode(part))
        file.mux(audio.encode(None))
    return sound


def shown(picture: np.ndarray) -> int:
    return sum(int(picture[32, 20 * bit + 10].mean() > 128) << bit for bit in range(BITS))


@pytest.fixture(scope="module", params=list(KINDS))
def film(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("film") / f"film.{request.param}"
    return path, write(path, *KINDS[request.param]), KINDS[request.param]


@pytest.mark.parametrize("start_ms", [0, 1000, 2345, 3599, 3601])
def test_the_frame_on_screen_is_the_one_whose_time_has_come(film, start_ms):
    path, _, (_, _, _, fps) = film
    moments = [Fraction(start_ms, 1000) + second for second in range(3)]
    with path.open("rb") as file, open_video(file) as video:
        found = list(video.shots(moments))
    assert [shown(shot.picture) for shot in found] == [int((moment + Fraction(1, 1000)) * fps) for moment in moments]
    assert all(0 <= moment - Fraction(shot.seconds) + Fraction(1, 500) <= Fraction(1, fps) + Fraction(1, 500)
               for shot, moment in zip(found, moments, strict=True))  # fmt: skip


@pytest.mark.parametrize("span", [(0, 6000), (777, 3210), (4001, 8000)])
def test_sound_begins_at_the_sample_and_has_the_length_asked_for(film, span):
    path, sound, (_, _, rate, _) = film
    start, end = span
    with path.open("rb") as file, open_video(file) as video:
        found = video.sound(start, end, 16_000)
    assert len(found.samples) == 16 * (end - start)
    assert (found.rate, found.channels, found.missing) == (rate, 2, 0)
    common = np.gcd(16_000, rate)
    whole = resample_poly(sound.mean(0), 16_000 // common, rate // common)[16 * start : 16 * end]
    inner = slice(50, -50)
    lags = {lag: np.corrcoef(np.roll(whole, lag)[inner], found.samples[inner])[0, 1] for lag in range(-20, 21)}
    assert max(lags, key=lags.get) == 0
    # Coders keep most of noise, not all.
    assert lags[0] > 0.93


def test_after_a_seek_sound_equals_the_same_part_of_the_whole(film):
    path, _, _ = film
    with path.open("rb") as file, open_video(file) as video:
        whole, part = video.sound(0, 6000, 16_000).samples, video.sound(2_500, 5_000, 16_000).samples
    difference = whole[16 * 2_500 : 16 * 5_000].astype(int) - part
    # The AAC encoder lets its decoder fill high bands with random numbers of its own.
    assert np.abs(difference).mean() < 0.2 * np.abs(part.astype(int)).mean()


def test_beyond_the_end_there_is_no_frame_and_no_sound(film):
    path, _, _ = film
    with path.open("rb") as file, open_video(file) as video:
        assert list(video.shots([Fraction(15, 2), Fraction(17, 2)]))[1] is None
        late = video.sound(7_000, 9_000, 16_000)
        assert abs(late.missing - 1) < 0.05
        assert abs(len(late.samples) - 16_000) < 16_000 * 0.05
    with path.open("rb") as file, pytest.raises(ValueError, match="no sound from"), open_video(file) as video:
        video.sound(20_000, 21_000, 16_000)


def test_a_video_whose_clock_starts_late_is_read_from_its_beginning(tmp_path):
    path = tmp_path / "late.mkv"
    write(tmp_path / "plain.mp4", *KINDS["mp4"])
    with av.open(str(tmp_path / "plain.mp4")) as source, av.open(str(path), "w") as copy:
        tracks = {track.index: copy.add_stream_from_template(track) for track in source.streams}
        for packet in source.demux():
            if packet.dts is not None:
                shift = round(100 / packet.time_base)
                packet.pts, packet.dts, packet.stream = (
                    packet.pts + shift,
                    packet.dts + shift,
                    tracks[packet.stream.index],
                )
                copy.mux(packet)
    with path.open("rb") as file, open_video(file) as video:
        # The sound's padding begins 23 ms before the first frame.
        assert shown(next(video.shots([Fraction(203, 100)])).picture) == 50


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (VideoLimits(pixels=160 * 64 - 1), "160x64"),
        (VideoLimits(seconds=7), "video of 8 s"),
        (VideoLimits(streams=1), "2 tracks, expected at most 1"),
        (VideoLimits(run=10), "no key frame"),
    ],
)
def test_what_exceeds_the_limits_is_refused(tmp_path, limits, words):
    path = tmp_path / "film.mp4"
    write(path, *KINDS["mp4"])
    with path.open("rb") as file, pytest.raises(ValueError, match=words), open_video(file, limits) as video:
        list(video.shots([Fraction(2)]))


@pytest.mark.parametrize("seed", range(6))
def test_damage_is_a_value_error_or_passed_over_and_never_a_crash(tmp_path, seed):
    path = tmp_path / "film.mp4"
    write(path, *KINDS["mp4"])
    data, random = bytearray(path.read_bytes()), np.random.default_rng(seed)
    if seed % 2:
        data = data[: int(random.integers(1, len(data)))]
    else:
        for at in random.integers(0, len(data), 200):
            data[at] = int(random.integers(256))
    try:
        with open_video(io.BytesIO(bytes(data))) as video:
            shots = list(video.shots([Fraction(1), Fraction(2)]))
            assert all(shot is None or shot.picture.shape == (64, 160, 3) for shot in shots)
            assert len(video.sound(1_000, 3_000, 16_000).samples) <= 32_000
    except ValueError as error:
        assert str(error)


@pytest.mark.parametrize(
    "data", [b"", b"RIFF\0\0\0\0AVI LIST", b"\0\0\0\x18ftypmp42" + bytes(200), b"#EXTM3U\nfile:///x"]
)
def test_what_is_no_video_is_refused_by_its_first_bytes(data):
    with pytest.raises(ValueError, match="video|mp4|0 bytes"), open_video(io.BytesIO(data)) as video:
        list(video.shots([Fraction(0)]))


@pytest.mark.parametrize(
    ("matrix", "upright"),
    [
        ((0, 1, -1, 0), lambda picture: np.rot90(picture, -1)),
        ((-1, 0, 0, -1), lambda picture: picture[::-1, ::-1]),
        ((0, -1, 1, 0), lambda picture: np.rot90(picture, 1)),
    ],
)
def test_a_turned_video_is_shown_upright(tmp_path, matrix, upright):
    path = tmp_path / "film.mp4"
    write(path, *KINDS["mp4"])
    with path.open("rb") as file, open_video(file) as video:
        (plain,) = video.shots([Fraction(3)])
    # ISO/IEC 14496-12: a, b, u, c, d, v, x, y, w, of the first track; right goes to (a, b), down to (c, d).
    a, b, c, d = matrix
    data = path.read_bytes()
    entries = [(1, 0, 0, 0, 1, 0), (a, b, 0, c, d, 0)]
    before, after = (struct.pack(">6i", *(value << 16 for value in entry)) for entry in entries)
    at = data.index(before, data.index(b"tkhd"))
    with open_video(io.BytesIO(data[:at] + after + data[at + 24 :])) as video:
        (turned,) = video.shots([Fraction(3)])
    assert np.array_equal(turned.picture, upright(plain.picture))
