"""The working state of builds against the tables: what the next build would read of it and write into them."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

UNREADABLE = (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError, pa.ArrowException)
RUIN = "build the folder again elsewhere"
REVIEW = "review.jsonl"
FOLLOWED = ".build/followed.json"
"""`size` in bytes and `sha256` of the whole lines of review.jsonl that the last build read."""


def check_working(path: Path, tables: Mapping[str, pa.Table], sidecars: bool) -> Iterator[str]:
    """Problems of `.build`: run facts, the plan, and with `sidecars` those of every shard; none without `.build`."""
    yield from _runs(path / ".build" / "runs.jsonl")
    file = path / ".build" / "plan.json"
    if not file.is_file():
        return
    try:
        plan = json.loads(file.read_bytes())
        found = list(_plan(plan, tables))
    except UNREADABLE as error:
        yield f".build/plan.json: unreadable ({error!r}); {RUIN}"
        return
    yield from found
    manifest = {row["name"]: row for row in tables["manifest"].to_pylist() if row["kind"] == "shard"}
    left_out = {_words(row) for row in tables["quarantine"].to_pylist()}
    for shard in plan["shards"] if sidecars else ():
        name = f".build/shards/{shard['name']}.json"
        if (path / name).is_file():
            try:
                sidecar = json.loads((path / name).read_bytes())
                wrong = _sidecar(
                    sidecar, shard_digest(plan, shard), manifest.get(shard["name"]), tables["index"], left_out
                )
            except UNREADABLE as error:
                wrong = f"unreadable ({error!r})"
            if wrong:
                yield f"{name}: {wrong}; remove it, and the next build makes its shard again"


def _runs(file: Path) -> Iterator[str]:
    """Lines of the run facts that cannot be read; nothing holds the others against anything."""
    for number, line in enumerate(file.read_bytes().splitlines() if file.is_file() else (), 1):
        try:
            readable = isinstance(json.loads(line), dict)
        except ValueError:
            readable = False
        if not readable:
            yield f".build/runs.jsonl, line {number}: unreadable; remove this line, which only tells of a past run"


def check_decisions(path: Path) -> Iterator[str]:
    """What review.jsonl says otherwise than when the last build read it: more lines are no damage, others may be."""
    file = path / FOLLOWED
    if not file.is_file():
        return
    try:
        read = json.loads(file.read_bytes())
        size, digest = int(read["size"]), read["sha256"]
    except UNREADABLE as error:
        yield f"{FOLLOWED}: unreadable ({error!r}); build again to renew it"
        return
    data = (path / REVIEW).read_bytes() if (path / REVIEW).is_file() else b""
    if hashlib.sha256(data[:size]).hexdigest() != digest:
        yield f"{REVIEW} changed since the last build: lines that it followed are others or gone; build again"
    elif added := sum(bool(line.strip(b"\0 \r\t")) for line in data[size:].split(b"\n")):
        yield f"{REVIEW} changed since the last build: {added} decisions not yet followed; build again"


def _plan(plan: Mapping[str, Any], tables: Mapping[str, pa.Table]) -> Iterator[str]:
    """The plan's own digests; and every planned unit was kept or has its row in the quarantine."""
    index, quarantine = tables["index"], tables["quarantine"].to_pylist()
    planned = [(shard["name"].split("/")[0], unit[0]) for shard in plan["shards"] for unit in shard["units"]]
    refused = [(r["config"], r["place"], r["reason"]) for r in plan["rejections"]]
    own = [*(shard_digest(plan, shard) for shard in plan["shards"]), *(str(row) for row in plan["rejections"])]
    sizes = all(shard["size"] == sum(size for _, size, _ in shard["units"]) for shard in plan["shards"])
    if plan["digest"] != _sha256("\n".join(own)) or not sizes:
        yield f".build/plan.json: does not have its own digest; {RUIN}"
    accounted = set(zip(index["config"].to_pylist(), index["key"].to_pylist(), strict=True))
    accounted |= {(row["config"], row["key"]) for row in quarantine}
    # A unit of several samples gives keys that begin with its own.
    stems = {(config, key[:at]) for config, key in accounted for at, mark in enumerate(key) if mark == "_"}
    if lost := [unit for unit in planned if unit not in accounted and unit not in stems]:
        yield f"{len(lost)} planned samples neither kept nor left out, first {lost[0][1]} of {lost[0][0]}"
    present = {(row["config"], row["place"], row["reason"]) for row in quarantine}
    if missing := [row for row in refused if row not in present]:
        yield f"quarantine lacks {len(missing)} rows of the plan, first {missing[0][1]}"


def shard_digest(plan: Mapping[str, Any], shard: Mapping[str, Any]) -> str:
    """What a shard's sidecar must carry: over the plan's options, the shard's name and its units."""
    options = _sha256(json.dumps(plan["options"], sort_keys=True))
    return _sha256("\n".join([options, shard["name"], *(digest for _, _, digest in shard["units"])]))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _sidecar(
    sidecar: Mapping[str, Any], digest: str, row: Mapping[str, Any] | None, index: pa.Table, left_out: set[Any]
) -> str:
    """What a sidecar says otherwise than the tables; "" for nothing."""
    if sidecar["digest"] != digest:
        return "not of this plan"
    told = {name: sidecar[name] for name in ("name", "config", "split", "file", "size", "sha256", "units")}
    told |= {"samples": len(sidecar["samples"]), "rejected": len(sidecar["rejections"])}
    if row is None or any(row[name] != value for name, value in told.items()):
        return "not what the manifest says"
    if any(_words(rejection) not in left_out for rejection in sidecar["rejections"]):
        return "left something out that has no row in the quarantine"
    if not sidecar["samples"]:
        return ""
    where = {"config": sidecar["config"], "split": sidecar["split"], "shard": sidecar["file"]}
    own = ("key", "row", "identity", "source_digest", "fields")
    rows = [{**where, **{name: sample[name] for name in own}, **sample["facts"]} for sample in sidecar["samples"]]
    if {name for one in rows for name in one} - set(index.column_names):
        return "has facts that are not in the index"
    there = index.filter(pc.equal(index["shard"], sidecar["file"])).combine_chunks()
    same = pa.Table.from_pylist(rows, schema=index.schema).equals(there)
    return "" if same else "not what the index says"


def _words(rejection: Mapping[str, Any]) -> tuple[Any, ...]:
    names = ("key", "config", "split", "stage", "place", "reason", "kind", "measured", "source_digest")
    return tuple(rejection[name] for name in names)
