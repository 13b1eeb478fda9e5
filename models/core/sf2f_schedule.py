"""How the learning rate of SF2F's first stage falls, which it also gave the voice2face that it compared itself with."""

STEPS = 120_000
"""Of the first stage, as printed; the released code has 132,000."""
CONSTANT = 100_000
"""Steps before the rate falls linearly to a thousandth at the last: epoch 10,000 of 12,000 in the released code."""


def fading(step: int, steps: int = STEPS) -> float:
    """Share of the learning rate at a step of the first stage, from 0; of another number of steps in proportion."""
    rest = min(1.0, max(0, step * STEPS / steps - CONSTANT) / (STEPS - CONSTANT))
    return 1 - rest * (1 - 1e-3)
