"""A built folder's tars as a webdataset pipeline, with decoding attached."""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from .folder import Folder, FolderError, Frames, check_frames, opened
from .huggingface import decode_field


def webdataset(
    path: Folder | str | Path,
    config: str,
    split: str,
    *,
    fields: Sequence[str] | None = None,
    frames: Frames = "all",
    decode: bool = True,
    **pipeline: Any,
) -> Any:
    """`webdataset.WebDataset` over the shards of one split: a pipeline for `.shuffle`, `.map`, `.batched` and the like.

    Samples are dictionaries: `__key__`, `json` (the facts) and the media named by `fields` (default: all), decoded as
    in `load_dataset`, or bytes. `pipeline` goes to WebDataset, as in nodesplitter=webdataset.split_by_node. It reads
    shards from end to end: choose a `facevox.stream` for few frames, exact resume or equal ranks.
    Raises FolderError for a folder of another format, an unknown config or split.
    """
    from webdataset import WebDataset

    check_frames(frames)
    folder = opened(path)
    shards = folder.shards(config, split)
    if other := next((shard.suffix for shard in shards if shard.suffix != ".tar"), ""):
        raise FolderError(
            f"{folder}: webdataset reads tar shards, these are {other}; use facevox.stream, or build as tar"
        )
    wanted = {fields} if isinstance(fields, str) else None if fields is None else set(fields)
    known = pc.unique(pc.struct_field(pc.list_flatten(folder.index["fields"]), "name")).to_pylist()
    if unknown := sorted((wanted or set()) - set(known)):
        raise FolderError(f"{folder}: no field {unknown[0]!r}; there is: {', '.join(known)}")
    samples = WebDataset(
        [str(shard) for shard in shards],
        **{"shardshuffle": False, "select_files": partial(_selected, wanted), **pipeline},
    )
    return samples.map(partial(_decoded, frames=frames, decode=decode))


def _selected(wanted: set[str] | None, member: str) -> bool:
    name = member.rsplit("/", 1)[-1].partition(".")[2]
    return wanted is None or name == "json" or name in wanted


def _decoded(sample: Mapping[str, Any], frames: Frames, decode: bool) -> dict[str, Any]:
    given = {name: value for name, value in sample.items() if name == "__key__" or not name.startswith("__")}
    if decode:
        given = {name: decode_field(name, value, frames) if name != "json" else value for name, value in given.items()}
    return {**given, "json": json.loads(given["json"])}
