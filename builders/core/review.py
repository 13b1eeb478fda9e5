"""How a build follows the decisions of people: handed to units, applied to samples, counted at the end."""

import hashlib
import json
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ...loaders.sample import Config, Sample
from .builder import Unit
from .decisions import (
    DECISIONS,
    FILE,
    OF_ROWS,
    Decision,
    find,
    is_current,
    last_words,
    parse,
    settle,
    torn,
)
from .plan import Plan, ShardSpec
from .records import contents, parsed, torn_tail
from .stage import Rejection

STAGE = "review"


@dataclass(frozen=True)
class Review:
    """What everybody said last before a build began, by key, and what is wrong with the file's last line, if anything.

    Who is followed turns out sample by sample: words about a sample that has changed do not count.
    """

    words: Mapping[str, tuple[Decision, ...]]
    torn: str = ""
    read: Mapping[str, Any] = field(default_factory=dict)
    """As FOLLOWED keeps it: `size` and `sha256` of the whole lines of the file."""

    @property
    def retried(self) -> set[str]:
        """Keys that people want tried again; the record itself makes a shard stale, once."""
        settled, _ = settle(word for own in self.words.values() for word in own)
        return {key for key, own in settled.items() if any(decision.verdict == "retry" for decision in own)}

    def hand_to(self, plan: Plan) -> Plan:
        """The plan with every unit carrying what was said of its samples; its digest stays."""
        keys = sorted(self.words)
        shards = [replace(shard, units=tuple(self._with(unit, keys) for unit in shard.units)) for shard in plan.shards]
        return replace(plan, shards=tuple(shards)) if keys else plan

    def _with(self, unit: Unit, keys: list[str]) -> Unit:
        own = [unit.key] if unit.key in self.words else []
        if unit.samples > 1:
            stem = unit.key + "_"
            at = bisect_left(keys, stem)
            while at < len(keys) and keys[at].startswith(stem):
                own.append(keys[at])
                at += 1
        return replace(unit, decisions=tuple(d for key in own for d in self.words[key])) if own else unit


def open_review(out: Path) -> Review:
    """The decisions of a dataset folder. Raises ValueError with the line for one that cannot be read."""
    path = out / FILE
    data = contents(path)
    whole = data[: len(data) - len(torn_tail(data))]
    seen = {"size": len(whole), "sha256": hashlib.sha256(whole).hexdigest()}
    return Review(last_words(parsed(path, data, parse)), torn(path), seen)


def in_force(unit: Unit, digest_of: Callable[[str], str]) -> Unit:
    """The unit with those decisions alone that are about its samples as they are, where people agree."""
    if not unit.decisions:
        return unit
    digests = {decision.key: {digest_of(decision.key)} - {""} for decision in unit.decisions}
    settled, _ = settle(decision for decision in unit.decisions if is_current(decision, digests[decision.key]))
    return replace(unit, decisions=tuple(decision for key in sorted(settled) for decision in settled[key]))


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


def decided_trim(unit: Unit) -> int | None:
    """Samples of sound that a person wants kept of an utterance, or None."""
    decision = find((d for d in unit.decisions if d.key == unit.key), "trim")
    return decision.value if decision is not None and isinstance(decision.value, int) else None
