"""Face embedders: one unit vector for each face, near those of the same person."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from ...loaders.names import nearest
from .detectors import Face, detector_file, dlib_module, rgb_picture
from .face_crops import ALIGNED_SIDE, aligned_crop, box_crop, edges_within, five_points
from .networks import HALF, Convention, Network, network
from .pretrained import OnnxNetwork, locate, open_onnx, open_onnx_file

if TYPE_CHECKING:
    import dlib

    from .classifiers import Classifier

NAMES = ("dlib", "sface", "facenet", "onnx:FILE")
"""128, 128 and 512 numbers; an ONNX file has its own count, and takes faces as ArcFace's do: five points at fixed
places in 112x112, RGB, -1 to 1. FaceNet takes the face's box, dlib its own chip by its five landmarks."""

CHIP_SIDE, CHIP_PADDING = 150, 0.25
"""The picture dlib's network was trained on (King 2017)."""


class Embedder(Protocol):
    """Faces of RGB pictures (H, W, 3) uint8, one of each -> (N, D) float32 unit vectors.

    A face needs its `box` (and may have its five `points`, which are else found with dlib). Raises ValueError for
    another picture, a box that has no pixel in it, or not as many faces as pictures. One embedder serves one thread
    at a time.
    """

    @property
    def name(self) -> str: ...

    def __call__(self, images: Sequence[NDArray[np.uint8]], faces: Sequence[Face]) -> NDArray[np.float32]: ...


def open_embedder(name: str, models: Path | None = None) -> Embedder:
    """An embedder by name (`NAMES`), loaded once per process; `models` is a folder that is searched first.

    Raises ValueError for an unknown name, a damaged or foreign file, FileNotFoundError for a missing file,
    ModuleNotFoundError for a missing package.
    """
    if path := detector_file(name, models):
        takes = Convention((ALIGNED_SIDE, ALIGNED_SIDE), "rgb", HALF, 1 / HALF)
        entry = Network(f"onnx:{path.name}", path.name, "", "onnx", "that of the file given", takes)
        return AlignedEmbedder(entry.name, open_onnx_file(entry, path), None, models)
    if name not in NAMES:
        raise ValueError(f"no embedder {name!r}; {nearest(name, NAMES)}")
    if name == "dlib":
        return _open_dlib(models)
    if name == "sface":
        return AlignedEmbedder(name, open_onnx(name, models), 128, models)
    # torch is wanted by this embedder alone.
    from .classifiers import open_classifier

    return FaceNetEmbedder(name, open_classifier(name, models))


@lru_cache(maxsize=4)
def _open_dlib(models: Path | None) -> "DlibEmbedder":
    module = dlib_module()
    predict = module.shape_predictor(str(locate("dlib-landmarks5", models)))
    return DlibEmbedder("dlib", predict, module.face_recognition_model_v1(str(locate("dlib-descriptor", models))))


@dataclass(frozen=True)
class AlignedEmbedder:
    """An ONNX network on the face's five points at fixed places; one run for each, as files of one batch size exist."""

    name: str
    run: OnnxNetwork
    dimension: int | None
    models: Path | None

    def __call__(self, images: Sequence[NDArray[np.uint8]], faces: Sequence[Face]) -> NDArray[np.float32]:
        vectors = []
        for image, face in zip(images, faces, strict=True):
            points = five_points(image, face.box, self.models) if face.points is None else face.points
            vectors.append(self.run.single(aligned_crop(image, points)[None], (self.dimension,))[0])
        return unit(self.name, vectors)


@dataclass(frozen=True)
class FaceNetEmbedder:
    """FaceNet (Schroff and others 2015; weights of Sandberg) on the face's box."""

    name: str
    run: "Classifier"

    def __call__(self, images: Sequence[NDArray[np.uint8]], faces: Sequence[Face]) -> NDArray[np.float32]:
        size = network(self.name).takes.size
        assert size is not None
        crops = [box_crop(image, face.box, size) for image, face in zip(images, faces, strict=True)]
        return unit(self.name, list(self.run(np.stack(crops)).features) if crops else [])


@dataclass(frozen=True)
class DlibEmbedder:
    """dlib's descriptor (King 2017) made a unit vector: 0.6 between two of dlib's own is a cosine of 0.91 here."""

    name: str
    predict: "dlib.shape_predictor"
    run: "dlib.face_recognition_model_v1"

    def __call__(self, images: Sequence[NDArray[np.uint8]], faces: Sequence[Face]) -> NDArray[np.float32]:
        module, vectors = dlib_module(), []
        for image, face in zip(images, faces, strict=True):
            left, top, right, bottom = edges_within(image, face.box)
            marks = self.predict(rgb_picture(image), module.rectangle(left, top, right - 1, bottom - 1))
            chip = module.get_face_chip(rgb_picture(image), marks, CHIP_SIDE, CHIP_PADDING)
            vectors.append(np.array(self.run.compute_face_descriptor(chip), np.float32))
        return unit(self.name, vectors)


def unit(name: str, vectors: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Vectors as rows of length 1. Raises ValueError where one has no length or is not numbers."""
    stacked = np.stack(vectors) if vectors else np.zeros((0, 0), np.float32)
    lengths = np.linalg.norm(stacked.astype(np.float64), axis=1, keepdims=True)
    if not (np.isfinite(lengths) & (lengths > 0)).all():
        raise ValueError(f"{name}: gave a vector of no length; damaged weights?")
    return np.asarray(stacked / lengths, np.float32)
