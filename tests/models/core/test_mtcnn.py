"""The torch port finds what the package mtcnn 1.0.0 finds, and does not have its two faults.

mtcnn_reference.json was written once by that package on tensorflow-cpu 2.21 (`fit_to_image=False`): per picture, rows
of left, top, right, bottom, score, five x, five y. No picture of it had a tie in suppression, so none is excepted.
"""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from facevox.models.core.detectors import open_detector
from facevox.models.core.mtcnn import Mtcnn, MtcnnOptions, load, p_net, pyramid, r_net, suppress

pytest.importorskip("lz4")
data = pytest.importorskip("skimage.data")
REFERENCE = json.loads((Path(__file__).parent / "mtcnn_reference.json").read_text())
PIXELS, SCORE = 0.02, 1e-3


@pytest.fixture(scope="module")
def detect():
    return open_detector("mtcnn")


def rows(faces):
    return np.array([[*face.box, face.score, *face.points.T.ravel()] for face in faces]).reshape(-1, 15)


def check(faces, name):
    expected = np.array(REFERENCE[name]).reshape(-1, 15)
    found = rows(faces)
    assert found.shape == expected.shape
    assert np.abs(np.delete(found - expected, 4, axis=1)).max(initial=0) < PIXELS
    assert np.abs(found[:, 4] - expected[:, 4]).max(initial=0) < SCORE


def mosaic():
    """One face at five sizes, one of them mirrored, on gray."""
    face = data.astronaut()[40:240, 130:330]
    canvas = np.full((420, 640, 3), 90, np.uint8)
    for side, top, left in ((200, 10, 10), (120, 230, 30), (80, 40, 260), (150, 200, 300), (60, 300, 520)):
        small = face if side == 200 else cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA)
        canvas[top : top + side, left : left + side] = small[:, ::-1] if side == 120 else small
    return canvas


def test_boxes_points_and_scores_are_the_packages(detect):
    image = data.astronaut()
    check(detect(image), "astronaut")
    check(detect(image[::2, ::2]), "astronaut_half")
    check(detect(mosaic()), "mosaic")
    check(Mtcnn(MtcnnOptions(min_face=24))(image), "astronaut_min24")


@pytest.mark.real
def test_boxes_points_and_scores_are_the_packages_on_real_pictures(detect, real):
    names = [name for name in REFERENCE if "/" in name]
    assert sum(len(REFERENCE[name]) for name in names) == 26
    for name in names:
        path, _, scale = name.partition("@")
        image = cv2.cvtColor(cv2.imread(str(real / path)), cv2.COLOR_BGR2RGB)
        if scale:
            image = cv2.resize(image, None, fx=float(scale), fy=float(scale), interpolation=cv2.INTER_AREA)
        check(detect(image), name)


@pytest.mark.parametrize("min_face", [30, 40, 60, 80])
def test_any_smallest_face_works(detect, min_face):
    """The package finds nothing from 30 px on."""
    (expected,) = detect(data.astronaut())
    (found,) = Mtcnn(MtcnnOptions(min_face=min_face))(data.astronaut())
    assert np.abs(np.subtract(found.box, expected.box)).max() < 8
    assert np.abs(found.points - expected.points).max() < 4


def test_pictures_of_mixed_sizes_do_not_disturb_each_other(detect):
    """The package shifts the boxes that follow a smaller picture without a face."""
    image = data.astronaut()
    alone = rows(detect(image))
    blank = np.full((200, 300, 3), 128, np.uint8)
    found = [detect(picture) for picture in (blank, image, mosaic(), image)]
    assert [len(faces) for faces in found] == [0, 1, 5, 1]
    np.testing.assert_array_equal(rows(found[1]), alone)
    np.testing.assert_array_equal(rows(found[3]), alone)


def test_pictures_too_small_or_wrong(detect):
    assert detect(np.zeros((15, 400, 3), np.uint8)) == []
    with pytest.raises(ValueError, match="expected RGB"):
        detect(np.zeros((40, 40), np.uint8))
    with pytest.raises(ValueError, match="P-Net sees no face below 12 px"):
        MtcnnOptions(min_face=11)


def test_a_threshold_keeps_the_surer_faces():
    expected = sorted((row[4] for row in REFERENCE["mosaic"] if row[4] > 0.9995), reverse=True)
    assert 0 < len(expected) < 5
    faces = open_detector("mtcnn", threshold=0.9995)(mosaic())
    assert [face.score for face in faces] == pytest.approx(expected, abs=SCORE)


def test_the_pyramid_ends_where_a_cell_no_longer_fits():
    for side in (20, 33, 313, 442, 512, 1080):
        for min_face in (12, 20, 30, 80):
            levels = [int(side * scale) for scale in pyramid(side, min_face)]
            assert all(level >= 12 for level in levels)
            assert not levels or levels[-1] * 0.709 < 13


def test_a_suppressed_box_still_suppresses():
    """Boxes in a row, each overlapping the next: the usual greedy rule would keep the third."""
    chain = np.array([[0, 0, 10, 10, 0.9], [3, 0, 13, 10, 0.8], [6, 0, 16, 10, 0.7], [40, 0, 50, 10, 0.95]])
    assert suppress(chain, 0.5).tolist() == [3, 0]
    many = np.tile(chain[:1], (1300, 1)) + np.arange(1300)[:, None] * [20, 0, 20, 0, -1e-4]
    assert suppress(many, 0.5).tolist() == list(range(1300))
    inner = np.array([[0, 0, 10, 10, 0.9], [2, 2, 6, 6, 0.8]])
    assert suppress(inner, 0.7).tolist() == [0, 1]
    assert suppress(inner, 0.7, of_smaller=True).tolist() == [0]


def test_stored_numbers_are_read_without_interpreting_the_file():
    """The package's own reader is the independent one: it runs the file's instructions, ours does not."""
    joblib = pytest.importorskip("joblib")
    from facevox.models.core.pretrained import locate

    arrays = joblib.load(locate("mtcnn-rnet"))
    parameters = list(load("mtcnn-rnet", r_net()).parameters())
    assert len(arrays) == len(parameters) == 16
    for array, parameter in zip(arrays, parameters, strict=True):
        back = {4: (2, 3, 1, 0), 2: (1, 0)}.get(parameter.ndim, (0,))
        np.testing.assert_array_equal(array.squeeze(), parameter.numpy().transpose(back).squeeze())


def test_weights_of_another_digest_are_refused_before_they_are_read(tmp_path):
    (tmp_path / "pnet.lz4").write_bytes(b"anything else")
    with pytest.raises(ValueError, match="pnet.lz4: sha256 .* expected ea6b0c3e685ebee3"):
        load("mtcnn-pnet", p_net(), tmp_path)
