"""Evidence for blur, freezes and stray colours."""

import numpy as np
import pytest
from facevox.builders.stages.artifacts import Blur, Freeze, Palette
from facevox.loaders.palette import heat_colours
from scipy.ndimage import gaussian_filter, laplace


def test_blur_is_the_variance_of_an_independent_laplacian():
    grey = gaussian_filter(np.random.default_rng(0).normal(128, 60, (60, 80)), 1).clip(0, 255).astype(np.uint8)
    blur = Blur()
    blur.add(np.repeat(grey[:, :, None], 3, 2))
    assert blur.facts()["blur_min"] == pytest.approx(laplace(grey.astype(float), mode="mirror").var(), rel=1e-6)


def test_blurred_frames_are_counted():
    sharp = np.random.default_rng(0).integers(0, 256, (60, 80, 3)).astype(np.uint8)
    blur = Blur()
    for frame in (sharp, np.full_like(sharp, 90), sharp, sharp):
        blur.add(frame)
    facts = blur.facts()
    assert (facts["blurred"], facts["blur_share"], facts["blur_min"]) == (True, 0.25, 0.0)
    assert len(facts["blur"]) == 4


def frames(text: str) -> list[np.ndarray]:
    """One frame per letter; equal letters are equal frames."""
    return [np.full((4, 4, 3), ord(letter), np.uint8) for letter in text]


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        ("abcd", []),
        ("aabcc", [(1, 2), (4, 5)]),
        ("aaaa", [(1, 4)]),
        ("abbba", [(2, 4)]),
        ("a", []),
        ("aabb", [(1, 2), (3, 4)]),
    ],
)
def test_runs_have_their_true_ends(text, runs):
    freeze = Freeze(at_least=3)
    for frame in frames(text):
        freeze.add(frame)
    facts = freeze.facts()
    assert [(run["first"], run["last"]) for run in facts["freeze_runs"]] == runs
    longest = max((last - first + 1 for first, last in runs), default=0)
    assert facts["freeze_longest"] == longest
    assert facts["frozen"] == (longest >= 3)
    assert facts["freeze_share"] == sum(b - a + 1 for a, b in runs if b - a + 1 >= 3) / len(text)


def test_palette_counts_stray_pixels():
    thermal = heat_colours(np.random.default_rng(0).integers(0, 224, (8, 8)).astype(np.uint8))
    exact, strayed = Palette(), Palette()
    exact.add(thermal)
    thermal[0, :3] = (1, 2, 3)
    strayed.add(thermal)
    assert exact.facts() == {"palette_exact": True, "palette_outside": 0}
    assert strayed.facts() == {"palette_exact": False, "palette_outside": 3}
