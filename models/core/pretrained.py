"""Networks trained by others: where each lies, what it must hash to, what it takes, its licence; and their readers.

A further network is one more entry of NETWORKS. No file is opened before its bytes have the digest stated there.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...loaders.names import nearest

if TYPE_CHECKING:
    from torch import Tensor, nn

EXTRA = "pip install 'facevox[build]'"
COLOURS = ("rgb", "bgr")


@dataclass(frozen=True)
class Convention:
    """What a network takes: pictures of `size` (height, width; None: any), with (pixel - mean) * scale as numbers.

    Pixels are 0..255; `mean` and `scale` are one number, or one for each of `colours` (rgb or bgr) in that order.
    """

    size: tuple[int, int] | None = None
    colours: str = "rgb"
    mean: float | tuple[float, float, float] = 0.0
    scale: float | tuple[float, float, float] = 1.0

    def __post_init__(self) -> None:
        if self.colours not in COLOURS:
            raise ValueError(f"colours {self.colours!r}: expected one of {', '.join(COLOURS)}")

    def normal(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """RGB pictures (..., H, W, 3) uint8 -> the same in the network's colours and range.

        Raises ValueError for another shape, size or dtype.
        """
        shape: tuple[int, ...] = getattr(pictures, "shape", ())
        kind = getattr(pictures, "dtype", type(pictures).__name__)
        wanted = self.size or ("H", "W")
        if kind != np.uint8 or len(shape) < 3 or shape[-1] != 3 or 0 in shape or self.size not in (None, shape[-3:-1]):
            expected = f"RGB of shape (..., {wanted[0]}, {wanted[1]}, 3), uint8"
            raise ValueError(f"picture of shape {shape}, {kind}: expected {expected}")
        ordered = pictures if self.colours == "rgb" else pictures[..., ::-1]
        mean, scale = (np.asarray(number, dtype=np.float32) for number in (self.mean, self.scale))
        return (ordered.astype(np.float32) - mean) * scale


@dataclass(frozen=True)
class Hub:
    """A file of a Hugging Face repository at one commit."""

    repository: str
    file: str
    revision: str


@dataclass(frozen=True)
class Network:
    """One file of weights.

    `file` is its name in a folder of the user's (--models), `inside` its path in `package` (an import name). `kind` is
    dlib, onnx, torch or arrays (as mtcnn stores them). An empty `sha256` means that none is published: the user then
    states it in a file beside it, named as it is plus `.sha256`, as sha256sum writes it.
    """

    name: str
    file: str
    sha256: str
    kind: str
    licence: str
    takes: Convention
    package: str = ""
    inside: str = ""
    hub: Hub | None = None


CC0 = "CC0 1.0, see face_recognition_models"


def _dlib(name: str, file: str, sha256: str, licence: str = CC0, size: tuple[int, int] | None = None) -> Network:
    return Network(name, file, sha256, "dlib", licence, Convention(size), "face_recognition_models", f"models/{file}")


def _mtcnn(net: str, side: int | None, sha256: str) -> Network:
    takes = Convention(None if side is None else (side, side), "rgb", 127.5, 1 / 128)
    inside = f"assets/weights/{net}.lz4"
    return Network(f"mtcnn-{net}", f"{net}.lz4", sha256, "arrays", "MIT, see mtcnn", takes, "mtcnn", inside)


NETWORKS: dict[str, Network] = {
    network.name: network
    for network in (
        _dlib(
            "dlib-cnn",
            "mmod_human_face_detector.dat",
            "4cb19393e2fbaf2b1609a9319ad5386618c886a6234ec1b971f3e87c85d87fe6",
        ),
        _dlib(
            "dlib-landmarks68",
            "shape_predictor_68_face_landmarks.dat",
            "fbdc2cb80eb9aa7a758672cbfdda32ba6300efe9b6e6c7a299ff7e736b11b92f",
            f"{CC0}; its training set iBUG 300-W excludes commercial use",
        ),
        _dlib(
            "dlib-landmarks5",
            "shape_predictor_5_face_landmarks.dat",
            "c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
        ),
        _dlib(
            "dlib-descriptor",
            "dlib_face_recognition_resnet_model_v1.dat",
            "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
            size=(150, 150),
        ),
        _mtcnn("pnet", None, "ea6b0c3e685ebee3165326ad6484acc95f2ef78f1c94fbf40a55704fa989f7b5"),
        _mtcnn("rnet", 24, "cb00e6460f3c98b0bfafaba3c0a0ded4bdf6e62cee7174d969e8670d7e757fee"),
        _mtcnn("onet", 48, "94f6ea2f4cf985275ee958cdd762d17b6009348a4fb9d8c6be39ba73ffd22ca3"),
        Network(
            "yunet",
            "face_detection_yunet_2023mar.onnx",
            "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
            "onnx",
            "MIT, see opencv_zoo",
            Convention(colours="bgr"),
            hub=Hub(
                "opencv/face_detection_yunet",
                "face_detection_yunet_2023mar.onnx",
                "3cc26e7f1014a5ee5d74a42acee58bafc9d0a310",
            ),
        ),
    )
}


def network(name: str) -> Network:
    """The registered network of that name. Raises ValueError naming the nearest."""
    if name not in NETWORKS:
        raise ValueError(f"no network {name!r}; {nearest(name, list(NETWORKS))}")
    return NETWORKS[name]


def locate(name: str, models: Path | None = None) -> Path:
    """A registered network's file, checked: of the folder `models`, else of its package, else of the hub.

    From the hub it comes once and is then kept by huggingface_hub. Raises ValueError for an unknown name or a file of
    another or no digest, FileNotFoundError when it is nowhere or the hub cannot be reached.
    """
    entry = network(name)
    path = find(entry, models) or _download(entry)
    if found := problem(entry, path):
        raise ValueError(f"{path}: {found}")
    return path


def find(entry: Network, models: Path | None = None) -> Path | None:
    """Where a network's file lies on this machine, not yet checked; None when it is not here."""
    spec = find_spec(entry.package) if entry.package else None
    # The package of dlib's files cannot be imported (it asks for pkg_resources), only found.
    roots = [Path(root) / entry.inside for root in (spec.submodule_search_locations or ())] if spec else []
    for path in [models / entry.file, *roots] if models else roots:
        if path.is_file():
            return path
    if entry.hub is None:
        return None
    from huggingface_hub import try_to_load_from_cache

    cached = try_to_load_from_cache(entry.hub.repository, entry.hub.file, revision=entry.hub.revision)
    return Path(cached) if isinstance(cached, str) else None


