"""Squares about boxes cut where they must be; OpenFace's template; the real portraits and bad pictures through them."""

from collections import Counter

import numpy as np
import pytest
from facevox.builders.core.builder import Unit
from facevox.builders.core.raw import open_raw
from facevox.builders.core.stage import Clock, Reject
from facevox.builders.stages import vggface_faces
from facevox.builders.stages.openface_alignment import TEMPLATE, aligned, openface_matrix
from facevox.builders.stages.vggface_faces import cut, decoded, find_face, packed, read_faces, search, square
from facevox.builders.stages.vggface_listing import picture_key
from facevox.builders.stages.vox_vgg_options import VoxVggOptions
from facevox.models.core.detectors import Face, open_detector, open_landmarks
from PIL import Image


@pytest.mark.parametrize("scale", [1.0, 1.1, 1.3])
@pytest.mark.parametrize("box", [(100.0, 80.0, 160.0, 170.0), (61.3, 90.2, 250.9, 140.7), (10.0, 5.0, 70.0, 90.0)])
def test_a_crop_shows_the_scaled_square_about_the_box(box, scale):
    """On a picture whose red is the column and green the row, every pixel of the crop tells where it was taken."""
    rows, columns = np.mgrid[:200, :256]
    picture = np.stack([columns, rows, np.zeros_like(rows)], -1).astype(np.uint8)
    crop = square(box, scale, picture.shape[:2])
    face = cut(picture, crop, 112).astype(float)
    half = scale * max(box[2] - box[0], box[3] - box[1]) / 2
    middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    wanted = [np.clip([middle[axis] - half, middle[axis] + half], 0, (256, 200)[axis]) for axis in (0, 1)]
    assert np.allclose(crop, [wanted[0][0], wanted[1][0], wanted[0][1], wanted[1][1]])
    steps = (np.arange(112) + 0.5) / 112
    inner = slice(2, -2)
    for axis, (first, last) in enumerate(wanted):
        expected = first + steps * (last - first) - 0.5
        found = face[..., axis].mean(axis)
        assert np.abs(found - expected)[inner].max() < 0.6


def test_a_square_mostly_outside_is_turned_down():
    with pytest.raises(Reject, match="less than half"):
        square((-80.0, 10.0, 20.0, 110.0), 1.0, (200, 256))


def test_a_picture_that_fails_unforeseen_is_one_row_and_the_others_are_kept(tmp_path, monkeypatch):
    whole = find_face
    monkeypatch.setattr(VoxVggOptions, "open_detector", lambda how: Fixed(Face((20.0, 20.0, 80.0, 80.0), 1.0)))

    def fails_on_black(picture, *rest):
        return whole(picture, *rest) if picture.any() else {}["eyes"]

    monkeypatch.setattr(vggface_faces, "find_face", fails_on_black)
    (tmp_path / "Ann_Ames").mkdir()
    for number, grey in enumerate((90, 0, 200), 1):
        Image.new("RGB", (100, 100), (grey,) * 3).save(tmp_path / "Ann_Ames" / f"{number}.png")
    rows = packed([(f"vox1-id10001_{number:08d}", f"Ann_Ames/{number}.png", False, None) for number in (1, 2, 3)])
    details = {"place": "Ann_Ames", "pictures": rows, "facts": {}, "listed": False}
    unit = Unit("vox1-id10001", "faces", "train", "vox_vgg/vox1/id10001", 3, details, 3)
    one, bad, three = read_faces(open_raw(str(tmp_path)), unit, VoxVggOptions(), Clock())
    assert (one.key[-1], three.key[-1]) == ("1", "3") and one.facts["held_out"] is False
    assert (bad.key[-1], bad.place, bad.stage, bad.kind) == ("2", "Ann_Ames/2.png", "faces", "KeyError")


class Fixed:
    """A detector that finds given faces."""

    name = "fixed"

    def __init__(self, *faces: Face) -> None:
        self.faces, self.seen = list(faces), (0, 0)

    def __call__(self, image: np.ndarray) -> list[Face]:
        self.seen = image.shape[:2]
        return self.faces


