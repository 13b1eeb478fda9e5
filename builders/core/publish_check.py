"""What a folder must hold before others get it: sound bytes, and a card that says whose faces and voices these are."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow.compute as pc
import yaml

from ...loaders.folder import Folder, file_sha256
from .card import TERMS
from .croissant import NAME, card_sections
from .decisions import FILE

SECTIONS = ("Licence and consent", "Intended use", "Bias")
FEWEST_LETTERS = 80
PLACEHOLDER = re.compile(r"\b(TODO|TBD|FIXME|XXX|lorem ipsum)\b|more information needed|\[(fill|insert|your) ", re.I)
AGAIN = "run the build command of this folder again: it renews the card"


@dataclass(frozen=True)
class Sent:
    """One file on its way, by its name in the folder."""

    name: str
    size: int
    sha256: str


def files_to_send(folder: Folder, sums: dict[str, str], with_review: bool) -> list[Sent]:
    """What checksums.sha256 names, in its order, itself last; never working state, and decisions only when asked."""
    names = [*sorted(sums), *([FILE] if with_review and (folder.local / FILE).is_file() else []), "checksums.sha256"]
    return [Sent(n, (folder.local / n).stat().st_size, sums.get(n) or file_sha256(folder.local / n)) for n in names]


def check_card(folder: Folder) -> Iterator[str]:
    """What is wrong or missing in the card and the terms of the samples."""
    text = (folder.path / "README.md").read_text(encoding="utf-8", errors="replace")
    head = _head(text)
    if not head:
        yield "README.md: no YAML head between lines of '---'"
        return
    for key in ("license", "pretty_name", "configs", "extra_gated_prompt", "extra_gated_fields"):
        if not head.get(key):
            yield f"README.md: no {key} in the YAML head; {AGAIN}"
    sections = card_sections(text)
    for name in SECTIONS:
        words = sections.get(name, "")
        if len(words) < FEWEST_LETTERS:
            yield f"README.md: section {name!r} has {len(words)} letters, expected at least {FEWEST_LETTERS}; {AGAIN}"
        elif found := PLACEHOLDER.search(words):
            yield f"README.md: section {name!r} holds the placeholder {found[0]!r}"
    if not (folder.path / NAME).is_file():
        yield f"{NAME}: missing; {AGAIN}"
    yield from _check_terms(folder, text, head)


def _check_terms(folder: Folder, text: str, head: dict[str, Any]) -> Iterator[str]:
    """Source, licence and consent of every sample, and that made-up people are called so."""
    index = folder.index
    for name in TERMS:
        if name not in index.column_names or index[name].null_count or pc.any(pc.equal(index[name], "")).as_py():
            yield f"index: samples without the fact {name!r}"
            return
    forged = pc.all(pc.starts_with(index["source"], "forged")).as_py()
    said = "Nobody in this folder exists" in text and "(forged)" in str(head.get("pretty_name"))
    if forged and not said:
        yield "README.md: all samples are forged, and the card does not say so"
    if not forged and said:
        yield "README.md: the card says that nobody exists, and not all samples are forged"


def _head(text: str) -> dict[str, Any]:
    parts = text.split("---\n", 2)
    try:
        found = yaml.safe_load(parts[1]) if len(parts) == 3 and not parts[0] else None
    except yaml.YAMLError:
        found = None
    return found if isinstance(found, dict) else {}


def gate_of(folder: Folder) -> dict[str, Any]:
    """The YAML head of the card: licence and what whoever asks for access is told and asked."""
    return _head((folder.path / "README.md").read_text(encoding="utf-8", errors="replace"))


def names_of_people(folder: Folder) -> int:
    """How many people who decided about samples are named in the index."""
    if "decisions" not in folder.index.column_names:
        return 0
    found = pc.list_flatten(folder.index["decisions"])
    return len(pc.unique(pc.struct_field(found, "who"))) if len(found) else 0
