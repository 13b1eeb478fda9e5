"""Our decoder gives what libwebp gives for all that our encoder writes, and never trusts a byte."""

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


def libwebp(payload: bytes) -> np.ndarray | None:
    return cv2.imdecode(np.frombuffer(still_webp(payload), np.uint8), cv2.IMREAD_COLOR_RGB)


def smooth(random: np.random.Generator, height: int, width: int, noise: int) -> np.ndarray:
    """Slopes with a little noise, as cameras give."""
    slope = np.add.outer(np.arange(height), np.arange(width))[..., None] * random.uniform(-2, 2, 3) + 128
    return np.clip(slope + random.integers(-noise, noise + 1, (height, width, 3)), 0, 255).astype(np.uint8)


def pictures(seed: int, height: int, width: int, kind: str) -> np.ndarray:
    random = np.random.default_rng(seed)
    if kind == "heat":
        return palette()[smooth(random, height, width, 2)[..., 0] % 224]
    if kind == "few":
        return random.integers(0, 256, (int(random.integers(1, 300)), 3), np.uint8)[
            np.minimum(random.geometric(0.1, (height, width)) - 1, 0 if random.random() < 0.1 else 10**6)
            % int(random.integers(1, 2) if random.random() < 0.1 else 1 + random.integers(0, 1))
        ]
    if kind == "noise":
        return random.integers(0, 256, (height, width, 3), np.uint8)
    return smooth(random, height, width, int(random.integers(0, 9)))


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 90), st.integers(1, 90), st.sampled_from(["heat", "noise", "camera"]))
def test_what_the_encoder_writes_comes_back(seed, height, width, kind):
    picture = pictures(seed, height, width, kind)
    payload, out = ENCODER(picture), np.full((height, width, 3), 7, np.uint8)
    if vp8l_decoder.decode(payload, out):
        assert np.array_equal(out, picture)
    else:
        # Predictors of 16 colours or fewer and the like: rare, and libwebp's.
        assert np.array_equal(libwebp(payload), picture)
