"""Our decoder gives what libwebp gives for all that our encoder writes, and trusts no byte."""

import cv2
import numpy as np
import pytest
from facevox.loaders import media, vp8l_decoder
from facevox.loaders.frame_decoder import OWN_AFTER, VARIABLE, FrameDecoder
from facevox.loaders.media import ClipWriter, decode_frame, still_webp
from facevox.loaders.palette import palette
from facevox.loaders.vp8l import Vp8lEncoder
from hypothesis import given, settings
from hypothesis import strategies as st

ENCODER = Vp8lEncoder()
GUARD = 4096


def libwebp(payload: bytes) -> np.ndarray | None:
    return cv2.imdecode(np.frombuffer(still_webp(payload), np.uint8), cv2.IMREAD_COLOR_RGB)


def camera(random: np.random.Generator, height: int, width: int, noise: int) -> np.ndarray:
    """Slopes with a little noise."""
    slope = np.add.outer(np.arange(height), np.arange(width))[..., None] * random.uniform(-2, 2, 3) + 128
    return np.clip(slope + random.integers(-noise, noise + 1, (height, width, 3)), 0, 255).astype(np.uint8)


def picture_of(kind: str, seed: int, height: int, width: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    if kind == "heat":
        return palette()[camera(random, height, width, 2)[..., 0] % 224]
    if kind == "noise":
        return random.integers(0, 256, (height, width, 3), np.uint8)
    if kind == "patches":
        colours = random.integers(0, 256, (random.integers(1, 300), 3), np.uint8)
        numbers = random.integers(0, len(colours), (height, width))
        return colours[np.repeat(numbers, random.integers(1, 9), axis=1)[:, :width]]
    return camera(random, height, width, int(random.integers(0, 9)))


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(["heat", "noise", "patches", "camera"]),
    st.integers(0, 2**32),
    st.integers(1, 90),
    st.integers(1, 90),
)
def test_what_our_encoder_writes_comes_back(kind, seed, height, width):
    picture = picture_of(kind, seed, height, width)
    out = np.full((height, width, 3), 7, np.uint8)
    assert vp8l_decoder.decode(ENCODER(picture), out), "left to libwebp"
    assert np.array_equal(out, picture)


@pytest.mark.parametrize("size", [(1, 16384), (16384, 1), (513, 1025)])
def test_any_shape_comes_back(size):
    picture = picture_of("camera", 5, *size)
    out = np.empty((*size, 3), np.uint8)
    assert vp8l_decoder.decode(memoryview(ENCODER(picture)), out) and np.array_equal(out, picture)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(["heat", "patches", "camera"]), st.integers(0, 2**32), st.booleans())
def test_damaged_bytes_touch_nothing_outside_and_are_libwebps(kind, seed, cut):
    """Whatever is claimed to be decoded is what libwebp says; the memory around the picture stays as it was."""
    random = np.random.default_rng(seed)
    picture = picture_of(kind, seed % 7, 24, 31)
    payload = bytearray(ENCODER(picture))
    if cut:
        del payload[random.integers(6, len(payload)) :]
    else:
        # Most of what there is to go wrong is in the codes at the beginning.
        for _ in range(random.integers(1, 4)):
            payload[random.integers(5, min(len(payload), random.choice([60, 400, 4000])))] ^= 1 << random.integers(8)
    around = np.full(2 * GUARD + picture.size, 171, np.uint8)
    out = around[GUARD:-GUARD].reshape(picture.shape)
    taken = vp8l_decoder.decode(bytes(payload), out)
    assert (around[:GUARD] == 171).all() and (around[-GUARD:] == 171).all()
    if taken:
        assert np.array_equal(out, libwebp(bytes(payload)))


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400))
def test_bytes_of_no_picture_are_left_alone(data):
    head = ENCODER(np.zeros((8, 8, 3), np.uint8))[:5]
    for payload in (data, head + data):
        out = np.empty((8, 8, 3), np.uint8)
        if vp8l_decoder.decode(payload, out):
            assert np.array_equal(out, libwebp(payload))


def test_another_encoders_frame_is_left_to_libwebp(monkeypatch):
    picture = picture_of("camera", 3, 40, 50)
    monkeypatch.setenv(VARIABLE, "own")
    for quality in (None, 80):
        payload = ClipWriter(effort=6, quality=quality).add(picture)
        assert np.array_equal(decode_frame(payload, 50, 40), libwebp(payload))


def test_both_ways_give_the_same_pixels_and_the_switch_chooses(monkeypatch):
    picture, tried = picture_of("heat", 3, 40, 50), []
    payload = ENCODER(picture)
    monkeypatch.setattr(media, "_FRAMES", FrameDecoder())
    monkeypatch.setattr(vp8l_decoder, "_decode", lambda *given: tried.append(1) or False)
    for choice, expected in (("libwebp", 0), ("own", 1), ("auto", 1)):
        monkeypatch.setenv(VARIABLE, choice)
        assert np.array_equal(decode_frame(payload, 50, 40), picture)
        assert len(tried) == expected
    for _ in range(OWN_AFTER):
        decode_frame(payload, 50, 40)
    assert 1 < len(tried) <= OWN_AFTER, "loaded once it pays"
    monkeypatch.setenv(VARIABLE, "fast")
    with pytest.raises(ValueError, match="expected 'auto', 'own' or 'libwebp'"):
        decode_frame(payload, 50, 40)
