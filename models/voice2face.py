"""A face drawn from a voice: voice2face (Wen and others) as released, and as SF2F compared itself with."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional

from .core.drawing_inputs import WINDOW, DrawingInputs, DrawingOptions, Sounds, cropped, spectrogram
from .core.face_discriminators import PlainIdentityDiscriminator, Voice2FaceDiscriminator
from .core.face_losses import real_or_made
from .core.model import LIKENESS, Batch, Calling, Model, Portable, Pretrained
from .core.picture_space import IMAGENET, SYMMETRIC, PictureSpace
from .core.sf2f_networks import PlainEncoder, TransposedDecoder
from .core.sf2f_schedule import STEPS, fading
from .core.speech_to_face import WARNING

STAGES = ("encoder", "face")
FIRST_CROP = 800
"""Frames cut from every recording first, of which a batch then has one common part (sheet 2.4)."""
NOISE = 0.05
"""Deviation of what SF2F's port adds to a unit voice vector, in evaluation too (sheet 4)."""
PICTURE, IDENTITY = 100.0, 1.0
"""Weights of the losses in SF2F's port; it has no image discriminator and no perceptual loss."""


@dataclass(frozen=True)
class Preset:
    """One of the two published trainings."""

    kind: str
    bands: int
    dimension: int
    shortest: int
    longest: int
    space: PictureSpace
    lr: float
    betas: tuple[float, float]
    batch_size: int
    steps: int


PRESETS = {
    "v2f_original": Preset("voice2face", 64, 64, 300, 800, SYMMETRIC, 2e-4, (0.5, 0.999), 128, 50_000),
    "v2f_sf2f": Preset("sf2f", 40, 512, 100, 150, IMAGENET, 5e-4, (0.9, 0.999), 256, STEPS),
}


@dataclass(frozen=True)
class Voice2FaceOptions(DrawingOptions):
    """The released constants; neither paper nor code says how long the encoder of v2f_original was trained."""

    preset: str = field(default="v2f_original", metadata={"help": "which training", "choices": tuple(PRESETS)})
    stage: str = field(
        default="face",
        metadata={"help": "encoder: tell speakers apart, before v2f_original's faces; face: draw", "choices": STAGES},
    )
    width: float = field(default=1.0, metadata={"help": "channels of all networks as a share of the paper's"})
    lr: float = field(default=0.0, metadata={"help": "of all optimizers (default: 2e-4, of v2f_sf2f 5e-4)"})

    def settled(self) -> "Voice2FaceOptions":
        """These options. Raises ValueError for a value out of range, or a stage that the preset does not have."""
        if self.preset not in PRESETS or self.stage not in STAGES or self.width <= 0 or self.lr < 0:
            raise ValueError(
                f"preset {self.preset!r}, stage {self.stage!r}, width {self.width}, lr {self.lr}: expected one of "
                f"{', '.join(PRESETS)}, one of {', '.join(STAGES)}, a width above 0, 0 or more"
            )
        if self.preset == "v2f_sf2f" and self.stage == "encoder":
            raise ValueError("v2f_sf2f trains its encoder with the faces: leave --stage encoder to v2f_original")
        if self.preset == "v2f_original" and self.stored:
            raise ValueError("v2f_original computes its own spectrograms from the sound: leave --stored to v2f_sf2f")
        return self


