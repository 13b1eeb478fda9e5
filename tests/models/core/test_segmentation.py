"""Segmenters: what reaches a network and which class counts; GrabCut on known and on real faces."""

import cv2
import numpy as np
import pytest
from facevox.models.core.segmentation import open_segmenter

BOX = (90, 110, 210, 230)
CHIN = 230


def portrait(seed=0, hair=(60, 40, 30), wall=(120, 160, 200), height=400, width=300):
    """A made-up person before a wall that is not plain, the box of the face, and the true mask."""
    rng = np.random.default_rng(seed)
    image = np.full((height, width, 3), wall, np.float64)
    image += np.linspace(-30, 30, width)[None, :, None] + rng.normal(0, 6, image.shape)
    mask = np.zeros((height, width), np.uint8)
    layers = [
        (np.array([[115, 215], [185, 215], [290, 300], [299, 399], [0, 399], [10, 300]]), (70, 90, 60)),
        (cv2.ellipse2Poly((150, 150), (80, 105), 0, 0, 360, 3), hair),
        (np.array([[122, 200], [178, 200], [178, 260], [122, 260]]), (205, 150, 120)),
        (cv2.ellipse2Poly((150, 170), (62, 75), 0, 0, 360, 3), (215, 165, 135)),
    ]
    for shape, colour in layers:
        part = np.zeros((height, width), np.uint8)
        cv2.fillPoly(part, [shape.astype(np.int32)], 1)
        image[part > 0] = colour + rng.normal(0, 6, (int(part.sum()), 3))
        mask |= part
    return image.clip(0, 255).astype(np.uint8), mask > 0


def overlap(found, true):
    return (found & true).sum() / (found | true).sum()


@pytest.mark.parametrize(
    "colours",
    [{}, {"hair": (220, 200, 140)}, {"wall": (240, 240, 240)}, {"wall": (40, 80, 40), "hair": (150, 70, 40)}],
    ids=["plain", "fair hair", "white wall", "dark wall"],
)
def test_grabcut_finds_a_made_up_person(colours):
    for seed in range(3):
        image, true = portrait(seed, **colours)
        found = open_segmenter("grabcut")(image, BOX)
        assert (found.shape, found.dtype) == (true.shape, np.float32)
        assert 0 <= found.min() <= found.max() <= 1
        assert overlap(found > 0.5, true) > 0.9


def test_grabcut_works_at_any_size_and_gives_the_same_twice():
    image, true = portrait()
    segment = open_segmenter("grabcut")
    for factor in (0.4, 3):
        scaled = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        larger = cv2.resize(true.astype(np.uint8), scaled.shape[1::-1], interpolation=cv2.INTER_NEAREST) > 0
        found = segment(scaled, tuple(edge * factor for edge in BOX))
        assert overlap(found > 0.5, larger) > 0.9
    first = segment(image, BOX)
    cv2.setRNGSeed(7)
    threads = cv2.getNumThreads()
    try:
        cv2.setNumThreads(1)
        np.testing.assert_array_equal(segment(image, BOX), first)
        cv2.setNumThreads(2)
        np.testing.assert_array_equal(segment(image, BOX), first)
    finally:
        cv2.setNumThreads(threads)


@pytest.mark.parametrize("box", [(-500, -500, 900, 900), (900, 900, 1000, 1000), (0, 0, 1, 1), (-50, 100, 60, 230)])
def test_grabcut_bears_any_box(box):
    image, _ = portrait()
    found = open_segmenter("grabcut")(image, box)
    assert found.shape == image.shape[:2]
    assert np.isfinite(found).all()


def test_grabcut_bears_one_colour_and_tiny_pictures_and_refuses_what_is_none():
    segment = open_segmenter("grabcut")
    assert segment(np.full((60, 60, 3), 128, np.uint8), (20, 20, 40, 40)).shape == (60, 60)
    assert segment(np.full((1, 2, 3), 128, np.uint8), (0, 0, 2, 1)).shape == (1, 2)
    assert segment(np.full((2, 4000, 3), 128, np.uint8), (0, 0, 2, 1)).shape == (2, 4000)
    with pytest.raises(ValueError, match="expected left < right and top < bottom"):
        segment(np.zeros((9, 9, 3), np.uint8), (5, 5, 5, 9))
    with pytest.raises(ValueError, match="expected RGB"):
        segment(np.zeros((9, 9), np.uint8), (0, 0, 5, 9))


