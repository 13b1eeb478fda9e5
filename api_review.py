"""Decisions of people about samples, as functions: what `facevox decide` and `facevox agreement` do."""

from pathlib import Path
from typing import TYPE_CHECKING

from .loaders.folder import Folder

if TYPE_CHECKING:
    from .builders.core.agreement import Agreement
    from .builders.core.decisions import Decision


def decide(
    path: str | Path,
    key: str,
    *,
    about: str,
    verdict: str,
    value: str | int | None = None,
    reason: str = "",
    who: str,
) -> "Decision":
    """Put a person's decision about a sample on record in `review.jsonl`; the next build of the folder applies it.

    `facevox decide --help` lists what can be decided; verdict "undo" takes the person's earlier decision back. Raises
    ValueError for words outside the schema or a decision that nothing would follow, FolderError for a key that the
    folder knows nothing of.
    """
    from .builders.core.decisions import FILE, Decision, append, check_effect, now, shown

    folder = Folder(path)
    if about == "trim" and isinstance(value, str) and value.isdecimal():
        value = int(value)
    decided = Decision(key, about, verdict, value, reason, who, now(), shown(folder, key))
    check_effect(folder, decided)
    append(folder.local / FILE, decided)
    return decided


def agreement(path: str | Path) -> "tuple[Agreement, ...]":
    """How far people agree who judged the same samples of a folder: counts, Cohen's kappa and each disagreement.

    Raises FolderError without a folder, ValueError for a line of `review.jsonl` that is no decision.
    """
    from .builders.core.agreement import agreements
    from .builders.core.decisions import FILE, read

    return agreements(read(Folder(path).local / FILE))
