"""The pair of Frechet distances of SpeakingFaces (Sensors 2021, 21(10), 3465), and kernel distances beside them."""

import numpy as np
from numpy.typing import NDArray

from ..loaders.folder import Folder
from .core.bench import BenchOptions
from .core.controls import Control
from .core.generated_grid import generated_grids
from .core.judges import missing, open_judge
from .core.metrics import Interval, frechet_distance, kernel_distance, spread
from .core.picture_controls import Distance, checked, halves, itself, kernel_itself, shuffled_sets
from .core.protocol import Protocol
from .core.table import Measured, Row, Table
from .core.translated_faces import METHODS, SPLIT, checkpoints, networks, pictures, test_faces, translated

TITLE = "SpeakingFaces, FID: how far translated faces are from real ones as a set"
DATASETS = ("speakingfaces",)
CONFIGS = ("pairs",)
NEEDS = "checkpoints of `facevox train cyclegan` and `facevox train cut`, --judge inception-2015 for FID"
TRAININGS = ("cyclegan", "cut")
NAMES = {"cut": "CUT", "cyclegan": "CycleGAN", "thermal": "thermal as it is", "trials": "real, trial 2 from trial 1"}
PUBLISHED_JUDGE = "inception-2015"
PARTS = 10
"""Groups of people that are left out by turns."""

PUBLISHED = {"cut": 22.12, "cyclegan": 18.95}

SCORES: dict[str, tuple[Distance, float]] = {"FID": (frechet_distance, 1.0), "KID x 1000": (kernel_distance, 1000.0)}


def run(options: BenchOptions) -> Table:
    """Measure with the judge asked for what there are checkpoints for. Raises ValueError, FolderError."""
    folder = Folder(options.data)
    absent = missing(options.judge)
    found, controls = ({}, ()) if absent else measure(folder, options)
    again = f"facevox bench speakingfaces_fid --data {options.data} --runs {options.runs or 'W'} --judge"
    rows = []
    for name, title in NAMES.items():
        train = f"facevox train {name} --data {options.data} --out {options.runs or 'W'} --seed 0"
        for score in SCORES:
            printed = PUBLISHED.get(name) if score == "FID" and options.judge == PUBLISHED_JUDGE else None
            command = f"{again} {options.judge}" if absent else train if name in METHODS else ""
            rows.append(Row((title, score, options.judge), printed, found.get((name, score)), command, digits=3))
    if options.judge != PUBLISHED_JUDGE:
        judge = missing(PUBLISHED_JUDGE)
        label = PUBLISHED_JUDGE + (f" ({judge})" if judge else "")
        rows += [
            Row((NAMES[name], "FID", label), value, None, f"{again} {PUBLISHED_JUDGE}", digits=3)
            for name, value in PUBLISHED.items()
        ]
    notes = (
        "recipe: real = visual test crops of 128 pixels of both trials, made = translations of the matching thermal "
        f"ones, described by {options.judge}; the paper states no recipe. KID: cubic kernel, unbiased, all at once",
        f"95 %: jackknife over {PARTS} groups of people, since drawing pictures twice would change the covariance; FID "
        "of fewer pictures than the judge has numbers is too high: compare sets of the same pictures, or KID",
        *((f"{options.judge}: {absent}",) if absent else ()),
    )
    facts = {"folder": folder.digest, "judge": options.judge}
    columns = ("faces", "score", "judge")
    made = {NAMES[name]: paths[0] for name in METHODS if (paths := checkpoints(name, options))}
    drawn = generated_grids(folder, SPLIT, made, "thermal, translated, real", options)
    return Table(
        TITLE, columns, tuple(rows), notes, facts, pictures=drawn, controls=controls, tested=(SPLIT,), read=CONFIGS
    )


# --- measuring: nothing below knows what the paper printed ---


def measure(folder: Folder, options: BenchOptions) -> tuple[dict[tuple[str, str], Measured], tuple[Control, ...]]:
    """Every score of every set of faces against the real ones, and controls. Raises FolderError, ValueError."""
    faces = test_faces(folder, options)
    judge = open_judge(options.judge, as_published=options.as_published)
    real = judge(pictures(faces.visual))
    sets = {
        name: [translated(one, faces.thermal, options) for one in networks(folder, name, options)] for name in METHODS
    }
    vectors = {name: [judge(pictures(one)) for one in (*some,)] for name, some in sets.items()}
    vectors["thermal"] = [judge(pictures(faces.thermal))]
    digest = Protocol.of(SPLIT, faces.keys.tolist()).digest
    found: dict[tuple[str, str], Measured] = {}
    for score, (distance, scale) in SCORES.items():
        for name, seeds in vectors.items():
            told = [jackknifed(distance, (real, faces.people), (made, faces.people)) for made in seeds]
            if told:
                found[name, score] = summary(told, scale, len(real), len(np.unique(faces.people)), digest)
        first, second = faces.trials == 1, faces.trials == 2
        if min(first.sum(), second.sum()) > 1:
            one = jackknifed(distance, (real[first], faces.people[first]), (real[second], faces.people[second]))
            found["trials", score] = summary([one], scale, int(second.sum()), len(np.unique(faces.people)), digest)
    return found, tuple(controlled(real, vectors["thermal"][0], faces.people, options.seed))


def controlled(
    real: NDArray[np.float64], thermal: NDArray[np.float64], people: NDArray[np.str_], seed: int
) -> list[Control]:
    """Oracle, chance and the judge's own error of both distances, by features (N, D) of some real and thermal faces."""
    some = checked(len(real))
    real, thermal, people = real[some], thermal[some], people[some]
    controls = [itself("FID", frechet_distance, real), kernel_itself("KID", real)]
    for score, distance in (("FID", frechet_distance), ("KID", kernel_distance)):
        # The kernel distance is unbiased; the other one is above 0 by so much as there are few pictures.
        formula = 0.0 if distance is kernel_distance else None
        controls.append(shuffled_sets(score, distance, real, thermal, formula, seed))
        controls.append(halves(score, distance, real, thermal, people, seed))
    return controls


def jackknifed(
    distance: Distance,
    real: tuple[NDArray[np.float64], NDArray[np.str_]],
    made: tuple[NDArray[np.float64], NDArray[np.str_]],
) -> tuple[float, float]:
    """A distance of two sets, (N, D) and whose each row is, and its standard error by leaving out groups of people."""
    people = np.unique(np.concatenate([real[1], made[1]]))
    groups = np.array_split(people, min(PARTS, len(people)))
    value, without = distance(real[0], made[0]), []
    for group in groups if len(groups) > 2 else ():
        kept, stays = (~np.isin(who, group) for _, who in (real, made))
        without.append(distance(real[0][kept], made[0][stays]))
    count = len(without)
    error = np.sqrt((count - 1) * np.var(without)) if count else np.nan
    return value, float(error)


def summary(told: list[tuple[float, float]], scale: float, count: int, people: int, protocol: str) -> Measured:
    """Mean over seeds of (distance, standard error)."""
    values = np.array([scale * value for value, _ in told])
    error = 1.96 * scale * float(np.mean([one for _, one in told]))
    mean = float(values.mean())
    # Too few people to leave any out: nothing is known of the interval.
    ends = Interval(mean - error, mean + error) if np.isfinite(error) else Interval(mean, mean)
    return Measured(mean, count, people, ends, spread(values), len(told), protocol)
