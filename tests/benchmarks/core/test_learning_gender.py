"""What the gender row asks of noise: nowhere better, and clearly worse in the end."""

import pytest
from facevox.benchmarks.core.learning_gender import falling


@pytest.mark.parametrize(
    ("levels", "passed"),
    [
        ((95.8, 93.7, 87.5, 79.2), [True, True, True]),
        ((91.0, 91.0, 91.0, 91.0), [True, True, False]),
        ((91.0, 91.0, 91.0, 87.0), [True, True, False]),
        ((91.0, 92.0, 86.0, 86.0), [False, True, True]),
        ((91.0, 85.0, 80.0, 81.0), [True, True, False]),
    ],
)
def test_noise_must_cost_points(levels, passed):
    assert [finding.passed for finding in falling(levels, 48)] == passed
