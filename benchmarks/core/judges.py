"""Networks that judge pictures and voices by whom they show, and how often each is wrong about real ones."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...loaders.folder import Folder, FolderError
from ...loaders.names import nearest
from ...loaders.resample import resample
from ...models.core.checkpoint import restore
from ...models.core.detectors import Face, dlib_module, open_landmarks, rgb_picture
from ...models.core.face_crops import edges_within
from ...models.core.networks import network
from ...models.core.picture_space import square
from ...models.core.pretrained import find, locate
from ...models.core.speaker import RATE, open_speaker_embedder
from ...models.vfmr import Vfmr
from .controls import Control
from .embedding_table import EmbeddingTable
from .metrics import Interval, bootstrap, unit
from .recognition import Rule, vote
from .verification import Pairs, curve, intervals, pairs

FACES = ("dlib", "inception-2015", "vfmr:CHECKPOINT")
"""Judges of pictures: dlib's descriptor, 128 numbers; Inception-v3's pool, 2048; the face network of a VFMR checkpoint
that `facevox train vfmr` made on a population of one's own, 512."""
JITTERS = 5
"""Random crops of each face whose vectors SpeakingFaces' code averages."""
RULES = {"dlib": Rule("euclidean", 0.6)}
"""When two vectors count as one person's, where a judge's author says so."""
MOST_PICTURES = 10
"""Of one person in a judge's own test, the first ones."""
CHUNK = 1024
"""Rows whose distances to all others are held at a time."""
WHOLE = (0.0, 0.0, 1.0, 1.0)
ALIGNED = (0.22, 0.32, 0.78, 0.88)
"""The face in its picture as shares of the sides, left, top, right, bottom: cut along its box, or aligned with room."""

PictureJudge = Callable[[Sequence[NDArray[np.uint8]]], NDArray[np.float64]]
"""RGB pictures (H, W, 3) uint8 of one face each -> (N, D)."""


def missing(name: str) -> str:
    """Why a judge cannot be had without a download, in words; empty when it is here. ValueError for an unknown one."""
    if name.startswith("vfmr:"):
        return "" if Path(name[5:]).is_file() else f"no checkpoint {name[5:]}"
    if name not in FACES:
        raise ValueError(f"no judge {name!r}; {nearest(name, FACES)}")
    wanted = ("dlib-descriptor", "dlib-landmarks68") if name == "dlib" else (name,)
    return "".join(f"no {network(one).file} here" for one in wanted if find(network(one)) is None)


def obtaining(name: str, data: str | Path, runs: str | Path) -> str:
    """The command that gets a judge that is missing here."""
    if name.startswith("vfmr:"):
        return f"facevox train vfmr --stage face --data {data} --out {runs}"
    hub = None if name == "dlib" else network(name).hub
    if hub is None:
        return "pip install 'facevox[build]'"
    return f"hf download {hub.repository} {hub.file} --revision {hub.revision}"


def open_judge(name: str, box: tuple[float, float, float, float] = WHOLE, as_published: bool = False) -> PictureJudge:
    """A judge of pictures by name (`FACES`), whose faces fill `box` of their pictures.

    `as_published` gives dlib red for blue, and the mean of five jitters, as SpeakingFaces' code does. Raises ValueError
    for an unknown name or another checkpoint, FileNotFoundError for a missing file.
    """
    if name == "dlib":
        return DlibJudge(box, as_published)
    if name == "inception-2015":
        from ...models.core.classifiers import open_classifier

        classifier = open_classifier(name)
        return lambda pictures: np.concatenate([classifier(one[None]).features for one in pictures]).astype(np.float64)
    if not name.startswith("vfmr:"):
        raise ValueError(f"no judge {name!r}; {nearest(name, FACES)}")
    model, state = restore(Path(name[5:]))
    if not isinstance(model, Vfmr):
        raise ValueError(f"{name[5:]}: is of {state['model']}; expected vfmr")
    return TrainedJudge(model.eval())


