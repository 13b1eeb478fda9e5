"""Protocols that sample: trials over sample keys as files, so that another model is asked the very same.

Kinds, with a column for each part of a trial:
batches, VFMR's: identities (4,), of each 4 voices and 8 faces, person after person; all triplets of a batch count.
matching: two people, a voice and a face of each. tuples: n voices and n faces, the k-th of both of one person, the
first is asked. verification: a voice, a face and whether they are of one person. retrieval: rows of a voice and a face
of one person, in groups that are galleries. The last four are the lists that vfal-eva evaluates with; facevox writes
them as JSON in its shape or as Parquet, and reads both.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ...loaders.durable import written_aside

VERSION = 1
MAX_BYTES = 1 << 30
"""Largest file that is read."""
WORD, WORDS = pa.string(), pa.list_(pa.string())
SCHEMAS: Mapping[str, pa.Schema] = {
    "batches": pa.schema({"identities": WORDS, "voices": WORDS, "faces": WORDS}),
    "matching": pa.schema(dict.fromkeys(("name1", "voice1", "face1", "name2", "voice2", "face2"), WORD)),
    "tuples": pa.schema({"voices": WORDS, "faces": WORDS}),
    "verification": pa.schema({"voice": WORD, "face": WORD, "same": pa.int8()}),
    "retrieval": pa.schema({"group": pa.int32(), "voice": WORD, "face": WORD, "name": WORD}),
}
LISTS = {"match_list", "list", "retrieval_lists", "batch_list"}
CROP_SCALE = "1.6"
"""A folder in vfal-eva's face keys that its lists leave out."""


@dataclass(frozen=True)
class Trials:
    """So many trials of one kind. Raises ValueError for an unknown kind, columns of another kind, or no trial."""

    name: str
    kind: str
    table: pa.Table

    def __post_init__(self) -> None:
        if self.kind not in SCHEMAS:
            raise ValueError(f"trials {self.name}: kind {self.kind!r}, expected one of {', '.join(SCHEMAS)}")
        wanted = SCHEMAS[self.kind]
        if self.table.schema.names != wanted.names or not self.table.num_rows:
            raise ValueError(
                f"trials {self.name}: {self.table.num_rows} of columns {', '.join(self.table.schema.names)}; expected "
                f"{', '.join(wanted.names)} and one row or more"
            )
        try:
            whole = self.table.cast(wanted)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise ValueError(f"trials {self.name}: {error}") from None
        if lacking := [name for name in wanted.names if whole[name].null_count]:
            raise ValueError(f"trials {self.name}: column {lacking[0]} has empty places")
        object.__setattr__(self, "table", whole.replace_schema_metadata(None))

    @classmethod
    def of(cls, name: str, kind: str, rows: Sequence[Sequence[Any]]) -> "Trials":
        """Of rows in the order of the kind's columns."""
        if kind not in SCHEMAS:
            raise ValueError(f"trials {name}: kind {kind!r}, expected one of {', '.join(SCHEMAS)}")
        schema = SCHEMAS[kind]
        if ragged := [len(row) for row in rows if len(row) != len(schema)]:
            raise ValueError(f"trials {name}: a row of {ragged[0]} parts, expected {len(schema)}")
        try:
            columns = [pa.array([row[at] for row in rows], field.type) for at, field in enumerate(schema)]
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise ValueError(f"trials {name}: {error}") from None
        return cls(name, kind, pa.Table.from_arrays(columns, schema=schema))

    @property
    def rows(self) -> list[tuple[Any, ...]]:
        """The trials in order."""
        return list(zip(*(column.to_pylist() for column in self.table.columns), strict=True))

    @property
    def digest(self) -> str:
        """First 12 hexadecimal digits of the SHA-256 of kind and trials as JSON; printed with every number."""
        text = json.dumps([VERSION, self.kind, self.rows], separators=(",", ":"))
        return sha256(text.encode()).hexdigest()[:12]

    def save(self, path: Path) -> None:
        """Write .json or .parquet, by the name. Raises ValueError for another ending."""
        about = {"name": self.name, "kind": self.kind, "version": VERSION, "digest": self.digest}
        if path.suffix == ".json":
            text = json.dumps(about | _shaped(self), indent=None, separators=(",", ":"), allow_nan=False) + "\n"
            with written_aside(path) as part:
                part.write_text(text, encoding="utf-8")
        elif path.suffix == ".parquet":
            stated = {f"facevox.{name}": str(value) for name, value in about.items()}
            with written_aside(path) as part:
                pq.write_table(self.table.replace_schema_metadata(stated), part)
        else:
            raise ValueError(f"{path}: trials are written as .json or .parquet")

    @classmethod
    def load(cls, path: Path) -> "Trials":
        """Read what `save` wrote, or a list of vfal-eva's as JSON. Nothing is unpickled.

        Raises ValueError for another file, one of more than 1 GiB, or one that was changed after it was written.
        """
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"{path}: {path.stat().st_size} bytes, expected at most {MAX_BYTES}")
        try:
            found, about = _read_parquet(path) if path.suffix == ".parquet" else _read_json(path)
        except (
            pa.ArrowException,
            UnicodeDecodeError,
            json.JSONDecodeError,
            RecursionError,
            KeyError,
            TypeError,
        ) as error:
            raise ValueError(
                f"{path}: no trials that can be read ({type(error).__name__}). Lists of others must be JSON; a .pkl is "
                "never opened"
            ) from None
        if int(about.get("version", VERSION)) > VERSION:
            raise ValueError(f"{path}: trials of version {about['version']}, this facevox reads {VERSION}. Update it")
        if (written := about.get("digest", found.digest)) != found.digest:
            raise ValueError(f"{path}: digest {written} written, the trials give {found.digest}; it was edited")
        return found


