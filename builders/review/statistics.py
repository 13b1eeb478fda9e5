"""The view *statistics*: the paper's tables beside this folder's, and its histograms, drawn once."""

import threading
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ...loaders.durable import written_aside
from ...loaders.statistics import Statistics as Counted
from ...loaders.statistics import described, statistics
from ...loaders.tabulate import Table, shown
from ..core.agreement import FORMULA
from .desk import Desk
from .media import KEPT

COLUMNS = 2
"""Histograms side by side: at three their numbers are too small for a laptop."""


class Statistics:
    """Routes below /api/statistics/."""

    name, title = "statistics", "Statistics"

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._lock, self._drawing = threading.Lock(), threading.Lock()
        self._counted: tuple[str, Counted] | None = None

    def available(self) -> bool:
        """Whether the folder holds people of a dataset whose statistics are published."""
        return self.desk.options.folder is not None and self.desk.folder.dataset in described()

    def routes(self) -> list[Route]:
        return [
            Route("/api/statistics/tables", self.tables),
            Route("/api/statistics/histograms.png", self.histograms),
        ]

    def left(self) -> tuple[int, int] | None:
        """Nothing here is for people to decide."""
        return None

    def tables(self, request: Request) -> Response:
        """Title, facts and tables: people's agreement first, the errata that fit this folder last."""
        counted = self._count()
        tables = [_worded(table) for table in (*of_people(self.desk), *counted.tables, counted.applying) if table.rows]
        drawn = [panel.title for panel in counted.panels if any(any(heights) for heights in panel.series.values())]
        known: dict[str, Any] = {"title": counted.title, "samples": counted.facts["samples"], "tables": tables}
        return JSONResponse(known | {"histograms": drawn})

    def histograms(self, request: Request) -> Response:
        """Every histogram on one PNG, kept in the cache until the folder is built again."""
        from ...loaders.histograms import draw

        counted = self._count()
        path = self.desk.cache / f"statistics-{self.desk.version}.png"
        with self._drawing:
            if not path.is_file():
                for old in self.desk.cache.glob("statistics-*.png"):
                    old.unlink(missing_ok=True)
                title = f"{counted.title.split(',')[0]}: {counted.facts['samples']:,} samples"
                with written_aside(path) as part:
                    draw(counted.panels, title, part, COLUMNS)
            return Response(path.read_bytes(), media_type="image/png", headers=KEPT)

    def _count(self) -> Counted:
        version, folder = self.desk.version, self.desk.folder
        with self._lock:
            if self._counted is None or self._counted[0] != version:
                self._counted = version, statistics(folder)
            return self._counted[1]


def of_people(desk: Desk) -> tuple[Table, Table, Table]:
    """How far people agree, what they disagree on, and decisions about samples that changed since; no rows for none."""
    agreed = desk.agreement()
    about = ("about", "people", "judged by both", "alike", "Cohen's kappa")
    counts = tuple((one.about, " and ".join(one.people), one.items, one.agreed, one.kappa) for one in agreed)
    apart = {unlike for one in agreed for unlike in one.disagreements}
    unlike = tuple(
        (conflict.key, conflict.about, ", ".join(f"{who} says {what}" for who, what in conflict.said))
        for conflict in sorted(apart, key=lambda conflict: (conflict.key, conflict.about, conflict.said))
    )
    stale = sorted(desk.out_of_date(), key=lambda word: (*word.subject, word.who))
    changed = tuple((word.key, word.about, word.who, word.said()) for word in stale)
    return (
        Table("Agreement of people", about, counts, (FORMULA,)),
        Table("Disagreements", ("sample", "about", "said"), unlike, ("Nothing of these is applied by a build.",)),
        Table(
            "Out-of-date decisions",
            ("sample", "about", "person", "said"),
            changed,
            ("The sample has changed since: not applied by a build. Judge it again.",),
        ),
    )


def _worded(table: Table) -> dict[str, Any]:
    """A table with its cells as words, and which columns are numbers."""
    filled = [[cell for cell in column if cell is not None] for column in zip(*table.rows, strict=True)]
    numbers = [bool(cells) and any(isinstance(cell, int | float) for cell in cells) for cells in filled]
    rows = [[shown(cell) for cell in row] for row in table.rows]
    return {"title": table.title, "columns": table.columns, "numbers": numbers, "rows": rows, "notes": table.notes}
