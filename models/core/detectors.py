"""Face detectors behind one call, and dlib's 68 landmarks."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from ...loaders.names import nearest
from .pretrained import EXTRA, brief, locate, sha256, stated_digest

if TYPE_CHECKING:
    import dlib

Box = tuple[float, float, float, float]
"""left, top, right, bottom in pixels; right and bottom are the first column and row outside."""

NAMES = ("dlib-hog", "dlib-hog-up1", "dlib-cnn", "dlib-cnn-up1", "mtcnn", "yunet", "onnx:FILE")
"""`-up1` doubles the picture first, as the published SpeakingFaces scripts do; it finds faces from 40 px, not 80 px."""

YUNET_SUPPRESSION = 0.3
YUNET_CANDIDATES = 5000
"""Overlap and count before suppression: the defaults of cv2.FaceDetectorYN.create."""
YUNET_SCORE = 0.9


@dataclass(frozen=True)
class Face:
    """One face: `box` may reach beyond the picture, `score` is higher for surer faces (its scale is the detector's).

    `points` is (5, 2) float32, x and y in pixels: the eye, nose, and mouth corner points in the order eye at the
    left of the picture, eye at the right, nose, mouth corner at the left, mouth corner at the right. None where the
    detector gives none.
    """

    box: Box
    score: float
    points: NDArray[np.float32] | None = None


class Detector(Protocol):
    """Finds faces in an RGB picture (H, W, 3) uint8; best first. Raises ValueError for anything else.

    One detector serves one thread at a time.
    """

    @property
    def name(self) -> str: ...

    def __call__(self, image: NDArray[np.uint8]) -> list[Face]: ...


def open_detector(name: str, models: Path | None = None, threshold: float | None = None) -> Detector:
    """A detector by name (`NAMES`), loaded once per process; `models` is a folder that is searched first.

    `threshold` is the lowest score kept; None is the detector's own: 0 for dlib's two, 0.8 for MTCNN, 0.9 for YuNet
    and other ONNX files. An ONNX file must have YuNet's outputs and, where FILE.sha256 lies beside it, that digest.
    Raises ValueError for an unknown name, a damaged or foreign file, FileNotFoundError for a missing file,
    ModuleNotFoundError for a missing package.
    """
    if path := detector_file(name, models):
        return _open_yunet(f"onnx:{path.name}", path, sha256(path), threshold)
    if name not in NAMES:
        raise ValueError(f"no detector {name!r}; {nearest(name, NAMES)}")
    if name == "yunet":
        path = locate(name, models)
        return _open_yunet(name, path, sha256(path), threshold)
    return _open_mtcnn(models, threshold) if name == "mtcnn" else _open_dlib(name, models, threshold)


@lru_cache(maxsize=4)
def _open_mtcnn(models: Path | None, threshold: float | None) -> Detector:
    # torch is wanted by this detector alone.
    from .mtcnn import Mtcnn, MtcnnOptions

    defaults = MtcnnOptions()
    if threshold is None:
        return Mtcnn(defaults, models)
    return Mtcnn(replace(defaults, thresholds=(*defaults.thresholds[:2], threshold)), models)


@lru_cache(maxsize=16)
def _open_dlib(name: str, models: Path | None, threshold: float | None) -> Detector:
    upsample, lowest = int(name.endswith("-up1")), threshold or 0.0
    if name.startswith("dlib-hog"):
        return DlibHog(name, dlib_module().get_frontal_face_detector(), upsample, lowest)
    return DlibCnn(name, dlib_module().cnn_face_detection_model_v1(str(locate("dlib-cnn", models))), upsample, lowest)


@lru_cache(maxsize=16)
def _open_yunet(name: str, path: Path, digest: str, threshold: float | None) -> Detector:
    # `digest` is there for the cache alone: a file replaced between two builds of one process is opened anew.
    score = YUNET_SCORE if threshold is None else threshold
    try:
        network = cv2.FaceDetectorYN.create(str(path), "", (64, 64), score, YUNET_SUPPRESSION, YUNET_CANDIDATES)
    except cv2.error as error:
        raise ValueError(f"{path}: not an ONNX network that OpenCV {cv2.__version__} reads ({brief(error)})") from None
    return YuNet(name, network)


def detector_file(name: str, models: Path | None = None) -> Path | None:
    """The file behind the detector `onnx:FILE` or FILE.onnx; None for the others, whose networks are registered.

    Raises FileNotFoundError, or ValueError where FILE.sha256 beside it holds another digest.
    """
    return (
        _onnx_file(name.removeprefix("onnx:"), models) if name.startswith("onnx:") or name.endswith(".onnx") else None
    )


def _onnx_file(file: str, models: Path | None) -> Path:
    places = [Path(file)] if models is None else [models / file, Path(file)]
    for path in places:
        if path.is_file():
            if stated_digest(path) not in (None, sha256(path)):
                raise ValueError(
                    f"{path}: sha256 {sha256(path)[:16]}... is not the one in {path.name}.sha256; replace it"
                )
            return path
    raise FileNotFoundError(f"{file}: no such ONNX file here{'' if models is None else f' or in {models}'}")


@dataclass(frozen=True)
class DlibHog:
    """dlib's frontal face detector: histograms of oriented gradients (Dalal and Triggs 2005), trained by D. King."""

    name: str
    run: "dlib.fhog_object_detector"
    upsample: int
    threshold: float

    def __call__(self, image: NDArray[np.uint8]) -> list[Face]:
        boxes, scores, _ = self.run.run(rgb_picture(image), self.upsample, self.threshold)
        return _best_first([Face(_edges(box), float(score)) for box, score in zip(boxes, scores, strict=True)])


@dataclass(frozen=True)
class DlibCnn:
    """dlib's max-margin face network (King 2015); it reports no score below 0."""

    name: str
    run: "Callable[[NDArray[np.uint8], int], dlib.mmod_rectangles]"
    upsample: int
    threshold: float

    def __call__(self, image: NDArray[np.uint8]) -> list[Face]:
        found = self.run(rgb_picture(image), self.upsample)
        faces = [Face(_edges(face.rect), float(face.confidence)) for face in found]
        return _best_first([face for face in faces if face.score >= self.threshold])


@dataclass(frozen=True)
class YuNet:
    """An ONNX network with the inputs and outputs of YuNet (Wu and others 2023), run by OpenCV."""

    name: str
    network: "cv2.FaceDetectorYN"

    def __call__(self, image: NDArray[np.uint8]) -> list[Face]:
        height, width = rgb_picture(image).shape[:2]
        self.network.setInputSize((width, height))
        try:
            _, rows = self.network.detect(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        except cv2.error as error:
            raise ValueError(f"{self.name}: does not run on {width}x{height} like YuNet ({brief(error)})") from None
        return _best_first([_yunet_face(row) for row in (() if rows is None else np.asarray(rows))])


def _yunet_face(row: NDArray[np.float32]) -> Face:
    left, top, width, height = (float(number) for number in row[:4])
    points = row[4:14].reshape(5, 2).astype(np.float32)
    return Face((left, top, left + width, top + height), float(row[14]), points)


@dataclass(frozen=True)
class Landmarks68:
    """dlib's 68 points (Kazemi and Sullivan 2014): 0-16 chin, 17-26 brows, 27-35 nose, 36-47 eyes, 48-67 mouth."""

    predict: "dlib.shape_predictor"

    def __call__(self, image: NDArray[np.uint8], box: Box) -> NDArray[np.int32]:
        """(68, 2) int32 x and y in pixels, of the face in `box` (left, top, right, bottom; half-open, any numbers).

        Points may lie outside the picture. Raises ValueError for another picture or an empty box.
        """
        left, top, right, bottom = (round(edge) for edge in box)
        if right <= left or bottom <= top:
            raise ValueError(f"box {box}: expected left < right and top < bottom")
        shape = self.predict(rgb_picture(image), dlib_module().rectangle(left, top, right - 1, bottom - 1))
        return np.array([(point.x, point.y) for point in shape.parts()], dtype=np.int32)


@lru_cache(maxsize=4)
def open_landmarks(models: Path | None = None) -> Landmarks68:
    """The 68-point predictor, loaded once per process (0.6 s, 100 MB); raises what `open_detector` raises."""
    module = dlib_module()
    return Landmarks68(module.shape_predictor(str(locate("dlib-landmarks68", models))))


def rgb_picture(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture, contiguous. Raises ValueError unless it is (H, W, 3) uint8 and not empty."""
    shape, kind = getattr(image, "shape", None), getattr(image, "dtype", type(image))
    if kind != np.uint8 or shape is None or len(shape) != 3 or shape[2] != 3 or 0 in shape:
        raise ValueError(f"picture of shape {shape}, {kind}: expected RGB of shape (H, W, 3), uint8")
    return np.ascontiguousarray(image)


def _best_first(faces: list[Face]) -> list[Face]:
    return sorted(faces, key=lambda face: (-face.score, face.box))


def _edges(box: "dlib.rectangle") -> Box:
    return float(box.left()), float(box.top()), float(box.right() + 1), float(box.bottom() + 1)


def dlib_module() -> Any:
    """dlib, imported when first wanted. Raises ModuleNotFoundError that says how to install it."""
    try:
        import dlib
    except ModuleNotFoundError:
        raise ModuleNotFoundError(f"dlib is not installed: {EXTRA}", name="dlib") from None
    return dlib
