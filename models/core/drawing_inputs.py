"""Batches of people with a face and a voice each, for generators that draw one from the other."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .device import one_thread
from .model import Batch, ModelOptions, PeopleInputs, check_fields
from .picture_space import square
from .sound import SF2F, VOICE2FACE, repeat, sf2f, voice2face
from .voice_features import wave

FACE, SOUND, STORED = "masked.jpg", "voice.flac", "sf2f.array"
"""Fields of HQ-VoxCeleb; Vox-VGG has face.webp for the first."""
WINDOW, STRIDE = 125, 63
"""Frames of a window that the fuser takes (1.25 s), and from one to the next (half overlap): sheet 2.2."""
LONGEST = 2500
"""Frames kept of a recording: 25 s, the longest that SF2F fuses."""
Sounds = NDArray[np.int16]


@dataclass(frozen=True)
class DrawingOptions(ModelOptions):
    """What a folder's faces are called, and whether its spectrograms are read."""

    face: str = field(
        default=FACE, metadata={"help": "field of the faces: masked.jpg of hq_voxceleb, face.webp of vox_vgg"}
    )
    stored: bool = field(
        default=False,
        metadata={"help": "read SF2F's spectrograms that a build stored (--features sf2f), not the sound"},
    )


def voice2face_input(wave: Tensor) -> Tensor:
    """(samples,) at 16 kHz -> voice2face's (64, frames), repeated to ten seconds."""
    return repeat(voice2face(wave), VOICE2FACE.least_frames)


@dataclass(frozen=True)
class Spectrogram:
    """What a paper makes of the speech: a function of its wave, and what stands after its end."""

    made: Callable[[Tensor], Tensor]
    padding: float


SPECTROGRAMS = {"sf2f": Spectrogram(sf2f, SF2F.padding), "voice2face": Spectrogram(voice2face_input, 0.0)}


def spectrogram(sound: Sounds, speech: Sequence[tuple[int, int]], kind: str = "sf2f") -> Tensor:
    """(samples,) int16 at 16 kHz and its speech (first, end) -> (bands, frames) float32 of the joined speech.

    Raises ValueError where nobody speaks.
    """
    spoken = np.concatenate([sound[:0], *(sound[first:end] for first, end in speech)])
    with one_thread():
        return SPECTROGRAMS[kind].made(wave(spoken)).float()


def windows(mel: Tensor, most: int) -> Tensor:
    """(40, frames) -> its first windows, at most so many, (W, 40, 125); a short one ends in padding.

    Frames after the last whole window are left out.
    """
    missing = max(0, WINDOW - mel.shape[1])
    padded = torch.nn.functional.pad(mel, (0, missing), value=SF2F.padding)
    return padded.unfold(1, WINDOW, STRIDE).transpose(0, 1)[:most].contiguous()


def cropped(mel: Tensor, starts: Tensor, length: int) -> Tensor:
    """(B, bands, T) -> from each row's own start (B,) so many frames, (B, bands, length)."""
    places = starts[:, None] + torch.arange(length, device=starts.device)
    return mel.gather(2, places[:, None].expand(-1, mel.shape[1], -1).to(mel.device))


@dataclass(frozen=True)
class DrawingInputs(PeopleInputs):
    """One face and some recordings of every person, or only these; with `most_windows`, windows of the recordings.

    A batch holds `face` (P, 3, side, side) uint8 RGB, `identities` (names) and, person after person, `mel`
    (P * recordings, bands, T) float32 with `frames` (P * recordings,) int64, of which the rest is padding; T is at
    least `least_frames`. With windows `mel` is
    (P, W, 40, 125) and `real` (P, W) bool says which there are. `keys` names the recordings, the first of each person.
    """

    side: int = 64
    picture: str = FACE
    kind: str = "sf2f"
    least_frames: int = 0
    most_windows: int = 0
    recordings: int = 1
    faces: bool = True
    stored: bool = False
    """Whether spectrograms are read as a build stored them, instead of being computed from the sound."""

    @property
    def samples(self) -> Mapping[str, int]:
        return {"faces": 1, "voices": self.recordings} if self.faces else {"voices": self.recordings}

    @property
    def fields(self) -> Mapping[str, tuple[str, ...]]:
        voices = {"voices": (STORED if self.stored else SOUND,)}
        return {"faces": (self.picture,), **voices} if self.faces else voices

    def __call__(self, samples: Mapping[str, Any]) -> Batch:
        """See the class. Raises ValueError for a missing field, a face that is none, or another shape of array."""
        mels = [self._mel(sample)[:, :LONGEST] for sample in samples["voices"]]
        keys = [sample["__key__"] for sample in samples["voices"][:: self.recordings]]
        batch: Batch = {"keys": keys, "identities": samples["identities"], "dropped": 0}
        if self.faces:
            batch["face"] = torch.stack([self._face(sample) for sample in samples["faces"]])
        if not self.most_windows:
            return batch | self._joined(mels)
        own = [mels[at : at + self.recordings] for at in range(0, len(mels), self.recordings)]
        return batch | self._windowed(own)

    def _face(self, sample: Mapping[str, Any]) -> Tensor:
        check_fields(sample, (self.picture,), "a face generator")
        return square(torch.as_tensor(sample[self.picture]), self.side)

    def _mel(self, sample: Mapping[str, Any]) -> Tensor:
        (name,) = self.fields["voices"]
        check_fields(sample, (name,), "a face generator")
        if not self.stored:
            speech = [(part["first"], part["end"]) for part in sample["json"]["speech"]]
            return spectrogram(sample[name], speech, self.kind)
        mel = torch.as_tensor(sample[name]).float()
        if mel.ndim != 2 or mel.shape[0] != SF2F.bands or not mel.shape[1]:
            raise ValueError(
                f"{sample['__key__']}: {name} of shape {tuple(mel.shape)}, expected ({SF2F.bands}, frames)"
            )
        return mel

    def _joined(self, mels: Sequence[Tensor]) -> Batch:
        frames = [mel.shape[1] for mel in mels]
        shape = len(mels), mels[0].shape[0], max(self.least_frames, *frames)
        joined = torch.full(shape, SPECTROGRAMS[self.kind].padding)
        for row, mel in zip(joined, mels, strict=True):
            row[:, : mel.shape[1]] = mel
        return {"mel": joined, "frames": torch.tensor(frames)}

    def _windowed(self, own: Sequence[Sequence[Tensor]]) -> Batch:
        found = [torch.cat([windows(mel, self.most_windows) for mel in mels])[: self.most_windows] for mels in own]
        counts = torch.tensor([len(one) for one in found])
        padded = torch.nn.utils.rnn.pad_sequence(found, batch_first=True)
        return {"mel": padded, "real": torch.arange(padded.shape[1]) < counts[:, None]}
