"""What the tables of a folder say, held against each other and against the checksums."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import pyarrow as pa

from .sample import SPLIT_GROUP, SPLITS, check_key
from .shards import SHARD_NAME


def check_tables(tables: Mapping[str, pa.Table], sums: Mapping[str, str]) -> Iterator[str]:
    """Problems in and between index, manifest, quarantine and identities."""
    index, manifest = tables["index"], tables["manifest"].to_pylist()
    yield from _counts(index, manifest, tables["quarantine"].to_pylist())
    yield from _shards(index, manifest, sums)
    yield from _keys(index)
    yield from _divided(index)
    people = set(index["identity"].to_pylist())
    if people != set(tables["identities"]["identity"].to_pylist()):
        yield f"identities: {tables['identities'].num_rows} people, the index has {len(people)}"


def _counts(index: pa.Table, manifest: list[dict[str, Any]], quarantine: list[dict[str, Any]]) -> Iterator[str]:
    per_shard = Counter(index["shard"].to_pylist())
    for shard in manifest:
        if shard["file"] and per_shard[shard["file"]] != shard["samples"]:
            count = per_shard[shard["file"]]
            yield f"{shard['file']}: {count} samples in the index, {shard['samples']} in the manifest"
        if shard["samples"] + shard["rejected"] < shard["units"]:
            kept = f"{shard['samples']} kept and {shard['rejected']} left out"
            yield f"{shard['name']}: {shard['units']} read, but {kept}"
    in_shards = sum(shard["rejected"] for shard in manifest)
    if in_shards > len(quarantine):
        yield f"quarantine: {len(quarantine)} rows, the manifest counts {in_shards}"
    if bare := [row for row in quarantine if not (row["stage"] and row["reason"])]:
        yield f"quarantine: {len(bare)} rows without stage or reason, first {bare[0]['key'] or bare[0]['place']}"


def _shards(index: pa.Table, manifest: list[dict[str, Any]], sums: Mapping[str, str]) -> Iterator[str]:
    listed = {shard["file"]: shard for shard in manifest if shard["file"]}
    for name in sorted(set(index["shard"].to_pylist()) | listed.keys()):
        if not SHARD_NAME.fullmatch(name):
            yield f"tables: shard name {name!r}, expected one like data/utterances/train-00000.tar"
        elif name not in listed:
            yield f"index: shard {name} is not in the manifest"
        elif sums.get(name) != listed[name]["sha256"]:
            yield f"manifest: {name} has another sha256 in checksums.sha256"


def _keys(index: pa.Table) -> Iterator[str]:
    columns = {name: index[name].to_pylist() for name in ("config", "split", "shard", "row", "key")}
    names = Counter(zip(columns["config"], columns["key"], strict=True))
    if twice := [key for key, count in names.items() if count > 1]:
        yield f"index: {len(twice)} keys occur twice, first {twice[0][1]} of {twice[0][0]}"
    for key in columns["key"]:
        try:
            check_key(key)
        except ValueError as error:
            yield f"index: {error}"
    rows = list(zip(columns["shard"], columns["row"], columns["key"], strict=True))
    if any(a[0] == b[0] and a[2] > b[2] for a, b in pairwise(rows)):
        yield "index: keys inside a shard are out of order"
    following = all(b[1] == (a[1] + 1 if a[0] == b[0] else 0) for a, b in pairwise(rows))
    if rows and (rows[0][1] or not following):
        yield "index: rows of a shard are not numbered 0, 1, 2, ..."
    for where, split in sorted(set(zip(columns["shard"], columns["split"], strict=True))):
        if split not in SPLITS or f"/{split}-" not in where:
            yield f"index: split {split!r} in shard {where}"


def _divided(index: pa.Table) -> Iterator[str]:
    """Groups in several splits of a config: people, or what the fact `split_group` names of theirs."""
    names = ("config", "identity", "split")
    groups = index[SPLIT_GROUP].to_pylist() if SPLIT_GROUP in index.column_names else [None] * index.num_rows
    rows = list(zip(*(index[name].to_pylist() for name in names), groups, strict=True))
    # A person's split is free only where all of the person's samples say what it divides.
    whole = {(config, who) for config, who, _, group in rows if group is None}
    people: dict[tuple[str, str], set[str]] = defaultdict(set)
    parts: dict[tuple[str, str], set[str]] = defaultdict(set)
    for config, who, split, group in rows:
        if (config, who) in whole:
            people[config, who].add(split)
        if group is not None:
            parts[config, f"{group} of {who}"].add(split)
    for found, what in ((people, "people"), (parts, "split groups")):
        if shared := sorted(at for at, splits in found.items() if len(splits) > 1):
            config, which = shared[0]
            first = f"first {which} of {config} in {', '.join(sorted(found[shared[0]]))}"
            yield f"index: {len(shared)} {what} are in more than one split of a config, {first}"
