"""A paper's counts beside those of a built folder, split by split."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from .rows import Rows
from .sample import SPLITS
from .tabulate import Cell, Table, shown

NOT_BUILT = "not built"


@dataclass(frozen=True)
class Line:
    """Published train, validation, test and total; what counts it; `needs`: the configs it is about, one of them."""

    name: str
    published: tuple[Cell, Cell, Cell, Cell]
    count: Callable[[Rows], Cell]
    needs: tuple[str, ...] = ()
    wrong: tuple[int, ...] = ()
    """Numbers of the errata that contradict the published values."""
    adds_up: bool = True


def compared(lines: Sequence[Line], rows: Rows) -> list[tuple[Cell, ...]]:
    """Three rows for each line: published, built and their difference."""
    parts = rows.splits()
    cells: list[tuple[Cell, ...]] = []
    for line in lines:
        built: list[Cell] = [NOT_BUILT] * 4
        if not line.needs or set(line.needs) & set(rows.configs):
            built = [line.count(part) for part in parts.values()]
        remark = f" (wrong: {', '.join(map(str, line.wrong))})" if line.wrong else ""
        cells.append((line.name, f"published{remark}", *line.published))
        cells.append(("", "built", *built))
        cells.append(("", "difference", *map(difference, built, line.published)))
    return cells


def comparison(title: str, lines: Sequence[Line], rows: Rows, notes: tuple[str, ...]) -> Table:
    """A table of `compared` lines."""
    return Table(title, ("", "", *SPLITS, "total"), tuple(compared(lines, rows)), notes)


def difference(built: Cell, published: Cell) -> Cell:
    """built - published with its sign; of words whether they are the same; None where one of them is not known.

    Raises TypeError for a number beside published words.
    """
    if isinstance(built, str) or built is None or published is None:
        return None if None in (built, published) or built == NOT_BUILT else "same" if built == published else "differs"
    if not isinstance(published, int | float):
        raise TypeError(f"expected a published number beside {built!r}, found {published!r}")
    off = built - published
    return "0" if off == 0 else f"{'+' if off > 0 else '-'}{shown(abs(off))}"


def uneven(lines: Sequence[Line]) -> Iterator[str]:
    """Which published totals are not the sum of their parts."""
    for line in lines:
        numbers = [value for value in line.published if isinstance(value, int | float)]
        parts, total = sum(numbers[:-1]), sum(numbers[-1:])
        if line.adds_up and abs(parts - total) > 0.05:
            wrong = ", ".join(map(str, line.wrong))
            says = f"{line.name}: the published total {shown(total)} is not the sum of its parts"
            yield f"{says}, {shown(parts)} (wrong: {wrong})."


def is_forged(rows: Rows) -> bool:
    """Whether any sample says that its release was forged."""
    return any(str(source).startswith("forged") for source in set(rows["source"]))


FORGED = "The people in this folder are forged; the published values are those of the real release."
