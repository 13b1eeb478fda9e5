"""Asymmetry and head pose against turned models of a head and an independent Procrustes fit."""

import numpy as np
import pytest
from facevox.builders.population.portrait import _mirror_order, neutral
from facevox.builders.stages.candidate_pose import HEAD, MIRROR, asymmetry5, asymmetry68, head_pose
from scipy.spatial import procrustes


def rotation(yaw, pitch, roll):
    """Turn about the vertical, then the horizontal axis, then the line of sight: + right, + up, + clockwise."""
    a, b, c = np.radians([yaw, pitch, roll])
    about_y = np.array([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), np.sin(b)], [0, -np.sin(b), np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return about_z @ about_x @ about_y


def seen(yaw=0.0, pitch=0.0, roll=0.0, size=80.0):
    """68 landmarks of the generic head from 20 pupil distances away; those not in its table lie among the eyes."""
    solid = np.zeros((68, 3))
    for number, place in HEAD.items():
        solid[number] = place
    for corners, lids in (((36, 39), (37, 38, 40, 41)), ((42, 45), (43, 44, 46, 47))):
        solid[list(lids)] = solid[list(corners)].mean(0)
    turned = solid @ rotation(yaw, pitch, roll).T
    return turned[:, :2] / (1 + turned[:, 2:] / 20) * size + (200, 150)


def test_mirroring_twice_changes_nothing_and_the_population_agrees():
    np.testing.assert_array_equal(MIRROR[MIRROR], np.arange(68))
    np.testing.assert_array_equal(MIRROR, _mirror_order())


@pytest.mark.parametrize("angles", [(0, 0, 0), (12, 0, 0), (-20, 0, 5), (0, 15, 0), (0, -15, -8), (8, -10, 12)])
def test_a_turned_head_is_read_within_a_degree(angles):
    assert head_pose(seen(*angles)) == pytest.approx(angles, abs=1.0)


def test_five_points_tell_five_degrees():
    level = [abs(asymmetry5(seen(yaw))) for yaw in (0, 4, 6, 15)]
    assert level[0] < 1e-9
    assert level[1] < 0.045 < level[2] < level[3]
    assert asymmetry5(seen(10)) == pytest.approx(-asymmetry5(seen(-10)))
    assert asymmetry5(seen(10)) > 0
    assert asymmetry5(seen(10, roll=30)) == pytest.approx(asymmetry5(seen(10)), abs=1e-3)


def test_a_symmetric_face_has_no_mirror_asymmetry_however_it_lies():
    points = neutral()[1]
    assert asymmetry68(points) < 1e-9
    turn = np.array([[np.cos(0.4), -np.sin(0.4)], [np.sin(0.4), np.cos(0.4)]])
    assert asymmetry68(points @ turn.T * 0.3 + 50) < 1e-9


def test_mirror_asymmetry_is_that_of_scipys_procrustes():
    points = neutral()[1] + np.random.default_rng(3).normal(0, 4, (68, 2))
    own = points - points.mean(0)
    _, _, disparity = procrustes(points, (points * (-1, 1))[MIRROR])
    distance = np.linalg.norm(points[42:48].mean(0) - points[36:42].mean(0))
    expected = np.sqrt(disparity * (own**2).sum() / 68) / distance
    assert asymmetry68(points) == pytest.approx(expected, rel=1e-6)
