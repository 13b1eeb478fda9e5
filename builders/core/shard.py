"""One shard: read its units, stage them, write aside, read back, rename, and leave a sidecar that means done."""

import hashlib
import json
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from ...loaders.durable import PART, sync_folder, write_json
from ...loaders.folder import file_sha256
from ...loaders.media import clip_layout, picture_size
from ...loaders.memory import peak_memory
from ...loaders.sample import SPLITS, Config, Sample, check_key
from .builder import Builder, ReleaseOptions, Unit, find
from .decoded_copies import copied
from .plan import ShardSpec
from .raw import Folder, open_raw
from .review import applied, in_force, left_out
from .review import digest as review_digest
from .source_files import Checksums
from .stage import Attempts, Clock, Rejection
from .store import Store
from .writers import WRITERS, ShardWriter, facts_json


@dataclass(frozen=True)
class ShardJob:
    """All that a worker needs for one shard, on any machine."""

    dataset: str
    raw: str
    out: Path
    release: ReleaseOptions
    format: str
    digest: str
    spec: ShardSpec
    base: str = ""
    """Where a relative `raw` starts, for a process that runs elsewhere."""
    store: Store | None = None
    """The remote place that takes finished shards; `out` then holds those under way."""

    @property
    def sidecar(self) -> Path:
        return sidecar_path(self.out, self.spec.name)


@dataclass
class ShardResult:
    """What building one shard took; never part of the dataset's bytes."""

    name: str
    samples: int = 0
    rejected: int = 0
    frames: int = 0
    sound: float = 0.0
    """Seconds."""
    read_bytes: int = 0
    written_bytes: int = 0
    peak_memory: int = 0
    seconds: dict[str, float] = field(default_factory=dict)


Progress = Callable[[int], object]
"""Told after every unit how many source bytes are behind it."""


def sidecar_path(out: Path, shard: str) -> Path:
    return out / ".build" / "shards" / f"{shard}.json"


def is_done(job: ShardJob, recheck: bool = False) -> bool:
    """Whether the sidecar belongs to this very plan and these decisions, and its file lies there in full size.

    With `recheck` the file's hash must match too, and a shard that left out something is not done: its archive may
    have been downloaded again since.
    """
    try:
        sidecar = json.loads(job.sidecar.read_text())
    except (FileNotFoundError, ValueError):
        return False
    if sidecar.get("digest") != job.digest or sidecar.get("decisions", "") != review_digest(job.spec):
        return False
    if sidecar["file"] is None:
        return not recheck
    if _stored_size(job, sidecar["file"]) != sidecar["size"]:
        return False
    return not recheck or (not sidecar["rejections"] and _stored_sound(job, sidecar["file"], sidecar["sha256"]))


def _stored_size(job: ShardJob, name: str) -> int | None:
    if job.store:
        return job.store.sizes.get(name)
    return (job.out / name).stat().st_size if (job.out / name).is_file() else None


def _stored_sound(job: ShardJob, name: str, digest: str) -> bool:
    return job.store.is_sound(name, digest) if job.store else file_sha256(job.out / name) == digest


_RAW: dict[str, Folder] = {}


def _raw(place: str, base: str) -> Folder:
    """One open release per worker: reading the directory of a 25 GB zip takes a second."""
    if place not in _RAW:
        _RAW[place] = open_raw(place, base)
    return _RAW[place]


def close_releases() -> None:
    """Close the releases that this process holds open, so that a later build sees what has changed in them."""
    while _RAW:
        _RAW.popitem()[1].close()


