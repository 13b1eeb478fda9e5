"""Networks that sort pictures into classes, for scores of how varied and how recognisable made faces are."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ...loaders.names import nearest
from ...models.core.checkpoint import restore
from ...models.core.classifiers import NAMES, open_classifier
from ...models.core.networks import network
from ...models.core.picture_space import square
from ...models.core.pretrained import find
from ...models.vfmr import Vfmr
from .bench import BenchOptions
from .metrics import Interval, class_score, spread
from .protocol import Protocol
from .table import Measured

CLASSES = (*NAMES, "vfmr:CHECKPOINT")
"""The registered classifiers, and the people of a face network that `facevox train vfmr --stage face` made."""
INCEPTION = "inception-2015"
SPLITS = 5
"""Parts that a score is the mean of (SF2F 5)."""
STUDENT = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776}
"""97.5 % points of Student's distribution, by number of parts."""

ClassJudge = Callable[[Sequence[NDArray[np.uint8]]], NDArray[np.float64]]
"""RGB pictures (H, W, 3) uint8 -> probabilities (N, classes)."""


def classes_missing(name: str, models: str | Path = "") -> str:
    """Why a judge cannot be had without a download, in words; empty when it is here. ValueError for an unknown one."""
    if name.startswith("vfmr:"):
        return "" if Path(name[5:]).is_file() else f"no checkpoint {name[5:]}"
    if name not in NAMES:
        raise ValueError(f"no judge of classes {name!r}; {nearest(name, CLASSES)}")
    entry = network(name)
    if find(entry, Path(models) if models else None):
        return ""
    return f"no {entry.file} here" + (f"; it is {entry.source}" if entry.source else "")


def obtaining_classes(name: str, data: str | Path, runs: str | Path) -> str:
    """What comes before the bench to get a judge that is missing; empty where --models must name its folder."""
    if name.startswith("vfmr:"):
        return f"facevox train vfmr --stage face --data {data} --out {runs}"
    hub = network(name).hub
    return f"hf download {hub.repository} {hub.file} --revision {hub.revision}" if hub else ""


def choosing(name: str, models: str | Path = "") -> str:
    """The options that choose a judge; FOLDER where only the user can say which holds its weights."""
    hub = None if name.startswith("vfmr:") else network(name).hub
    folder = models or ("" if name.startswith("vfmr:") or hub else "FOLDER")
    return f"--class-judge {name}" + (f" --models {folder}" if folder else "")


def open_class_judge(name: str, models: str | Path = "") -> ClassJudge:
    """A judge by name (`CLASSES`); its file must have the registered digest, or the one that stands beside it.

    Raises ValueError for an unknown name, a damaged file or another checkpoint, FileNotFoundError for a missing file.
    """
    if not name.startswith("vfmr:"):
        classifier = open_classifier(name, Path(models) if models else None)
        return lambda pictures: np.concatenate([_softmax(classifier(one[None]).logits) for one in pictures])
    model, state = restore(Path(name[5:]))
    if not isinstance(model, Vfmr) or model.options.stage != "face":
        raise ValueError(f"{name[5:]}: is of {state['model']}; expected vfmr, trained with --stage face")
    model.eval()

    def judged(pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float64]:
        squares = [square(torch.from_numpy(np.ascontiguousarray(one)), model.side) for one in pictures]
        with torch.inference_mode():
            return _softmax(torch.cat([model.people(model.see(one[None])) for one in squares]).numpy())

    return judged


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    raised = np.exp(logits.astype(np.float64) - logits.max(1, keepdims=True))
    shares: NDArray[np.float64] = raised / raised.sum(1, keepdims=True)
    return shares


def scored(seeds: Sequence[NDArray[np.float64]], people: Sequence[str], keys: Sequence[str], seed: int) -> Measured:
    """Class score of probabilities (N, classes) of each of several trainings; 95 % by its parts, Student's.

    With fewer than `SPLITS` pictures each is a part of its own.
    """
    parts = min(SPLITS, len(keys))
    found = np.array([class_score(one, parts, seed) for one in seeds])
    mean, deviation = found.mean(0)
    reach = STUDENT.get(parts, 0.0) * float(deviation) / max(parts - 1, 1) ** 0.5
    interval = Interval(float(mean) - reach, float(mean) + reach)
    digest = Protocol.of("pictures", keys).digest
    return Measured(float(mean), len(keys), len(set(people)), interval, spread(found[:, 0]), len(seeds), digest)


def class_judge(options: BenchOptions) -> ClassJudge | None:
    """The one asked for, if it is here."""
    if classes_missing(options.class_judge, options.models):
        return None
    return open_class_judge(options.class_judge, options.models)
