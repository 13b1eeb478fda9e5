"""The tables of a dataset folder: what the shards left behind, and what a dataset adds, written as Parquet."""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from ...loaders.durable import written_aside
from ...loaders.folder import TABLES, file_sha256
from ...loaders.sample import FIELD_ENTRY, INDEX_KEYS, Config
from .builder import Builder
from .plan import Plan
from .raw import Folder
from .stage import Rejection

MANIFEST = pa.schema(
    [
        ("kind", pa.string()),
        ("name", pa.string()),
        ("config", pa.string()),
        ("split", pa.string()),
        ("file", pa.string()),
        ("size", pa.int64()),
        ("sha256", pa.string()),
        ("units", pa.int64()),
        ("samples", pa.int64()),
        ("rejected", pa.int64()),
        ("first_key", pa.string()),
        ("last_key", pa.string()),
    ]
)
QUARANTINE = pa.schema([(name, pa.string()) for name in Rejection.__dataclass_fields__])


def index_schema(configs: tuple[Config, ...]) -> pa.Schema:
    """INDEX_KEYS, every fact of every config once, and the member entries."""
    facts: dict[str, pa.DataType] = {}
    for config in configs:
        for fact in config.facts:
            if facts.setdefault(fact.name, fact.type) != fact.type:
                raise TypeError(f"fact {fact.name!r} has two types: {facts[fact.name]} and {fact.type}")
    return pa.schema([*INDEX_KEYS, *facts.items(), ("fields", pa.list_(FIELD_ENTRY))])


def index_row(sidecar: Mapping[str, Any], sample: Mapping[str, Any]) -> dict[str, Any]:
    where = {"config": sidecar["config"], "split": sidecar["split"], "shard": sidecar["file"]}
    own = {name: sample[name] for name in ("key", "row", "identity", "source_digest", "fields")}
    return {**where, **own, **sample["facts"]}


def manifest_row(sidecar: Mapping[str, Any]) -> dict[str, Any]:
    samples = sidecar["samples"]
    counts = {"samples": len(samples), "rejected": len(sidecar["rejections"])}
    keys = {"first_key": samples[0]["key"] if samples else None, "last_key": samples[-1]["key"] if samples else None}
    return {name: sidecar.get(name) for name in MANIFEST.names} | {"kind": "shard"} | counts | keys


def archive_row(rejection: Mapping[str, str]) -> dict[str, Any]:
    """An archive that gave nothing: a row without a file and without samples."""
    counts = {"size": 0, "sha256": "", "units": 0, "samples": 0, "rejected": 0}
    where = {"name": rejection["place"], "config": rejection["config"], "split": rejection["split"]}
    return dict.fromkeys(MANIFEST.names) | {"kind": rejection["kind"]} | where | counts


def write_table(out: Path, name: str, table: pa.Table) -> None:
    path = out / "tables" / f"{name}.parquet"
    with written_aside(path) as part, pq.ParquetWriter(part, table.schema) as file:
        # `datasets` fails on an empty row group but reads a file without any.
        if table.num_rows:
            file.write_table(table)


def write_added_tables(out: Path, builder: Builder, raw: Folder, plan: Plan) -> None:
    """The tables that a dataset adds, batch by batch: they may be larger than memory."""
    planned: defaultdict[str, set[str]] = defaultdict(set)
    for shard in plan.shards:
        planned[shard.config].update(unit.key for unit in shard.units)
    chosen = {config: frozenset(planned[config]) for config in plan.options["configs"]}
    for table in builder.tables:
        with (
            written_aside(out / "tables" / f"{table.name}.parquet") as part,
            pq.ParquetWriter(part, table.schema) as file,
        ):
            for batch in builder.rows(raw, table.name, chosen):
                if batch.num_rows:
                    file.write_batch(batch)


def tables_card(out: Path, builder: Builder) -> str:
    """The card of the folder `tables`, once the tables are written."""
    names = (*TABLES, *(table.name for table in builder.tables))
    # By these `datasets` tells one folder's tables from another's in its cache; it does not look at the files.
    infos = [
        {"config_name": name, "description": f"sha256 {file_sha256(out / 'tables' / f'{name}.parquet')}"}
        for name in names
    ]
    blocks = [{"config_name": name, "data_files": [{"split": "train", "path": f"{name}.parquet"}]} for name in names]
    added = "".join(f" `{table.name}`: {table.meaning}." for table in builder.tables)
    head = yaml.safe_dump({"license": builder.licence, "configs": blocks, "dataset_info": infos}, sort_keys=False)
    return f"""---
{head}---
# Tables of {builder.title}

`index`: one row per sample, its facts and where its bytes lie. `manifest`: one row per shard, and one per archive that
is missing, empty, unreadable or nobody's. `quarantine`: one row
per thing left out, with stage, place and reason. `identities`: one row per person.{added} Each loads as
`load_dataset(THIS_FOLDER, NAME, split="train")`.
"""
