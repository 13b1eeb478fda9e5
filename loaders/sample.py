"""What one sample may carry: a key, a person, a split, named media and typed facts."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pyarrow as pa

SPLITS = ("train", "validation", "test")
SPLIT_GROUP = "split_group"
"""The fact of samples whose split does not part people but something of theirs, such as their videos."""
KEY = re.compile(r"[a-z0-9][a-z0-9_-]*")
Kind = Literal["clip", "audio", "image", "array"]
ARRAY = ".array"
"""Ending of an `array`, a NumPy file (`.npy`) by content: `np.load(io.BytesIO(sample["NAME.array"]))`.

Under its usual name `datasets` would decode it out of a tar, not out of Parquet, and lose its shape on the way."""


def copy_name(name: str) -> str:
    """The field that holds what a sound or picture decodes to, where a build was asked for such copies."""
    return f"{name}{ARRAY}"


FIELD_ENTRY = pa.struct(
    [
        ("name", pa.string()),
        ("offset", pa.uint64()),
        ("size", pa.uint64()),
        ("sha256", pa.string()),
        ("width", pa.uint32()),
        ("height", pa.uint32()),
        ("frame_offset", pa.list_(pa.uint32())),
        ("frame_size", pa.list_(pa.uint32())),
    ]
)
"""Where a member lies: absolute offset in the shard; frame offsets count from the member's first byte."""

INDEX_KEYS = (
    ("key", pa.string()),
    ("config", pa.string()),
    ("split", pa.string()),
    ("shard", pa.string()),
    ("row", pa.uint32()),
    ("identity", pa.string()),
    ("source_digest", pa.string()),
)
"""The columns that every index row begins with; facts follow, `fields` (a list of FIELD_ENTRY) closes.

`source_digest` is of the release's files that the sample was made of: the same for any options and decisions."""


@dataclass(frozen=True)
class Field:
    """One medium of a sample; its name is a file ending, equal in tar, Parquet and Arrow."""

    name: str
    kind: Kind
    meaning: str
    optional: bool = False

    def __post_init__(self) -> None:
        if (self.kind == "array") != self.name.endswith(ARRAY):
            raise ValueError(f"field {self.name}: arrays, and nothing else, end in {ARRAY}")


@dataclass(frozen=True)
class Fact:
    """One typed fact of a sample, a key of its `json` member and a column of the index."""

    name: str
    type: pa.DataType
    meaning: str


@dataclass(frozen=True)
class Config:
    """The media and facts that every sample of one configuration has."""

    name: str
    meaning: str
    fields: tuple[Field, ...]
    facts: tuple[Fact, ...]
    default: bool = True
    """Whether a build that names no config makes it."""

    def facts_type(self) -> pa.StructType:
        """The `json` member as an Arrow struct."""
        return pa.struct([(fact.name, fact.type) for fact in self.facts])

    def schema(self) -> pa.Schema:
        """Columns of a Parquet or Arrow shard, and the keys of a sample loaded from a tar: one list for all."""
        picture = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        columns = [(f.name, picture if f.kind == "image" else pa.binary()) for f in self.fields]
        return pa.schema([("__key__", pa.string()), ("json", self.facts_type()), *columns])


@dataclass(frozen=True)
class Sample:
    """One sample on its way through a build: `media` maps field names to encoded bytes."""

    key: str
    identity: str
    split: str
    media: Mapping[str, bytes]
    facts: Mapping[str, Any] = field(default_factory=dict)


def check_key(key: str) -> str:
    """Return the key, or raise ValueError unless it is lower-case ASCII letters, digits, `_` and `-` without a dot."""
    if not KEY.fullmatch(key):
        raise ValueError(f"key {key!r}: expected lower-case letters, digits, '_' and '-', as in '001_1_2_4_0117'")
    return key
