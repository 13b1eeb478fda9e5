"""Files that are whole or absent: written aside, flushed to the disk, renamed."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PART = ".part"


def sync_folder(folder: Path) -> None:
    """Make renames inside the folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def written_aside(path: Path, mark: str = "") -> Iterator[Path]:
    """Yield `path` + `.part` to write to; on success flush it and rename it to `path`, on failure remove it.

    Of several processes that write the same file at once each must name a `mark` of its own.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}{mark and '.' + mark}{PART}")
    try:
        yield part
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    sync_folder(path.parent)


def write_bytes(path: Path, data: bytes, mark: str = "") -> None:
    with written_aside(path, mark) as part:
        part.write_bytes(data)


def write_json(path: Path, value: Any, mark: str = "") -> None:
    write_bytes(path, json.dumps(value, allow_nan=False, separators=(",", ":")).encode(), mark)
