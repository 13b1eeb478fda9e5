"""Checks of a measurement by what must come out: chance, an oracle, and what training and test must not share."""

from dataclasses import dataclass

import numpy as np

from .outcomes import Outcomes

SHUFFLES = 200
TOLERATED = 4.0
"""Standard errors between shuffled labels and the formula before the metric is called wrong: 1 in 16,000 by chance."""


@dataclass(frozen=True)
class Control:
    """One check; a result whose control failed is printed with a warning."""

    name: str
    """chance, oracle, leakage, judge: what kind of check."""
    about: str
    """What it is a check of, as in a row or a pair of splits."""
    found: str
    """What came out and what should, in words with numbers."""
    passed: bool

    @property
    def words(self) -> str:
        """One line."""
        return f"control, {self.name}, {self.about}: {self.found}"


def chance_by_formula(outcomes: Outcomes) -> float:
    """Accuracy, 0 to 1, of the same predictions given to samples at random: sum over classes of share x share.

    Raises ValueError where there are no classes.
    """
    if outcomes.truth is None or outcomes.predicted is None:
        raise ValueError(f"{outcomes.name}: no classes, so chance has no formula here")
    truth, found = outcomes.truth, outcomes.predicted
    return float(sum((truth == name).mean() * (found == name).mean() for name in np.unique(truth)))


def chance_by_shuffling(outcomes: Outcomes, seed: int = 0, shuffles: int = SHUFFLES) -> tuple[float, float]:
    """Accuracy with labels shuffled over samples, by the metric itself: mean of all shuffles and its standard error.

    Raises ValueError where there are no classes.
    """
    if outcomes.truth is None or outcomes.predicted is None:
        raise ValueError(f"{outcomes.name}: no classes to shuffle")
    random = np.random.default_rng(seed)
    found = [(outcomes.predicted == random.permutation(outcomes.truth)).mean() for _ in range(shuffles)]
    return float(np.mean(found)), float(np.std(found) / np.sqrt(shuffles))


def classification(outcomes: Outcomes, seed: int = 0) -> list[Control]:
    """Chance and oracle of a row with classes; none for other rows."""
    if outcomes.truth is None or outcomes.predicted is None:
        return []
    formula, (shuffled, error) = chance_by_formula(outcomes), chance_by_shuffling(outcomes, seed)
    said = f"{100 * shuffled:.2f} % with shuffled labels, {100 * formula:.2f} % by formula"
    above = 100 * float(np.mean(outcomes.merit))
    chance = Control(
        "chance",
        outcomes.name,
        f"{said}; measured {above:.2f} %",
        abs(shuffled - formula) <= TOLERATED * error + 1e-9,
    )
    again = (outcomes.predicted == outcomes.truth).mean(0)
    off = float(np.abs(again - outcomes.merit).max())
    perfect = float((outcomes.truth[None] == outcomes.truth).mean())
    oracle = Control(
        "oracle",
        outcomes.name,
        f"the labels themselves score {100 * perfect:.2f} %, expected 100; counted again sample by sample the row "
        f"differs by {off:.1g}, expected 0",
        perfect == 1 and off < 1e-6,
    )
    return [chance, oracle]
