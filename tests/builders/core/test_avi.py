"""Uncompressed AVI: frames equal those of an independent writer and reader, whatever the flavour; damage is told."""

import io
import struct

import numpy as np
import pytest
from facevox.builders.core.avi import Avi
from facevox.builders.population.avi import AviWriter

av = pytest.importorskip("av")


@pytest.fixture
def pictures():
    return np.random.default_rng(0).integers(0, 256, (7, 17, 21, 3), dtype=np.uint8)


def write(path, pictures, codec="rawvideo", pixels="bgr24"):
    """By PyAV's FFmpeg: top row first."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=28)
        stream.height, stream.width, stream.pix_fmt = *pictures.shape[1:3], pixels
        for picture in pictures:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        out.mux(stream.encode())
    return path


def forge(path, pictures):
    """By ours: bottom row first."""
    with AviWriter(path, pictures.shape[2], pictures.shape[1], 28) as out:
        for picture in pictures:
            out.add(picture)
    return path


def chunk(name, content):
    return struct.pack("<4sI", name, len(content)) + content


def long_avi(data, pictures):
    """The file of `forge` made over as files beyond 1 GB are: a second RIFF 'AVIX', lists of records, other chunks."""
    header = data[12 : data.index(b"movi") - 8]
    header = header.replace(b"LIST", b"LIST", 1)
    size = struct.unpack("<I", header[4:8])[0] + 8 + 8 + 4 + 4
    dmlh = chunk(b"LIST", b"odml" + chunk(b"dmlh", struct.pack("<I", len(pictures))))
    header = b"LIST" + struct.pack("<I", size) + header[8:] + dmlh
    rows = [np.pad(p[::-1].reshape(17, -1), ((0, 0), (0, 1))).tobytes() for p in pictures]
    frames = [chunk(b"00db", row) for row in rows]
    records = b"".join(chunk(b"LIST", b"rec " + chunk(b"01wb", b"abc") + b"\0" + frame) for frame in frames[:3])
    first = chunk(b"RIFF", b"AVI " + header + chunk(b"LIST", b"movi" + chunk(b"ix00", bytes(8)) + records))
    return first + chunk(b"RIFF", b"AVIX" + chunk(b"JUNK", bytes(6)) + chunk(b"LIST", b"movi" + b"".join(frames[3:])))


@pytest.mark.parametrize("make", [write, forge])
def test_frames_equal_what_was_written_in_any_order(make, pictures, tmp_path):
    with make(tmp_path / "a.avi", pictures).open("rb") as file:
        video = Avi(file, "a.avi")
        assert (video.stated, video.width, video.height, video.fps[0] / video.fps[1]) == (7, 21, 17, 28)
        for number in (5, 1, 7, 2):
            assert np.array_equal(video.frame(number)[:, :, ::-1], pictures[number - 1])
        assert video.has(7) and not video.has(8)
        with pytest.raises(ValueError, match=r"a\.avi: frame 8 is not there, only 7"):
            video.frame(8)


def test_only_the_frame_asked_for_is_read(pictures, tmp_path):
    class Counted(io.BytesIO):
        count = 0

        def read(self, size=-1):
            data = super().read(size)
            self.count += len(data)
            return data

    file = Counted(forge(tmp_path / "a.avi", np.concatenate([pictures] * 100)).read_bytes())
    Avi(file, "a.avi").frame(600)
    assert file.count < 17 * 64 + 1000 + 8 * 600


def test_an_independent_reader_reads_what_is_forged(pictures, tmp_path):
    with av.open(str(forge(tmp_path / "a.avi", pictures))) as video:
        stream = video.streams.video[0]
        assert (stream.frames, stream.average_rate, stream.codec_context.name) == (7, 28, "rawvideo")
        found = [frame.to_ndarray(format="bgr24") for frame in video.decode(video=0)]
    assert np.array_equal(np.stack(found), pictures)


def test_files_beyond_a_gigabyte_go_on_in_further_chunks(pictures, tmp_path):
    data = long_avi(forge(tmp_path / "a.avi", pictures).read_bytes(), pictures)
    video = Avi(io.BytesIO(data), "long.avi")
    assert video.stated == 7
    assert all(np.array_equal(video.frame(n)[:, :, ::-1], picture) for n, picture in enumerate(pictures, 1))
    assert not video.has(8)


def test_a_broken_off_recording_has_the_frames_that_are_whole(pictures, tmp_path):
    whole = forge(tmp_path / "a.avi", pictures).read_bytes()
    cut = Avi(io.BytesIO(whole[: whole.index(b"movi") + 4 + 3 * (17 * 64 + 8) + 500]), "cut.avi")
    assert cut.has(3) and not cut.has(4)
    assert np.array_equal(cut.frame(3)[:, :, ::-1], pictures[2])
    with pytest.raises(ValueError, match="frame 4 is cut short"):
        cut.frame(4)


def test_other_videos_are_refused_by_what_they_are(pictures, tmp_path):
    even = np.ascontiguousarray(pictures[:, :16, :16])
    packed = io.BytesIO(write(tmp_path / "m.avi", even, "mjpeg", "yuvj420p").read_bytes())
    with pytest.raises(ValueError, match=r"m\.avi: expected uncompressed 24-bit video, found 24 bits, codec MJPG"):
        Avi(packed, "m.avi")
    for data, reason in (
        (b"", "not an AVI file"),
        (b"RIFF\0\0\0\0WAVE", "not an AVI file"),
        (b"RIFF" + struct.pack("<I", 4) + b"AVI ", "no video stream"),
    ):
        with pytest.raises(ValueError, match=reason):
            Avi(io.BytesIO(data), "x.avi")


@pytest.mark.parametrize("seed", range(40))
def test_damage_never_ends_in_anything_but_a_reason(seed, pictures, tmp_path):
    random = np.random.default_rng(seed)
    data = bytearray(forge(tmp_path / "a.avi", pictures).read_bytes())
    for at in random.integers(0, 330, 6):
        data[at] = int(random.integers(256))
    try:
        video = Avi(io.BytesIO(bytes(data)), "x.avi")
        found = [video.frame(number) for number in range(1, 8)]
    except ValueError as error:
        assert str(error).startswith("x.avi: ")
    else:
        assert len(found) == 7


def test_a_file_that_ends_inside_its_header_is_told_at_every_byte(pictures, tmp_path):
    data = forge(tmp_path / "a.avi", pictures).read_bytes()
    for end in range(data.index(b"movi")):
        with pytest.raises(ValueError, match=r"^x\.avi: "):
            Avi(io.BytesIO(data[:end]), "x.avi").frame(1)


def test_lists_in_lists_and_endless_chunks_are_told(pictures, tmp_path):
    data = forge(tmp_path / "a.avi", pictures).read_bytes()
    header = data[: data.index(b"movi") + 4]
    nested = struct.pack("<4sI4s", b"LIST", 1 << 30, b"rec ") * 5000
    with pytest.raises(ValueError, match="lists of frames within each other"):
        Avi(io.BytesIO(header + nested), "x.avi")
    empty = chunk(b"JUNK", b"") * 20_000
    in_header = chunk(b"LIST", b"hdrl" + empty)
    for endless in (empty, in_header):
        with pytest.raises(ValueError, match="no frames among its chunks"):
            Avi(io.BytesIO(chunk(b"RIFF", b"AVI " + endless)), "x.avi")


@pytest.mark.parametrize("stated", [0, 3, 7, 900])
def test_frames_are_counted_whatever_the_header_states(stated, pictures, tmp_path):
    data = bytearray(forge(tmp_path / "a.avi", pictures).read_bytes())
    at = data.index(b"avih") + 8 + 16
    data[at : at + 4] = struct.pack("<I", stated)
    assert Avi(io.BytesIO(data), "x.avi").count(len(data)) == 7
    # Broken off: the sizes of the file and of its list of frames were never filled in, the last frame is not whole.
    movi = data.index(b"movi")
    data[4:8] = data[movi - 4 : movi] = bytes(4)
    del data[movi + 4 + 5 * (8 + 17 * 64) + 100 :]
    assert Avi(io.BytesIO(data), "x.avi").count(len(data)) == 5
