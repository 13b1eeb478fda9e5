"""Voice and face vectors of the voice-GAN paper's classes in two dimensions, as t-SNE lays them out."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ..loaders.folder import Folder
from ..models.voice_classifier import VoiceClassifier
from .core.bench import BenchOptions
from .core.controls import Control, classification
from .core.judges import judge_control, missing, obtaining, open_judge
from .core.metrics import bootstrap
from .core.outcomes import Outcomes
from .core.protocol import Protocol
from .core.table import Curve, Figure, Measured, Row, Table
from .core.voice_gan import CLASSIFIER, SPLIT, checkpoints, class_faces, class_people, heard, opened

TITLE = "Voice-GAN (RC-GAN): voice and face vectors of the classes by t-SNE"
DATASETS = ("vox_vgg",)
CONFIGS = ("rcgan", "faces")
NEEDS = "a checkpoint of voice_classifier, a judge of faces (--judge)"
TRAININGS = ("voice_classifier",)
WITHOUT = {
    "judge": "no face is seen here, so that there is no judge",
    "leakage": "faces alone are seen here, and nothing was trained on them",
}
KINDS = {"voices": "voice vectors of test segments", "faces": "face vectors"}
SCORES = ("nearest of the vectors is the same person's, %", "nearest in the picture is the same person's, %")
PERPLEXITY = 30.0
"""Of van der Maaten and Hinton's t-SNE (2008); the paper gives none."""
MOST = 600
"""Points of a picture; of more, equally spaced ones."""
LEAST = 4
"""Fewer points are not laid out: each is everybody's neighbour."""


@dataclass(frozen=True)
class Cloud:
    """Vectors (N, D), whose each is (N,), and where t-SNE puts each, (N, 2)."""

    vectors: NDArray[np.float64]
    labels: NDArray[np.str_]
    places: NDArray[np.float64]


def run(options: BenchOptions) -> Table:
    """The two pictures, and how often the nearest other point is the same person's. Raises ValueError, FolderError."""
    folder, home = Folder(options.data), options.runs or "W"
    clouds = measure(folder, options)
    again = f"facevox bench rcgan_tsne --data {options.data} --runs {home} --judge {options.judge}"
    first = {
        "voices": f"facevox train {CLASSIFIER} --data {options.data} --out {home} --seed 0",
        "faces": obtaining(options.judge, options.data, home),
    }
    rows: list[Row] = []
    controls: list[Control] = []
    for kind, what in KINDS.items():
        cloud, command = clouds.get(kind), f"{first[kind]} && {again}"
        points = (cloud.vectors, cloud.places) if cloud else (None, None)
        for score, found in zip(SCORES, points, strict=True):
            measured = None
            if cloud and found is not None:
                told = nearest(found, cloud.labels)
                measured = summary(told == cloud.labels, cloud.labels, options.seed)
                merit, keys = (told == cloud.labels).astype(float), np.arange(len(told)).astype(str)
                own = Outcomes((kind, score), SPLIT, keys, merit, cloud.labels, cloud.labels, told[None])
                controls += classification(own, options.seed)
            rows.append(Row((what, score), None, measured, command))
    if faces := clouds.get("faces"):
        controls.append(judge_control(options.judge, faces.vectors, faces.labels))
    absent = missing(options.judge)
    notes = (
        f"perplexity {PERPLEXITY:.0f}, or a third of the points where they are few; seed {options.seed}; {MOST} points "
        f"at most, {LEAST} at least. t-SNE keeps neighbours and not distances; the paper's has no numbers",
        f"judge of faces: {options.judge}{f' ({absent})' if absent else ''}",
    )
    figures = tuple(figure(KINDS[kind], cloud) for kind, cloud in clouds.items())
    facts = {"folder": folder.digest, "judge": options.judge}
    columns, tested = ("vectors", "score"), (SPLIT,) if "voices" in clouds else ()
    return Table(
        TITLE, columns, tuple(rows), notes, facts, figures, controls=tuple(controls), tested=tested, read=("rcgan",)
    )


def figure(what: str, cloud: Cloud) -> Figure:
    """A number for each person."""
    curves = []
    for name in np.unique(cloud.labels):
        x, y = cloud.places[cloud.labels == name].T
        curves.append(Curve(name.rsplit("/", 1)[-1], tuple(x.tolist()), tuple(y.tolist())))
    return Figure(f"t-SNE of {what}", "first dimension", "second dimension", tuple(curves), joined=False)


# --- measuring ---


def measure(folder: Folder, options: BenchOptions) -> dict[str, Cloud]:
    """Voices with a checkpoint (of the first seed), faces with a judge; of LEAST or more. Raises as `opened` does."""
    found = {}
    for path in checkpoints(CLASSIFIER, options)[:1]:
        model = opened(folder, path)
        if not isinstance(model, VoiceClassifier):
            raise ValueError(f"{path}: is of {model.name}; expected {CLASSIFIER}")
        segments, names = heard(folder, model, options), class_people(folder)
        with torch.inference_mode():
            parts = [model.network.embed(part) for part in segments["spectrogram"].split(options.batch_size)]
        people = np.array([names[label] for label in segments["class"].tolist()], np.str_)
        if len(people) >= LEAST:
            found["voices"] = laid_out(torch.cat(parts).double().numpy(), people, options.seed)
    if not missing(options.judge):
        judge = open_judge(options.judge, as_published=options.as_published)
        faces = class_faces(folder, judge, options.judge, options.limit)
        if len(faces.labels) >= LEAST:
            found["faces"] = laid_out(faces.vectors, faces.labels, options.seed)
    return found


def laid_out(vectors: NDArray[np.float64], labels: NDArray[np.str_], seed: int) -> Cloud:
    """(N, D), N of `LEAST` or more, in two dimensions, the same for the same seed."""
    from sklearn.manifold import TSNE

    chosen = np.linspace(0, len(vectors) - 1, min(MOST, len(vectors))).astype(int)
    perplexity = min(PERPLEXITY, (len(chosen) - 1) / 3)
    places = TSNE(perplexity=perplexity, random_state=seed, init="pca", n_jobs=1).fit_transform(vectors[chosen])
    return Cloud(vectors[chosen], labels[chosen], np.asarray(places, np.float64))


def nearest(points: NDArray[np.float64], labels: NDArray[np.str_]) -> NDArray[np.str_]:
    """Whose the nearest other of (N, D) points is, (N,), by the Euclidean distance."""
    square = (points**2).sum(1)
    apart = square[:, None] + square - 2 * points @ points.T
    np.fill_diagonal(apart, np.inf)
    told: NDArray[np.str_] = labels[apart.argmin(1)]
    return told


def summary(right: NDArray[np.bool_], labels: NDArray[np.str_], seed: int) -> Measured:
    """In %, interval over people."""
    values, count = 100.0 * right, len(np.unique(labels))
    digest = Protocol.of("points", [f"{at} {name}" for at, name in enumerate(labels.tolist())]).digest
    return Measured(float(values.mean()), len(values), count, bootstrap(values, labels, seed), None, 1, digest)
