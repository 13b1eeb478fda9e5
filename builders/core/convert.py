"""A built folder in another format: members, facts, keys and order stay, without the raw release."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from ...loaders.durable import PART, sync_folder, write_json
from ...loaders.folder import Folder, FolderError
from ...loaders.names import nearest
from ...loaders.places import Place
from ...loaders.remote import open_shards
from ...loaders.sample import ARRAY, Config, Fact, Field, Sample
from ...loaders.shards import SHARD_NAME
from . import converted
from .engine import Pieces, in_processes
from .out_folder import SPARE_BYTES, locked, whole_files_only
from .shard import sidecar_path
from .writers import WRITERS

MARKS = Path(".build") / "converted"
"""One file per converted shard, then one that says that the folder is whole."""


@dataclass(frozen=True)
class ConvertOptions:
    """What to convert, to where and to which format, by how many processes."""

    source: str | Path | Place
    out: Path
    format: str
    workers: int = 1


@dataclass
class ConvertReport:
    """What a conversion left behind."""

    out: Path
    samples: int
    shards: int
    made: int
    size: int
    """Bytes of all shards."""
    buildable: bool
    """Whether the source's working state was taken over, so that builds can resume in the new folder."""

    def lines(self) -> list[str]:
        """The closing words of `facevox convert`."""
        made = f"{self.made} made in this run" if self.made else "nothing was missing"
        told = [f"{self.samples:,} samples in {self.shards} shards, {self.size / 1e6:,.1f} MB in {self.out}; {made}"]
        if not self.buildable:
            told.append(
                "no .build was taken over (the source has none, or is a remote place): this folder loads and verifies, "
                "but no build can resume in it"
            )
        return told


def convert(options: ConvertOptions, progress: Pieces | None = None) -> ConvertReport:
    """Convert a folder, or resume an interrupted conversion; the source may be a remote place.

    From a folder with its `.build` the result equals, byte for byte, what a build in that format gives. Without it the
    facts of a tar are those of the index, whose numbers may be rounded to 32 bits.
    Raises ValueError for an unknown format, FolderError for a damaged source or a place that holds something else,
    OSError when the disk is full.
    """
    if options.format not in WRITERS:
        raise ValueError(f"no format {options.format!r}; {nearest(options.format, list(WRITERS))}")
    if options.workers < 1:
        raise ValueError(f"{options.workers} workers: expected 1 or more")
    folder = Folder(options.source)
    # Pinned, and told without its query.
    options = replace(options, source=folder.place)
    manifest = [row for row in folder.manifest.to_pylist() if row["file"]]
    _check(options, folder, manifest)
    origin = {"source": folder.digest, "format": options.format}
    with locked(options.out), whole_files_only(options.out):
        _begin(options.out, origin)
        missing = [] if _is_whole(options.out, origin) else [row for row in manifest if not _is_made(options, row)]
        if not _is_whole(options.out, origin):
            _check_space(options.out, sum(row["size"] for row in missing))
            _copy_plan(folder, options)
            in_processes(_Piece(options, tuple(missing)), len(missing), options.workers, progress)
            converted.finish(
                folder,
                options.out,
                options.format,
                {row["name"]: _read(_mark(options, row["name"])) for row in manifest},
            )
            write_json(options.out / MARKS / "whole.json", origin)
        for config in {row["config"] for row in manifest}:
            shutil.rmtree(options.out / MARKS / config, ignore_errors=True)
    size = sum(row["size"] for row in Folder(options.out).manifest.to_pylist())
    buildable = (options.out / ".build" / "plan.json").is_file()
    return ConvertReport(options.out, folder.index.num_rows, len(manifest), len(missing), size, buildable)


