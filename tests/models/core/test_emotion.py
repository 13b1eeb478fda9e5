"""What reaches an emotion network is what its publisher says, and its classes come out in FER-2013's order."""

import numpy as np
import pytest
from facevox.models.core.emotion import EMOTIONS, NEUTRAL, open_emotion
from facevox.models.core.face_crops import ALIGNED_POINTS

FACE = (10, 20, 50, 60)
WEIGHTS = np.linspace(-2, 1, 7)[None]


def softmax(scores):
    raised = np.exp(scores - scores.max())
    return raised / raised.sum()


@pytest.fixture
def picture():
    image = np.full((80, 100, 3), 255, np.uint8)
    image[20:60, 10:50] = (40, 90, 140)
    return image


def test_the_order_is_that_of_fer_2013():
    assert EMOTIONS == ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
    assert NEUTRAL == 6


def test_mini_xception_gets_the_gray_box_in_minus_one_to_one(tmp_path, place, mean_network, picture):
    place("mini-xception", mean_network(WEIGHTS, channels_last=True), tmp_path)
    judge = open_emotion("mini-xception", tmp_path)
    gray = round(0.299 * 40 + 0.587 * 90 + 0.114 * 140)
    found = judge(picture, FACE)
    assert (found.shape, found.dtype, judge.name) == ((7,), np.float32, "mini-xception")
    np.testing.assert_allclose(found, softmax(WEIGHTS[0] * (gray / 127.5 - 1)), atol=1e-5)


def test_the_networks_order_becomes_that_of_fer_2013(tmp_path, place, mean_network, picture):
    weights = np.outer([0, 0, 1], np.arange(7))
    place("mobilefacenet-fer", mean_network(weights), tmp_path)
    points = (ALIGNED_POINTS * 0.3 + (12, 22)).astype(np.float32)
    found = open_emotion("mobilefacenet-fer", tmp_path)(picture, FACE, points)
    # The zoo has neutral fifth; the order of numbers tells where each class came from.
    assert [EMOTIONS[index] for index in np.argsort(found)] == [
        "angry", "disgust", "fear", "happy", "neutral", "sad", "surprise",
    ]  # fmt: skip
    assert found.sum() == pytest.approx(1)


def test_the_aligned_face_reaches_the_network_in_its_colours(tmp_path, place, mean_network):
    image = np.zeros((200, 200, 3), np.uint8)
    image[:] = (200, 100, 50)
    for channel, level in enumerate((200, 100, 50)):
        weights = np.zeros((3, 7))
        weights[channel, NEUTRAL - 2] = 1
        place("mobilefacenet-fer", mean_network(weights), tmp_path)
        points = (ALIGNED_POINTS + 40).astype(np.float32)
        found = open_emotion("mobilefacenet-fer", tmp_path)(image, (40, 40, 152, 152), points)
        odds = np.log(found[NEUTRAL] / found[0])
        assert odds == pytest.approx(level / 127.5 - 1, abs=1e-4)


def test_probabilities_are_kept_as_they_are(tmp_path, place, mean_network, picture):
    shares = np.array([[0.1, 0.2, 0.05, 0.05, 0.1, 0.2, 0.3]])
    image = np.full_like(picture, 255)
    place("mini-xception", mean_network(shares, channels_last=True), tmp_path)
    np.testing.assert_allclose(open_emotion("mini-xception", tmp_path)(image, FACE), shares[0], atol=1e-6)


def test_without_points_dlib_finds_them(tmp_path, place, mean_network):
    pytest.importorskip("dlib")
    data = pytest.importorskip("skimage.data")
    from facevox.models.core.detectors import open_detector
    from facevox.models.core.face_crops import five_points

    image = data.astronaut()
    face = open_detector("dlib-hog")(image)[0]
    place("mobilefacenet-fer", mean_network(np.outer([1, 2, 3], np.arange(7))), tmp_path)
    judge = open_emotion("mobilefacenet-fer", tmp_path)
    np.testing.assert_array_equal(judge(image, face.box), judge(image, face.box, five_points(image, face.box)))


def test_none_judges_nothing_and_other_names_and_files_are_refused(tmp_path, place, mean_network, picture):
    assert open_emotion("none") is None
    with pytest.raises(ValueError, match="no emotion judge 'mini-xcepton'; did you mean 'mini-xception'"):
        open_emotion("mini-xcepton")
    with pytest.raises(
        FileNotFoundError, match=r"fer2013_mini_xception.onnx here; give the folder .*face_classification"
    ):
        open_emotion("mini-xception", tmp_path)
    (tmp_path / "fer2013_mini_xception.onnx").write_bytes(b"some")
    with pytest.raises(ValueError, match="no digest of mini-xception is published"):
        open_emotion("mini-xception", tmp_path)
    (tmp_path / "fer2013_mini_xception.onnx.sha256").write_text("0" * 64)
    with pytest.raises(ValueError, match="expected 0000000000000000"):
        open_emotion("mini-xception", tmp_path)
    place("mini-xception", mean_network(np.ones((1, 8)), channels_last=True), tmp_path)
    with pytest.raises(ValueError, match=r"mini-xception: gave \(1, 8\), expected \(1, 7\); another network's file"):
        open_emotion("mini-xception", tmp_path)(picture, FACE)
    place("mini-xception", mean_network(WEIGHTS, channels_last=True), tmp_path)
    with pytest.raises(ValueError, match="has no pixel in the 100x80 picture"):
        open_emotion("mini-xception", tmp_path)(picture, (200, 0, 300, 50))


def test_a_judge_is_loaded_once(tmp_path, place, mean_network):
    place("mini-xception", mean_network(WEIGHTS, channels_last=True), tmp_path)
    assert open_emotion("mini-xception", tmp_path).run is open_emotion("mini-xception", tmp_path).run
