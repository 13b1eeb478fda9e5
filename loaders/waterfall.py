"""What each step of a build left out, and how measurements are spread before and after the steps that go by them."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from .distributions import Measure, Panel, counted
from .folder import Folder
from .rows import Rows
from .tabulate import Cell, Table

ROWS_AT_ONCE = 65_536
"""Of the quarantine table: memory does not grow with it."""
Steps = Mapping[str, tuple[str, ...]]
"""The stages of each config that leave samples out, in the order of the pipeline."""
_OPTION = re.compile(r"\| `(\w+)` \| `([^`]*)` \|")


@dataclass(frozen=True)
class Quality:
    """A measurement by which a step of a config leaves samples out; the measure's mark is the usual threshold."""

    config: str
    step: str
    measure: Measure
    option: str = ""
    """The build's option, or the fact, that is the threshold; "" where nothing is."""
    part: int | None = None
    """Which element of a fact that is a list."""

    def value(self, fact: Any) -> float | None:
        """The fact as a finite number, or None."""
        if self.part is not None and isinstance(fact, Sequence):
            fact = fact[self.part] if len(fact) > self.part else None
        known = isinstance(fact, int | float) and not isinstance(fact, bool) and np.isfinite(fact)
        return float(fact) if known else None


@dataclass
class Spread:
    """Values counted into bins, with what a mean and a range need."""

    bins: NDArray[np.int64]
    count: int = 0
    total: float = 0.0
    least: float = np.inf
    greatest: float = -np.inf

    @classmethod
    def empty(cls, measure: Measure) -> "Spread":
        return cls(np.zeros(len(measure.edges) - 1, np.int64))

    def add(self, values: NDArray[np.float64], measure: Measure) -> None:
        if len(values):
            self.bins += counted(values, measure.edges)
            self.count, self.total = self.count + len(values), self.total + float(values.sum())
            self.least = min(self.least, float(values.min()))
            self.greatest = max(self.greatest, float(values.max()))

    def __add__(self, other: "Spread") -> "Spread":
        return Spread(
            self.bins + other.bins,
            self.count + other.count,
            self.total + other.total,
            min(self.least, other.least),
            max(self.greatest, other.greatest),
        )

    def cells(self) -> tuple[Cell, ...]:
        """Count, least, mean and greatest."""
        if not self.count:
            return 0, None, None, None
        return self.count, round(self.least, 6), round(self.total / self.count, 6), round(self.greatest, 6)


@dataclass
class LeftOut:
    """The quarantine table counted: by config and step, beside the steps, and what was measured of it."""

    steps: Counter[tuple[str, str]] = field(default_factory=Counter)
    beside: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Rows by config and stage that are about no single sample: tables, archives, strangers' folders."""
    here: dict[Quality, Spread] = field(default_factory=dict)
    """Of what the quality's own step left out."""
    elsewhere: dict[Quality, Spread] = field(default_factory=dict)
    """Of what another step left out."""


def read_left_out(folder: Folder, steps: Steps, qualities: Sequence[Quality]) -> LeftOut:
    """Count tables/quarantine.parquet, some rows at a time.

    A row stands for as many samples as its `measured` gives under the config's name, else for one where it has a key.
    Raises ValueError for a row whose `measured` is no JSON object, OSError when the table cannot be read.
    """
    found = LeftOut()
    for quality in qualities:
        found.here[quality], found.elsewhere[quality] = Spread.empty(quality.measure), Spread.empty(quality.measure)
    path = folder.path / "tables" / "quarantine.parquet"
    with pq.ParquetFile(path) as file:
        there = set(file.schema_arrow.names)
        names = [name for name in ("key", "config", "stage", "kind", "measured") if name in there]
        for batch in file.iter_batches(ROWS_AT_ONCE, columns=names):
            _count(batch.to_pylist(), found, steps, str(path))
    return found


def _count(rows: Sequence[Mapping[str, str]], found: LeftOut, steps: Steps, path: str) -> None:
    here: dict[Quality, list[float]] = {quality: [] for quality in found.here}
    elsewhere: dict[Quality, list[float]] = {quality: [] for quality in found.here}
    for row in rows:
        measured = _measured(row, path)
        config, stage = row["config"], row["stage"]
        count = measured.get(config, 1 if row["key"] else 0)
        if not isinstance(count, int) or not count or stage not in steps.get(config, ()):
            found.beside[config, stage] += 1
            continue
        found.steps[config, stage] += count
        for quality in found.here:
            if quality.config == config and (value := quality.value(measured.get(quality.measure.fact))) is not None:
                (here if quality.step == stage else elsewhere)[quality].append(value)
    for quality in found.here:
        found.here[quality].add(np.array(here[quality]), quality.measure)
        found.elsewhere[quality].add(np.array(elsewhere[quality]), quality.measure)


def _measured(row: Mapping[str, str], path: str) -> Mapping[str, Any]:
    text = row.get("measured") or "{}"
    try:
        measured = json.loads(text)
    except ValueError:
        measured = None
    if not isinstance(measured, dict):
        raise ValueError(f"{path}: {row['key']}: measured is {text[:40]!r}, expected a JSON object. Build again")
    return measured


# --- tables ---


