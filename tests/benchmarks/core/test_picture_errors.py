"""Picture errors: values by hand, and agreement with scikit-image."""

import numpy as np
import pytest
from facevox.benchmarks.core.picture_errors import picture_errors
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity


def test_a_constant_offset():
    target = np.random.default_rng(0).uniform(0, 0.9, (2, 64, 64, 3))
    found = picture_errors(target, target + 10 / 255).means()
    assert found["mae"] == pytest.approx(10 / 255)
    assert found["psnr"] == pytest.approx(28.13, abs=0.01)
    assert found["pamse"] == pytest.approx(100)


def test_equal_pictures_get_the_most_decibels():
    target = np.random.default_rng(1).uniform(0, 1, (1, 32, 32, 3))
    assert picture_errors(target, target).means() == {
        "mae": 0, "mse": 0, "snr": 100, "psnr": 100, "pamse": 0, "ssim": pytest.approx(1),
    }  # fmt: skip


def test_scikit_image_agrees():
    random = np.random.default_rng(2)
    target = random.uniform(0, 1, (3, 64, 64, 3))
    made = np.clip(target + 0.1 * random.standard_normal(target.shape), 0, 1)
    found = picture_errors(target, made)
    for at in range(3):
        assert found.mse[at] == pytest.approx(mean_squared_error(target[at], made[at]))
        assert found.psnr[at] == pytest.approx(peak_signal_noise_ratio(target[at], made[at], data_range=1))
        channels = [
            structural_similarity(
                target[at, ..., c], made[at, ..., c], data_range=1, gaussian_weights=True, use_sample_covariance=False
            )
            for c in range(3)
        ]
        assert found.ssim[at] == pytest.approx(np.mean(channels))
    assert (found.pamse < found.mse * 255**2).all()
    assert found.snr == pytest.approx(found.psnr + 10 * np.log10((target**2).mean((1, 2, 3))))


def test_other_shapes_and_ranges_are_refused():
    with pytest.raises(ValueError, match="expected"):
        picture_errors(np.zeros((1, 8, 8)), np.zeros((1, 8, 8)))
    with pytest.raises(ValueError, match="outside"):
        picture_errors(np.zeros((1, 16, 16, 3)), np.full((1, 16, 16, 3), 255))
