"""Figure 8 of SpeakingFaces (Sensors 2021, 21(10), 3465): images a clip against accuracy and time."""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..loaders.folder import Folder
from ..models.core.checkpoint import restore
from ..models.core.device import choose
from ..models.core.evaluate import Results, batches, joined, results
from ..models.core.reading import Reading
from ..models.gender import Gender
from .core.bench import BenchOptions
from .core.metrics import Interval
from .core.outcomes import Outcomes
from .core.table import Curve, Figure, Measured, Row, Table
from .speakingfaces_table4 import outcomes, summary

TITLE = "SpeakingFaces, Figure 8: images of a clip against gender accuracy and time, all streams clean"
DATASETS = ("speakingfaces",)
CONFIGS = ("utterances",)
NEEDS = "checkpoints of `facevox train gender --mode 7 --frames N --out W/frames-N`, N of 1, 3, 5, 7 and 9"
TRAININGS = (
    "gender --mode 7 --frames 1 --out frames-1",
    "gender --mode 7 --frames 3 --out frames-3",
    "gender --mode 7 --frames 5 --out frames-5",
    "gender --mode 7 --frames 7 --out frames-7",
    "gender --mode 7 --frames 9 --out frames-9",
)
WITHOUT = {"judge": "classes are facts of the release; no judge is asked"}
FRAMES = (1, 3, 5, 7, 9)
SPLITS = ("validation", "test")
Found = dict[tuple[int, str], tuple[Measured, Measured, Outcomes]]


def run(options: BenchOptions) -> Table:
    """Accuracy and time by images a clip. The figure prints no numbers, so there is nothing beside them."""
    folder = Folder(options.data)
    found, rows = measure(folder, options), []
    for frames in FRAMES:
        out = f"{options.runs or 'W'}/frames-{frames}"
        command = f"facevox train gender --mode 7 --frames {frames} --data {options.data} --out {out} --seed 0"
        for split in SPLITS:
            right, spent, _ = found.get((frames, split), (None, None, None))
            rows.append(Row((str(frames), split, "accuracy, %"), None, right, command))
            rows.append(Row((str(frames), split, "ms a clip"), None, spent, command, digits=2))
    notes = (
        "the paper shows the figure without numbers, and says that more than three images cost time without gain",
        "ms a clip: median over batches, of the network alone, its reading left out; a busy machine changes it. A time "
        "has no controls",
        "clips with fewer images than asked for are left out: the digests tell which numbers are over the same ones",
    )
    facts = {"folder": folder.digest, "config": options.config, "device": options.device}
    told = tuple(one for _, _, one in found.values())
    columns = ("images", "split", "what")
    return Table(TITLE, columns, tuple(rows), notes, facts, figures=tuple(_figures(found)), outcomes=told)


def _figures(found: Found) -> Iterator[Figure]:
    """Both curves, where there are two points at least."""
    for title, axis, at in (("Accuracy", "% of utterances", 0), ("Time of the network", "ms a clip", 1)):
        curves = []
        for split in SPLITS:
            frames = [count for count in FRAMES if (count, split) in found]
            points = [found[count, split][:2][at] for count in frames]
            if len(points) > 1:
                known = [point.told_interval for point in points if point.told_interval]
                ends = known if len(known) == len(points) else []
                low, high = ([getattr(one, end) for one in ends] for end in ("low", "high"))
                values = [point.value for point in points]
                curves.append(Curve(split, tuple(frames), tuple(values), low=tuple(low), high=tuple(high)))
        if curves:
            yield Figure(f"{title} by images a clip", "images a clip", axis, tuple(curves))


# --- measuring ---


def measure(folder: Folder, options: BenchOptions) -> Found:
    """Accuracy in %, ms a clip and outcomes of every number of images and split with checkpoints.

    Raises ValueError for a checkpoint of another folder, model or number of images.
    """
    found: Found = {}
    for frames in FRAMES:
        home = Path(options.runs) / f"frames-{frames}" / "gender-mode7"
        paths = sorted(home.glob("seed*/best.pt")) if options.runs else []
        for split in SPLITS if paths else ():
            seeds, times = zip(*(_passed(path, frames, split, folder, options) for path in paths), strict=True)
            labels = (str(frames), split)
            right = summary(f"{frames}, {split}", list(seeds), options.seed)
            middle = float(np.median(np.concatenate(times)))
            # People are not what time varies with: no interval over them.
            alone = Interval(middle, middle)
            spent = Measured(middle, right.count, right.groups, alone, None, len(paths), right.protocol)
            found[frames, split] = right, spent, outcomes(folder, options.config, labels, "gender", list(seeds))
    return found


def _passed(path: Path, frames: int, split: str, folder: Folder, options: BenchOptions) -> tuple[Results, list[float]]:
    """Results over a split, and ms a clip of every batch."""
    model, state = restore(path)
    if not isinstance(model, Gender) or model.options.frames != frames or model.options.mode != 7:
        raise ValueError(f"{path}: expected gender in mode 7 with {frames} images a clip, as its folder's name says")
    if state["folder"] != folder.digest:
        raise ValueError(f"{path}: trained on a folder of digest {state['folder'][:12]}, not {folder.digest[:12]}")
    own = {name: getattr(options, name) for name in ("config", "batch_size", "workers", "limit")}
    place = choose(options.device, "fp32")
    model.to(place.device)
    parts, times = [], []
    for batch in batches(Reading(folder, model.inputs(), **own).stream(split)):
        if not batch["keys"]:
            continue
        moved = place.move(batch)
        started = time.perf_counter()
        parts.append(results(model, moved, place))
        times.append(1000 * (time.perf_counter() - started) / len(batch["keys"]))
    return joined(parts), times
