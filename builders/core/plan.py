"""A fixed list of shards from a listing of a release: a pure function of names, sizes and options, with a digest."""

import hashlib
import json
import secrets
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...loaders.durable import PART, sync_folder, write_json
from ...loaders.folder import FolderError
from .builder import Unit
from .stage import Rejection


@dataclass(frozen=True)
class ShardSpec:
    """One shard to build: `utterances/train-00000` and its units in key order."""

    name: str
    config: str
    split: str
    units: tuple[Unit, ...]

    @property
    def size(self) -> int:
        return sum(unit.size for unit in self.units)

    def digest(self, options: str) -> str:
        """What its sidecar must carry to count as done."""
        content = "\n".join([options, self.name, *(unit.digest() for unit in self.units)])
        return hashlib.sha256(content.encode()).hexdigest()


@dataclass(frozen=True)
class Plan:
    """Options, shards in order, and what the listing already rejected."""

    options: Mapping[str, Any]
    shards: tuple[ShardSpec, ...]
    rejections: tuple[Rejection, ...]

    def options_digest(self) -> str:
        return hashlib.sha256(json.dumps(dict(self.options), sort_keys=True).encode()).hexdigest()

    def digest(self) -> str:
        options = self.options_digest()
        content = [shard.digest(options) for shard in self.shards] + [str(r.row()) for r in self.rejections]
        return hashlib.sha256("\n".join(content).encode()).hexdigest()

    def save(self, path: Path) -> None:
        write_json(path, self._content())

    def create(self, path: Path) -> None:
        """Save, unless there is a plan. Raises FileExistsError if there is, also when both were written at once."""
        mine = path.with_name(f"{path.name}.{secrets.token_hex(4)}{PART}")
        write_json(mine, self._content())
        try:
            # Unlike a rename, a link never takes the place of another file, on network storage neither.
            path.hardlink_to(mine)
        finally:
            mine.unlink()
        sync_folder(path.parent)

    def _content(self) -> dict[str, Any]:
        shards = [
            {"name": s.name, "size": s.size, "units": [[u.key, u.size, u.digest()] for u in s.units]}
            for s in self.shards
        ]
        rejections = [rejection.row() for rejection in self.rejections]
        return {"digest": self.digest(), "options": self.options, "shards": shards, "rejections": rejections}


def make(found: Iterable[Unit | Rejection], options: Mapping[str, Any], shard_bytes: int) -> Plan:
    """Sort units by key and cut them by bytes, config by config and split by split.

    A key that occurs twice is rejected the second time. A unit larger than `shard_bytes` gets a shard of its own.
    """
    units, rejections = _sorted_units(found)
    shards = _cut(units, shard_bytes, {}) if units else []
    return Plan(options, tuple(shards), rejections)


def _sorted_units(found: Iterable[Unit | Rejection]) -> tuple[list[Unit], tuple[Rejection, ...]]:
    units: dict[tuple[str, str], Unit] = {}
    rejections: list[Rejection] = []
    for item in found:
        if isinstance(item, Rejection):
            rejections.append(item)
        elif (item.config, item.key) in units:
            twice = f"key {item.key} occurs twice in config {item.config}"
            rejections.append(Rejection(item.key, item.config, item.split, "list", item.identity, twice))
        else:
            units[item.config, item.key] = item
    rejections.sort(key=lambda r: (r.config, r.split, r.key, r.place, r.reason))
    return [units[at] for at in sorted(units)], tuple(rejections)


def _cut(units: Iterable[Unit], shard_bytes: int, first_number: Mapping[tuple[str, str], int]) -> list[ShardSpec]:
    piles: dict[tuple[str, str], list[list[Unit]]] = defaultdict(list)
    filled: dict[tuple[str, str], int] = {}
    for unit in units:
        at = (unit.config, unit.split)
        if at not in filled or filled[at] + unit.size > shard_bytes:
            piles[at].append([])
            filled[at] = 0
        piles[at][-1].append(unit)
        filled[at] += unit.size
    return [
        ShardSpec(f"{config}/{split}-{number:05d}", config, split, tuple(pile))
        for (config, split), cut in sorted(piles.items())
        for number, pile in enumerate(cut, first_number.get((config, split), 0))
    ]


def reconcile(
    new: Plan, path: Path, shard_bytes: int, extend: bool, retried: Collection[str] = (), place: str = ""
) -> Plan:
    """Check a plan against the one already in the folder, if any, and return the one to build.

    Raises FolderError when options differ (naming them), or when the release changed; with `extend` a listing that
    only grew is accepted: old shards stay as they are, new units go to new shards. So it is where every new unit's key
    is one of `retried`: left out while listing, and a person asked to try again.
    """
    if not path.exists():
        return new
    old = json.loads(path.read_text())
    folder = place or path.parent.parent
    if (before := old["options"].get("dataset")) != new.options.get("dataset"):
        raise FolderError(f"{folder} holds {before}, not {new.options.get('dataset')}. Choose another output folder")
    # An option that this version lacks, or leaves out where it is off, counts unless it was on.
    gone = [name for name, value in old["options"].items() if name not in new.options and value]
    if changed := [*(name for name in new.options if new.options[name] != old["options"].get(name)), *gone]:
        was = ", ".join(f"{name} was {old['options'].get(name)!r}, now {new.options.get(name)!r}" for name in changed)
        raise FolderError(f"{folder} was built with other options: {was}. Use the old value, or another output folder")
    if old["digest"] == new.digest():
        return new
    as_before = [rejection.row() for rejection in new.rejections] == old["rejections"]
    known = {(s["name"].split("/")[0], key): digest for s in old["shards"] for key, _, digest in s["units"]}
    now = {(unit.config, unit.key): unit for shard in new.shards for unit in shard.units}
    lost = sorted(at for at in known if at not in now or now[at].digest() != known[at])
    if lost:
        raise FolderError(
            f"{folder}: {len(lost)} samples of its plan are gone from the release or changed, first {lost[0][1]} "
            f"of {lost[0][0]}. Restore the release, or build into another folder"
        )
    if as_before and len(known) == len(now):
        # Nothing is new: the old plan was cut in several extensions, and stands.
        return Plan(new.options, tuple(_respecify(shard, now) for shard in old["shards"]), new.rejections)
    asked_for = {key for config, key in now if (config, key) not in known}
    if not extend and not (asked_for and asked_for <= set(retried)):
        raise FolderError(
            f"{folder}: the release has changed since this folder was planned ({len(now) - len(known)} new samples). "
            "Pass --extend to add them as new shards, or build into another folder"
        )
    kept = [_respecify(shard, now) for shard in old["shards"]]
    numbers: dict[tuple[str, str], int] = defaultdict(int)
    for shard in kept:
        numbers[shard.config, shard.split] += 1
    added = _cut([now[at] for at in sorted(now) if at not in known], shard_bytes, numbers)
    return Plan(new.options, tuple(sorted([*kept, *added], key=lambda shard: shard.name)), new.rejections)


def _respecify(shard: Mapping[str, Any], now: Mapping[tuple[str, str], Unit]) -> ShardSpec:
    config, rest = shard["name"].split("/")
    units = tuple(now[config, key] for key, _, _ in shard["units"])
    return ShardSpec(shard["name"], config, rest.rsplit("-", 1)[0], units)
