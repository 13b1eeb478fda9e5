"""Controls of picture errors and distances pass on sound measurements, and fail on each planted fault."""

from dataclasses import replace

import numpy as np
import pytest
from facevox.benchmarks.core import picture_controls
from facevox.benchmarks.core.metrics import frechet_distance, kernel_distance
from facevox.benchmarks.core.picture_controls import (
    CHECKED,
    DrawnPictures,
    checked,
    halves,
    itself,
    kernel_itself,
    shuffled_sets,
    target_chance,
    target_oracle,
)
from facevox.benchmarks.core.picture_errors import picture_errors


@pytest.fixture(scope="module")
def drawn() -> DrawnPictures:
    """Six people with six segments each: the target with noise."""
    random = np.random.default_rng(0)
    targets = random.random((6, 16, 16, 3), np.float32)[np.repeat(np.arange(6), 6)]
    made = np.clip(targets + 0.1 * random.standard_normal(targets.shape, np.float32), 0, 1)
    return DrawnPictures(targets, made, np.repeat(np.arange(6), 6))


def test_the_targets_themselves_have_no_error(drawn, monkeypatch):
    sound = target_oracle(drawn.targets)
    assert sound.passed
    assert "MAE 0, MSE 0, SNR 100, PSNR 100, PAMSE 0, SSIM 1" in sound.found
    for name, amount in (("mae", 1e-3), ("ssim", -1e-3), ("snr", -40.0)):

        def broken(targets, made, name=name, amount=amount):
            found = picture_errors(targets, made)
            return replace(found, **{name: getattr(found, name) + amount})

        monkeypatch.setattr(picture_controls, "picture_errors", broken)
        assert not target_oracle(drawn.targets).passed, name


def test_faces_are_nearer_to_their_own_target_than_to_others(drawn):
    sound = target_chance("VAE", drawn)
    assert sound.passed
    own = np.abs(drawn.targets - drawn.made).mean()
    assert f"{own:.4f} against the own, of 36 segments of 6 people" in sound.found
    # Everybody's faces drawn are the next person's targets.
    mixed = target_chance("VAE", replace(drawn, made=np.roll(drawn.targets, 6, axis=0)), seed=1)
    assert not mixed.passed
    assert "are targets mixed up?" in mixed.found
    guessed = replace(drawn, made=np.random.default_rng(1).random(drawn.made.shape, np.float32))
    assert target_chance("VAE", guessed).passed, "no nearer, but not surely so"
    alone = DrawnPictures(drawn.targets[:6], drawn.made[:6], drawn.people[:6])
    assert not target_chance("VAE", alone).passed


@pytest.fixture(scope="module")
def features() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Real and thermal features of twelve people, and whose they are."""
    random, people = np.random.default_rng(0), np.repeat([f"p{at:02d}" for at in range(12)], 8)
    real = 0.3 * random.standard_normal((12, 5))[np.repeat(np.arange(12), 8)] + random.standard_normal((96, 5))
    return real, real + 2.0, people


def test_a_set_is_no_distance_from_itself(features):
    assert itself("FID", frechet_distance, features[0]).passed
    assert not itself("FID", lambda a, b: frechet_distance(a, b) + 0.01, features[0]).passed


def test_a_kernel_distance_from_itself_is_what_its_formula_says(features, monkeypatch):
    assert kernel_itself("KID", features[0]).passed
    monkeypatch.setattr(picture_controls, "kernel_distance", lambda a, b: kernel_distance(a, b) + 1e-3)
    assert not kernel_itself("KID", features[0]).passed


def test_shuffled_sets_are_no_farther_apart_than_their_formula(features):
    real, thermal, _ = features
    assert shuffled_sets("KID", kernel_distance, real, thermal, 0.0).passed
    assert not shuffled_sets("KID", lambda a, b: kernel_distance(a, b) + 20, real, thermal, 0.0).passed
    assert shuffled_sets("FID", frechet_distance, real, thermal, None).passed
    assert not shuffled_sets("FID", lambda a, b: 1.0, real, thermal, None).passed


def test_controls_look_at_some_of_many_pictures():
    assert checked(7).tolist() == list(range(7))
    assert len(checked(5 * CHECKED)) == CHECKED and checked(5 * CHECKED)[-1] == 5 * CHECKED - 1


@pytest.mark.parametrize("distance", [frechet_distance, kernel_distance])
def test_a_judge_that_tells_sets_apart_passes_and_one_that_may_not_fails(features, distance):
    real, thermal, people = features
    sound = halves("FID", distance, real, thermal, people)
    assert sound.passed
    assert sound == halves("FID", distance, real, thermal, people)
    blind = halves("FID", distance, real, real, people)
    same, far = (
        float(part.split(" ")[0].rstrip(",")) for part in blind.found.split(" people is ")[1].split("thermal ones ")
    )
    assert far == pytest.approx(same), "without the thermal faces' own look there is nothing to tell"
    assert not blind.passed and "cannot tell such sets apart" in blind.found
    assert not halves("FID", distance, 0 * real, 0 * real, people).passed
    few = people < "p01"
    assert "too few" in halves("FID", distance, real[few], thermal[few], people[few]).found
