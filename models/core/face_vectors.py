"""What a face network makes of a face in a frame: the numbers that a voice is to tell."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...loaders.names import nearest
from .detectors import Face
from .embedding import open_embedder

SIZES = {"vggface-vgg16": 4096, "vggface-resnet50": 2048, "facenet": 512, "dlib": 128, "sface": 128}
"""Numbers of a vector. VGG-Face's are fc7 before its rectifier, as Speech2Face takes them; the last three are units."""

FaceVector = Callable[[NDArray[np.uint8], Face, NDArray[np.uint8]], NDArray[np.float32]]
"""Of an RGB frame (H, W, 3) uint8, a face in it, and its box cut out (224, 224, 3) -> (D,) float32."""


@lru_cache(maxsize=2)
def open_face_vector(name: str, models: Path | None = None) -> FaceVector:
    """The function of that name (`SIZES`), on the CPU.

    Raises ValueError for an unknown name or a damaged file, FileNotFoundError for a missing one,
    ModuleNotFoundError for a missing package.
    """
    if name not in SIZES:
        raise ValueError(f"no face network {name!r}; {nearest(name, list(SIZES))}")
    # torch takes seconds to load: only for the networks that are torch's.
    if name.startswith("vggface"):
        from .classifiers import open_classifier
        from .device import one_thread

        classifier = open_classifier(name, models)

        def of_crop(frame: NDArray[np.uint8], face: Face, crop: NDArray[np.uint8]) -> NDArray[np.float32]:
            with one_thread():
                return np.asarray(classifier(crop[None]).features[0])

        return of_crop
    embedder = open_embedder(name, models)

    def of_frame(frame: NDArray[np.uint8], face: Face, crop: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.asarray(embedder([frame], [face])[0])

    return of_frame
