"""The folder that `facevox export` writes: which files are its own, and the model back out of it."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from .model import Model, create, model_options

WEIGHTS, FACTS, CARD = "model.safetensors", "config.json", "README.md"
MOST_FACTS = 1 << 20
"""Bytes of the facts; what is longer was not written by us."""
MOST_LEFT_OUT = 1 << 28
"""Numbers that a model may have beside those of its file (1 GiB): judges and discriminators, made and thrown away."""


def exported_files(folder: Path) -> tuple[str, ...]:
    """Names of what an export wrote to a folder, by its facts. Raises ValueError for a folder that is no export's."""
    facts = _facts(folder)
    names = facts.get("files")
    if not isinstance(names, list) or FACTS not in names or not all(map(_is_own, names)):
        raise ValueError(f"{folder}: its {FACTS} names no files of an export; give a folder that facevox export wrote")
    return tuple(names)


def _is_own(name: Any) -> bool:
    if not isinstance(name, str) or name != Path(name).name:
        return False
    return name in (WEIGHTS, FACTS, CARD) or name.endswith(".onnx")


def _facts(folder: Path) -> Mapping[str, Any]:
    path = folder / FACTS
    if not path.is_file() or path.stat().st_size > MOST_FACTS:
        raise ValueError(f"{folder}: no {FACTS} as `facevox export` writes it; give a folder that it wrote")
    try:
        facts = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError):
        facts = None
    if not isinstance(facts, dict):
        raise ValueError(f"{path}: damaged, not a model that `facevox export` wrote; export it anew")
    return facts


def read_exported(folder: Path) -> Model:
    """The model that `export` wrote to a folder, for use; its `training_only` parts are None.

    Nothing is made that the file's own shapes do not bear out. Raises ValueError for facts or weights that do not fit.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    facts = _facts(folder)
    if not (folder / WEIGHTS).is_file():
        raise ValueError(f"{folder}: no {WEIGHTS}; export it with safetensors among the formats")
    try:
        model = _fitting(folder, facts)
        model.load_state_dict(load_file(folder / WEIGHTS), strict=False)
    except (SafetensorError, KeyError, TypeError, RuntimeError, OverflowError) as error:
        told = " ".join(str(error).split())[:200]
        raise ValueError(
            f"{folder}: not a model that `facevox export` wrote ({type(error).__name__}: {told})"
        ) from None
    for part in (*model.training_only, *model.passing):
        parent, _, name = part.rpartition(".")
        if name in dict(model.get_submodule(parent).named_children()):
            setattr(model.get_submodule(parent), name, None)
    return model.eval()


def _fitting(folder: Path, facts: Mapping[str, Any]) -> Model:
    """A fresh model of these facts, made only once all of its names and shapes are known to be the file's."""
    from safetensors import safe_open

    with safe_open(folder / WEIGHTS, framework="pt") as file:
        found = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118 - no mapping
    options = model_options(facts["model"], facts["options"])
    # Where people are told apart in the file, a tensor has a row for each of them; where not, their number is free.
    rows = max((shape[0] for shape in found.values() if math.prod(shape) and shape), default=0)
    people = [f"{number:06d}" for number in range(min(int(facts["people"]), rows))]
    with torch.device("meta"):
        planned = create(facts["model"], options, people)
    kept = planned.weights_without(*planned.training_only, *planned.passing)
    wanted = {name: tuple(tensor.shape) for name, tensor in kept.items()}
    if wrong := sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name)):
        there, here = (shapes.get(wrong[0], "absent") for shapes in (found, wanted))
        raise ValueError(
            f"{folder}: not a model that `facevox export` wrote: {wrong[0]} is {there} in {WEIGHTS}, {here} by {FACTS}"
        )
    numbers = sum(tensor.numel() for tensor in (*planned.parameters(), *planned.buffers()))
    if numbers - sum(map(math.prod, found.values())) > MOST_LEFT_OUT:
        raise ValueError(f"{folder}: by its {FACTS} it would be made of {numbers:,} numbers, far more than {WEIGHTS}")
    return create(facts["model"], options, people)