class DlibJudge:
    """dlib's descriptor (King 2017) as it is, not of length 1, by 68 landmarks as `face_recognition` takes them.

    Of pictures in the same order it says the same: its jitters begin anew with every judge.
    """

    def __init__(self, box: tuple[float, float, float, float], as_published: bool) -> None:
        self.box, self.as_published = box, as_published
        self.landmarks = open_landmarks().predict
        self.run = dlib_module().face_recognition_model_v1(str(locate("dlib-descriptor")))

    def __call__(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float64]:
        return np.array([self._described(picture) for picture in pictures])

    def _described(self, picture: NDArray[np.uint8]) -> NDArray[np.float64]:
        left, top, right, bottom = edges_within(picture, _box(picture, self.box).box)
        seen = rgb_picture(picture[:, :, ::-1] if self.as_published else picture)
        marks = self.landmarks(seen, dlib_module().rectangle(left, top, right - 1, bottom - 1))
        return np.array(self.run.compute_face_descriptor(seen, marks, JITTERS if self.as_published else 0))


def _box(picture: NDArray[np.uint8], shares: tuple[float, float, float, float]) -> Face:
    height, width = picture.shape[:2]
    left, top, right, bottom = shares
    return Face((left * width, top * height, right * width, bottom * height), 1.0)


@dataclass(frozen=True)
class TrainedJudge:
    """The face network of a VFMR model."""

    model: Vfmr

    def __call__(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float64]:
        with torch.inference_mode():
            squares = [square(torch.from_numpy(np.ascontiguousarray(one)), self.model.side) for one in pictures]
            found = [self.model.see(one[None])[0] for one in squares]
        return torch.stack(found).double().numpy()


# --- a judge's own error ---


@dataclass(frozen=True)
class OwnError:
    """How a judge does on real samples whose person is known; about made ones it is wrong at least as often."""

    table: EmbeddingTable
    pairs: Pairs
    shares: dict[str, float]
    """By what is told, 0 to 1: `wrong nearest`, samples whose nearest other is somebody else's; `AUC` and `equal error`
    of all pairs; where there is a rule, `wrong by vote` of leave-one-out, `same refused` and `different accepted`."""
    intervals: dict[str, Interval]
    """95 % over people, of the first four."""
    asked: NDArray[np.int64]
    """(M,) rows of those who have several samples, which are looked for."""
    told: NDArray[np.str_]
    """(M,) whose the nearest other sample of each is."""
    right: NDArray[np.bool_]
    """(M,) whether it is the same person's: what `wrong nearest` is counted from."""


def own_error(table: EmbeddingTable, metric: str, rule: Rule | None = None, seed: int = 0) -> OwnError:
    """Recognition and verification of (N, D) vectors of real samples. Raises ValueError where nobody has two.

    Who has one sample alone is somebody to be taken for, and is not looked for.
    """
    people, member, counts = np.unique(table.labels, return_inverse=True, return_counts=True)
    several = counts[member] > 1
    found = pairs(table.vectors, table.labels, metric, seed=seed)
    line, (area, error) = curve(found), intervals(found, seed)
    told = member[_nearest(table.vectors, metric, several)]
    wrong = told != member[several]
    shares = {"wrong nearest": float(wrong.mean()), "AUC": line.area, "equal error": line.equal_error[0]}
    between = {"wrong nearest": bootstrap(wrong, member[several], seed), "AUC": area, "equal error": error}
    if rule:
        kept, names = table.vectors[several], table.labels[several]
        voted = vote(kept, names, kept, names, rule, leave_one_out=True)
        shares["wrong by vote"] = 1 - voted.scores()["accuracy"]
        reached = voted.intervals(seed)["accuracy"]
        between["wrong by vote"] = Interval(1 - reached.high, 1 - reached.low)
        near = found.distances <= rule.tolerance if metric == "euclidean" else 1 - found.distances > rule.tolerance
        shares |= {"same refused": (~near[found.same]).mean(), "different accepted": near[~found.same].mean()}
    plain = {name: float(value) for name, value in shares.items()}
    return OwnError(table, found, plain, between, np.flatnonzero(several), people[told], ~wrong)


