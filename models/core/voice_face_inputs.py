"""Voices and faces of the same people, as networks that match them take them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .face_crops import resized
from .model import Batch, PeopleInputs, check_fields
from .sound import FULL_SCALE

VOICES, FACES = "voices", "faces"
"""Configs that are read."""
VOICE = "voice.flac"
RATE = 16_000
"""Hz of the recordings."""


@dataclass(frozen=True)
class VoiceFaceInputs(PeopleInputs):
    """So many voices and faces of every person, either of which may be 0.

    A batch holds, person after person, `wave` (P * voices, longest) int16 at 16 kHz with zeros behind, `length`
    (P * voices,) int64 samples, `face` (P * faces, 3, side, side) uint8 RGB, and `identities`, names (P,). `keys` are
    those of the voices, or of the faces without voices. A batch of one person alone is dropped: there is nobody to
    tell them from. Random crops and mirrored faces are the model's, whose random state resumes with it.
    """

    voices: int
    faces: int
    side: int
    picture: str = "face.webp"
    """Field of config faces."""
    gender: bool = False
    """Batches of 3:1 and 1:3 by turns."""

    @property
    def samples(self) -> Mapping[str, int]:
        return {config: count for config, count in ((VOICES, self.voices), (FACES, self.faces)) if count}

    @property
    def fields(self) -> Mapping[str, tuple[str, ...]]:
        return {VOICES: (VOICE,), FACES: (self.picture,)}

    @property
    def balance(self) -> str:
        return "gender" if self.gender else ""

    def __call__(self, samples: Mapping[str, Any]) -> Batch:
        """See the class. Raises ValueError for a missing field, another rate, or a recording or picture of nothing."""
        names = samples["identities"]
        if len(names) < 2:
            return {"keys": [], "dropped": 1}
        batch: Batch = {"dropped": 0, "identities": names, "keys": []}
        for config, read in ((FACES, self._faces), (VOICES, self._voices)):
            if config in samples:
                batch |= read(samples[config]) | {"keys": [sample["__key__"] for sample in samples[config]]}
        return batch

    def _voices(self, samples: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
        sounds = []
        for sample in samples:
            check_fields(sample, (VOICE,), "matching of voices and faces")
            rate, sound = sample["json"].get("sample_rate"), torch.as_tensor(sample[VOICE])
            if rate != RATE or sound.ndim != 1 or not len(sound):
                raise ValueError(
                    f"{sample['__key__']}: {VOICE} of shape {tuple(sound.shape)} at {rate} Hz, expected (samples,) at "
                    f"{RATE}. Build the voices with facevox"
                )
            sounds.append(sound)
        length = torch.tensor([len(sound) for sound in sounds])
        return {"wave": torch.nn.utils.rnn.pad_sequence(sounds, batch_first=True), "length": length}

    def _faces(self, samples: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
        faces = []
        for sample in samples:
            check_fields(sample, (self.picture,), "matching of voices and faces")
            faces.append(face_tensor(torch.as_tensor(sample[self.picture]), self.side, sample["__key__"]))
        return {"face": torch.stack(faces)}


def face_tensor(picture: Tensor, side: int, place: str) -> Tensor:
    """RGB (H, W, 3) uint8 -> (3, side, side) uint8, stretched where it has another size.

    Raises ValueError, naming `place`, for another shape.
    """
    if picture.ndim != 3 or picture.shape[2] != 3 or not picture.numel():
        raise ValueError(f"{place}: a face of shape {tuple(picture.shape)}, expected (height, width, 3)")
    if picture.shape[:2] != (side, side):
        picture = torch.from_numpy(resized(picture.numpy(), (side, side)))
    return picture.permute(2, 0, 1)


def random_crops(wave: Tensor, length: Tensor, samples: int) -> Tensor:
    """Of every row of (V, longest) int16 `samples` in a row from anywhere, float32 in -1..1; shorter ones repeated."""
    start = (torch.rand(len(wave), device=wave.device) * (length - samples + 1).clamp(min=1)).long()
    places = (start[:, None] + torch.arange(samples, device=wave.device)) % length[:, None]
    return wave.gather(1, places).float() / FULL_SCALE


def mirrored(faces: Tensor) -> Tensor:
    """(F, C, H, W), each with probability 1/2 mirrored left to right."""
    turned = torch.rand(len(faces), device=faces.device) < 0.5
    return torch.where(turned[:, None, None, None], faces.flip(3), faces)
