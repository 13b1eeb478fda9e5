"""What a training run is asked for."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ...loaders.folder import Folder, FolderError
from .device import DEVICES, PRECISIONS
from .model import ModelOptions

VALIDATION = "validation"
"""The split that is validated on where none is named."""


@dataclass(frozen=True)
class TrainOptions:
    """What to train, on what, for how long; see `facevox train --help`."""

    model: str
    data: str | Path
    out: str | Path
    config: str = field(default="", metadata={"help": "config of the dataset folder (default: the model's)"})
    epochs: int = field(default=0, metadata={"help": "epochs (default: the paper's)"})
    batch_size: int = field(default=0, metadata={"help": "samples, or people, per step (default: the paper's)"})
    seed: int = field(default=0, metadata={"help": "of weights, order and dropout"})
    workers: int = field(default=0, metadata={"help": "reading processes; 0 reads in the main one"})
    device: str = field(default="auto", metadata={"help": "where to run", "choices": DEVICES})
    precision: str = field(default="auto", metadata={"help": "of the steps", "choices": PRECISIONS})
    channels_last: bool = field(default=False, metadata={"help": "lay pictures out colour by colour, faster on GPUs"})
    compile: bool = field(default=False, metadata={"help": "torch.compile the networks; needs a C++ compiler"})
    where: str = field(default="", metadata={"help": "only samples whose facts fulfil this, as in age < 40"})
    limit: int = field(default=0, metadata={"help": "at most this many samples per split (0: all)"})
    validation: str = field(
        default="", metadata={"help": "split to validate on (default: validation, where the folder has it)"}
    )
    patience: int = field(
        default=0, metadata={"help": "stop after so many validations without a better one (0: never)"}
    )
    validate_every: int = field(default=1, metadata={"help": "epochs between validations (0: never)"})
    save_every: int = field(default=0, metadata={"help": "steps between checkpoints inside an epoch (0: none)"})
    max_steps: int = field(default=0, metadata={"help": "stop after this many steps in all (0: never)"})
    initial: str = field(
        default="",
        metadata={
            "help": "parts that begin trained, as encoder=RUNS/voice_classifier/seed0/best.pt, or with the weights "
            "of a public network by its name, as face=vggface-vgg16"
        },
    )
    models: str = field(
        default="", metadata={"help": "folder with files of public networks, looked through before packages and hub"}
    )
    settings: ModelOptions | None = None
    """The model's own options; None for its defaults."""


def validating(options: TrainOptions, folder: Folder, configs: Sequence[str]) -> tuple[TrainOptions, list[str]]:
    """The options with the split that is validated on, and what is to be said of it.

    A folder without a split called validation is trained on without. Raises FolderError where one was named that a
    config lacks.
    """
    split = options.validation or VALIDATION
    lacking = [config for config in configs if split not in folder.splits(config)] if options.validate_every else []
    if not lacking:
        return replace(options, validation=split), []
    there = ", ".join(folder.splits(lacking[0]))
    found = f"{folder}: config {lacking[0]!r} has no split {split!r} to validate on; there is: {there}"
    if options.validation:
        raise FolderError(f"{found}. Name one by --validation, or give --validate-every 0")
    return replace(options, validate_every=0), [f"nothing is validated, and best.pt holds the last weights: {found}"]
