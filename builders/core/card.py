"""Sidecars to tables, dataset card and checksums: a pure function of what the shards left behind."""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from ...loaders.durable import write_bytes, written_aside
from ...loaders.folder import TABLES, file_sha256
from ...loaders.folder import Folder as DatasetFolder
from ...loaders.sample import SPLITS, Config
from ...loaders.statistics import Statistics, described, statistics
from . import croissant
from .access_terms import access_terms
from .builder import Builder
from .folder_tables import (
    MANIFEST,
    QUARANTINE,
    archive_row,
    index_row,
    index_schema,
    manifest_row,
    tables_card,
    write_added_tables,
    write_table,
)
from .followed import Followed, Tally
from .plan import Plan
from .raw import Folder
from .review import Review
from .shard import sidecar_path
from .writers import WRITERS

TERMS = ("source", "licence", "consent")
"""Facts that every sample of every dataset carries."""


def finish(out: Path, builder: Builder, plan: Plan, review: Review, raw: Folder) -> Followed:
    """Write tables, cards and, last, checksums.sha256, whose presence says that the folder is whole.

    The tables that a dataset adds are read from `raw` once more. Returns what became of people's decisions.
    """
    (out / "checksums.sha256").unlink(missing_ok=True)
    configs = tuple(config for config in builder.configs if config.name in plan.options["configs"])
    totals, tally = Totals(configs), Tally(review, {config.name: builder.decidable(config) for config in configs})
    rejections = [rejection.row() for rejection in plan.rejections]
    tally.add("", (), rejections)
    manifest = []
    schema = index_schema(configs)
    with written_aside(out / "tables" / "index.parquet") as part, pq.ParquetWriter(part, schema) as index:
        for sidecar in _sidecars(out, plan):
            manifest.append(manifest_row(sidecar))
            rejections += sidecar["rejections"]
            tally.add(sidecar["config"], sidecar["samples"], sidecar["rejections"])
            rows = [index_row(sidecar, sample) for sample in sidecar["samples"]]
            totals.add(sidecar, builder.person_facts)
            if rows:
                index.write_table(pa.Table.from_pylist(rows, schema=schema))
    archives = [r for r in rejections if r["kind"].endswith(" archive")]
    manifest += [archive_row(row) for row in archives]
    rejections.sort(key=lambda r: (r["config"], r["split"], r["key"], r["stage"], r["place"]))
    write_table(out, "manifest", pa.Table.from_pylist(manifest, schema=MANIFEST))
    write_table(out, "quarantine", pa.Table.from_pylist(rejections, schema=QUARANTINE))
    write_table(out, "identities", totals.identities(schema, builder.person_facts, configs))
    write_added_tables(out, builder, raw, plan)
    write_bytes(out / "tables" / "README.md", tables_card(out, builder).encode())
    counted = statistics(DatasetFolder(out)) if totals.facts and builder.name in described() else None
    followed = tally.followed()
    card = _card(builder, configs, totals, rejections, plan.options, counted, followed)
    write_bytes(out / "README.md", card.encode())
    _sum_up(out, builder, plan, totals, {row["file"]: row["sha256"] for row in manifest if row["file"]})
    return followed


def _sidecars(out: Path, plan: Plan) -> Iterator[dict[str, Any]]:
    for shard in plan.shards:
        yield json.loads(sidecar_path(out, shard.name).read_text())


class Totals:
    """Counts for the card and the identities table, gathered shard by shard."""

    def __init__(self, configs: tuple[Config, ...]) -> None:
        self._order = [config.name for config in configs]
        self._told_by: dict[str, str] = {}
        self.digests: defaultdict[str, Any] = defaultdict(hashlib.sha256)
        """Of the shards of a config."""
        self.samples: Counter[tuple[str, str]] = Counter()
        self.bytes: Counter[tuple[str, str]] = Counter()
        self.frames: Counter[tuple[str, str]] = Counter()
        self.seconds: Counter[tuple[str, str]] = Counter()
        self.people: dict[tuple[str, str], set[str]] = defaultdict(set)
        self.facts: dict[str, dict[str, Any]] = {}
        self.terms: Counter[tuple[str, ...]] = Counter()
        self.of_person: Counter[tuple[str, str]] = Counter()

    def add(self, sidecar: Mapping[str, Any], person_facts: tuple[str, ...]) -> None:
        at = (sidecar["config"], sidecar["split"])
        self.bytes[at] += sidecar["size"]
        self.digests[sidecar["config"]].update(sidecar["sha256"].encode())
        for sample in sidecar["samples"]:
            facts = sample["facts"]
            self.samples[at] += 1
            self.frames[at] += facts.get("frames") or 0
            self.seconds[at] += facts.get("seconds") or 0
            self.people[at].add(sample["identity"])
            person = {name: facts.get(name) for name in person_facts}
            self._tell(sample["identity"], sidecar["config"], {"split": sidecar["split"], **person})
            self.of_person[sample["identity"], sidecar["config"]] += 1
            self.terms[tuple(str(facts.get(name)) for name in TERMS)] += 1

    def _tell(self, who: str, config: str, facts: dict[str, Any]) -> None:
        """A person's split is that of the dataset's first config that holds the person."""
        told = self._told_by.get(who)
        if told is None or self._order.index(config) < self._order.index(told):
            self._told_by[who], self.facts[who] = config, facts

    @property
    def forged(self) -> bool:
        """Whether every sample says that its release was forged."""
        return bool(self.terms) and all(source.startswith("forged") for source, *_ in self.terms)

    def identities(self, index: pa.Schema, person_facts: tuple[str, ...], configs: tuple[Config, ...]) -> pa.Table:
        """One row per person: split (null for one in several), facts that never change, samples per config."""
        homes = Counter((config, who) for (config, _), people in self.people.items() for who in people)
        for who in {who for (_, who), splits in homes.items() if splits > 1}:
            self.facts[who]["split"] = None
        counts = [(f"samples_{config.name}", pa.int64()) for config in configs]
        own = [(name, index.field(name).type) for name in person_facts]
        schema = pa.schema([("identity", pa.string()), ("split", pa.string()), *own, *counts])
        rows = [
            {"identity": who, **facts, **{f"samples_{c.name}": self.of_person[who, c.name] for c in configs}}
            for who, facts in sorted(self.facts.items())
        ]
        return pa.Table.from_pylist(rows, schema=schema)


