"""The table `candidates`: everything that could have become a sample, and whether a collection kept it or why not."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from .folder import Folder
from .waterfall import ROWS_AT_ONCE, LeftOut, Quality, Steps

NAME = "candidates"
COLUMNS = ("key", "config", "identity", "score", "kept", "reason")
"""The columns that such a table has at least. What was not kept has a `reason`, one word or a few, without numbers."""


def check_candidates(path: Path, index: pa.Table, quarantine: pa.Table) -> Iterator[str]:
    """Problems of a folder's candidates: whoever was kept is a sample or has a row in the quarantine, and no other is.

    Only what was kept is held in memory.
    """
    name = f"tables/{path.name}"
    if missing := sorted({*COLUMNS} - {*pq.read_schema(path).names}):
        yield f"{name}: columns missing: {', '.join(missing)}"
        return
    kept, mute = [], 0
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(ROWS_AT_ONCE, columns=["config", "key", "kept", "reason"]):
            if holes := [column for column in ("config", "key", "kept") if batch[column].null_count]:
                yield f"{name}: nulls in {', '.join(holes)}"
                return
            kept.append(batch.filter(batch["kept"]).select(["config", "key"]))
            silent = pc.equal(pc.fill_null(batch["reason"], ""), "")
            mute += pc.sum(pc.and_(pc.invert(batch["kept"]), silent)).as_py() or 0
    if mute:
        yield f"{name}: {mute} candidates left out without a reason"
    chosen = pa.Table.from_batches(kept) if kept else pa.table({"config": [], "key": []})
    for config in sorted({*pc.unique(chosen["config"]).to_pylist(), *pc.unique(index["config"]).to_pylist()}):
        yield from _compared(config, *(_keys(table, config) for table in (chosen, index, quarantine)))


def _keys(table: pa.Table, config: str) -> pa.ChunkedArray:
    return table.filter(pc.equal(table["config"].cast(pa.string()), config))["key"].cast(pa.string())


def _compared(config: str, kept: pa.ChunkedArray, built: pa.ChunkedArray, left_out: pa.ChunkedArray) -> Iterator[str]:
    if twice := len(kept) - len(pc.unique(kept)):
        yield f"tables/{NAME}: {twice} kept candidates of {config} occur twice"
    told = pa.chunked_array([*built.chunks, *left_out.chunks], pa.string())
    lost = kept.filter(pc.invert(pc.is_in(kept, value_set=told.combine_chunks())))
    if len(lost):
        yield f"tables/{NAME}: {len(lost)} kept candidates of {config} neither built nor left out, first {lost[0]}"
    strange = built.filter(pc.invert(pc.is_in(built, value_set=kept.combine_chunks())))
    if len(strange):
        yield f"index: {len(strange)} samples of {config} are no kept candidates, first {strange[0]}"


def count_turned_down(
    found: LeftOut, folder: Folder, steps: Steps, qualities: Sequence[Quality], reasons: Mapping[str, str]
) -> None:
    """Add the candidates that were not kept to what a build left out, with `score` measured; some rows at a time.

    `reasons` gives the step by how a reason begins; one of no step of its config counts beside them.
    """
    measured = [quality for quality in qualities if quality.measure.fact == "score"]
    with pq.ParquetFile(folder.path / "tables" / f"{NAME}.parquet") as file:
        for batch in file.iter_batches(ROWS_AT_ONCE, columns=["config", "kept", "reason", "score"]):
            out = batch.filter(pc.invert(batch["kept"]))
            pairs = pa.table({"config": out["config"], "reason": out["reason"]}).group_by(["config", "reason"])
            for row in pairs.aggregate([([], "count_all")]).to_pylist():
                config, reason = row["config"], row["reason"]
                step = next((step for begin, step in reasons.items() if reason.startswith(begin)), reason)
                if step not in steps.get(config, ()):
                    found.beside[config, step] += row["count_all"]
                    continue
                found.steps[config, step] += row["count_all"]
                part = out.filter(pc.and_(pc.equal(out["config"], config), pc.equal(out["reason"], reason)))
                scores = np.asarray(part["score"].drop_null().to_numpy(zero_copy_only=False), np.float64)
                for quality in measured:
                    if quality.config == config:
                        spread = found.here if quality.step == step else found.elsewhere
                        spread[quality].add(scores[np.isfinite(scores)], quality.measure)
