"""The published homography, shifts found in pixels, residuals."""

import cv2
import numpy as np
import pytest
import skimage.data
from facevox.builders.stages.align import (
    THERMAL_POINTS,
    VISUAL_POINTS,
    Aligner,
    best_shift,
    calibrated_offset,
    carried,
    find_shift,
    homography,
    residual,
    root_mean_square,
    shifted,
    warp,
)

SIZE = (464, 348)
RECOMMENDED = (
    0.78101233,
    0.02191339,
    -60.3927497,
    -0.01026142,
    0.78670914,
    -25.2035602,
    1.2773863e-5,
    6.8343626e-5,
    1.0,
)
"""Mean of the matrices of nine public marker captures."""


@pytest.fixture(scope="module")
def visual() -> np.ndarray:
    return cv2.resize(skimage.data.astronaut(), (768, 512), interpolation=cv2.INTER_AREA)


def test_published_matrix():
    published = [
        0.61039429,
        -0.03583539,
        -18.54397147,
        -0.04450309,
        0.63667564,
        0.49605883,
        -2.1077840e-4,
        -1.7948680e-4,
        1,
    ]
    assert np.allclose(homography().ravel(), published, atol=1e-6)


@pytest.mark.parametrize(("dx", "dy"), [(0, 0), (1, 20), (-154, 39), (478, 110)])
def test_shifts_are_added_to_the_visual_points(dx, dy):
    moved = np.array(VISUAL_POINTS, np.float64) + np.array([dx, dy])
    again = cv2.findHomography(moved, np.array(THERMAL_POINTS, np.float64), cv2.RANSAC, 2.0)[0]
    assert np.allclose(homography(dx, dy), again / again[2, 2], atol=1e-7)
    mapped = cv2.perspectiveTransform(moved[None], homography(dx, dy))[0]
    assert np.allclose(mapped, THERMAL_POINTS, atol=1e-6)


def test_warp_equals_an_independent_implementation(visual):
    from skimage.transform import ProjectiveTransform
    from skimage.transform import warp as resample

    matrix = homography(2, 30)
    ours = warp(visual, matrix, SIZE).astype(float)
    theirs = resample(
        visual, ProjectiveTransform(np.linalg.inv(matrix)), output_shape=SIZE[::-1], order=1, preserve_range=True
    )
    assert np.abs(ours - theirs)[:300].mean() < 0.5


@pytest.mark.parametrize(("dy", "share"), [(0, 1.0), (20, 0.9998), (43, 0.970), (66, 0.915), (90, 0.859), (110, 0.812)])
def test_valid_area_shrinks_as_published(visual, dy, share):
    from facevox.builders.stages.align import _valid

    assert (_valid((1, dy, 1.0), (768, 512), SIZE) > 0).mean() == pytest.approx(share, abs=0.004)


@pytest.mark.parametrize(("dx", "dy"), [(0, 2), (3, 47), (-22, 124), (-160, 39), (478, 30), (-320, 60)])
def test_shift_is_found_exactly(visual, dx, dy):
    aligned = warp(visual, homography(dx, dy), SIZE)
    found = find_shift(visual, aligned)
    assert found[:2] == (dx, dy)
    assert found[2] == 0


def test_shift_is_found_under_compression_noise(visual):
    aligned = warp(visual, homography(5, 61), SIZE)
    noisy = np.clip(aligned + np.random.default_rng(0).normal(0, 4, aligned.shape), 0, 255).astype(np.uint8)
    assert find_shift(visual, noisy)[:2] == (5, 61)


def test_residual_tells_a_wrong_shift(visual):
    aligned = warp(visual, homography(5, 61), SIZE)
    assert residual(visual, aligned, 5, 61) == 0
    assert residual(visual, aligned, 6, 61) > 0.5
    assert residual(visual, 255 - aligned, 5, 61) > 20


def test_small_frames_use_the_scaled_matrix(visual):
    half = cv2.resize(visual, (384, 256), interpolation=cv2.INTER_AREA)
    aligned = warp(half, homography(4, 17, 0.5), (232, 174))
    assert find_shift(half, aligned, 0.5) == (4, 17, 0.0)
    corner = np.array([[[100.0, 60.0]]])
    full = cv2.perspectiveTransform(2 * corner, homography(8, 34))
    assert np.allclose(cv2.perspectiveTransform(corner, homography(4, 17, 0.5)), full / 2, atol=1e-6)


