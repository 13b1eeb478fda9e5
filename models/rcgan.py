"""A face drawn from a voice's 128 numbers: the VAE, C-GAN and RC-GAN of RC-GAN's paper (III-B, IV)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from .core.model import LIKENESS, Batch, Calling, Inputs, Model, ModelOptions, Portable, Pretrained, check_fields
from .core.rcgan_networks import BANDS, FRAMES, SIDE, Autoencoder, Discriminator, Generator, VoiceClassifierNetwork
from .core.segment_inputs import SegmentInputs
from .core.speech_to_face import WARNING
from .core.voice_features import voice_features

FACE = "face64.webp"
KINDS = ("vae", "cgan", "rcgan")


@dataclass(frozen=True)
class RcganOptions(ModelOptions):
    """The paper's constants; it gives no weight of the reconstruction and no betas: 100 and (0.5, 0.999) are common."""

    kind: str = field(default="rcgan", metadata={"help": "which of the paper's three", "choices": KINDS})
    weight: float = field(default=100.0, metadata={"help": "of the mean absolute error in RC-GAN's loss"})
    width: float = field(default=1.0, metadata={"help": "layer widths as a share of the paper's"})
    classes: int = field(default=9, metadata={"help": "people that the voice classifier was trained on"})
    classifier_width: float = field(default=1.0, metadata={"help": "of the voice classifier, as it was trained"})
    segments: int = field(default=0, metadata={"help": "at most so many of a recording, equally spaced (0: all)"})
    lr: float = field(default=0.0, metadata={"help": "of all optimizers (default: 1e-3 VAE, 1e-4 and 2e-4 GANs)"})

    def settled(self) -> "RcganOptions":
        """These options. Raises ValueError for a value out of range."""
        if self.kind not in KINDS or self.weight < 0 or self.lr < 0 or self.width <= 0:
            raise ValueError(
                f"kind {self.kind!r}, weight {self.weight}, lr {self.lr}, width {self.width}: expected one of "
                f"{', '.join(KINDS)}, 0 or more, a width above 0"
            )
        return self


@dataclass(frozen=True)
class VoiceToFaceInputs(Inputs):
    """What SegmentInputs gives, and for every segment its class's target `face` (S, 3, 64, 64) uint8 RGB."""

    voices: SegmentInputs

    @property
    def config(self) -> str:
        return "rcgan"

    @property
    def fields(self) -> tuple[str, ...]:
        return (*self.voices.fields, FACE)

    def takes(self, facts: Mapping[str, Any]) -> bool:
        return self.voices.takes(facts)

    def __call__(self, samples: Sequence[Mapping[str, Any]]) -> Batch:
        """See the class. Raises ValueError as SegmentInputs does, and for a face of another size."""
        batch = self.voices(samples)
        if not batch["keys"]:
            return batch
        faces: dict[str, Tensor] = {}
        for sample in samples:
            check_fields(sample, (FACE,), "rcgan")
            face = torch.as_tensor(sample[FACE])
            if face.shape != (SIDE, SIDE, 3):
                raise ValueError(f"{sample['__key__']}: {FACE} of shape {tuple(face.shape)}, expected (64, 64, 3)")
            faces[sample["__key__"]] = face.permute(2, 0, 1)
        return batch | {"face": torch.stack([faces[key] for key in batch["keys"]])}


