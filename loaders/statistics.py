"""The papers' statistics tables of a built folder: counted from its tables alone, beside what was published."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from . import candidates
from .distributions import Panel
from .durable import write_bytes
from .folder import Folder
from .rows import read_rows
from .tabulate import Table
from .waterfall import (
    Quality,
    Steps,
    options_of,
    quality_panels,
    quality_table,
    read_left_out,
    waterfalls,
)

FORMATS = {"text": "txt", "markdown": "md", "json": "json"}
"""How the tables are printed, and the ending of the file that holds them."""


@dataclass(frozen=True)
class Statistics:
    """Tables and histograms of one built folder; `facts` says of which folder."""

    title: str
    tables: tuple[Table, ...]
    errata: Table
    """What the publication says and is not so: number, statement, what is so, what this folder says (or None)."""
    panels: tuple[Panel, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def applying(self) -> Table:
        """The errata that this folder can be held against."""
        rows = tuple(row for row in self.errata.rows if row[-1] is not None)
        note = (
            f"{len(rows)} of {len(self.errata.rows)}; the others are not about what this folder holds (see its card)."
        )
        return Table(self.errata.title, self.errata.columns, rows, (*self.errata.notes, note))

    def text(self) -> str:
        """For a terminal."""
        about = "  ".join(f"{name} {value}" for name, value in self.facts.items())
        parts = [f"{self.title}\n{about}", *(table.text() for table in (*self.tables, self.applying))]
        return "\n\n".join(parts)

    def words(self, form: str) -> str:
        """The tables in one of FORMATS."""
        return {"text": self.text, "markdown": self.markdown, "json": self.json}[form]()

    def markdown(self) -> str:
        """A Markdown document."""
        about = ", ".join(f"{name} `{value}`" for name, value in self.facts.items())
        parts = [f"# {self.title}", about, *(table.markdown() for table in (*self.tables, self.applying))]
        return "\n\n".join(parts)

    def json(self) -> str:
        """Everything as typed values, all errata and the counts behind the histograms included; NaN nowhere."""
        content = {
            "title": self.title,
            "facts": dict(self.facts),
            "tables": [table.plain() for table in (*self.tables, self.errata)],
            "histograms": [panel.plain() for panel in self.panels],
        }
        return json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False)


def described() -> list[str]:
    """Names of the datasets whose published statistics are known: the files of `published`."""
    here = Path(__file__).parent / "published"
    return sorted(path.stem for path in here.glob("*.py") if not path.stem.startswith("_"))


def statistics(folder: Folder) -> Statistics:
    """Count a built folder. Reads tables/ and the card, never a shard.

    A file of `published` has TITLE, FACTS, tables(rows), errata(rows) and panels(rows); with STEPS it names the stages
    that leave samples out, config by config in the order of the pipeline, with QUALITIES what they go by. Where the
    folder has a table `candidates`, REASONS gives the step of those not kept, by how their reason begins.

    Raises ValueError when it holds nobody, or people of a dataset without published statistics here.
    """
    name = folder.dataset
    if name not in described():
        found = f"people of {name!r}" if name else "no samples"
        raise ValueError(f"{folder} holds {found}; published statistics are known for: {', '.join(described())}")
    published = import_module(f".published.{name}", __package__)
    steps: Steps = getattr(published, "STEPS", {})
    qualities: tuple[Quality, ...] = getattr(published, "QUALITIES", ())
    rows = read_rows(folder, (*published.FACTS, *(quality.measure.fact for quality in qualities)))
    tables, panels = list(published.tables(rows)), list(published.panels(rows))
    if steps:
        left_out = read_left_out(folder, steps, qualities)
        if candidates.NAME in folder.tables:
            reasons: Mapping[str, str] = getattr(published, "REASONS", {})
            candidates.count_turned_down(left_out, folder, steps, qualities, reasons)
        falls = list(waterfalls(left_out, rows, steps))
        measured = quality_table(left_out, rows)
        tables += [*(fall.table() for fall in falls), *([measured] if measured else [])]
        panels = [
            *(fall.panel() for fall in falls if fall.removed),
            *quality_panels(left_out, rows, options_of(folder)),
            *panels,
        ]
    return Statistics(
        f"Statistics of {published.TITLE}, published and built",
        tuple(tables),
        published.errata(rows),
        tuple(panels),
        {"folder": str(folder), "samples": len(rows)},
    )


def write(found: Statistics, folder: Folder, out: Path, form: str) -> Path:
    """Write statistics.(txt|md|json) and statistics.png into `out`; returns the picture's path.

    Raises ValueError when `out` lies in the dataset folder, whose files are all in its checksums.
    """
    from .histograms import draw

    if out.resolve().is_relative_to(folder.path.resolve()):
        raise ValueError(
            f"{out} lies in the dataset folder {folder.path}, which takes no further files; choose another"
        )
    out.mkdir(parents=True, exist_ok=True)
    write_bytes(out / f"statistics.{FORMATS[form]}", (found.words(form) + "\n").encode())
    return draw(
        found.panels, f"{found.title.split(',')[0]}: {found.facts['samples']:,} samples", out / "statistics.png"
    )