def _sum_up(out: Path, builder: Builder, plan: Plan, totals: Totals, shards: Mapping[str, str]) -> None:
    """Write croissant.json and checksums.sha256, which name what the build wrote: `verify` notices a stranger."""
    tables = (*TABLES, *(table.name for table in builder.tables))
    own = ["README.md", "tables/README.md", *(f"tables/{name}.parquet" for name in tables)]
    sums = {**shards, **{name: file_sha256(out / name) for name in own}}
    splits = {c: [split for split in SPLITS if totals.samples[c, split]] for c in plan.options["configs"]}
    filled = {config: found for config, found in splits.items() if found}
    described = croissant.croissant(out, builder, filled, WRITERS[plan.options["format"]].ending, totals.forged, sums)
    write_bytes(out / croissant.NAME, described)
    sums[croissant.NAME] = hashlib.sha256(described).hexdigest()
    write_bytes(out / "checksums.sha256", "".join(f"{sums[name]}  {name}\n" for name in sorted(sums)).encode())


def feature(name: str, kind: pa.DataType) -> dict[str, Any]:
    """One feature as the card's YAML spells it, read by `datasets` without any code of ours."""
    if kind == pa.struct([("bytes", pa.binary()), ("path", pa.string())]):
        return {"name": name, "dtype": "image"}
    if pa.types.is_struct(kind):
        return {"name": name, "struct": [feature(part.name, part.type) for part in kind]}
    if pa.types.is_list(kind):
        inner = feature("", kind.value_type)
        return {"name": name, "list": inner.get("dtype") or inner.get("struct")}
    return {"name": name, "dtype": {"double": "float64", "float": "float32"}.get(str(kind), str(kind))}


def _front_matter(builder: Builder, configs: tuple[Config, ...], totals: Totals, ending: str) -> dict[str, Any]:
    blocks: list[dict[str, Any]] = []
    infos: list[dict[str, Any]] = []
    for config in configs:
        splits = [split for split in SPLITS if totals.samples[config.name, split]]
        if not splits:
            continue
        files = [{"split": split, "path": f"data/{config.name}/{split}-*{ending}"} for split in splits]
        sizes = [(split, totals.bytes[config.name, split], totals.samples[config.name, split]) for split in splits]
        counts = [{"name": split, "num_bytes": size, "num_examples": count} for split, size, count in sizes]
        first = {"default": True} if not blocks else {}
        blocks.append({"config_name": config.name, **first, "data_files": files})
        columns = [feature(column.name, column.type) for column in config.schema()]
        # `datasets` looks for what it has in its cache by this card, not by the shards.
        digest = f"sha256 of its shards' sha256: {totals.digests[config.name].hexdigest()}"
        infos.append({"config_name": config.name, "description": digest, "features": columns, "splits": counts})
    about: dict[str, Any] = {"pretty_name": builder.title, "license": builder.licence, "tags": list(builder.tags)}
    if totals.forged:
        about |= {"pretty_name": f"{builder.title} (forged)", "license": "other", "license_name": "forged-by-facevox"}
    terms = access_terms(builder.card(), totals.forged)
    return {**about, **terms, "configs": blocks, "dataset_info": infos}


FORGED = """> **Nobody in this folder exists.** It was built from a release that facevox forged in the layout of
> {title}, for demonstrations and tests. Counts and tables here are those of the forged release. What follows under
> "About the real release" (licence, consent, bias, inconsistencies) describes the real one, not this folder."""


