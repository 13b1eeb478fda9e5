"""Aligned frames of pairs and crops: the shifts of the fact `alignment`, whatever the order of asking."""

from types import SimpleNamespace

import cv2
import numpy as np
from facevox.builders.stages.align import Aligner, homography, residual, warp
from facevox.builders.stages.aligned_frames import AlignedFrames
from facevox.builders.stages.calibration import Calibration, Pooled

SHIFTS = [(3, 40), (3, 40), (4, 40), (4, 40), (-157, 40), (3, 40)]
SIZE, SPANS = (464, 348), [(1, len(SHIFTS), None, None)]


def test_finding_and_cutting_use_the_shifts_of_the_facts():
    noise = np.random.default_rng(5).random((512, 768, 3), np.float32)
    smooth = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 12), None, 50, 150, cv2.NORM_MINMAX).astype(np.uint8)
    released = [warp(smooth, homography(*shift), SIZE) for shift in SHIFTS]
    # A pixel aside is less than one grey level here, and still another shift.
    assert 0.25 < residual(smooth, released[2], *SHIFTS[1]) < 1
    source = SimpleNamespace(
        stem=SimpleNamespace(scale=1.0),
        spans=SPANS,
        has_aligned=True,
        picture=lambda stream, number: released[number - 1] if stream == 3 else smooth,
    )
    matrix = homography(2, 1)
    calibration = Calibration((464, 348), (768, 512), tuple(matrix.ravel()), Pooled(0, 0, None, 0, 0), ())
    aligner, frames = Aligner(SPANS, 1.0, calibrated=calibration.at(1.0)), AlignedFrames(source, calibration)
    numbers = range(1, len(SHIFTS) + 1)
    for number in numbers:
        aligner.add(number, smooth, released[number - 1])
    first = {number: frames.picture(number) for number in numbers}
    for segment in aligner.facts()["alignment"]:
        for number in range(segment["first"], segment["last"] + 1):
            expected = warp(smooth, np.reshape(segment["h"], (3, 3)), SIZE)
            assert np.array_equal(first.pop(number), expected)
            assert np.array_equal(frames.picture(number), expected)
    assert not first, "every frame has a segment"
