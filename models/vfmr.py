"""Whose face goes with a voice: VFMR's space of both on one sphere, anchored in a speaker network."""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional

from .core.face_networks import FACE_NETWORKS, face_network
from .core.face_resnet import PUBLIC, PUBLIC_NAMES
from .core.model import Batch, Calling, Model, ModelOptions, Portable, Pretrained
from .core.sound import FULL_SCALE, repeat, vfmr
from .core.thin_resnet import DIMENSION, ThinResNet34
from .core.triplets import MARGIN, SCALE, SphereHead, matched, triplet_loss
from .core.voice_face_inputs import FACES, RATE, VOICES, VoiceFaceInputs, mirrored, random_crops

STAGES = ("joint", "voice", "face")
SIDE = 112
"""Pixels of a face."""
SECONDS = 2.5
"""Of sound in training."""
SHORTEST = RATE
"""Samples that the voice network needs; shorter recordings are repeated."""
VLAD = {"netvlad": (8, 0), "ghostvlad": (8, 2), "ghostvlad10": (10, 2)}
"""Clusters and ghosts: as VFMR has it, as its voice network's weights were released, as that one's code trains it."""
NETWORK_RATE = 1e-6
"""Learning rate of the face network in the joint stage."""


@dataclass(frozen=True)
class VfmrOptions(ModelOptions):
    """The paper's constants; of the voice and face stages it says only that both are softmax over people."""

    stage: str = field(
        default="joint",
        metadata={"help": "voice, face: tell people apart by one alone; joint: both in one space", "choices": STAGES},
    )
    face_network: str = field(
        default="ir50",
        metadata={"help": "ir50, table2: the readings of LResNet50; the others: Table 8", "choices": FACE_NETWORKS},
    )
    vlad: str = field(
        default="netvlad",
        metadata={"help": "8 clusters; ghostvlad: 2 ghosts more; ghostvlad10: 10 and 2", "choices": tuple(VLAD)},
    )
    voice_width: float = field(
        default=1.0, metadata={"help": "layer widths of the voice network: a share of the paper's"}
    )
    face_width: float = field(
        default=1.0, metadata={"help": "layer widths of the face network: a share of the paper's"}
    )
    voices: int = field(default=4, metadata={"help": "recordings of each person in a batch"})
    faces: int = field(default=8, metadata={"help": "faces of each person in a batch"})
    seconds: float = field(default=SECONDS, metadata={"help": "of sound from anywhere in a recording, in training"})
    test_seconds: float = field(default=0.0, metadata={"help": "of sound from the middle, in tests (0: all of it)"})
    scale: float = field(default=SCALE, metadata={"help": "radius of the sphere"})
    sphere: bool = field(default=True, metadata={"help": "vectors of one length; the metric L2 of Table 8"})
    norm: bool = field(default=True, metadata={"help": "a batch norm before, as Table 2 has it"})
    margin: float = field(default=MARGIN, metadata={"help": "of the triplet loss"})
    reduction: str = field(
        default="mean", metadata={"help": "over triplets; the paper prints a sum", "choices": ("mean", "sum")}
    )
    freeze_voice: bool = field(default=True, metadata={"help": "joint: keep the voice network as it was trained"})
    freeze_face: bool = field(default=False, metadata={"help": "joint: keep the face network as it was trained"})
    freeze_voice_head: bool = field(default=False, metadata={"help": "joint: keep the voice's last layer as it begins"})
    gender_balanced: bool = field(default=False, metadata={"help": "batches of 3:1 and 1:3, as the paper tests"})
    lr: float = field(default=1e-3, metadata={"help": "learning rate of Adam at the start; of the heads when joint"})
    network_lr: float = field(default=NETWORK_RATE, metadata={"help": "joint: fixed learning rate of the networks"})
    lr_steps: int = field(default=20_000, metadata={"help": "steps after which lr is a tenth, three times"})
    picture: str = field(
        default="face.webp",
        metadata={"help": "field of config faces: face.webp, face.jpg (chinese_vf), masked.jpg, origin.jpg"},
    )

    def settled(self) -> "VfmrOptions":
        """These options. Raises ValueError for a value out of range."""
        words = {"stage": STAGES, "vlad": tuple(VLAD), "reduction": ("mean", "sum")}
        for name, known in words.items():
            if getattr(self, name) not in known:
                raise ValueError(f"{name} {getattr(self, name)!r}: expected one of {', '.join(known)}")
        numbers = ("voice_width", "face_width", "scale", "lr", "network_lr", "lr_steps")
        if low := [name for name in numbers if getattr(self, name) <= 0]:
            raise ValueError(f"{low[0]} {getattr(self, low[0])}: expected more than 0")
        if self.seconds < 1 or self.test_seconds < 0 or 0 < self.test_seconds < 1:
            raise ValueError(f"{self.seconds} seconds, {self.test_seconds} in tests: the voice network needs 1 or more")
        least = {VOICES: self.voices, FACES: self.faces}
        for name, count in least.items():
            needed = 1 if self.stage == "joint" else 2
            if count < needed and self.stage in ("joint", name.removesuffix("s")):
                raise ValueError(f"{count} {name} of each person: stage {self.stage} needs {needed} or more")
        return self


