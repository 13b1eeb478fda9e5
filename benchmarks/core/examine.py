"""Controls and slices for any table that gives its outcomes; no table writes them itself."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...loaders.folder import Folder
from .controls import KINDS, NOT_ESTIMATED, Control, classification
from .leakage import leakage
from .outcomes import Outcomes
from .slices import FACTS, Slices, sliced
from .table import Histogram, Table

SHARES = tuple(range(0, 101, 10))


def examined(table: Table, folder: Folder, seed: int = 0, slices: bool = False) -> Table:
    """The table with chance, oracle and leakage of what was measured, and its rows by slices when asked for.

    Splits that are tested are those of its outcomes and `table.tested`; a table with neither stays as it is.
    """
    tested = dict.fromkeys([*(one.split for one in table.outcomes), *table.tested])
    controls: list[Control] = [*table.controls]
    for one in table.outcomes:
        controls += classification(one, seed)
    for split in tested:
        controls += leakage(folder, split, configs=table.read) if split != "train" else []
    found: list[Slices] = [*table.slices]
    for one in table.outcomes if slices else ():
        found += sliced(one, facts_of(folder, one), seed)
    people = [by_person(one) for one in table.outcomes] if slices else []
    return replace(table, controls=tuple(controls), slices=tuple(found), histograms=(*table.histograms, *people))


def completed(table: Table, reasons: Mapping[str, str]) -> Table:
    """The table with a reason for every kind of controls that it lacks: its own, or of `reasons`, by kind.

    Where something is estimated, a kind without a reason is a control that failed: no table is silent about one.
    """
    lacking = [kind for kind in KINDS if kind not in {control.name for control in table.controls}]
    known = {kind: why for kind in lacking if (why := table.without.get(kind) or reasons.get(kind))}
    if not any(row.measured and not row.measured.exact for row in table.rows):
        known = {kind: known.get(kind, NOT_ESTIMATED) for kind in lacking}
    missed = [Control(kind, "this table", "was not made, nor said why", False) for kind in lacking if kind not in known]
    return replace(table, controls=(*table.controls, *missed), without=known)


def by_person(outcomes: Outcomes) -> Histogram:
    """How many people have which accuracy in %, in tens; 100 counts in the last."""
    names, member = np.unique(outcomes.groups, return_inverse=True)
    shares = 100 * np.bincount(member, outcomes.merit, len(names)) / np.bincount(member)
    counts, _ = np.histogram(shares, SHARES)
    title = f"{outcomes.name}: {len(names)} people"
    return Histogram(title, "% right of a person's samples", tuple(map(float, SHARES)), tuple(map(int, counts)))


def facts_of(folder: Folder, outcomes: Outcomes) -> dict[str, Sequence[Any]]:
    """What the index says of the samples, in their order, for every fact of FACTS that it has.

    Raises ValueError for a key that is not in the index, or in several configs where none is named.
    """
    known = [fact for fact in FACTS if fact in folder.index.column_names]
    rows = folder.index.select(["key", "config", *known])
    if outcomes.config:
        rows = rows.filter(pc.equal(rows["config"], outcomes.config))
    place: dict[str, int] = {}
    wanted = set(outcomes.keys.tolist())
    for at, key in enumerate(rows["key"].to_pylist()):
        if key in wanted and place.setdefault(key, at) != at:
            raise ValueError(f"outcomes of {outcomes.name}: key {key} is in several configs; name one of them")
    if lost := [key for key in outcomes.keys.tolist() if key not in place]:
        raise ValueError(f"outcomes of {outcomes.name}: key {lost[0]} is not in the index of {folder}")
    chosen = rows.take(pa.array([place[key] for key in outcomes.keys.tolist()]))
    return {fact: chosen[fact].to_pylist() for fact in known}