@dataclass(frozen=True)
class Waterfall:
    """One config's steps with what each left out, in order; steps that left nothing out are not among them."""

    config: str
    removed: Mapping[str, int]
    kept: int
    beside: Mapping[str, int]

    @property
    def read(self) -> int:
        return self.kept + sum(self.removed.values())

    def lines(self) -> list[tuple[str, int, int, int]]:
        """(step, came in, left out, left); what is left of one step comes into the next."""
        left, lines = self.read, []
        for step, count in self.removed.items():
            lines.append((step, left, count, left - count))
            left -= count
        return lines

    def table(self) -> Table:
        lines = self.lines() or [("none", self.kept, 0, self.kept)]
        rows = tuple((*line, 100 * line[2] / max(self.read, 1)) for line in lines)
        notes = [
            f"{self.kept:,} of {self.read:,} kept. Steps that left nothing out, or were not asked for, are not listed."
        ]
        if self.beside:
            counts = ", ".join(f"{stage} {count:,}" for stage, count in self.beside.items())
            notes.append(f"Not counted: quarantine rows about tables, archives and other files ({counts}).")
        columns = ("step", "came in", "left out", "left", "% of all")
        return Table(f"Left out step by step: {self.config}", columns, rows, tuple(notes))

    def panel(self) -> Panel:
        lines = [("read", self.read, 0, self.read), *self.lines(), ("kept", self.kept, 0, self.kept)]
        series = {"came in": tuple(float(line[1]) for line in lines), "left": tuple(float(line[3]) for line in lines)}
        names = tuple(line[0] for line in lines)
        return Panel(f"Left out: {self.config}", "step", "samples", series, categories=names, nested=True)


def waterfalls(found: LeftOut, rows: Rows, steps: Steps) -> Iterator[Waterfall]:
    """One for every config of the folder with samples or with something left out."""
    kept = Counter(rows["config"])
    for config, names in steps.items():
        removed = {step: found.steps[config, step] for step in names if found.steps[config, step]}
        beside = {stage: count for (of, stage), count in sorted(found.beside.items()) if of == config}
        if kept[config] or removed:
            yield Waterfall(config, removed, kept[config], beside)


def spreads(found: LeftOut, rows: Rows) -> Iterator[tuple[Quality, Spread, Spread, Spread]]:
    """Each quality that is known of anything: before its step, after it, and of what was kept."""
    for quality, here in found.here.items():
        part, fact = rows.where(config=quality.config), quality.measure.fact
        values = (
            part.numbers(fact)
            if quality.part is None
            else np.array([value for one in part.known(fact) if (value := quality.value(one)) is not None])
        )
        kept = Spread.empty(quality.measure)
        kept.add(values, quality.measure)
        after = found.elsewhere[quality] + kept
        if (here + after).count:
            yield quality, here + after, after, kept


def quality_table(found: LeftOut, rows: Rows) -> Table | None:
    """Counts and ranges of each quality before its step, after it and of what was kept.

    None where nothing that was left out had been measured.
    """
    lines: list[tuple[Cell, ...]] = []
    for quality, *three in spreads(found, rows):
        if three[0].count > three[2].count:
            head = (quality.config, quality.step, quality.measure.meaning)
            for name, spread in zip(("before", "after", "kept"), three, strict=True):
                lines.append((*(head if name == "before" else ("", "", "")), name, *spread.cells()))
    columns = ("config", "step", "measure", "", "samples", "least", "mean", "greatest")
    notes = ("Before and after: of the samples that came so far as to be measured. Units: see Distributions.",)
    return Table("Measured before and after each step", columns, tuple(lines), notes) if lines else None


# --- figures ---


def options_of(folder: Folder) -> dict[str, str]:
    """The options that the folder's card says it was built with; none where there is no card yet."""
    card = folder.path / "README.md"
    if not card.is_file():
        return {}
    _, _, after = card.read_text(encoding="utf-8").partition("\n## Built with\n")
    return dict(_OPTION.findall(after.partition("\n## ")[0]))


def quality_panels(found: LeftOut, rows: Rows, options: Mapping[str, str]) -> Iterator[Panel]:
    """A histogram of each quality: before its step, after it, and of what was kept, one in front of the other.

    No threshold is drawn in a config that left out nothing measured: there it decided nothing.
    """
    spread = list(spreads(found, rows))
    deciding = {quality.config for quality, before, _, kept in spread if before.count > kept.count}
    for quality, before, after, kept in spread:
        measure = quality.measure
        named = {"before": before, f"after {quality.step}": after, "kept": kept}
        if kept.count == before.count:
            named = {"kept": kept}
        series = {name: tuple(int(count) for count in one.bins) for name, one in named.items() if one.count}
        title, bins = f"{measure.meaning[:1].upper()}{measure.meaning[1:]}", f"{measure.meaning}, {measure.unit}"
        mark = _threshold(quality, options, rows) if quality.config in deciding else None
        yield Panel(title, bins, "samples", series, measure.edges, (), mark, measure.logarithmic, True)


def _threshold(quality: Quality, options: Mapping[str, str], rows: Rows) -> float | None:
    """Of the build's options, else of the samples' facts where all state the same, else the usual one."""
    stated = set(rows.where(config=quality.config).known(quality.option)) if quality.option else set()
    try:
        return float(options[quality.option])
    except (KeyError, ValueError):
        return float(stated.pop()) if len(stated) == 1 else quality.measure.mark
