"""What a model file fills in: the paper's constants, what it takes from samples, its layers and its step."""

import importlib
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ...loaders.folder import Frames
from ...loaders.names import check_options, nearest

Batch = dict[str, Any]
"""Tensors whose first axis counts samples, beside `keys` (their names, list of str) and `dropped` (int)."""


@dataclass(frozen=True)
class ModelOptions:
    """Constants of a model; a model file extends them with its own, each with a `help` text."""

    def as_dict(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(self)}


@dataclass(frozen=True)
class Inputs(ABC):
    """The sample-level work of a model, run in the workers: decoded samples in, a small batch out.

    Frozen and small, since it travels to every worker; large frames never leave the worker that read them.
    """

    @property
    def config(self) -> str:
        """Config that is read unless another is asked for."""
        return "utterances"

    @property
    @abstractmethod
    def fields(self) -> tuple[str, ...]:
        """Fields to ask a stream for, as in ("visual.webp", "mic1.flac")."""

    @property
    def frames(self) -> Frames:
        """Frames of every clip to ask a stream for."""
        return "all"

    @property
    def align(self) -> bool:
        """Whether visual frames are asked for in the thermal frame."""
        return False

    @abstractmethod
    def takes(self, facts: Mapping[str, Any]) -> bool:
        """Whether the model can use a sample with these facts; the others are dropped and counted."""

    @abstractmethod
    def __call__(self, samples: Sequence[Mapping[str, Any]]) -> Batch:
        """Samples as `Folder.fetch` gives them -> Batch. Raises ValueError naming a missing field or fact."""


@dataclass(frozen=True)
class PeopleInputs(ABC):
    """As Inputs, for a model that takes batches of people: of each person so many samples of several configs.

    The batch size of training is then a number of people.
    """

    @property
    @abstractmethod
    def samples(self) -> Mapping[str, int]:
        """Samples of each person by config, as in {"voices": 4, "faces": 8}."""

    @property
    @abstractmethod
    def fields(self) -> Mapping[str, tuple[str, ...]]:
        """Fields to ask for by config."""

    @property
    def balance(self) -> str:
        """A fact with two values, of which a batch has 3:1 or 1:3 by turns; may be empty."""
        return ""

    @abstractmethod
    def __call__(self, samples: Mapping[str, Any]) -> Batch:
        """{"identities": names (P,), config: samples (P x K), person after person} -> Batch.

        `keys` name the rows of what Model.evaluate returns. Raises ValueError naming a missing field or fact.
        """


def check_fields(sample: Mapping[str, Any], wanted: Iterable[str], reader: str) -> None:
    """Raise ValueError naming the first field that a sample lacks, what it has, and who wanted it."""
    for name in wanted:
        if sample.get(name) is None:
            there = ", ".join(field for field in sample if not field.startswith("__") and field != "json") or "none"
            raise ValueError(
                f"{sample['__key__']}: no field {name!r}, which {reader} reads; its fields: {there}. "
                "Choose a config or a model that fits"
            )


Renames = tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...]
"""Patterns and what `re.sub` puts for them, in order."""


@dataclass(frozen=True)
class Pretrained:
    """Where the weights of a model's part come from, and the beginning of their names there.

    Sources are a checkpoint of `model`, or the registered public network `network`; either may be empty. A part that
    is not `required` begins fresh unless it is given; `Model.begun` tells. A part that a variant does not have is None
    or absent there, and then not asked for.
    """

    model: str = ""
    prefix: str = ""
    required: bool = True
    network: str = ""
    network_prefix: str = ""
    network_names: Renames = ()
    """From names in the public network's weights to the part's."""
    without: str = ""
    """How to train without the part, as words of an error."""
    tells_people: bool = False
    """Whether it tells the people in training apart, who then must be those of the run that it begins, in order."""


@dataclass(frozen=True)
class Portable:
    """A network as others run it: tensors in, tensors out, the first axis of each a batch of any size."""

    module: nn.Module
    inputs: Mapping[str, Tensor]
    """Examples by name, two samples each, in the order of the module's arguments."""
    outputs: tuple[str, ...]
    about: str
    """What goes in and comes out: shapes, units, ranges."""


class Calling(nn.Module):
    """A function of tensors as a module, with the weights of the model that it calls."""

    def __init__(self, model: nn.Module, function: Callable[..., Tensor]) -> None:
        super().__init__()
        self.model, self.function = model, function

    def forward(self, *tensors: Tensor) -> Tensor:
        return self.function(*tensors)


LIKENESS = "likeness (1 - mean absolute error)"
"""Merit of models that draw pictures, told to people."""


