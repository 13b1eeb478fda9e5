"""The command `facevox bench`."""

import argparse
from typing import Any

EPILOG = """examples:
  facevox bench list                                    the tables, what each needs
  facevox bench speakingfaces_table4 --data O --runs W  one table: published, measured, difference, 95 % interval
  facevox bench speakingfaces_table4 --data O --runs W --slices   also by gender, age, position, .. and largest gaps
  facevox bench train --short --data O --out W          train what the tables need, small: minutes, its time is told
  facevox bench all --data O --runs W --out R           every table, one report: R/report.html, .md, .json
  facevox bench matching --vectors A.npz,B.npz          two models' vectors (--vectors-out): a paired test
  facevox bench learn --out W                           do the models learn? on made-up people, from forge to score

A row without its checkpoint is "not measured", with the command that trains it. Under every table stand its controls,
or why one has no meaning there: chance by formula and by shuffled labels, an oracle, the judge's own error on real
data, and whether anything of the test occurs in training; a result whose control fails is printed with WARNING.
Intervals are of people drawn with replacement, since samples of one are alike.
* marks a published number that contradicts its own paper; the reason stands below the table."""

GIVEN = (
    "as_published",
    "device",
    "slices",
    "protocol",
    "embeddings",
    "leave_one_out",
    "gallery",
    "metric",
    "training",
    "tolerance",
    "judge",
    "trials",
    "vectors",
    "vectors_out",
    "class_judge",
    "models",
    "people",
    "each",
    "triplets",
)
"""Options that every table is given; see BenchOptions."""


def add(parser: argparse.ArgumentParser) -> None:
    from .benchmarks.core.catalogue import benches

    parser.description = (
        "One published table beside values measured here, with intervals and controls.\n"
        f"tables: {', '.join(benches())}\n\n"
        "`facevox bench learn --out W` shows that the models learn: it forges people, builds, trains and scores each\n"
        "through the command line, once more with voices that fit no face; the same command goes on where it "
        "stopped.\nExit code 1 when a row does not reach what is wanted."
    )
    parser.epilog = EPILOG
    parser.add_argument("name", help="a table, or list, all, train, learn", metavar="TABLE")
    parser.add_argument("--data", action="append", default=[], help="a built dataset folder; all: several times")
    parser.add_argument(
        "--runs",
        action="append",
        default=[],
        help="the folder that `facevox train --out` wrote; all: once, or once for each --data in their order",
    )
    parser.add_argument("--as-published", action="store_true", help="noise wraps around, as in the authors' code")
    parser.add_argument(
        "--protocol", choices=("exact", "paper"), default="exact", help="all trials there are, or drawn as published"
    )
    parser.add_argument("--slices", action="store_true", help="also by what is known of the samples, largest gaps last")
    _add_judges(parser)
    parser.add_argument("--format", choices=("text", "markdown", "json"), default="text", help="how to print it")
    _add_recognition(parser.add_argument_group("recognition, which needs no --data"))
    _add_matching(parser.add_argument_group("VFMR's tables and matching"))
    speed = parser.add_argument_group("matching_speed, which needs no --data")
    speed.add_argument("--people", type=int, default=2000, help="identities that are made up (default: 2000)")
    speed.add_argument("--each", type=int, default=20, help="voices, and faces, of each (default: 20)")
    speed.add_argument("--triplets", type=int, default=30_720_000, help="to sample beside (default: 30720000)")
    several = parser.add_argument_group("all, train")
    several.add_argument(
        "--tables", default="", help="only these, as in recognition,speakingfaces_table4 (default: all)"
    )
    several.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"), help="where networks run")
    learn = parser.add_argument_group("learn, train")
    learn.add_argument(
        "--out",
        default="",
        help="all: folder of the report; train: of the checkpoints; learn: for people, checkpoints and learn.json",
    )
    learn.add_argument("--rows", default="", help="only these, as in gender,rcgan (default: all)")
    learn.add_argument(
        "--short", action="store_true", help="train: narrow networks, minutes; learn: seconds, for tests"
    )
    learn.add_argument("--workers", type=int, default=1, help="processes that forge and build (default: 1)")
    parser.set_defaults(run=_bench)


