"""The commands `facevox train` and `facevox bench`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

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
    parser.description = "One published table beside values measured here; `facevox bench list` names the tables."
    parser.add_argument("name", help="which table, or list", metavar="TABLE")
    parser.add_argument("--data", default="", help="a built dataset folder")
    parser.add_argument("--runs", default="", help="the folder that `facevox train --out` wrote")
    parser.add_argument("--as-published", action="store_true", help="noise wraps around, as in the authors' code")
    parser.add_argument("--format", choices=("text", "markdown", "json"), default="text", help="how to print it")
    parser.set_defaults(run=_bench)


def _bench(options: argparse.Namespace) -> int:
    from .api import bench
    from .benchmarks.core.bench import benches

    if options.name == "list":
        print(*benches(), sep="\n")
        return 0
    if not options.data:
        raise ValueError("bench needs --data, a built dataset folder")
    table = bench(options.name, options.data, options.runs, as_published=options.as_published)
    print({"text": table.text, "markdown": table.markdown, "json": table.json}[options.format]())
    return 0
