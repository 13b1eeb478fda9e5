"""The detectors agree with dlib called directly and with the boxes measured apart from this package."""

import csv

import numpy as np
import pytest
from facevox.models.core.detectors import detector_file, open_detector, open_landmarks
from PIL import Image

dlib = pytest.importorskip("dlib")
data = pytest.importorskip("skimage.data")


def picture(path):
    return np.asarray(Image.open(path).convert("RGB"))


def edges(box):
    return box.left(), box.top(), box.right() + 1, box.bottom() + 1


@pytest.mark.parametrize(("name", "upsample"), [("dlib-hog", 0), ("dlib-hog-up1", 1)])
def test_hog_is_dlibs_own(name, upsample):
    image = data.astronaut()
    boxes, scores, _ = dlib.get_frontal_face_detector().run(image, upsample, 0.0)
    faces = open_detector(name)(image)
    assert [face.box for face in faces] == [edges(box) for box in boxes]
    assert [face.score for face in faces] == pytest.approx(scores)
    assert sorted(scores, reverse=True) == list(scores)
    assert all(face.points is None for face in faces)


def test_a_threshold_keeps_the_surer_faces():
    image = data.astronaut()
    assert len(open_detector("dlib-hog-up1")(image)) == 2
    assert len(open_detector("dlib-hog-up1", threshold=0.5)(image)) == 1
    assert open_detector("dlib-cnn", threshold=1.5)(image[:256, 128:384]) == []


def test_a_detector_is_loaded_once():
    assert open_detector("dlib-hog") is open_detector("dlib-hog")
    assert open_landmarks() is open_landmarks()


def test_landmarks_are_dlibs_own():
    from facevox.models.core.pretrained import locate

    image = data.astronaut()
    box = dlib.get_frontal_face_detector()(image)[0]
    shape = dlib.shape_predictor(str(locate("dlib-landmarks68")))(image, box)
    points = open_landmarks()(image, edges(box))
    assert points.shape == (68, 2)
    assert points.dtype == np.int32
    assert points.tolist() == [[point.x, point.y] for point in shape.parts()]


def test_what_is_not_a_picture_or_a_box_is_refused():
    image = data.astronaut()
    for wrong in (image[..., 0], image.astype(np.float32), image[:0], np.zeros((4, 4, 4), np.uint8), None):
        with pytest.raises(ValueError, match=r"expected RGB of shape \(H, W, 3\), uint8"):
            open_detector("dlib-hog")(wrong)
    with pytest.raises(ValueError, match="left < right"):
        open_landmarks()(image, (5, 5, 5, 9))
    part = image[::2, ::2]
    assert open_detector("dlib-hog")(part) == open_detector("dlib-hog")(part.copy())


def test_unknown_names_and_missing_or_foreign_files_are_named(tmp_path):
    with pytest.raises(ValueError, match="did you mean 'dlib-hog'"):
        open_detector("dlib-hgo")
    with pytest.raises(FileNotFoundError, match="yunet.onnx: no such ONNX file"):
        open_detector("onnx:yunet.onnx", tmp_path)
    (tmp_path / "yunet.onnx").write_bytes(b"no network")
    with pytest.raises(ValueError, match="not an ONNX network"):
        open_detector("yunet.onnx", tmp_path)


@pytest.mark.real
def test_hog_finds_the_boxes_measured_on_real_pictures(real):
    """The ground truth holds the boxes with one upsampling, right and bottom inside; scaled pictures are left out."""
    with (real / "ground_truth" / "images.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["hog_scale"] == "1.0"]
    chosen = [row for row in rows if int(row["width"]) * int(row["height"]) < 200_000][::3]
    faces = 0
    for row in chosen:
        image = picture(real / row["path"])
        found = open_detector("dlib-hog-up1")(image)
        measured = [[float(edge) for edge in box.split()] for box in row["hog_boxes"].split(";") if box.strip()]
        assert [face.box for face in found] == [(x0, y0, x1 + 1, y1 + 1) for x0, y0, x1, y1 in measured], row["path"]
        assert len(open_detector("dlib-hog")(image)) == int(row["hog_faces_upsample0"]), row["path"]
        faces += len(found)
    assert (len(chosen), faces) > (50, 40)


def test_an_onnx_detector_with_yunets_outputs_finds_what_was_planted(tmp_path, red_block_finder):
    (tmp_path / "blocks.onnx").write_bytes(red_block_finder)
    detect = open_detector("onnx:blocks.onnx", tmp_path)
    assert detect.name == "onnx:blocks.onnx"
    for height, width in ((64, 96), (100, 150)):
        image = np.zeros((height, width, 3), np.uint8)
        image[24:32, 40:48, 0] = 255
        image[40:48, 64:72, 0] = 240
        image[8:16, 8:16, 2] = 255
        faces = detect(image)
        assert [face.box for face in faces] == [pytest.approx((36, 20, 52, 36)), pytest.approx((60, 36, 76, 52))]
        assert [face.score for face in faces] == pytest.approx([1.0, 240 / 255], abs=1e-3)
        expected = np.array([40, 24]) + np.arange(5)[:, None] * 2
        np.testing.assert_allclose(faces[0].points, expected, atol=1e-3)
        assert faces[0].points.dtype == np.float32
    assert len(open_detector("onnx:blocks.onnx", tmp_path, threshold=0.97)(image)) == 1
    assert detect(np.zeros((40, 40, 3), np.uint8)) == []


def test_an_onnx_file_is_named_without_its_folder_and_opened_anew_when_replaced(
    tmp_path, red_block_finder, colour_means
):
    file, image = tmp_path / "blocks.onnx", np.zeros((40, 60, 3), np.uint8)
    file.write_bytes(red_block_finder)
    assert open_detector(str(file)).name == "onnx:blocks.onnx"
    file.write_bytes(colour_means)
    with pytest.raises(ValueError, match="does not run on 60x40 like YuNet"):
        open_detector(str(file))(image)
    assert detector_file("mtcnn", tmp_path) is None


def test_an_onnx_file_with_other_outputs_or_another_digest_is_refused(tmp_path, colour_means):
    (tmp_path / "means.onnx").write_bytes(colour_means)
    with pytest.raises(ValueError, match="does not run on 60x40 like YuNet"):
        open_detector("means.onnx", tmp_path)(np.zeros((40, 60, 3), np.uint8))
    (tmp_path / "means.onnx.sha256").write_text("0" * 64 + "  means.onnx\n")
    with pytest.raises(ValueError, match=r"is not the one in means.onnx.sha256"):
        open_detector("means.onnx", tmp_path)
    (tmp_path / "face_detection_yunet_2023mar.onnx").write_bytes(colour_means)
    with pytest.raises(ValueError, match="expected 8f2383e4dd3cfbb4"):
        open_detector("yunet", tmp_path)
