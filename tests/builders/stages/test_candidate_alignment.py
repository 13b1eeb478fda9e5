"""Crops: pupils where they belong, nothing enlarged, white beyond the photo, the same JPEG every time."""

import io

import cv2
import numpy as np
import pytest
from facevox.builders.stages.candidate_alignment import PUPILS_AT, align, jpeg, on_white
from facevox.loaders.media import decode_picture
from PIL import Image, JpegImagePlugin


def dotted(pupils, width=500, height=400):
    """A grey photo with a bright blob on each pupil."""
    rows, columns = np.mgrid[:height, :width]
    blobs = sum(np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 18) for x, y in pupils)
    return np.repeat((80 + 150 * np.clip(blobs, 0, 1)).astype(np.uint8)[..., None], 3, 2)


def centre(picture, about):
    """Middle of the bright blob near a place, in px."""
    x, y = (round(place) for place in about)
    part = picture[y - 12 : y + 13, x - 12 : x + 13, 0].astype(float) - 80
    part[part < 20] = 0
    rows, columns = np.mgrid[-12:13, -12:13]
    return np.array([x + (columns * part).sum() / part.sum(), y + (rows * part).sum() / part.sum()])


@pytest.mark.parametrize("seed", range(6))
def test_pupils_land_within_a_tenth_of_a_pixel_of_their_fractions(seed):
    random = np.random.default_rng(seed)
    middle, distance, angle = random.uniform((200, 150), (300, 250)), random.uniform(40, 90), random.uniform(-0.5, 0.5)
    half = distance / 2 * np.array([np.cos(angle), np.sin(angle)])
    pupils = np.array([middle - half, middle + half])
    found = align(pupils)
    crop, _ = found.cut(dotted(pupils))
    assert crop.shape == (found.side, found.side, 3)
    assert found.side == round(distance / 0.242)
    for place, fractions in zip(found.targets(), PUPILS_AT, strict=True):
        assert centre(crop, place) == pytest.approx(fractions * found.side - 0.5, abs=0.1)


def test_nothing_is_scaled():
    turn = align(np.array([[100.0, 120.0], [171.3, 95.2]])).matrix[:, :2]
    np.testing.assert_allclose(turn @ turn.T, np.eye(2), atol=1e-12)
    assert np.linalg.det(turn) == pytest.approx(1)


def test_the_border_is_the_share_of_white():
    found = align(np.array([[40.0, 60.0], [100.0, 75.0]]))
    photo = np.zeros((200, 180, 3), np.uint8)
    crop, inside = found.cut(photo)
    white = (on_white(crop, inside) > 127).all(-1).mean()
    assert 0.1 < found.border(180, 200) < 0.5
    assert found.border(180, 200) == pytest.approx(white, abs=0.005)
    assert found.border(180, 200) == pytest.approx(1 - inside.mean(), abs=0.005)
    assert align(np.array([[1000.0, 1000.0], [1040.0, 1000.0]])).border(2000, 2000) == pytest.approx(0, abs=1e-6)
    assert align(np.array([[-900.0, -900.0], [-860.0, -900.0]])).border(100, 100) == 1


def test_masked_pixels_are_white_and_the_person_untouched():
    crop = np.full((40, 40, 3), 90, np.uint8)
    mask = np.zeros((40, 40), np.float32)
    mask[10:30, 10:30] = 1
    mask[5] = 0.5
    found = on_white(crop, mask)
    assert (found[12:28, 12:28] == 90).all() and (found[35:] == 255).all()
    assert int(found[5, 20, 0]) == pytest.approx(172.5, abs=1)


def test_jpeg_keeps_colours_at_full_size_and_its_bytes():
    random = np.random.default_rng(0)
    picture = cv2.GaussianBlur(random.integers(0, 255, (64, 80, 3), np.uint8), (0, 0), 2)
    data = jpeg(picture)
    assert data == jpeg(picture)
    with Image.open(io.BytesIO(data)) as opened:
        assert JpegImagePlugin.get_sampling(opened) == 0
        # libjpeg's table for quality 95 divides the standard one, whose first entry is 16, by ten.
        assert opened.quantization[0][0] == 2
    assert np.abs(decode_picture(data).astype(int) - picture).mean() < 2
