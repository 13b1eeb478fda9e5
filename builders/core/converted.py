"""Tables, cards and plan of a converted folder: those of its source with other files, offsets and digests."""

import hashlib
import json
import re
import shutil
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from ...loaders.durable import write_bytes, write_json, written_aside
from ...loaders.folder import Folder, FolderError, file_sha256
from ...loaders.shards import SHARD_NAME
from ...loaders.verify_working import FOLLOWED, shard_digest
from . import croissant
from .decisions import DECIDABLE, FILE
from .folder_tables import write_table
from .shard import sidecar_path
from .writers import WRITERS

CARRIED = (FILE, FOLLOWED, DECIDABLE)
"""Files that no format changes: decisions of people, which of them a build followed, and what can be decided."""
Marks = Mapping[str, Mapping[str, Any]]
"""By shard name: the new `file`, `size`, `sha256`, and `offsets` of members by key and field."""


def finish(folder: Folder, out: Path, form: str, marks: Marks) -> None:
    """Write tables, cards, sidecars and, last, checksums.sha256."""
    (out / "checksums.sha256").unlink(missing_ok=True)
    ending = WRITERS[form].ending
    _index(folder, out, marks)
    manifest = [row | _moved(marks.get(row["name"])) for row in folder.manifest.to_pylist()]
    schema = read_schema(folder.path / "tables" / "manifest.parquet")
    write_table(out, "manifest", pa.Table.from_pylist(manifest, schema=schema))
    for name in sorted({*folder.tables} - {"index", "manifest"}):
        with written_aside(out / "tables" / f"{name}.parquet") as part:
            shutil.copyfile(folder.path / "tables" / f"{name}.parquet", part)
    _sidecars(folder, out, marks)
    sums = {row["file"]: row["sha256"] for row in manifest if row["file"]}
    sums |= {f"tables/{name}.parquet": file_sha256(out / "tables" / f"{name}.parquet") for name in folder.tables}
    cards = {
        "tables/README.md": _tables_card(folder, sums),
        "README.md": _card(folder, manifest, form),
        croissant.NAME: _croissant(folder, ending, sums),
    }
    for name, data in cards.items():
        if data:
            write_bytes(out / name, data)
            sums[name] = hashlib.sha256(data).hexdigest()
    write_bytes(out / "checksums.sha256", "".join(f"{sums[name]}  {name}\n" for name in sorted(sums)).encode())


def read_schema(table: Path) -> pa.Schema:
    """The schema that a table was written with."""
    return pa.schema([(field.name, _written(field.type)) for field in pq.read_schema(table)])


def _written(kind: pa.DataType) -> pa.DataType:
    # Parquet calls what is in a list `element`, Arrow `item`.
    if pa.types.is_list(kind):
        return pa.list_(_written(kind.value_type))
    return pa.struct([(part.name, _written(part.type)) for part in kind]) if pa.types.is_struct(kind) else kind


def _moved(mark: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: mark[name] for name in ("file", "size", "sha256")} if mark else {}


def _index(folder: Folder, out: Path, marks: Marks) -> None:
    """Shard by shard, as a build writes it: one row group each."""
    by_file = {row["file"]: row["name"] for row in folder.manifest.to_pylist() if row["file"]}
    path = folder.path / "tables" / "index.parquet"
    schema = read_schema(path)
    with written_aside(out / "tables" / "index.parquet") as part, pq.ParquetWriter(part, schema) as index:
        for file, name in by_file.items():
            rows = pq.read_table(path, filters=[("shard", "=", file)]).sort_by("row").to_pylist()
            for row in rows:
                row["shard"] = marks[name]["file"]
                _move(row["key"], row["fields"], marks[name])
            if rows:
                index.write_table(pa.Table.from_pylist(rows, schema=schema))


def _move(key: str, fields: list[dict[str, Any]], mark: Mapping[str, Any]) -> None:
    for entry in fields:
        entry["offset"] = mark["offsets"][key][entry["name"]]


# --- working state ---


def convert_plan(source: Path, out: Path, form: str) -> None:
    """The source's plan for another format, where it has one: the same units, other digests.

    Raises FolderError for a shard whose name is none: sidecars are written by it.
    """
    plan_file = source / ".build" / "plan.json"
    if not plan_file.is_file():
        return
    plan = json.loads(plan_file.read_text())
    for shard in plan["shards"]:
        if not SHARD_NAME.fullmatch(f"data/{shard['name']}.{form}"):
            raise FolderError(f"{plan_file}: {shard['name']!r} is no name of a shard. Do not use this folder")
    plan["options"]["format"] = form
    shards = [shard_digest(plan, shard) for shard in plan["shards"]]
    plan["digest"] = _sha256("\n".join([*shards, *(str(row) for row in plan["rejections"])]))
    write_json(out / ".build" / "plan.json", plan)


