"""What people decided about samples: `review.jsonl`, one record a line, read strictly, never rewritten."""

import fcntl
import hashlib
import json
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ...loaders.durable import sync_folder
from ...loaders.folder import Folder
from ...loaders.sample import Fact, check_key

FILE = "review.jsonl"
ARTIFACTS = ("frozen", "blurred", "chin_cut", "flickers", "noisy")
VERDICTS = {
    "artifact": ("confirm", "overturn"),
    "trim": ("change",),
    "face": ("leave out", "keep"),
    "quarantine": ("leave out", "accept", "retry"),
    "mark": ("note",),
}
"""What a decision may be about, and what may be said of it; `undo` takes back any of them."""
STAYS_OUT = ("leave out", "accept")
"""Who accepts that something is left out agrees with whoever left it out."""
UNDO = "undo"
MAX_FILE_BYTES = 256 << 20
_DIGEST = re.compile(r"[0-9a-f]{64}|")


@dataclass(frozen=True)
class Decision:
    """One record: what a person says about one sample.

    `value` names the artifact (about artifact: one of ARTIFACTS, or "" to undo all), counts the samples of sound to
    keep (about trim), and is free text or None otherwise. `when` is UTC as in 2026-03-01T12:00:00Z. `seen` is the
    sha256 of what the person was shown, or "".
    """

    key: str
    about: str
    verdict: str
    value: str | int | None
    reason: str
    who: str
    when: str
    seen: str = ""

    def __post_init__(self) -> None:
        _check(self)

    @property
    def subject(self) -> tuple[str, str, str]:
        """What it is about: a second word of the same person on the same subject takes the place of the first."""
        return self.key, self.about, str(self.value or "") if self.about == "artifact" else ""

    def said(self) -> str:
        """The verdict in words, with how far to trim."""
        return f"{self.verdict} to {self.value} samples" if self.about == "trim" else self.verdict

    def position(self) -> str:
        """What people must agree on: two who want a sample out agree, whatever the word."""
        return STAYS_OUT[0] if self.about == "quarantine" and self.verdict in STAYS_OUT else self.said()

    def row(self) -> dict[str, Any]:
        """As an entry of the fact `decisions`."""
        value = None if self.value is None else str(self.value)
        own = {name: getattr(self, name) for name in ("about", "verdict", "who", "when", "reason")}
        return {**own, "value": value}


DECISIONS = Fact(
    "decisions",
    pa.list_(pa.struct([(name, pa.string()) for name in ("about", "value", "verdict", "who", "when", "reason")])),
    "what people decided about this sample in review.jsonl and this build applied",
)


def _check(decision: Decision) -> None:
    """Raise ValueError, saying what was expected, for a record outside the schema."""
    check_key(decision.key)
    for name in ("about", "verdict", "reason", "who", "when", "seen"):
        if not isinstance(getattr(decision, name), str):
            raise ValueError(f"{name} is {getattr(decision, name)!r}, expected text")
    if decision.about not in VERDICTS:
        raise ValueError(f"about {decision.about!r}, expected one of {', '.join(VERDICTS)}")
    allowed = (*VERDICTS[decision.about], UNDO)
    if decision.verdict not in allowed:
        raise ValueError(f"verdict {decision.verdict!r} about {decision.about}, expected {' or '.join(allowed)}")
    if not decision.who.strip() or not decision.who.isprintable():
        raise ValueError("who is empty or holds control characters, expected a name or initials")
    try:
        when = datetime.fromisoformat(decision.when)
    except ValueError:
        when = datetime.min
    if when.utcoffset() != timedelta(0):
        raise ValueError(f"when {decision.when!r}, expected UTC as in 2026-03-01T12:00:00Z")
    if not _DIGEST.fullmatch(decision.seen):
        raise ValueError(f"seen {decision.seen!r}, expected 64 hexadecimal digits or nothing")
    _check_value(decision)


def _check_value(decision: Decision) -> None:
    value, undo = decision.value, decision.verdict == UNDO
    if decision.about == "artifact":
        if value not in ARTIFACTS and not (undo and not value):
            raise ValueError(f"value {value!r} about artifact, expected one of {', '.join(ARTIFACTS)}")
    elif decision.about == "trim":
        whole = isinstance(value, int) and not isinstance(value, bool) and value > 0
        if not whole and not (undo and value is None):
            raise ValueError(f"value {value!r} about trim, expected the number of sound samples to keep, above 0")
    elif not isinstance(value, str | None):
        raise ValueError(f"value {value!r} about {decision.about}, expected text or null")


def parse(line: str) -> Decision:
    """One line of the file. Raises ValueError saying what was expected."""
    record = json.loads(line)
    if not isinstance(record, dict):
        raise ValueError("expected one JSON object per line")
    known = {f.name for f in fields(Decision)}
    if odd := sorted(record.keys() - known):
        raise ValueError(f"unknown field {odd[0]!r}, expected {', '.join(f.name for f in fields(Decision))}")
    if missing := sorted(known - record.keys() - {"value", "seen"}):
        raise ValueError(f"no {missing[0]!r} in the record")
    return Decision(**{"value": None, "seen": "", **record})


