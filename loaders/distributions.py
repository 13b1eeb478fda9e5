"""How people and measurements are spread: counts by split, quantiles, and the bars of a histogram."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .rows import Rows
from .sample import SPLITS
from .tabulate import Cell, Table

QUANTILES = (0.05, 0.5, 0.95)


@dataclass(frozen=True)
class Measure:
    """A numeric fact that is worth a distribution."""

    fact: str
    meaning: str
    unit: str
    edges: tuple[float, ...]
    """Edges of the histogram's bins, none for no histogram; values outside count in the first or last bin."""
    mark: float | None = None
    """A threshold to draw."""
    logarithmic: bool = False


@dataclass(frozen=True)
class Panel:
    """One histogram or bar chart: a height per bin (len(edges) - 1) or per category, for each series."""

    title: str
    bins: str
    """What the bins are, with the unit."""
    heights: str
    """What the heights are, with the unit."""
    series: Mapping[str, tuple[float, ...]]
    edges: tuple[float, ...] = ()
    categories: tuple[str, ...] = ()
    mark: float | None = None
    logarithmic: bool = False
    nested: bool = False
    """Whether each series is a part of the one before, drawn in front of it; else they add up."""

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        spread = {"edges": list(self.edges)} if self.edges else {"categories": list(self.categories)}
        series = {name: list(values) for name, values in self.series.items()}
        return {"title": self.title, "bins": self.bins, "heights": self.heights, **spread, "series": series}


def people(rows: Rows, facts: Sequence[str]) -> Rows:
    """One row per person with split and the given facts, as first met."""
    seen: dict[str, tuple[Any, ...]] = {}
    for who, *about in rows.together("identity", "split", *facts):
        seen.setdefault(who, tuple(about))
    names = ("identity", "split", *facts)
    return Rows({name: [(who, *about)[at] for who, about in seen.items()] for at, name in enumerate(names)})


def per_person(rows: Rows) -> list[int]:
    """How many rows each person has, in the order first met."""
    return list(Counter(rows["identity"]).values())


def by_split(rows: Rows, fact: str, values: Iterable[Any]) -> list[tuple[Cell, ...]]:
    """(value, count in train, validation, test, total) for each value of a fact."""
    counts = {split: Counter(part[fact]) for split, part in rows.splits().items()}
    return [(str(value), *(counts[split][value] for split in counts)) for value in values]


def found_here(rows: Rows, facts: Mapping[str, Sequence[str]]) -> Table:
    """How many samples of each split have each value of the named facts, by config."""
    lines: list[tuple[Cell, ...]] = []
    for config, names in facts.items():
        part = rows.where(config=config)
        for name in names:
            lines += [(config, name, *line) for line in by_split(part, name, sorted(set(part.known(name))))]
    return Table("Found here, samples", ("config", "fact", "value", *SPLITS, "total"), tuple(lines))


def age_rows(persons: Rows, classes: Mapping[str, tuple[int, int]]) -> list[tuple[Cell, ...]]:
    """Range, mean, median, standard deviation (of this population, in years), then people per age class."""
    ages = {split: part.numbers("age") for split, part in persons.splits().items()}
    lines: list[tuple[Cell, ...]] = [
        ("range", *(f"{values.min():.0f}-{values.max():.0f}" if len(values) else None for values in ages.values()))
    ]
    for name, measure in (("mean", np.mean), ("median", np.median), ("standard deviation", np.std)):
        lines.append((name, *(round(float(measure(values)), 2) if len(values) else None for values in ages.values())))
    for name, (least, most) in classes.items():
        lines.append((name, *(int(((values >= least) & (values <= most)).sum()) for values in ages.values())))
    return lines


def quantile_table(title: str, measured: Iterable[tuple[str, Rows, Measure]]) -> Table:
    """Count, least, 5 %, median, 95 %, greatest and mean of each measure that is known in a config."""
    lines: list[tuple[Cell, ...]] = []
    for config, rows, measure in measured:
        values = rows.numbers(measure.fact)
        if not len(values):
            continue
        low, middle, high = (float(value) for value in np.quantile(values, QUANTILES))
        numbers = (float(values.min()), low, middle, high, float(values.max()), float(values.mean()))
        lines.append((measure.meaning, measure.unit, config, len(values), *(round(number, 6) for number in numbers)))
    columns = ("measure", "unit", "config", "samples", "least", "5 %", "median", "95 %", "greatest", "mean")
    return Table(title, columns, tuple(lines))


def histogram(title: str, series: Mapping[str, Rows], measure: Measure, heights: str) -> Panel:
    """How many samples of each series fall into each bin of a measure."""
    counts = {name: counted(rows.numbers(measure.fact), measure.edges) for name, rows in series.items()}
    drawn = {name: tuple(int(count) for count in found) for name, found in counts.items() if found.sum()}
    bins = f"{measure.meaning}, {measure.unit}"
    return Panel(title, bins, heights, drawn, measure.edges, (), measure.mark, measure.logarithmic)


def counted(values: NDArray[np.float64], edges: Sequence[float]) -> NDArray[np.int64]:
    """How many values fall into each bin, int64 (len(edges) - 1); those outside count in the first or last."""
    within = np.clip(values, edges[0], np.nextafter(edges[-1], edges[0]))
    return np.histogram(within, np.array(edges))[0].astype(np.int64)


def bars(title: str, bins: str, heights: str, rows: Sequence[Sequence[Any]], names: Sequence[str] = SPLITS) -> Panel:
    """A bar per row (category, then one height for each name); a trailing total is left out."""
    series = {name: tuple(row[at] or 0 for row in rows) for at, name in enumerate(names, 1)}
    return Panel(title, bins, heights, series, categories=tuple(str(row[0]) for row in rows))
