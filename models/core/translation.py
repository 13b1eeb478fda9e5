"""What CycleGAN and CUT share: thermal and visual faces that nobody paired, one generator, one schedule."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ...loaders.folder import Frames
from .model import LIKENESS, Batch, Inputs, Model, ModelOptions, Portable, check_fields
from .translation_networks import BLOCKS, TranslationGenerator, least_squares

FIELDS = {
    "pairs": {"thermal": "thermal.webp", "visual": "visual.webp"},
    "crops": {"thermal": "face_thermal.webp", "visual": "face_visual.webp"},
}
MOST_BLOCKS = 100
"""Residual blocks; papers have up to 9."""


@dataclass(frozen=True)
class TranslationOptions(ModelOptions):
    """What the paper has the same for both methods (SpeakingFaces 7.2), and the size of the networks."""

    faces: str = field(
        default="pairs",
        metadata={"help": "config with the faces: the paper's pairs, or the middle of clips", "choices": tuple(FIELDS)},
    )
    load_size: int = field(default=130, metadata={"help": "side in pixels that faces are scaled to in training"})
    crop_size: int = field(default=128, metadata={"help": "side in pixels of what is cut out of it at random"})
    width: float = field(default=1.0, metadata={"help": "layer widths as a share of the paper's"})
    blocks: int = field(default=BLOCKS, metadata={"help": "residual blocks of a generator"})
    lr: float = field(default=2e-4, metadata={"help": "learning rate of all optimizers"})
    beta1: float = field(default=0.5, metadata={"help": "of Adam, whose beta2 is 0.999"})
    constant: int = field(default=100, metadata={"help": "epochs at the full learning rate"})
    decay: int = field(default=100, metadata={"help": "epochs in which it then falls in equal steps towards 0"})

    def check(self) -> None:
        """Raise ValueError for a value out of range."""
        if self.faces not in FIELDS:
            raise ValueError(f"faces {self.faces!r}: expected {' or '.join(FIELDS)}")
        if not 32 <= self.crop_size <= self.load_size or self.crop_size % 4:
            raise ValueError(
                f"crop size {self.crop_size}, load size {self.load_size}: expected a multiple of 4 from 32 on, and no "
                "smaller load size"
            )
        if (
            self.width <= 0
            or not 0 <= self.blocks <= MOST_BLOCKS
            or min(self.lr, self.constant, self.decay) < 0
            or not 0 <= self.beta1 < 1
        ):
            raise ValueError(
                f"width {self.width}, {self.blocks} blocks, lr {self.lr}, beta1 {self.beta1}, {self.constant} + "
                f"{self.decay} epochs: expected a width above 0, 0 to {MOST_BLOCKS} blocks, beta1 in 0..1, and 0 or "
                "more of the others"
            )


def squared(pictures: Tensor, side: int) -> Tensor:
    """(B, 3, H, W) uint8 -> (B, 3, side, side) uint8 by cubic interpolation, smoothed before where it shrinks."""
    if tuple(pictures.shape[2:]) == (side, side):
        return pictures
    small = functional.interpolate(pictures.float(), (side, side), mode="bicubic", antialias=True)
    return small.round().clamp(0, 255).to(torch.uint8)


@dataclass(frozen=True)
class FacePairInputs(Inputs):
    """Thermal and visual face crops as squares.

    A batch holds `thermal`, `visual` (B, 3, crop_size, crop_size), the whole crops, to test on, and `loaded_thermal`,
    `loaded_visual` (B, 3, load_size, load_size), to cut training pictures from: uint8 RGB all of them.
    """

    faces: str = "pairs"
    load_size: int = 130
    crop_size: int = 128

    @property
    def config(self) -> str:
        return self.faces

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(FIELDS[self.faces].values())

    @property
    def frames(self) -> Frames:
        return "all" if self.faces == "pairs" else 3

    def takes(self, facts: Mapping[str, Any]) -> bool:
        """Samples in which a face was found."""
        return facts.get("face_box") is not None

    def __call__(self, samples: Sequence[Mapping[str, Any]]) -> Batch:
        """See the class. Raises ValueError for a missing field or something that is no colour picture."""
        taken = [sample for sample in samples if self.takes(sample["json"])]
        batch: Batch = {"keys": [sample["__key__"] for sample in taken], "dropped": len(samples) - len(taken)}
        for kind, name in FIELDS[self.faces].items() if taken else ():
            pictures = [self._picture(sample, name) for sample in taken]
            batch[kind] = torch.cat([squared(picture, self.crop_size) for picture in pictures])
            batch[f"loaded_{kind}"] = torch.cat([squared(picture, self.load_size) for picture in pictures])
        return batch

    def _picture(self, sample: Mapping[str, Any], name: str) -> Tensor:
        check_fields(sample, (name,), "translation")
        found: NDArray[np.uint8] = np.asarray(sample[name])
        # Of a clip's first, middle and last frame.
        picture = found if self.faces == "pairs" else found[1]
        if picture.ndim != 3 or picture.shape[2] != 3:
            raise ValueError(f"{sample['__key__']}: {name} of shape {found.shape}, expected colour pictures (H, W, 3)")
        return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))[None]


class Later(nn.Module):
    """Gives every picture one sample later, so that in a shuffled stream of pairs none meets its own partner but one.

    The one that waits is part of a model's state. Only the very first batch has no older one: its last picture comes
    first there, which in a batch of one, the papers' size, is the partner itself, for that single step.
    """

    def __init__(self, side: int) -> None:
        super().__init__()
        self.register_buffer("waiting", torch.zeros(1, 3, side, side, dtype=torch.uint8))
        self.register_buffer("begun", torch.zeros((), dtype=torch.bool))

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, 3, side, side) uint8 -> the same shape."""
        waiting, begun = self.get_buffer("waiting"), self.get_buffer("begun")
        first = waiting.clone() if begun else pictures[-1:]
        waiting.copy_(pictures[-1:])
        begun.fill_(True)
        return torch.cat([first, pictures[:-1]])


