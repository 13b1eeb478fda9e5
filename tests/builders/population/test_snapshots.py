"""Web photographs: what they are said to show, detectors and landmarks see too."""

import cv2
import numpy as np
import pytest
from facevox.builders.population.people import draw
from facevox.builders.population.snapshots import BAD, GOOD, KINDS, jpeg, plan_photo, take
from facevox.models.core.detectors import open_detector, open_landmarks


def photo(kind: str, subject: int, number: int = 0):
    return take(plan_photo(kind, draw(7, subject), (5, subject, number), [draw(7, 900 + subject)]))


@pytest.fixture(scope="module")
def good():
    return [photo(GOOD, subject) for subject in range(1, 7)]


def test_the_same_plan_gives_the_same_bytes():
    first, second = photo("smile", 2), photo("smile", 2)
    assert jpeg(first.picture, 90) == jpeg(second.picture, 90)
    assert first.truth == second.truth
    assert not np.array_equal(first.picture, photo("smile", 2, 1).picture)


def test_dlib_finds_every_good_face_alone_with_its_pupils_near_their_truth(good):
    detect, landmarks = open_detector("dlib-hog-up1"), open_landmarks()
    off = []
    for shown in good:
        image = np.ascontiguousarray(shown.picture[..., ::-1])
        (face,) = detect(image)
        points = landmarks(image, face.box).astype(float)
        pupils = np.stack([points[36:42].mean(0), points[42:48].mean(0)])
        off.append(np.hypot(*(pupils - shown.truth["pupils"]).T).max() / shown.truth["pupil_distance"])
    assert np.median(off) < 0.04
    assert max(off) < 0.2


@pytest.mark.parametrize(("kind", "faces"), [("none", 0), ("several", 2), ("smile", 1), ("tiny", 1), ("profile", 1)])
def test_dlib_counts_the_faces_of_other_kinds(kind, faces):
    shown = photo(kind, 3)
    assert shown.truth["n_people"] == faces
    assert len(open_detector("dlib-hog-up1")(np.ascontiguousarray(shown.picture[..., ::-1]))) == faces


def test_mtcnn_finds_the_good_ones_alone_too(good):
    detect = open_detector("mtcnn")
    for shown in good[:3]:
        (face,) = detect(np.ascontiguousarray(shown.picture[..., ::-1]))
        left, top, right, bottom = face.box
        for x, y in shown.truth["pupils"]:
            assert left < x < right and top < y < bottom


def test_each_kind_is_what_its_name_says():
    for subject in (1,):
        truth = {kind: photo(kind, subject).truth for kind in KINDS}
        assert max(abs(truth[GOOD]["yaw"]), abs(truth[GOOD]["pitch"])) <= 3
        assert truth[GOOD]["smile"] <= 0.1 and truth[GOOD]["pupil_distance"] >= 40
        assert abs(truth["profile"]["yaw"]) >= 15 and abs(truth["pitched"]["pitch"]) >= 15
        assert truth["tiny"]["pupil_distance"] < 30
        assert truth["several"]["n_people"] == 1 + len(truth["several"]["others"]) == 2
        assert truth["smile"]["smile"] >= 0.7
        assert truth["none"]["n_people"] == 0 and "pupils" not in truth["none"]
        width = truth["cropped"]["size"][0]
        edges = [point[0] for point in truth["cropped"]["landmarks"]]
        assert min(edges) < 0 or max(edges) > width


def test_blur_takes_the_detail_away():
    def detail(kind: str) -> float:
        shown = photo(kind, 4)
        (x, y), size = np.mean(shown.truth["pupils"], 0).astype(int), int(shown.truth["pupil_distance"])
        face = cv2.cvtColor(shown.picture[y - size // 2 : y + size, x - size : x + size], cv2.COLOR_BGR2GRAY)
        return float(cv2.Laplacian(cv2.resize(face, (96, 96), interpolation=cv2.INTER_AREA), cv2.CV_64F).var())

    assert detail("blurred") < 0.2 * detail(GOOD)


def test_the_mask_covers_the_face_and_not_the_top_corners(good):
    for shown in good:
        face = np.array(shown.truth["landmarks"]).astype(int)
        assert (shown.mask[face[17:48, 1], face[17:48, 0]] > 200).all()
        assert shown.mask[0, 0] == shown.mask[0, -1] == 0


def test_unknown_kinds_and_missing_strangers_are_refused():
    with pytest.raises(ValueError, match="expected one of good, profile"):
        plan_photo("selfie", draw(7, 1), (1,))
    with pytest.raises(ValueError, match="one stranger"):
        plan_photo("several", draw(7, 1), (1,))
    assert GOOD not in BAD
