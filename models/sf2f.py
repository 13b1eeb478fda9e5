"""A face drawn from a voice: SF2F (Bai and others), its voice encoder and decoder, then the fuser of windows."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional

from .core.drawing_inputs import WINDOW, DrawingInputs, DrawingOptions, Sounds, cropped, spectrogram, windows
from .core.face_discriminators import IdentityDiscriminator, PictureDiscriminator
from .core.face_losses import FaceNetwork, perceptual, real_or_made
from .core.face_networks import SmallFace
from .core.inception_resnet import InceptionResnetV1
from .core.model import LIKENESS, Batch, Calling, Model, Portable, Pretrained
from .core.picture_space import IMAGENET
from .core.sf2f_networks import DIMENSION, FaceDecoder, Fuser, PlainEncoder, TransposedDecoder, VoiceEncoder
from .core.sf2f_schedule import STEPS as FIRST_STEPS
from .core.sf2f_schedule import fading
from .core.speech_to_face import WARNING

STAGES = ("encoder", "fuser")
SIDES = {"64": (64,), "128": (128,), "64+128": (64, 128)}
SHORTEST, LONGEST = 100, 150
"""Frames of a training crop, one length for a batch: 1 to 1.5 s (sheet 2.2)."""
PERCEPTUAL = {
    "facenet": Pretrained(network="facenet", without="--perceptual 0 trains without it"),
    "small": Pretrained("vfmr", "face.", without="--perceptual 0 trains without it"),
}
"""Networks that see faces for the perceptual loss: the paper's, and one that `train vfmr --stage face` makes."""
STEPS = {"encoder": FIRST_STEPS, "fuser": 360}
RATES = {"encoder": 5e-4, "fuser": 1e-4}
RECORDINGS = 5
"""Of a person, whose windows the fuser is trained on; 20 windows are half a minute."""


@dataclass(frozen=True)
class Sf2fOptions(DrawingOptions):
    """Constants of the released code where it and the paper disagree; weights of losses as in the sheet's section 4."""

    stage: str = field(default="encoder", metadata={"help": "encoder and decoder first, then fuser", "choices": STAGES})
    sides: str = field(
        default="64",
        metadata={"help": "sides of the pictures drawn, in px; 64+128 draws both", "choices": tuple(SIDES)},
    )
    last: str = field(
        default="conv",
        metadata={"help": "last layer of the encoder: as released, or as in Table 9", "choices": ("conv", "inception")},
    )
    encoder: str = field(
        default="inception",
        metadata={"help": "plain: the baseline's, as voice2face has it", "choices": ("inception", "plain")},
    )
    decoder: str = field(
        default="gated",
        metadata={"help": "transposed: the baseline's, as voice2face has it", "choices": ("gated", "transposed")},
    )
    beside: str = field(
        default="query",
        metadata={
            "help": "what the fuser joins with what it attends to: as released, or as printed",
            "choices": ("query", "embedding"),
        },
    )
    width: float = field(default=1.0, metadata={"help": "channels of all networks as a share of the paper's"})
    picture: float = field(
        default=-1.0, metadata={"help": "weight of the pictures' difference (-1: 10, of 64+128 100)"}
    )
    adversarial: float = field(default=1.0, metadata={"help": "weight of being taken for real"})
    identity: float = field(default=0.05, metadata={"help": "weight of being told to be the right person"})
    perceptual: float = field(
        default=100.0, metadata={"help": "weight of what a face network sees; 0 trains without its weights"}
    )
    perceptual_network: str = field(
        default="facenet",
        metadata={
            "help": "facenet: the paper's; small: a CPU's, of `facevox train vfmr --stage face --face-network small`",
            "choices": tuple(PERCEPTUAL),
        },
    )
    perceptual_width: float = field(
        default=1.0, metadata={"help": "channels of the small perceptual network, as its --face-width"}
    )
    most_windows: int = field(default=20, metadata={"help": "windows of 1.25 s that the fuser takes at most"})
    schedule: int = field(
        default=0, metadata={"help": "steps, in whose last sixth the encoder stage's rate falls (0: the paper's)"}
    )
    lr: float = field(default=0.0, metadata={"help": "of all optimizers (default: 5e-4, of the fuser 1e-4)"})

    def settled(self) -> "Sf2fOptions":
        """These options. Raises ValueError for a value out of range."""
        if self.stage not in STAGES or self.sides not in SIDES or self.width <= 0 or self.most_windows < 1:
            raise ValueError(
                f"stage {self.stage!r}, sides {self.sides!r}, width {self.width}, {self.most_windows} windows: "
                f"expected one of {', '.join(STAGES)}, one of {', '.join(SIDES)}, a width above 0 and a window or more"
            )
        if self.perceptual_network not in PERCEPTUAL or self.perceptual_width <= 0:
            raise ValueError(
                f"perceptual network {self.perceptual_network!r} of width {self.perceptual_width}: expected one of "
                f"{', '.join(PERCEPTUAL)}, and a width above 0"
            )
        if self.encoder not in ("inception", "plain") or self.decoder not in ("gated", "transposed"):
            raise ValueError(
                f"encoder {self.encoder!r}, decoder {self.decoder!r}: expected inception or plain, gated or transposed"
            )
        if self.decoder == "transposed" and self.sides != "64":
            raise ValueError(f"sides {self.sides}: the transposed decoder draws 64 alone; leave --sides out")
        if min(self.adversarial, self.identity, self.perceptual, self.lr, self.schedule) < 0:
            raise ValueError("weights of losses, learning rate and schedule: expected 0 or more of each")
        return self

    @property
    def picture_weight(self) -> float:
        """The paper's 10, and the released code's 100 for two resolutions at once."""
        return self.picture if self.picture >= 0 else 100.0 if self.sides == "64+128" else 10.0