def _sidecars(folder: Folder, out: Path, marks: Marks) -> None:
    plan_file = out / ".build" / "plan.json"
    if not isinstance(folder.place, Path) or not plan_file.is_file():
        return
    plan = json.loads(plan_file.read_text())
    for shard in plan["shards"]:
        sidecar = json.loads(sidecar_path(folder.place, shard["name"]).read_text())
        sidecar["digest"] = shard_digest(plan, shard)
        sidecar |= _moved(marks.get(shard["name"]))
        for sample in sidecar["samples"]:
            _move(sample["key"], sample["fields"], marks[shard["name"]])
        write_json(sidecar_path(out, shard["name"]), sidecar)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


# --- cards ---


def _divided(card: Path) -> tuple[dict[str, Any], str]:
    """The YAML head of a card and the text after it. Raises FolderError when there is none."""
    parts = card.read_text(encoding="utf-8").split("---\n", 2)
    try:
        head = yaml.safe_load(parts[1]) if len(parts) == 3 else None
    except yaml.YAMLError:
        head = None
    if not isinstance(head, dict):
        raise FolderError(f"{card}: no YAML head between lines of '---'; build the folder again")
    return head, parts[2]


def features(card: Path, config: str) -> list[dict[str, Any]]:
    """The columns of a config's samples as a card lists them. Raises FolderError for a card without them."""
    head, _ = _divided(card)
    for info in head.get("dataset_info", []):
        if info.get("config_name") == config and isinstance(info.get("features"), list):
            return list(info["features"])
    raise FolderError(f"{card}: no features of config {config}; build the folder again")


def _together(head: Mapping[str, Any], text: str) -> bytes:
    return f"---\n{yaml.safe_dump(dict(head), sort_keys=False)}---\n{text}".encode()


def _card(folder: Folder, manifest: list[dict[str, Any]], form: str) -> bytes:
    """The dataset's card: patterns, sizes and digests of shards, and the row of the format, are the new ones."""
    head, text = _divided(folder.path / "README.md")
    digests: defaultdict[str, Any] = defaultdict(hashlib.sha256)
    sizes: defaultdict[tuple[str, str], int] = defaultdict(int)
    for row in manifest:
        if row["kind"] == "shard":
            digests[row["config"]].update(row["sha256"].encode())
            sizes[row["config"], row["split"]] += row["size"]
    for block in head["configs"]:
        for files in block["data_files"]:
            files["path"] = str(Path(files["path"]).with_suffix(WRITERS[form].ending))
    for info in head["dataset_info"]:
        config = info["config_name"]
        info["description"] = f"sha256 of its shards' sha256: {digests[config].hexdigest()}"
        for split in info["splits"]:
            split["num_bytes"] = sizes[config, split["name"]]
    text = re.sub(r"^\| `format` \| `\w+` \|$", f"| `format` | `{form}` |", text, count=1, flags=re.M)
    for (config, split), size in sizes.items():
        line = rf"^(\| {config} \| {split} \|(?: [0-9,.]+ \|){{4}}) [0-9,.]+ \|$"
        text = re.sub(line, rf"\g<1> {size / 1e6:,.1f} |", text, count=1, flags=re.M)
    return _together(head, text)


def _tables_card(folder: Folder, sums: Mapping[str, str]) -> bytes:
    head, text = _divided(folder.path / "tables" / "README.md")
    for info in head["dataset_info"]:
        table = f"tables/{info['config_name']}.parquet"
        info["description"] = f"sha256 {sums[table]}"
    return _together(head, text)


def _croissant(folder: Folder, ending: str, sums: Mapping[str, str]) -> bytes:
    """The source's croissant.json for other shards; b"" where an older build wrote none."""
    file = folder.path / croissant.NAME
    if not file.is_file():
        return b""
    document = json.loads(file.read_text(encoding="utf-8"))
    for part in document["distribution"]:
        if part["@type"] == "cr:FileObject":
            part["sha256"] = sums[part["contentUrl"]]
        else:
            part["description"] = croissant.packing(ending)
            part["encodingFormat"] = croissant.ENCODINGS[ending]
            part["includes"] = [str(Path(pattern).with_suffix(ending)) for pattern in part["includes"]]
    return croissant.as_bytes(document)
