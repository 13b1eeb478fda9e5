"""Vectors of voices and faces in one space, with whose they are: a file that is checked before it is believed."""

import json
import math
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from tokenize import TokenError
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.typing import NDArray

from ...loaders.durable import written_aside
from .metrics import unit

FORMAT = "facevox embeddings 1"
MAX_BYTES = 16 << 30
"""Largest file that is read, unpacked: 8 million vectors of 512."""
KINDS = ("voices", "faces")
MEMBERS = ("about", *(f"{kind}.{part}" for kind in KINDS for part in ("values", "keys", "identities")))
GENDERS = {"m": "male", "f": "female"}
WRONG = (
    ValueError,
    KeyError,
    TypeError,
    EOFError,
    SyntaxError,
    TokenError,
    BadZipFile,
    RuntimeError,
    zlib.error,
    OSError,
)
"""What NumPy and zipfile raise for files of others and damaged ones; a flipped bit may call a member encrypted, or send
the reader before the file's beginning."""
NOT_THERE = (FileNotFoundError, IsADirectoryError, PermissionError)
ARCHIVE = b"PK\x03\x04"
HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


@dataclass(frozen=True)
class Vectors:
    """(N, D) float32 `values`, the sample `keys` (N,) and the `identities` (N,) they are of.

    Raises ValueError for other shapes, no row, NaN or infinite values, a key that comes twice, or an empty name.
    """

    values: NDArray[np.float32]
    keys: NDArray[np.str_]
    identities: NDArray[np.str_]

    def __post_init__(self) -> None:
        values = np.ascontiguousarray(self.values, np.float32)
        object.__setattr__(self, "values", values)
        for name in ("keys", "identities"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), np.str_))
        count = len(self.keys)
        if values.ndim != 2 or not values.size or self.identities.shape != (count,) or len(values) != count:
            raise ValueError(
                f"vectors of shape {values.shape} with {count} keys and {len(self.identities)} identities: expected "
                "(N, D) and N of both, N and D above 0"
            )
        if len(bad := np.flatnonzero(~np.isfinite(values).all(1))):
            raise ValueError(
                f"vector of {self.keys[bad[0]]} and {len(bad) - 1} more hold NaN or infinity: compute them again"
            )
        names, times = np.unique(self.keys, return_counts=True)
        if len(names) < count:
            raise ValueError(f"key {names[np.argmax(times > 1)]} comes {times.max()} times: expected each once")
        if not self.identities.all():
            raise ValueError(f"sample {self.keys[np.argmin(self.identities != '')]} has no identity")

    def rows(self, chosen: NDArray[Any]) -> "Vectors":
        """Those of a mask or list of rows, in that order."""
        return Vectors(self.values[chosen], self.keys[chosen], self.identities[chosen])


