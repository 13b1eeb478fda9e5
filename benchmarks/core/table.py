"""Published beside measured, as text, Markdown or JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from .controls import Control
from .metrics import Interval
from .outcomes import Outcomes
from .slices import Slices


@dataclass(frozen=True)
class Measured:
    """One measured number: mean over the seeds there are, in the table's unit."""

    value: float
    count: int
    """Samples it is over."""
    groups: int
    """People it is over."""
    interval: Interval
    spread: float | None
    """Standard deviation over seeds; None for one seed."""
    seeds: int
    protocol: str
    """Digest of the sample keys."""
    exact: bool = False
    """A count, with nothing to estimate: no interval is told."""

    @property
    def told_interval(self) -> Interval | None:
        """The interval; None of what is exact, and where both ends are one: too few people, or all of them alike."""
        width = self.interval.high - self.interval.low
        told = not self.exact and width > 1e-9 * max(1.0, abs(self.value))
        return self.interval if told else None


@dataclass(frozen=True)
class Row:
    """One line: what it is, what the paper printed (None: nothing), what was measured (None: with what command)."""

    labels: tuple[str, ...]
    published: float | None
    measured: Measured | None
    command: str = ""
    seeds_of: int = 0
    """Seeds the paper used, for "1 of 5 seeds"."""
    digits: int = 1
    """Decimals that numbers of this row are printed with."""
    comparable: bool = True
    """Whether published and measured are over the same samples; else no difference is told."""
    flag: str = ""
    """What is wrong with the published number, as in "does not add up: the sum is 2,300,400"; empty: nothing known."""

    @property
    def difference(self) -> float | None:
        """Measured minus published, where there are both."""
        if self.measured is None or self.published is None or not self.comparable:
            return None
        return self.measured.value - self.published

    def cells(self) -> list[str]:
        """The labels, then published, measured, difference, 95 %, spread, seeds, n, protocol; all as words."""
        published = "-" if self.published is None else self.shown(self.published) + ("*" if self.flag else "")
        found = self.measured
        if found is None:
            return [*self.labels, published, "not measured", *[""] * 6]
        off = "" if self.difference is None else f"{self.difference:+,.{self.digits}f}"
        told = found.told_interval
        between = f"{self.shown(told.low)}..{self.shown(told.high)}" if told else "exact" if found.exact else "-"
        seeds = f"{found.seeds} of {self.seeds_of}" if self.seeds_of else str(found.seeds)
        people = f"{found.count} of {found.groups} people"
        width = "" if found.spread is None else self.shown(found.spread)
        return [*self.labels, published, self.shown(found.value), off, between, width, seeds, people, found.protocol]

    def shown(self, value: float) -> str:
        """A number of this row as it is printed."""
        return f"{value:,.{self.digits}f}"


HEADINGS = ("published", "measured", "difference", "95 %", "sd", "seeds", "n", "protocol")


@dataclass(frozen=True)
class Curve:
    """A line of a figure: one y for every x, in the units that the axes name."""

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    published: bool = False
    """Whether these are the paper's values."""
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    """Ends of the 95 % intervals of y; empty: none."""


@dataclass(frozen=True)
class Figure:
    """Curves over the same axes."""

    title: str
    x_axis: str
    y_axis: str
    curves: tuple[Curve, ...]
    joined: bool = True
    """Whether points are joined by lines; else each is drawn as the number of its curve, from 1."""


@dataclass(frozen=True)
class Histogram:
    """Counts between edges, one more edge than counts."""

    title: str
    x_axis: str
    edges: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Picture:
    """A picture that belongs to a table, as a grid of generated faces."""

    title: str
    described: str
    """What is to be seen, for those who do not see it."""
    data: bytes = field(repr=False)
    """A PNG, JPEG or WebP file."""


