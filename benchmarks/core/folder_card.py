"""What a folder says of itself that belongs in front of every number: terms, consent, intended use, bias, digest."""

import re
from collections import Counter
from dataclasses import dataclass

from ...loaders.folder import Folder

SECTIONS = ("Licence and consent", "Intended use", "Bias", "Faults of the release")
TERMS = ("source", "licence", "consent")


@dataclass(frozen=True)
class FolderCard:
    """Of one dataset folder, in its own words."""

    place: str
    dataset: str
    digest: str
    samples: int
    terms: tuple[tuple[str, str, str, int], ...]
    """Source, licence and consent as the samples state them, and of how many."""
    warning: str
    """The note at the head of the card, as that nobody in the folder exists; may be empty."""
    sections: tuple[tuple[str, str], ...]
    """Heading and text of SECTIONS that the card has."""

    @property
    def title(self) -> str:
        return f"{self.dataset or 'nobody'} in {self.place}"


def read_card(folder: Folder) -> FolderCard:
    """The folder's card and the terms that its samples state; what the card lacks is left out, never made up."""
    path = folder.path / "README.md"
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    found = {match[1].strip(): match[2].strip() for match in re.finditer(r"^#+ (.+)\n((?:(?!^#).*\n?)*)", text, re.M)}
    head = re.search(r"(?:^> .*\n)+", text, re.M)
    warning = " ".join(line.removeprefix("> ") for line in head[0].splitlines()) if head else ""
    known = [name for name in TERMS if name in folder.index.column_names]
    counted = Counter(tuple(str(row.get(name)) for name in TERMS) for row in folder.index.select(known).to_pylist())
    terms = tuple((*said, count) for said, count in sorted(counted.items()))
    return FolderCard(
        str(folder),
        folder.dataset,
        folder.digest,
        folder.index.num_rows,
        terms,  # type: ignore[arg-type]
        warning.replace("**", ""),
        tuple((name, found[name]) for name in SECTIONS if found.get(name)),
    )
