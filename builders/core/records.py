"""Files of what people said: one signed and dated JSON object a line, read strictly, only ever added to."""

import fcntl
import json
import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from ...loaders.durable import sync_folder

MAX_FILE_BYTES = 256 << 20
_DIGEST = re.compile(r"[0-9a-f]{64}|")
Record = TypeVar("Record")


def now() -> str:
    """This moment as a record's `when`."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def check_signature(who: str, when: str, seen: str) -> None:
    """Raise ValueError, saying what was expected, unless a person, a moment in UTC and a sha256 or "" are given."""
    if not who.strip() or not who.isprintable():
        raise ValueError("who is empty or holds control characters, expected a name or initials")
    try:
        moment = datetime.fromisoformat(when)
    except ValueError:
        moment = datetime.min
    if moment.utcoffset() != timedelta(0):
        raise ValueError(f"when {when!r}, expected UTC as in 2026-03-01T12:00:00Z")
    if not _DIGEST.fullmatch(seen):
        raise ValueError(f"seen {seen!r}, expected 64 hexadecimal digits or nothing")


def parse_fields(line: str, kind: type[Any], optional: Collection[str]) -> dict[str, Any]:
    """One line as the fields of a dataclass. Raises ValueError saying which is unknown or missing."""
    record = json.loads(line)
    if not isinstance(record, dict):
        raise ValueError("expected one JSON object per line")
    names = [field.name for field in fields(kind)]
    if odd := sorted(record.keys() - set(names)):
        raise ValueError(f"unknown field {odd[0]!r}, expected {', '.join(names)}")
    if missing := sorted(set(names) - record.keys() - set(optional)):
        raise ValueError(f"no {missing[0]!r} in the record")
    return record


def contents(path: Path) -> bytes:
    """A whole file, b"" where there is none. Raises ValueError when it is too large to be one of records."""
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return b""
    if size > MAX_FILE_BYTES:
        raise ValueError(f"{path}: {size:,} bytes, expected at most {MAX_FILE_BYTES:,}. Is this a {path.name}?")
    return path.read_bytes()


def torn_tail(data: bytes) -> bytes:
    """The last line if it is the beginning of a record and has no end, as a crash or a full disk leaves it."""
    tail = data[data.rfind(b"\n") + 1 :]
    if not tail.lstrip(b"\0").strip():
        # Where the power failed, a file may have got its length and not its bytes.
        return tail.lstrip()
    if not tail.startswith(b"{"):
        return b""
    try:
        json.loads(tail)
    except (UnicodeDecodeError, json.JSONDecodeError):
        return tail
    except RecursionError:
        pass
    return b""


def parsed(path: Path, data: bytes, parse: Callable[[str], Record]) -> Iterator[Record]:
    """Every record in order but a torn tail. Raises ValueError with file and line for any other line that is none."""
    whole = data[: len(data) - len(torn_tail(data))]
    for number, line in enumerate(whole.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            yield parse(line.decode())
        except (ValueError, RecursionError) as error:
            reason = str(error) if not isinstance(error, json.JSONDecodeError) else f"not JSON ({error})"
            raise ValueError(f"{path}, line {number}: {reason}. Mend or remove this line") from None


def append_line(path: Path, record: Mapping[str, Any], parse: Callable[[str], Any]) -> None:
    """Add one record at the end, flushed to the disk; other writers wait. Raises ValueError when a line is broken.

    A last line that was cut short gives way to it: half a record was never on record.
    """
    new = not path.exists()
    with path.open("ab+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        data = contents(path)
        for _ in parsed(path, data, parse):
            pass
        if tail := torn_tail(data):
            data = data[: -len(tail)]
            file.truncate(len(data))
        gap = b"\n" if data and not data.endswith(b"\n") else b""
        # One write: a reader at the same moment sees the whole line or none of it.
        file.write(gap + json.dumps(record, ensure_ascii=False).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    if new:
        sync_folder(path.parent)
