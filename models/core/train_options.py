"""What a training run is asked for."""

from dataclasses import dataclass, field
from pathlib import Path

from .device import DEVICES, PRECISIONS
from .model import ModelOptions


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
    validation: str = field(default="validation", metadata={"help": "split to validate on"})
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
