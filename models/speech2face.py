"""From a voice to what a face network makes of the speaker's face: Speech2Face's re-implementation on AVSpeech.

Paper, released code and the original paper (Oh and others 2019) differ; the defaults are the readings that agree with
the original, the others are options.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from .core.face_vectors import SIZES
from .core.model import Batch, Inputs, Model, ModelOptions, Portable, Pretrained, check_fields
from .core.sound import FULL_SCALE, Speech2FaceOptions, repeat, speech2face
from .core.speech2face_networks import MOMENTUM, SHORTEST, SpeechEncoder, distillation, unit_distance
from .core.vggface import VGG_FACE_IDENTITIES

VOICE, FACE = "voice.flac", "face_vector.array"
LOSSES = ("unit", "l1", "total")
SOUND = Speech2FaceOptions()
FRAMES = 1 + (SOUND.samples - SOUND.window) // SOUND.hop
"""Of six seconds: 598."""
DECAYS = ("steps", "time")
STEP_DECAY, DECAY_STEPS = 0.95, 10_000
"""Of the original: the learning rate times 0.95 every 10,000 steps."""
TIME_DECAY = STEP_DECAY / DECAY_STEPS
"""Of the released code, which gives Keras' decay that number: lr / (1 + 9.5e-5 steps)."""


@dataclass(frozen=True)
class Speech2faceTrainingOptions(ModelOptions):
    """The settings of the original paper where the re-implementation mis-states them."""

    face_network: str = field(
        default="vggface-vgg16",
        metadata={"help": "whose vectors to tell, as the folder was built with", "choices": tuple(SIZES)},
    )
    loss: str = field(
        default="unit",
        metadata={
            "help": "unit: squared distance of unit vectors; l1: mean absolute difference of the vectors, summed over "
            "them; total: unit and distillation through VGG-Face's last layer",
            "choices": LOSSES,
        },
    )
    unit_weight: float = field(default=1.0, metadata={"help": "of the unit distance in total (original: 0.025)"})
    distil_weight: float = field(default=1.0, metadata={"help": "of the distillation in total (original: 200)"})
    temperature: float = field(default=2.0, metadata={"help": "that softens the distilled logits"})
    mode: str = field(
        default="real_imag",
        metadata={
            "help": "channels of the spectrum; mag_phase: as in the released code",
            "choices": ("real_imag", "mag_phase"),
        },
    )
    lr: float = field(default=1e-3, metadata={"help": "learning rate of Adam"})
    decay: str = field(
        default="steps",
        metadata={
            "help": "of the rate; steps: times 0.95 every --decay-steps; time: as the released code mis-states it",
            "choices": DECAYS,
        },
    )
    decay_steps: int = field(default=DECAY_STEPS, metadata={"help": "between decays; some 10 for training of minutes"})
    norm_momentum: float = field(
        default=MOMENTUM,
        metadata={"help": "share of a batch in the norms' running statistics; 0.1 settles in some 30 steps"},
    )
    width: float = field(default=1.0, metadata={"help": "layer widths as a share of the paper's"})
    frames: int = field(
        default=FRAMES, metadata={"help": "of the spectrum in a step, from a random place; 259 is the least"}
    )

    def settled(self) -> "Speech2faceTrainingOptions":
        """These options. Raises ValueError for a value out of range."""
        words = {"face_network": SIZES, "loss": LOSSES, "decay": DECAYS, "mode": ("real_imag", "mag_phase")}
        for name, known in words.items():
            if getattr(self, name) not in known:
                raise ValueError(f"{name} {getattr(self, name)!r}: expected one of {', '.join(known)}")
        if self.loss == "total" and self.face_network != "vggface-vgg16":
            raise ValueError(
                f"loss total with {self.face_network}: distillation goes through VGG-Face's last layer; take "
                "--face-network vggface-vgg16, or --loss unit"
            )
        if self.decay_steps < 1 or not 0 < self.norm_momentum <= 1:
            raise ValueError(
                f"decay_steps {self.decay_steps}, norm_momentum {self.norm_momentum}: expected 1 or more, and above 0 "
                "to 1"
            )
        if not SHORTEST <= self.frames <= FRAMES or self.width <= 0 or self.temperature <= 0 or self.lr <= 0:
            raise ValueError(
                f"{self.frames} frames, width {self.width}, temperature {self.temperature}, lr {self.lr}: expected "
                f"{SHORTEST} to {FRAMES} frames and all others above 0"
            )
        return self


