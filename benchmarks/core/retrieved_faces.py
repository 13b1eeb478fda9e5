"""Faces that a model finds by a voice, as a picture: the own one, then the nearest of the gallery that is measured."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from ...loaders.folder import Folder
from ...models.core.grid import tiled
from .embeddings import Embeddings
from .faces_told import Told
from .metrics import nearness
from .retrieval import galleries, round_seeds
from .table import Picture

VOICES = 6
"""Rows of the picture, of as many people."""
NEAREST = 5
"""Faces of a row beside the own one."""
SIDE = 96
"""Pixels of a face; a longer side is brought to it, the rest is white."""
RING = 2
"""Pixels of each of the frame's lines: two of its colour and a white one between."""
FRAME = (11, 87, 208)
"""Blue, RGB; told from no frame by its two lines too, not by colour alone."""
DIVIDER = 24
"""Pixels of white between own faces and those found, beside the gaps."""
QUALITY = 80
"""Of the WebP file."""


@dataclass(frozen=True)
class Retrieved:
    """Of one voice: the key of an own face, those of the nearest faces, nearest first, and which are the own person's.

    `among` faces were searched, which may hold the own one shown.
    """

    own: str
    nearest: tuple[str, ...]
    right: tuple[bool, ...]
    among: int


def by_voices(embeddings: Embeddings, voices: int = 0, seed: int = 0, metric: str = "cosine") -> list[Retrieved]:
    """In the first round of galleries that `retrieval` asks with the same arguments, by the first voices' keys.

    The own face shown is the gallery's first of that person by key.
    """
    heard, seen = embeddings.voices, embeddings.faces
    (first,) = round_seeds(seed, 1)
    there = {voice: one.faces for one in galleries(embeddings, voices=voices, seed=first) for voice in one.voices}
    asked = np.array(list(there))
    found = []
    for voice in asked[first_of_people(heard.keys[asked], heard.identities[asked])]:
        faces = seen.rows(there[voice])
        near = _nearest(heard.values[voice], faces.values, metric)
        same = faces.identities == heard.identities[voice]
        own = min(faces.keys[same].tolist())
        found.append(Retrieved(own, tuple(faces.keys[near].tolist()), tuple(same[near].tolist()), len(same)))
    return found


def by_clips(one: Told) -> list[Retrieved]:
    """Among the faces of all clips, by the first clips' keys; a face of the same video is the same person's."""
    found = []
    for clip in first_of_people(one.keys, one.videos):
        near = _nearest(one.told[clip], one.faces, "cosine")
        right = tuple((one.videos[near] == one.videos[clip]).tolist())
        found.append(Retrieved(str(one.keys[clip]), tuple(one.keys[near].tolist()), right, len(one.keys)))
    return found


def first_of_people(keys: NDArray[np.str_], people: NDArray[np.str_]) -> NDArray[np.int64]:
    """Places of everybody's first key, at most VOICES, in the order of the keys: nothing is picked by how it does."""
    order = np.argsort(keys, kind="stable")
    _, first = np.unique(people[order], return_index=True)
    return np.asarray(order[np.sort(first)[:VOICES]], np.int64)


def picture(folder: Folder, found: Sequence[Retrieved], config: str, field: str, same: str) -> tuple[Picture, ...]:
    """One picture of them, faces from a field of a config; none where nothing is found or a face lacks the field.

    `same` says whose the framed faces are, as in "the same person". Raises FolderError for a shard that is cut.
    """
    keys = sorted({key for one in found for key in (one.own, *one.nearest)})
    there = all(field in {entry["name"] for entry in folder.row(key, config)["fields"]} for key in keys)
    if not keys or not there:
        return ()
    faces = dict(zip(keys, (sample[field] for sample in folder.fetch(keys, [field], config=config)), strict=True))
    columns = min(len(one.nearest) for one in found)
    shown = [[_tile(faces[one.own], False) for one in found]]
    shown.append([np.full((len(shown[0][0]), DIVIDER, 3), 255, np.uint8)] * len(found))
    shown += [[_tile(faces[one.nearest[at]], one.right[at]) for one in found] for at in range(columns)]
    whole = tiled([torch.from_numpy(np.stack(column)).permute(0, 3, 1, 2) for column in shown])
    made, data = cv2.imencode(".webp", whole[..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, QUALITY])
    if not made:
        raise ValueError(f"{folder}: a picture of shape {whole.shape} cannot be written as WebP")
    return (Picture(_title(found, same), _described(found, same), data.tobytes()),)


def _nearest(heard: NDArray[Any], faces: NDArray[Any], metric: str) -> NDArray[np.int64]:
    order = np.argsort(-nearness(heard[None], faces, metric)[0], kind="stable")
    return np.asarray(order[:NEAREST], np.int64)


def _tile(face: NDArray[np.uint8], framed: bool) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB -> a square of SIDE and room for a frame on all sides, the face in its middle."""
    scale = SIDE / max(face.shape[:2])
    height, width = (max(1, round(scale * side)) for side in face.shape[:2])
    small = cv2.resize(face, (width, height), interpolation=cv2.INTER_AREA)
    top, left = (SIDE - height) // 2, (SIDE - width) // 2
    room = ((top, SIDE - height - top), (left, SIDE - width - left), (0, 0))
    tile: NDArray[np.uint8] = np.pad(small, room, constant_values=255)
    for colour in (FRAME, (255, 255, 255), FRAME):
        ringed = np.full((len(tile) + 2 * RING, len(tile) + 2 * RING, 3), colour if framed else 255, np.uint8)
        ringed[RING:-RING, RING:-RING] = tile
        tile = ringed
    return tile


def _title(found: Sequence[Retrieved], same: str) -> str:
    most = max(one.among for one in found)
    return (
        f"Retrieved faces: in each row the speaker's own face, then the {len(found[0].nearest)} of up to {most:,} "
        f"that are nearest to what the voice tells; double frame: {same}. The first voices of {len(found)} people by "
        "key, not picked by how they do; by the first network"
    )


def _described(found: Sequence[Retrieved], same: str) -> str:
    rows = []
    for number, one in enumerate(found, 1):
        framed = " and ".join(str(place) for place, right in enumerate(one.right, 1) if right)
        rows.append(f"row {number}: {framed or 'none'}")
    return (
        f"{len(found)} rows of faces, one for each voice: the own face, then the nearest to the voice, nearest first. "
        f"Framed as {same}: {'; '.join(rows)}"
    )