def _shaped(trials: Trials) -> dict[str, Any]:
    """The trials as vfal-eva's lists have them."""
    rows = trials.rows
    if trials.kind == "matching":
        voices, faces = (sorted({key for row in rows for key in (row[at], row[at + 3])}) for at in (1, 2))
        return {"wav_set": voices, "jpg_set": faces, "match_list": rows}
    if trials.kind == "retrieval":
        groups = sorted({row[0] for row in rows})
        return {"retrieval_lists": [[row[1:] for row in rows if row[0] == group] for group in groups]}
    return {{"tuples": "match_list", "verification": "list", "batches": "batch_list"}[trials.kind]: rows}


def _read_json(path: Path) -> tuple[Trials, Mapping[str, Any]]:
    content = json.loads(path.read_text(encoding="utf-8"))
    name = str(content.get("name", path.stem)) if isinstance(content, dict) else ""
    if not isinstance(content, dict) or not (listed := LISTS & {*content}):
        raise ValueError(f"{path}: no list of trials; expected one of {', '.join(sorted(LISTS))}")
    member = listed.pop()
    rows = content[member]
    if member == "retrieval_lists":
        rows = [(number, *row) for number, group in enumerate(rows) for row in group]
    if member == "match_list":
        kind = "tuples" if rows and len(rows[0]) == 2 else "matching"
    else:
        kind = {"list": "verification", "retrieval_lists": "retrieval", "batch_list": "batches"}[member]
    return Trials.of(name, kind, rows), content


def _read_parquet(path: Path) -> tuple[Trials, Mapping[str, Any]]:
    with pq.ParquetFile(path) as file:
        groups = (file.metadata.row_group(at).total_byte_size for at in range(file.metadata.num_row_groups))
        if (unpacked := sum(groups)) > MAX_BYTES:
            raise ValueError(f"{path}: {unpacked} bytes unpacked, expected at most {MAX_BYTES}")
        table = file.read()
    about = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
    about = {name.removeprefix("facevox."): value for name, value in about.items()}
    kinds = [kind for kind, schema in SCHEMAS.items() if schema.names == table.schema.names]
    kind = about.get("kind") or (kinds[0] if kinds else "unknown")
    return Trials(about.get("name", path.stem), kind, table), about


def without_crop_scale(key: str) -> str:
    """vfal-eva's face key as its lists have it: `<Name>/1.6/<ytid>/x.jpg` -> `<Name>/<ytid>/x.jpg`."""
    parts = key.split("/")
    return "/".join(parts[:1] + parts[2:]) if len(parts) > 2 and parts[1] == CROP_SCALE else key
