"""One sample drawn on a page: visual, thermal, overlay, spectrogram, and where its artifacts are."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .folder import Folder, FolderError
from .sheet import draw_sheet, spectrogram

Image = NDArray[np.uint8]


def draw(folder: Folder, key: str, out: Path, frame: int | None = None) -> Path:
    """Draw one frame (from 1; default: the middle one) of a clip of both cameras with its sound and evidence.

    Every other sample is drawn as a sheet of its members and facts. Returns the PNG's path.
    Raises FolderError for an unknown key or a frame outside the clip.
    """
    import matplotlib

    clips = {"visual.webp", "thermal.webp"}
    rows = [row for row in folder.rows(key) if clips <= {f["name"] for f in row["fields"] if f["frame_offset"]}]
    if not rows:
        row = folder.rows(key)[0]
        count = max((len(entry["frame_offset"]) for entry in row["fields"]), default=0)
        if frame is not None and not 1 <= frame <= count:
            raise FolderError(
                f"{key}: frame {frame}, expected " + (f"1 to {count}" if count else "none: it has no clip")
            )
        numbers = None if frame is None else [frame - 1]
        members = next(folder.fetch([key], frames=numbers or "all", config=row["config"]))
        return draw_sheet(key, row, {name: members[name] for name in members if "." in name}, out)
    matplotlib.use("Agg")
    from matplotlib import pyplot

    row = rows[0]
    count = row.get("frames") or 1
    number = (count + 1) // 2 if frame is None else frame
    if not 1 <= number <= count:
        raise FolderError(f"{key}: frame {number}, expected 1 to {count}")
    names = {entry["name"] for entry in row["fields"]}
    sample = next(folder.fetch([key], frames=[number - 1], config=row["config"]))
    pictures = _pictures(sample, row, number)
    figure = pyplot.figure(figsize=(14, 7.5), layout="constrained")
    grid = figure.add_gridspec(2, 6, height_ratios=(3, 2))
    for column, (title, picture) in enumerate(pictures.items()):
        axes = figure.add_subplot(grid[0, 2 * column : 2 * column + 2])
        axes.imshow(picture)
        axes.set_title(title, fontsize=10)
        axes.axis("off")
    sound = "mic1.flac" in names
    if sound:
        spectrogram(figure.add_subplot(grid[1, :3]), sample["mic1.flac"], row["sample_rate"], "mic 1")
    _evidence(figure.add_subplot(grid[1, 3:] if sound else grid[1, :]), row, number)
    words = f"  “{row['transcript']}”" if row.get("transcript") else ""
    about = [str(row[name]) for name in ("gender", "age", "ethnicity", "accessories") if row.get(name) is not None]
    figure.suptitle(f"{key}   {row['split']}   {', '.join(about)}{words}", fontsize=12)
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=90, metadata={"Software": "facevox"})
    pyplot.close(figure)
    return out


def _pictures(sample: dict[str, Any], row: dict[str, Any], number: int) -> dict[str, Image]:
    clips = {name.split(".")[0]: value[0] for name, value in sample.items() if name.endswith(".webp")}
    found = {
        f"{name}, frame {number} of {row['frames']}": clips[name] for name in ("visual", "thermal") if name in clips
    }
    matrix = matrix_at(row, number)
    if matrix is not None and {"visual", "thermal"} <= clips.keys():
        height, width = clips["thermal"].shape[:2]
        warped = np.asarray(
            cv2.warpPerspective(clips["visual"], matrix, (width, height), flags=cv2.INTER_LINEAR), np.uint8
        )
        found["visual warped onto thermal"] = np.asarray(
            cv2.addWeighted(warped, 0.55, clips["thermal"], 0.45, 0), np.uint8
        )
    elif "aligned" in clips:
        found["the release's aligned frame"] = clips["aligned"]
    return found


def matrix_at(row: dict[str, Any], number: int) -> NDArray[np.float64] | None:
    """Visual-to-thermal matrix (3, 3) of frame `number` (from 1), or None where no segment covers it."""
    for segment in row.get("alignment") or ():
        if segment["first"] <= number <= segment["last"]:
            return np.array(segment["h"], np.float64).reshape(3, 3)
    return None


def _evidence(axes: Any, row: dict[str, Any], number: int) -> None:
    """Blur per frame, frozen runs as bands, alignment segments as ticks, and the codes in words."""
    blur = row.get("blur") or []
    frames = np.arange(1, len(blur) + 1)
    axes.plot(
        frames,
        blur,
        color="black",
        linewidth=1.2,
        marker="." if len(blur) < 40 else None,
        label="blur: variance of Laplacian",
    )
    axes.axhline(10, color="tab:red", linestyle="--", linewidth=0.9, label="blurred below 10")
    axes.set_ylim(0, max([20.0, *blur]) * 1.15)
    axes.axvline(number, color="tab:blue", linewidth=0.9, label="frame shown")
    for index, run in enumerate(row.get("freeze_runs") or ()):
        label = "thermal frozen" if not index else None
        axes.axvspan(run["first"] - 0.5, run["last"] + 0.5, color="tab:cyan", alpha=0.35, hatch="//", label=label)
    for index, segment in enumerate((row.get("alignment") or ())[1:]):
        label = "matrix changes" if not index else None
        axes.axvline(segment["first"] - 0.5, color="tab:green", linestyle=":", linewidth=1.2, label=label)
    for index, jump in enumerate(row.get("jumps") or ()):
        label = "jumps sideways" if not index else None
        axes.plot(jump["frame"], 1.5, marker="^", color="tab:purple", linestyle="none", label=label)
    cut = [place for place, beyond in enumerate(row.get("chin") or (), 1) if beyond is not None and beyond > 0]
    if cut:
        axes.plot(
            cut, [0.5] * len(cut), marker="s", markersize=3, color="tab:orange", linestyle="none", label="chin cut"
        )
    axes.set_title(_verdicts(row), fontsize=10)
    axes.set_xlabel("frame")
    axes.legend(fontsize=8, loc="best")


def _verdicts(row: dict[str, Any]) -> str:
    """What the release and this build say of a sample, in two lines."""
    codes = {"thermal": row.get("thermal_code"), "visual": row.get("visual_code"), "audio": row.get("audio_code")}
    published = ", ".join(f"{name} {code}" for name, code in codes.items() if code is not None) or "none"
    words = {"frozen": "frozen", "blurred": "blurred", "chin_cut": "chin cut", "flickers": "jumps", "noisy": "noisy"}
    found = ", ".join(word for name, word in words.items() if row.get(name)) or "clean"
    unjudged = ", ".join(word for name, word in words.items() if name in row and row[name] is None)
    shift, snr = row.get("aligned_residual"), row.get("snr_db")
    more = [f"aligned within {shift:.2f} grey levels"] if shift is not None else []
    more += [f"SNR {snr:.0f} dB"] if snr is not None else []
    more += [f"not judged: {unjudged}"] if unjudged else []
    return f"published codes: {published}\nfound here: " + "; ".join([found, *more])
