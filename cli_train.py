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