@dataclass(frozen=True)
class Table:
    """A published table measured again; `columns` name the labels of its rows."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    """What was measured on and how: folder digest, versions; goes to JSON."""
    figures: tuple[Figure, ...] = ()
    histograms: tuple[Histogram, ...] = ()
    pictures: tuple[Picture, ...] = ()
    outcomes: tuple[Outcomes, ...] = ()
    """Sample by sample what its numbers are means of; controls and slices are made of them."""
    tested: tuple[str, ...] = ()
    """Splits that must share nothing with train, beside those of the outcomes."""
    read: tuple[str, ...] = ()
    """Configs whose splits must share nothing; empty: the module's CONFIGS, or all of the folder."""
    controls: tuple[Control, ...] = ()
    without: Mapping[str, str] = field(default_factory=dict)
    """Kinds of controls that have no meaning here or cannot be made, and why."""
    slices: tuple[Slices, ...] = ()

    @property
    def commands(self) -> list[str]:
        """What to run to fill the rows that are not measured, each once."""
        return list(dict.fromkeys(row.command for row in self.rows if row.measured is None and row.command))

    def text(self) -> str:
        """For a terminal: aligned columns, then the notes."""
        lines = [[*self.columns, *HEADINGS], *(row.cells() for row in self.rows)]
        return "\n".join([self.title, "", *aligned(lines), "", *self._remarks()])

    def markdown(self) -> str:
        """A Markdown section."""
        lines = [[*self.columns, *HEADINGS], *(row.cells() for row in self.rows)]
        return "\n".join([f"## {self.title}", "", *piped(lines), "", *(f"- {note}" for note in self._remarks()), ""])

    def json(self) -> str:
        """Everything, with NaN nowhere; rows that are not measured have `measured: null` and their command."""
        return json.dumps(self.plain(), indent=1, allow_nan=False)

    def plain(self) -> dict[str, Any]:
        """What `json` writes; pictures by their titles, samples' own results not at all."""
        rows = [{**dict(zip(self.columns, row.labels, strict=True)), **_plain(row)} for row in self.rows]
        content = {"title": self.title, "facts": self.facts, "rows": rows, "notes": list(self.notes)}
        added: dict[str, tuple[Any, ...]] = {
            "figures": self.figures,
            "histograms": self.histograms,
            "controls": self.controls,
            "slices": self.slices,
        }
        content |= {name: [asdict(one) for one in found] for name, found in added.items() if found}
        content |= {"without": dict(self.without)} if self.without else {}
        return content | ({"pictures": [picture.title for picture in self.pictures]} if self.pictures else {})

    @property
    def flags(self) -> list[str]:
        """What is wrong with published numbers, each once."""
        return list(dict.fromkeys(row.flag for row in self.rows if row.flag))

    @property
    def warnings(self) -> list[str]:
        """One line for every control that failed."""
        return [f"WARNING: {control.words}" for control in self.controls if not control.passed]

    @property
    def lacking(self) -> list[str]:
        """One line for every reason why kinds of controls are not here."""
        reasons = dict.fromkeys(self.without.values())
        return [f"no control, {', '.join(k for k, why in self.without.items() if why == r)}: {r}" for r in reasons]

    def _remarks(self) -> Sequence[str]:
        return [
            *self.warnings,
            *(control.words for control in self.controls if control.passed),
            *self.lacking,
            *(line for found in self.slices for line in found.lines()),
            *self.notes,
            *(f"* {flag}" for flag in self.flags),
            *(f"not measured yet; to measure: {command}" for command in self.commands),
        ]


def aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    """Headings and rows of as many cells each, as columns of a terminal."""
    widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
    drawn = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    drawn.insert(1, "  ".join("-" * width for width in widths))
    return [line.rstrip() for line in drawn]


def piped(lines: Sequence[Sequence[str]]) -> list[str]:
    """The same as a table of Markdown."""
    drawn = ["| " + " | ".join(line) + " |" for line in lines]
    return [drawn[0], "| " + " | ".join("---" for _ in lines[0]) + " |", *drawn[1:]]


def _plain(row: Row) -> dict[str, Any]:
    found = asdict(row)
    del found["labels"]
    if row.measured and not row.measured.told_interval:
        found["measured"]["interval"] = None
    return found | {"difference": row.difference}
