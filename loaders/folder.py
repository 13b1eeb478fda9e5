"""A built dataset on disk: its tables, its shards, and only the bytes that are asked for."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache, cached_property
from hashlib import sha256
from itertools import repeat
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from .arrays import decode_array
from .media import decode_audio, decode_frame, decode_picture
from .places import Place, place_of
from .range_cache import CacheOptions, RangeCache
from .remote import RemoteFolder, Source, described, open_shards
from .remote_tables import fetched
from .retries import tried
from .sample import ARRAY, INDEX_KEYS
from .shards import FolderError as FolderError
from .shards import file_sha256 as file_sha256
from .shards import shard_name

TABLES = ("index", "manifest", "quarantine", "identities")
MAX_CLIP_BYTES = 4 << 30
"""Largest decoded clip: 3,600 visual frames of 768x512."""
Frames = int | Sequence[int] | slice | Literal["all"]


def wanted_frames(frames: Frames, count: int) -> list[int]:
    """Frame numbers (from 0) of a clip of `count` frames: "all", a list, a slice, or n equally spaced ones.

    n equally spaced frames are linspace(0, count - 1, n) truncated to integers, as in SpeakingFaces' gender baseline:
    n = 3 gives first, middle, last; a clip with fewer than n frames gives some of them twice. Raises ValueError for
    anything else, IndexError for a number outside the clip.
    """
    check_frames(frames)
    if isinstance(frames, str):
        return list(range(count))
    if isinstance(frames, slice):
        return list(range(count))[frames]
    if isinstance(frames, int):
        return [int(number) for number in np.linspace(0, count - 1, frames)]
    numbers = [int(number) for number in frames]
    if any(not 0 <= number < count for number in numbers):
        raise IndexError(f"frames {numbers} of a clip of {count} frames: expected 0 to {count - 1}")
    return numbers


def check_frames(frames: Frames) -> None:
    """Raise ValueError unless `frames` is a choice that wanted_frames knows."""
    whole = isinstance(frames, int) and not isinstance(frames, bool) and frames > 0
    several = isinstance(frames, Sequence) and not isinstance(frames, str) and len(frames) > 0
    if not (whole or several or isinstance(frames, slice) or frames == "all"):
        raise ValueError(
            f"frames={frames!r}: expected 'all', a number above 0, a list of frame numbers from 0, or a slice"
        )


class Folder:
    """A built dataset folder: a path, or a place that fsspec knows (s3://, hf://datasets/user/name, https://, ..).

    Of a remote folder `path` is a local copy of its tables and cards; its shards are read by byte ranges, kept as
    `cache` says. `storage_options` go to the filesystem. Raises FolderError when there is none, or an unfinished one.
    """

    def __init__(
        self,
        path: str | Path | Place,
        storage_options: Mapping[str, Any] | None = None,
        cache: CacheOptions | None = None,
    ) -> None:
        self.place = place_of(path, storage_options)
        if isinstance(self.place, Path):
            self.path = self.place
        else:
            tried(self.place.pin, str(self.place))
            self.cache = cache or CacheOptions()
            self.path = fetched(self.place, self.cache)
        if not (self.path / "tables" / "index.parquet").is_file():
            unfinished = (self.path / ".build").is_dir()
            todo = "its build has not finished: run the same build command again" if unfinished else "no dataset folder"
            hint = "" if unfinished else ". Pass the folder that `facevox build` was given as --out"
            raise FolderError(f"{self}: {todo} (tables/index.parquet is missing){hint}")

    def __repr__(self) -> str:
        return f"Folder({str(self)!r})"

    def __str__(self) -> str:
        return str(self.place)

    @property
    def local(self) -> Path:
        """The folder's own path. Raises FolderError for a remote one."""
        if not isinstance(self.place, Path):
            raise FolderError(f"{self}: lies in a remote place; this needs a folder on a local disk")
        return self.place

    @cached_property
    def source(self) -> Source:
        """What reads of its shards need, in any process; see open_shards."""
        if isinstance(self.place, Path):
            return self.place
        return RemoteFolder(self.place, described(self.manifest, self.index), RangeCache(self.cache))

    @property
    def tables(self) -> list[str]:
        """Names of the tables: those of TABLES, and what the dataset adds, such as `candidates`."""
        return sorted(path.stem for path in (self.path / "tables").glob("*.parquet"))

    def table(self, name: str) -> pa.Table:
        """One of `tables`. Raises FolderError for another name."""
        if name not in (*TABLES, *self.tables):
            raise FolderError(f"{self} has no table {name!r}; there is: {', '.join(self.tables)}")
        with self._table_file(name) as file:
            return file.read()

    @contextmanager
    def _table_file(self, name: str) -> Iterator[pq.ParquetFile]:
        """A table's file, to be read within. Raises FolderError where it is damaged."""
        # read_table would import pyarrow.dataset, and with it pandas: over a second before the first batch.
        path = self.path / "tables" / f"{name}.parquet"
        try:
            with pq.ParquetFile(path, memory_map=True) as file:
                yield file
        except (FileNotFoundError, PermissionError):
            raise
        except (pa.ArrowException, OSError, KeyError) as error:
            raise FolderError(
                f"{path}: not a readable table ({type(error).__name__}). Run `facevox verify` on the folder, then the "
                "build command, which writes its tables again"
            ) from None

    @cached_property
    def index(self) -> pa.Table:
        """One row per sample: INDEX_KEYS, the facts, and where every member lies."""
        return self.table("index")

    @cached_property
    def quarantine(self) -> pa.Table:
        """What was left out: key, config, split, stage, place, reason, kind, measured (JSON)."""
        return self.table("quarantine")

    @cached_property
    def manifest(self) -> pa.Table:
        """One row per planned shard."""
        return self.table("manifest")

    @cached_property
    def dataset(self) -> str:
        """Which dataset it holds: what the identities in its tables begin with; "" when it holds nobody.

        Raises FolderError for a damaged table.
        """
        with self._table_file("identities") as file:
            if not file.metadata.num_rows:
                return ""
            first: str = file.read_row_group(0, columns=["identity"])["identity"][0].as_py()
        return first.split("/")[0]

    @property
    def configs(self) -> list[str]:
        return sorted(pc.unique(self.manifest["config"]).to_pylist())

    def splits(self, config: str) -> list[str]:
        """Splits of a config that hold samples. Raises FolderError for an unknown config."""
        if config not in self.configs:
            raise FolderError(f"{self} has no config {config!r}; there is: {', '.join(self.configs)}")
        return sorted(
            {s["split"] for s in self.manifest.to_pylist() if s["config"] == config and s["file"]}, key=_split_order
        )

    def shards(self, config: str, split: str) -> list[Path]:
        """Shard files of one split in order. Raises FolderError when there are none, or the folder is remote."""
        return [self.local / name for name in self.shard_names(config, split)]

    def shard_names(self, config: str, split: str) -> list[str]:
        """Shards of one split in order, relative to the folder. Raises FolderError when there are none."""
        files = [
            s["file"] for s in self.manifest.to_pylist() if (s["config"], s["split"]) == (config, split) and s["file"]
        ]
        if not files:
            raise FolderError(
                f"{self}: config {config!r} has no split {split!r}; there is: {', '.join(self.splits(config))}"
            )
        return [shard_name(str(self), file) for file in files]

    @property
    def digest(self) -> str:
        """One hash for the whole content: of checksums.sha256. Raises FolderError when a build is under way."""
        file = self.path / "checksums.sha256"
        if not file.is_file():
            raise FolderError(f"{self}: checksums.sha256 is missing; run the build command again to finish the folder")
        return sha256(file.read_bytes()).hexdigest()

    def rows(self, key: str) -> list[dict[str, Any]]:
        """The index rows of a key, one per config. Raises FolderError with the first keys there are when unknown."""
        found: list[dict[str, Any]] = self.index.filter(pc.equal(self.index["key"], pa.scalar(key))).to_pylist()
        if not found:
            some = ", ".join(self.index["key"].slice(0, 3).to_pylist())
            raise FolderError(f"{self} has no sample {key!r}; keys look like: {some}")
        return found

    def row(self, key: str, config: str | None = None) -> dict[str, Any]:
        """The index row of one sample. Raises FolderError when unknown, or in several configs and none is named."""
        found = self.rows(key)
        chosen = [row for row in found if config in (None, row["config"])]
        if len(chosen) != 1:
            places = ", ".join(row["config"] for row in found)
            raise FolderError(f"{self}: sample {key!r} is in {places}; name one of them as config")
        return chosen[0]

    def fetch(
        self,
        keys: Iterable[str],
        fields: Sequence[str] | None = None,
        frames: Frames = "all",
        config: str | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Decoded samples, reading only the bytes of the asked fields and frames.

        Yields what `load_dataset` gives with decoding attached: `__key__`, `json` (the facts), and per field an array:
        clips (frames, H, W, 3) uint8 RGB, pictures (H, W, 3) uint8 RGB, audio (samples,) int16.
        `config` is needed for keys that are in several configs, as those of `utterances` and `crops`.
        Raises FolderError for an unknown key or field, or when a shard is cut.
        """
        for key in keys:
            row = self.row(key, config)
            yield decoded(row, self._members(row, fields, frames))

    def _members(self, row: Mapping[str, Any], fields: Sequence[str] | None, frames: Frames) -> dict[str, Any]:
        entries = {entry["name"]: entry for entry in row["fields"]}
        if unknown := [name for name in fields or () if name not in entries]:
            raise FolderError(f"{row['key']} has no field {unknown[0]!r}; there is: {', '.join(entries)}")
        chosen = {name: entries[name] for name in (fields if fields is not None else entries)}
        wanted = {name: member_ranges(entry, frames) for name, entry in chosen.items()}
        with open_shards(self.source) as shards:
            parts = shards.read({row["shard"]: [r for ranges in wanted.values() for r in ranges]})[row["shard"]]
        return {name: decode_member(chosen[name], [parts[r] for r in ranges]) for name, ranges in wanted.items()}


def opened(folder: Folder | str | Path) -> Folder:
    """The folder itself, or the one at a path or place."""
    return folder if isinstance(folder, Folder) else Folder(folder)


def _split_order(split: str) -> int:
    return ("train", "validation", "test").index(split)


def member_ranges(entry: Mapping[str, Any], frames: Frames) -> list[tuple[int, int]]:
    """Byte ranges (offset in the shard, size) of a member: one per wanted frame of a clip, else the whole member."""
    if not len(entry["frame_offset"]):
        return [(entry["offset"], entry["size"])]
    numbers = wanted_frames(frames, len(entry["frame_offset"]))
    return [(int(entry["offset"] + entry["frame_offset"][n]), int(entry["frame_size"][n])) for n in numbers]


@cache
def _pool(process: int, threads: int) -> ThreadPoolExecutor:
    """The threads of this process: those of the one it was forked from are not here."""
    return ThreadPoolExecutor(threads, f"decoding-{process}")


def decode_member(entry: Mapping[str, Any], parts: Sequence[memoryview], threads: int = 0) -> NDArray[Any]:
    """Bytes of a member (or of its wanted frames, by so many threads) to an array; see Folder.fetch for shapes."""
    if len(entry["frame_offset"]):
        shape = (len(parts), int(entry["height"]), int(entry["width"]), 3)
        if np.prod([int(edge) for edge in shape], dtype=object) > MAX_CLIP_BYTES:
            raise FolderError(f"clip {entry['name']} of {shape} pixels: more than {MAX_CLIP_BYTES:,} bytes; refused")
        clip = np.empty(shape, np.uint8)
        sizes = repeat(entry["width"]), repeat(entry["height"])
        # The list is for the errors of the threads, which come with their results.
        list((_pool(os.getpid(), threads).map if threads > 1 else map)(decode_frame, parts, *sizes, clip))
        return clip
    if entry["name"].endswith((".flac", ".wav")):
        return decode_audio(bytes(parts[0]))[0]
    if entry["name"].endswith(ARRAY):
        return decode_array(bytes(parts[0]))
    return decode_picture(bytes(parts[0]))


def decoded(row: Mapping[str, Any], members: Mapping[str, Any]) -> dict[str, Any]:
    """A sample as `load_dataset` shapes it, from its index row and decoded members."""
    facts = {name: value for name, value in row.items() if name not in _NOT_FACTS}
    return {"__key__": row["key"], "json": facts, **members}


_NOT_FACTS = {name for name, _ in INDEX_KEYS} | {"fields"}
