"""Published beside measured, as text, Markdown or JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from .metrics import Interval


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

    @property
    def difference(self) -> float | None:
        """Measured minus published, where there are both."""
        if self.measured is None or self.published is None or not self.comparable:
            return None
        return self.measured.value - self.published

    def cells(self) -> list[str]:
        """The labels, then published, measured, difference, 95 %, spread, seeds, n, protocol; all as words."""
        published = "-" if self.published is None else self.shown(self.published)
        found = self.measured
        if found is None:
            return [*self.labels, published, "not measured", *[""] * 6]
        off = "" if self.difference is None else f"{self.difference:+,.{self.digits}f}"
        between = f"{self.shown(found.interval.low)}..{self.shown(found.interval.high)}"
        seeds = f"{found.seeds} of {self.seeds_of}" if self.seeds_of else str(found.seeds)
        people = f"{found.count} of {found.groups} people"
        width = "" if found.spread is None else self.shown(found.spread)
        return [*self.labels, published, self.shown(found.value), off, between, width, seeds, people, found.protocol]

    def shown(self, value: float) -> str:
        """A number of this row as it is printed."""
        return f"{value:,.{self.digits}f}"


HEADINGS = ("published", "measured", "difference", "95 %", "sd", "seeds", "n", "protocol")


@dataclass(frozen=True)
class Table:
    """A published table measured again; `columns` name the labels of its rows."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    """What was measured on and how: folder digest, versions; goes to JSON."""

    @property
    def commands(self) -> list[str]:
        """What to run to fill the rows that are not measured, each once."""
        return list(dict.fromkeys(row.command for row in self.rows if row.measured is None and row.command))

    def text(self) -> str:
        """For a terminal: aligned columns, then the notes."""
        lines = [[*self.columns, *HEADINGS], *(row.cells() for row in self.rows)]
        widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
        drawn = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
        drawn.insert(1, "  ".join("-" * width for width in widths))
        return "\n".join([self.title, "", *(line.rstrip() for line in drawn), "", *self._remarks()])

    def markdown(self) -> str:
        """A Markdown section."""
        lines = [[*self.columns, *HEADINGS], ["---"] * (len(self.columns) + len(HEADINGS))]
        lines += [row.cells() for row in self.rows]
        drawn = ["| " + " | ".join(line) + " |" for line in lines]
        return "\n".join([f"## {self.title}", "", *drawn, "", *(f"- {note}" for note in self._remarks()), ""])

    def json(self) -> str:
        """Everything, with NaN nowhere; rows that are not measured have `measured: null` and their command."""
        rows = [{**dict(zip(self.columns, row.labels, strict=True)), **_plain(row)} for row in self.rows]
        content = {"title": self.title, "facts": self.facts, "rows": rows, "notes": list(self.notes)}
        return json.dumps(content, indent=1, allow_nan=False)

    def _remarks(self) -> Sequence[str]:
        return [*self.notes, *(f"not measured yet; to measure: {command}" for command in self.commands)]


def _plain(row: Row) -> dict[str, Any]:
    found = asdict(row)
    del found["labels"]
    return found | {"difference": row.difference}
