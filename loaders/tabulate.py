"""A table of words and numbers: for a terminal, as Markdown, as plain data."""

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Cell = str | int | float | None
WIDEST_CELL = 44
"""A table with a longer cell is printed as paragraphs: its columns would not fit a terminal."""


@dataclass(frozen=True)
class Table:
    """A title, column names, rows of equal length and notes below; None stands for "nothing to say"."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if uneven := [row for row in self.rows if len(row) != len(self.columns)]:
            raise ValueError(f"{self.title}: expected {len(self.columns)} cells, found {len(uneven[0])} in {uneven[0]}")

    def text(self) -> str:
        """For a terminal: numbers to the right, words to the left; long cells as paragraphs; then the notes."""
        cells = [[shown(cell) for cell in row] for row in self.rows]
        long = any(len(cell) > WIDEST_CELL for row in cells for cell in row)
        body = _paragraphs(self.columns, cells) if long else _grid(self.columns, self.rows, cells)
        notes = [line for note in self.notes for line in textwrap.wrap(note, 100)]
        return "\n".join([self.title, *body, *notes])

    def markdown(self, level: int = 2) -> str:
        """A Markdown section with a heading of that level."""
        lines = [list(self.columns), ["---"] * len(self.columns)]
        lines += [[_escaped(shown(cell)) for cell in row] for row in self.rows]
        grid = ["| " + " | ".join(line) + " |" for line in lines]
        notes = [part for note in self.notes for part in ("", note)]
        return "\n".join([f"{'#' * level} {self.title}", "", *grid, *notes])

    def plain(self) -> dict[str, Any]:
        """Title, columns, rows as typed lists, notes: ready for JSON."""
        return {
            "title": self.title,
            "columns": list(self.columns),
            "rows": [list(row) for row in self.rows],
            "notes": list(self.notes),
        }


def shown(cell: Cell) -> str:
    """A cell as words: thousands separated, fractions with three digits that count or one decimal, None as a dash."""
    if cell is None:
        return "-"
    if isinstance(cell, float):
        if cell == 0:
            return "0"
        rounded = float(f"{cell:.3g}")
        return f"{cell:,.1f}" if abs(rounded) >= 100 else f"{rounded:.{2 - math.floor(math.log10(abs(rounded)))}f}"
    return cell if isinstance(cell, str) else f"{cell:,}"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def _grid(columns: Sequence[str], rows: Sequence[Sequence[Cell]], cells: list[list[str]]) -> list[str]:
    words = [
        all(isinstance(row[at], str) for row in rows) and not any(_is_number(row[at]) for row in cells)
        for at in range(len(columns))
    ]
    lines = [list(columns), *cells]
    widths = [max(len(line[at]) for line in lines) for at in range(len(columns))]
    lines.insert(1, ["-" * width for width in widths])
    return [
        "  ".join(
            cell.ljust(width) if left else cell.rjust(width)
            for cell, width, left in zip(line, widths, words, strict=True)
        ).rstrip()
        for line in lines
    ]


def _is_number(text: str) -> bool:
    return text.lstrip("+-").replace(",", "").replace(".", "").isdigit()


def _paragraphs(columns: Sequence[str], cells: list[list[str]]) -> list[str]:
    """One block a row: the first two cells as its head, the others below, each after its column's name."""
    lines = []
    for first, head, *rest in cells:
        margin = " " * 4
        lines += textwrap.wrap(f"{first:>3} {head}", 100, subsequent_indent=margin)
        for name, cell in zip(columns[2:], rest, strict=True):
            lines += textwrap.wrap(f"{name}: {cell}", 100, initial_indent=margin, subsequent_indent=margin * 2)
    return lines
