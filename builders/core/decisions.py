"""What people decided about samples: `review.jsonl`, one record a line, read strictly, never rewritten."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ...loaders.folder import Folder
from ...loaders.sample import Fact, check_key
from .records import append_line, check_signature, contents, parse_fields, parsed, torn_tail
from .records import now as now

FILE = "review.jsonl"
DECIDABLE = ".build/decidable.json"
"""What can be decided about the samples of each config: Builder.decidable as the last build left it."""
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
OF_ROWS = ("accept", "retry")
"""Verdicts about a row of the quarantine: they change nothing of a sample that is there."""


@dataclass(frozen=True)
class Decision:
    """One record: what a person says about one sample.

    `value` names the artifact (about artifact: one of ARTIFACTS, or "" to undo all), counts the samples of sound to
    keep (about trim), and is free text or None otherwise. `when` is UTC as in 2026-03-01T12:00:00Z. `seen` is what
    the sample was made of when the person saw it (`shown`), or "": then the person is taken at their word.
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

    def words(self) -> str:
        """As in `artifact blurred overturn`."""
        return " ".join(filter(None, [self.about, self.subject[2], self.said()]))

    def fits(self, can: Mapping[str, Collection[str]]) -> bool:
        """Whether it is among what can be decided about a config's samples (Builder.decidable)."""
        return str(self.value if self.about == "artifact" else self.verdict) in can.get(self.about, ())

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
    check_signature(decision.who, decision.when, decision.seen)
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
    record = parse_fields(line, Decision, ("value", "seen"))
    return Decision(**{"value": None, "seen": "", **record})


def read(path: Path) -> tuple[Decision, ...]:
    """Every record of a file in order; () when there is none. A last line that was cut short is no record (`torn`).

    Raises ValueError with file and line for any other line that is no record: none is passed over in silence.
    """
    return tuple(parsed(path, contents(path), parse))


def torn(path: Path) -> str:
    """What is wrong with a last line whose writer was stopped, in words; "" where the file ends as it should."""
    data = contents(path)
    number, tail = data.count(b"\n") + 1, torn_tail(data)
    return f"{path}, line {number}: cut short after {len(tail):,} bytes, not a decision" if tail else ""


def append(path: Path, decision: Decision) -> None:
    """Add one record at the end, flushed to the disk; other writers wait. Raises ValueError when a line is broken.

    A last line that was cut short gives way to it: half a record was never on record.
    """
    append_line(path, asdict(decision), parse)


@dataclass(frozen=True)
class Conflict:
    """People who say different things about the same subject: nothing is applied."""

    key: str
    about: str
    said: tuple[tuple[str, str], ...]

    def line(self) -> str:
        """As in `001_1_2_4_0117, artifact blurred: ann says confirm, ben says overturn`."""
        return f"{self.key}, {self.about}: " + ", ".join(f"{who} says {what}" for who, what in self.said)


def last_words(records: Iterable[Decision]) -> dict[str, tuple[Decision, ...]]:
    """What each person said last on each subject and has not taken back, by key, in order of about, value and who."""
    latest: dict[tuple[str, str, str], dict[str, Decision]] = defaultdict(dict)
    for record in records:
        whole = record.verdict == UNDO and record.about == "artifact" and not record.value
        subjects = [(record.key, "artifact", name) for name in ARTIFACTS] if whole else [record.subject]
        for subject in subjects:
            latest[subject].pop(record.who, None)
            if record.verdict != UNDO:
                latest[subject][record.who] = record
    words: dict[str, tuple[Decision, ...]] = {}
    for subject, said in sorted(latest.items()):
        if said:
            words[subject[0]] = (*words.get(subject[0], ()), *(said[who] for who in sorted(said)))
    return words


