"""Faces drawn from voices of people never seen, scored as SF2F does (section 5): cosine, L1, R@K."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...loaders.folder import Folder
from ...models.core.checkpoint import restore
from ...models.core.generating import FACES, FaceGenerator, generated
from .bench import BenchOptions
from .class_controls import class_controls
from .class_judges import (
    SPLITS,
    ClassJudge,
    choosing,
    class_judge,
    classes_missing,
    obtaining_classes,
    open_class_judge,
    scored,
)
from .controls import Control
from .face_field import face_field, face_words
from .gallery_controls import gallery_controls
from .generated_grid import generated_grids
from .judges import ALIGNED, WHOLE, PictureJudge, judge_control, missing, obtaining, open_judge, real_keys
from .metrics import Interval, bootstrap, identity_means, ranks, unit
from .protocol import Protocol
from .table import Measured, Row, Table

RATE = 16_000
SPLIT = "test"
GALLERY = 100
"""People of a gallery (SF2F 5); a folder with fewer has one gallery of all."""
KS = (1, 2, 5, 10)
SCORE = "VGGFace Score"
DIGITS = {"cosine": 3, "L1": 2, **{f"R@{k}": 2 for k in KS}, SCORE: 2}
"""Scores in the paper's order, and decimals that it prints."""
COLUMNS = ("method", "sound", "score")
VGGFACE = "vggface-resnet50"
CLASSED = 3
"""Real faces of each person whose classes the controls look at."""


@dataclass(frozen=True)
class Drawing:
    """A row of the paper: who draws, from how many seconds of speech."""

    labels: tuple[str, str]
    run: str
    """Folder below --runs, as `facevox train` names it; empty: nothing that is trained here."""
    seconds: float
    training: str = ""
    """What trains it."""


BY_SECONDS = (
    Drawing(("random", "-"), "", 0.0, ""),
    Drawing(("voice2face", "1.25 s"), "voice2face-v2f_sf2f-face", 1.25, "voice2face --preset v2f_sf2f"),
    Drawing(("SF2F without fuser", "1.25 s"), "sf2f-encoder-64", 1.25, "sf2f"),
    Drawing(("voice2face", "5 s"), "voice2face-v2f_sf2f-face", 5.0, "voice2face --preset v2f_sf2f"),
    Drawing(("SF2F without fuser", "5 s"), "sf2f-encoder-64", 5.0, "sf2f"),
    Drawing(
        ("SF2F", "5 s"),
        "sf2f-fuser-64",
        5.0,
        "sf2f --stage fuser --initial networks={out}/sf2f-encoder-64/seed0/best.pt",
    ),
)
"""Rows of Tables 3 and 8: each method by one window and by five seconds."""


@dataclass(frozen=True)
class PaperTable:
    """A table of the paper, whose name facevox measures it by, with its rows in order."""

    name: str
    title: str
    drawings: tuple[Drawing, ...]
    printed: Mapping[tuple[str, str], Mapping[str, float]]
    """By the labels of a drawing and a score."""
    flags: Mapping[tuple[tuple[str, str], str], str] = field(default_factory=dict)
    """What is wrong with a printed number."""
    elsewhere: Mapping[Drawing, str] = field(default_factory=dict)
    """Of rows about other folders, what measures them there."""


