"""Histograms of a built folder on one page, told apart by shade and hatch as well as by colour."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .distributions import Panel

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7")
"""Blue, orange, green, purple of Okabe and Ito's palette, which colour-blind readers can tell apart."""
HATCHES = ("", "///", "...", "xxx")
COLUMNS = 3
LETTERS = 64
"""Of the names under a panel's bars, each as wide as the widest."""


def draw(panels: Sequence[Panel], title: str, out: Path, columns: int = COLUMNS) -> Path:
    """Draw every panel that has something to show on one PNG, `columns` in a row; returns its path."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    shown = [panel for panel in panels if any(any(heights) for heights in panel.series.values())]
    lines = max(1, math.ceil(len(shown) / columns))
    figure = pyplot.figure(figsize=(5 * columns, 0.6 + 3.8 * lines), layout="constrained")
    figure.suptitle(title, fontsize=14)
    for place, panel in enumerate(shown, 1):
        axes = figure.add_subplot(lines, columns, place)
        (_bins if panel.edges else _categories)(axes, panel)
        axes.set_title(panel.title, fontsize=11, loc="left", fontweight="bold", pad=20)
        axes.set_xlabel(panel.bins if panel.edges else "")
        axes.set_ylabel(panel.heights)
        if not panel.heights.startswith("%"):
            axes.yaxis.get_major_locator().set_params(integer=True)
            axes.yaxis.set_major_formatter("{x:,.0f}")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="0.88", linewidth=0.7)
        axes.set_axisbelow(True)
        above = {"loc": "lower left", "bbox_to_anchor": (-0.015, 0.985), "columnspacing": 1.2}
        axes.legend(**above, ncols=len(panel.series), fontsize=8.5, frameon=False)
    if any(panel.edges for panel in shown):
        figure.supxlabel("The outermost bars of a histogram also hold what lies beyond its axis.", fontsize=9)
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=100, format="png", metadata={"Software": "facevox"})
    pyplot.close(figure)
    return out


def _bins(axes: Any, panel: Panel) -> None:
    """Bars over the bins, stacked or one in front of the other; the outermost hold what lies beyond them."""
    edges, below = np.array(panel.edges), np.zeros(len(panel.edges) - 1)
    for number, (name, heights) in enumerate(panel.series.items()):
        style = {"color": COLOURS[number % 4], "hatch": HATCHES[number % 4], "edgecolor": "white", "linewidth": 0.6}
        axes.bar(edges[:-1], heights, np.diff(edges), below, align="edge", label=f"{name} ({sum(heights):,})", **style)
        below += 0 if panel.nested else heights
    if panel.logarithmic:
        axes.set_xscale("log")
    axes.set_xlim(edges[0], edges[-1])
    if panel.mark is not None:
        axes.axvline(panel.mark, color="black", linestyle="--", linewidth=1)
        axes.margins(y=0.15)
        far = axes.transLimits.transform(axes.transScale.transform((panel.mark, 1)))[0] > 0.7
        words = {"text": f" threshold {panel.mark:g} ", "xy": (panel.mark, 0.94), "ha": "right" if far else "left"}
        axes.annotate(**words, xycoords=axes.get_xaxis_transform(), fontsize=8)


def _categories(axes: Any, panel: Panel) -> None:
    """Bars side by side, their heights written above them; or one in front of the other, with what is hidden."""
    places, width = np.arange(len(panel.categories)), 0.8 / (1 if panel.nested else len(panel.series))
    for number, (name, heights) in enumerate(panel.series.items()):
        style = {"color": COLOURS[number % 4], "hatch": HATCHES[number % 4], "edgecolor": "white", "linewidth": 0.6}
        at = places + (0 if panel.nested else number - (len(panel.series) - 1) / 2) * width
        drawn = axes.bar(at, heights, width, label=name, **style)
        if not panel.nested:
            words = [f"{height:.3g}" if height else "" for height in heights]
            axes.bar_label(drawn, labels=words, fontsize=8, padding=1)
        elif number == 0:
            last = list(panel.series.values())[-1]
            words = [f"{end - height:,.0f}" if end < height else f"{height:,.0f}"
                     for height, end in zip(heights, last, strict=True)]  # fmt: skip
            axes.bar_label(drawn, labels=words, fontsize=8, padding=1)
    turned = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"} if _crowded(panel.categories) else {}
    axes.set_xticks(places, panel.categories, fontsize=9, **turned)
    axes.margins(y=0.15)


def _crowded(names: Sequence[str]) -> bool:
    """Whether names side by side under one panel would run into each other."""
    return len(names) * max(max(map(len, name.split("\n"))) for name in names) > LETTERS