def _add_judges(parser: argparse.ArgumentParser) -> None:
    """Who judges, and what the networks learnt from."""
    parser.add_argument("--judge", default="dlib", help="of made faces: dlib, inception-2015 or vfmr:CHECKPOINT")
    parser.add_argument(
        "--class-judge",
        default="vggface-resnet50",
        help="whose classes SF2F's VGGFace Score is of: vggface-resnet50, vggface-vgg16, facenet, inception-2015 or "
        "vfmr:CHECKPOINT of stage face (default: vggface-resnet50)",
    )
    parser.add_argument("--models", default="", help="folder of networks trained by others, with FILE.sha256 beside")
    parser.add_argument(
        "--training",
        default="",
        help="what the networks were trained on, to look for leaks: of VFMR's tables and matching a folder, of "
        "recognition a table of the same network's vectors",
    )


def _add_recognition(group: Any) -> None:
    group.add_argument("--embeddings", default="", help="vectors and labels of probes: .npz, .csv or .parquet")
    group.add_argument("--leave-one-out", action="store_true", help="look every vector up among all others")
    group.add_argument("--gallery", default="", help="or among those of this table")
    group.add_argument(
        "--metric", choices=("euclidean", "cosine"), default="euclidean", help="distance of at most, or cosine above"
    )
    group.add_argument("--tolerance", type=float, default=0.0, help="of a match (default: all published ones)")


def _add_matching(group: Any) -> None:
    group.add_argument(
        "--vectors-out", default="", help="folder: keep the vectors of voices and faces, one file a seed"
    )
    group.add_argument(
        "--vectors", default="", help="matching, which needs no --data: such files, A.npz or A.npz,B.npz"
    )
    group.add_argument(
        "--trials", default="", help="--protocol paper: folder; trials in it are asked again, others are written there"
    )


def _bench(options: argparse.Namespace) -> int:
    if options.name == "list":
        return _list()
    if options.name in ("all", "train", "learn"):
        return {"all": _all, "train": _train, "learn": _learn}[options.name](options)
    from .api import bench
    from .benchmarks.core.catalogue import benches, entry

    if not options.data and options.name in benches() and entry(options.name).folder:
        raise ValueError("bench needs --data, a built dataset folder")
    data = _one(options.data) if options.data else ""
    runs = _one(options.runs, "--runs") if options.runs else ""
    table = bench(options.name, data, runs, **{name: getattr(options, name) for name in GIVEN})
    print({"text": table.text, "markdown": table.markdown, "json": table.json}[options.format]())
    return 0


def _list() -> int:
    from .benchmarks.core.catalogue import entries

    known = entries()
    print(*(entry.line for entry in known if not entry.apart), sep="\n")
    print(*("", "on their own:", *(f"{entry.line}; {entry.apart}" for entry in known if entry.apart)), sep="\n")
    return 0


def _one(places: list[str], option: str = "--data") -> str:
    if len(places) != 1:
        given = " ".join(f"{option} {place}" for place in places)
        raise ValueError(f"{given}: one folder expected; `facevox bench all` takes several")
    return places[0]


def _all(options: argparse.Namespace) -> int:
    from .benchmarks.all import AllOptions, run
    from .benchmarks.core.bench import BenchOptions
    from .benchmarks.learn import told

    if not options.out:
        raise ValueError("bench all needs --out, a folder for report.html, report.md and report.json")
    common = BenchOptions(**{name: getattr(options, name) for name in GIVEN})
    tables = tuple(filter(None, options.tables.split(",")))
    report = run(AllOptions(tuple(options.data), options.out, tables, common, tuple(options.runs)), told)
    print(*(f"{result.name}: {result.status}" for result in report.results), sep="\n")
    print(f"written: {options.out}/report.html, report.md, report.json")
    return 0 if report.passed else 1


def _train(options: argparse.Namespace) -> int:
    from .benchmarks.learn import told
    from .benchmarks.train import TrainOptions, run

    if not options.out or not options.data:
        raise ValueError("bench train needs --data, a built dataset folder, and --out, a folder for the checkpoints")
    tables = tuple(filter(None, options.tables.split(",")))
    trained = run(TrainOptions(_one(options.data), options.out, options.short, tables, options.device), told)
    print({"text": trained.text, "markdown": trained.text, "json": trained.json}[options.format]())
    return 0 if trained.passed else 1


def _learn(options: argparse.Namespace) -> int:
    from .benchmarks.learn import LearnOptions, run, told

    if not options.out:
        raise ValueError("bench learn needs --out, a folder for people, checkpoints and the report")
    rows = tuple(filter(None, options.rows.split(",")))
    learned = run(LearnOptions(options.out, rows, options.short, options.workers), told)
    print({"text": learned.text, "markdown": learned.markdown, "json": learned.json}[options.format]())
    return 0 if learned.passed else 1
