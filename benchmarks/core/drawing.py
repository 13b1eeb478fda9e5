"""Figures as inline SVG: curves with intervals, and histograms. No library, no script, colours by class."""

import math
from collections.abc import Iterator, Sequence
from html import escape

from .table import Curve, Figure, Histogram

WIDE, HIGH = 560, 300
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 14, 46
MARKS = 6
"""Curves that are told apart by colour, dash and mark; more begin again."""


def figure(drawn: Figure) -> str:
    """Curves over common axes, published ones dashed; 95 % intervals as bands. Numbers stand in the title as well."""
    xs = [x for curve in drawn.curves for x in curve.x]
    ys = [y for curve in drawn.curves for y in (*curve.y, *curve.low, *curve.high)]
    across, up = ticks(min(xs), max(xs)), ticks(min(ys), max(ys))
    place = _Place((across[0], across[-1]), (up[0], up[-1]))
    parts = [*_axes(drawn, across, up, place)]
    for number, curve in enumerate(drawn.curves):
        parts += _curve(curve, number % MARKS, place) if drawn.joined else _numbered(curve, number, place)
    told = "; ".join(f"{curve.name}: {_said(curve)}" for curve in drawn.curves)
    legend = "".join(
        f'<li><svg viewBox="0 0 34 14" width="34" height="14" aria-hidden="true">{sample}</svg> '
        f"{escape(curve.name)}{' (published)' if curve.published else ''}</li>"
        for curve, sample in zip(drawn.curves, _samples(drawn), strict=True)
    )
    title, words = escape(drawn.title), escape(told)
    return (
        f'<figure><svg role="img" viewBox="0 0 {WIDE} {HIGH}" aria-label="{title}: {words}">{"".join(parts)}</svg>'
        f'<ul class="legend">{legend}</ul><figcaption>{title}</figcaption></figure>'
    )


def _samples(drawn: Figure) -> Iterator[str]:
    """How each curve looks in the legend."""
    for number, curve in enumerate(drawn.curves):
        kind = f"s{number % MARKS}{' published' if curve.published else ''}"
        line = f'<line class="{kind}" x1="0" y1="6" x2="34" y2="6"/>{_mark(number % MARKS, 17, 6)}'
        yield line if drawn.joined else _number(number, 17, 12)


def _numbered(curve: Curve, number: int, place: "_Place") -> Iterator[str]:
    """Points without a line."""
    for x, y in zip(curve.x, curve.y, strict=True):
        yield _number(number, place.x(x), place.y(y) + 4)


def _number(number: int, x: float, y: float) -> str:
    return f'<text class="f{number % MARKS}" x="{x}" y="{y}" text-anchor="middle">{number + 1}</text>'


def _said(curve: Curve) -> str:
    pairs = list(zip(curve.x, curve.y, strict=True))
    step = max(1, len(pairs) // 12)
    return ", ".join(f"{y:.4g} at {x:.4g}" for x, y in pairs[::step])


class _Place:
    """Data to picture coordinates."""

    def __init__(self, across: tuple[float, float], up: tuple[float, float]) -> None:
        self.across, self.up = across, up

    def x(self, value: float) -> float:
        first, last = self.across
        return round(LEFT + (value - first) / (last - first) * (WIDE - LEFT - RIGHT), 2)

    def y(self, value: float) -> float:
        first, last = self.up
        return round(HIGH - BOTTOM - (value - first) / (last - first) * (HIGH - TOP - BOTTOM), 2)


def ticks(low: float, high: float) -> list[float]:
    """About five round numbers from at most `low` to at least `high`. Raises ValueError for what is no number."""
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError(f"a figure from {low} to {high}: expected finite numbers")
    if high == low:
        low, high = low - 0.5, high + 0.5
    rough = (high - low) / 4
    power = 10 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough - 1e-12)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


