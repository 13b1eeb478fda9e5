"""Emotion judges: how probable each of FER-2013's seven classes is for one face."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ...loaders.names import nearest
from .detectors import Box
from .face_crops import aligned_crop, box_crop, five_points
from .networks import network
from .pretrained import OnnxNetwork, open_onnx, probabilities

EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""The order of FER-2013, of Arriaga's mini-XCEPTION, and of what every judge here gives."""
NEUTRAL = EMOTIONS.index("neutral")
NAMES = ("mini-xception", "mobilefacenet-fer", "none")
"""`mini-xception` (Arriaga and others 2017, 66 % of FER-2013) is the HQ-VoxCeleb paper's, the user's own file;
`mobilefacenet-fer` (Jiang and Deng 2021, 88 % of RAF-DB) comes from the hub."""

ZOO_ORDER = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
"""The order of OpenCV's zoo, which calls three of them fearful and surprised."""


class Emotion(Protocol):
    """Judges one face of an RGB picture (H, W, 3) uint8: (7,) float32 probabilities in the order of EMOTIONS.

    `points` are the face's five (see `Face.points`); a judge that needs them and gets none finds them with dlib.
    Raises ValueError for another picture, or a box (left, top, right, bottom in pixels) that has no pixel in it.
    One judge serves one thread at a time.
    """

    @property
    def name(self) -> str: ...

    def __call__(
        self, image: NDArray[np.uint8], box: Box, points: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]: ...


def open_emotion(name: str, models: Path | None = None) -> Emotion | None:
    """An emotion judge by name (`NAMES`), its network loaded once per process; None for `none`: nothing is judged.

    `models` is a folder that is searched first. Raises ValueError for an unknown name, a damaged or foreign file or
    one of no stated digest, FileNotFoundError for a missing file.
    """
    if name not in NAMES:
        raise ValueError(f"no emotion judge {name!r}; {nearest(name, NAMES)}")
    if name == "none":
        return None
    order = ZOO_ORDER if name == "mobilefacenet-fer" else EMOTIONS
    return NetworkEmotion(name, open_onnx(name, models), order, name == "mobilefacenet-fer", models)


@dataclass(frozen=True)
class NetworkEmotion:
    """A network of seven classes in `order`, on the face's box or on its five points moved to fixed places."""

    name: str
    run: OnnxNetwork
    order: tuple[str, ...]
    aligned: bool
    models: Path | None

    def __call__(
        self, image: NDArray[np.uint8], box: Box, points: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        if self.aligned:
            points = five_points(image, box, self.models) if points is None else points
            face = aligned_crop(image, points)
        else:
            size = network(self.name).takes.size
            assert size is not None
            face = box_crop(image, box, size)
        found = probabilities(self.run.single(face[None], (len(EMOTIONS),))[0], 0)
        return found[[self.order.index(emotion) for emotion in EMOTIONS]]