@dataclass(frozen=True)
class VoiceAndVectorInputs(Inputs):
    """Voices of six seconds and vectors of faces.

    A batch holds `wave` (B, 96000) float32 in -1..1, the voice repeated from its beginning, and `face` (B, D) float32.
    Segments without a voice are dropped.
    """

    face_network: str = "vggface-vgg16"

    @property
    def config(self) -> str:
        return "clips"

    @property
    def fields(self) -> tuple[str, ...]:
        return (VOICE, FACE)

    def takes(self, facts: Mapping[str, Any]) -> bool:
        return (facts.get("samples") or 0) > 0

    def __call__(self, samples: Sequence[Mapping[str, Any]]) -> Batch:
        """See the class. Raises ValueError for a missing field, another rate, or vectors of another network."""
        taken = [sample for sample in samples if self.takes(sample["json"])]
        batch: Batch = {"keys": [sample["__key__"] for sample in taken], "dropped": len(samples) - len(taken)}
        if not taken:
            return batch
        waves, faces = zip(*(self._pair(sample) for sample in taken), strict=True)
        return batch | {"wave": torch.stack(waves), "face": torch.stack(faces)}

    def _pair(self, sample: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
        check_fields(sample, (VOICE,), "speech2face")
        facts, key = sample["json"], sample["__key__"]
        if sample.get(FACE) is None or facts.get("face_network") != self.face_network:
            found = facts.get("face_network") or "none"
            raise ValueError(
                f"{key}: vectors of {found}, expected those of {self.face_network}. Build the folder with "
                f"--face-network {self.face_network}, or train with --face-network {found}"
            )
        if facts["sample_rate"] != SOUND.rate:
            raise ValueError(f"{key}: sound at {facts['sample_rate']} Hz, expected {SOUND.rate}")
        face = torch.as_tensor(np.asarray(sample[FACE], np.float32))
        if face.shape != (SIZES[self.face_network],):
            raise ValueError(f"{key}: {FACE} of shape {tuple(face.shape)}, expected ({SIZES[self.face_network]},)")
        sound = torch.as_tensor(np.asarray(sample[VOICE]))[: SOUND.samples].float() / FULL_SCALE
        return repeat(sound, SOUND.samples), face


class Speech2face(Model):
    """The voice encoder, by Adam."""

    name = "speech2face"
    merit = "likeness ((1 + cosine) / 2)"
    options_type = Speech2faceTrainingOptions
    # About 30 epochs of 20 minutes in the paper; stop earlier with --patience.
    epochs = 30
    batch_size = 8
    parts = {  # noqa: RUF012 - never changed
        "encoder": Pretrained("speech2face", "encoder.", required=False),
        "classifier": Pretrained(network="vggface-vgg16", network_prefix="fc8."),
    }
    training_only = ("classifier",)

    limits = (
        "It tells from a voice what faces of such voices have in common (gender, age, build), not what the speaker "
        "looks like: faces that it ranks first are seldom the speaker's.",
        "Published retrieval figures of the re-implementation come from a split that leaks: compare nothing with them.",
    )

    def __init__(self, options: Speech2faceTrainingOptions) -> None:
        super().__init__()
        self.options = options.settled()
        self.sound = Speech2FaceOptions(mode="mag_phase" if options.mode == "mag_phase" else "real_imag")
        self.encoder = SpeechEncoder(options.width, SIZES[options.face_network], options.norm_momentum)
        self.classifier: nn.Linear | None = None
        if options.loss == "total":
            self.classifier = nn.Linear(SIZES[options.face_network], VGG_FACE_IDENTITIES).requires_grad_(False)
        adam = torch.optim.Adam(self.encoder.parameters(), lr=options.lr, betas=(0.5, 0.999))
        self.optimizers["encoder"] = adam
        if options.decay == "steps":
            self.schedulers["encoder"] = torch.optim.lr_scheduler.StepLR(adam, options.decay_steps, STEP_DECAY)
        else:
            self.schedulers["encoder"] = torch.optim.lr_scheduler.LambdaLR(adam, lambda t: 1 / (1 + TIME_DECAY * t))

    @property
    def variant(self) -> str:
        return "" if self.options.loss == "unit" else self.options.loss

    def inputs(self) -> VoiceAndVectorInputs:
        return VoiceAndVectorInputs(self.options.face_network)

    def forward(self, batch: Batch) -> Tensor:
        """A batch of VoiceAndVectorInputs -> what the network would make of the faces (B, D), of all six seconds."""
        vectors: Tensor = self.encoder(speech2face(batch["wave"], self.sound))
        return vectors

    def loss(self, predicted: Tensor, faces: Tensor) -> Tensor:
        """Of (B, D) and (B, D), per sample (B,)."""
        if self.options.loss == "l1":
            return (predicted - faces).abs().sum(1)
        distance = unit_distance(predicted, faces)
        if self.options.loss == "unit":
            return distance
        if self.classifier is None:
            raise ValueError("loss total: an exported model has no layer of VGG-Face; evaluate its checkpoint")
        wanted, found = (self.classifier(functional.relu(vectors)) for vectors in (faces, predicted))
        distilled = distillation(wanted, found, self.options.temperature)
        return self.options.unit_weight * distance + self.options.distil_weight * distilled

    def step(self, batch: Batch) -> dict[str, Tensor]:
        first, sound = SOUND.hop * int(torch.randint(FRAMES - self.options.frames + 1, ())), self.sound
        part = replace(sound, samples=sound.hop * (self.options.frames - 1) + sound.window)
        spectrum = speech2face(batch["wave"][:, first : first + part.samples], part)
        predicted = self.encoder(spectrum).float()
        loss = self.loss(predicted, batch["face"]).mean()
        optimizer = self.optimizers["encoder"]
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        self.schedulers["encoder"].step()
        return {self.options.loss: loss.detach(), "unit": unit_distance(predicted.detach(), batch["face"]).mean()}

    def evaluate(self, batch: Batch) -> dict[str, Tensor]:
        """(B,) each: merit (from the cosine, 0 to 1), loss, cosine; and l1 and l2 of the vectors as they are."""
        predicted, faces = self(batch).float(), batch["face"]
        cosine = 1 - unit_distance(predicted, faces) / 2
        difference = predicted - faces
        found = {"merit": (1 + cosine) / 2, "loss": self.loss(predicted, faces), "cosine": cosine}
        return found | {"l1": difference.abs().sum(1), "l2": difference.norm(dim=1)}

    def portable(self) -> dict[str, Portable]:
        about = (
            f"Spectrum (B, 2, {FRAMES}, 257) float32 of sound at 16 kHz, {self.options.mode} as "
            "`facevox.models.core.sound.speech2face` computes it, 6 s, shorter sounds repeated -> "
            f"what {self.options.face_network} makes of the face, (B, {SIZES[self.options.face_network]}) float32, "
            "compared by the cosine."
        )
        example = torch.zeros(2, 2, FRAMES, 257)
        return {"voice": Portable(self.encoder, {"spectrum": example}, ("face_vector",), about)}


MODEL = Speech2face
