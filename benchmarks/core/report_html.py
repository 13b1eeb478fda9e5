"""The report as one self-contained page: nothing is fetched, nothing runs, everything that is not ours is escaped."""

import re
from base64 import b64encode
from collections.abc import Iterator
from html import escape
from importlib.resources import files

from .drawing import figure, histogram
from .folder_card import FolderCard
from .report import REMARKS, Report, Result
from .slices import Slices
from .table import HEADINGS, Picture, Row, Table

KINDS = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpeg", b"RIFF": "webp"}
"""How the picture files begin that may stand in the page."""
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def page(report: Report) -> str:
    """The whole document. Raises ValueError for a picture that is no PNG, JPEG or WebP."""
    style = (files(__package__) / "report.css").read_text(encoding="utf-8")
    body = [
        '<a class="skip" href="#tables">Skip to the tables</a>',
        f"<header><h1>Published beside measured</h1>{_facts(report)}</header>",
        _nav(report),
        "<main>",
        '<section id="folders" aria-labelledby="folders-h"><h2 id="folders-h">What was measured on</h2>',
        *(_card(card) for card in report.folders),
        "</section>",
        '<section id="commands" aria-labelledby="commands-h"><h2 id="commands-h">Commands</h2>',
        _commands(report),
        "</section>",
        '<div id="tables"></div>',
        *(_result(result, f"t{number}") for number, result in enumerate(report.results)),
        "</main>",
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}"><meta name="referrer" content="no-referrer">'
        f"<title>facevox: published beside measured</title><style>{style}</style></head>\n<body>"
        + "\n".join(body)
        + "</body></html>\n"
    )


def _facts(report: Report) -> str:
    facts = "".join(f"<dt>{escape(n)}</dt><dd>{escape(v)}</dd>" for n, v in report.facts.items())
    remarks = "".join(f"<li>{escape(remark)}</li>" for remark in REMARKS)
    return f"<p><code>{escape(report.command)}</code></p><dl>{facts}</dl><ul>{remarks}</ul>"


def _nav(report: Report) -> str:
    lines = "".join(
        f'<tr><th scope="row"><a href="#t{number}">{escape(result.name)}</a></th><td>{escape(result.title)}</td>'
        f"<td>{escape(result.folder)}</td>{_state(result)}"
        f'<td class="n">{result.seconds:.1f}</td></tr>'
        for number, result in enumerate(report.results)
    )
    heads = "".join(f'<th scope="col">{name}</th>' for name in ("table", "what", "folder", "state", "s"))
    return (
        '<nav aria-label="Tables"><h2>Overview</h2><div class="wide" role="region" tabindex="0" '
        f'aria-label="Overview of the tables"><table><thead><tr>{heads}</tr></thead>'
        f"<tbody>{lines}</tbody></table></div></nav>"
    )


def _state(result: Result) -> str:
    bad = result.failed or bool(result.table and result.table.warnings)
    kind = "bad" if bad else "none" if result.table is None else ""
    return f'<td class="{kind}">{escape(result.status)}</td>'


def _card(card: FolderCard) -> str:
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(str(value))}</td>" for value in terms) + "</tr>" for terms in card.terms
    )
    heads = "".join(f'<th scope="col">{name}</th>' for name in ("source", "licence", "consent", "samples"))
    words = "".join(
        f"<h4>{escape(name)}</h4>" + "".join(f"<p>{_marked(part)}</p>" for part in text.split("\n\n"))
        for name, text in card.sections
    )
    lacking = "" if card.sections else "<p>Its card says nothing of licence, consent, intended use and bias.</p>"
    warned = f'<p class="note">{escape(card.warning)}</p>' if card.warning else ""
    return (
        f"<article><h3>{escape(card.title)}</h3>{warned}<p>{card.samples:,} samples; digest "
        f'<code>{escape(card.digest)}</code></p><div class="wide" role="region" tabindex="0" aria-label="Terms">'
        f"<table><caption>Terms that its samples state</caption><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody>"
        f"</table></div><details open><summary>What its card says</summary>{words}{lacking}</details></article>"
    )


def _marked(words: str) -> str:
    """A paragraph of a card, escaped, its bold words and code as such."""
    bold = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", escape(words), flags=re.S)
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", bold)


def _commands(report: Report) -> str:
    todo = "".join(f"<li><code>{escape(command)}</code></li>" for command in report.commands)
    told = "What is not measured, these commands would measure"
    filled = f"<details><summary>{told}</summary><ol>{todo}</ol></details>" if todo else "<p>All is measured.</p>"
    return f"<p>This report: <code>{escape(report.command)}</code></p>{filled}"


