"""Figure 9 of VFMR: distances of voices to own faces and to those of others, by the face network."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ..loaders.folder import Folder
from .core.bench import BenchOptions
from .core.controls import Control
from .core.distances import Distances, distances
from .core.embeddings import Embeddings
from .core.gallery_controls import distance_controls
from .core.metrics import bootstrap, spread
from .core.protocol import Protocol
from .core.table import Curve, Figure, Measured, Row, Table
from .core.voice_face import SPLIT, embedded, groups, trained

TITLE = "VFMR, Figure 9: distances of voices to own faces and to others', on a sphere of radius 1"
DATASETS = ("vox_vgg", "chinese_vf", "hq_voxceleb")
CONFIGS = ("voices", "faces")
NEEDS = "checkpoints of `facevox train vfmr` (stage joint), one for each face network"
TRAININGS = ("vfmr --stage joint --no-freeze-voice",)
WITHOUT = {"judge": "who somebody is stands in the folder; no judge is asked"}
NETWORKS = {"ir50": "LResNet50", "se": "SE-ResNet50", "vgg_m": "VGG-M", "dimnet": "DIMNet"}
POSITIVE, NEGATIVE, GAP = "positive", "negative", "negative less positive"


def run(options: BenchOptions) -> Table:
    """Measure every face network that was trained on the folder. Raises ValueError, FolderError."""
    folder = Folder(options.data)
    found: dict[str, list[Distances]] = {}
    first: dict[str, Embeddings] = {}
    controls: list[Control] = []
    for seeds in groups([one for one in trained(options.runs, apart=True) if one.folder == folder.digest]):
        own = seeds[0].options
        if own.face_network not in found:
            vectors = [embedded(one, folder, options) for one in seeds]
            found[own.face_network] = [distances(one, own.scale, options.device) for one in vectors]
            first[own.face_network] = vectors[0]
            about = NETWORKS.get(own.face_network, own.face_network)
            controls += distance_controls(about, vectors[0], own.scale, options.device, options.seed)
    measured = measure(found, first, options.seed)
    rows = []
    for network in dict.fromkeys((*NETWORKS, *found)):
        train = f"facevox train vfmr --data {options.data} --out {options.runs or 'W'} --face-network {network}"
        for what in (POSITIVE, NEGATIVE, GAP):
            labels = (NETWORKS.get(network, network), what)
            needed = f"{train} --initial voice=V/best.pt"
            rows.append(Row(labels, None, measured.get((network, what)), needed, digits=3))
    notes = (
        "Euclidean distances over the sphere's radius, 0 to 2: of all pairs of a voice and a face, every identity "
        "counting alike; the paper prints curves without numbers",
    )
    figures = tuple(_figure(NETWORKS.get(network, network), seeds[0]) for network, seeds in found.items())
    facts = {"folder": folder.digest, "seed": options.seed}
    columns = ("face network", "distance")
    tested = (SPLIT,) if found else ()
    return Table(TITLE, columns, tuple(rows), notes, facts, figures, tested=tested, controls=tuple(controls))


def _figure(network: str, found: Distances) -> Figure:
    middle = tuple(((found.edges[1:] + found.edges[:-1]) / 2).tolist())
    curves = [
        Curve(name, middle, tuple((100 * counts / counts.sum()).tolist()))
        for name, counts in zip((POSITIVE, NEGATIVE), found.counts, strict=True)
    ]
    return Figure(f"{network}: distances of voices and faces", "distance", "% of the pairs", tuple(curves))


# --- measuring ---


def measure(
    found: Mapping[str, Sequence[Distances]], vectors: Mapping[str, Embeddings], seed: int
) -> dict[tuple[str, str], Measured]:
    """Means over identities by face network and what, of the seeds together."""
    told: dict[tuple[str, str], Measured] = {}
    for network, seeds in found.items():
        own = vectors[network]
        digest = Protocol.of(network, (*(f"v {key}" for key in own.voices.keys), *own.faces.keys)).digest
        pairs = seeds[0].counts.sum(1)
        each = {
            POSITIVE: ([one.positive for one in seeds], int(pairs[0])),
            NEGATIVE: ([one.negative for one in seeds], int(pairs[1])),
            GAP: ([one.negative - one.positive for one in seeds], int(pairs.sum())),
        }
        told |= {(network, what): summary(values, count, digest, seed) for what, (values, count) in each.items()}
    return told


def summary(values: Sequence[NDArray[np.float64]], count: int, digest: str, seed: int) -> Measured:
    """Of (P,) for each seed, with the interval over people."""
    people = np.arange(len(values[0]))
    means = np.array([one.mean() for one in values])
    between = bootstrap(np.mean(values, axis=0), people, seed)
    return Measured(float(means.mean()), count, len(people), between, spread(means), len(values), digest)
