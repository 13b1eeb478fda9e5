"""The batches that one worker of a stream makes: which bytes, read in file order, decoded."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch.utils.data import IterableDataset, default_convert, get_worker_info

from .arrow_buffers import as_arrow, as_numpy
from .decoded_copies import Copy, of_picture, of_sound
from .folder import Folder, Frames, decode_member, member_ranges, wanted_frames
from .members import Members
from .names import nearest
from .palette import heat_index
from .remote import Source, open_shards
from .shards import FolderError, Parts, Range, Request
from .sound_window import decode_part

Inputs = Callable[[Any], Any]
ALIGNING = ("frames", "alignment")
"""Facts that warping a clip takes."""


@dataclass(frozen=True)
class StreamOptions:
    """What a stream reads and how it batches.

    `fields`: media by name, None for all. `frames`: "all", n equally spaced, a sequence of numbers from 0, or a slice.
    `facts`: by name, those that `json` holds, None for all; few are had in less time than a hundred.
    `align` warps `visual.webp` into the thermal frame. `thermal`: "rgb" or "index" (palette index, which rises
    with heat). `decode=False` hands over bytes (a list of frame payloads for clips). `where` is a condition on facts.
    `by_length` names a fact, as in "seconds": batches then hold samples that are near in it. `sound_seconds` decodes
    only so many seconds from the middle of every sound, the whole where it is shorter; 0 decodes all. `workers` are
    processes; `threads` decode the frames of one clip at once in each of them (0: one by one). With threads and no
    workers one thread more makes the next batch, by `inputs` too, while the present one is used: `inputs` then see
    torch's settings of another thread, such as no_grad, and should draw random numbers of their own.
    """

    fields: tuple[str, ...] | None = None
    facts: tuple[str, ...] | None = None
    frames: Frames = "all"
    align: bool = False
    thermal: str = "rgb"
    decode: bool = True
    where: str = ""
    shuffle: bool = False
    seed: int = 0
    batch_size: int = 16
    drop_last: bool = False
    workers: int = 0
    rank: int = 0
    world: int = 1
    limit: int = 0
    by_length: str = ""
    sound_seconds: float = 0
    threads: int = 0


def together(samples: list[dict[str, Any]]) -> dict[str, Any]:
    """A batch as a dictionary: arrays of equal shape stacked, everything else as lists.

    What is stacked is an array (n, ...), in a worker process a tensor in shared memory.
    """
    batch: dict[str, Any] = {}
    for name in dict.fromkeys(name for sample in samples for name in sample):
        values: list[Any] = [sample.get(name) for sample in samples]
        shapes = {value.shape if isinstance(value, np.ndarray) else None for value in values}
        batch[name] = _stacked(values) if len(shapes) == 1 and None not in shapes else values
    return batch


def _stacked(values: list[np.ndarray[Any, Any]]) -> Any:
    """Arrays of one shape as one, copied once at most: in a worker process to where the training process sees it."""
    if len(values) == 1:
        return values[0][None]
    kinds = {value.dtype for value in values}
    if get_worker_info() is None or not values[0].size or len(kinds) > 1 or kinds.pop().kind not in "biufc":
        return np.stack(values)
    # Not of the values: torch takes no reversed ones, as of a picture turned from RGB to BGR.
    kind = torch.from_numpy(np.empty(0, values[0].dtype))
    storage = kind.untyped_storage()._new_shared(len(values) * values[0].nbytes)  # type: ignore[no-untyped-call]
    shared = torch.empty(0, dtype=kind.dtype).set_(storage).view(len(values), *values[0].shape)
    np.stack(values, out=shared.numpy())
    return shared


def as_tensors(batch: Any) -> Any:
    """Arrays of a batch as tensors, wherever they are, as torch's default_convert does it; the facts are not copied."""
    if type(batch) is dict:
        return {name: as_tensors(value) for name, value in batch.items()}
    return batch if _plain(batch) else default_convert(batch)  # type: ignore[no-untyped-call]


_PLAIN = {str, int, float, bool, bytes, type(None)}


def _plain(value: Any) -> bool:
    """Whether there is nothing of NumPy or torch in it."""
    kind = type(value)
    if kind is list or kind is dict:
        return all(map(_plain, value if kind is list else value.values()))
    return kind in _PLAIN


@dataclass(frozen=True)
class Failure:
    """An error on its way out of a worker, without the DataLoader's wrapping of its message."""

    error: Exception