def cut_at_random(pictures: Tensor, side: int) -> Tensor:
    """(B, 3, H, W) uint8 -> (B, 3, side, side) float32 in -1..1: place and flip of each by torch's random state."""
    height, width = pictures.shape[2] - side + 1, pictures.shape[3] - side + 1
    parts = []
    for picture in pictures:
        top, left, turned = (int(torch.randint(limit, ())) for limit in (height, width, 2))
        part = picture[:, top : top + side, left : left + side]
        parts.append(part.flip(2) if turned else part)
    return scaled(torch.stack(parts))


def scaled(pictures: Tensor) -> Tensor:
    """uint8 -> float32 in -1..1."""
    return pictures.float() / 127.5 - 1


def shown(pictures: Tensor) -> Tensor:
    """Floats in -1..1 -> uint8."""
    return ((pictures.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def begin_weights(network: nn.Module, draw: Callable[[Tensor], Tensor]) -> None:
    """Draw the weights of all convolutions and dense layers anew, with biases of 0."""
    for part in network.modules():
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            draw(part.weight)
            if part.bias is not None:
                nn.init.zeros_(part.bias)


class Translation(Model):
    """A thermal face made visual by a network that never saw the two side by side."""

    batch_size = 1
    merit = LIKENESS
    generator: TranslationGenerator
    passing: ClassVar[tuple[str, ...]] = ("later",)
    limits = (
        "What it makes is a guess that looks like the people it was trained on: a thermal picture holds no colours, "
        "no eyes and no skin.",
        "It takes face crops, cut as in config `pairs`; of anything else it makes a face as well.",
        "In the paper dlib knew 35 in 100 people again in CycleGAN's pictures, 21 in CUT's, 98 in real ones.",
    )

    def __init__(self, options: TranslationOptions) -> None:
        super().__init__()
        options.check()
        self.settings = options
        self.epochs = options.constant + options.decay
        self.later = Later(options.load_size)

    def optimize(self, **parts: Sequence[nn.Module]) -> None:
        """An Adam optimizer and its schedule for each group of networks."""
        for name, networks in parts.items():
            own = [parameter for network in networks for parameter in network.parameters()]
            optimizer = torch.optim.Adam(own, lr=self.settings.lr, betas=(self.settings.beta1, 0.999))
            self.optimizers[name] = optimizer
            self.schedulers[name] = torch.optim.lr_scheduler.LambdaLR(optimizer, self.share_of_rate)

    def share_of_rate(self, epoch: int) -> float:
        """Of the learning rate in an epoch, from 0: 1 - max(0, e - constant) / (decay + 1), e the same from 1."""
        return max(0.0, 1 - max(0, epoch + 1 - self.settings.constant) / (self.settings.decay + 1))

    def finish_epoch(self) -> None:
        for scheduler in self.schedulers.values():
            scheduler.step()

    def inputs(self) -> FacePairInputs:
        return FacePairInputs(self.settings.faces, self.settings.load_size, self.settings.crop_size)

    def unpaired(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Thermal and visual pictures (B, 3, crop_size, crop_size) in -1..1, apart as `Later` says, cut at random."""
        side = self.settings.crop_size
        return cut_at_random(batch["loaded_thermal"], side), cut_at_random(self.later(batch["loaded_visual"]), side)

    def portable(self) -> dict[str, Portable]:
        side = self.settings.crop_size
        about = f"Thermal face (B, 3, {side}, {side}) float32, RGB in -1..1 -> visual face, the same shape and range."
        return {"visual": Portable(self.generator, {"thermal": torch.zeros(2, 3, side, side)}, ("visual",), about)}

    def forward(self, batch: Batch) -> Tensor:
        """A batch of FacePairInputs -> visual pictures (B, 3, crop_size, crop_size) in -1..1."""
        made: Tensor = self.generator(scaled(batch["thermal"]))
        return made

    def translate(self, pictures: Tensor) -> Tensor:
        """Thermal face crops (B, 3, H, W) uint8 RGB -> visual ones (B, 3, crop_size, crop_size) uint8 RGB."""
        return shown(self.generator(scaled(squared(pictures, self.settings.crop_size))))

    def update(self, part: str, loss: Tensor) -> None:
        """One step of an optimizer down a loss."""
        self.optimizers[part].zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizers[part].step()

    def evaluate(self, batch: Batch) -> dict[str, Tensor]:
        """(B,) each: loss (mean absolute difference from the pair's visual face, 0 to 2), merit (1 - loss / 2).

        Pairs serve this alone; training never sees them.
        """
        error = (self(batch).float() - scaled(batch["visual"])).abs().mean((1, 2, 3))
        return {"merit": 1 - error / 2, "loss": error}

    def draw(self, batch: Batch) -> list[Tensor]:
        """[thermal, made, visual]."""
        return [batch["thermal"], shown(self(batch)), batch["visual"]]


def told_apart(real: Tensor, made: Tensor) -> Tensor:
    """A discriminator's least squares loss, halved as in both papers' code: half of its speed."""
    return (least_squares(real.float(), True) + least_squares(made.float(), False)) / 2
