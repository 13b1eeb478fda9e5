"""The search from coarse to fine, with a detector that knows where faces are and sees none below 80 px, like dlib's."""

from dataclasses import dataclass, field

import cv2
import numpy as np
import pytest
from facevox.builders.stages.candidate_faces import largest_face, level_pupils, search
from facevox.models.core.detectors import Face


@dataclass
class Knowing:
    """Finds faces (left, top, width) of a photo of known width that are 80 px or more at the scale it is shown."""

    width: int
    faces: list
    name: str = "knowing"
    shown: list = field(default_factory=list)

    def __call__(self, image):
        scale = image.shape[1] / self.width
        self.shown.append(round(scale, 2))
        found = [(left * scale, top * scale, side * scale) for left, top, side in self.faces if side * scale >= 80]
        return [Face((x, y, x + side, y + side), side) for x, y, side in found]


def dots(image, box):
    """68 points: all at the box's middle but those of the eyes, which lie on the two bright dots of the picture."""
    left, top, right, bottom = box
    found = np.tile([(left + right) / 2, (top + bottom) / 2], (68, 1))
    rows, columns = np.nonzero(image[..., 0] > 100)
    if len(columns):
        first = columns < columns.mean()
        for eye, mine in ((slice(36, 42), first), (slice(42, 48), ~first)):
            found[eye] = columns[mine].mean(), rows[mine].mean()
    else:
        found[36:42, 0] -= 10
        found[42:48, 0] += 10
    return np.round(found).astype(np.int32)


def test_a_large_face_is_found_at_once():
    knowing = Knowing(1600, [(400, 300, 700)])
    (face,) = search(np.zeros((1200, 1600, 3), np.uint8), knowing)
    assert knowing.shown == [0.3]
    assert face.box == pytest.approx((400, 300, 1100, 1000), abs=1)


def test_a_second_face_half_as_wide_is_not_missed():
    knowing = Knowing(1600, [(200, 200, 320), (900, 300, 165)])
    found = search(np.zeros((1200, 1600, 3), np.uint8), knowing)
    assert len(found) == 2 and len(knowing.shown) == 2
    assert largest_face(np.zeros((1200, 1600, 3), np.uint8), knowing, dots).rival == pytest.approx(0.52, abs=0.01)


def test_a_small_face_is_found_in_an_enlarged_photo_and_none_ends_the_search():
    knowing = Knowing(800, [(300, 200, 45)])
    (face,) = search(np.zeros((600, 800, 3), np.uint8), knowing)
    assert knowing.shown[-1] == 2.0
    assert face.box[2] - face.box[0] == pytest.approx(45)
    assert search(np.zeros((600, 800, 3), np.uint8), Knowing(800, [])) == []


@pytest.mark.parametrize("roll", [0, 25])
def test_coordinates_of_large_photos_are_mapped_back(roll):
    photo = np.zeros((3000, 4000, 3), np.uint8)
    down = round(300 * np.tan(np.radians(roll)))
    eyes = [(1450, 1100 - down), (2050, 1100 + down)]
    for eye in eyes:
        cv2.circle(photo, eye, 60, (255, 255, 255), -1)
    face = largest_face(photo, Knowing(4000, [(1000, 350, 1500)]), dots)
    assert face.box == pytest.approx((1000, 350, 2500, 1850), abs=3)
    # Landmarks are whole pixels, seven of the photo's.
    np.testing.assert_allclose(face.pupils, eyes, atol=5)
    np.testing.assert_allclose(level_pupils(photo, face, dots), eyes, atol=5)
    assert face.ipd == pytest.approx(600 / np.cos(np.radians(roll)), abs=8)
    assert face.outside(4000, 3000) == 0 and face.outside(1500, 3000) > 0


def test_a_photo_without_a_face_gives_none():
    assert largest_face(np.zeros((50, 40, 3), np.uint8), Knowing(40, []), dots) is None