def _axes(drawn: Figure, across: Sequence[float], up: Sequence[float], place: _Place) -> Iterator[str]:
    floor, end = HIGH - BOTTOM, WIDE - RIGHT
    for value in up:
        y = place.y(value)
        yield f'<line class="grid" x1="{LEFT}" y1="{y}" x2="{end}" y2="{y}"/>'
        yield f'<text x="{LEFT - 6}" y="{y + 4}" text-anchor="end">{value:g}</text>'
    for value in across:
        x = place.x(value)
        yield f'<line class="axis" x1="{x}" y1="{floor}" x2="{x}" y2="{floor + 4}"/>'
        yield f'<text x="{x}" y="{floor + 18}" text-anchor="middle">{value:g}</text>'
    yield f'<line class="axis" x1="{LEFT}" y1="{floor}" x2="{end}" y2="{floor}"/>'
    yield f'<text x="{(LEFT + end) / 2}" y="{HIGH - 8}" text-anchor="middle">{escape(drawn.x_axis)}</text>'
    middle = (TOP + floor) / 2
    yield (f'<text transform="translate(14 {middle}) rotate(-90)" text-anchor="middle">{escape(drawn.y_axis)}</text>')


def _curve(curve: Curve, number: int, place: _Place) -> Iterator[str]:
    points = [(place.x(x), place.y(y)) for x, y in zip(curve.x, curve.y, strict=True)]
    if curve.low and curve.high:
        above = [f"{place.x(x)},{place.y(y)}" for x, y in zip(curve.x, curve.high, strict=True)]
        below = [f"{place.x(x)},{place.y(y)}" for x, y in zip(curve.x, curve.low, strict=True)]
        yield f'<polygon class="band f{number}" points="{" ".join([*above, *below[::-1]])}"/>'
    kind = f"s{number}{' published' if curve.published else ''}"
    yield f'<polyline class="{kind}" points="{" ".join(f"{x},{y}" for x, y in points)}"/>'
    if len(points) <= 40:
        yield from (_mark(number, x, y) for x, y in points)


def _mark(number: int, x: float, y: float) -> str:
    """Circle, square, triangle by turns, filled and then empty."""
    kind = f"f{number}" if number < 3 else f"e{number}"
    if number % 3 == 0:
        return f'<circle class="{kind}" cx="{x}" cy="{y}" r="4"/>'
    if number % 3 == 1:
        return f'<rect class="{kind}" x="{x - 3.5}" y="{y - 3.5}" width="7" height="7"/>'
    return f'<polygon class="{kind}" points="{x},{y - 4.5} {x + 4.2},{y + 3.5} {x - 4.2},{y + 3.5}"/>'


def histogram(drawn: Histogram) -> str:
    """Bars of equal width with their counts above."""
    wide, high, floor, top = 240, 120, 96, 16
    most = max(*drawn.counts, 1)
    step = (wide - 16) / len(drawn.counts)
    bars = []
    for at, count in enumerate(drawn.counts):
        tall = (floor - top) * count / most
        x = 8 + at * step
        bars.append(
            f'<rect class="f0" x="{x + 1:.1f}" y="{floor - tall:.1f}" width="{step - 2:.1f}" height="{tall:.1f}"/>'
        )
        if count:
            bars.append(f'<text x="{x + step / 2:.1f}" y="{floor - tall - 3:.1f}" text-anchor="middle">{count}</text>')
    ends = f'<text x="8" y="{floor + 14}">{drawn.edges[0]:g}</text>'
    ends += f'<text x="{wide - 8}" y="{floor + 14}" text-anchor="end">{drawn.edges[-1]:g}</text>'
    pairs = zip(drawn.edges, drawn.edges[1:], drawn.counts, strict=False)
    told = ", ".join(f"{count} from {low:g} to {end:g}" for low, end, count in pairs if count)
    title, axis = escape(drawn.title), escape(drawn.x_axis)
    return (
        f'<figure class="small"><svg role="img" viewBox="0 0 {wide} {high}" aria-label="{title}: {escape(told)}">'
        f'{"".join(bars)}<line class="axis" x1="8" y1="{floor}" x2="{wide - 8}" y2="{floor}"/>{ends}'
        f'<text x="{wide / 2}" y="{floor + 20}" text-anchor="middle">{axis}</text></svg>'
        f"<figcaption>{title}</figcaption></figure>"
    )
