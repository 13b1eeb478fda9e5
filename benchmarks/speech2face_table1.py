"""Table 1 of the re-implementation of Speech2Face on AVSpeech: the own face among the first K for a voice."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..loaders.folder import Folder
from ..models.core.checkpoint import restore
from ..models.core.device import choose
from ..models.speech2face import Speech2face
from .core.bench import BenchOptions
from .core.controls import Control
from .core.faces_told import KS, Told, told
from .core.gallery_controls import gallery_controls
from .core.judges import judge_control
from .core.metrics import Interval, bootstrap, spread
from .core.protocol import Protocol
from .core.retrieved_faces import by_clips, picture
from .core.table import Measured, Row, Table

TITLE = "Speech2Face on AVSpeech, Table 1: the own face among the K nearest to what a voice tells, in %"
DATASETS = ("avspeech",)
CONFIGS = ("clips",)
NEEDS = "vectors of faces (--face-network), checkpoints of `facevox train speech2face`"
TRAININGS = ("speech2face",)
WITHOUT = {"judge": "no video has two clips here to tell whether the faces' network knows a person again"}
FACE = "face.webp"
SPLITS = ("train", "test")
CHECKED = 500
"""First clips whose faces the controls score."""
LEAK = (
    "the split was drawn anew in every run of the training, so that test clips had been trained on: 51 % first of 604, "
    "and more than in training, is no figure of new faces"
)
PAPER, LOG, OTHER_LOG = "paper", "log 4", "log 5"
PUBLISHED: dict[tuple[str, str], tuple[float, ...]] = {
    ("train", PAPER): (45, 52, 55, 58, 62, 64, 66),
    ("test", PAPER): (51, 61, 66, 70, 75, 77, 81),
    ("train", LOG): (45.30, 52.24, 54.68, 58.24, 61.67, 63.93, 65.75),
    ("validation", LOG): (51.49, 59.60, 64.07, 69.21, 73.01, 77.15, 78.97),
    ("test", LOG): (51.49, 61.42, 65.73, 70.20, 74.83, 77.48, 81.13),
    ("test", OTHER_LOG): (54.97, 63.58, 67.38, 72.19, 76.82, 78.64, 80.63),
}
"""Split and source, by KS; the paper's are those of the released log 4, rounded or cut off."""
PUBLISHED_CLIPS = {"train": 4832, "validation": 604, "test": 604}


def run(options: BenchOptions) -> Table:
    """Measure the splits by all checkpoints found and set them beside the paper. Raises ValueError, FolderError."""
    folder = Folder(options.data)
    seeds = {split: _told(folder, split, options) for split in SPLITS}
    found = {split: measure(one, options.seed) for split, one in seeds.items() if one}
    train = _command(folder, options)
    rows = []
    for (split, source), values in PUBLISHED.items():
        flag = LEAK if split != "train" else ""
        for k, value in zip(KS, values, strict=True):
            here = found.get(split, {}).get(f"R@{k}") if source == PAPER else None
            needed = train if source == PAPER else ""
            labels = (split, source, f"R@{k}")
            rows.append(Row(labels, value, here, needed, digits=2, comparable=False, flag=flag))
    for split, scores in found.items():
        more = [name for name in scores if name not in {f"R@{k}" for k in KS}]
        rows += [Row((split, "here", name), None, scores[name], digits=3) for name in more]
    notes = [
        "log 4, log 5: what the released training wrote, not measured here; the paper has log 4, rounded or cut off",
        *(chance(split, len(one[0].keys), PUBLISHED_CLIPS[split]) for split, one in seeds.items() if one),
        "galleries are all clips of the split, so that figures of folders of other sizes cannot be compared; another "
        "clip of the same video counts as a miss but in R@K by video",
    ]
    facts = {"folder": folder.digest, "seed": options.seed}
    controls = tuple(
        control
        for split, each in seeds.items()
        if each
        for control in (*controlled(split, each[0], options.seed), *judged(split, each[0]))
    )
    columns = ("split", "source", "score")
    shown = by_clips(seeds["test"][0]) if options.pictures and seeds["test"] else []
    pictures = picture(folder, shown, *CONFIGS, FACE, "the same video (R@K by video)")
    tested = ("test",) if controls else ()
    return Table(TITLE, columns, tuple(rows), tuple(notes), facts, pictures=pictures, controls=controls, tested=tested)


def _command(folder: Folder, options: BenchOptions) -> str:
    index = folder.index
    networks = index["face_network"].drop_null().to_pylist() if "face_network" in index.column_names else []
    data, network = (options.data, networks[0]) if networks else ("O", "vggface-vgg16")
    build = "" if networks else f"facevox build avspeech --raw R --out O --face-network {network}; "
    return f"{build}facevox train speech2face --data {data} --out {options.runs or 'W'} --face-network {network}"


def _told(folder: Folder, split: str, options: BenchOptions) -> list[Told]:
    found = []
    for path in sorted(Path(options.runs).glob("speech2face*/seed*/best.pt")) if options.runs else ():
        model, state = restore(path)
        if not isinstance(model, Speech2face):
            raise ValueError(f"{path}: holds {state['model']}, expected speech2face")
        if state["folder"] != folder.digest:
            raise ValueError(
                f"{path}: trained on a folder of digest {state['folder'][:12]}, this one has {folder.digest[:12]}. "
                "Give --data the folder it was trained on"
            )
        found.append(told(model, folder, split, options.batch_size, choose(options.device, "fp32").device))
    return found


# --- measuring: nothing below knows what the paper printed ---


def measure(seeds: Sequence[Told], seed: int) -> dict[str, Measured]:
    """Every score of a split, mean over clips; intervals over videos."""
    first, each = seeds[0], [one.scores() for one in seeds]
    digest = Protocol.of("clips", first.keys.tolist()).digest
    found = {}
    for name in each[0]:
        values = [scores[name] for scores in each]
        means = np.array([one.mean() for one in values])
        between: Interval = bootstrap(np.mean(values, axis=0), first.videos, seed)
        people = len(np.unique(first.videos))
        count = len(first.keys)
        found[name] = Measured(float(means.mean()), count, people, between, spread(means), len(seeds), digest)
    return found


def controlled(split: str, one: Told, seed: int) -> list[Control]:
    """The clips' own faces as if they were told, of their own clips and of others."""

    def scores(told: NDArray[np.float64], faces: NDArray[np.float64]) -> Mapping[str, NDArray[np.float64]]:
        names = np.arange(len(faces)).astype(str)
        return Told(names, names, told, faces).scores()

    perfect = {"cosine": 1.0, "L1": 0.0, "L2": 0.0} | {f"R@{k}": 100.0 for k in KS}
    return gallery_controls(split, one.faces[:CHECKED], scores, perfect, CHECKED, seed)


def judged(split: str, one: Told) -> list[Control]:
    """Whether the faces' network tells videos apart; none where every video has one clip."""
    faces, videos = one.faces[:CHECKED], one.videos[:CHECKED]
    several = len(np.unique(videos)) < len(videos)
    return [judge_control(f"the faces' network, {split}", faces, videos)] if several else []


def chance(split: str, count: int, published: int) -> str:
    """Of finding a clip among the first K of so many by chance, here and in the paper's gallery."""
    shares = ", ".join(f"R@{k} {min(100.0, 100 * k / count):.2f} ({100 * k / published:.2f})" for k in KS)
    return f"chance of {count:,} {split} clips here (of the paper's {published:,}), %: {shares}"