def read(path: Path) -> tuple[Decision, ...]:
    """Every record of a file in order; () when there is none.

    Raises ValueError with file and line for a line that is no record: a decision is never passed over in silence.
    """
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return ()
    if size > MAX_FILE_BYTES:
        raise ValueError(f"{path}: {size:,} bytes, expected at most {MAX_FILE_BYTES:,}. Is this a review.jsonl?")
    return tuple(_records(path, path.read_bytes()))


def _records(path: Path, data: bytes) -> Iterable[Decision]:
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            yield parse(line.decode())
        except (ValueError, RecursionError) as error:
            reason = str(error) if not isinstance(error, json.JSONDecodeError) else f"not JSON ({error})"
            raise ValueError(f"{path}, line {number}: {reason}. Mend or remove this line") from None


def append(path: Path, decision: Decision) -> None:
    """Add one record at the end, flushed to the disk; other writers wait. Raises ValueError when a line is broken."""
    new = not path.exists()
    with path.open("ab+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        before = read(path)
        file.seek(0, os.SEEK_END)
        if before and file.tell():
            file.seek(-1, os.SEEK_END)
            gap = b"" if file.read(1) == b"\n" else b"\n"
        else:
            gap = b""
        # One write: a reader at the same moment sees the whole line or none of it.
        file.write(gap + json.dumps(asdict(decision), ensure_ascii=False).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    if new:
        sync_folder(path.parent)


def now() -> str:
    """This moment as a record's `when`."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True)
class Conflict:
    """People who say different things about the same subject: nothing is applied."""

    key: str
    about: str
    said: tuple[tuple[str, str], ...]

    def line(self) -> str:
        """As in `001_1_2_4_0117, artifact blurred: ann says confirm, ben says overturn`."""
        return f"{self.key}, {self.about}: " + ", ".join(f"{who} says {what}" for who, what in self.said)


def settle(records: Iterable[Decision]) -> tuple[dict[str, tuple[Decision, ...]], tuple[Conflict, ...]]:
    """(decisions in force by key, conflicts): the last record of each person about a subject, if all agree.

    Notes (about mark) cannot conflict. Decisions of a key are in order of about, value and who.
    """
    latest: dict[tuple[str, str, str], dict[str, Decision]] = defaultdict(dict)
    for record in records:
        whole = record.verdict == UNDO and record.about == "artifact" and not record.value
        subjects = [(record.key, "artifact", name) for name in ARTIFACTS] if whole else [record.subject]
        for subject in subjects:
            latest[subject].pop(record.who, None)
            if record.verdict != UNDO:
                latest[subject][record.who] = record
    settled: dict[str, tuple[Decision, ...]] = {}
    conflicts = []
    for (key, about, which), said in sorted(latest.items()):
        words = tuple(sorted((who, decision.said()) for who, decision in said.items()))
        if about != "mark" and len({decision.position() for decision in said.values()}) > 1:
            conflicts.append(Conflict(key, f"{about} {which}".strip(), words))
        elif said:
            settled[key] = (*settled.get(key, ()), *(said[who] for who in sorted(said)))
    return settled, tuple(conflicts)


def find(decisions: Iterable[Decision], about: str, value: str = "") -> Decision | None:
    """The first decision on a subject among those in force for one sample."""
    return next((d for d in decisions if d.subject[1:] == (about, value)), None)


def verdict_code(facts: Mapping[str, Any], bits: Mapping[str, int], decisions: Iterable[Decision]) -> int | None:
    """Sum of the bits whose artifact is there: a person's word, else our own verdict in `facts`.

    None when either is missing for one of the artifacts: then nobody can say that it is clean.
    """
    own, code = tuple(decisions), 0
    for artifact, bit in bits.items():
        decided = find(own, "artifact", artifact)
        there = facts.get(artifact)
        if decided is not None:
            there = decided.verdict == "confirm"
        if there is None:
            return None
        code += bit if there else 0
    return code


def check_sound(folder: Folder, decision: Decision) -> None:
    """Raise ValueError for a trim of samples without sound; keys in quarantine alone are taken at their word."""
    if decision.about != "trim" or decision.verdict == UNDO:
        return
    rows = folder.index.filter(pc.equal(folder.index["key"], decision.key)).to_pylist()
    if rows and all(row.get("samples") is None for row in rows):
        configs = ", ".join(sorted(row["config"] for row in rows))
        raise ValueError(
            f"{decision.key} of {configs} has no sound whose samples a trim could count. Decide about a key with sound"
        )


def shown(folder: Folder, key: str) -> str:
    """sha256 of what a person sees of a sample: its media by config and name, or its quarantine rows.

    Raises FolderError for a key that the folder knows nothing of.
    """
    rows = folder.index.filter(pc.equal(folder.index["key"], key)).select(["config", "fields"]).to_pylist()
    seen: list[Any] = sorted([row["config"], [[e["name"], e["sha256"]] for e in row["fields"]]] for row in rows)
    if not seen:
        seen = folder.quarantine.filter(pc.equal(folder.quarantine["key"], key)).to_pylist()
    if not seen:
        folder.rows(key)
    return hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()
