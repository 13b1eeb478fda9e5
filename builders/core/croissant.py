"""`croissant.json`: the folder described in the Croissant 1.0 vocabulary (MLCommons, mlcommons.org/croissant/1.0).

Says nothing that is not in the dataset's own card, tables or options, and no date: equal builds give equal bytes.
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ...loaders.sample import SPLITS, Config, Field
from .builder import Builder

NAME = "croissant.json"
CONFORMS_TO = "http://mlcommons.org/croissant/1.0"
RAI = "http://mlcommons.org/croissant/RAI/1.0"
_OWN_WORDS = (
    *("citeAs", "column", "equivalentProperty", "extract", "field", "fileObject", "fileProperty", "fileSet", "format"),
    *("includes", "isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet", "references", "regex"),
    *("repeated", "replace", "samplingRate", "separator", "source", "subField", "transform"),
)
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    **{word: f"cr:{word}" for word in _OWN_WORDS},
}
ENCODINGS = {
    ".tar": "application/x-tar",
    ".parquet": "application/x-parquet",
    ".arrow": "application/vnd.apache.arrow.stream",
}
LICENCES = {"cc-by-4.0": "https://creativecommons.org/licenses/by/4.0/"}
MEDIA = {
    "clip": ("sc:ImageObject", "animated WebP; decoded (frames, height, width, 3) uint8 RGB"),
    "image": ("sc:ImageObject", "encoded picture; decoded (height, width, 3) uint8 RGB"),
    "audio": ("sc:AudioObject", "FLAC; decoded (samples,) int16"),
    "array": ("sc:Text", "bytes of a NumPy file (.npy)"),
}
_INTEGERS = {"int8": "cr:Int8", "int16": "cr:Int16", "int32": "cr:Int32", "int64": "cr:Int64", "uint8": "cr:UInt8"}
TYPES = {
    **_INTEGERS,
    **{"uint16": "cr:UInt16", "uint32": "cr:UInt32", "uint64": "cr:UInt64", "bool": "sc:Boolean"},
    **{"float": "cr:Float32", "double": "cr:Float64", "string": "sc:Text"},
}
FORGED = "Nobody in this folder exists: it was built from a release that facevox forged. This is of the real release: "


def croissant(
    out: Path, builder: Builder, splits: Mapping[str, Sequence[str]], ending: str, forged: bool, sums: Mapping[str, str]
) -> bytes:
    """The content of `croissant.json` for a folder whose tables lie there; `splits` of each config that has samples.

    `sums` are the sha256 of the files by name. A FileSet has none in this vocabulary: those of the shards are the
    column `sha256` of the manifest.
    """
    configs = [config for config in builder.configs if config.name in splits]
    tables = sorted(name for name in sums if name.startswith("tables/") and name.endswith(".parquet"))
    parts = [_table_file(name, sums[name]) for name in tables]
    parts += [_shards(config, splits[config.name], ending) for config in configs]
    records = [_table_records(out, name) for name in tables]
    records += [_sample_records(config, ending) for config in configs]
    document = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": [CONFORMS_TO, RAI],
        "name": f"{builder.title} (forged)" if forged else builder.title,
        **_terms(builder, forged),
        "keywords": list(builder.tags),
        "distribution": parts,
        "recordSet": records,
    }
    return as_bytes(document)


def as_bytes(document: Mapping[str, Any]) -> bytes:
    """A document as it is written."""
    return (json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False) + "\n").encode()


def _terms(builder: Builder, forged: bool) -> dict[str, Any]:
    """Description, licence, citation and the responsible-AI properties, in the words of the dataset's card."""
    sections = card_sections(builder.card())
    told = {name: paragraphs(text) for name, text in sections.items()}
    use = told.get("Intended use", [])
    personal = [*told.get("Licence and consent", []), *(text for text in use if "biometric" in text.lower())]
    mark = FORGED if forged else ""
    found = {
        "description": mark + " ".join(told.get("What it is", [builder.title])[:1]),
        "license": "forged by facevox" if forged else LICENCES.get(builder.licence, builder.licence),
        "citeAs": "\n".join(re.findall(r"^@\w+\{.*?^\}", sections.get("Citation", ""), re.M | re.S)),
        "rai:personalSensitiveInformation": [mark + text for text in personal],
        "rai:dataUseCases": [mark + text for text in use],
        "rai:dataBiases": [mark + text for text in told.get("Bias", [])],
    }
    return {name: value for name, value in found.items() if value}