@dataclass(frozen=True)
class Embeddings:
    """Voices and faces of the same people in one space, of a dataset folder with the digest `folder`.

    `facts` has of an identity what is known, as {"id0001": {"gender": "male"}}; `model` says what made the vectors.
    Raises ValueError when voices and faces have different dimensions, or somebody has only one of both.
    """

    voices: Vectors
    faces: Vectors
    folder: str
    facts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    model: str = ""

    def __post_init__(self) -> None:
        heard, seen = self.voices.values.shape[1], self.faces.values.shape[1]
        if heard != seen:
            raise ValueError(f"voices of {heard} dimensions and faces of {seen}: expected one space for both")
        for kind, other in (("voices", "faces"), ("faces", "voices")):
            lone = sorted({*getattr(self, kind).identities} - {*getattr(self, other).identities})
            if lone:
                raise ValueError(
                    f"{lone[0]} and {len(lone) - 1} more identities have {kind} and no {other}: leave them out, or add "
                    f"their {other}"
                )

    @cached_property
    def people(self) -> tuple[str, ...]:
        """Names in order."""
        return tuple(np.unique(self.voices.identities).tolist())

    @property
    def genders(self) -> NDArray[np.str_]:
        """Of `people`: male, female or "" where it is not known."""
        stated = [str(self.facts.get(name, {}).get("gender", "")) for name in self.people]
        return np.array([GENDERS.get(word.lower(), word.lower()) for word in stated], np.str_)

    def having(self, kind: str, count: int) -> int:
        """How many people have so many "voices" or "faces", or more."""
        return int((np.unique(getattr(self, kind).identities, return_counts=True)[1] >= count).sum())

    def of(self, digest: str) -> "Embeddings":
        """These. Raises ValueError unless they were made of the folder with this digest."""
        if self.folder != digest:
            raise ValueError(
                f"embeddings of a folder of digest {self.folder[:12]}, this one has {digest[:12]}. Give --data the "
                "folder they were made of, or make them again"
            )
        return self

    def swapped(self) -> "Embeddings":
        """Faces in the place of voices and the other way round: what takes voices as anchors then takes faces."""
        return replace(self, voices=self.faces, faces=self.voices)

    def only(self, people: Collection[str]) -> "Embeddings":
        """Those of some identities. Raises ValueError for a name that is not there."""
        if unknown := sorted({*people} - {*self.people}):
            raise ValueError(f"no embeddings of {unknown[0]} and {len(unknown) - 1} more")
        voices, faces = (part.rows(np.isin(part.identities, list(people))) for part in (self.voices, self.faces))
        return replace(self, voices=voices, faces=faces)

    def joined(self, voices: int = 1, faces: int = 1, seed: int = 0, metric: str = "cosine") -> "Embeddings":
        """Means of `voices` voices and of `faces` faces of one identity: joint matching (VFMR Table 4).

        For the cosine samples and means are brought to length 1; for the euclidean distance both stay as they are.

        An identity's samples are shuffled and cut into groups; what is left over is in none, and who has fewer than a
        group gives the mean of all. 1 changes nothing.
        """
        random = np.random.default_rng(seed)
        heard, seen = (
            _grouped(part, size, random, metric) for part, size in ((self.voices, voices), (self.faces, faces))
        )
        return replace(self, voices=heard, faces=seen)

    def save(self, path: Path) -> None:
        """Write an .npz file: whole or absent."""
        about = {"format": FORMAT, "folder": self.folder, "model": self.model}
        about["facts"] = {name: dict(known) for name, known in self.facts.items()}  # type: ignore[assignment]
        parts = {"about": np.array(json.dumps(about, allow_nan=False))}
        for kind in KINDS:
            vectors = getattr(self, kind)
            parts |= {f"{kind}.{part}": getattr(vectors, part) for part in ("values", "keys", "identities")}
        with written_aside(path) as part, part.open("wb") as file:
            np.savez(file, **parts)  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: Path) -> "Embeddings":
        """Read what `save` wrote.

        Raises ValueError for any other file, a damaged one, and what the two classes refuse; OSError for none.
        """
        try:
            _check_file(path)
            with np.load(path, allow_pickle=False) as file:
                parts = {name: file[name] for name in MEMBERS}
            about = json.loads(str(parts["about"]))
            if not isinstance(about, dict) or about.get("format") != FORMAT or not isinstance(about["facts"], dict):
                raise ValueError(f"expected {FORMAT!r}")
            voices, faces = (
                Vectors(*(parts[f"{kind}.{name}"] for name in ("values", "keys", "identities"))) for kind in KINDS
            )
            return cls(voices, faces, str(about["folder"]), about["facts"], str(about["model"]))
        except NOT_THERE:
            raise
        except WRONG as error:
            raise ValueError(
                f"{path}: no embeddings that can be used: {error}. Write them again, as with --vectors-out"
            ) from None


def by_identity(identities: NDArray[np.str_]) -> list[NDArray[np.int64]]:
    """Rows of every identity, in the order of their names."""
    _, first = np.unique(np.sort(identities), return_index=True)
    return np.split(np.argsort(identities, kind="stable"), first[1:])


def _grouped(vectors: Vectors, size: int, random: np.random.Generator, metric: str) -> Vectors:
    if size < 1:
        raise ValueError(f"means of {size} samples: expected 1 or more")
    if size == 1:
        return vectors
    groups = []
    for own in by_identity(vectors.identities):
        rows = random.permutation(own)
        groups += [rows[at * size : (at + 1) * size] for at in range(max(len(rows) // size, 1))]
    each = unit(vectors.values) if metric == "cosine" else vectors.values.astype(np.float64)
    values = np.stack([each[rows].mean(0) for rows in groups])
    values = unit(values) if metric == "cosine" else values
    keys = np.array([f"{vectors.keys[rows[0]]}+{len(rows) - 1}" for rows in groups])
    return Vectors(values.astype(np.float32), keys, np.array([vectors.identities[rows[0]] for rows in groups]))


def check_begins_as_archive(path: Path) -> None:
    """Raise BadZipFile unless the first bytes are an archive's: NumPy takes any others for a pickle, and says so."""
    with path.open("rb") as file:
        if file.read(len(ARCHIVE)) != ARCHIVE:
            raise BadZipFile("File is not a zip file")


def _check_file(path: Path) -> None:
    """Raise ValueError unless every member is an array of numbers or words as large as its header says."""
    check_begins_as_archive(path)
    with ZipFile(path) as file:
        sizes = {item.filename.removesuffix(".npy"): item for item in file.infolist()}
        if lacking := [name for name in MEMBERS if name not in sizes]:
            raise ValueError(f"{lacking[0]} is missing")
        if (total := sum(item.file_size for item in sizes.values())) > MAX_BYTES:
            raise ValueError(f"{total} bytes unpacked: expected at most {MAX_BYTES}")
        for name in MEMBERS:
            with file.open(sizes[name]) as member:
                version = np.lib.format.read_magic(member)
                if version not in HEADERS:
                    raise ValueError(f"{name}: array format {version}")
                shape, _, kind = HEADERS[version](member)
                wanted = "f" if name.endswith("values") else "U"
                if kind.kind != wanted or member.tell() + math.prod(shape) * kind.itemsize != sizes[name].file_size:
                    raise ValueError(f"{name}: shape {shape} of {kind} in {sizes[name].file_size} bytes")