def build(job: ShardJob, progress: Progress | None = None) -> ShardResult:
    """Build one shard. Bad units become rejections; raises OSError when the disk fails or is full."""
    clock, result = Clock(), ShardResult(job.spec.name)
    builder = find(job.dataset)(job.release)
    config, raw = builder.config(job.spec.config), _raw(job.raw, job.base)
    relative = f"data/{job.spec.name}{WRITERS[job.format].ending}"
    # A shard may be built twice at once: by a node that was given up too early, and by the one that took over.
    mark = secrets.token_hex(4)
    with _aside(job.out / relative, mark) as part:
        attempt, rejections, samples = Attempts(clock), list[Rejection](), list[dict[str, Any]]()
        writer, checksums = WRITERS[job.format](part, config), Checksums(raw)
        for unit in job.spec.units:
            said = in_force(unit, lambda key, unit=unit: checksums.digest(builder.source_files(unit, key)))  # type: ignore[misc]
            outcome = attempt(lambda unit=said: _items(builder, raw, unit, clock), _reject(unit))  # type: ignore[misc]
            for item in [outcome] if isinstance(outcome, Rejection) else outcome:
                with clock("source"):
                    key = item.key if isinstance(item, Rejection) else item[0].key
                    digest = checksums.digest(builder.source_files(unit, key))
                if isinstance(item, Rejection):
                    rejections.append(replace(item, source_digest=digest))
                    continue
                sample, row = item
                with clock("write"):
                    writer.add(sample)
                samples.append(row | {"row": len(samples), "source_digest": digest})
            result.read_bytes += unit.size
            if progress:
                progress(unit.size)
        with clock("write"):
            writer.close()
            sidecar = _publish(writer, job, relative, samples)
        sidecar |= {"units": len(job.spec.units), "rejections": [r.row() for r in rejections]}
        write_json(job.sidecar, sidecar, mark)
    if job.store:
        with clock("upload"):
            job.store.take(job.out, relative, job.sidecar.relative_to(job.out).as_posix(), sidecar["file"] or "")
    result.samples, result.rejected, result.written_bytes = len(samples), len(rejections), sidecar["size"]
    result.frames = sum(max((len(f["frame_offset"]) for f in row["fields"]), default=0) for row in samples)
    result.sound = _sound(samples, config)
    result.seconds, result.peak_memory = dict(clock.seconds), peak_memory()
    return result


@contextmanager
def _aside(file: Path, mark: str) -> Iterator[Path]:
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f"{file.name}.{mark}{PART}")
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)


def _reject(unit: Unit) -> Any:
    def rejection(stage: str, place: str, reason: str, kind: str, measured: str) -> Rejection:
        return Rejection(unit.key, unit.config, unit.split, stage or "read", place or unit.key, reason, kind, measured)

    return rejection


Indexed = tuple[Sample, dict[str, Any]]
"""A sample and its index row."""


def _items(builder: Builder, raw: Folder, unit: Unit, clock: Clock) -> list[Indexed | Rejection]:
    """Samples of a unit and rows for those left out, decisions applied. What people leave out is not even read."""
    out = left_out(unit.key, unit.config, unit.split, unit.decisions)
    if out and unit.samples == 1:
        return [out]
    config = builder.config(unit.config)
    items = [applied(item, unit, config, builder.verdicts) for item in builder.read(raw, unit, clock)]
    if not items:
        raise ValueError("the unit gave no sample")
    if builder.options.decoded:
        with clock("decoded"):
            items = [item if isinstance(item, Rejection) else copied(item, config) for item in items]
    _check([item for item in items if isinstance(item, Sample)], unit, config)
    return [item if isinstance(item, Rejection) else _indexed(item, unit, config) for item in items]


def _indexed(sample: Sample, unit: Unit, config: Config) -> Indexed | Rejection:
    """A sample with its index row; a quarantine row for one whose media or facts the folder cannot hold."""
    try:
        facts_json(sample, config)
        return sample, _row(sample, config)
    except ValueError as error:
        return Rejection(sample.key, unit.config, unit.split, "index", unit.key, str(error), type(error).__name__)