def drawn_table(
    paper: PaperTable, found: Mapping[tuple[tuple[str, str], str], Measured], options: BenchOptions
) -> Table:
    """Published scores beside those that were measured. They are of different judges, so no difference is told."""
    folder, rows = Folder(options.data), []
    lacking = (missing(options.judge), classes_missing(options.class_judge, options.models))
    for one in paper.drawings:
        for score, digits in DIGITS.items():
            value, measured = paper.printed.get(one.labels, {}).get(score), found.get((one.labels, score))
            command = paper.elsewhere.get(one) or _command(paper.name, one, score, folder, options)
            flag, labels = paper.flags.get((one.labels, score), ""), (*one.labels, score)
            if one.run or value is not None:
                rows.append(Row(labels, value, measured, command, digits=digits, comparable=False, flag=flag))
    notes = (
        f"VGGFace Score: of the first recording of each, {SPLITS} parts; judge of classes: {options.class_judge}"
        f"{f' ({lacking[1]})' if lacking[1] else ''}; the paper's is {VGGFACE}. Its 95 %: Student's, of the parts",
        f"judge: {options.judge}{f' ({lacking[0]})' if lacking[0] else ''}; the paper's is FaceNet, "
        "trained on VGGFace2, against which SF2F is also trained, so "
        "no difference is told",
        f"people of split {SPLIT}; true face: mean of the unit vectors of all pictures; drawn: of all recordings, each "
        "from the first seconds of its speech; L1: sum over the judge's dimensions",
        f"R@K in % of galleries of {GALLERY} people, or of all where there are fewer: then chance is above K %",
        "the paper averages ten random crops; here every recording is drawn once, so nothing but the people is sampled",
    )
    told = {one.labels[2] for one in rows if one.measured and not one.measured.exact}
    controls = _controls(folder, options) if told - {SCORE} else ()
    controls += _class_controls(folder, options) if SCORE in told else ()
    facts, tested = {"folder": folder.digest, "judge": options.judge}, (SPLIT,) if told else ()
    made = {one.run: paths[0] for one in paper.drawings if (paths := _checkpoints(one, options))}
    pictures = generated_grids(folder, SPLIT, made, "own face, then drawn from the voice", options)
    return Table(paper.title, COLUMNS, tuple(rows), notes, facts, pictures=pictures, controls=controls, tested=tested)


def _controls(folder: Folder, options: BenchOptions) -> tuple[Control, ...]:
    """The judge's own error on the real faces, and these as if they were drawn: of their own people and of others."""
    vectors, who = _real(folder, options)
    judge = judge_control(options.judge, vectors, who)
    _, truth = identity_means(vectors, who)
    perfect = {"cosine": 1.0, "L1": 0.0} | {f"R@{k}": 100.0 for k in KS}
    return judge, *gallery_controls("scores", truth, scores, perfect, GALLERY, options.seed)


def _class_controls(folder: Folder, options: BenchOptions) -> tuple[Control, ...]:
    """Of the score by classes, by what its judge sees in real faces."""
    return _classed(str(folder.path), folder.digest, options.class_judge, str(options.models), options.seed)


def _command(name: str, one: Drawing, score: str, folder: Folder, options: BenchOptions) -> str:
    """What trains, gets the judge and measures, as far as it is missing."""
    if not one.run:
        return f"facevox build {folder.dataset} --raw RELEASE --out O --config faces --config voices"
    out = options.runs or "W"
    steps = []
    if not _checkpoints(one, options):
        trainings = one.training.format(out=out).split(" && ")
        words = " ".join(face_words(one.training.split()[0], folder))
        placed = [" ".join(filter(None, (_placed(line, out), words))) for line in trainings]
        steps += [f"facevox train {line} --data {options.data}" for line in placed]
    bench = f"facevox bench {name} --data {options.data} --runs {out}"
    if score == SCORE:
        absent = classes_missing(options.class_judge, options.models)
        steps += [obtaining_classes(options.class_judge, options.data, out)] if absent else []
        bench += f" {choosing(options.class_judge, options.models)}"
    else:
        steps += [obtaining(options.judge, options.data, out)] if missing(options.judge) else []
        bench += f" --judge {options.judge}"
    return " && ".join(filter(None, [*steps, bench]))


def _placed(training: str, out: str | Path) -> str:
    """A training with the whole of its --out, which is else the common one."""
    if " --out " not in training:
        return f"{training} --out {out}"
    before, after = training.split(" --out ")
    return f"{before} --out {out}/{after}"


def _checkpoints(one: Drawing, options: BenchOptions) -> list[Path]:
    return sorted((Path(options.runs) / one.run).glob("seed*/best.pt")) if one.run and options.runs else []


