"""Which of some pictures' faces fits a voice best, by any model that gives a score to both."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

AT_ONCE = 64
"""Faces that go through the network together."""


@runtime_checkable
class Matcher(Protocol):
    """A model that says how well faces fit a voice."""

    @property
    def side(self) -> int:
        """Pixels of the faces that it takes."""

    def match(self, sound: Tensor, faces: Tensor) -> Tensor:
        """(samples,) int16 at 16 kHz and (N, 3, side, side) uint8 RGB -> (N,), higher fits better."""


@dataclass(frozen=True)
class Match:
    """One picture beside the voice."""

    name: str
    score: float


def ranked(model: Matcher, sound: Tensor, faces: Iterable[tuple[str, Tensor]]) -> list[Match]:
    """Named faces (3, side, side) uint8, best first; equal ones as they came. The model is in evaluation mode then."""
    if isinstance(model, torch.nn.Module):
        model.eval()
    found = [match for batch in _batches(iter(faces)) for match in _scored(model, sound, batch)]
    return sorted(found, key=lambda match: -match.score)


def _batches(faces: Iterator[tuple[str, Tensor]]) -> Iterator[list[tuple[str, Tensor]]]:
    while batch := list(islice(faces, AT_ONCE)):
        yield batch


def _scored(model: Matcher, sound: Tensor, batch: list[tuple[str, Tensor]]) -> list[Match]:
    with torch.inference_mode():
        scores = model.match(sound, torch.stack([face for _, face in batch])).tolist()
    return [Match(name, score) for (name, _), score in zip(batch, scores, strict=True)]
