"""What publications say that arithmetic, the files or the code contradict, by dataset."""

from collections.abc import Callable, Sequence

from ..rows import Rows
from ..tabulate import Cell, Table

Finding = Callable[[Rows], str | None]
Erratum = tuple[str, str, Finding | None]
"""Statement, what is so, and what holds it against a folder."""


def inconsistencies(known: Sequence[Erratum], rows: Rows) -> Table:
    """All of them, numbered from 1; the last cell is what the folder says, None where it cannot tell."""
    lines: tuple[tuple[Cell, ...], ...] = tuple(
        (number, statement, finding, here(rows) if here else None)
        for number, (statement, finding, here) in enumerate(known, 1)
    )
    return Table("Known inconsistencies of the release", ("no.", "statement", "what is so", "this folder"), lines)
