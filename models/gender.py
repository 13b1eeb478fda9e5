"""Gender or age from face, heat and voice: the classifier of SpeakingFaces (Sensors 2021, 21(10), 3465; Table 4)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ..loaders.folder import Frames
from .core.model import Batch, Calling, Inputs, Model, ModelOptions, Portable, check_fields
from .core.sound import MelOptions, mel

MODES = {
    1: ("visual",),
    2: ("thermal",),
    3: ("audio",),
    4: ("visual", "thermal"),
    5: ("visual", "audio"),
    6: ("thermal", "audio"),
    7: ("visual", "thermal", "audio"),
}
FIELDS = {"visual": "visual.webp", "thermal": "thermal.webp", "audio": "mic1.flac"}
DROPOUT = {
    "gender": (0.2, 0.4, 0.3, 0.1, 0.4, 0.2, 0.1),
    "age": (0.3, 0.3, 0.0, 0.3, 0.1, 0.1, 0.2),
}
"""Tuned by the authors for modes 1 to 7."""
SIZE = (116, 87)
"""Width and height of the network's images."""
RATE = 44_100
SNIPPET = 17_640
"""Samples of sound: 0.4 s, from the middle of the utterance."""
MEL_FRAMES, MEL_BANDS = 89, 128
IMAGE_NOISE = 100.0
AUDIO_NOISE = 5.0
"""Standard deviations of the noise that the table's rows add; the paper prints them as variances."""
AGE_LIMITS = (25, 35)
"""Classes: 24 and younger, 25 to 34, 35 and older."""


@dataclass(frozen=True)
class GenderOptions(ModelOptions):
    """The paper's constants; what was a slip in the published code is a switch, off by default."""

    mode: int = field(default=7, metadata={"help": "streams: 1 visual, 2 thermal, 3 audio, 4 V+T, 5 V+A, 6 T+A, 7 all"})
    task: str = field(default="gender", metadata={"help": "what to tell", "choices": ("gender", "age")})
    frames: int = field(default=3, metadata={"help": "images per clip, equally spaced"})
    width: float = field(default=1.0, metadata={"help": "layer widths as a share of the paper's"})
    dropout: float = field(default=-1.0, metadata={"help": "share of units dropped (default: tuned per mode)"})
    optimizer: str = field(default="adadelta", metadata={"help": "optimizer", "choices": ("adadelta", "adam")})
    lr: float = field(default=0.1, metadata={"help": "learning rate"})
    halve_after: int = field(default=20, metadata={"help": "epochs without lower validation loss before lr is halved"})
    clip_norm: float = field(default=10.0, metadata={"help": "largest norm of the gradient"})
    scale: bool = field(default=True, metadata={"help": "images in -1..1; published: 0..255"})
    rgb: bool = field(default=True, metadata={"help": "colours as RGB; published: BGR"})
    shuffle: bool = field(default=True, metadata={"help": "new order every epoch; published: always the same"})
    log_mel: bool = field(default=True, metadata={"help": "logarithm of the mel power; published: the power"})
    mel_rate: int = field(default=16_000, metadata={"help": "Hz the mel filters are laid out for; the sound has 44100"})
    as_published: bool = field(default=False, metadata={"help": "all of the published code's choices at once"})

    def settled(self) -> "GenderOptions":
        """These options with `as_published` carried out. Raises ValueError for a value out of range."""
        if self.mode not in MODES or self.task not in DROPOUT or self.optimizer not in ("adadelta", "adam"):
            raise ValueError(
                f"mode {self.mode}, task {self.task!r}, optimizer {self.optimizer!r}: expected a mode of 1 to 7, "
                "gender or age, adadelta or adam"
            )
        if self.frames < 1 or self.width <= 0 or self.dropout >= 1:
            raise ValueError(
                f"{self.frames} frames, width {self.width}, dropout {self.dropout}: expected 1 or more frames, "
                "a width above 0, a dropout below 1"
            )
        if self.as_published:
            return replace(self, scale=False, rgb=False, shuffle=False, log_mel=False, mel_rate=16_000)
        return self

    @property
    def streams(self) -> tuple[str, ...]:
        return MODES[self.mode]

    @property
    def outputs(self) -> int:
        """1 for gender; 3 age classes, though the published head has a fourth output that no label uses."""
        return 1 if self.task == "gender" else 4 if self.as_published else 3

    @property
    def drop(self) -> float:
        return self.dropout if self.dropout >= 0 else DROPOUT[self.task][self.mode - 1]


