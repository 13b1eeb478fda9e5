"""Checks of a measurement by what must come out: chance, an oracle, and what training and test must not share."""

from dataclasses import dataclass

import numpy as np

from .metrics import bootstrap
from .outcomes import Outcomes

KINDS = {
    "chance": "chance by formula and by shuffled labels",
    "oracle": "what is known to score everything",
    "judge": "the judge's own error on real data",
    "leakage": "what test and training share",
}
"""Kinds of controls; a report has each of them or says why not."""
NOT_ESTIMATED = "nothing is estimated here"
SHUFFLES = 200
TOLERATED = 4.0
"""Standard errors between shuffled labels and the formula before the metric is called wrong: 1 in 16,000 by chance."""
UNLIKELY = 0.001
"""Chance of a row in which all is wrong, by its number of people, below which its classes are called mixed up."""


@dataclass(frozen=True)
class Control:
    """One check; a result whose control failed is printed with a warning."""

    name: str
    """Of KINDS."""
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
    """The table's own score with labels shuffled over samples: mean of all shuffles and its standard error.

    Raises ValueError where there are no classes.
    """
    if outcomes.truth is None or outcomes.predicted is None:
        raise ValueError(f"{outcomes.name}: no classes to shuffle")
    random = np.random.default_rng(seed)
    found = [outcomes.score(random.permutation(outcomes.truth), outcomes.predicted) for _ in range(shuffles)]
    return float(np.mean(found)), float(np.std(found) / np.sqrt(shuffles))


def classification(outcomes: Outcomes, seed: int = 0) -> list[Control]:
    """Chance and oracle of a row with classes, both by the table's own score; none for other rows.

    Chance fails where shuffled labels do not score what the formula says, or where the row itself lies surely below
    chance, as with classes that are mixed up. The oracle fails where the labels themselves do not score everything, or
    where the row's score is not the mean of its samples.
    """
    if outcomes.truth is None or outcomes.predicted is None:
        return []
    formula, (shuffled, error) = chance_by_formula(outcomes), chance_by_shuffling(outcomes, seed)
    measured, between = (
        outcomes.score(outcomes.truth, outcomes.predicted),
        bootstrap(outcomes.merit, outcomes.groups, seed),
    )
    width, people = (between.high - between.low) / 3.92, len(np.unique(outcomes.groups))
    # All wrong has no width: then it counts how likely that is of so many people.
    below = formula - measured > TOLERATED * width if width else measured == 0 and (1 - formula) ** people < UNLIKELY
    said = f"{100 * shuffled:.2f} % with shuffled labels, {100 * formula:.2f} % by formula"
    chance = Control(
        "chance",
        outcomes.name,
        f"{said}; measured {100 * measured:.2f} %" + (", below chance: are the classes mixed up?" if below else ""),
        abs(shuffled - formula) <= TOLERATED * error + 1e-9 and not below,
    )
    perfect = outcomes.score(outcomes.truth, np.broadcast_to(outcomes.truth, outcomes.predicted.shape))
    off = abs(measured - float(np.mean(outcomes.merit)))
    oracle = Control(
        "oracle",
        outcomes.name,
        f"the labels themselves score {100 * perfect:.2f} %, expected 100; the row's score differs from the mean of "
        f"its samples by {off:.1g}, expected 0",
        abs(perfect - 1) < 1e-9 and off < 1e-6,
    )
    return [chance, oracle]