def _perceiving(options: Sf2fOptions) -> FaceNetwork:
    small = options.perceptual_network == "small"
    network = SmallFace(options.perceptual_width) if small else InceptionResnetV1()
    return network.requires_grad_(False).eval()


class OneSize(nn.Module):
    """voice2face's decoder, whose one picture is listed as FaceDecoder lists its own."""

    def __init__(self, width: float) -> None:
        super().__init__()
        self.decoder = TransposedDecoder(width=width)

    def forward(self, voices: Tensor) -> list[Tensor]:
        return [self.decoder(voices)]


class FirstStage(nn.Module):
    """What the first stage trains, all of which the second begins with; discriminators by side of the picture."""

    def __init__(self, options: Sf2fOptions, sides: tuple[int, ...], people: int) -> None:
        super().__init__()
        width = options.width
        plain = options.encoder == "plain"
        own: nn.Module = PlainEncoder(width=width, unit=True) if plain else VoiceEncoder(options.last, width)
        self.encoder = own
        self.decoder: nn.Module = OneSize(width) if options.decoder == "transposed" else FaceDecoder(sides, width=width)
        self.real = nn.ModuleDict({str(side): PictureDiscriminator(side, width) for side in sides})
        self.who = nn.ModuleDict({str(side): IdentityDiscriminator(people, side, width) for side in sides})


