"""A built folder in a screenful: what is in it, for whom, what was left out, how to load it."""

from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from .folder import Folder


def describe(folder: Folder) -> str:
    """Configs, splits, people, sizes, quarantine reasons and the line that loads it, as text."""
    index, manifest = folder.index, folder.manifest.to_pylist()
    lines = [f"{folder}  digest {folder.digest[:16]}", ""]
    header = ("config", "split", "samples", "people", "frames", "shards", "MB")
    rows = [header, *(row for config in folder.configs for row in _rows(folder, config, index, manifest))]
    widths = [max(len(str(row[column])) for row in rows) for column in range(len(header))]
    for row in rows:
        lines.append(
            "  ".join(
                str(cell).ljust(w) if i < 2 else str(cell).rjust(w)
                for i, (cell, w) in enumerate(zip(row, widths, strict=True))
            )
        )
    reasons = Counter((row["config"], row["stage"]) for row in folder.quarantine.to_pylist())
    lines += ["", f"quarantine rows: {sum(reasons.values())}"]
    lines += [f"  {config} at {stage}: {count}" for (config, stage), count in sorted(reasons.items())]
    if index.num_rows:
        config, split = _largest(index)
        part = index.filter((pc.field("config") == config) & (pc.field("split") == split))
        lines += ["", f"keys look like: {', '.join(part['key'].slice(0, 2).to_pylist())} (--keys lists all)"]
        if isinstance(folder.place, Path):
            lines.append(f'load_dataset("{folder}", "{config}", split="{split}", streaming=True)')
        else:
            lines.append(f'facevox.stream("{folder}", "{config}", "{split}")')
    return "\n".join(lines)


def _largest(index: Any) -> tuple[str, str]:
    """The config with most frames, and its training split if there is one: what a reader most likely wants."""
    counts: Counter[tuple[str, str]] = Counter()
    frames = index["frames"].to_pylist() if "frames" in index.column_names else [1] * index.num_rows
    for config, split, count in zip(index["config"].to_pylist(), index["split"].to_pylist(), frames, strict=True):
        counts[config, split] += count or 1
    config = counts.most_common(1)[0][0][0]
    return config, "train" if (config, "train") in counts else next(split for c, split in counts if c == config)


def _rows(folder: Folder, config: str, index: Any, manifest: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    rows = []
    for split in folder.splits(config):
        part = index.filter((pc.field("config") == config) & (pc.field("split") == split))
        shards = [s for s in manifest if (s["config"], s["split"]) == (config, split) and s["file"]]
        frames = pc.sum(part["frames"]).as_py() if "frames" in part.column_names else 0
        people = len(pc.unique(part["identity"]))
        size = sum(shard["size"] for shard in shards) / 1e6
        rows.append((config, split, f"{part.num_rows:,}", people, f"{frames or 0:,}", len(shards), f"{size:,.1f}"))
    return rows
