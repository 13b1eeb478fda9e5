"""What people have said so far: the last word of each person on each subject, looked up by key."""

import threading
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from ..core.decisions import ARTIFACTS, UNDO, Decision
from .desk import Desk


class Words:
    """Last words by key, gathered again when review.jsonl or the folder changed. Safe to use from several threads.

    Words about samples that have changed since count as not said: a build does not follow them.
    """

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._lock = threading.Lock()
        self._seen: tuple[tuple[Decision, ...], str] = ((), "")
        self._by_key: Mapping[str, tuple[Decision, ...]] = {}

    def by_key(self) -> Mapping[str, tuple[Decision, ...]]:
        """Key -> the last word of each person on each subject, oldest first; keys without one are absent."""
        records, version, stale = self.desk.records(), self.desk.version, self.desk.out_of_date()
        with self._lock:
            if records is not self._seen[0] or version != self._seen[1]:
                self._by_key, self._seen = _last(records, stale), (records, version)
            return self._by_key

    def about(self, subjects: Iterable[str]) -> Mapping[str, tuple[Decision, ...]]:
        """The same for some of the things that a decision may be about."""
        wanted = set(subjects)
        some = {key: tuple(word for word in words if word.about in wanted) for key, words in self.by_key().items()}
        return {key: words for key, words in some.items() if words}

    def shown(self, words: Iterable[Decision]) -> list[dict[str, Any]]:
        """For the page: about, verdict, reason, who, when, and whether it is the looking person's own."""
        names = ("about", "verdict", "reason", "who", "when")
        return [{name: getattr(word, name) for name in names} | {"mine": word.who == self.desk.who} for word in words]

    def verdict(self, words: Iterable[Decision]) -> str:
        """What people agree on: the verdict, "" where nobody said anything, "in conflict" where they differ."""
        verdicts = {word.verdict for word in words}
        return "in conflict" if len(verdicts) > 1 else next(iter(verdicts), "")


def _last(records: Iterable[Decision], stale: Collection[Decision]) -> dict[str, tuple[Decision, ...]]:
    found: dict[tuple[tuple[str, str, str], str], Decision] = {}
    for record in records:
        whole = record.verdict == UNDO and record.about == "artifact" and not record.value
        for subject in [(record.key, "artifact", name) for name in ARTIFACTS] if whole else [record.subject]:
            found.pop((subject, record.who), None)
        if record.verdict != UNDO:
            found[record.subject, record.who] = record
    by_key: defaultdict[str, list[Decision]] = defaultdict(list)
    for word in found.values():
        if word not in stale:
            by_key[word.key].append(word)
    return {key: tuple(words) for key, words in by_key.items()}


def moment(word: Decision) -> float:
    """Seconds since 1970 at which a word was said."""
    return datetime.fromisoformat(word.when).timestamp()
