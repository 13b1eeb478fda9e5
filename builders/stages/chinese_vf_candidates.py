"""The table `candidates` of a built collection: every face and window of sound found, kept or not."""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from itertools import islice
from typing import Any

import pyarrow as pa

from ..core.builder import AddedTable
from .chinese_vf_collection import Collection, identity_of, video_key
from .chinese_vf_tables import Candidate

ROWS_AT_ONCE = 65_536
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
            *((name, pa.float32()) for name in ("x", "y", "w", "h", "det_conf", "score")),
            ("kept", pa.bool_()),
            ("reason", pa.string()),
        ]
    ),
)


def candidate_batches(collection: Collection, planned: Mapping[str, AbstractSet[str]]) -> Iterator[pa.RecordBatch]:
    """Every candidate of the configs and people asked for, in the order of the collection's own tables.

    Where --limit leaves videos out of the plan, their candidates are left out too.
    """
    rows = (row for config in sorted(planned) for row in _rows(collection, config, planned[config]))
    while batch := list(islice(rows, ROWS_AT_ONCE)):
        yield pa.RecordBatch.from_pylist(batch, schema=CANDIDATES.schema)


def _rows(collection: Collection, config: str, units: AbstractSet[str]) -> Iterator[dict[str, Any]]:
    # A unit of one sample bears its key, which begins with its video's.
    videos = {"_".join(key.split("_")[:2]) for key in units}
    met: set[str] = set()
    for _, row in collection.found(config):
        if isinstance(row, str) or not collection.known(row):
            continue
        at = (row.speaker, row.video)
        stem = video_key(at)
        if collection.how.limit and collection.counts[config][at] and stem not in videos:
            continue
        key = f"{stem}_{row.moment}"
        if row.kept and key in collection.twice[config]:
            if key in met:
                continue
            met.add(key)
        yield _row(key, config, row)


def _row(key: str, config: str, row: Candidate) -> dict[str, Any]:
    own: dict[str, Any] = {"key": key, "config": config, "identity": identity_of(row.speaker)}
    own |= {"speaker_id": row.speaker, "video_id": row.video, "score": row.score, "kept": row.kept}
    own["reason"] = "" if row.kept else row.reason or NOT_KEPT
    names = ("frame_ms", "face_number") if row.face else ("start_ms", "end_ms")
    box = ("x", "y", "w", "h", "det_conf") if row.face else ()
    return own | dict(zip((*names, *box), (*row.times, *row.numbers), strict=True))
