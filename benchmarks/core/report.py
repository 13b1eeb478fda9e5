"""All tables as one report: Markdown, JSON and, in report_html, one page."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field

from .folder_card import FolderCard
from .table import Table

REMARKS = (
    "measured: with the checkpoints and judges that were there; 95 %: bootstrap over people, - where too few people or "
    "all alike leave no width; protocol: digest of the sample keys or trials, equal digests are comparable",
    "not measured: the command that would measure it stands beside it",
    "* marks a published number that contradicts its own paper; the reason stands below the table",
)


@dataclass(frozen=True)
class Result:
    """One table on one folder: measured, or why not."""

    name: str
    title: str
    folder: str = ""
    table: Table | None = None
    reason: str = ""
    """Why there is no table."""
    command: str = ""
    """What was run, or would measure it."""
    failed: bool = False
    """Whether it broke, beside lacking something."""
    seconds: float = 0.0

    @property
    def status(self) -> str:
        """In a few words."""
        if self.table is None:
            return "FAILED" if self.failed else "not measured"
        rows = self.table.rows
        filled = sum(row.measured is not None for row in rows)
        warned = f", {len(self.table.warnings)} CONTROLS FAILED" if self.table.warnings else ""
        return f"{filled} of {len(rows)} rows measured{warned}"


@dataclass(frozen=True)
class Report:
    """Everything that `facevox bench all` found, and what it found it on."""

    results: tuple[Result, ...]
    folders: tuple[FolderCard, ...]
    command: str
    facts: Mapping[str, str] = field(default_factory=dict)
    """Versions, machine, date, time spent."""

    @property
    def passed(self) -> bool:
        """Whether no table broke; a row without its checkpoint is no fault."""
        return not any(result.failed for result in self.results)

    @property
    def commands(self) -> list[str]:
        """What would fill the rows and tables that are not measured, each once."""
        found: list[str] = []
        for result in self.results:
            found += result.table.commands if result.table else [result.command] if result.command else []
        return list(dict.fromkeys(found))

    def markdown(self) -> str:
        """A Markdown document; text of cards is quoted as it stands."""
        parts = ["# Published beside measured", "", f"By `{self.command}`.", *_bullets(REMARKS), ""]
        parts += _bullets(f"{name}: {value}" for name, value in self.facts.items())
        parts += ["", "| table | folder | state | s |", "| --- | --- | --- | --- |"]
        parts += [
            f"| {_cell(r.name)} | {_cell(r.folder)} | {_cell(r.status)} | {r.seconds:.1f} |" for r in self.results
        ]
        for card in self.folders:
            parts += ["", f"## Folder: {card.title}", "", f"{card.samples:,} samples, digest `{card.digest}`.", ""]
            parts += [f"**{card.warning}**", ""] if card.warning else []
            parts += ["| source | licence | consent | samples |", "| --- | --- | --- | --- |"]
            parts += ["| " + " | ".join(_cell(str(value)) for value in terms) + " |" for terms in card.terms]
            for heading, words in card.sections:
                parts += ["", f"### {heading}", "", words]
        for result in self.results:
            parts.append("")
            if result.table is not None:
                parts.append(result.table.markdown())
                continue
            parts += [f"## {result.title}", "", f"{result.status}: {result.reason}", ""]
            parts += [f"To measure: `{result.command}`", ""] if result.command else []
        return "\n".join(parts).rstrip() + "\n"

    def json(self) -> str:
        """Everything as values; NaN nowhere."""
        tables = [
            {
                "name": result.name,
                "folder": result.folder,
                "status": result.status,
                "failed": result.failed,
                "reason": result.reason,
                "command": result.command,
                "seconds": round(result.seconds, 3),
                "table": result.table.plain() if result.table else None,
            }
            for result in self.results
        ]
        folders = [asdict(card) for card in self.folders]
        content = {"command": self.command, "facts": dict(self.facts), "folders": folders, "tables": tables}
        return json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def _bullets(lines: Iterable[str]) -> list[str]:
    return [f"- {line}" for line in lines]


def _cell(words: str) -> str:
    return words.replace("|", "\\|").replace("\n", " ")
