"""The table `candidates` of a built collection: every face and window of sound found, kept or not."""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cache
from itertools import islice
from typing import Any

import pyarrow as pa

from ..core.builder import AddedTable
from .chinese_vf_collection import Collection, identity_of, video_key
from .chinese_vf_tables import Candidate

ROWS_AT_ONCE = 65_536
BOX = ("x", "y", "w", "h", "det_conf")
NOT_KEPT = "not kept"
"""The reason of collections that state none."""
CANDIDATES = AddedTable(
    "candidates",
    "one row per face and window of sound found in the videos, with its score against the person's ground truth, "
    "whether the collection kept it and, if not, why",
    pa.schema(
        [
            *((name, pa.string()) for name in ("key", "config", "identity", "speaker_id", "video_id")),
            *((name, pa.int64()) for name in ("frame_ms", "face_number", "start_ms", "end_ms")),
            *((name, pa.float32()) for name in (*BOX, "score")),
            ("kept", pa.bool_()),
            ("reason", pa.string()),
        ]
    ),
)


def candidate_batches(collection: Collection, planned: Mapping[str, AbstractSet[str]]) -> Iterator[pa.RecordBatch]:
    """Every candidate of the configs and people asked for, in the order of the collection's own tables.

    Where --limit leaves videos out of the plan, their candidates are left out too.
    """
    for config in sorted(planned):
        rows = _rows(collection, config, planned[config])
        while batch := list(islice(rows, ROWS_AT_ONCE)):
            yield _batch(config, batch)


def _rows(collection: Collection, config: str, units: AbstractSet[str]) -> Iterator[tuple[str, Candidate]]:
    """Keys and rows."""
    # A unit of one sample bears its key, which begins with its video's.
    videos = {"_".join(key.split("_")[:2]) for key in units}
    met: set[str] = set()
    stem_of = cache(video_key)
    for _, row in collection.found(config):
        if isinstance(row, str) or not collection.known(row):
            continue
        at = (row.speaker, row.video)
        stem = stem_of(at)
        if collection.how.limit and collection.counts[config][at] and stem not in videos:
            continue
        key = f"{stem}_{row.moment}"
        if row.kept and key in collection.twice[config]:
            if key in met:
                continue
            met.add(key)
        yield key, row


def _batch(config: str, rows: Sequence[tuple[str, Candidate]]) -> pa.RecordBatch:
    only = [row for _, row in rows]
    columns: dict[str, list[Any]] = {
        "key": [key for key, _ in rows],
        "config": [config] * len(rows),
        "identity": [identity_of(row.speaker) for row in only],
        "speaker_id": [row.speaker for row in only],
        "video_id": [row.video for row in only],
        "score": [row.score for row in only],
        "kept": [row.kept for row in only],
        "reason": ["" if row.kept else row.reason or NOT_KEPT for row in only],
    }
    times, box = (("frame_ms", "face_number"), BOX) if config == "faces" else (("start_ms", "end_ms"), ())
    columns |= {name: [row.times[at] for row in only] for at, name in enumerate(times)}
    columns |= {name: [row.numbers[at] for row in only] for at, name in enumerate(box)}
    schema = CANDIDATES.schema
    missing = [None] * len(rows)
    return pa.record_batch([pa.array(columns.get(name, missing), schema.field(name).type) for name in schema.names],
                           schema=schema)  # fmt: skip