def judge_control(name: str, vectors: NDArray[np.float64], labels: NDArray[np.str_]) -> Control:
    """Whether a judge tells the real people of (N, D) vectors apart, by cosine: its AUC is above a half for sure.

    Of the first `MOST_PICTURES` of everybody.
    """
    kept = first_of_each(labels, MOST_PICTURES)
    vectors, labels = vectors[kept], labels[kept]
    if max(np.unique(labels, return_counts=True)[1], default=0) < 2 or len(np.unique(labels)) < 2:
        return Control("judge", name, "nobody has two real samples here, so its own error is unknown", False)
    own = own_error(EmbeddingTable(name, vectors, labels), "cosine")
    told = f"the nearest of other real samples is somebody else's in {100 * own.shares['wrong nearest']:.1f} %, equal "
    told += (
        f"error {100 * own.shares['equal error']:.1f} %, AUC {own.shares['AUC']:.3f} of {len(own.table.people)} people"
    )
    return Control("judge", name, told, own.intervals["AUC"].low > 0.5)


def first_of_each(labels: NDArray[np.str_], most: int) -> NDArray[np.int64]:
    """Places of the first `most` of each label of (N,), in order."""
    seen: dict[str, int] = {}
    places = []
    for place, label in enumerate(labels.tolist()):
        seen[label] = seen.get(label, 0) + 1
        places += [place] if seen[label] <= most else []
    return np.array(places, np.int64)


def _nearest(vectors: NDArray[np.float64], metric: str, asked: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Of the rows asked for, the nearest other row."""
    rows = unit(vectors) if metric == "cosine" else vectors
    found, places = [], np.flatnonzero(asked)
    for start in range(0, len(places), CHUNK):
        some = places[start : start + CHUNK]
        product = rows[some] @ rows.T
        far = -product if metric == "cosine" else (rows**2).sum(1)[None] - 2 * product
        far[np.arange(len(far)), some] = np.inf
        found.append(far.argmin(1))
    return np.concatenate(found)


def real_samples(folder: Folder, split: str, config: str, field: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Whose, and the sample, of every one of `real_keys`. Raises FolderError for none."""
    for who, keys in real_keys(folder, split, config, field).items():
        for sample in folder.fetch(keys, [field], config=config):
            yield who, sample


def real_keys(folder: Folder, split: str, config: str, field: str) -> dict[str, list[str]]:
    """Keys of up to `MOST_PICTURES` samples of every person of a split, in order. Raises FolderError for none."""
    rows = [row for row in folder.index.to_pylist() if (row["config"], row["split"]) == (config, split)]
    taken: dict[str, list[str]] = {}
    for row in sorted(rows, key=lambda row: str(row["key"])):
        if any(entry["name"] == field for entry in row["fields"]):
            taken.setdefault(row["identity"], []).append(row["key"])
    if not taken:
        raise FolderError(f"{folder}: no {field} in config {config}, split {split}")
    return {who: keys[:MOST_PICTURES] for who, keys in sorted(taken.items())}


def judged(samples: Iterator[tuple[str, dict[str, Any]]], field: str, judge: PictureJudge, name: str) -> EmbeddingTable:
    """What a judge of pictures makes of samples."""
    labels, vectors = zip(*((who, judge([sample[field]])[0]) for who, sample in samples), strict=True)
    return EmbeddingTable(name, np.array(vectors), np.array(labels, np.str_))


def heard(samples: Iterator[tuple[str, dict[str, Any]]], field: str, name: str = "mfcc") -> EmbeddingTable:
    """What a speaker embedder makes of whole recordings."""
    embed = open_speaker_embedder(name)
    labels, vectors = [], []
    for who, sample in samples:
        rate = int(sample["json"]["sample_rate"])
        labels.append(who)
        vectors.append(embed([resample(sample[field], rate, RATE)])[0])
    return EmbeddingTable(name, np.array(vectors, np.float64), np.array(labels, np.str_))
