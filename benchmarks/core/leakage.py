"""Does anything of the test occur in training: people, clips, source files, media, near-duplicate faces."""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ...loaders.folder import Folder, FolderError
from ...loaders.sample import SPLIT_GROUP
from .controls import Control

CLIPS = ("clip", "video", "youtube_id", "recording")
"""Facts that name what a sample was cut from."""
SIDE = 16
"""Differences along each edge of a picture's hash: 256 bits."""
NEAR = 6
"""Bits of 256 in which near-duplicate pictures differ at most: recompression and small changes of size stay within."""
LOOKED_AT = 2000
"""Pictures of a split that are decoded, equally spaced; digests and names are compared for all."""
PICTURES = (".jpg", ".jpeg", ".png", ".webp")


def leakage(
    folder: Folder,
    tested: str,
    trained: str = "train",
    configs: tuple[str, ...] = (),
    training: Folder | None = None,
) -> list[Control]:
    """What the split `tested` shares with the split `trained`: people, clips, source files and media, and pictures.

    `training` is the folder that `trained` is a split of, where it is another one. Compares index rows for the first
    four, and 256-bit difference hashes of decoded pictures (of a clip the first frame) for the last. People may be in
    both where the folder says that its splits part something else. Only `configs` are looked at, or all where none is
    named: configs of one folder may be split differently. Reads the folders once for each pair of splits.
    """
    own = _Reference(folder)
    other = own if training is None or training.digest == own.digest else _Reference(training)
    return list(_leakage(own, tested, other, trained, configs))


def training_leakage(
    checkpoint: Path, digest: str, folder: Folder, tested: str, training: str | Path = ""
) -> list[Control]:
    """`leakage` of a split with the train split of the folder of `digest` that a checkpoint states; none if it is this.

    That folder is `training`, or lies where the config.json beside the checkpoint says. Where it does not, one control
    fails: nothing is known then. Raises FolderError for a `training` that is no folder.
    """
    if digest == folder.digest:
        return []
    lies = Folder(training) if training else stated_training(checkpoint)
    if lies is None or lies.digest != digest:
        place = f"at {training}" if training else "where config.json says"
        said = f"not checked: the folder it was trained on, digest {digest[:12]}, is not {place}; give it as --training"
        return [Control("leakage", f"{tested} beside the training of {checkpoint}", said, False)]
    return leakage(folder, tested, training=lies)


def stated_training(checkpoint: Path) -> Folder | None:
    """The folder that the config.json beside a checkpoint names, if it is still one."""
    try:
        stated = json.loads((checkpoint.parent / "config.json").read_text(encoding="utf-8"))
        return Folder(str(stated["data"]))
    except (OSError, ValueError, LookupError, TypeError, FolderError):
        return None


class _Reference:
    """A folder that counts as equal to another of the same digest: what is found of it is found once."""

    def __init__(self, folder: Folder) -> None:
        self.folder, self.digest = folder, folder.digest

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Reference) and other.digest == self.digest

    def __hash__(self) -> int:
        return hash(self.digest)


@lru_cache(maxsize=16)
def _leakage(
    own: _Reference, tested: str, other: _Reference, trained: str, configs: tuple[str, ...]
) -> tuple[Control, ...]:
    folder, training = own.folder, other.folder
    about = f"{tested} beside {trained}" + ("" if own == other else f" of {training}")
    configs = configs or tuple(folder.configs)
    sides = [_names(_part(one, split, configs)) for one, split in ((folder, tested), (training, trained))]
    controls = []
    for kind in sides[0]:
        ours, theirs = sides[0][kind], sides[1].get(kind, set())
        shared = sorted(ours & theirs)
        if kind == "people" and shared and own == other and _parts_otherwise(_part(folder, tested, configs)):
            said = (
                f"{len(shared)} of {len(ours)} people are in both, as this folder's splits mean it: {SPLIT_GROUP} parts"
            )
            controls.append(Control("leakage", about, said, True))
        elif ours and theirs:
            controls.append(Control("leakage", about, f"{_told(kind, shared, len(ours))}", not shared))
    return (*controls, *_near((folder, tested), (training, trained), configs, about))


def _told(kind: str, shared: Sequence[str], of: int) -> str:
    some = f", as {shared[0]}" if shared else ""
    return f"{len(shared)} of {of:,} {kind} occur in both{some}; expected 0"


