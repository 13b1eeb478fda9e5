"""Whose voice is it, and the 128 numbers that RC-GAN draws faces from: the voice classifier of its paper (III-A)."""

from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional

from .core.model import Batch, Model, ModelOptions, Portable
from .core.rcgan_networks import BANDS, FRAMES, VoiceClassifierNetwork
from .core.segment_inputs import SegmentInputs


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


class VoiceClassifier(Model):
    """Cross-entropy of segments and the penalty on dense weights, by Adam."""

    name = "voice_classifier"
    merit = "accuracy"
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

    def portable(self) -> dict[str, Portable]:
        about = (
            "A segment of 0.93 s at 22,050 Hz, (B, 2, 60, 41) float32: mel spectrogram in dB and its slope, as "
            "`facevox.models.core.sound.piczak` computes them -> logits of the people (B, classes)."
        )
        example = torch.zeros(2, 2, BANDS, FRAMES)
        return {"voice": Portable(self.network, {"spectrogram": example}, ("logits",), about)}


MODEL = VoiceClassifier