# --- measuring ---


def score_drawings(
    folder: Folder, drawings: tuple[Drawing, ...], options: BenchOptions
) -> dict[tuple[tuple[str, str], str], Measured]:
    """Scores of every drawing whose checkpoint is there, seeds averaged, person by person.

    Raises ValueError for a checkpoint that draws no faces or was trained on another folder.
    """
    there = {one: paths for one in drawings if (paths := _checkpoints(one, options))}
    found = guessed(folder, [one for one in drawings if not one.run])
    judge, classes = None if missing(options.judge) else _judge(folder, options), class_judge(options)
    if not there or (judge is None and classes is None):
        return found
    people, truth = identity_means(*_real(folder, options)) if judge else (None, np.empty(0))
    for one, checkpoints in there.items():
        seeds, shares = [], []
        for path in checkpoints:
            seen = _seen(folder, path, one.seconds, judge, classes)
            if people is not None:
                names, drawn = identity_means(seen.vectors, seen.who)
                seeds.append(scores(drawn, truth[np.searchsorted(people, names)]))
            shares.append(seen.classes)
        for score in seeds[0] if seeds else ():
            digest = Protocol.of(one.run, names.tolist()).digest
            found[one.labels, score] = _summary([seed[score] for seed in seeds], options.seed, digest)
        if classes:
            listed = sorted(set(seen.who.tolist()))
            found[one.labels, SCORE] = scored(shares, listed, listed, options.seed)
    return found


def _judge(folder: Folder, options: BenchOptions) -> PictureJudge:
    """The judge, told where the face lies in this folder's crops; drawn faces lie as those they were trained on."""
    box = WHOLE if face_field(folder) == "face.webp" else ALIGNED
    return open_judge(options.judge, box, options.as_published)


def guessed(folder: Folder, drawings: Iterable[Drawing]) -> dict[tuple[tuple[str, str], str], Measured]:
    """R@K in % of faces in random order, by formula: K of the people of a gallery."""
    people = sorted(_people(folder))
    if not people:
        return {}
    size, digest = min(GALLERY, len(people)), Protocol.of("people", people).digest
    shares = {f"R@{k}": 100 * min(1.0, k / size) for k in KS}
    return {
        (one.labels, score): Measured(
            share, len(people), len(people), Interval(share, share), None, 1, digest, exact=True
        )
        for one in drawings
        for score, share in shares.items()
    }


def scores(drawn: NDArray[Any], truth: NDArray[Any]) -> dict[str, NDArray[np.float64]]:
    """Of P people in sorted order, drawn and true vectors (P, D): per person cosine, L1 and, in %, R@K.

    R@K is over disjoint galleries of GALLERY people; people beyond the last whole one count in none, NaN.
    """
    count = len(drawn)
    size = GALLERY if count >= GALLERY else count
    places = np.full(count, np.nan)
    for start in range(0, count - size + 1, size):
        part = slice(start, start + size)
        places[part] = ranks(drawn[part], truth[part], np.arange(size))
    cosine = (unit(drawn) * unit(truth)).sum(1)
    recalls = {f"R@{k}": np.where(np.isnan(places), np.nan, 100.0 * (places < k)) for k in KS}
    return {"cosine": cosine, "L1": np.abs(drawn - truth).sum(1), **recalls}


def _summary(seeds: list[NDArray[np.float64]], seed: int, digest: str) -> Measured:
    values = np.mean(seeds, axis=0)
    values = values[~np.isnan(values)]
    between = bootstrap(values, np.arange(len(values)), seed)
    over = float(np.std([np.nanmean(one) for one in seeds], ddof=1)) if len(seeds) > 1 else None
    interval = Interval(between.low, between.high)
    return Measured(float(values.mean()), len(values), len(values), interval, over, len(seeds), digest)


def _real(folder: Folder, options: BenchOptions) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    """Vectors of all pictures of the split, one picture in memory at a time, and whose they are; judged once."""
    return _judged(str(folder.path), folder.digest, options.judge, options.as_published)