@pytest.mark.real
def test_grabcut_keeps_real_faces_and_drops_the_background(real):
    """Of the 14 published faces before white, all but the white; of portraits before walls, the face and not all."""
    pytest.importorskip("dlib")
    from facevox.models.core.detectors import open_detector
    from PIL import Image

    segment, detect = open_segmenter("grabcut"), open_detector("dlib-hog-up1")
    published = sorted((real / "faces" / "hq_voxceleb").glob("*/*.jpg"))
    portraits = sorted((real / "faces").glob("deepface/df_2*/*.jpg"))
    assert (len(published), len(portraits)) == (14, 5)
    kept = []
    for path in published + portraits:
        image = np.asarray(Image.open(path).convert("RGB"))
        factor = min(1.0, 480 / max(image.shape))
        image = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        left, top, right, bottom = (int(edge) for edge in detect(image)[0].box)
        person = segment(image, (left, top, right, bottom)) > 0.5
        # The box of a detector has background in its corners; between the eyes and the mouth it has none.
        inner = person[
            top + (bottom - top) // 5 : bottom - (bottom - top) // 5,
            left + (right - left) // 4 : right - (right - left) // 4,
        ]
        assert inner.mean() > 0.99, path
        assert person[top:bottom, max(left, 0) : right].mean() > 0.85, path
        assert 0.15 < person.mean() < 0.95, path
        if path in published:
            white = (image > 247).all(2)
            assert person[white].mean() < 0.12, path
            kept.append(person[~white].mean())
    # A dark jacket before white may go; hardly ever more.
    assert (min(kept) > 0.7, np.mean(kept) > 0.9) == (True, True), kept


def test_a_network_of_two_classes_gets_rgb_in_minus_one_to_one(tmp_path, place, pixel_network):
    place("pphumanseg", pixel_network(np.array([[0, 1], [0, 0], [0, -1]])), tmp_path)
    image = np.zeros((50, 80, 3), np.uint8)
    image[:, :40] = (255, 9, 0)
    image[:, 40:] = (0, 9, 255)
    found = open_segmenter("pphumanseg", tmp_path)(image, (0, 0, 9, 9))
    assert (found.shape, found.dtype) == ((50, 80), np.float32)
    sure = 1 / (1 + np.exp(-2))
    assert found[:, 5].tolist() == pytest.approx([sure] * 50, abs=1e-4)
    assert found[:, -5].tolist() == pytest.approx([1 - sure] * 50, abs=1e-4)


@pytest.mark.parametrize("name", ["pspnet-voc", "deeplab-voc"])
def test_of_pascal_vocs_21_classes_the_fifteenth_is_the_person(tmp_path, place, pixel_network, name):
    weights = np.zeros((3, 21))
    weights[1, 15] = 1
    place(name, pixel_network(weights), tmp_path)
    image = np.full((30, 40, 3), (10, 200, 90), np.uint8)
    found = open_segmenter(name, tmp_path)(image, (0, 0, 9, 9))
    green = np.exp((200 / 255 - 0.456) / 0.224)
    np.testing.assert_allclose(found, green / (green + 20), atol=1e-4)


def test_none_segments_nothing_and_other_names_and_files_are_refused(tmp_path, place, pixel_network, mean_network):
    image = np.zeros((30, 40, 3), np.uint8)
    assert open_segmenter("none") is None
    with pytest.raises(ValueError, match="no segmenter 'grabcat'; did you mean 'grabcut'"):
        open_segmenter("grabcat")
    with pytest.raises(FileNotFoundError, match=r"pspnet_voc.onnx here; give the folder .* Pascal VOC"):
        open_segmenter("pspnet-voc", tmp_path)
    (tmp_path / "human_segmentation_pphumanseg_2023mar.onnx").write_bytes(b"another")
    with pytest.raises(ValueError, match="expected 552d8a984054e59b"):
        open_segmenter("pphumanseg", tmp_path)
    place("pspnet-voc", pixel_network(np.zeros((3, 19))), tmp_path)
    with pytest.raises(ValueError, match="pspnet-voc: gave 19 classes, expected 21 or 2; another network's file"):
        open_segmenter("pspnet-voc", tmp_path)(image, (0, 0, 9, 9))
    place("pspnet-voc", mean_network(np.zeros((3, 21))), tmp_path)
    with pytest.raises(ValueError, match=r"pspnet-voc: gave \(1, 21\), expected \(1, any, any, any\)"):
        open_segmenter("pspnet-voc", tmp_path)(image, (0, 0, 9, 9))