def test_the_largest_sure_face_counts():
    small, large = Face((0, 0, 40, 40), 0.99), Face((50, 50, 130, 130), 0.91)
    unsure = Face((0, 0, 199, 199), 0.89)
    found = find_face(np.zeros((200, 200, 3), np.uint8), Fixed(small, large, unsure), None, VoxVggOptions())
    assert (found["box"], found["n_faces"]) == (large.box, 2)


def test_large_pictures_are_searched_small_and_boxes_come_back_large():
    points = np.array([[10, 10], [30, 10], [20, 20], [12, 30], [28, 30]], np.float32)
    detector = Fixed(Face((100, 50, 200, 150), 0.99, points))
    face = search(np.zeros((1_536, 2_048, 3), np.uint8), detector)[0]
    assert detector.seen == (768, 1_024)
    assert face.box == (200, 100, 400, 300) and np.array_equal(face.points, points * 2)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("0001_01.jpg", "0001_01"),
        ("12.jpg", "00000012"),
        ("00000012.png", "00000012"),
        ("Ann Äther.01.jpg", "ann-ther-01"),
        ("_.jpg", "0"),
    ],
)
def test_keys_of_pictures(name, key):
    assert picture_key(name) == key


def test_openface_puts_three_points_into_the_template():
    landmarks = np.random.default_rng(0).integers(50, 300, (68, 2)).astype(np.int32)
    landmarks[[36, 45, 33]] = (120, 140), (210, 130), (170, 190)
    printed = [(18.639, 16.250), (75.730, 15.184), (47.515, 49.386)]
    moved = np.column_stack([landmarks[[36, 45, 33]], np.ones(3)]) @ openface_matrix(landmarks, 96).T
    assert np.abs(moved - printed).max() < 0.01
    assert np.allclose(openface_matrix(landmarks, 64) * 1.5, openface_matrix(landmarks, 96))
    with pytest.raises(ValueError, match="one line"):
        openface_matrix(np.full((68, 2), 7, np.int32), 96)


@pytest.mark.real
def test_real_portraits_give_a_face_each_and_bad_pictures_none(real):
    """At VFMR's threshold of 0.9: good portraits of seven sources; no face where there is none."""
    detector, how = open_detector("mtcnn"), VoxVggOptions()
    good = [path for path in sorted((real / "faces").rglob("*")) if path.suffix in (".jpg", ".png")][::2]
    lost = []
    for path in good:
        picture = decoded(path.read_bytes())
        try:
            found = find_face(picture, detector, None, how)
        except Reject:
            lost.append(path.name)
            continue
        face = cut(picture, square(found["box"], 1.0, picture.shape[:2]), 112)
        assert face.shape == (112, 112, 3) and found["ipd"] > 8
        eyes = [(point["x"], point["y"]) for point in found["points"][:2]]
        assert all(found["box"][0] < x < found["box"][2] and found["box"][1] < y < found["box"][3] for x, y in eyes)
    assert len(good) > 35 and len(lost) <= 1, lost
    for path in sorted((real / "bad" / "no_face").iterdir()):
        with pytest.raises(Reject, match="no face of score 0.9"):
            find_face(decoded(path.read_bytes()), detector, None, how)
    several = [decoded(path.read_bytes()) for path in sorted((real / "bad" / "several_faces").iterdir())]
    assert Counter(find_face(picture, detector, None, how)["n_faces"] > 1 for picture in several)[True] >= 6


@pytest.mark.real
def test_real_faces_stand_in_openface_places_after_alignment(real):
    """dlib finds the three points again within a few pixels of the template on the aligned face."""
    detector, landmarks = open_detector("dlib-hog"), open_landmarks()
    off = []
    for path in sorted((real / "faces" / "hq_voxceleb").rglob("*.jpg"))[:6]:
        picture = decoded(path.read_bytes())
        points = landmarks(picture, search(picture, detector)[0].box)
        face = aligned(picture, points, 384)
        again = landmarks(face, (20.0, 20.0, 364.0, 364.0))[[36, 45, 33]]
        off.append(np.abs(again - TEMPLATE * 384).max() / 4)
    assert np.median(off) < 2.5, off
