"""The commands `facevox train` and `facevox bench`."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .cli_options import add_options, chosen, named


def add_train(parser: argparse.ArgumentParser, given: Sequence[str]) -> None:
    here = Path(__file__).parent / "models"
    known = sorted(path.stem for path in here.glob("*.py") if not path.stem.startswith("_"))
    parser.description = (
        "Train a model on a built folder; the same command resumes exactly where it stopped.\n"
        f"models: {', '.join(known)}; `facevox train MODEL --help` shows all options."
    )
    parser.add_argument("model", help="which model", metavar="MODEL")
    parser.add_argument("--data", required=True, help="a built dataset folder")
    parser.add_argument("--out", required=True, help="where checkpoints go, as OUT/gender-mode7/seed0/best.pt")
    parser.set_defaults(run=train_model)
    if model := named(given, "train", here):
        from .models.core.model import find
        from .models.core.train import TrainOptions

        if warning := find(model).warning:
            parser.description += f"\n\n{warning}"
        add_options(parser.add_argument_group("training"), TrainOptions)
        add_options(parser.add_argument_group(f"options of {model}"), find(model).options_type)


def train_model(options: argparse.Namespace) -> int:
    from .api import train
    from .models.core.model import find
    from .models.core.train import TrainOptions

    picked = {**chosen(options, find(options.model).options_type), **chosen(options, TrainOptions)}
    print(*train(options.model, options.data, options.out, progress=True, **picked).lines(), sep="\n")
    return 0


def add_bench(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "One published table beside values measured here; `facevox bench list` names the tables.\n"
        "`facevox bench learn --out W` shows that the models learn: it forges people, builds, trains and scores each\n"
        "through the command line, once more with voices that fit no face; the same command goes on where it "
        "stopped.\nExit code 1 when a row does not reach what is wanted."
    )
    parser.add_argument("name", help="which table, or learn, or list", metavar="TABLE")
    parser.add_argument("--data", default="", help="a built dataset folder")
    parser.add_argument("--runs", default="", help="the folder that `facevox train --out` wrote")
    parser.add_argument("--as-published", action="store_true", help="noise wraps around, as in the authors' code")
    parser.add_argument("--format", choices=("text", "markdown", "json"), default="text", help="how to print it")
    add_recognition(parser.add_argument_group("recognition, which needs no --data"))
    learn = parser.add_argument_group("learn")
    learn.add_argument(
        "--out", default="", help="folder for people, checkpoints and learn.json; new, or of this command"
    )
    learn.add_argument("--rows", default="", help="only these, as in gender,rcgan (default: all)")
    learn.add_argument("--short", action="store_true", help="in seconds each, for tests; the rows that have it")
    learn.add_argument("--workers", type=int, default=1, help="processes that forge and build (default: 1)")
    parser.set_defaults(run=_bench)


def add_recognition(group: Any) -> None:
    group.add_argument("--embeddings", default="", help="vectors and labels of probes: .npz, .csv or .parquet")
    group.add_argument("--leave-one-out", action="store_true", help="look every vector up among all others")
    group.add_argument("--gallery", default="", help="or among those of this table")
    group.add_argument(
        "--metric", choices=("euclidean", "cosine"), default="euclidean", help="distance of at most, or cosine above"
    )
    group.add_argument("--tolerance", type=float, default=0.0, help="of a match (default: all published ones)")


def _bench(options: argparse.Namespace) -> int:
    from .api import bench
    from .benchmarks.core.bench import benches

    if options.name == "list":
        print(*benches(), sep="\n")
        return 0
    if options.name == "learn":
        return _learn(options)
    if not options.data and not options.embeddings:
        raise ValueError("bench needs --data, a built dataset folder (recognition: --embeddings)")
    given = ("as_published", "embeddings", "leave_one_out", "gallery", "metric", "tolerance")
    table = bench(options.name, options.data, options.runs, **{name: getattr(options, name) for name in given})
    print({"text": table.text, "markdown": table.markdown, "json": table.json}[options.format]())
    return 0


def _learn(options: argparse.Namespace) -> int:
    from .benchmarks.learn import LearnOptions, run, told

    if not options.out:
        raise ValueError("bench learn needs --out, a folder for people, checkpoints and the report")
    rows = tuple(filter(None, options.rows.split(",")))
    learned = run(LearnOptions(options.out, rows, options.short, options.workers), told)
    print({"text": learned.text, "markdown": learned.markdown, "json": learned.json}[options.format]())
    return 0 if learned.passed else 1
