"""Recordings cut into Piczak's segments: what the voice classifier and RC-GAN read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .model import Batch, Inputs, check_fields
from .rcgan_networks import BANDS, FRAMES

FIELD = "piczak.array"


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