class Vfmr(Model):
    """Triplets of a voice, a face of the same person and one of another; before that, softmax over people.

    Raises ValueError for a stage that tells people apart and fewer than two of them.
    """

    name = "vfmr"
    merit = "1:2 matching in batches"
    options_type = VfmrOptions
    epochs = 0
    steps = 70_000
    batch_size = 4

    def __init__(self, options: VfmrOptions, people: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.options = options.settled()
        joint, features = options.stage == "joint", DIMENSION
        self.frozen: list[str] = []
        if joint or options.stage == "voice":
            self.voice = ThinResNet34(*VLAD[options.vlad], options.voice_width)
        if joint or options.stage == "face":
            self.face, features = face_network(options.face_network, options.face_width)
        if joint:
            self._begin_joint(features)
        else:
            self.number = {name: at for at, name in enumerate(people)}
            if len(people) < 2:
                raise ValueError(f"{len(people)} people in train: stage {options.stage} tells two or more apart")
            # What a fresh voice network makes of two voices differs little beside what they share.
            self.people = nn.Sequential(nn.BatchNorm1d(features, affine=False), nn.Linear(features, len(people)))
            self.optimizers["all"] = torch.optim.Adam(self.parameters(), lr=options.lr)
        public = PUBLIC.get(options.face_network, "")
        self.parts = {
            "voice": Pretrained("vfmr", "voice.", required=False),
            "face": Pretrained("vfmr", "face.", required=False, network=public, network_names=PUBLIC_NAMES),
        }
        (main, *_) = self.optimizers
        steps = [options.lr_steps * times for times in (1, 2, 3)]
        self.schedulers[main] = torch.optim.lr_scheduler.MultiStepLR(self.optimizers[main], steps, gamma=0.1)

    def _begin_joint(self, features: int) -> None:
        own = self.options
        about = (own.scale, own.norm, own.sphere)
        self.voice_head, self.face_head = SphereHead(DIMENSION, *about), SphereHead(features, *about)
        frozen = {"voice": own.freeze_voice, "face": own.freeze_face, "voice_head": own.freeze_voice_head}
        self.frozen = [part for part, kept in frozen.items() if kept]
        for part in self.frozen:
            self.get_submodule(part).requires_grad_(False)
        groups = {"heads": (("voice_head", "face_head"), own.lr), "networks": (("voice", "face"), own.network_lr)}
        for name, (parts, rate) in groups.items():
            moving = [p for part in parts if part not in self.frozen for p in self.get_submodule(part).parameters()]
            if moving:
                self.optimizers[name] = torch.optim.Adam(moving, lr=rate)

    @classmethod
    def tells_apart(cls, options: VfmrOptions) -> tuple[str, ...]:
        return {"voice": (VOICES,), "face": (FACES,)}.get(options.stage, ())

    @property
    def variant(self) -> str:
        own = self.options
        named = {"voice": (own.vlad,), "face": (own.face_network,)}.get(own.stage, (own.vlad, own.face_network))
        return "-".join((own.stage, *named))

    def train(self, mode: bool = True) -> "Vfmr":
        """As any module, but what is frozen keeps its statistics."""
        super().train(mode)
        for part in self.frozen:
            self.get_submodule(part).eval()
        return self

    @property
    def side(self) -> int:
        return SIDE

    def inputs(self) -> VoiceFaceInputs:
        own = self.options
        voices, faces = (
            0 if own.stage == alone else count for alone, count in (("face", own.voices), ("voice", own.faces))
        )
        return VoiceFaceInputs(voices, faces, SIDE, own.picture, own.gender_balanced)

    # --- what the networks make of voices and faces ---

    def hear(self, waves: Tensor) -> Tensor:
        """(V, samples) float32 in -1..1 at 16 kHz, a second or more -> (V, 512): on the sphere when joint."""
        features: Tensor = self.voice(vfmr(waves)[:, None])
        return self.voice_head(features) if self.options.stage == "joint" else features

    def see(self, faces: Tensor) -> Tensor:
        """(F, 3, 112, 112) uint8 RGB -> (F, D): on the sphere, D = 512, when joint."""
        features: Tensor = self.face((faces.float() - 127.5) / 128)
        return self.face_head(features) if self.options.stage == "joint" else features

    def hear_whole(self, sound: Tensor) -> Tensor:
        """One recording (samples,) int16 as in tests -> (1, 512)."""
        wave, wanted = repeat(sound.float() / FULL_SCALE, SHORTEST), round(self.options.test_seconds * RATE)
        if 0 < wanted < len(wave):
            wave = wave[(len(wave) - wanted) // 2 :][:wanted]
        return self.hear(wave[None])

    def match(self, sound: Tensor, faces: Tensor) -> Tensor:
        """Scores (N,) of faces (N, 3, 112, 112) uint8 RGB for a recording (samples,) int16 at 16 kHz.

        Higher fits better: on the sphere cosines, which rank as distances do; without it negative distances, which are
        what is trained. Raises ValueError unless this is the joint stage.
        """
        if self.options.stage != "joint":
            raise ValueError(f"stage {self.options.stage} knows no faces and voices together: give a joint checkpoint")
        heard, seen = self.hear_whole(sound), self.see(faces)
        if not self.options.sphere:
            return -functional.pairwise_distance(heard, seen, eps=0)
        return functional.cosine_similarity(heard, seen)

    def _trained_vectors(self, batch: Batch) -> dict[str, Tensor]:
        """Vectors (rows, D) of random crops and of faces that may be mirrored, for what the batch has of them."""
        found = {}
        if "wave" in batch:
            found["voice"] = self.hear(random_crops(batch["wave"], batch["length"], round(self.options.seconds * RATE)))
        if "face" in batch:
            found["face"] = self.see(mirrored(batch["face"]))
        return found

    # --- training and tests ---

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """Raises ValueError where a part is frozen that never was trained."""
        own = self.options
        for optimizer in self.optimizers.values():
            optimizer.zero_grad(set_to_none=True)
        if own.stage == "joint":
            self._check_frozen()
        vectors = self._trained_vectors(batch)
        if own.stage == "joint":
            people = len(batch["identities"])
            voices, faces = (by_person(vectors[part], people) for part in ("voice", "face"))
            name, loss = "triplet", triplet_loss(voices, faces, own.margin, own.reduction)
        else:
            (found,) = vectors.values()
            name, loss = "softmax", functional.cross_entropy(self.people(found).float(), self._numbers(batch, found))
        loss.backward()  # type: ignore[no-untyped-call]
        for optimizer in self.optimizers.values():
            optimizer.step()
        for scheduler in self.schedulers.values():
            scheduler.step()
        return {name: loss.detach()}

    def _check_frozen(self) -> None:
        fresh = [part for part in ("voice", "face") if part in self.frozen and part not in self.begun]
        if fresh:
            raise ValueError(
                f"the {fresh[0]} network is frozen and was never trained: `facevox train vfmr --stage {fresh[0]}` "
                f"makes one, then give --initial {fresh[0]}=CHECKPOINT; or train it along by --no-freeze-{fresh[0]}"
            )

    def _numbers(self, batch: Batch, found: Tensor) -> Tensor:
        """The place of every row's person among those trained on."""
        whose = torch.tensor([self.number[name] for name in batch["identities"]], device=found.device)
        return whose.repeat_interleave(len(found) // len(whose))

    def evaluate(self, batch: Batch) -> dict[str, Tensor]:
        """1:2 matching in the batch, a row for each voice: merit (share of right triplets), loss.

        In the voice and the face stage each recording or face is matched with the others of its kind.
        """
        people, found = len(batch["identities"]), []
        if "wave" in batch:
            sounds = [wave[:length] for wave, length in zip(batch["wave"], batch["length"].tolist(), strict=True)]
            found.append(torch.cat([self.hear_whole(sound) for sound in sounds]))
        if "face" in batch:
            found.append(self.see(batch["face"]))
        first, last = by_person(found[0].float(), people), by_person(found[-1].float(), people)
        if alone := len(found) == 1:
            first = last = functional.normalize(first, dim=2)
        right, loss = matched(first, last, self.options.margin, paired=alone)
        return {"merit": right, "loss": loss}

    def portable(self) -> dict[str, Portable]:
        """The voice and the face network; when joint in one space, where `match` tells how the two are compared."""
        found, joint = {}, self.options.stage == "joint"
        measure = "cosine" if self.options.sphere else "Euclidean distance"
        kind = f"(B, 512), compared by the {measure}" if joint else "features"
        if self.options.stage != "face":
            about = (
                "Spectrum (B, 1, 257, frames) float32 of sound at 16 kHz as `facevox.models.core.sound.vfmr` computes "
                f"it, 250 frames as exported -> {kind}."
            )
            module = Calling(self, lambda heard: self.voice_head(self.voice(heard)) if joint else self.voice(heard))
            found["voice"] = Portable(module, {"spectrum": torch.zeros(2, 1, 257, 250)}, ("voice_vector",), about)
        if self.options.stage != "voice":
            about = f"Face (B, 3, 112, 112) float32, RGB, (pixel - 127.5) / 128 -> {kind}."
            module = Calling(self, lambda seen: self.face_head(self.face(seen)) if joint else self.face(seen))
            found["face"] = Portable(module, {"face": torch.zeros(2, 3, SIDE, SIDE)}, ("face_vector",), about)
        return found


def by_person(rows: Tensor, people: int) -> Tensor:
    """(P * K, D) -> (P, K, D)."""
    return rows.view(people, -1, rows.shape[1])


MODEL = Vfmr
