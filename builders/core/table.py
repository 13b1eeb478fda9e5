"""Metadata tables whose header spelling is not certain: columns found through aliases, cells kept as text."""

import csv
import io
from collections.abc import Mapping, Sequence


def read_table(
    data: bytes, columns: Mapping[str, Sequence[str]], place: str, delimiter: str = ","
) -> list[dict[str, str]]:
    """CSV bytes -> rows of the wanted columns as stripped text ("None" stays a string).

    `columns` maps each wanted name to its other spellings; case, blanks and `_`/`-` do not matter. A wanted name that
    ends in `?` may be missing and is then "". Raises ValueError with the headers seen and the spellings known.
    """
    rows = csv_rows(data, place, delimiter)
    seen = [_folded(cell) for cell in rows[0]] if rows else []
    at: dict[str, int | None] = {}
    for wanted, aliases in columns.items():
        name = wanted.rstrip("?")
        spellings = [_folded(word) for word in (name, *aliases)]
        at[name] = next((seen.index(word) for word in spellings if word in seen), None)
        if at[name] is None and not wanted.endswith("?"):
            known = ", ".join([name, *aliases])
            raise ValueError(
                f"{place}: no column for {name!r}; the header is {rows[0] if rows else []}, known spellings: {known}"
            )
    return [
        {name: row[i].strip() if i is not None and i < len(row) else "" for name, i in at.items()}
        for row in rows[1:]
        if any(cell.strip() for cell in row)
    ]


def csv_rows(data: bytes, place: str, delimiter: str = ",") -> list[list[str]]:
    """Rows of a CSV as text, blank lines left out. Raises ValueError when it is none."""
    try:
        reader = csv.reader(io.StringIO(data.decode("utf-8-sig", errors="replace"), newline=""), delimiter=delimiter)
        return [row for row in reader if row]
    except csv.Error as error:
        raise ValueError(f"{place}: not a CSV table ({error})") from None


def _folded(header: str) -> str:
    return "".join(letter for letter in header.lower() if letter.isalnum())
