"""How far two people agree on what both of them judged, and where they do not."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, groupby

from .decisions import Conflict, Decision, last_words

FORMULA = "kappa = (observed - expected agreement) / (1 - expected), Cohen 1960, Educ. Psychol. Meas. 20(1), 37-46"


@dataclass(frozen=True)
class Agreement:
    """Two people on one kind of question.

    `about` is that of the decisions; with artifacts also each by itself, as in `artifact blurred`. `kappa` lies between
    -1 and 1, and is None where chance alone would make them agree: nothing judged by both, or everything judged alike.
    """

    about: str
    people: tuple[str, str]
    items: int
    agreed: int
    kappa: float | None
    disagreements: tuple[Conflict, ...]

    def line(self) -> str:
        """As in `ann and ben, artifact blurred: 40 judged by both, 36 alike, kappa 0.78`."""
        kappa = "undefined (each said one thing only)" if self.kappa is None else f"{self.kappa:.2f}"
        who = " and ".join(self.people)
        return f"{who}, {self.about}: {self.items:,} judged by both, {self.agreed:,} alike, kappa {kappa}"


def cohen_kappa(pairs: Sequence[tuple[str, str]]) -> float | None:
    """Cohen's kappa of two people's verdicts on the same items (Cohen 1960); None where expected agreement is 1.

    Expected agreement is the sum over verdicts of the product of both people's shares of it.
    """
    count = len(pairs)
    first, second = (Counter(pair[side] for pair in pairs) for side in (0, 1))
    by_chance = sum(first[verdict] * second[verdict] for verdict in first)
    if by_chance == count * count:
        return None
    observed, expected = sum(a == b for a, b in pairs) / count, by_chance / count**2
    return (observed - expected) / (1 - expected)


def agreements(records: Iterable[Decision]) -> tuple[Agreement, ...]:
    """Every two people who judged the same things, by kind of question; notes (about mark) are no judgements.

    Counted is each person's last word, where both saw the sample as the same: whoever judged it before it changed
    judged another one.
    """
    found: dict[tuple[str, tuple[str, str]], list[tuple[Decision, Decision]]] = defaultdict(list)
    for words in last_words(records).values():
        for (_, about, which), own in groupby(words, lambda decision: decision.subject):
            for one, other in combinations(own, 2) if about != "mark" else ():
                if one.seen and other.seen and one.seen != other.seen:
                    continue
                for kind in {about, f"{about} {which}".strip()}:
                    found[kind, (one.who, other.who)].append((one, other))
    return tuple(_agreement(kind, people, pairs) for (kind, people), pairs in sorted(found.items()))


def _agreement(about: str, people: tuple[str, str], pairs: list[tuple[Decision, Decision]]) -> Agreement:
    positions = [(one.position(), other.position()) for one, other in pairs]
    unlike = tuple(
        Conflict(one.key, " ".join(filter(None, one.subject[1:])), ((one.who, one.said()), (other.who, other.said())))
        for one, other in pairs
        if one.position() != other.position()
    )
    return Agreement(about, people, len(pairs), len(pairs) - len(unlike), cohen_kappa(positions), unlike)