class Model(nn.Module, ABC):
    """A network that steps its own optimizers; it knows nothing of paths, devices, loops or metrics."""

    name: ClassVar[str]
    options_type: ClassVar[type[ModelOptions]]
    epochs: int
    """Epochs of the paper; 0 where it counts steps. A class constant, or set by what the options choose."""
    steps: int = 0
    """Steps of the paper; 0 where it counts epochs; as `epochs`."""
    batch_size: int
    """Samples (with PeopleInputs: people) per step of the paper; as `epochs`."""
    parts: Mapping[str, Pretrained] = MappingProxyType({})
    """Submodules that begin with the weights of another model, or of a registered public network; as `epochs`."""
    training_only: ClassVar[tuple[str, ...]] = ()
    """Submodules that training alone needs, as discriminators and frozen judges: an exported model has them not."""
    passing: ClassVar[tuple[str, ...]] = ()
    """Submodules that hold samples, as pictures of people, from one step to the next: only last.pt keeps them."""
    merit: str = "merit"
    """What `evaluate` calls merit, in words, such as "accuracy"; a constant, or by what options choose."""
    warning: ClassVar[str] = ""
    """What everybody who uses the model must be told, in its help and its card; empty where nothing needs saying."""

    intended: ClassVar[str] = (
        "Research on what faces, voices and heat tell of each other, and comparison with the published results. Not "
        "for decisions about people."
    )
    """For the card of an exported model."""
    limits: ClassVar[tuple[str, ...]] = ()
    """As `intended`: what is particular to this model, beside what holds for all."""

    def __init__(self) -> None:
        super().__init__()
        self.begun: frozenset[str] = frozenset()
        """Of `parts`, those that were given weights to begin with."""
        self.optimizers: dict[str, torch.optim.Optimizer] = {}
        self.schedulers: dict[str, torch.optim.lr_scheduler.LRScheduler] = {}

    @classmethod
    def tells_apart(cls, options: Any) -> tuple[str, ...]:
        """Configs whose people it learns to tell apart; their names then are the second argument of its making."""
        return ()

    @property
    def variant(self) -> str:
        """Which of the paper's variants this is, as part of a folder name, as in "mode7"; may be empty."""
        return ""

    @property
    def shuffle(self) -> bool:
        """Whether training reads samples in a new random order every epoch."""
        return True

    @property
    def learning_rate(self) -> float:
        """Of the first optimizer, for the record."""
        return float(next(iter(self.optimizers.values())).param_groups[0]["lr"])

    @abstractmethod
    def inputs(self) -> Inputs | PeopleInputs:
        """What turns samples into the batches of this model."""

    @abstractmethod
    def step(self, batch: Batch) -> dict[str, Tensor]:
        """One training step: forward, backward, its optimizers; returns detached scalar losses by name.

        The first of them is the one shown and recorded.
        """

    @abstractmethod
    def evaluate(self, batch: Batch) -> dict[str, Tensor]:
        """Per-sample results, each (B,): `merit` (0 to 1, higher is better), `loss`, and what a table needs."""

    def draw(self, batch: Batch) -> list[Tensor]:
        """Columns of a picture grid, each (N, 3, H, W) uint8 RGB, as in [given, made, real]; none: no pictures."""
        return []

    def finish_epoch(self) -> None:
        """Step the schedulers that count epochs; called at the end of every epoch, validated or not."""

    def portable(self) -> Mapping[str, Portable]:
        """Networks to be run without facevox, by the name of their file; none: only weights can be exported."""
        return {}

    def weights_without(self, *parts: str) -> dict[str, Tensor]:
        """Weights and buffers by name, but those of the named submodules, as `passing`."""
        left_out = tuple(f"{part}." for part in parts)
        return {name: tensor for name, tensor in self.state_dict().items() if not name.startswith(left_out)}

    def end_epoch(self, validation: Mapping[str, float]) -> None:
        """Step the schedulers; `validation` has `merit` (mean) and `loss` (sum over samples)."""


def models() -> list[str]:
    """Names of all models: the files beside this package's `core`."""
    here = Path(__file__).parent.parent
    return sorted(path.stem for path in here.glob("*.py") if not path.stem.startswith("_"))


def find(name: str) -> type[Model]:
    """The Model of that name, imported from its file. Raises ValueError naming the nearest one."""
    if name not in models():
        raise ValueError(f"no model {name!r}; {nearest(name, models())}")
    model: type[Model] = importlib.import_module(f"...{name}", __name__).MODEL
    return model


def model_options(name: str, values: Mapping[str, Any]) -> ModelOptions:
    """The options object of a model. Raises ValueError for an option it does not have, naming the nearest."""
    kind = find(name).options_type
    check_options(name, values, [f.name for f in fields(kind)])
    return kind(**values)


def create(name: str, options: ModelOptions, people: Sequence[str] = ()) -> Model:
    """A fresh model; its weights come from torch's random state. Raises ValueError when options are not its own.

    `people`: names of those that it learns to tell apart, for options with which it `tells_apart` any.
    """
    kind: Any = find(name)
    if not isinstance(options, kind.options_type):
        raise ValueError(f"{name} takes {kind.options_type.__name__}, not {type(options).__name__}")
    model: Model = kind(options, tuple(people)) if kind.tells_apart(options) else kind(options)
    return model