def _result(result: Result, name: str) -> str:
    head = f'<section id="{name}" aria-labelledby="{name}-h"><h2 id="{name}-h">{escape(result.title)}</h2>'
    about = f"<p><code>{escape(result.name)}</code> {escape(result.folder)}</p>"
    if result.table is None:
        kind = "bad" if result.failed else "none"
        command = f"<p>To measure: <code>{escape(result.command)}</code></p>" if result.command else ""
        words = f"<p><strong>{escape(result.status)}</strong>: {escape(result.reason)}</p>"
        return f'{head}{about}<div class="{kind} box">{words}{command}</div></section>'
    return f"{head}{about}{''.join(_table(result.table, name))}</section>"


def _table(table: Table, name: str) -> Iterator[str]:
    for warning in table.warnings:
        yield f'<p class="bad box" role="note"><strong>{escape(warning)}</strong></p>'
    heads = "".join(f'<th scope="col">{escape(column)}</th>' for column in table.columns)
    heads += "".join(f'<th scope="col" class="n">{column}</th>' for column in HEADINGS)
    rows = "".join(_row(row, len(table.columns)) for row in table.rows)
    yield (
        f'<div class="wide" role="region" tabindex="0" aria-labelledby="{name}-h"><table>'
        f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
    )
    flags = "".join(f"<li>* {escape(flag)}</li>" for flag in table.flags)
    notes = "".join(f"<li>{escape(note)}</li>" for note in table.notes)
    yield f"<ul>{flags}{notes}</ul>" if flags or notes else ""
    if table.commands:
        todo = "".join(f"<li><code>{escape(command)}</code></li>" for command in table.commands)
        told = f"Not measured yet; to measure: {len(table.commands)} commands"
        yield f"<details><summary>{told}</summary><ol>{todo}</ol></details>"
    yield from (figure(drawn) for drawn in table.figures)
    yield from (_picture(one) for one in table.pictures)
    yield _controls(table)
    if table.slices:
        gaps = sorted(table.slices, key=lambda found: -found.points)
        yield (
            f"<details><summary>Slices: {len(gaps)}, largest gap first</summary>"
            f'<div class="wide" role="region" tabindex="0" aria-label="Slices"><table><thead><tr>{_SLICED}</tr></thead>'
            f"<tbody>{''.join(_slices(found) for found in gaps)}</tbody></table></div></details>"
        )
    if table.histograms:
        drawn = "".join(histogram(one) for one in table.histograms)
        told = f"Person by person: {len(table.histograms)} histograms"
        yield f'<details><summary>{told}</summary><div class="grid">{drawn}</div></details>'


def _controls(table: Table) -> str:
    lines = "".join(
        f'<li class="{"" if c.passed else "bad"}">{"passed" if c.passed else "FAILED"}: {escape(c.words)}</li>'
        for c in table.controls
    )
    lines += "".join(f"<li>{escape(line)}</li>" for line in table.lacking)
    passed = sum(control.passed for control in table.controls)
    told = f"Controls: {passed} of {len(table.controls)} passed" if table.controls else "Controls: none"
    told += f"; without {', '.join(table.without)}" if table.without else ""
    return f"<details><summary>{told}</summary><ul>{lines}</ul></details>"


def _row(row: Row, labels: int) -> str:
    cells = row.cells()
    missing = row.measured is None
    parts = []
    for at, cell in enumerate(cells):
        if at == 0:
            parts.append(f'<th scope="row">{escape(cell)}</th>')
        elif at == labels and row.flag:
            parts.append(f'<td class="n" title="{escape(row.flag)}">{escape(cell)}</td>')
        else:
            kind = "none" if missing and at == labels + 1 else "n" if at >= labels else ""
            parts.append(f'<td class="{kind}">{escape(cell)}</td>')
    return f"<tr>{''.join(parts)}</tr>"


_SLICED = "".join(f'<th scope="col">{name}</th>' for name in ("row", "by", "gap in points", "95 %", "parts"))


def _slices(found: Slices) -> str:
    parts = "; ".join(
        f"{part.value} {part.accuracy:.1f} %"
        + (f" ({part.interval.low:.1f}..{part.interval.high:.1f})" if part.interval else "")
        + f", {part.groups} people"
        for part in found.parts
    )
    between = f"{found.gap.low:.1f}..{found.gap.high:.1f}"
    row = ", ".join(filter(None, found.row))
    return (
        f'<tr><th scope="row">{escape(row)}</th><td>{escape(found.fact)}</td><td class="n">{found.points:.1f}</td>'
        f'<td class="n">{between}</td><td>{escape(parts)}</td></tr>'
    )


def _picture(one: Picture) -> str:
    kind = next((kind for start, kind in KINDS.items() if one.data.startswith(start)), None)
    if kind is None:
        raise ValueError(f"picture {one.title!r}: expected a PNG, JPEG or WebP file, found {one.data[:8]!r}")
    data = b64encode(one.data).decode()
    return (
        f'<figure><img alt="{escape(one.described)}" src="data:image/{kind};base64,{data}">'
        f"<figcaption>{escape(one.title)}</figcaption></figure>"
    )