def _card(
    builder: Builder,
    configs: tuple[Config, ...],
    totals: Totals,
    rejections: list[dict[str, str]],
    options: Mapping[str, Any],
    counted: Statistics | None,
    followed: Followed,
) -> str:
    ending = WRITERS[options["format"]].ending
    head = yaml.safe_dump(_front_matter(builder, configs, totals, ending), sort_keys=False)
    title = f"{builder.title} (forged)" if totals.forged else builder.title
    parts = [
        f"---\n{head}---\n",
        f"# {title}\n\nBuilt by facevox; every count below is taken from the shards.\n",
        FORGED.format(title=builder.title) if totals.forged else "",
        _contents(configs, totals),
        _built_with(builder, options),
        "## Terms\n\n" + _rows((*TERMS, "samples"), [(*terms, count) for terms, count in sorted(totals.terms.items())]),
        _statistics(counted) if counted else "",
        _left_out(rejections),
        followed.markdown(),
        _loading(configs, totals),
        "# About the real release" if totals.forged else "",
        builder.card(),
        counted.errata.markdown() if counted else "",
        _dictionary(configs),
    ]
    return "\n".join(part.strip() + "\n" for part in parts if part)


def _built_with(builder: Builder, options: Mapping[str, Any]) -> str:
    """The options of the build: a reader must see at once what is lossy or left out on purpose."""
    unset = {"subjects": "all", "configs": "all"}
    rows = [(f"`{n}`", f"`{v}`" if v not in ("", []) else unset.get(n, "not set")) for n, v in options.items()]
    return "## Built with\n\n" + _rows(("option", "value"), rows) + "".join(f"\n\n**{n}**" for n in builder.notes())


def _rows(header: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join(
        "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in line) + " |" for line in lines
    )


def _contents(configs: tuple[Config, ...], totals: Totals) -> str:
    rows = [
        (c.name, s, f"{totals.samples[c.name, s]:,}", len(totals.people[c.name, s]), f"{totals.frames[c.name, s]:,}",
         f"{totals.seconds[c.name, s] / 60:,.1f}", f"{totals.bytes[c.name, s] / 1e6:,.1f}")
        for c in configs for s in SPLITS if totals.samples[c.name, s]
    ]  # fmt: skip
    return "## Contents\n\n" + _rows(("config", "split", "samples", "people", "frames", "minutes", "MB"), rows)


def _statistics(counted: Statistics) -> str:
    """The paper's tables beside this folder's, and how people and measurements are distributed.

    Numbers alone: a picture would make every build load a drawing library, whose versions draw other bytes.
    """
    draws = "`facevox stats THIS_FOLDER --out DIR` prints these tables and draws the histograms."
    return "\n\n".join(["## Statistics", draws, *(table.markdown(3) for table in counted.tables)])


def _left_out(rejections: list[dict[str, str]]) -> str:
    if not rejections:
        return "## Left out\n\nNothing of what the options above ask for."
    per_stage = Counter((r["config"], r["stage"]) for r in rejections)
    first = {(r["config"], r["stage"]): r["reason"] for r in reversed(rejections)}
    rows = [(*at, count, first[at]) for at, count in sorted(per_stage.items())]
    text = "Each is a row of `tables/quarantine.parquet` with stage, place and reason; a broken archive is one row.\n\n"
    archives = defaultdict[tuple[str, str], list[str]](list)
    for row in rejections:
        if row["kind"].endswith(" archive"):
            archives[row["config"], row["kind"]].append(row["place"])
    named = [(*at, len(places), ", ".join(places)) for at, places in sorted(archives.items())]
    listed = "\n\n" + _rows(("config", "archives", "count", "which"), named) if named else ""
    return "## Left out\n\n" + text + _rows(("config", "stage", "rows", "first of them"), rows) + listed


def _loading(configs: tuple[Config, ...], totals: Totals) -> str:
    name = next((c.name for c in configs if any(totals.samples[c.name, s] for s in SPLITS)), configs[0].name)
    split = next((s for s in SPLITS if totals.samples[name, s]), "train")
    return f"""## Loading

```python
from datasets import load_dataset
samples = load_dataset("THIS_FOLDER", "{name}", split="{split}", streaming=True)   # clips and sounds come as bytes
index = load_dataset("THIS_FOLDER/tables", "index", split="train")              # also: manifest, identities, quarantine

import facevox
samples = facevox.load_dataset("THIS_FOLDER", "{name}", split="{split}")           # the same, decoded to arrays
```

Stream the large configs: map mode first copies all media into the local Arrow cache. A clip is one animated WebP whose
frames Pillow (`n_frames`, `seek`) and OpenCV (`imdecodeanimation`) decode; sounds are FLAC. An empty quarantine loads
with `streaming=True` only."""


def _dictionary(configs: tuple[Config, ...]) -> str:
    parts = []
    for config in configs:
        media = [(f"`{f.name}`", f.kind + (", may be absent" if f.optional else ""), f.meaning) for f in config.fields]
        facts = [(f"`json.{fact.name}`", _short(fact.type), fact.meaning) for fact in config.facts]
        parts.append(
            f"### {config.name}\n\n{config.meaning}\n\n" + _rows(("name", "type", "meaning"), [*media, *facts])
        )
    return "## Fields and facts\n\n" + "\n\n".join(parts)


def _short(kind: pa.DataType) -> str:
    if pa.types.is_list(kind):
        return f"list of {_short(kind.value_type)}"
    return "{" + ", ".join(part.name for part in kind) + "}" if pa.types.is_struct(kind) else str(kind)
