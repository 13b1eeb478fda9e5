"""An accuracy by what the index knows of its samples: who is served worse, with intervals over people."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .metrics import COVERED, Interval
from .outcomes import Outcomes

RESAMPLES = 1000
LEAST_PEOPLE = 2
"""Of fewer people nothing can be said beside others."""
AGES = (25, 35)
"""Classes of SpeakingFaces: 24 and younger, 25 to 34, 35 and older."""
LOUDNESS = (10, 20, 30)
"""Edges in dB; below 20 is what the builder calls noisy."""
CODES = ("thermal_code", "visual_code", "audio_code", "text_code")
FACTS: Mapping[str, tuple[float, ...]] = {
    "gender": (),
    "ethnicity": (),
    "nationality": (),
    "age": AGES,
    "accessories": (),
    "position": (),
    "trial": (),
    "language": (),
    "snr_db": LOUDNESS,
    **dict.fromkeys(CODES, ()),
    **{f"artifact_{stream}": () for stream in ("thermal", "visual", "audio", "flicker")},
}
"""What is sliced by, where a folder has it, and at which edges numbers are divided."""


@dataclass(frozen=True)
class Part:
    """The samples that are alike in one fact."""

    value: str
    accuracy: float
    """In %."""
    count: int
    groups: int
    """People."""
    interval: Interval | None
    """95 % over people; None for one person."""


@dataclass(frozen=True)
class Slices:
    """One row of a table by one fact."""

    row: tuple[str, ...]
    fact: str
    parts: tuple[Part, ...]
    best: str
    worst: str
    gap: Interval
    """95 % of best minus worst, in points, people drawn with replacement; the pair is the one with the largest gap."""
    points: float
    """Best minus worst."""

    def lines(self) -> Iterator[str]:
        """In words: every part, then the largest gap."""
        what = ", ".join(filter(None, self.row))
        for part in self.parts:
            between = f" ({part.interval.low:.1f}..{part.interval.high:.1f})" if part.interval else ""
            found = f"{part.accuracy:.1f} %{between}, {part.count} of {part.groups} people"
            yield f"{what}, {self.fact} {part.value}: {found}"
        yield (
            f"{what}, {self.fact}: largest gap {self.points:.1f} points ({self.gap.low:.1f}..{self.gap.high:.1f}), "
            f"{self.best} over {self.worst}"
        )


def named(fact: str, value: Any) -> str | None:
    """A fact's value as the name of a part: a class for numbers with edges; None for what is not known."""
    if value is None or value == [] or value == "":
        return None
    edges = FACTS[fact]
    if not edges:
        return "; ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    place = sum(float(value) >= edge for edge in edges)
    if place == 0:
        return f"below {edges[0]:g}"
    return f"{edges[place - 1]:g} to {edges[place]:g}" if place < len(edges) else f"{edges[-1]:g} or more"


def sliced(outcomes: Outcomes, facts: Mapping[str, Sequence[Any]], seed: int = 0) -> list[Slices]:
    """A row by every fact of FACTS with at least two parts of two people; `facts` give one value for each sample.

    People are drawn once for all parts of a row: a person who is in several parts counts in all of them or in none.
    """
    names, member = np.unique(outcomes.groups, return_inverse=True)
    shares = np.full(len(names), 1 / len(names))
    drawn = np.random.default_rng(seed).multinomial(len(names), shares, RESAMPLES)
    found = []
    for fact in FACTS:
        values = [named(fact, value) for value in facts.get(fact, ())]
        known = sorted({value for value in values if value is not None}, key=_order)
        parts = {name: np.array([value == name for value in values]) for name in known}
        measured = {name: _part(name, chosen, outcomes, member, drawn) for name, chosen in parts.items()}
        told = [name for name, (part, _) in measured.items() if part.groups >= LEAST_PEOPLE]
        if len(told) > 1:
            worst, *_, best = sorted(told, key=lambda name: measured[name][0].accuracy)
            gap = _interval(measured[best][1] - measured[worst][1])
            listed = tuple(part for part, _ in measured.values())
            points = measured[best][0].accuracy - measured[worst][0].accuracy
            found.append(Slices(outcomes.row, fact, listed, best, worst, gap, points))
    return found


def _part(
    name: str, chosen: NDArray[Any], outcomes: Outcomes, member: NDArray[Any], drawn: NDArray[Any]
) -> tuple[Part, NDArray[np.float64]]:
    """A part, and its accuracy in % for every draw of people, NaN where none of its people was drawn."""
    merit, who = outcomes.merit[chosen], member[chosen]
    sums, counts = np.bincount(who, merit, drawn.shape[1]), np.bincount(who, minlength=drawn.shape[1])
    with np.errstate(invalid="ignore"):
        means = 100 * (drawn @ sums) / (drawn @ counts)
    people = int((counts > 0).sum())
    interval = _interval(means) if people >= LEAST_PEOPLE else None
    return Part(name, 100 * float(merit.mean()), len(merit), people, interval), means


def _interval(values: NDArray[np.float64]) -> Interval:
    low, high = np.nanquantile(values, ((1 - COVERED) / 2, (1 + COVERED) / 2))
    return Interval(float(low), float(high))


def _order(value: str) -> tuple[int, float, str]:
    """Numbers by size, ranges by their first number, "below" first, then words."""
    first = value.removeprefix("below ").split(" ")[0]
    try:
        return (0, float(first) - value.startswith("below "), "")
    except ValueError:
        return (1, 0.0, value)
