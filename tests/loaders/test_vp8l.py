"""The lossless encoder: exact for independent decoders whatever the picture, and small on what cameras give."""

import io

import cv2
import numpy as np
import pytest
from facevox.loaders.media import still_webp
from facevox.loaders.palette import palette
from facevox.loaders.vp8l import Vp8lEncoder
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

ENCODER = Vp8lEncoder()


def assert_exact(picture: np.ndarray) -> bytes:
    payload = ENCODER(picture)
    assert payload == Vp8lEncoder()(picture), "what was encoded before must not show"
    still = still_webp(payload)
    with Image.open(io.BytesIO(still)) as opened:
        assert np.array_equal(np.asarray(opened.convert("RGB")), picture)
    assert np.array_equal(cv2.imdecode(np.frombuffer(still, np.uint8), cv2.IMREAD_COLOR_RGB), picture)
    return payload


def coloured(random: np.random.Generator, size: tuple[int, int], colours: int) -> np.ndarray:
    """Patches of so many colours, some common and some rare."""
    palette = random.integers(0, 256, (colours, 3), np.uint8)
    numbers = np.minimum(random.geometric(min(1.0, 3 / colours), size) - 1, colours - 1)
    return palette[np.repeat(numbers, random.integers(1, 9), axis=1)[:, : size[1]]]


@settings(max_examples=120, deadline=None)
@given(st.integers(1, 70), st.integers(1, 70), st.integers(1, 300), st.integers(0, 2**32))
def test_pictures_of_few_colours_come_back(height, width, colours, seed):
    assert_exact(coloured(np.random.default_rng(seed), (height, width), colours))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 70), st.integers(1, 70), st.sampled_from([1, 4, 40, 256]), st.integers(0, 2**32))
def test_noise_comes_back(height, width, levels, seed):
    assert_exact(np.random.default_rng(seed).integers(0, levels, (height, width, 3), np.uint8))


@pytest.mark.parametrize("size", [(1, 16384), (16384, 1), (513, 1025), (3, 5000)])
def test_any_shape_comes_back(size):
    ramp = np.add.outer(np.arange(size[0]) // 3, np.arange(size[1]) // 5).astype(np.uint8)
    assert_exact(np.stack([ramp, ramp // 2, 255 - ramp], -1))


def test_rare_symbols_get_codes_that_decoders_allow():
    """Frequencies that double from value to value would need codes longer than 15 bits."""
    counts = np.concatenate([[1, 1], 2 ** np.arange(1, 18)])
    values = np.repeat(np.arange(len(counts)) * 7 % 256, counts).astype(np.uint8)
    side = int(len(values) ** 0.5)
    picture = np.zeros((side, side, 3), np.uint8)
    picture[..., 0] = np.random.default_rng(0).permutation(values)[: side * side].reshape(side, side)
    assert_exact(picture)


def test_what_is_no_picture_is_refused():
    for picture in (np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)):
        with pytest.raises(ValueError, match="expected \\(H, W, 3\\), uint8"):
            ENCODER(picture)
    with pytest.raises(ValueError, match="at most 16,384"):
        ENCODER(np.zeros((1, 16385, 3), np.uint8))


def libwebp(picture: np.ndarray, method: int) -> int:
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "WEBP", lossless=True, method=method, quality=50 * (method > 0))
    return len(out.getvalue())


def test_a_heat_scale_takes_less_than_libwebp_needs_at_its_best():
    random = np.random.default_rng(1)
    smooth = cv2.GaussianBlur(random.normal(0, 1, (348, 464)), (0, 0), 25)
    heat = (smooth - smooth.min()) / np.ptp(smooth) * 200 + random.normal(0, 1.5, smooth.shape)
    picture = palette()[np.clip(heat, 0, 223).astype(int)]
    ours = len(assert_exact(picture))
    assert ours < 0.75 * libwebp(picture, 0)
    assert ours < libwebp(picture, 6)


@pytest.mark.real
def test_real_captures_take_less_than_libwebp_needs_at_its_fastest(real):
    for stream, share in ((0, 0.7), (1, 0.97)):
        paths = sorted((real / "speakingfaces" / "calibration").glob(f"*_{stream}.png"))
        assert len(paths) == 7
        pictures = [cv2.imread(str(path), cv2.IMREAD_COLOR_RGB) for path in paths]
        ours, theirs = (
            sum(sizes) for sizes in zip(*((len(assert_exact(p)), libwebp(p, 0)) for p in pictures), strict=True)
        )
        kilobytes = [round(size / len(paths) / 1e3, 1) for size in (ours, theirs)]
        print(f"stream {stream}: {kilobytes[0]} KB a frame, libwebp's fastest {kilobytes[1]}")
        assert ours < share * theirs