def _part(folder: Folder, split: str, configs: tuple[str, ...]) -> pa.Table:
    """The index rows of a split in some configs."""
    rows = folder.index
    return rows.filter(pc.and_(pc.equal(rows["split"], split), pc.is_in(rows["config"], pa.array(configs))))


def _names(part: pa.Table) -> dict[str, set[str]]:
    """By kind, what the samples of a split are named or hashed by."""
    found = {"people": {str(name) for name in part["identity"].unique().to_pylist()}}
    for fact in CLIPS:
        if fact in part.column_names:
            found[f"values of {fact}"] = {str(value) for value in part[fact].drop_null().unique().to_pylist()}
    if "source_digest" in part.column_names:
        found["source files"] = {str(v) for v in part["source_digest"].drop_null().unique().to_pylist() if v}
    hashes = pc.struct_field(pc.list_flatten(part["fields"]), "sha256")
    found["media"] = {str(value) for value in hashes.unique().to_pylist()}
    return found


def _parts_otherwise(part: pa.Table) -> bool:
    return SPLIT_GROUP in part.column_names and bool(part[SPLIT_GROUP].null_count < part.num_rows)


def _near(
    tested: tuple[Folder, str], trained: tuple[Folder, str], configs: tuple[str, ...], about: str
) -> Iterator[Control]:
    """The nearest picture of training to each of the test, config by config, one picture field of each folder."""
    there = dict(_pictures(trained[0]))
    for config, field in _pictures(tested[0]):
        if config not in configs or config not in there:
            continue
        # Another folder may call its faces otherwise.
        (ours, our_keys), (theirs, their_keys) = (
            _hashes(folder, config, name, split)
            for (folder, split), name in ((tested, field), (trained, there[config]))
        )
        if not len(ours) or not len(theirs):
            continue
        nearest, place = _nearest(ours, theirs)
        close = np.flatnonzero(nearest <= NEAR)
        least = int(nearest.argmin())
        said = (
            f"{len(close)} of {len(ours):,} pictures {field} of {config} have a near duplicate among {len(theirs):,}; "
            f"the nearest differ in {nearest[least]} of {SIDE * SIDE} bits ({our_keys[least]}, "
            f"{their_keys[place[least]]}), expected more than {NEAR}"
        )
        yield Control("leakage", about, said, not len(close))


def _pictures(folder: Folder) -> list[tuple[str, str]]:
    """One picture field of every config that has any: faces, or what the camera saw."""
    first: dict[str, Mapping[str, object]] = {}
    for row in folder.index.select(["config", "fields"]).slice(0, None).to_batches(max_chunksize=256):
        for config, fields in zip(row["config"].to_pylist(), row["fields"].to_pylist(), strict=True):
            first.setdefault(config, {entry["name"]: entry for entry in fields})
    found = []
    for config, fields in sorted(first.items()):
        named = [name for name in fields if name.endswith(PICTURES)]
        liked = [name for name in named if not name.startswith("thermal")] or named
        found += [(config, liked[0])] if liked else []
    return found


def _hashes(folder: Folder, config: str, field: str, split: str) -> tuple[NDArray[np.uint8], list[str]]:
    """Hashes (N, 32) uint8 of equally spaced samples, and their keys."""
    chosen = pc.and_(pc.equal(folder.index["config"], config), pc.equal(folder.index["split"], split))
    keys = folder.index.filter(chosen)["key"].to_pylist()
    keys = [keys[at] for at in np.unique(np.linspace(0, len(keys) - 1, LOOKED_AT).astype(int))] if keys else []
    found = [difference_hash(sample[field]) for sample in folder.fetch(keys, (field,), frames=1, config=config)]
    return np.array(found, np.uint8).reshape(len(found), SIDE * SIDE // 8), keys


def difference_hash(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 3) or (1, H, W, 3) uint8 -> 256 bits as (32,) uint8: is each of 16x17 grey cells darker than the next."""
    grey = cv2.cvtColor(picture.reshape(picture.shape[-3:]), cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (SIDE + 1, SIDE), interpolation=cv2.INTER_AREA).astype(np.int16)
    return np.packbits(small[:, 1:] > small[:, :-1])


def _nearest(ours: NDArray[np.uint8], theirs: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of every row the smallest number of different bits to a row of the others, and which row; some rows at a time."""
    least, where = [], []
    for start in range(0, len(ours), 64):
        apart = np.bitwise_count(ours[start : start + 64, None] ^ theirs[None]).sum(2, dtype=np.int64)
        where.append(apart.argmin(1))
        least.append(apart.min(1))
    return np.concatenate(least), np.concatenate(where)