def _check(samples: list[Sample], unit: Unit, config: Config) -> None:
    """Hold every sample against its config before it reaches a shard."""
    wanted, facts = {f.name for f in config.fields if not f.optional}, {fact.name for fact in config.facts}
    known = {f.name for f in config.fields}
    for sample in samples:
        check_key(sample.key)
        try:
            pa.array([{**sample.facts}], config.facts_type())
        except (pa.ArrowException, TypeError, OverflowError) as error:
            raise ValueError(f"facts of {sample.key} do not fit config {config.name}: {error}") from None
        if sample.split != unit.split or sample.split not in SPLITS:
            raise ValueError(f"sample {sample.key} is of split {sample.split!r}, its unit of {unit.split!r}")
        if not wanted <= sample.media.keys() <= known or not sample.facts.keys() <= facts:
            odd = sorted(
                (sample.media.keys() ^ wanted) - known | (sample.facts.keys() - facts) | (wanted - sample.media.keys())
            )
            raise ValueError(f"sample {sample.key} does not fit config {config.name}: {', '.join(odd)}")
        if sample.key != unit.key and (unit.samples == 1 or not sample.key.startswith(unit.key + "_")):
            raise ValueError(f"unit {unit.key} gave sample {sample.key}")


def _row(sample: Sample, config: Config) -> dict[str, Any]:
    """A sample's index row, its number and offsets in the shard still missing."""
    fields = []
    for declared in config.fields:
        data = sample.media.get(declared.name)
        if data is None:
            continue
        entry: dict[str, Any] = {"name": declared.name, "width": 0, "height": 0, "frame_offset": [], "frame_size": []}
        if declared.kind == "clip":
            clip = clip_layout(data)
            entry |= {"width": clip.width, "height": clip.height}
            entry |= {"frame_offset": list(clip.offsets), "frame_size": list(clip.sizes)}
        elif declared.kind == "image":
            entry["width"], entry["height"] = picture_size(data)
        fields.append(entry)
    facts = {fact.name: sample.facts.get(fact.name) for fact in config.facts}
    return {"key": sample.key, "row": 0, "identity": sample.identity, "facts": facts, "fields": fields}


def _sound(samples: list[dict[str, Any]], config: Config) -> float:
    """Seconds of the samples that have sound."""
    sounds = {field.name for field in config.fields if field.kind == "audio"}
    return sum(row["facts"].get("seconds") or 0 for row in samples if sounds & {f["name"] for f in row["fields"]})


def _disown(job: ShardJob) -> None:
    """Remove the sidecar of an earlier build of this shard."""
    # Decisions go back and forth: after a kill it could vouch for the file that is about to take the old one's place.
    if job.sidecar.exists():
        job.sidecar.unlink(missing_ok=True)
        sync_folder(job.sidecar.parent)


def _publish(writer: ShardWriter, job: ShardJob, relative: str, samples: list[dict[str, Any]]) -> dict[str, Any]:
    """Read members back from the part file, flush it, and give it its name; a shard without samples has no file."""
    sidecar: dict[str, Any] = {"digest": job.digest, "decisions": review_digest(job.spec), "name": job.spec.name}
    sidecar |= {"file": None, "size": 0, "sha256": ""}
    sidecar |= {"config": job.spec.config, "split": job.spec.split, "samples": samples}
    if not samples:
        _disown(job)
        writer.path.unlink()
        (job.out / relative).unlink(missing_ok=True)
        return sidecar
    entries: Mapping[tuple[str, str], dict[str, Any]] = {(s["key"], f["name"]): f for s in samples for f in s["fields"]}
    found = 0
    for key, name, offset, size, digest in writer.members():
        entries[key, name].update(offset=offset, size=size, sha256=digest)
        found += 1
    if found != len(entries):
        raise OSError(f"{writer.path}: {found} of {len(entries)} members found after writing")
    final = job.out / relative
    with writer.path.open("rb+") as written:
        whole = hashlib.file_digest(written, "sha256").hexdigest()
        os.fsync(written.fileno())
    _disown(job)
    writer.path.replace(final)
    sync_folder(final.parent)
    return sidecar | {"file": relative, "size": final.stat().st_size, "sha256": whole}