def test_estimates_follow_a_jump_inside_a_clip(visual):
    shifts = [(3, 40), (-157, 40), (3, 40), (3, 40), (9, 44)]
    aligner = Aligner([(1, 5, None, None)], 1.0)
    for number, shift in enumerate(shifts, 1):
        assert aligner.wants(number)
        aligner.add(number, visual, warp(visual, homography(*shift), SIZE))
    facts = aligner.facts()
    found = [(s["first"], s["last"], s["dx"], s["dy"], s["source"]) for s in facts["alignment"]]
    assert found == [
        (1, 1, 3, 40, "estimated"),
        (2, 2, -157, 40, "estimated"),
        (3, 4, 3, 40, "estimated"),
        (5, 5, 9, 44, "estimated"),
    ]
    assert (facts["aligned_residual"], facts["aligned_checked"], aligner.fails) == (0, 5, False)


def test_published_spans_are_held_against_first_middle_and_last(visual):
    aligner = Aligner([(1, 4, 3, 40), (5, 9, 5, 40)], 1.0)
    assert [number for number in range(1, 10) if aligner.wants(number)] == [1, 5, 9]
    wrong = warp(visual, homography(60, 40), SIZE)
    aligner.add(1, visual, wrong)
    assert aligner.fails
    assert aligner.facts()["aligned_residual"] > 2
    assert all(Aligner([(1, 9, 3, 40)], 1.0, check_all=True).wants(number) for number in range(1, 10))


def test_the_best_shift_is_the_best_of_all_whole_shifts():
    base = np.array(RECOMMENDED).reshape(3, 3)
    random = np.random.default_rng(3)
    thermal = random.uniform((100, 60), (360, 300), (48, 2))
    visual = carried(np.linalg.inv(shifted(base, -31, 57)), thermal) + random.normal(0, 1, (48, 2))
    found = best_shift(base, visual, thermal)
    every = {
        (dx, dy): root_mean_square(carried(base, visual - (dx, dy)) - thermal)
        for dx in range(-36, -25)
        for dy in range(52, 63)
    }
    assert found[:2] == min(every, key=every.get) == (-31, 57)
    assert found[2] == pytest.approx(every[found[:2]])


def test_calibrated_and_published_matrix_agree_over_the_face_as_measured():
    dx, dy, rms = calibrated_offset(RECOMMENDED, 1.0)
    assert rms == pytest.approx(2.0, abs=0.25)  # 2.0 was measured with a free shift on another grid
    face = np.array([(x, y) for x in range(150, 311, 8) for y in range(80, 281, 8)], np.float64)
    for at in ((0, 0), (3, 47), (-154, 39)):
        visual = carried(np.linalg.inv(homography(*at)), face)
        again = carried(shifted(np.array(RECOMMENDED).reshape(3, 3), at[0] + dx, at[1] + dy), visual)
        assert root_mean_square(again - face) == pytest.approx(rms, abs=0.1)
        assert np.abs(again - face).max() < 8


@pytest.mark.parametrize("span", [(1, 3, 3, 40), (1, 3, None, None)])
def test_a_calibrated_matrix_takes_the_place_and_the_residual_stays_with_the_published_one(visual, span):
    base = np.array(RECOMMENDED).reshape(3, 3)
    aligner, plain = Aligner([span], 1.0, calibrated=base), Aligner([span], 1.0)
    for number in (1, 2, 3):
        for one in (aligner, plain):
            if one.wants(number):
                one.add(number, visual, warp(visual, homography(3, 40), SIZE))
    facts, known = aligner.facts(), plain.facts()
    (segment,) = facts["alignment"]
    offset = calibrated_offset(RECOMMENDED, 1.0)
    assert (segment["first"], segment["last"], segment["source"]) == (1, 3, "calibration")
    assert (segment["dx"], segment["dy"]) == (3 + offset[0], 40 + offset[1])
    assert np.allclose(np.reshape(segment["h"], (3, 3)), shifted(base, segment["dx"], segment["dy"]))
    assert {name: facts[name] for name in facts if name != "alignment"} == {
        name: known[name] for name in known if name != "alignment"
    }
    assert facts["shift_source"] == ("published" if span[2] is not None else "estimated")
    assert facts["aligned_residual"] == 0