def _check(options: ConvertOptions, folder: Folder, manifest: list[dict[str, Any]]) -> None:
    """Raise ValueError or FolderError where there is nothing to convert, or no place for it.

    What the manifest says becomes names of files and folders here, and the source may be somebody else's.
    """
    for row in manifest:
        name = Path(row["file"]).with_suffix("").as_posix().removeprefix("data/")
        told = (row["name"], row["config"])
        if not SHARD_NAME.fullmatch(row["file"]) or told != (name, name.split("/")[0]):
            raise FolderError(
                f"{folder}/tables/manifest.parquet: {row['file']!r} of name {told[0]!r} and config {told[1]!r} is no "
                "shard as builds name them. Do not use this folder; get it again from its source"
            )
    if any(row["file"].endswith(WRITERS[options.format].ending) for row in manifest):
        raise ValueError(f"{options.source} is in format {options.format} already")
    out = options.out.absolute().resolve()
    if isinstance(folder.place, Path):
        here = folder.place.absolute().resolve()
        if here == out or here in out.parents or out in here.parents:
            raise FolderError(f"{options.out}: the new folder and {options.source} must lie apart")
    there = {path.name for path in out.iterdir()} if out.is_dir() else set()
    planned = (out / ".build" / "plan.json").exists()
    if (there - {".build"} or planned) and not (out / MARKS).is_dir():
        raise FolderError(f"{options.out}: holds other files and no conversion. Choose a new or empty folder")


def _begin(out: Path, origin: Mapping[str, str]) -> None:
    """Put on record what is converted here. Raises FolderError when it is another folder or format."""
    begun = out / MARKS / "begun.json"
    if begun.exists() and _read(begun) != origin:
        raise FolderError(f"{out}: holds a conversion of another folder or format. Choose a new or empty folder")
    write_json(begun, origin)


def _is_whole(out: Path, origin: Mapping[str, str]) -> bool:
    """Whether the conversion has finished and its shards lie there in full size."""
    if not (out / "checksums.sha256").is_file() or _read(out / MARKS / "whole.json") != origin:
        return False
    shards = [row for row in Folder(out).manifest.to_pylist() if row["file"]]
    files = [(out / row["file"], row["size"]) for row in shards]
    return all(file.is_file() and file.stat().st_size == size for file, size in files)


def _check_space(out: Path, needed: int) -> None:
    free = shutil.disk_usage(out).free
    if needed and needed + SPARE_BYTES > free:
        raise OSError(f"{out}: about {needed / 1e9:.2f} GB needed, {free / 1e9:.2f} GB free. Free some space")


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return None


def _mark(options: ConvertOptions, name: str) -> Path:
    return options.out / MARKS / f"{name}.json"


def _is_made(options: ConvertOptions, row: Mapping[str, Any]) -> bool:
    mark = _read(_mark(options, row["name"]))
    if not mark or mark["source"] != row["sha256"]:
        return False
    file = options.out / mark["file"]
    return bool(file.is_file() and file.stat().st_size == mark["size"])


def _copy_plan(folder: Folder, options: ConvertOptions) -> None:
    """What a build reads of an earlier one; the plan of a folder says its format."""
    if not isinstance(folder.place, Path):
        return
    for name in converted.CARRIED:
        if (folder.place / name).is_file():
            shutil.copyfile(folder.place / name, options.out / name)
    converted.convert_plan(folder.place, options.out, options.format)


@lru_cache(maxsize=1)
def _opened(source: str | Path | Place, digest: str) -> Folder:
    """The source, opened once in a process: of a remote one that fetches and hashes all tables."""
    return Folder(source)


def _same_source(options: ConvertOptions, origin: Mapping[str, str]) -> Folder:
    """The folder that the conversion began with. Raises FolderError when another build lies there now."""
    folder = _opened(options.source, origin["source"])
    if folder.digest != origin["source"]:
        _opened.cache_clear()
        raise FolderError(f"{folder}: changed while it was converted. Convert it again into a new or empty folder")
    return folder