class Sf2f(Model):
    """Encoder, decoder and discriminators in the first stage; in the second these are given, and the fuser learns."""

    name = "sf2f"
    merit = LIKENESS
    options_type = Sf2fOptions
    epochs = 0
    batch_size = 256
    training_only = ("face_network", "networks.real", "networks.who")
    warning = WARNING

    def __init__(self, options: Sf2fOptions, people: tuple[str, ...]) -> None:
        super().__init__()
        self.options = options.settled()
        self.sides = SIDES[options.sides]
        self.steps = options.schedule or STEPS[options.stage]
        self.numbers = {name: number for number, name in enumerate(people)}
        self.networks = FirstStage(options, self.sides, len(people))
        self.fuser = Fuser(DIMENSION, options.beside) if options.stage == "fuser" else None
        self.face_network = _perceiving(options) if options.perceptual else None
        self.parts = {"face_network": PERCEPTUAL[options.perceptual_network]}
        if self.fuser is not None:
            self.parts["networks"] = Pretrained("sf2f", "networks.", tells_people=True)
        self._prepare(options.lr or RATES[options.stage])

    def _prepare(self, rate: float) -> None:
        drawing: list[nn.Module] = [self.networks.encoder, self.networks.decoder]
        if self.fuser is not None:
            for part in drawing:
                part.requires_grad_(False)
        learning = drawing if self.fuser is None else [self.fuser]
        for name, parts in {"made": learning, "real": [self.networks.real], "who": [self.networks.who]}.items():
            own = [weight for part in parts for weight in part.parameters()]
            self.optimizers[name] = torch.optim.Adam(own, lr=rate)
            # The released code never lets the rate of the identity discriminator fall.
            if self.fuser is None and name != "who":
                self.schedulers[name] = torch.optim.lr_scheduler.LambdaLR(
                    self.optimizers[name], lambda step: fading(step, self.steps)
                )

    @classmethod
    def tells_apart(cls, options: Sf2fOptions) -> tuple[str, ...]:
        return ("faces", "voices")

    @property
    def variant(self) -> str:
        return f"{self.options.stage}-{self.options.sides.replace('+', '-')}"

    def train(self, mode: bool = True) -> "Sf2f":
        """As any module, but what is frozen keeps its statistics."""
        super().train(mode)
        if self.face_network is not None:
            self.face_network.eval()
        if self.fuser is not None:
            self.networks.encoder.eval()
            self.networks.decoder.eval()
        return self

    def inputs(self) -> DrawingInputs:
        options, side = self.options, self.sides[-1]
        if self.fuser is None:
            return DrawingInputs(side, options.face, least_frames=LONGEST, stored=options.stored)
        most = options.most_windows
        return DrawingInputs(side, options.face, most_windows=most, recordings=RECORDINGS, stored=options.stored)

    def vectors(self, batch: Batch) -> Tensor:
        """Unit vectors of a batch's voices (P, 512): of all windows, or of one crop, in evaluation the middle one."""
        mel = batch["mel"]
        if self.fuser is not None:
            with torch.no_grad():
                heard = self.networks.encoder(mel.flatten(0, 1)).unflatten(0, mel.shape[:2])
            fused: Tensor = self.fuser(heard, batch["real"])
            return fused
        frames = batch["frames"].cpu()
        if self.training:
            length = int(torch.randint(SHORTEST, LONGEST + 1, ()))
            starts = (torch.rand(len(frames)) * ((frames - length).clamp(min=0) + 1)).long()
        else:
            length, starts = WINDOW, (frames - WINDOW).clamp(min=0) // 2
        vectors: Tensor = self.networks.encoder(cropped(mel, starts.to(mel.device), length))
        return vectors

    def forward(self, batch: Batch) -> list[Tensor]:
        """A batch of DrawingInputs -> pictures in IMAGENET space (P, 3, side, side), smallest first."""
        made: list[Tensor] = self.networks.decoder(self.vectors(batch))
        return made

    def real(self, batch: Batch) -> list[Tensor]:
        """The people's faces in the same space and sizes; the smaller one has every second pixel, as released."""
        faces = batch["face"]
        return [
            IMAGENET.normalised(faces[..., :: self.sides[-1] // side, :: self.sides[-1] // side]) for side in self.sides
        ]

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """Generator, image discriminators, identity discriminators on the same drawing (sheet 4)."""
        who = batch["face"].new_tensor([self.numbers[name] for name in batch["identities"]], dtype=torch.int64)
        made, real = self(batch), self.real(batch)
        losses = self.drawing_losses(made, real, who)
        self._update("made", torch.stack(list(losses.values())).sum())
        told = self.telling_losses([picture.detach() for picture in made], real, who)
        for part, loss in told.items():
            self._update(part, loss)
        for part in self.schedulers.keys() & ("made", *told):
            self.schedulers[part].step()
        return {name: loss.detach() for name, loss in (losses | told).items()}

    def drawing_losses(self, made: Sequence[Tensor], real: Sequence[Tensor], who: Tensor) -> dict[str, Tensor]:
        """The generator's weighted losses, each the sum over resolutions."""
        options, parts = self.options, self.networks
        found: dict[str, list[Tensor]] = {name: [] for name in ("picture", "adversarial", "identity", "perceptual")}
        for side, own, wanted in zip(map(str, self.sides), made, real, strict=True):
            found["picture"].append(options.picture_weight * (own - wanted).abs().mean())
            if options.adversarial:
                found["adversarial"].append(options.adversarial * real_or_made(parts.real[side](own), True))
            if options.identity:
                taken, person = parts.who[side](own)
                told = functional.cross_entropy(person.float(), who) + real_or_made(taken, True)
                found["identity"].append(options.identity * told)
            if self.face_network is not None:
                seen = perceptual(self.face_network, IMAGENET.shares(own), IMAGENET.shares(wanted))
                found["perceptual"].append(options.perceptual * seen)
        return {name: torch.stack(losses).sum() for name, losses in found.items() if losses}

    def telling_losses(self, made: Sequence[Tensor], real: Sequence[Tensor], who: Tensor) -> dict[str, Tensor]:
        """What the image (`real`) and the identity (`who`) discriminators minimise; made faces name nobody.

        A discriminator whose weight is 0 would teach the generator nothing, and does not learn.
        """
        options = self.options
        found: dict[str, list[Tensor]] = {"real": [], "who": []}
        for side, own, wanted in zip(map(str, self.sides), made, real, strict=True):
            is_real, is_who = self.networks.real[side], self.networks.who[side]
            if options.adversarial:
                found["real"].append(real_or_made(is_real(wanted), True) + real_or_made(is_real(own), False))
            if options.identity:
                (right, person), (wrong, _) = is_who(wanted), is_who(own)
                told = real_or_made(right, True) + real_or_made(wrong, False)
                found["who"].append(told + functional.cross_entropy(person.float(), who))
        return {name: torch.stack(losses).sum() for name, losses in found.items() if losses}

    def _update(self, part: str, loss: Tensor) -> None:
        for optimizer in self.optimizers.values():
            optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizers[part].step()

    def evaluate(self, batch: Batch) -> dict[str, Tensor]:
        """(P,) each: merit (1 - mean absolute error of the largest picture, 0 to 1), loss (the error)."""
        made = IMAGENET.shares(self(batch)[-1]).clamp(0, 1)
        error = (made - batch["face"].float() / 255).abs().mean((1, 2, 3))
        return {"merit": 1 - error, "loss": error}

    def draw(self, batch: Batch) -> list[Tensor]:
        """The people's faces, and what their voices gave."""
        return [batch["face"], *(IMAGENET.pixels(made) for made in self(batch))]

    def generate(self, sound: Sounds, speech: Sequence[tuple[int, int]]) -> Tensor:
        """One recording, (samples,) int16 at 16 kHz and its speech (first, end) -> one face (1, 3, H, W) uint8 RGB.

        Windows are fused; without a fuser the mean of their vectors is drawn (sheet 5, mode 2).
        """
        mel = windows(spectrogram(sound, speech), self.options.most_windows).to(next(self.parameters()).device)
        heard: Tensor = self.networks.encoder(mel)
        vector = functional.normalize(heard.mean(0, keepdim=True)) if self.fuser is None else self.fuser(heard[None])
        return IMAGENET.pixels(self.networks.decoder(vector)[-1])

    def portable(self) -> dict[str, Portable]:
        heard = "as `facevox.models.core.sound.sf2f` computes them of the speech, 100 frames a second"
        about = f"Log mel frames (B, 40, {WINDOW}) float32, {heard} -> a unit vector of the voice (B, 512) float32."
        drawn = "A unit vector of a voice (B, 512) -> faces (B, 3, H, W) float32, RGB, about 0..1, not clamped."
        encoder = Portable(self.networks.encoder, {"mel": torch.zeros(2, 40, WINDOW)}, ("vector",), about)
        module = Calling(self, lambda vector: IMAGENET.shares(self.networks.decoder(vector)[-1]))
        decoder = Portable(module, {"vector": torch.zeros(2, DIMENSION)}, ("face",), drawn)
        return {"encoder": encoder, "decoder": decoder}


MODEL = Sf2f
