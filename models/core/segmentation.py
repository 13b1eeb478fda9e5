"""Person segmentation judges: how much each pixel belongs to the person whose face is given."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from ...loaders.names import nearest
from .detectors import Box, rgb_picture
from .face_crops import resized
from .grabcut import GrabCut
from .networks import network
from .pretrained import OnnxNetwork, open_onnx, probabilities

NAMES = ("grabcut", "pphumanseg", "pspnet-voc", "deeplab-voc", "none")
"""`pspnet-voc` (Zhao and others 2017, 21 classes of Pascal VOC) is the HQ-VoxCeleb paper's, the user's own file;
`pphumanseg` (PP-HumanSeg, Liu and others 2021) comes from the hub; `grabcut` (Rother and others 2004) needs no file."""
PERSON = {21: 15, 2: 1}
"""The person's class by the number of a network's classes: of Pascal VOC 2012, and of person or background."""


class Segmenter(Protocol):
    """Finds the person in an RGB picture (H, W, 3) uint8: (H, W) float32, 1 where it is the person, 0 where not.

    Raises ValueError for another picture or an empty box (left, top, right, bottom in pixels). One segmenter serves one
    thread at a time.
    """

    @property
    def name(self) -> str: ...

    def __call__(self, image: NDArray[np.uint8], box: Box) -> NDArray[np.float32]: ...


def open_segmenter(name: str, models: Path | None = None) -> Segmenter | None:
    """A segmenter by name (`NAMES`), its network loaded once per process; None for `none`: nothing is segmented.

    `models` is a folder that is searched first. Raises ValueError for an unknown name, a damaged or foreign file or
    one of no stated digest, FileNotFoundError for a missing file.
    """
    if name not in NAMES:
        raise ValueError(f"no segmenter {name!r}; {nearest(name, NAMES)}")
    if name == "none":
        return None
    return GrabCut() if name == "grabcut" else NetworkSegmenter(name, open_onnx(name, models))


@dataclass(frozen=True)
class NetworkSegmenter:
    """A network of classes per pixel on the whole picture, stretched to the network's size; it needs no face."""

    name: str
    run: OnnxNetwork

    def __call__(self, image: NDArray[np.uint8], box: Box) -> NDArray[np.float32]:
        size = network(self.name).takes.size
        assert size is not None
        height, width = rgb_picture(image).shape[:2]
        (scores,) = self.run.single(resized(image, size)[None], (None, None, None))
        if len(scores) not in PERSON:
            expected = " or ".join(str(count) for count in PERSON)
            raise ValueError(f"{self.name}: gave {len(scores)} classes, expected {expected}; another network's file")
        person = probabilities(scores, 0)[PERSON[len(scores)]]
        return np.asarray(cv2.resize(person, (width, height), interpolation=cv2.INTER_LINEAR)).clip(0, 1)
