"""A trained model as others take it: weights as safetensors, networks as ONNX, a card that says what it is."""

import json
import logging
import math
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...loaders.durable import written_aside
from .checkpoint import load, restore, save_json, save_text
from .exported import CARD, FACTS, WEIGHTS, exported_files
from .model import Model, Portable
from .model_card import card

FORMATS = ("safetensors", "onnx")
EXTRA = "pip install 'facevox[export]'"
KEPT = ("folder", "config", "seed", "batch_size", "limit", "initial")
"""Of what a checkpoint says about its run, what goes into the facts: no place on a disk, no name of a person."""
TOLERANCE = 1e-3
"""Largest difference between a network and its ONNX file, as a share of the largest number."""


@dataclass(frozen=True)
class ExportOptions:
    """What to export, and where to."""

    checkpoint: Path
    out: Path
    model: str = ""
    """Name of the model that the checkpoint must be of; empty for any."""
    formats: tuple[str, ...] = FORMATS
    data: str = ""
    """What the card calls the training data; empty for its digest alone."""


@dataclass(frozen=True)
class Exported:
    """What was written, and how far each ONNX file's numbers are from the network's (None: OpenCV cannot run it)."""

    out: Path
    files: tuple[str, ...]
    differences: Mapping[str, float | None] = field(default_factory=dict)
    address: str = ""
    """Of the repository that it was sent to; empty where it was not."""

    def lines(self) -> list[str]:
        told = [f"{self.out}: {', '.join(self.files)}"]
        for name, found in self.differences.items():
            checked = "not checked: OpenCV cannot run it" if found is None else f"within {found:.1e} of the network"
            told.append(f"  {name}: {checked}")
        return [*told, self.address] if self.address else told


def export(options: ExportOptions) -> Exported:
    """Write the model of a checkpoint to a folder: weights, ONNX files, facts and, last, the card.

    Raises ValueError for an unknown format, a damaged checkpoint or one of another model, or an ONNX file that does not
    compute what the network does, a folder that holds other things, ModuleNotFoundError where an extra is missing.
    """
    if unknown := [name for name in options.formats if name not in FORMATS]:
        raise ValueError(f"format {unknown[0]!r}: expected {' or '.join(FORMATS)}")
    state = load(options.checkpoint)
    if options.model and state["model"] != options.model:
        raise ValueError(f"{options.checkpoint}: is of {state['model']}, expected a checkpoint of {options.model}")
    model, state = restore(options.checkpoint)
    networks = model.eval().portable() if "onnx" in options.formats else {}
    weights = [WEIGHTS] if "safetensors" in options.formats else []
    files = (FACTS, *weights, *(f"{name}.onnx" for name in networks), CARD)
    facts = {**described(model, state, _history(options.checkpoint, state)), "files": files}
    _clear(options.out)
    save_json_to(options.out / FACTS, facts)
    if weights:
        write_weights(model, options.out / WEIGHTS)
    differences = {f"{name}.onnx": write_onnx(part, options.out / f"{name}.onnx") for name, part in networks.items()}
    save_text(options.out / CARD, card(model, facts, differences, options.data))
    return Exported(options.out, files, differences)


def _clear(out: Path) -> None:
    """Remove what an earlier export wrote, its facts last. Raises ValueError for a folder that holds other things."""
    if not out.is_dir() or not any(out.iterdir()):
        return
    try:
        former = exported_files(out)
    except ValueError:
        raise ValueError(f"{out}: holds other things than an export; name a new or empty folder by --out") from None
    for name in sorted(former, key=lambda name: (name == FACTS, name != CARD)):
        (out / name).unlink(missing_ok=True)


