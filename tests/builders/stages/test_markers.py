"""Markers of the sheet, on the real captures: all found, agreeing with the authors' own list of corners."""

import zipfile
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from facevox.builders.stages.markers import NUMBERS, centre, thermal_markers, visual_markers

CAPTURES = (1, 2, 3, 5, 7, 8, 10)
ROWS = {3: (0, 48), 5: (76, 120), 7: (156, 192), 8: (192, 236), 10: (280, 312)}
"""Rows of matched_features.xlsx that belong to a capture."""


def picture(path, scale: float = 1.0) -> np.ndarray:
    found = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
    return found if scale == 1 else cv2.resize(found, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def square(x: float, y: float, side: float) -> np.ndarray:
    return np.array([[x + side, y], [x + side, y + side], [x, y + side], [x, y]], np.float64)


def test_the_centre_of_a_marker_is_carried_by_a_homography():
    matrix = np.array([[0.8, 0.1, 5], [-0.05, 0.9, 3], [4e-4, 6e-4, 1]])
    tilted = cv2.perspectiveTransform(square(100, 50, 40)[None], matrix)[0]
    assert np.allclose(centre(tilted), cv2.perspectiveTransform(np.array([[[120.0, 70.0]]]), matrix)[0, 0])
    assert not np.allclose(tilted.mean(0), centre(tilted), atol=0.01)


def test_a_picture_without_a_sheet_has_no_markers():
    noise = np.random.default_rng(0).integers(0, 255, (348, 464, 3)).astype(np.uint8)
    assert thermal_markers(noise) == {}
    assert visual_markers(np.full((512, 768, 3), 128, np.uint8)) == {}


@pytest.mark.parametrize("turn", [0, 17, -65])
def test_corners_of_a_drawn_marker_are_found_to_a_twentieth_of_a_pixel(turn):
    """Drawn at eight times the size, averaged down, with noise: the truth is known from the drawing."""
    dictionary = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_ARUCO_ORIGINAL)
    large = np.full((512 * 8, 768 * 8), 220, np.uint8)
    large[1600:2048, 2400:2848] = cv2.aruco.generateImageMarker(dictionary, 7, 448)
    matrix = cv2.getRotationMatrix2D((2624, 1824), turn, 1.0)
    large = cv2.warpAffine(large, matrix, (768 * 8, 512 * 8), flags=cv2.INTER_LINEAR, borderValue=220)
    small = cv2.resize(large, (768, 512), interpolation=cv2.INTER_AREA)
    noisy = np.clip(small + np.random.default_rng(1).normal(0, 2, small.shape), 0, 255).astype(np.uint8)
    found = visual_markers(cv2.cvtColor(noisy, cv2.COLOR_GRAY2RGB))
    corners = np.array([[2399.5, 1599.5], [2847.5, 1599.5], [2847.5, 2047.5], [2399.5, 2047.5]])
    truth = (cv2.transform(corners[None], matrix)[0] + 0.5) / 8 - 0.5
    assert list(found) == [7]
    assert np.abs(found[7] - truth).max() < 0.05


@pytest.mark.real
@pytest.mark.parametrize("number", CAPTURES)
def test_all_markers_of_the_real_captures(real, number):
    home = real / "speakingfaces" / "calibration"
    thermal, visual = picture(home / f"{number}_0.png"), picture(home / f"{number}_1.png")
    assert tuple(thermal_markers(thermal)) == NUMBERS
    assert tuple(visual_markers(visual)) == (() if number == 2 else NUMBERS)


@pytest.mark.real
@pytest.mark.parametrize("number", (3, 5, 7, 8, 10))
def test_half_the_size_gives_the_same_corners(real, number):
    home = real / "speakingfaces" / "calibration"
    for code, detect in ((0, thermal_markers), (1, visual_markers)):
        full, half = (detect(picture(home / f"{number}_{code}.png", scale)) for scale in (1.0, 0.5))
        assert list(half) == list(NUMBERS)
        away = [(half[n] + 0.5) * 2 - 0.5 - full[n] for n in NUMBERS]
        assert np.sqrt(np.mean(np.square(away))) < 0.6


@pytest.mark.real
def test_markers_of_the_published_figure(real):
    """A resampled crop of another capture, 476x350: nearly the thermal size."""
    panels = real / "speakingfaces" / "panels"
    assert len(thermal_markers(picture(panels / "am_markers_thermal.png"))) >= 11
    assert len(thermal_markers(picture(panels / "am_markers_thermal_gray.png"))) == 12


@pytest.mark.real
@pytest.mark.parametrize("number", ROWS)
def test_corners_agree_with_the_authors_list(real, number):
    """Their corners are whole pixels of an older library; ours must name the same corners in the same order."""
    home = real / "speakingfaces" / "calibration"
    first, last = ROWS[number]
    thermal, visual = (
        thermal_markers(picture(home / f"{number}_0.png")),
        visual_markers(picture(home / f"{number}_1.png")),
    )
    mine = {n: np.hstack([thermal[n], visual[n]]) for n in NUMBERS}
    theirs = published_rows(home / "matched_features.xlsx")[first:last].reshape(-1, 4, 4)
    nearest = []
    for corners in theirs:
        away = {n: np.abs(mine[n] - corners) for n in NUMBERS}
        n = min(away, key=lambda n: away[n].max())
        nearest.append(n)
        assert away[n].max() < 3.0
        assert away[n].mean() < 1.2
    assert len(set(nearest)) == len(theirs)


def published_rows(path) -> np.ndarray:
    """(1352, 4): thermal x, y, visual x, y; the workbook read as the zip of XML that it is."""
    name = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    with zipfile.ZipFile(path) as book:
        sheet = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))
    rows = [[cell.findtext(f"{name}v") for cell in row.iter(f"{name}c")] for row in sheet.iter(f"{name}row")]
    return np.array([row[1:] for row in rows[1:]], np.float64)