@dataclass(frozen=True)
class GenderInputs(Inputs):
    """Clips to small images, sound to a mel spectrogram; on request also with the noise of the paper's table.

    A batch holds per stream `visual`, `thermal`: (B, 3, frames, 87, 116) uint8; `audio`: (B, 89, 128) float32; with
    `noisy` also `noisy_visual` and so on; and `gender`, `age` (classes), `subject`: (B,) int64. Images stay 8 bit
    until they are on the device, so that a quarter of the bytes travels.
    """

    streams: tuple[str, ...] = MODES[7]
    count: int = 3
    rgb: bool = True
    sound: MelOptions = field(default_factory=MelOptions)
    noisy: bool = False
    wrap: bool = False
    """Let noisy pixels wrap around modulo 256, as the published code does, instead of clipping them."""
    seed: int = 0
    """Of the noise, which depends on nothing but this, the sample's key and the stream."""

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(FIELDS[stream] for stream in self.streams)

    @property
    def frames(self) -> Frames:
        return self.count

    @property
    def align(self) -> bool:
        return "visual" in self.streams

    def takes(self, facts: Mapping[str, Any]) -> bool:
        """At least `count` frames and 0.4 s of sound, in every mode, so that all modes see the same utterances."""
        if (facts.get("frames") or 0) < self.count:
            return False
        samples = facts.get("samples")
        return samples is None or samples >= 0.4 * facts["sample_rate"]

    def __call__(self, samples: Sequence[Mapping[str, Any]]) -> Batch:
        """See the class. Raises ValueError for a missing field or fact, or sound not sampled at 44.1 kHz."""
        taken = [sample for sample in samples if self.takes(sample["json"])]
        parts: list[dict[str, Tensor]] = []
        for sample in taken:
            check_fields(sample, self.fields, f"gender with {' + '.join(self.streams)}")
            parts.append(self._labels(sample) | self._media(sample))
        names = parts[0] if parts else {}
        batch: Batch = {name: torch.stack([part[name] for part in parts]) for name in names}
        return batch | {"keys": [sample["__key__"] for sample in taken], "dropped": len(samples) - len(taken)}

    def _labels(self, sample: Mapping[str, Any]) -> dict[str, Tensor]:
        facts = sample["json"]
        if facts.get("gender") is None or facts.get("age") is None:
            raise ValueError(f"{sample['__key__']}: no fact gender or age, so there is nothing to learn from it")
        age = sum(int(facts["age"]) >= limit for limit in AGE_LIMITS)
        labels = {"gender": int(facts["gender"] != "Female"), "age": age, "subject": int(facts["subject"])}
        return {name: torch.tensor(value) for name, value in labels.items()}

    def _media(self, sample: Mapping[str, Any]) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        for stream in self.streams:
            value, read = sample[FIELDS[stream]], self._audio if stream == "audio" else self._images
            if stream == "audio" and sample["json"]["sample_rate"] != RATE:
                raise ValueError(f"{sample['__key__']}: sound at {sample['json']['sample_rate']} Hz, expected {RATE}")
            found[stream] = read(value, None)
            if self.noisy:
                found[f"noisy_{stream}"] = read(value, noise_source(self.seed, sample["__key__"], stream))
        return found

    def _images(self, clip: NDArray[np.uint8], random: np.random.Generator | None) -> Tensor:
        """(n, H, W, 3) uint8 RGB -> (3, n, 87, 116) uint8, small by Lanczos, after any noise."""
        if random is not None:
            clip = noisy_images(clip, random, self.wrap)
        # OpenCV's Lanczos takes the nearest 8 x 8 pixels, without smoothing first: the published images alias too.
        small = np.stack([cv2.resize(frame, SIZE, interpolation=cv2.INTER_LANCZOS4) for frame in clip])
        small = small if self.rgb else small[..., ::-1]
        return torch.from_numpy(np.ascontiguousarray(small.transpose(3, 0, 1, 2)))

    def _audio(self, wave: NDArray[np.int16], random: np.random.Generator | None) -> Tensor:
        """(samples,) int16 -> (89, 128) float32 mel spectrogram of the middle 0.4 s."""
        middle = len(wave) // 2
        snippet = wave[middle - SNIPPET // 2 : middle + SNIPPET // 2].astype(np.float32) / 32768
        if random is not None:
            # Independent from sample to sample, so noise before or after cutting is the same.
            snippet = snippet + AUDIO_NOISE * random.standard_normal(len(snippet), np.float32)
        return mel(torch.from_numpy(snippet), self.sound)


def noise_source(seed: int, key: str, stream: str) -> np.random.Generator:
    """The generator of one sample's noise: equal on every machine, in every order, for every model."""
    return np.random.default_rng([seed, int.from_bytes(sha256(f"{key}/{stream}".encode()).digest()[:8])])


def noisy_images(clip: NDArray[np.uint8], random: np.random.Generator, wrap: bool = False) -> NDArray[np.uint8]:
    """N(0, 100) added to every value of (n, H, W, 3) uint8; clipped to 0..255, or wrapped modulo 256."""
    noisy = clip + IMAGE_NOISE * random.standard_normal(clip.shape, np.float32)
    # Whole part first: turning a negative float into uint8 is undefined in C.
    return noisy.astype(np.int32).astype(np.uint8) if wrap else np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


class Convolution(nn.Conv3d):
    """Conv3d that looks at no padding where the input is one frame long or one pixel wide: (B, C, T, H, W) -> the same.

    There only the middle slice of an odd kernel meets anything, and a 2-D convolution with it is ten times as fast on
    a CPU. The weights are those of nn.Conv3d. Padding must be half the kernel's size, rounded down.
    """

    def forward(self, pictures: Tensor) -> Tensor:
        for axis in (2, 4):
            if pictures.shape[axis] == 1:
                others = [size for size in (2, 3, 4) if size != axis]
                kernel = self.weight.select(axis, self.kernel_size[axis - 2] // 2)
                stride, padding = ([int(own[other - 2]) for other in others] for own in (self.stride, self.padding))
                flat = functional.conv2d(pictures.squeeze(axis), kernel, self.bias, stride, padding)
                return flat.unsqueeze(axis)
        return super().forward(pictures)


class Encoder(nn.Module):
    """Four strided 3-D convolutions, two bidirectional GRUs over time, one vector: (B, 3, T, H, W) -> (B, 64)."""

    def __init__(self, size: tuple[int, int, int], dropout: float, width: float) -> None:
        super().__init__()
        steps, *picture = size
        channels = [3, *(scaled(n, width) for n in (32, 64, 96, 128))]
        hidden, features = scaled(256, width), scaled(64, width)
        layers: list[nn.Module] = []
        for before, after, kernel in zip(channels, channels[1:], (5, 5, 3, 3), strict=False):
            padding = (1, kernel // 2, kernel // 2)
            layers += [Convolution(before, after, (3, kernel, kernel), (1, 2, 2), padding), nn.ReLU()]
            layers.append(nn.Dropout3d(dropout))
            picture = [(n + 1) // 2 for n in picture]
        self.convolutions = nn.Sequential(*layers)
        self.over_time = nn.GRU(channels[-1] * picture[0] * picture[1], hidden, bidirectional=True)
        self.over_time_again = nn.GRU(2 * hidden, hidden, bidirectional=True)
        self.each_step = nn.Linear(2 * hidden, features)
        self.all_steps = nn.Linear(steps * features, features)
        self.dropout = nn.Dropout(dropout)

    def forward(self, pictures: Tensor) -> Tensor:
        found = self.convolutions(pictures).permute(2, 0, 1, 3, 4).flatten(2)
        found = self.dropout(self.over_time(found)[0])
        found = self.dropout(self.over_time_again(found)[0])
        found = self.dropout(functional.relu(self.each_step(found)))
        joined: Tensor = self.dropout(functional.relu(self.all_steps(found.transpose(0, 1).flatten(1))))
        return joined


def scaled(number: int, width: float) -> int:
    return max(1, round(number * width))


class Gender(Model):
    """One encoder per stream, their vectors side by side, one linear layer."""

    name = "gender"
    merit = "accuracy"
    options_type = GenderOptions
    epochs = 200
    batch_size = 256

    limits = (
        "Gender is the binary label of SpeakingFaces; what people say of themselves may be otherwise.",
        "SpeakingFaces was recorded in one room with one camera of each kind.",
    )

    def __init__(self, options: GenderOptions) -> None:
        super().__init__()
        self.options = options.settled()
        image, sound = (self.options.frames, SIZE[1], SIZE[0]), (MEL_FRAMES, MEL_BANDS, 1)
        self.encoders = nn.ModuleDict(
            {
                stream: Encoder(sound if stream == "audio" else image, self.options.drop, self.options.width)
                for stream in self.options.streams
            }
        )
        vectors = len(self.encoders) * scaled(64, self.options.width)
        self.head = nn.Linear(vectors, self.options.outputs)
        kind = torch.optim.Adadelta if self.options.optimizer == "adadelta" else torch.optim.Adam
        self.optimizers["all"] = kind(self.parameters(), lr=self.options.lr)
        self.plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
            self.optimizers["all"], factor=0.5, patience=self.options.halve_after, threshold=1e-4
        )
        self.schedulers["all"] = self.plateau

    @property
    def variant(self) -> str:
        return f"mode{self.options.mode}" + ("" if self.options.task == "gender" else f"-{self.options.task}")

    @property
    def shuffle(self) -> bool:
        return self.options.shuffle

    def inputs(self) -> GenderInputs:
        sound = MelOptions(rate=self.options.mel_rate, log=self.options.log_mel)
        return GenderInputs(self.options.streams, self.options.frames, self.options.rgb, sound)

    def forward(self, batch: Batch) -> Tensor:
        """A batch of GenderInputs -> logits: (B,) for gender, (B, 3) for age ((B, 4) as published)."""
        vectors = [encoder(self._tensor(stream, batch[stream])) for stream, encoder in self.encoders.items()]
        logits: Tensor = self.head(torch.cat(vectors, 1))
        return logits[:, 0] if self.options.task == "gender" else logits

    def _tensor(self, stream: str, value: Tensor) -> Tensor:
        """What the encoder takes: images as floats, sound as the middle one of three channels of width 1."""
        if stream == "audio":
            return functional.pad(value[:, None, :, :, None], (0, 0, 0, 0, 0, 0, 1, 1))
        return value.float() / 127.5 - 1 if self.options.scale else value.float()

    def _losses(self, logits: Tensor, label: Tensor) -> Tensor:
        """Per sample, (B,) float32."""
        if self.options.task == "gender":
            return functional.binary_cross_entropy_with_logits(logits.float(), label.float(), reduction="none")
        return functional.cross_entropy(logits.float(), label, reduction="none")

    def step(self, batch: Batch) -> dict[str, Tensor]:
        optimizer = self.optimizers["all"]
        optimizer.zero_grad(set_to_none=True)
        loss = self._losses(self(batch), batch[self.options.task]).mean()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.parameters(), self.options.clip_norm)
        optimizer.step()
        return {self.options.task: loss.detach()}

    def evaluate(self, batch: Batch) -> dict[str, Tensor]:
        """(B,) each: merit (1 where right), loss, prediction (class), subject."""
        logits, label = self(batch), batch[self.options.task]
        prediction = (logits > 0).long() if self.options.task == "gender" else logits.argmax(1)
        merit = (prediction == label).float()
        loss = self._losses(logits, label)
        return {"merit": merit, "loss": loss, "prediction": prediction, "subject": batch["subject"]}

    def end_epoch(self, validation: Mapping[str, float]) -> None:
        """Halve the learning rate when the validation loss sum has not fallen for `halve_after` epochs."""
        self.plateau.step(validation["loss"])

    def portable(self) -> dict[str, Portable]:
        streams, frames = self.options.streams, self.options.frames
        examples = {
            stream: torch.zeros(2, MEL_FRAMES, MEL_BANDS)
            if stream == "audio"
            else torch.zeros(2, 3, frames, *SIZE[::-1], dtype=torch.uint8)
            for stream in streams
        }
        about = (
            f"visual, thermal: (B, 3, {frames}, 87, 116) uint8 RGB; audio: (B, 89, 128) float32, the mel spectrogram "
            "of the middle 0.4 s at 44.1 kHz, as GenderInputs makes them -> logits: (B,), above 0 male, or (B, 3) ages."
        )
        module = Calling(self, lambda *given: self(dict(zip(streams, given, strict=True))))
        return {"gender": Portable(module, examples, ("logits",), about)}


MODEL = Gender