@dataclass(frozen=True)
class Wanted:
    """What one sample of a batch needs: its members, and the byte ranges of each in the sample's shard."""

    row: int
    shard: str
    entries: list[dict[str, Any]]
    ranges: dict[str, list[Range]]
    warped: bool
    """Whether `visual.webp` is to be warped to the thermal frame."""
    place: float | None
    """Where in its sounds a part is to begin, 0 to 1; None for the middle."""
    copies: Mapping[str, Copy]
    """The decoded copies that are read in place of members."""


class Reader(Protocol):
    """What turns the row numbers of a batch into samples: first which bytes, then, of these, the samples."""

    def request(self, rows: Any) -> Request: ...

    def samples(self, request: Request, parts: Parts) -> Any: ...


class Plan(Protocol):
    """Which rows make which batch, as in Order."""

    def left(self, taken: int) -> int: ...

    def batch(self, epoch: int, number: int, taken: int, block: int) -> Any: ...


class Batches(IterableDataset[Any]):
    """The batches that one worker makes: every n-th from the shared position on."""

    def __init__(self, source: Source, reader: Reader, plan: Plan, inputs: Inputs) -> None:
        self.source, self.reader, self.plan, self.inputs = source, reader, plan, inputs
        # Living workers are told through shared memory where the next iteration begins: epoch, taken, block.
        self.position = torch.zeros(3, dtype=torch.int64).share_memory_()  # type: ignore[no-untyped-call]

    def __iter__(self) -> Iterator[Any]:
        try:
            with open_shards(self.source) as shards:
                for request, parts in shards.ahead(self._requests()):
                    yield self.inputs(self.reader.samples(request, parts))
        except (ValueError, OSError, IndexError) as error:
            yield Failure(error)

    def _requests(self) -> Iterator[Request]:
        worker = get_worker_info()
        first, step = (worker.id, worker.num_workers) if worker else (0, 1)
        epoch, taken, block = self.position.tolist()
        for number in range(first, self.plan.left(taken), step):
            yield self.reader.request(self.plan.batch(epoch, number, taken, block))


class SampleReader:
    """Decoded samples of index rows by number: which bytes, read in file order. Plain data, so that it can be pickled.

    Raises FolderError when a wanted field is missing in any of the rows, or there is no such fact.
    """

    def __init__(self, folder: Folder, table: pa.Table, options: StreamOptions) -> None:
        self.options = options
        self.facts = _chosen_facts(str(folder), table, options)
        self.members = Members(str(folder), table, options.fields)
        self.rates = _rates(table)

    def request(self, rows: NDArray[np.int64], places: NDArray[np.float64] | None = None) -> Request:
        """All byte ranges of some rows at once, to be read shard by shard in file order.

        `places` (rows,) in 0..1 say where the part of a sound begins that `sound_seconds` asks for; None: its middle.
        """
        begins = [None] * len(rows) if places is None else places.tolist()
        wanted = [self._wanted(int(row), place) for row, place in zip(rows, begins, strict=True)]
        by_shard: defaultdict[str, list[Range]] = defaultdict(list)
        for one in wanted:
            by_shard[one.shard] += [place for ranges in one.ranges.values() for place in ranges]
        return Request(by_shard, wanted)

    def samples(self, request: Request, parts: Parts) -> list[dict[str, Any]]:
        """Decode sample by sample what `request` asked for."""
        wanted: list[Wanted] = request.kept
        facts = self.facts.take(as_arrow(np.array([one.row for one in wanted], np.int64))).to_pylist()
        return [self._sample(one, own, parts[one.shard]) for one, own in zip(wanted, facts, strict=True)]

    def _wanted(self, row: int, place: float | None) -> Wanted:
        entries = self.members.entries(row)
        warped = self.options.align and self.options.decode and any(e["name"] == "visual.webp" for e in entries)
        stored = self.members.entry(row, "aligned.webp") if warped else None
        if stored is not None:
            # Kept by the build where the matrices do not reproduce the release's aligned frames.
            instead = {**stored, "name": "visual.webp", "member": "aligned.webp"}
            entries = [instead if e["name"] == "visual.webp" else e for e in entries]
        ranges = {entry["name"]: member_ranges(entry, self.options.frames) for entry in entries}
        copies = self._copies(row, entries, place) if self.options.decode else {}
        ranges |= {name: [copy.range] for name, copy in copies.items()}
        return Wanted(row, self.members.shard_name(row), entries, ranges, warped and stored is None, place, copies)

    def _copies(self, row: int, entries: list[dict[str, Any]], place: float | None) -> dict[str, Copy]:
        """What is stored decoded of the wanted sounds and pictures. Raises FolderError for one of another size."""
        found: dict[str, Copy] = {}
        for entry in entries:
            name = entry["name"]
            if (copy := self.members.copy(row, entry.get("member", name))) is None:
                continue
            try:
                if not _is_sound(name):
                    found[name] = of_picture(entry, copy)
                elif self.rates[row] > 0:
                    found[name] = of_sound(copy, int(self.rates[row]), self.options.sound_seconds, place)
            except ValueError as error:
                key = self.facts["key"][row].as_py()
                raise FolderError(f"{self.members.folder}: {key}.{name}: {error}. Run `facevox verify`") from None
        return found

    def _sample(self, wanted: Wanted, facts: dict[str, Any], parts: Mapping[Range, memoryview]) -> dict[str, Any]:
        key, identity = facts.pop("key"), facts.pop("identity")
        sample: dict[str, Any] = {"__key__": key, "__identity__": identity, "json": facts}
        for entry in wanted.entries:
            name = entry["name"]
            data = [parts[place] for place in wanted.ranges[name]]
            try:
                sample[name] = self._decoded(entry, data, wanted) if self.options.decode else _raw(entry, data)
            except ValueError as error:
                where = f"{self.members.folder}/{wanted.shard}: {key}.{name}"
                raise FolderError(f"{where}: {error}. Run `facevox verify` on the folder") from None
        if wanted.warped:
            thermal = self.members.entry(wanted.row, "thermal.webp")
            if thermal is None:
                raise FolderError(f"{key}: has no thermal.webp to align to; use align=False")
            numbers, size = wanted_frames(self.options.frames, facts["frames"]), (thermal["width"], thermal["height"])
            sample["visual.webp"] = aligned(sample["visual.webp"], numbers, facts, size, key)
        if self.options.facts is not None:
            sample["json"] = {name: facts[name] for name in self.options.facts}
        return sample

    def _decoded(self, entry: Mapping[str, Any], data: Sequence[memoryview], wanted: Wanted) -> Any:
        name, copy = entry["name"], wanted.copies.get(entry["name"])
        if copy is not None:
            array = copy.values(data[0])
        elif (seconds := self.options.sound_seconds) and _is_sound(name):
            return decode_part(data[0], seconds, wanted.place)
        else:
            array = decode_member(entry, data, self.options.threads)
        return heat_index(array) if name == "thermal.webp" and self.options.thermal == "index" else array


