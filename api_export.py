"""Trained models on their way to others, as functions: what `facevox export` does."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .models.core.export import Exported


def export(
    checkpoint: str | Path, out: str | Path, *, model: str = "", push: str = "", public: bool = False, **options: Any
) -> "Exported":
    """Write a trained model for others: model.safetensors, ONNX files, config.json, a card; returns what was written.

    facevox.export("RUNS/speech2face/seed0/best.pt", "E")
    `model` is what the checkpoint must be of, if given; `options` are formats=("safetensors", "onnx") and data, what
    the card calls the training data. `push` sends the folder to a model repository, USER/NAME, private unless `public`.
    Raises ValueError for a checkpoint that does not fit, ModuleNotFoundError without the extra `export`; with `push`
    PermissionError without a token or right, ConnectionError when the hub cannot be reached.
    """
    from .models.core.export import ExportOptions
    from .models.core.export import export as run

    found = run(ExportOptions(Path(checkpoint), Path(out), model, **options))
    if push:
        from .models.core.hub import push as send

        return replace(found, address=send(found.out, push, public))
    return found
