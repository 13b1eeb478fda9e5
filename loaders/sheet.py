"""One sample of pictures, sounds and arrays drawn on a sheet, with what was measured of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

LINES, LEAST_HEIGHT = 36, 5.4
"""Facts on a sheet, the rest is counted; and the inches that so many need."""
TITLED = ("key", "config", "split", "fields")
LONGEST = 58
"""Characters of one fact's line."""


def draw_sheet(key: str, row: Mapping[str, Any], members: Mapping[str, Any], out: Path) -> Path:
    """Draw decoded `members` by name beside the facts of an index row; returns the PNG's path.

    Clips show their middle frame, sounds their spectrogram with speech marked, arrays of two dimensions or more their
    last two.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    shown = {name: value for name, value in members.items() if name.endswith(".flac") or np.ndim(value) >= 2}
    pictures = [name for name in shown if not name.endswith((".flac", ".array"))]
    strips = [name for name in shown if name not in pictures]
    heights = [3.6] * bool(pictures) + [2.4] * len(strips)
    figure = pyplot.figure(figsize=(14, max(sum(heights) + 0.6, LEAST_HEIGHT)), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(2, 1))
    grid = left.add_gridspec(len(heights) or 1, max(len(pictures), 1), height_ratios=heights or None)
    for column, name in enumerate(pictures):
        _picture(left.add_subplot(grid[0, column]), name, shown[name])
    for line, name in enumerate(strips, bool(pictures)):
        axes = left.add_subplot(grid[line, :])
        if name.endswith(".flac"):
            spectrogram(axes, shown[name], row.get("sample_rate") or 16_000, name)
            _speech(axes, row)
        else:
            _array(axes, name, shown[name])
    right.text(0.02, 0.98, "\n".join(_facts(row)), family="monospace", fontsize=8, va="top")
    figure.suptitle(f"{key}   {row['config']}, {row['split']}", fontsize=12)
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=90, metadata={"Software": "facevox"})
    pyplot.close(figure)
    return out


def spectrogram(axes: Any, samples: NDArray[np.int16], rate: int, name: str) -> None:
    """Log-mel power of (samples,) int16 over seconds."""
    import librosa

    power = librosa.feature.melspectrogram(
        y=samples.astype(np.float32) / 32768, sr=rate, n_fft=1024, hop_length=256, n_mels=96
    )
    decibel = librosa.power_to_db(power, ref=np.max)
    axes.imshow(decibel, origin="lower", aspect="auto", extent=(0, len(samples) / rate, 0, 96), cmap="magma")
    axes.set_title(f"{name}, log-mel spectrogram", fontsize=10)
    axes.set_xlabel("seconds")
    axes.set_ylabel("mel band")


def _speech(axes: Any, row: Mapping[str, Any]) -> None:
    for segment in row.get("speech") or ():
        first, end = (segment[edge] / (row.get("sample_rate") or 16_000) for edge in ("first", "end"))
        axes.plot([first, end], [90, 90], color="lime", linewidth=4, solid_capstyle="butt")
    if row.get("speech"):
        axes.set_title(axes.get_title() + "; green bars: speech", fontsize=10)


def _picture(axes: Any, name: str, value: NDArray[Any]) -> None:
    picture = value[len(value) // 2] if value.ndim == 4 else value
    axes.imshow(picture)
    axes.set_title(f"{name}, {picture.shape[1]}x{picture.shape[0]}", fontsize=10)
    axes.axis("off")


def _array(axes: Any, name: str, value: NDArray[Any]) -> None:
    flat = value.reshape(-1, *value.shape[-2:])[0]
    axes.imshow(flat, origin="lower", aspect="auto", cmap="magma")
    axes.set_title(f"{name}, {value.dtype} {value.shape}" + ("" if value.ndim == 2 else ", the first"), fontsize=10)


def _facts(row: Mapping[str, Any]) -> list[str]:
    known = {name: value for name, value in row.items() if value not in (None, [], "") and name not in TITLED}
    lines = [f"{name}: {_words(value)}" for name, value in known.items()]
    lines = [line if len(line) <= LONGEST else line[: LONGEST - 1] + "…" for line in lines]
    return lines if len(lines) <= LINES else [*lines[:LINES], f"… and more: {len(lines) - LINES}"]


def _words(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_words(part)}" for name, part in value.items())
    if isinstance(value, list):
        return "; ".join(_words(part) for part in value)
    return str(value)