def card_sections(card: str) -> dict[str, str]:
    """The text under each heading of the second level of a Markdown card."""
    pieces = re.split(r"^## (.+)$", card, flags=re.M)
    return dict(zip(pieces[1::2], (text.strip() for text in pieces[2::2]), strict=True))


def paragraphs(text: str) -> list[str]:
    """Paragraphs and list items of Markdown, each as one line."""
    return [" ".join(part.split()) for part in re.split(r"\n\s*\n|\n(?=- )", text) if part.strip()]


def _table_file(name: str, digest: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "contentUrl": name,
        "encodingFormat": ENCODINGS[".parquet"],
        "sha256": digest,
    }


def _shards(config: Config, splits: Sequence[str], ending: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileSet",
        "@id": f"shards/{config.name}",
        "name": f"shards/{config.name}",
        "description": packing(ending),
        "encodingFormat": ENCODINGS[ending],
        "includes": [f"data/{config.name}/{split}-*{ending}" for split in SPLITS if split in splits],
    }


def packing(ending: str) -> str:
    """What shards of an ending are, in the words of `croissant.json`."""
    known = {".tar": "WebDataset tars: a column is the members of that ending", ".arrow": "Arrow IPC streams"}
    return f"{known.get(ending, 'Parquet files')}; sha256 of each in tables/manifest.parquet."


def _table_records(out: Path, file: str) -> dict[str, Any]:
    """The flat columns of a table; lists and structs (where members lie, spans of alignment) are left to the file."""
    name = Path(file).stem
    flat = [column for column in pq.read_schema(out / file) if str(column.type) in TYPES]
    fields = [
        _field(f"{name}/{column.name}", "", TYPES[str(column.type)], {"fileObject": {"@id": file}}, column.name)
        for column in flat
    ]
    return {"@type": "cr:RecordSet", "@id": name, "name": name, "field": fields}


def _sample_records(config: Config, ending: str) -> dict[str, Any]:
    """Key, facts and media of a config's samples."""
    source = {"fileSet": {"@id": f"shards/{config.name}"}}
    where = f"samples/{config.name}"
    fields = [_field(f"{where}/__key__", "The sample's key.", "sc:Text", source, "__key__")]
    nested = []
    for fact in config.facts:
        repeated = pa.types.is_list(fact.type)
        kind = TYPES.get(str(fact.type.value_type if repeated else fact.type))
        if not kind:
            nested.append(fact.name)
            continue
        found = _field(f"{where}/json/{fact.name}", fact.meaning, kind, source, "json", fact.name)
        fields.append(found | ({"repeated": True} if repeated else {}))
    fields += [_medium(where, field, source) for field in config.fields]
    # mlcroissant cannot cast a list of structs.
    left = f" Facts of several parts are in the column json alone: {', '.join(nested)}." if nested else ""
    return {
        "@type": "cr:RecordSet",
        "@id": where,
        "name": where,
        "description": config.meaning + left,
        "key": {"@id": f"{where}/__key__"},
        "field": fields,
    }


def _medium(where: str, field: Field, source: Mapping[str, Any]) -> dict[str, Any]:
    kind, shape = MEDIA[field.kind]
    absent = " May be absent." if field.optional else ""
    # A picture's column is what `datasets` calls an image: a struct of bytes and path.
    inside = "bytes" if field.kind == "image" else ""
    return _field(f"{where}/{field.name}", f"{field.meaning} ({shape}).{absent}", kind, source, field.name, inside)


def _field(
    where: str, meaning: str, kind: str, source: Mapping[str, Any], column: str, inside: str = ""
) -> dict[str, Any]:
    taken: dict[str, Any] = {**source, "extract": {"column": column}}
    if inside:
        taken["transform"] = {"jsonPath": inside}
    told = {"description": meaning} if meaning else {}
    return {"@type": "cr:Field", "@id": where, "name": where, **told, "dataType": kind, "source": taken}