@lru_cache(maxsize=2)
def _judged(place: str, digest: str, judge: str, as_published: bool) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    folder = Folder(place)
    look = _judge(folder, BenchOptions(judge=judge, as_published=as_published))
    voiced = {row["identity"] for row in _rows(folder, "voices")}
    vectors, who = [], []
    for row in _rows(folder, "faces"):
        if row["identity"] in voiced:
            field = next(name for name in FACES if name in {entry["name"] for entry in row["fields"]})
            (sample,) = folder.fetch([row["key"]], [field], config="faces")
            vectors.append(look([sample[field]])[0])
            who.append(row["identity"])
    return np.array(vectors), np.array(who)


@lru_cache(maxsize=2)
def _classed(place: str, digest: str, judge: str, models: str, seed: int) -> tuple[Control, ...]:
    """Controls by the first pictures of everybody in the split."""
    look, folder = open_class_judge(judge, models), Folder(place)
    field = face_field(folder)
    keys = real_keys(folder, SPLIT, "faces", field)
    shares, who = [], []
    for name, listed in keys.items():
        for sample in folder.fetch(listed[:CLASSED], [field], config="faces"):
            shares.append(look([sample[field]])[0])
            who.append(name)
    return tuple(class_controls(judge, np.array(shares), np.array(who), seed))


@dataclass(frozen=True)
class Seen:
    """Of every recording whose it is (N,) and what the judge sees in its face (N, D), if any; of everybody's first
    one, people in order, the classes' probabilities (P, C), if any."""

    who: NDArray[np.str_]
    vectors: NDArray[np.float64]
    classes: NDArray[np.float64]


def _seen(folder: Folder, path: Path, seconds: float, judge: PictureJudge | None, classes: ClassJudge | None) -> Seen:
    vectors, who = [], []
    first: dict[str, NDArray[np.float64]] = {}
    for name, face in _drawn(folder, path, seconds):
        who.append(name)
        if judge:
            vectors.append(judge([face])[0])
        if classes and name not in first:
            first[name] = classes([face])[0]
    return Seen(np.array(who), np.array(vectors), np.array([first[name] for name in sorted(first)]))


def _people(folder: Folder) -> set[str]:
    """Who has voices and faces in the split."""
    return {row["identity"] for row in _rows(folder, "voices")} & {row["identity"] for row in _rows(folder, "faces")}


def _drawn(folder: Folder, path: Path, seconds: float) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Whose, and the face drawn, of every recording of people who have faces too."""
    model, state = restore(path)
    if not isinstance(model, FaceGenerator):
        raise ValueError(f"{path}: {state['model']} draws no faces")
    if state["folder"] != folder.digest:
        raise ValueError(f"{path}: trained on a folder of digest {state['folder'][:12]}, not {folder.digest[:12]}")
    model.eval()
    known = _people(folder)
    for row in _rows(folder, "voices"):
        if row["identity"] in known:
            (sample,) = folder.fetch([row["key"]], ["voice.flac"], config="voices")
            said = [(part["first"], part["end"]) for part in row["speech"] or ()]
            sound, speech = first_seconds(sample["voice.flac"], said, seconds)
            yield row["identity"], generated(model, sound, speech)


def first_seconds(
    sound: NDArray[np.int16], speech: list[tuple[int, int]], seconds: float
) -> tuple[NDArray[np.int16], list[tuple[int, int]]]:
    """(samples,) int16 at 16 kHz -> its first so many seconds of speech, pauses left out; all where none is told."""
    parts = [sound[first:end] for first, end in speech] or [sound]
    cut = np.concatenate(parts)[: int(seconds * RATE)]
    return cut, [(0, len(cut))]


def _rows(folder: Folder, config: str) -> Iterator[dict[str, Any]]:
    for row in folder.index.to_pylist():
        if (row["config"], row["split"]) == (config, SPLIT):
            yield row