def settle(records: Iterable[Decision]) -> tuple[dict[str, tuple[Decision, ...]], tuple[Conflict, ...]]:
    """(decisions in force by key, conflicts): the last record of each person about a subject, if all agree.

    Notes (about mark) cannot conflict. Decisions of a key are in order of about, value and who.
    """
    settled: dict[str, tuple[Decision, ...]] = {}
    conflicts = []
    for key, words in last_words(records).items():
        for (_, about, which), group in groupby(words, lambda decision: decision.subject):
            own = tuple(group)
            if about != "mark" and len({decision.position() for decision in own}) > 1:
                said = tuple(sorted((decision.who, decision.said()) for decision in own))
                conflicts.append(Conflict(key, f"{about} {which}".strip(), said))
            else:
                settled[key] = (*settled.get(key, ()), *own)
    return settled, tuple(conflicts)


def find(decisions: Iterable[Decision], about: str, value: str = "") -> Decision | None:
    """The first decision on a subject among those in force for one sample."""
    return next((d for d in decisions if d.subject[1:] == (about, value)), None)


def check_effect(folder: Folder, decision: Decision) -> None:
    """Raise ValueError, saying why, for a decision that nothing would follow, as a trim of what has no sound."""
    if decision.verdict == UNDO:
        return
    kept, out = (table.filter(pc.equal(table["key"], decision.key)) for table in (folder.index, folder.quarantine))
    if decision.verdict in OF_ROWS and not out.num_rows:
        raise ValueError(f"{decision.key} was not left out: nothing to {decision.verdict}. Did you mean 'leave out'?")
    if not (folder.path / DECIDABLE).is_file():
        # A folder without its working state, such as a downloaded one: the build that follows tells.
        return
    can = json.loads((folder.path / DECIDABLE).read_text())
    configs = sorted({*kept["config"].to_pylist(), *out["config"].to_pylist()})
    if not any(decision.fits(can.get(config, {})) for config in configs):
        rest = "; ".join(f"{about} ({', '.join(said)})" for about, said in sorted(can.get(configs[0], {}).items()))
        silent = (
            "no sound that is trimmed" if decision.about == "trim" else f"nothing that follows {decision.words()!r}"
        )
        raise ValueError(f"{decision.key} of {', '.join(configs)} has {silent}. What can be decided there: {rest}")


def row_digest(row: Mapping[str, Any]) -> str:
    """What a row of the quarantine stands for: the digest of its source, else of its place and reason."""
    text = json.dumps([row["place"], row["reason"]])
    return str(row["source_digest"]) or hashlib.sha256(text.encode()).hexdigest()


def is_current(decision: Decision, digests: Collection[str]) -> bool:
    """Whether a decision is about the sample as it is; `digests` are of what there is under its key, () for unknown.

    A wish to try again holds for anything that comes of it.
    """
    return not decision.seen or not digests or decision.seen in digests or decision.verdict == "retry"


def shown(folder: Folder, key: str) -> str:
    """What a decision about a sample is about: the digest of its source, or what its quarantine row stands for.

    Neither decisions nor options change it. Raises FolderError for a key that the folder knows nothing of.
    """
    digests = folder.index["source_digest"].filter(pc.equal(folder.index["key"], key)).to_pylist()
    if not digests:
        rows = folder.quarantine.filter(pc.equal(folder.quarantine["key"], key)).to_pylist()
        digests = sorted({row_digest(row) for row in rows})
    if not digests:
        folder.rows(key)
    return str(digests[0])


def out_of_date(folder: Folder, records: Iterable[Decision]) -> tuple[Decision, ...]:
    """Last words about samples that are not what they were when they were said, by key: the next build reports them."""
    words = last_words(records)
    keys, digests = pa.array(sorted(words), pa.string()), defaultdict[str, set[str]](set)
    for row in _about(folder.index, keys).select(["key", "source_digest"]).to_pylist():
        digests[row["key"]].add(row["source_digest"])
    for row in _about(folder.quarantine, keys).select(["key", "place", "reason", "source_digest"]).to_pylist():
        digests[row["key"]].add(row_digest(row))
    return tuple(d for key in sorted(words) for d in words[key] if not is_current(d, digests.get(key, set()) - {""}))


def _about(table: pa.Table, keys: pa.Array) -> pa.Table:
    return table.filter(pc.is_in(table["key"], keys))