def _chosen_facts(folder: str, table: pa.Table, options: StreamOptions) -> pa.Table:
    """Columns of an index that samples are told of: key, identity, facts."""
    known = [name for name in table.column_names if name not in ("config", "split", "shard", "row", "fields")]
    if options.facts is None:
        return table.select(known)
    known = [name for name in known if name not in ("key", "identity")]
    if unknown := [name for name in options.facts if name not in known]:
        raise FolderError(f"{folder}: no fact {unknown[0]!r}; {nearest(unknown[0], known)}")
    needed = {"key", "identity", *options.facts, *(ALIGNING if options.align else ())}
    return table.select([name for name in ("key", "identity", *known) if name in needed])


def _rates(table: pa.Table) -> NDArray[np.int64]:
    """Of every row the Hz of its sounds, 0 where none is told."""
    if "sample_rate" not in table.column_names or not pa.types.is_integer(table["sample_rate"].type):
        return np.zeros(table.num_rows, np.int64)
    told = table["sample_rate"].combine_chunks()
    # Not `to_numpy`, which loads pandas.
    return as_numpy(told.fill_null(0) if told.null_count else told).astype(np.int64)


def _is_sound(name: str) -> bool:
    return name.endswith((".flac", ".wav"))


def _raw(entry: Mapping[str, Any], data: Sequence[memoryview]) -> Any:
    payloads = [bytes(part) for part in data]
    return payloads if entry["frame_offset"].size else payloads[0]


def aligned(
    visual: np.ndarray[Any, np.dtype[np.uint8]],
    numbers: Sequence[int],
    facts: Mapping[str, Any],
    size: tuple[int, int],
    key: str,
) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Warp visual frames (n, H, W, 3) uint8 of the given numbers (from 0) into thermal ones of `size` (width, height).

    Raises FolderError where no matrix covers a frame.
    """
    warped = np.empty((len(numbers), size[1], size[0], 3), np.uint8)
    segments = facts.get("alignment") or ()
    for place, number in enumerate(numbers):
        h = next((s["h"] for s in segments if s["first"] <= number + 1 <= s["last"]), None)
        if h is None:
            raise FolderError(
                f"{key}: frame {number + 1} has no alignment matrix; leave it out with where=, or align=False"
            )
        matrix = np.array(h, np.float64).reshape(3, 3)
        cv2.warpPerspective(visual[place], matrix, size, dst=warped[place], flags=cv2.INTER_LINEAR, borderValue=0)
    return warped
