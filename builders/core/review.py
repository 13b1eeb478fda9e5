"""How a build follows the decisions of people: handed to units, applied to samples, counted at the end."""

import hashlib
import json
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ...loaders.sample import Config, Sample
from .builder import Unit
from .decisions import DECISIONS, FILE, Conflict, Decision, find, read, settle, verdict_code
from .plan import Plan, ShardSpec
from .stage import Rejection

STAGE = "review"
OF_ROWS = ("accept", "retry")
"""Verdicts about a row of the quarantine: they change nothing of a sample that is there."""
SHOWN = 20
"""Conflicts and strangers named one by one; the rest is counted."""


@dataclass(frozen=True)
class Review:
    """The decisions in force at the start of a build."""

    settled: Mapping[str, tuple[Decision, ...]]
    conflicts: tuple[Conflict, ...] = ()

    @property
    def retried(self) -> set[str]:
        """Keys that people want tried again; the record itself makes a shard stale, once."""
        return {key for key, own in self.settled.items() if any(decision.verdict == "retry" for decision in own)}

    def hand_to(self, plan: Plan) -> Plan:
        """The plan with every unit carrying the decisions about its samples; its digest stays."""
        keys = sorted(self.settled)
        shards = [replace(shard, units=tuple(self._with(unit, keys) for unit in shard.units)) for shard in plan.shards]
        return replace(plan, shards=tuple(shards)) if keys else plan

    def _with(self, unit: Unit, keys: list[str]) -> Unit:
        own = [unit.key] if unit.key in self.settled else []
        if unit.samples > 1:
            stem = unit.key + "_"
            at = bisect_left(keys, stem)
            while at < len(keys) and keys[at].startswith(stem):
                own.append(keys[at])
                at += 1
        return replace(unit, decisions=tuple(d for key in own for d in self.settled[key])) if own else unit


def open_review(out: Path) -> Review:
    """The decisions of a dataset folder. Raises ValueError with the line for one that cannot be read."""
    return Review(*settle(read(out / FILE)))


def digest(spec: ShardSpec) -> str:
    """What a shard's sidecar must carry to be up to date; "" without decisions."""
    records = [asdict(decision) for unit in spec.units for decision in unit.decisions]
    return hashlib.sha256(json.dumps(records, sort_keys=True).encode()).hexdigest() if records else ""


def left_out(key: str, config: str, split: str, decisions: Iterable[Decision]) -> Rejection | None:
    """The quarantine row of a sample that people want left out, or None."""
    for decision in decisions:
        if decision.key == key and decision.verdict == "leave out":
            return Rejection(key, config, split, STAGE, FILE, f"{decision.who}: {decision.reason or 'left out'}")
    return None


def applied(
    item: Sample | Rejection, unit: Unit, config: Config, verdicts: Mapping[str, Mapping[str, int]]
) -> "Sample | Rejection":
    """A sample with the decisions about it: left out, or with them and the final verdict columns among its facts.

    `verdicts` maps a column to its artifacts and their bits. Columns that the config does not declare are left alone.
    """
    if isinstance(item, Rejection):
        return item
    own = tuple(decision for decision in unit.decisions if decision.key == item.key)
    if out := left_out(item.key, unit.config, item.split, own):
        return out
    declared = {fact.name for fact in config.facts}
    facts = dict(item.facts)
    if DECISIONS.name in declared:
        facts[DECISIONS.name] = [decision.row() for decision in own if decision.verdict not in OF_ROWS]
    facts |= {column: verdict_code(item.facts, bits, own) for column, bits in verdicts.items() if column in declared}
    return replace(item, facts=facts)


@dataclass(frozen=True)
class Followed:
    """What became of the decisions: counted at the end of a build, for its report and the card."""

    applied: int = 0
    people: int = 0
    conflicts: tuple[str, ...] = ()
    without_sample: tuple[str, ...] = ()
    quarantined: int = 0
    """Decisions about samples that are in the quarantine table for another reason."""

    def lines(self) -> list[str]:
        """The closing words of a build about decisions; none where nobody decided anything."""
        if not (self.applied or self.conflicts or self.without_sample or self.quarantined):
            return []
        head = f"{self.applied:,} decisions of {self.people} people applied"
        head += f", {len(self.conflicts):,} in conflict and not applied" if self.conflicts else ""
        head += f", {self.quarantined:,} about samples that are in quarantine anyway" if self.quarantined else ""
        head += f", {len(self.without_sample):,} without a sample" if self.without_sample else ""
        conflicts = _some([f"warning: in conflict, not applied: {line}" for line in self.conflicts])
        return [head, *conflicts, *_some([f"warning: no sample for {line}" for line in self.without_sample])]

    def markdown(self) -> str:
        """The card's section; "" where nobody decided anything."""
        if not self.lines():
            return ""
        count = f"{self.applied:,} decisions of {self.people} people (`{FILE}`) are applied and stand in `decisions`."
        count += f" {self.quarantined:,} more are about samples in quarantine." if self.quarantined else ""
        parts = [f"## Decisions of people\n\n{count}"]
        if self.conflicts:
            parts.append("In conflict, hence not applied:\n\n" + _bullets(self.conflicts))
        if self.without_sample:
            parts.append("About samples that this folder does not hold:\n\n" + _bullets(self.without_sample))
        return "\n\n".join(parts)


def _some(lines: list[str]) -> list[str]:
    return [*lines[:SHOWN], f"... and {len(lines) - SHOWN:,} more"] if len(lines) > SHOWN else lines


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in _some(list(lines)))


class Tally:
    """Finds, shard by shard, which decisions met their sample."""

    def __init__(self, review: Review) -> None:
        self.review = review
        self._met: set[str] = set()
        self._quarantined: set[str] = set()

    def add(self, keys: Iterable[str], rejections: Iterable[Mapping[str, str]]) -> None:
        """Keys of a shard's samples and its quarantine rows."""
        if not self.review.settled:
            return
        self._met.update(key for key in keys if key in self.review.settled)
        for row in rejections:
            if row["key"] in self.review.settled:
                (self._met if row["stage"] == STAGE else self._quarantined).add(row["key"])

    def followed(self) -> Followed:
        """The counts, over all shards added."""
        met = [decision for key in sorted(self._met) for decision in self.review.settled.get(key, ())]
        strangers = [
            f"{key} ({decision.about} by {decision.who})"
            for key in sorted(self.review.settled.keys() - self._met - self._quarantined)
            for decision in self.review.settled[key]
        ]
        conflicts = tuple(conflict.line() for conflict in self.review.conflicts)
        people = len({decision.who for decision in met})
        aside = sum(len(self.review.settled[key]) for key in self._quarantined - self._met)
        return Followed(len(met), people, conflicts, tuple(strangers), aside)


def decided_trim(unit: Unit) -> int | None:
    """Samples of sound that a person wants kept of an utterance, or None."""
    decision = find((d for d in unit.decisions if d.key == unit.key), "trim")
    return decision.value if decision is not None and isinstance(decision.value, int) else None