@dataclass(frozen=True)
class _Piece:
    """One shard after another, in any process."""

    options: ConvertOptions
    rows: tuple[Mapping[str, Any], ...]

    def __call__(self, number: int) -> None:
        shard = self.rows[number]
        folder = _same_source(self.options, _read(self.options.out / MARKS / "begun.json"))
        config, rows = declared(folder, shard["config"]), index_rows(folder, shard["file"])
        relative = f"data/{shard['name']}{WRITERS[self.options.format].ending}"
        final = self.options.out / relative
        final.parent.mkdir(parents=True, exist_ok=True)
        writer = WRITERS[self.options.format](final.with_name(final.name + PART), config)
        for sample in _samples(folder, config, rows, shard):
            writer.add(sample)
        writer.close()
        offsets: dict[str, dict[str, int]] = {row["key"]: {} for row in rows}
        wanted = {(row["key"], entry["name"]): entry["sha256"] for row in rows for entry in row["fields"]}
        for key, name, offset, _, digest in writer.members():
            if wanted.pop((key, name), None) != digest:
                raise OSError(f"{writer.path}: {key}.{name} is not what was read; the disk may be failing")
            offsets[key][name] = offset
        if wanted:
            raise OSError(f"{writer.path}: {len(wanted)} members not found after writing; the disk may be failing")
        with writer.path.open("rb+") as written:
            digest = hashlib.file_digest(written, "sha256").hexdigest()
            os.fsync(written.fileno())
        writer.path.replace(final)
        sync_folder(final.parent)
        mark = {"source": shard["sha256"], "file": relative, "size": final.stat().st_size, "sha256": digest}
        write_json(_mark(self.options, shard["name"]), mark | {"offsets": offsets})


def _samples(folder: Folder, config: Config, rows: list[dict[str, Any]], shard: Mapping[str, Any]) -> Iterator[Sample]:
    """The samples of a shard in order, every member held against its sha256. Raises FolderError for another content."""
    facts = _facts(folder, config, rows, shard["name"])
    with open_shards(folder.source) as shards:
        for row in rows:
            places = {entry["name"]: (entry["offset"], entry["size"]) for entry in row["fields"]}
            read = shards.read({shard["file"]: list(places.values())})[shard["file"]]
            media = {name: bytes(read[place]) for name, place in places.items()}
            for entry in row["fields"]:
                if hashlib.sha256(media[entry["name"]]).hexdigest() != entry["sha256"]:
                    raise FolderError(
                        f"{folder}/{shard['file']}: {row['key']}.{entry['name']} does not match the index. "
                        "Run `facevox verify` and build it again with --recheck"
                    )
            yield Sample(row["key"], row["identity"], shard["split"], media, facts[row["key"]])


def _facts(folder: Folder, config: Config, rows: list[dict[str, Any]], name: str) -> dict[str, dict[str, Any]]:
    """Facts by key: as they were measured where the build left its sidecars, else as typed in the index."""
    sidecar = _read(sidecar_path(folder.place, name)) if isinstance(folder.place, Path) else None
    if sidecar:
        measured = {sample["key"]: sample["facts"] for sample in sidecar["samples"]}
        if measured.keys() == {row["key"] for row in rows}:
            return measured
    return {row["key"]: {fact.name: row[fact.name] for fact in config.facts} for row in rows}


def index_rows(folder: Folder, file: str) -> list[dict[str, Any]]:
    """The index rows of one shard, in order."""
    table = pq.read_table(folder.path / "tables" / "index.parquet", filters=[("shard", "=", file)])
    rows: list[dict[str, Any]] = table.sort_by("row").to_pylist()
    return rows


def declared(folder: Folder, config: str) -> Config:
    """Facts and media of a config in their order, from the card; types of facts from the index.

    Raises FolderError when the card does not tell them.
    """
    columns = converted.features(folder.path / "README.md", config)
    schema = converted.read_schema(folder.path / "tables" / "index.parquet")
    try:
        facts = [part["name"] for column in columns if column["name"] == "json" for part in column["struct"]]
        media = [column for column in columns if column["name"] not in ("__key__", "json")]
        fields = tuple(Field(column["name"], _kind(column), "") for column in media)
        return Config(config, "", fields, tuple(Fact(name, schema.field(name).type, "") for name in facts))
    except (KeyError, TypeError) as error:
        raise FolderError(f"{folder}/README.md: no features of config {config} ({error!r}); build it again") from None


def _kind(column: Mapping[str, Any]) -> Any:
    if column["dtype"] == "image":
        return "image"
    return "array" if column["name"].endswith(ARRAY) else "clip"