class Voice2Face(Model):
    """`v2f_original`: a frozen speaker network's vector becomes a face; `v2f_sf2f`: both learn, with the true face.

    The released `v2f_original` draws the people of its voices and of its faces independently; here a batch has voices
    and faces of the same people. No loss of it sets a face beside the voice of the same row.
    """

    name = "voice2face"
    options_type = Voice2FaceOptions
    epochs = 0
    training_only = ("told", "speakers")
    warning = WARNING

    def __init__(self, options: Voice2FaceOptions, people: tuple[str, ...]) -> None:
        super().__init__()
        self.options = options.settled()
        self.preset = PRESETS[options.preset]
        self.steps, self.batch_size = self.preset.steps, self.preset.batch_size
        self.numbers = {name: number for number, name in enumerate(people)}
        self.speaking, self.original = options.stage == "encoder", options.preset == "v2f_original"
        own = PlainEncoder(self.preset.bands, self.preset.dimension, options.width)
        self.merit = "accuracy of speakers" if self.speaking else LIKENESS
        if self.speaking:
            self.encoder: nn.Module = own
            self.speakers = nn.Linear(self.preset.dimension, len(people))
            self._optimize("made", self.encoder, self.speakers)
            return
        self.encoder = own
        self.decoder = TransposedDecoder(self.preset.dimension, options.width)
        kind = Voice2FaceDiscriminator if self.original else PlainIdentityDiscriminator
        self.told: nn.Module = kind(len(people), options.width)
        if self.original:
            self.encoder.requires_grad_(False)
            self.parts = {"encoder": Pretrained("voice2face", "encoder.")}
        self._optimize("made", *([self.decoder] if self.original else [self.encoder, self.decoder]))
        self._optimize("told", self.told)
        # As in SF2F's own training, where the rate of what tells identities never falls.
        if not self.original:
            self.schedulers["made"] = torch.optim.lr_scheduler.LambdaLR(self.optimizers["made"], fading)

    def _optimize(self, name: str, *parts: nn.Module) -> None:
        weights = [weight for part in parts for weight in part.parameters()]
        rate = self.options.lr or self.preset.lr
        self.optimizers[name] = torch.optim.Adam(weights, lr=rate, betas=self.preset.betas)

    @classmethod
    def tells_apart(cls, options: Voice2FaceOptions) -> tuple[str, ...]:
        return ("voices",) if options.stage == "encoder" else ("faces", "voices")

    @property
    def variant(self) -> str:
        return f"{self.options.preset}-{self.options.stage}"

    def train(self, mode: bool = True) -> "Voice2Face":
        """As any module, but a frozen encoder keeps its statistics."""
        super().train(mode)
        if self.original and not self.speaking:
            self.encoder.eval()
        return self

    def inputs(self) -> DrawingInputs:
        options, preset = self.options, self.preset
        least = FIRST_CROP if self.original else preset.longest
        recordings = 2 if self.speaking else 1
        return DrawingInputs(
            64, options.face, preset.kind, least, 0, recordings, faces=not self.speaking, stored=options.stored
        )

    def crop(self, batch: Batch) -> Tensor:
        """What is heard of every recording, (B, bands, T): a drawn part, in evaluation the middle of the longest."""
        frames, preset = batch["frames"].cpu(), self.preset
        length = int(torch.randint(preset.shortest, preset.longest + 1, ())) if self.training else preset.longest
        if not self.training:
            length = FIRST_CROP if self.original else WINDOW
            starts = (frames - length).clamp(min=0) // 2
        elif self.original:
            first = (torch.rand(len(frames)) * ((frames - FIRST_CROP).clamp(min=0) + 1)).long()
            starts = first + int(torch.randint(0, FIRST_CROP - length + 1, ()))
        else:
            starts = (torch.rand(len(frames)) * ((frames - length).clamp(min=0) + 1)).long()
        return cropped(batch["mel"], starts.to(batch["mel"].device), length)

    def vectors(self, heard: Tensor) -> Tensor:
        """Crops (B, bands, T) -> unit vectors (B, dimension); SF2F's port adds noise to them."""
        unit = functional.normalize(self.encoder(heard))
        if self.original:
            return unit
        return functional.normalize(unit + NOISE * torch.randn(unit.shape).to(unit))

    def forward(self, batch: Batch) -> Tensor:
        """A batch of DrawingInputs -> faces (P, 3, 64, 64) in the preset's space."""
        made: Tensor = self.decoder(self.vectors(self.crop(batch)))
        return made

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """The losses of the stage and preset; `who` counts people from 0."""
        who = batch["frames"].new_tensor([self.numbers[name] for name in batch["identities"]])
        if self.speaking:
            logits = self.speakers(self.encoder(self.crop(batch)))
            wrong = functional.cross_entropy(logits.float(), who.repeat_interleave(2))
            self._update("made", wrong)
            return {"speaker": wrong.detach()}
        real, made = self.preset.space.normalised(batch["face"]), self(batch)
        return self._compete(made, real, who) if self.original else self._draw(made, real, who)

    def _compete(self, made: Tensor, real: Tensor, who: Tensor) -> dict[str, Tensor]:
        """The discriminator first; nobody tells a made face from the true one of its voice, which is never shown."""
        turned = torch.rand(len(real)).to(real.device)[:, None, None, None] < 0.5
        told = self.telling_loss(made.detach(), torch.where(turned, real.flip(3), real), who)
        self._update("told", told)
        drawn = self.naming_loss(made, who)
        self._update("made", drawn)
        return {"generator": drawn.detach(), "discriminator": told.detach()}

    def _draw(self, made: Tensor, real: Tensor, who: Tensor) -> dict[str, Tensor]:
        """The generator first, with the true face beside it."""
        error = (made - real).abs().mean()
        drawn = PICTURE * error + IDENTITY * self.naming_loss(made, who)
        self._update("made", drawn)
        told = self.telling_loss(made.detach(), real, who)
        self._update("told", told)
        self.schedulers["made"].step()
        return {"generator": drawn.detach(), "discriminator": told.detach(), "error": error.detach()}

    def naming_loss(self, made: Tensor, who: Tensor) -> Tensor:
        """Of the generator: its faces are to be taken for real, and for the voice's person."""
        real, person = self.told(made)
        return real_or_made(real, True) + functional.cross_entropy(person.float(), who)

    def telling_loss(self, made: Tensor, real: Tensor, who: Tensor) -> Tensor:
        """Of the discriminator: real from made, and whose the real faces are."""
        (right, person), (wrong, _) = self.told(real), self.told(made)
        told = real_or_made(right, True) + real_or_made(wrong, False)
        return told + functional.cross_entropy(person.float(), who)

    def _update(self, part: str, loss: Tensor) -> None:
        for optimizer in self.optimizers.values():
            optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizers[part].step()

    def evaluate(self, batch: Batch) -> dict[str, Tensor]:
        """(P,) each: merit (0 to 1) and loss, 1 - merit. Of a face merit is 1 - mean absolute error.

        Of a speaker, who is new, it is the share of the batch's others whose second recording is farther from the first
        than one's own.
        """
        if not self.speaking:
            made = self.preset.space.shares(self(batch)).clamp(0, 1)
            error = (made - batch["face"].float() / 255).abs().mean((1, 2, 3))
            return {"merit": 1 - error, "loss": error}
        vectors = functional.normalize(self.encoder(self.crop(batch))).float()
        near = vectors[::2] @ vectors[1::2].T
        others = max(1, len(near) - 1)
        merit = (near < near.diagonal()[:, None]).sum(1) / others if len(near) > 1 else near.new_ones(1)
        return {"merit": merit, "loss": 1 - merit}

    def draw(self, batch: Batch) -> list[Tensor]:
        """The people's faces, and what their voices gave."""
        return [] if self.speaking else [batch["face"], self.preset.space.pixels(self(batch))]

    def generate(self, sound: Sounds, speech: Sequence[tuple[int, int]]) -> Tensor:
        """One recording, (samples,) int16 at 16 kHz and its speech (first, end) -> one face (1, 3, 64, 64) uint8 RGB.

        All of its speech is heard at once, without noise. Raises ValueError for a model of the stage `encoder`.
        """
        if self.speaking:
            raise ValueError("this voice2face only tells speakers apart (--stage encoder): give one of --stage face")
        heard = spectrogram(sound, speech, self.preset.kind)[None].to(next(self.parameters()).device)
        return self.preset.space.pixels(self.decoder(functional.normalize(self.encoder(heard))))

    def portable(self) -> dict[str, Portable]:
        bands, dimension = self.preset.bands, self.preset.dimension
        about = (
            f"Log mel frames (B, {bands}, {WINDOW}) float32, as `facevox.models.core.sound.{self.preset.kind}` "
            f"computes them of the speech -> a unit vector of the voice (B, {dimension}) float32."
        )
        module = Calling(self, lambda mel: functional.normalize(self.encoder(mel)))
        encoder = Portable(module, {"mel": torch.zeros(2, bands, WINDOW)}, ("vector",), about)
        if self.speaking:
            return {"encoder": encoder}
        drawn = f"A unit vector of a voice (B, {dimension}) -> faces (B, 3, 64, 64) float32, RGB, about 0..1."
        module = Calling(self, lambda vector: self.preset.space.shares(self.decoder(vector)))
        decoder = Portable(module, {"vector": torch.zeros(2, dimension)}, ("face",), drawn)
        return {"encoder": encoder, "decoder": decoder}


MODEL = Voice2Face
