"""Embedders: unit vectors of what the publishers' networks are given; dlib's equals dlib called directly."""

import numpy as np
import pytest
from facevox.models.core.detectors import Face, open_detector
from facevox.models.core.embedding import open_embedder, unit
from facevox.models.core.face_crops import ALIGNED_POINTS, five_points

FACE = Face((40, 40, 152, 152), 1.0, (ALIGNED_POINTS + 40).astype(np.float32))


def one_colour(*colour):
    return np.full((200, 200, 3), colour, np.uint8)


def test_sface_gets_the_aligned_face_in_rgb_as_it_is(tmp_path, place, mean_network):
    weights = np.zeros((3, 128))
    weights[0, 0] = weights[1, 1] = weights[2, 2] = 1
    place("sface", mean_network(weights), tmp_path)
    embed = open_embedder("sface", tmp_path)
    vectors = embed([one_colour(200, 100, 50), one_colour(0, 0, 9)], [FACE, FACE])
    assert (vectors.shape, vectors.dtype, embed.name) == ((2, 128), np.float32, "sface")
    np.testing.assert_allclose(vectors[0, :3], np.array([200, 100, 50]) / np.hypot(np.hypot(200, 100), 50), atol=1e-5)
    np.testing.assert_allclose(vectors[1, :3], [0, 0, 1], atol=1e-5)


def test_an_onnx_file_gets_it_as_arcface_does(tmp_path, mean_network):
    (tmp_path / "mine.onnx").write_bytes(mean_network(np.eye(3)))
    embed = open_embedder("onnx:mine.onnx", tmp_path)
    (vector,) = embed([one_colour(255, 0, 0)], [FACE])
    np.testing.assert_allclose(vector * 3**0.5, [1, -1, -1], atol=1e-5)
    assert embed.name == "onnx:mine.onnx"


def test_points_that_did_not_come_are_found(tmp_path, mean_network):
    pytest.importorskip("dlib")
    image = pytest.importorskip("skimage.data").astronaut()
    (tmp_path / "mine.onnx").write_bytes(mean_network(np.eye(3)))
    embed, face = open_embedder("onnx:mine.onnx", tmp_path), open_detector("dlib-hog")(image)[0]
    same = Face(face.box, 0.0, five_points(image, face.box))
    np.testing.assert_array_equal(embed([image], [face]), embed([image], [same]))


def test_dlibs_is_dlibs_own_made_a_unit_vector():
    dlib = pytest.importorskip("dlib")
    image = pytest.importorskip("skimage.data").astronaut()
    from facevox.models.core.pretrained import locate

    predict = dlib.shape_predictor(str(locate("dlib-landmarks5")))
    describe = dlib.face_recognition_model_v1(str(locate("dlib-descriptor")))
    box = dlib.get_frontal_face_detector()(image)[0]
    expected = np.array(describe.compute_face_descriptor(image, predict(image, box)))
    face = Face((box.left(), box.top(), box.right() + 1, box.bottom() + 1), 1.0)
    embed = open_embedder("dlib")
    (vector,) = embed([image], [face])
    assert embed is open_embedder("dlib")
    np.testing.assert_allclose(vector, expected / np.linalg.norm(expected), atol=1e-6)


@pytest.mark.real
def test_dlib_tells_real_people_apart(real):
    pytest.importorskip("dlib")
    from PIL import Image

    people = ("Emraan_Hashmi", "Andrew_Rannells", "Anthony_Anderson")
    paths = [path for name in people for path in sorted((real / "faces/hq_voxceleb" / name).glob("*.jpg"))[:2]]
    images = [np.asarray(Image.open(path).convert("RGB")) for path in paths]
    vectors = open_embedder("dlib")(images, [open_detector("dlib-hog")(image)[0] for image in images])
    likeness = vectors @ vectors.T
    same = np.kron(np.eye(3), np.ones((2, 2))) > 0
    assert vectors.shape == (6, 128)
    np.testing.assert_allclose(np.diag(likeness), 1, atol=1e-5)
    assert likeness[same].min() > 0.92 > likeness[~same].max()


def test_none_give_no_rows_and_what_does_not_fit_is_refused(tmp_path, place, mean_network):
    with pytest.raises(ValueError, match="no embedder 'sfaec'; did you mean 'sface'"):
        open_embedder("sfaec")
    with pytest.raises(FileNotFoundError, match="no such ONNX file"):
        open_embedder("onnx:mine.onnx", tmp_path)
    place("sface", mean_network(np.ones((3, 64))), tmp_path)
    with pytest.raises(ValueError, match=r"sface: gave \(1, 64\), expected \(1, 128\); another network's file"):
        open_embedder("sface", tmp_path)([one_colour(1, 2, 3)], [FACE])
    place("sface", mean_network(np.ones((3, 128))), tmp_path)
    embed = open_embedder("sface", tmp_path)
    assert len(embed([], [])) == 0
    with pytest.raises(ValueError, match="zip"):
        embed([one_colour(1, 2, 3)], [])
    with pytest.raises(ValueError, match="gave a vector of no length"):
        embed([one_colour(0, 0, 0)], [FACE])
    with pytest.raises(ValueError, match="gave a vector of no length"):
        unit("mine", [np.array([np.nan, 1], np.float32)])


def test_dlib_refuses_a_box_outside_the_picture():
    pytest.importorskip("dlib")
    with pytest.raises(ValueError, match="has no pixel in the 200x200 picture"):
        open_embedder("dlib")([one_colour(1, 2, 3)], [Face((300, 300, 400, 400), 1.0)])
