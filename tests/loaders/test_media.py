"""Decoders: exact, bounded, and strict about damage."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
import soundfile
from facevox.loaders import media
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def png(pixels: np.ndarray) -> bytes:
    return cv2.imencode(".png", pixels[:, :, ::-1])[1].tobytes()


def chunk(name: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + name + payload + struct.pack(">I", zlib.crc32(name + payload))


@pytest.fixture(params=["wuffs", "opencv"])
def decoder(request, monkeypatch):
    """Both ways in which PNGs are decoded must give the same pixels and refuse the same files."""
    if request.param == "opencv":
        monkeypatch.setattr(media, "_wuffs", lambda: None)
    else:
        pytest.importorskip("pywuffs")
    return request.param


@pytest.mark.usefixtures("decoder")
def test_png_decodes_to_its_rgb_pixels():
    pixels = noise(20, 30)
    assert np.array_equal(media.decode_png(png(pixels)), pixels)
    first = media.decode_png(png(pixels))
    media.decode_png(png(255 - pixels))
    assert np.array_equal(first, pixels)
    assert np.array_equal(media.decode_picture(png(pixels)), np.asarray(Image.open(io.BytesIO(png(pixels)))))


@pytest.mark.usefixtures("decoder")
@pytest.mark.parametrize("cut", [1, 8, 12, 40, 200])
def test_png_cut_short_is_refused(cut):
    with pytest.raises(ValueError, match=r"cut short|does not match"):
        media.decode_png(png(noise(20, 30))[:-cut])


@pytest.mark.usefixtures("decoder")
@given(at=st.integers(8, 500), bit=st.integers(0, 7))
@settings(max_examples=60, deadline=None)
def test_a_flipped_bit_in_a_png_is_noticed(at, bit):
    data = bytearray(png(noise(12, 14)))
    at %= len(data) - 8
    data[8 + at] ^= 1 << bit
    with pytest.raises(ValueError):
        media.decode_png(bytes(data))


@pytest.mark.usefixtures("decoder")
def test_png_with_too_few_rows_is_refused():
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 50, 50, 8, 2, 0, 0, 0))
    data = media.PNG_SIGNATURE + header + chunk(b"IDAT", zlib.compress(bytes(151 * 10))) + chunk(b"IEND", b"")
    with pytest.raises(ValueError, match="does not decode"):
        media.decode_png(data)


@pytest.mark.parametrize("ending", ["png", "jpg", "webp"])
def test_giant_pictures_are_refused_by_their_header(ending):
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0))
    if ending == "png":
        data = media.PNG_SIGNATURE + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    elif ending == "jpg":
        data = bytearray(cv2.imencode(".jpg", noise(16, 16))[1].tobytes())
        at = data.index(b"\xff\xc0") + 5
        data[at : at + 4] = struct.pack(">HH", 30_000, 30_000)
    else:
        still = cv2.imencode(".webp", noise(16, 16), [cv2.IMWRITE_WEBP_QUALITY, 101])[1].tobytes()
        data = bytearray(still)
        data[21:25] = ((16_383) | (16_383 << 14)).to_bytes(4, "little")
    with pytest.raises(ValueError, match=r"refused|not a readable"):
        media.decode_picture(bytes(data))


def test_pixels_are_read_as_stored_whatever_the_exif_note_says():
    pixels = noise(20, 30)
    data = png(pixels)
    turned = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x03\0\0\0\0\0\0\0"
    noted = data[:33] + chunk(b"eXIf", turned) + data[33:]
    assert np.array_equal(media.decode_png(noted), pixels)


def test_long_sounds_are_refused_by_their_header():
    flac = media.encode_flac(np.zeros(50_000, np.int16), 44_100)
    with pytest.raises(ValueError, match="more than 1,000; refused"):
        media.decode_audio(flac, 1_000)


def test_text_is_no_picture():
    with pytest.raises(ValueError, match="not a PNG"):
        media.decode_png(b"just words")
    with pytest.raises(ValueError, match="not a readable picture"):
        media.decode_picture(b"just words")


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 5), st.sampled_from([0, 4]))
@settings(max_examples=25, deadline=None)
def test_clips_are_exact_for_us_pillow_and_opencv(width, height, count, effort):
    frames = [noise(height, width, seed) for seed in range(count)]
    writer = media.ClipWriter(effort=effort)
    for frame in frames:
        writer.add(frame)
    data = writer.finish()
    assert all(np.array_equal(a, b) for a, b in zip(frames, media.decode_clip(data), strict=True))
    picture = Image.open(io.BytesIO(data))
    assert getattr(picture, "n_frames", 1) == count
    for number, frame in enumerate(frames):
        picture.seek(number)
        assert np.array_equal(np.asarray(picture.convert("RGB")), frame)
    ok, animation = cv2.imdecodeanimation(np.frombuffer(data, np.uint8))
    assert ok and len(animation.frames) == count
    assert all(np.array_equal(a[:, :, 2::-1], b) for a, b in zip(animation.frames, frames, strict=True))


def test_every_frame_is_a_byte_range_of_its_own():
    frames = [noise(24, 32, seed) for seed in range(4)]
    writer = media.ClipWriter()
    payloads = [writer.add(frame) for frame in frames]
    data = writer.finish()
    layout = media.clip_layout(data)
    for offset, size, payload, frame in zip(layout.offsets, layout.sizes, payloads, frames, strict=True):
        assert data[offset : offset + size] == payload
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(media.still_webp(payload)))), frame)


def test_clip_lasts_as_long_as_28_frames_a_second():
    writer = media.ClipWriter()
    for seed in range(57):
        writer.add(noise(4, 4, seed))
    picture = Image.open(io.BytesIO(writer.finish()))
    durations = []
    for number in range(picture.n_frames):
        picture.seek(number)
        picture.load()
        durations.append(picture.info["duration"])
    assert sum(durations) == round(57 * 1000 / 28)
    assert set(durations) <= {35, 36}


def test_lossy_clips_keep_container_and_size():
    writer = media.ClipWriter(quality=80)
    smooth = np.tile(np.arange(64, dtype=np.uint8)[:, None, None] * 3, (1, 80, 3))
    writer.add(smooth)
    (frame,) = media.decode_clip(writer.finish())
    assert frame.shape == smooth.shape
    assert np.abs(frame.astype(int) - smooth).mean() < 6


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_clip_cut_short_is_refused(cut):
    writer = media.ClipWriter()
    writer.add(noise(8, 8))
    with pytest.raises(ValueError, match=r"cut short|not an animated"):
        media.clip_layout(writer.finish()[:-cut])


def test_frame_of_another_size_is_refused():
    payload = media.ClipWriter().add(noise(8, 9))
    with pytest.raises(ValueError, match="expected 10 x 8"):
        media.decode_frame(payload, 10, 8)
    writer = media.ClipWriter()
    writer.add(noise(8, 8))
    with pytest.raises(ValueError, match="the clip"):
        writer.add(noise(8, 9))


@given(st.integers(1, 3000), st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_flac_keeps_every_sample(length, seed):
    samples = np.random.default_rng(seed).integers(-32768, 32768, length).astype(np.int16)
    again, rate = media.decode_audio(media.encode_flac(samples, 44_100))
    assert rate == 44_100
    assert np.array_equal(again, samples)
    assert np.array_equal(soundfile.read(io.BytesIO(media.encode_flac(samples, 44_100)), dtype="int16")[0], samples)


def wav(samples: np.ndarray, subtype: str = "PCM_16") -> bytes:
    out = io.BytesIO()
    soundfile.write(out, samples, 44_100, format="WAV", subtype=subtype)
    return out.getvalue()


def test_damaged_sounds_are_refused():
    whole = wav(np.arange(1000, dtype=np.int16))
    assert np.array_equal(media.decode_audio(whole)[0], np.arange(1000))
    for data, words in (
        (b"", "0 bytes"),
        (whole[:-2], "cut short"),
        (whole[:40], "without a data chunk"),
        (b"RIFF" + b"words" * 20, "without a data chunk|cut"),
        (wav(np.zeros(10, np.int16), "PCM_24"), "PCM_24"),
        (b"just words", "not a readable sound"),
    ):
        with pytest.raises(ValueError, match=words):
            media.decode_audio(data)
