"""Heads turn and smile by what was asked for."""

import numpy as np
import pytest
from facevox.builders.population.people import draw
from facevox.builders.population.turning import Look, turned

PERSON = draw(7, 3)


def asymmetry(points: np.ndarray) -> float:
    """RMS distance of the mirrored points, laid over the others by a similarity, in pupil distances.

    The pairs are found by place in a frontal face, not from the forge's own table.
    """
    front = turned(PERSON, 1, Look()).points
    middle = (front[36:42].mean(0) + front[42:48].mean(0))[0] / 2
    flipped = (front - (middle, 0)) * (-1, 1) + (middle, 0)
    pairs = np.hypot(*(flipped[:, None] - front[None]).T).T.argmin(1)
    assert sorted(pairs) == list(range(68))
    here = (points - points.mean(0)) @ (1, 1j)
    there = ((points * (-1, 1) - (points * (-1, 1)).mean(0)) @ (1, 1j))[pairs]
    scale = (there.conj() * here).sum() / (abs(there) ** 2).sum()
    pupils = points[42:48].mean(0) - points[36:42].mean(0)
    return float(np.sqrt((abs(scale * there - here) ** 2).mean()) / np.hypot(*pupils))


def nose_offset(points: np.ndarray) -> float:
    """Nose tip beside the middle of the pupils, in pupil distances; above 0 towards the right of the picture."""
    left, right = points[36:42].mean(0), points[42:48].mean(0)
    return float((points[30] - (left + right) / 2) @ (right - left) / ((right - left) @ (right - left)))


def test_a_face_from_the_front_is_symmetric_and_a_turned_one_is_not():
    assert asymmetry(turned(PERSON, 1, Look()).points) < 0.005
    grown = [asymmetry(turned(PERSON, 1, Look(yaw=yaw)).points) for yaw in (2, 5, 10, 15, 25, 40)]
    assert grown == sorted(grown)
    assert grown[0] < 0.06 < grown[3]


@pytest.mark.parametrize("yaw", [-30.0, -5.0, 5.0, 20.0])
def test_the_nose_stands_out_by_half_a_pupil_distance(yaw):
    points = turned(PERSON, 1, Look(yaw=yaw)).points
    # A nose tip h pupil distances in front of the eyes moves by h tan(yaw) of the foreshortened distance.
    assert nose_offset(points) / np.tan(np.radians(yaw)) == pytest.approx(0.5, abs=0.06)


def test_the_turned_picture_moves_with_its_landmarks():
    front, side = (turned(PERSON, 1, Look(yaw=yaw)) for yaw in (0.0, 12.0))
    for number in (30, 36, 45, 48, 54):
        patches = []
        for shown in (front, side):
            x, y = np.round(shown.points[number]).astype(int)
            patches.append(shown.colour[y - 5 : y + 6, x - 3 : x + 4, :3].astype(float))
        assert np.corrcoef(patches[0].ravel(), patches[1].ravel())[0, 1] > 0.8, number


def test_looking_up_shortens_nose_to_eyes_and_looking_down_the_chin():
    def gap(pitch: float, first: int, second: int) -> float:
        points = turned(PERSON, 1, Look(pitch=pitch)).points
        return float(points[second, 1] - points[first, 1])

    assert gap(18, 27, 30) < 0.75 * gap(0, 27, 30)
    assert gap(-18, 30, 8) < 0.9 * gap(0, 30, 8) < gap(0, 30, 8) < gap(18, 30, 8) * 1.2


def test_a_smile_widens_lifts_and_opens_the_mouth_by_its_degree():
    shapes = [turned(PERSON, 1, Look(smile=degree)).points for degree in (0.0, 0.5, 1.0)]
    wide = [points[54, 0] - points[48, 0] for points in shapes]
    corner = [points[48, 1] - points[33, 1] for points in shapes]
    gap = [points[66, 1] - points[62, 1] for points in shapes]
    assert wide == sorted(wide) and wide[2] > 1.3 * wide[0]
    assert corner == sorted(corner, reverse=True)
    assert gap == sorted(gap) and gap[2] > 8
    calm, broad = (turned(PERSON, 1, Look(smile=degree)) for degree in (0.0, 1.0))
    (x, y), (x0, y0) = (np.round((s.points[62] + s.points[66]) / 2).astype(int) for s in (broad, calm))
    assert broad.colour[y - 1 : y + 2, x - 2 : x + 3, :3].mean() > 150 > calm.colour[y0, x0, :3].mean()


def test_light_from_one_side_brightens_that_side():
    shown = turned(PERSON, 1, Look(light=(0.4, 0.0)))
    left, right = shown.points[2].astype(int), shown.points[14].astype(int)
    row = int(left[1])
    near, far = shown.colour[row, right[0] - 30 : right[0] - 10, :3], shown.colour[row, left[0] + 10 : left[0] + 30, :3]
    assert near.mean() > 1.3 * far.mean()
