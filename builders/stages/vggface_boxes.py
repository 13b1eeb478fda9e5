"""The boxes that VGGFace and VGGFace2 were published with."""

import re
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from typing import BinaryIO

LOOSE_BOXES = "bb_landmark"
MAX_LINE = 4_096
"""Bytes of the longest line read of a table; the longest published has under 1,000."""
LIST_COLUMNS = ("id", "url", "left", "top", "right", "bottom", "pose", "detection_score", "curation")
_LOOSE = re.compile(
    rb'"?(n\d{6})/(\d{4,}_\d{2,})"?\s*,\s*(-?\d{1,6})\s*,\s*(-?\d{1,6})\s*,\s*(\d{1,6})\s*,\s*(\d{1,6})\s*'
)
"""Of at most six digits: no picture is larger."""


@dataclass(frozen=True, slots=True)
class PublishedBox:
    """Where the person's face is in the picture as published, in its pixels; None is what a table does not say."""

    left: float
    top: float
    right: float
    bottom: float
    pose: float | None = None
    score: float | None = None
    curated: bool | None = None
    """Whether the picture is in the set that people filtered."""

    def as_row(self) -> list[float | bool | None]:
        """As plain JSON; `PublishedBox(*row)` is the same again."""
        edges: list[float | bool | None] = [self.left, self.top, self.right, self.bottom]
        return edges if self.curated is None else [*edges, self.pose, self.score, self.curated]


def read_loose_boxes(
    file: BinaryIO, place: str, wanted: Collection[str], problems: list[tuple[str, str]]
) -> dict[str, bytearray]:
    """loose_bb_{train,test}.csv (NAME_ID, X, Y, W, H) -> each wanted id's lines, for `loose_boxes`.

    Read line by line and kept as text: the published table has 3.1 million. Adds (place, reason) to `problems` for the
    first bad line and how many there are.
    """
    found: dict[str, bytearray] = defaultdict(bytearray)
    bad, first, number = 0, "", 0
    while line := file.readline(MAX_LINE):
        number += 1
        if (number == 1 and b"NAME_ID" in line.upper()) or not line.strip():
            continue
        row = _LOOSE.fullmatch(line)
        if row is None or not (int(row[5]) and int(row[6])):
            bad, first = bad + 1, first or f"row {number}: {line[:60]!r}"
        elif (who := row[1].decode()) in wanted:
            found[who] += line.strip() + b"\n"
    if bad:
        problems.append((place, f"{bad:,} lines are no box of NAME_ID,X,Y,W,H, the first in {first}; ignored"))
    return dict(found)


def loose_boxes(lines: bytes | bytearray) -> dict[str, PublishedBox]:
    """One id's lines of the table -> boxes by picture."""
    found = {}
    for row in filter(None, map(_LOOSE.fullmatch, lines.splitlines())):
        x, y, width, height = (float(cell) for cell in row.groups()[2:])
        found[row[2].decode()] = PublishedBox(x, y, x + width, y + height)
    return found


def read_list(data: bytes, place: str, problems: list[tuple[str, str]]) -> dict[str, PublishedBox]:
    """One of VGGFace's lists (LIST_COLUMNS, blanks between) -> boxes by picture number as 8 digits.

    Adds (place, reason) to `problems` for the first bad line and how many there are.
    """
    found: dict[str, PublishedBox] = {}
    bad, first = 0, ""
    for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
        cells = line.split()
        if not cells:
            continue
        try:
            picture, box = _listed(cells)
        except ValueError as error:
            bad, first = bad + 1, first or f"row {number}: {error}"
            continue
        found.setdefault(picture, box)
    if bad:
        problems.append((place, f"{bad:,} lines are no row of a VGGFace list, the first in {first}; ignored"))
    return found


def _listed(cells: list[str]) -> tuple[str, PublishedBox]:
    if len(cells) != len(LIST_COLUMNS):
        raise ValueError(f"{len(cells)} columns, expected {' '.join(LIST_COLUMNS)}")
    left, top, right, bottom, pose, score, curation = (float(cell) for cell in cells[2:])
    # The comparisons also turn down NaN; no picture is as large as the bound, and no score.
    if not (-1e6 < left < right < 1e6 and -1e6 < top < bottom < 1e6) or curation not in (0, 1):
        raise ValueError(
            f"box {', '.join(cells[2:6])[:60]}, curation {cells[8][:9]}: expected left < right, top < bottom and 0 or 1"
        )
    if not (-1e6 < pose < 1e6 and -1e6 < score < 1e6):
        raise ValueError(f"pose {cells[6][:9]}, score {cells[7][:9]}: expected numbers under a million")
    if not re.fullmatch(r"\d{1,8}", cells[0], re.ASCII):
        raise ValueError(f"picture {cells[0][:9]}: expected a number of at most 8 digits")
    return f"{int(cells[0]):08d}", PublishedBox(left, top, right, bottom, pose, score, bool(curation))
