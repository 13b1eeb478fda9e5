"""Do the models learn? Each on made-up people, through the command line, beside the same with the voices exchanged."""

import json
import math
import platform
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from ..loaders.durable import write_json
from .core.learning import Finding, Outcome, lesson, rows, teach

TITLE = "What the models learn on made-up people"
APART = "forges, builds and trains for hours; run it with `facevox bench learn --out W`"
COLUMNS = ("row", "link", "what", "measured", "wanted", "chance", "n", "CPU s", "")
NOTES = (
    "the people are made up: the numbers check that models, losses and loop learn what is there, and say nothing about "
    "the papers' figures",
    "link off: everybody has somebody else's voice; what rests on voices that fit faces must fall to chance",
    "CPU s: processor time of forge, build, training and scoring; steps shared by rows are counted in each",
)


@dataclass(frozen=True)
class LearnOptions:
    """What to run; see `facevox bench --help`."""

    out: str | Path
    rows: tuple[str, ...] = ()
    """Empty: all."""
    short: bool = False
    """The versions of seconds, of the rows that have one."""
    workers: int = 1
    """Processes that forge and build; the processor time of more than 1 is not counted."""

    def chosen(self) -> tuple[str, ...]:
        """The rows to run. Raises ValueError for one that there is not, or that has no short version."""
        wanted = self.rows or tuple(rows())
        lacking = [row for row in wanted if self.short and lesson(row).short is None]
        if lacking and self.rows:
            raise ValueError(f"row {lacking[0]!r} has no short version; leave out --short")
        return tuple(row for row in wanted if lesson(row) and row not in lacking)


@dataclass(frozen=True)
class Learned:
    """The report: every row on both populations."""

    outcomes: tuple[Outcome, ...]
    command: str
    facts: dict[str, str] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        return all(outcome.passed for outcome in self.outcomes)

    def text(self) -> str:
        """For a terminal: aligned columns, then the notes and the command."""
        lines = [COLUMNS, *self._lines()]
        widths = [max(len(line[at]) for line in lines) for at in range(len(COLUMNS))]
        drawn = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
        drawn.insert(1, "  ".join("-" * width for width in widths))
        return "\n".join([TITLE, "", *(line.rstrip() for line in drawn), "", *self._remarks()])

    def markdown(self) -> str:
        """A Markdown section."""
        lines = [COLUMNS, ("---",) * len(COLUMNS), *self._lines()]
        drawn = ["| " + " | ".join(line) + " |" for line in lines]
        return "\n".join([f"## {TITLE}", "", *drawn, "", *(f"- {remark}" for remark in self._remarks()), ""])

    def json(self) -> str:
        """Everything, the commands of every row with it; a range without end has null there."""
        return json.dumps(_report(self._plain()), indent=1, allow_nan=False)

    def _plain(self) -> list[dict[str, Any]]:
        measured = {"measured_by": self.command, "facts": self.facts}
        return [
            {**asdict(o), "findings": [_plain(f) for f in o.findings], "passed": o.passed, **measured}
            for o in self.outcomes
        ]

    def write(self, path: Path) -> None:
        """Write the report's rows; others that are in the file stay, as long as there are such rows."""
        former = json.loads(path.read_text())["rows"] if path.exists() else []
        found = {(row["row"], row["linked"]): row for row in (*former, *self._plain()) if row["row"] in rows()}
        write_json(path, _report([found[key] for key in sorted(found, key=lambda key: (key[0], not key[1]))]))

    def _lines(self) -> Iterator[tuple[str, ...]]:
        for outcome in self.outcomes:
            for at, finding in enumerate(outcome.findings):
                spent = "" if at else f"{outcome.cpu_seconds:.0f}"
                link = "on" if outcome.linked else "off"
                verdict = "" if finding.wanted is None else "ok" if finding.passed else "NOT REACHED"
                yield (outcome.row, link, *_cells(finding), spent, verdict)

    def _remarks(self) -> list[str]:
        facts = ", ".join(f"{name} {value}" for name, value in self.facts.items())
        return [
            *(f"{o.row}: {o.title}" for o in self.outcomes if o.linked),
            *NOTES,
            f"measured by `{self.command}`, {facts}",
        ]


def _report(told: list[dict[str, Any]]) -> dict[str, Any]:
    return {"title": TITLE, "rows": told, "notes": list(NOTES)}


def _cells(finding: Finding) -> tuple[str, ...]:
    chance = "-" if finding.chance is None else finding.shown(finding.chance)
    return finding.what, finding.shown(finding.measured), finding.wanted or "-", chance, str(finding.count)


def _plain(finding: Finding) -> dict[str, Any]:
    ends = {name: value for name, value in asdict(finding).items() if name in ("low", "high") and math.isinf(value)}
    return {**asdict(finding), **dict.fromkeys(ends), "passed": finding.passed}


def run(options: LearnOptions, say: Callable[[str], None] = lambda words: None) -> Learned:
    """Run the rows, or go on where the same call stopped; OUT/learn.json has each as soon as it is scored.

    Rows of earlier calls stay in it. Short rows go to OUT/learn-short.json.
    `say` is told every step before it begins. Raises ValueError for an unknown row, RuntimeError when a step fails.
    """
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    chosen = options.chosen()
    command = "facevox bench learn --out W" + (f" --rows {','.join(options.rows)}" if options.rows else "")
    facts = {"torch": torch.__version__, "python": platform.python_version(), "machine": platform.machine()}
    outcomes: list[Outcome] = []
    for row in chosen:
        whole = lesson(row)
        what = whole.short if options.short and whole.short else whole
        for linked in (True, False) if what.null else (True,):
            outcomes.append(teach(row, what, out, linked, options.workers, say))
            learned = Learned(tuple(outcomes), command + (" --short" if options.short else ""), facts)
            learned.write(out / ("learn-short.json" if options.short else "learn.json"))
    return learned


def told(words: str) -> None:
    """Say a step on standard error, with the time of day."""
    print(f"{time.strftime('%H:%M:%S')} {words}", file=sys.stderr, flush=True)
