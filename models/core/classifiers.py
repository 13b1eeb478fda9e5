"""Classifiers of faces and pictures that score and embed: FaceNet, the two VGGFace networks, Inception-v3."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ...loaders.names import nearest
from .face_crops import resized
from .inception import InceptionV3
from .inception_resnet import InceptionResnetV1
from .networks import Network, network
from .pretrained import fill, locate, sha256
from .vggface import VggFace, VggFace2Resnet50

MODULES: dict[str, type[nn.Module]] = {
    "facenet": InceptionResnetV1,
    "vggface-resnet50": VggFace2Resnet50,
    "vggface-vgg16": VggFace,
    "inception-2015": InceptionV3,
}
NAMES = tuple(MODULES)


@dataclass(frozen=True)
class Scores:
    """Of N pictures: `features` (N, D) and `logits` (N, C), float32; what they are says the network's module."""

    features: NDArray[np.float32]
    logits: NDArray[np.float32]


@dataclass(frozen=True)
class Classifier:
    """A filled network. One classifier serves one thread at a time."""

    entry: Network
    module: nn.Module
    device: str

    @property
    def name(self) -> str:
        return self.entry.name

    def __call__(self, pictures: NDArray[np.uint8]) -> Scores:
        """RGB pictures (N, H, W, 3) uint8 of any size, stretched to the network's, as one batch.

        Raises ValueError for anything else, or none.
        """
        shape, size = getattr(pictures, "shape", ()), self.entry.takes.size
        if len(shape) != 4 or 0 in shape or size is None:
            raise ValueError(f"pictures of shape {shape}: expected (N, H, W, 3)")
        batch = self.entry.takes.batch(np.stack([resized(picture, size) for picture in pictures]))
        with torch.inference_mode():
            features, logits = self.module(torch.from_numpy(batch).to(self.device))
        return Scores(features.cpu().numpy(), logits.cpu().numpy())


def open_classifier(name: str, models: Path | None = None, device: str = "cpu") -> Classifier:
    """A classifier by name (`NAMES`), loaded once per process, file and device; `models` is searched first.

    Raises ValueError for an unknown name or a damaged or foreign file, FileNotFoundError for a missing one.
    """
    if name not in MODULES:
        raise ValueError(f"no classifier {name!r}; {nearest(name, NAMES)}")
    return _open(network(name), models, sha256(locate(name, models)), device)


# VGG-Face alone has 580 MB.
@lru_cache(maxsize=2)
def _open(entry: Network, models: Path | None, digest: str, device: str) -> Classifier:
    # `digest` is there for the cache alone: a file replaced between two builds of one process is opened anew.
    module = MODULES[entry.name]()
    fill(module, entry.name, models)
    return Classifier(entry, module.eval().requires_grad_(False).to(device), device)
