"""What became of people's decisions: found shard by shard, told at the end of a build and on the card."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .decisions import FILE, OF_ROWS, Decision, is_current, row_digest, settle
from .review import STAGE, Review

SHOWN = 20
"""Decisions named one by one; the rest is counted."""
Decidable = Mapping[str, Mapping[str, tuple[str, ...]]]
"""What can be decided about the samples of each config: Builder.decidable by the config's name."""


@dataclass(frozen=True)
class Followed:
    """The decisions of a build by what became of them."""

    applied: int = 0
    people: int = 0
    conflicts: tuple[str, ...] = ()
    out_of_date: tuple[str, ...] = ()
    """About samples that have changed since somebody saw them."""
    without_effect: tuple[str, ...] = ()
    """Of a kind that nothing follows for samples of their config."""
    without_sample: tuple[str, ...] = ()
    quarantined: int = 0
    """Decisions about samples that are in the quarantine table for another reason."""
    torn: str = ""
    """What is wrong with the last line of the file."""

    def _kinds(self) -> list[tuple[tuple[str, ...], str, str, str]]:
        """(lines, their count in words, a warning's beginning, the card's heading) of what was not applied."""
        return [
            (
                self.conflicts,
                "in conflict and not applied",
                "in conflict, not applied:",
                "In conflict, hence not applied",
            ),
            (
                self.out_of_date,
                "out of date and not applied",
                "out of date, not applied:",
                "About samples that have changed since somebody saw them, hence not applied",
            ),
            (
                self.without_effect,
                "of a kind that nothing follows",
                "nothing follows it:",
                "Of a kind that nothing follows for these samples",
            ),
            (self.without_sample, "without a sample", "no sample for", "About samples that this folder does not hold"),
        ]

    def lines(self) -> list[str]:
        """The closing words of a build about decisions; none where nobody decided anything."""
        told = [f"warning: {self.torn}"] if self.torn else []
        if not (self.applied or self.quarantined or any(lines for lines, *_ in self._kinds())):
            return told
        head = f"{self.applied:,} decisions of {self.people} people applied"
        head += f", {self.quarantined:,} about samples that are in quarantine anyway" if self.quarantined else ""
        head += "".join(f", {len(lines):,} {counted}" for lines, counted, *_ in self._kinds() if lines)
        warnings = [_some([f"warning: {begin} {line}" for line in lines]) for lines, _, begin, _ in self._kinds()]
        return [head, *(line for lines in warnings for line in lines), *told]

    def markdown(self) -> str:
        """The card's section; "" where nobody decided anything."""
        if not (self.applied or self.quarantined or any(lines for lines, *_ in self._kinds())):
            return ""
        count = f"{self.applied:,} decisions of {self.people} people (`{FILE}`) are applied and stand in `decisions`."
        count += f" {self.quarantined:,} more are about samples in quarantine." if self.quarantined else ""
        listed = [f"{heading}:\n\n" + _bullets(lines) for lines, _, _, heading in self._kinds() if lines]
        return "\n\n".join([f"## Decisions of people\n\n{count}", *listed])


def _some(lines: list[str]) -> list[str]:
    return [*lines[:SHOWN], f"... and {len(lines) - SHOWN:,} more"] if len(lines) > SHOWN else lines


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in _some(list(lines)))


@dataclass
class _Found:
    """What a build made of one key."""

    configs: set[str] = field(default_factory=set)
    """Where there is a sample of it."""
    stages: set[str] = field(default_factory=set)
    """Of its rows in the quarantine."""
    digests: set[str] = field(default_factory=set)


class Tally:
    """Finds, shard by shard, what became of each decision."""

    def __init__(self, review: Review, can: Decidable) -> None:
        self.review, self._can = review, can
        self._found: dict[str, _Found] = defaultdict(_Found)

    def add(self, config: str, samples: Iterable[Mapping[str, Any]], rejections: Iterable[Mapping[str, str]]) -> None:
        """Index rows and quarantine rows of a shard, or of what was left out while listing."""
        for sample in samples:
            if sample["key"] in self.review.words:
                found = self._found[sample["key"]]
                found.configs.add(config)
                found.digests.add(sample["source_digest"])
        for row in rejections:
            if row["key"] in self.review.words:
                found = self._found[row["key"]]
                found.stages.add(row["stage"])
                found.digests.add(row_digest(row))

    def followed(self) -> Followed:
        """The counts, over all shards added."""
        kinds: dict[str, list[Decision]] = defaultdict(list)
        conflicts = []
        for key, words in self.review.words.items():
            found = self._found.get(key, _Found())
            current = [word for word in words if is_current(word, found.digests - {""})]
            kinds["out of date"] += [word for word in words if word not in current]
            settled, unlike = settle(current)
            conflicts += [conflict.line() for conflict in unlike]
            for decision in settled.get(key, ()):
                kinds[self._kind(decision, found)].append(decision)
        return Followed(
            len(kinds["applied"]),
            len({decision.who for decision in kinds["applied"]}),
            tuple(conflicts),
            tuple(map(_line, kinds["out of date"])),
            tuple(map(_line, kinds["without effect"])),
            tuple(map(_line, kinds["without sample"])),
            len(kinds["quarantined"]),
            self.review.torn,
        )

    def _kind(self, decision: Decision, found: _Found) -> str:
        """What became of a decision that is current and agreed on."""
        if not (found.configs or found.stages):
            return "without sample"
        if decision.verdict in OF_ROWS:
            # What somebody accepts as left out, and is there after all, is not what they saw.
            return "applied" if found.stages or decision.verdict == "retry" else "out of date"
        if decision.verdict == "leave out" and STAGE in found.stages:
            return "applied"
        if not found.configs:
            return "quarantined"
        return "applied" if any(decision.fits(self._can.get(c, {})) for c in found.configs) else "without effect"


def _line(decision: Decision) -> str:
    return f"{decision.key} ({decision.words()} by {decision.who})"