class Rcgan(Model):
    """A frozen voice classifier's vector to the face of its class."""

    name = "rcgan"
    merit = LIKENESS
    options_type = RcganOptions
    epochs = 5000
    batch_size = 4
    training_only = ("discriminator",)
    warning = WARNING
    parts = {"encoder": Pretrained("voice_classifier", "network.")}  # noqa: RUF012 - never changed

    def __init__(self, options: RcganOptions) -> None:
        super().__init__()
        self.options = options.settled()
        self.encoder = VoiceClassifierNetwork(options.classes, options.classifier_width).requires_grad_(False).eval()
        made: nn.Module = Autoencoder(options.width) if options.kind == "vae" else Generator(options.width)
        self.generator = made
        if options.kind == "vae":
            self.optimizers["generator"] = torch.optim.Adam(made.parameters(), lr=options.lr or 1e-3)
            return
        self.discriminator = Discriminator(options.width)
        rates = {"generator": 1e-4, "discriminator": 2e-4}
        for part, rate in rates.items():
            own = self.get_submodule(part).parameters()
            self.optimizers[part] = torch.optim.Adam(own, lr=options.lr or rate, betas=(0.5, 0.999))

    @property
    def variant(self) -> str:
        return self.options.kind

    def train(self, mode: bool = True) -> "Rcgan":
        """As any module, but the frozen encoder never drops units."""
        super().train(mode)
        self.encoder.eval()
        return self

    def inputs(self) -> VoiceToFaceInputs:
        return VoiceToFaceInputs(SegmentInputs(self.options.classes, self.options.segments))

    def vectors(self, batch: Batch) -> Tensor:
        """What the encoder makes of the segments (S, 128), without gradient."""
        with torch.no_grad():
            return self.encoder.embed(batch["spectrogram"])

    def forward(self, batch: Batch) -> Tensor:
        """A batch of VoiceToFaceInputs -> faces (S, 3, 64, 64) in 0..1."""
        made = self.generator(self.vectors(batch))
        faces: Tensor = made[0] if self.options.kind == "vae" else made
        return faces

    def step(self, batch: Batch) -> dict[str, Tensor]:
        voices, faces = self.vectors(batch), batch["face"].float() / 255
        return self._draw(voices, faces) if self.options.kind == "vae" else self._compete(voices, faces)

    def _draw(self, voices: Tensor, faces: Tensor) -> dict[str, Tensor]:
        """Squared error summed over pixels, and the divergence of the draw from a standard normal (Equation 2)."""
        made, mean, log_variance = self.generator(voices)
        error = (made - faces).square().sum() / len(faces)
        divergence = 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).sum() / len(faces)
        self._update("generator", error + divergence)
        return {"error": error.detach(), "divergence": divergence.detach()}

    def _compete(self, voices: Tensor, faces: Tensor) -> dict[str, Tensor]:
        """The discriminator, then the generator, which is to be taken for real (Equations 4 and 5)."""
        made = self.generator(voices)
        told = self._real(faces, voices, True) + self._real(made.detach(), voices, False)
        self._update("discriminator", told)
        error = (made - faces).abs().mean()
        fooled = self._real(made, voices, True)
        self._update("generator", fooled + self.options.weight * error if self.options.kind == "rcgan" else fooled)
        return {"error": error.detach(), "generator": fooled.detach(), "discriminator": told.detach()}

    def _real(self, faces: Tensor, voices: Tensor, wanted: bool) -> Tensor:
        logits = self.discriminator(faces, voices).float()
        return functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, float(wanted)))

    def _update(self, part: str, loss: Tensor) -> None:
        for optimizer in self.optimizers.values():
            optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizers[part].step()

    def draw(self, batch: Batch) -> list[Tensor]:
        """The target faces, and what the first segment of each recording gave."""
        first = [at for at, key in enumerate(batch["keys"]) if key not in batch["keys"][:at]]
        alone = {"spectrogram": batch["spectrogram"][first]}
        return [batch["face"][first], (255 * self(alone).float()).round().to(torch.uint8)]

    def evaluate(self, batch: Batch) -> dict[str, Tensor]:
        """(S,) each: merit (1 - mean absolute error), loss (the error), class."""
        error = (self(batch).float() - batch["face"].float() / 255).abs().mean((1, 2, 3))
        return {"merit": 1 - error, "loss": error, "class": batch["class"]}

    def portable(self) -> dict[str, Portable]:
        about = (
            "A segment of 0.93 s at 22,050 Hz, (B, 2, 60, 41) float32: mel spectrogram in dB and its slope, as "
            "`facevox.models.core.sound.piczak` computes them -> faces (B, 3, 64, 64) float32, RGB in 0..1."
        )
        module = Calling(self, lambda spectrogram: self({"spectrogram": spectrogram}))
        return {"face": Portable(module, {"spectrogram": torch.zeros(2, 2, BANDS, FRAMES)}, ("face",), about)}

    def generate(self, sound: NDArray[np.int16], speech: Sequence[tuple[int, int]]) -> Tensor:
        """One recording, (samples,) int16 at 16 kHz and its speech (first, end) -> one face (1, 3, 64, 64) uint8 RGB.

        The mean vector of its audible segments is drawn; speech is not looked at. Raises ValueError without a segment.
        """
        heard = torch.from_numpy(voice_features(sound, speech, ("piczak",))["piczak"])
        if not len(heard):
            raise ValueError("no audible segment of 0.93 s in the recording; give a longer one")
        vector = self.encoder.embed(heard.to(next(self.parameters()).device)).mean(0, keepdim=True)
        made = self.generator(vector)
        face: Tensor = made[0] if self.options.kind == "vae" else made
        return (face * 255).round().to(torch.uint8)


MODEL = Rcgan
