"""Crops for face networks: the box, and five points at fixed places, equal to OpenCV's own alignment."""

import cv2
import numpy as np
import pytest
from facevox.models.core.face_crops import ALIGNED_POINTS, aligned_crop, box_crop, five_points, resized, similarity


def turned(points, angle, scale, shift):
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return points @ turn.T + shift


@pytest.mark.parametrize(("angle", "scale", "shift"), [(0, 1, (0, 0)), (0.4, 2.5, (30, -7)), (-2.9, 0.2, (900, 4))])
def test_a_planted_similarity_is_found_exactly(angle, scale, shift):
    points = turned(ALIGNED_POINTS, angle, scale, np.array(shift))
    matrix = similarity(points, ALIGNED_POINTS)
    np.testing.assert_allclose(points @ matrix[:, :2].T + matrix[:, 2], ALIGNED_POINTS, atol=1e-9)
    assert np.linalg.det(matrix[:, :2]) > 0


def test_no_similarity_is_nearer_than_the_one_found():
    rng = np.random.default_rng(0)
    points = ALIGNED_POINTS * 3 + rng.normal(0, 8, (5, 2))
    best = similarity(points, ALIGNED_POINTS)

    def misfit(matrix):
        return ((points @ matrix[:, :2].T + matrix[:, 2] - ALIGNED_POINTS) ** 2).sum()

    for _ in range(200):
        turn = best[:, :2] @ np.array([[1, -(a := rng.normal(0, 0.02))], [a, 1]]) * (1 + rng.normal(0, 0.02))
        other = np.column_stack([turn, best[:, 2] + rng.normal(0, 0.5, 2)])
        assert misfit(other) >= misfit(best)


def test_points_that_fall_together_or_are_too_few_are_refused():
    with pytest.raises(ValueError, match="at least two different ones"):
        similarity(np.ones((5, 2)), ALIGNED_POINTS)
    with pytest.raises(ValueError, match=r"points of shape \(4, 2\): expected \(5, 2\)"):
        aligned_crop(np.zeros((9, 9, 3), np.uint8), np.zeros((4, 2), np.float32))


def test_aligned_points_land_on_their_places():
    image = np.zeros((300, 400, 3), np.uint8)
    points = turned(ALIGNED_POINTS, 0.3, 2.0, np.array([150.0, 20.0])).astype(np.float32)
    for point in points:
        cv2.circle(image, (round(float(point[0])), round(float(point[1]))), 6, (255, 255, 255), -1)
    crop = aligned_crop(image, points)
    assert crop.shape == (112, 112, 3)
    for x, y in ALIGNED_POINTS:
        assert crop[round(y), round(x), 0] == 255
    assert (crop > 0).mean() < 0.05


def test_a_box_is_cut_and_resized_and_clipped_to_the_picture():
    image = np.zeros((40, 60, 3), np.uint8)
    image[10:30, 20:40] = (200, 100, 50)
    assert (box_crop(image, (20, 10, 40, 30), (5, 7)) == (200, 100, 50)).all()
    assert box_crop(image, (20, 10, 40, 30), (5, 7)).shape == (5, 7, 3)
    assert (box_crop(image, (-1e9, -1e9, 1e9, 1e9), (40, 60)) == image).all()
    for box in ((60, 0, 70, 10), (-9, -9, 0, 0), (20, 10, 20, 30), (30, 10, 20, 30)):
        with pytest.raises(ValueError, match="has no pixel in the 60x40 picture"):
            box_crop(image, box, (5, 7))
    with pytest.raises(ValueError, match="expected RGB"):
        box_crop(image[..., 0], (0, 0, 9, 9), (5, 7))


def test_shrinking_averages_and_growing_keeps_the_colour():
    checks = np.indices((64, 64)).sum(0) % 2 * np.full((3, 64, 64), 200)
    image = np.ascontiguousarray(checks.transpose(1, 2, 0).astype(np.uint8))
    assert (resized(image, (16, 16)) == 100).all()
    assert (resized(np.full((3, 3, 3), 7, np.uint8), (9, 5)) == 7).all()


@pytest.mark.real
def test_five_points_lie_on_the_face(real):
    pytest.importorskip("dlib")
    from facevox.models.core.detectors import open_detector
    from PIL import Image

    image = np.asarray(Image.open(real / "faces/hq_voxceleb/Emraan_Hashmi/1.jpg").convert("RGB"))
    box = open_detector("dlib-hog")(image)[0].box
    points = five_points(image, box)
    left, right, nose, mouth_left, mouth_right = points
    assert points.dtype == np.float32
    assert left[0] < nose[0] < right[0]
    assert mouth_left[0] < nose[0] < mouth_right[0]
    assert max(left[1], right[1]) < nose[1] < min(mouth_left[1], mouth_right[1])