def save_json_to(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_json(path, value)


def described(model: Model, state: Mapping[str, Any], history: list[dict[str, Any]]) -> dict[str, Any]:
    """What is written beside the weights: the model, its options, what it was trained on, how it did."""
    facts: dict[str, Any] = {"model": state["model"], "options": state["options"]}
    facts |= {name: state[name] for name in KEPT if name in state}
    # A filter may name a person: its digest tells those who have it that it is the same.
    if where := state.get("where"):
        facts["where_sha256"] = sha256(where.encode()).hexdigest()
    facts["asked"] = dict(state.get("asked", {}))
    if "progress" in state and state["progress"]["epoch"] < (facts["asked"].get("epochs") or math.inf):
        facts["asked"]["max_steps"] = state["progress"]["step"]
    # Their number gives the size of what tells them apart; their names are nobody's business.
    facts["people"] = len(state.get("people", ()))
    left_out = tuple(f"{part}." for part in model.training_only)
    own = [weight for name, weight in model.named_parameters() if not name.startswith(left_out)]
    facts["parameters"] = sum(weight.numel() for weight in own)
    best = next((line for line in history if line["epoch"] == state.get("epoch")), history[-1] if history else {})
    names = ("epoch", "step", "loss", "merit", "validation_loss", "validation_samples", "finished", "place")
    facts["trained"] = {"epochs": len(history) or state.get("epoch", 0), **{n: best[n] for n in names if n in best}}
    return facts | {"facevox": version("facevox"), "torch": torch.__version__}


def _history(checkpoint: Path, state: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Finished epochs: of the checkpoint itself, or of runs.jsonl beside one that has only weights."""
    if "progress" in state:
        return list(state["progress"]["history"])
    runs = checkpoint.with_name("runs.jsonl")
    return [json.loads(line) for line in runs.read_text("utf-8").splitlines()] if runs.is_file() else []


def write_weights(model: Model, path: Path) -> None:
    """The weights that use needs, by name: no judge, no sample. Raises ModuleNotFoundError without safetensors."""
    try:
        from safetensors.torch import save_file
    except ModuleNotFoundError:
        raise ModuleNotFoundError(f"writing {path.name} needs safetensors: {EXTRA}", name="safetensors") from None
    own = model.weights_without(*model.training_only, *model.passing)
    # Tensors that share memory are refused, those that are views of others too.
    weights = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in own.items()}
    with written_aside(path) as part:
        save_file(weights, part, metadata={"format": "pt", "model": model.name})


def write_onnx(network: Portable, path: Path) -> float | None:
    """A network as an ONNX file whose batch may have any size; returns its largest difference when OpenCV runs it.

    As a share of the largest number; None where OpenCV cannot run it. Raises ValueError above TOLERANCE,
    ModuleNotFoundError without onnxscript.
    """
    batch = torch.export.Dim("batch", max=4096)
    shapes = {name: {0: batch} for name in network.inputs}
    with written_aside(path) as part, _quietly():
        try:
            torch.onnx.export(
                network.module.eval(),
                tuple(network.inputs.values()),
                str(part),
                input_names=list(network.inputs),
                output_names=list(network.outputs),
                dynamic_shapes=_as_arguments(network, shapes),
                dynamo=True,
                external_data=False,
                verbose=False,
            )
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(f"writing {path.name} needs onnxscript: {EXTRA}", name=error.name) from None
        import onnx

        onnx.checker.check_model(str(part))
        difference = _difference(network, part)
        if difference is not None and not difference <= TOLERANCE:
            raise ValueError(
                f"{path.name}: differs from the network by {difference:.2g} of its largest number, expected at most "
                f"{TOLERANCE}; write without it: --formats safetensors"
            )
    return difference


def _as_arguments(network: Portable, shapes: Mapping[str, Any]) -> Any:
    """Shapes in the form of the module's arguments, which may be any number of tensors."""
    from .model import Calling

    given = tuple(shapes.values())
    return (given,) if isinstance(network.module, Calling) else given


def _difference(network: Portable, path: Path) -> float | None:
    """Between a network and its ONNX file in OpenCV, over noise of another batch size than the example's."""
    import cv2

    inputs = {name: _noise(example) for name, example in network.inputs.items()}
    with torch.inference_mode():
        found = network.module(*inputs.values())
    wanted = [tensor.float().numpy() for tensor in (found if isinstance(found, tuple) else (found,))]
    try:
        runner = cv2.dnn.readNetFromONNX(str(path))
        for name, tensor in inputs.items():
            runner.setInput(tensor.numpy(), name)
        made: list[NDArray[np.float32]] = list(runner.forward(list(network.outputs)))
    except cv2.error:
        return None
    scale = max(float(np.abs(tensor).max()) for tensor in wanted) or 1.0
    pairs = zip(wanted, made, strict=True)
    if any(first.size != second.size for first, second in pairs):
        return float("inf")
    pairs = zip(wanted, made, strict=True)
    return max(float(np.abs(first.ravel() - second.ravel()).max()) for first, second in pairs) / scale


def _noise(example: Tensor) -> Tensor:
    random = torch.Generator().manual_seed(0)
    shape = (3, *example.shape[1:])
    if example.dtype.is_floating_point:
        return torch.randn(shape, generator=random)
    return torch.randint(0, 256, shape, generator=random).to(example.dtype)


@contextmanager
def _quietly() -> Iterator[None]:
    """Without what the exporter says about packages that nobody asked for."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