def _download(entry: Network) -> Path:
    package = f"{EXTRA}, or " if entry.package else ""
    advice = f"{package}give the folder that holds it with --models"
    if entry.hub is None:
        raise FileNotFoundError(f"{entry.name}: no {entry.file} here; {advice}")
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError

    try:
        return Path(hf_hub_download(entry.hub.repository, entry.hub.file, revision=entry.hub.revision))
    except (OSError, HfHubHTTPError) as error:
        source = f"huggingface.co/{entry.hub.repository} at {entry.hub.revision[:12]}"
        raise FileNotFoundError(
            f"{entry.name}: no {entry.file} here, and not to be had from {source} ({brief(error)}); {advice}"
        ) from None


def problem(entry: Network, path: Path) -> str:
    """What is wrong with a network's file; empty when its digest is the stated one."""
    expected = entry.sha256 or stated_digest(path)
    if expected is None:
        return f"no digest of {entry.name} is published; write the one you trust into {path.name}.sha256 beside it"
    found = sha256(path)
    if found == expected:
        return ""
    return f"sha256 {found[:16]}..., expected {expected[:16]}...; damaged or another file, replace it"


def stated_digest(path: Path) -> str | None:
    """The digest in the file beside `path` named as it is plus `.sha256`; None when there is no such file."""
    beside = path.with_name(path.name + ".sha256")
    if not beside.is_file():
        return None
    stated = beside.read_text(encoding="utf-8", errors="replace").split(maxsplit=1)
    if not stated or len(stated[0]) != 64 or set(stated[0].lower()) - set("0123456789abcdef"):
        raise ValueError(f"{beside}: expected 64 hexadecimal digits first, as sha256sum writes them")
    return stated[0].lower()


def sha256(path: Path) -> str:
    """The file's digest, computed once per process and state of the file (0.1 s for 100 MB)."""
    stat = path.stat()
    return _sha256(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=64)
def _sha256(path: Path, size: int, changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class OnnxNetwork:
    """A registered ONNX network, run by OpenCV on the CPU."""

    def __init__(self, name: str, models: Path | None = None) -> None:
        import cv2

        self.entry = network(name)
        path = locate(name, models)
        try:
            self.network: Any = cv2.dnn.readNetFromONNX(str(path))
        except cv2.error as error:
            raise ValueError(
                f"{path}: not an ONNX network that OpenCV {cv2.__version__} reads ({brief(error)})"
            ) from None
        self.outputs: list[str] = list(self.network.getUnconnectedOutLayersNames())

    def __call__(self, pictures: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """RGB pictures (N, H, W, 3) uint8 -> each output by name, float32, in one run.

        Raises ValueError for pictures other than the network's convention, or that it cannot run on.
        """
        import cv2

        batch = self.entry.takes.normal(pictures)
        if batch.ndim != 4:
            raise ValueError(f"pictures of shape {batch.shape}: expected (N, H, W, 3)")
        self.network.setInput(np.ascontiguousarray(batch.transpose(0, 3, 1, 2)))
        try:
            found = self.network.forward(self.outputs)
        except cv2.error as error:
            raise ValueError(f"{self.entry.name}: does not run on {pictures.shape} ({brief(error)})") from None
        return dict(zip(self.outputs, found, strict=True))


def fill(module: "nn.Module", name: str, models: Path | None = None) -> None:
    """Give a torch module the registered weights of that name, every one of them.

    Raises ValueError when the file holds more than tensors, or others than the module's; else what `locate` raises.
    """
    from .checkpoint import read_tensors

    path = locate(name, models)
    weights = read_tensors(path, "not readable torch weights; replace it")
    weights = weights["state_dict"] if isinstance(weights, Mapping) and "state_dict" in weights else weights
    module.load_state_dict(_matching(path, weights, module.state_dict()))


def _matching(path: Path, weights: Any, wanted: "Mapping[str, Tensor]") -> "Mapping[str, Tensor]":
    if not isinstance(weights, Mapping):
        raise ValueError(f"{path}: expected tensors by name, found {type(weights).__name__}")
    for name, tensor in wanted.items():
        shape = tuple(getattr(weights.get(name), "shape", ())) if name in weights else None
        if shape != tuple(tensor.shape):
            found = "nothing" if shape is None else f"shape {shape}"
            raise ValueError(f"{path}: {name}: expected shape {tuple(tensor.shape)}, found {found}; other weights")
    if unknown := [name for name in weights if name not in wanted]:
        raise ValueError(f"{path}: {unknown[0]} and {len(unknown) - 1} more are not of this network; other weights")
    return weights


def brief(error: Exception) -> str:
    """An error of another library on one line, at most 200 characters."""
    return " ".join(str(error).split())[:200]
