"""Whose voice is it, and the 128 numbers that RC-GAN draws faces from: the voice classifier of its paper (III-A)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from .core.model import Batch, Inputs, Model, ModelOptions, check_fields
from .core.rcgan_networks import BANDS, FRAMES, VoiceClassifierNetwork

FIELD = "piczak.array"


@dataclass(frozen=True)
class VoiceClassifierOptions(ModelOptions):
    """The paper's constants; it says nothing of batch, epochs and patience."""

    classes: int = field(default=9, metadata={"help": "people, numbered by the fact class_index"})
    width: float = field(default=1.0, metadata={"help": "layer widths as a share of the paper's"})
    lr: float = field(default=1e-3, metadata={"help": "learning rate of Adam"})
    segments: int = field(default=0, metadata={"help": "at most so many of a recording, equally spaced (0: all)"})

    def settled(self) -> "VoiceClassifierOptions":
        """These options. Raises ValueError for a value out of range."""
        if self.classes < 2 or self.width <= 0 or self.segments < 0:
            raise ValueError(
                f"{self.classes} classes, width {self.width}, {self.segments} segments: expected 2 or more classes, a "
                "width above 0, 0 or more segments"
            )
        return self


@dataclass(frozen=True)
class SegmentInputs(Inputs):
    """Recordings to their audible segments of 0.93 s, each a row of the batch.

    A batch holds `spectrogram` (S, 2, 60, 41) float32, in dB, and its slope; `class` (S,) int64. `keys` names the
    recording of every segment. Recordings without an audible segment are dropped.
    """

    classes: int = 9
    segments: int = 0

    @property
    def config(self) -> str:
        return "rcgan"

    @property
    def fields(self) -> tuple[str, ...]:
        return (FIELD,)

    def takes(self, facts: Mapping[str, Any]) -> bool:
        return (facts.get("segments") or 0) > 0

    def __call__(self, samples: Sequence[Mapping[str, Any]]) -> Batch:
        """See the class. Raises ValueError for a missing field, another shape, or a class outside the model's."""
        taken = [sample for sample in samples if self.takes(sample["json"])]
        parts, labels, keys = [], [], []
        for sample in taken:
            check_fields(sample, self.fields, "the voice classifier")
            found = self._spaced(torch.as_tensor(sample[FIELD]), sample["__key__"])
            parts.append(found)
            labels += [self._class(sample)] * len(found)
            keys += [sample["__key__"]] * len(found)
        batch: Batch = {"keys": keys, "dropped": len(samples) - len(taken)}
        return batch | ({"spectrogram": torch.cat(parts), "class": torch.tensor(labels)} if parts else {})

    def _spaced(self, found: Tensor, key: str) -> Tensor:
        if found.ndim != 4 or found.shape[1:] != (2, BANDS, FRAMES):
            raise ValueError(f"{key}: {FIELD} of shape {tuple(found.shape)}, expected (segments, 2, {BANDS}, {FRAMES})")
        if self.segments and len(found) > self.segments:
            found = found[torch.linspace(0, len(found) - 1, self.segments).long()]
        return found.float()

    def _class(self, sample: Mapping[str, Any]) -> int:
        label = sample["json"].get("class_index")
        if label is None or not 0 <= label < self.classes:
            raise ValueError(
                f"{sample['__key__']}: class_index {label}, expected 0 to {self.classes - 1}. Train on config rcgan of "
                "vox_vgg, with --classes as many as it was built with"
            )
        return int(label)


class VoiceClassifier(Model):
    """Cross-entropy of segments and the penalty on dense weights, by Adam."""

    name = "voice_classifier"
    options_type = VoiceClassifierOptions
    epochs = 200
    batch_size = 4

    def __init__(self, options: VoiceClassifierOptions) -> None:
        super().__init__()
        self.options = options.settled()
        self.network = VoiceClassifierNetwork(options.classes, options.width)
        self.optimizers["all"] = torch.optim.Adam(self.parameters(), lr=options.lr)

    def inputs(self) -> SegmentInputs:
        return SegmentInputs(self.options.classes, self.options.segments)

    def forward(self, batch: Batch) -> Tensor:
        """A batch of SegmentInputs -> logits (S, classes)."""
        logits: Tensor = self.network(batch["spectrogram"])
        return logits

    def step(self, batch: Batch) -> dict[str, Tensor]:
        optimizer = self.optimizers["all"]
        optimizer.zero_grad(set_to_none=True)
        error = functional.cross_entropy(self(batch).float(), batch["class"])
        (error + self.network.weight_penalty()).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return {"class": error.detach()}

    def evaluate(self, batch: Batch) -> dict[str, Tensor]:
        """(S,) each: merit (1 where right), loss, prediction (class), class."""
        logits = self(batch).float()
        prediction, label = logits.argmax(1), batch["class"]
        loss = functional.cross_entropy(logits, label, reduction="none")
        return {"merit": (prediction == label).float(), "loss": loss, "prediction": prediction, "class": label}


MODEL = VoiceClassifier
