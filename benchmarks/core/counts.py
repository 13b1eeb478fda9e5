"""Published counts beside those of a folder's tables: nothing is trained, drawn or estimated."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ...loaders.comparison import FORGED, Line, is_forged
from ...loaders.folder import Folder
from ...loaders.rows import Rows
from ...loaders.sample import SPLITS
from ...loaders.tabulate import Cell
from .controls import KINDS
from .metrics import Interval
from .table import Measured, Row, Table

PARTS = (*SPLITS, "total")
NOTHING_GUESSED = dict.fromkeys(
    KINDS, "these are counts of what the folder holds: nothing is guessed, judged or trained"
)
"""Of every table of counts."""
Counters = Mapping[str, tuple[Callable[[Rows], Cell], tuple[str, ...]]]
"""By line, what counts it and the configs that it is about."""


@dataclass(frozen=True)
class Counted:
    """A published table of counts: its lines, and what the index must be read for."""

    title: str
    lines: tuple[Line, ...]
    facts: tuple[str, ...]
    flags: Callable[[Rows], Mapping[int, str]]
    """By number of the inconsistency, what is so."""
    build: str
    """The command that builds what is counted."""


def counters(lines: Sequence[Line]) -> Counters:
    """What counts each line, without what was printed of it."""
    return {line.name: (line.count, line.needs) for line in lines}


def count(counting: Counters, rows: Rows, digest: str) -> dict[tuple[str, str], Measured]:
    """Every number that the folder has, by line and split; words and what was not built are left out."""
    found = {}
    for name, (counter, needs) in counting.items():
        if needs and not {*needs} & {*rows.configs}:
            continue
        for split, part in rows.splits().items():
            value = counter(part)
            if isinstance(value, int | float):
                people = len(set(part["identity"]))
                exact = Interval(float(value), float(value))
                found[name, split] = Measured(float(value), len(part), people, exact, None, 1, digest[:12], exact=True)
    return found


def counted(what: Counted, folder: Folder, measured: Mapping[tuple[str, str], Measured], rows: Rows) -> Table:
    """Published numbers set beside what `count` found."""
    said, listed = what.flags(rows), []
    for line in what.lines:
        flag = "; ".join(said[number] for number in line.wrong if number in said)
        for split, printed in zip(PARTS, line.published, strict=True):
            if isinstance(printed, int | float):
                digits = 0 if isinstance(printed, int) else 2
                found = measured.get((line.name, split))
                listed.append(Row((line.name, split), printed, found, what.build, digits=digits, flag=flag))
    notes = (FORGED,) if is_forged(rows) else ()
    about = f"counted in the folder's tables, digest {folder.digest[:12]}: exact, so without intervals"
    return Table(what.title, ("row", "split"), tuple(listed), (*notes, about), {"folder": folder.digest})
