"""Speaker networks in files of the user's: what they are given, and how little is trusted of them."""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.typing import NDArray

from .device import one_thread
from .pretrained import brief, sha256
from .speaker_input import FULL_SCALE, log_mel

Run = Callable[[NDArray[np.float32]], Any]
"""What a network takes, as one batch of one -> what it gives."""

REFUSED = re.compile(r"aten::(save|load|from_file)|prim::(rpc\w*|Call\w+|fork|PythonOp)|(?!aten::|prim::).*")
"""TorchScript computes with operators of its own and holds no Python. These few read and write files, go to other
machines or hide what they call; operators of other names are other libraries'."""
AT_ONCE = b"__setstate__"
"""Code of this name runs while a file is read, before what it calls can be listed."""
EXPORT = "Export it with torch.jit.trace, or as ONNX"
LARGEST_CODE = 16 << 20
"""Bytes of code read from a TorchScript file."""


def speaker_network(kind: str, path: Path) -> "SpeakerNetwork":
    """A network by kind (`onnx`, `onnx-mel`, `torch`, `torch-mel`) and file, loaded once per process and file.

    Raises ValueError for a file that is no such network, or whose code does more than compute.
    """
    return _network(kind, path, sha256(path))


@lru_cache(maxsize=4)
def _network(kind: str, path: Path, digest: str) -> "SpeakerNetwork":
    # `digest` is there for the cache alone, as in pretrained.py.
    run = (_onnx if kind.startswith("onnx") else _torchscript)(path)
    return SpeakerNetwork(f"{kind}:{path.name}", run, kind.endswith("-mel"))


class SpeakerNetwork:
    """A network of one window of sound at a time, since files of one batch size exist."""

    def __init__(self, name: str, run: Run, mel: bool) -> None:
        self.name, self._run, self._mel = name, run, mel

    def __call__(self, windows: Sequence[NDArray[np.int16]]) -> NDArray[np.float32]:
        """(samples,) int16 at 16 kHz each -> (N, D) float32 unit vectors.

        Raises ValueError where the network does not run, or gives anything but one vector of finite numbers, of one
        size and not 0.
        """
        found = [self._one(window) for window in windows]
        if len({len(vector) for vector in found}) > 1:
            raise ValueError(
                f"{self.name}: vectors of {sorted({len(vector) for vector in found})} numbers; no embedder"
            )
        return np.stack(found) if found else np.zeros((0, 0), np.float32)

    def _one(self, window: NDArray[np.int16]) -> NDArray[np.float32]:
        given = log_mel(window) if self._mel else window.astype(np.float32) / FULL_SCALE
        vector = np.asarray(self._run(np.ascontiguousarray(given[None])), np.float32)
        # A leading 1 is the batch; some networks keep more sides of 1 (N, D, 1).
        if vector.size < 2 or vector.size != max(vector.shape):
            raise ValueError(f"{self.name}: gave {vector.shape}, expected one vector (1, D); no speaker embedder")
        vector = vector.reshape(-1)
        length = float(np.linalg.norm(vector.astype(np.float64)))
        if not (np.isfinite(length) and length > 0):
            raise ValueError(f"{self.name}: gave a vector of length {length}; damaged weights, or another input wanted")
        return np.asarray(vector / length, np.float32)


def _onnx(path: Path) -> Run:
    import cv2

    try:
        network: Any = cv2.dnn.readNetFromONNX(str(path))
    except cv2.error as error:
        raise ValueError(f"{path}: not an ONNX network that OpenCV {cv2.__version__} reads ({brief(error)})") from None
    names = list(network.getUnconnectedOutLayersNames())

    def run(given: NDArray[np.float32]) -> Any:
        try:
            network.setInput(given)
            return network.forward(names)[0]
        except cv2.error as error:
            raise ValueError(f"{path}: does not run on {_taken(given)} ({brief(error)})") from None

    return run


def _torchscript(path: Path) -> Run:
    import torch

    _check_code(path)
    try:
        # Its reader takes tensors, plain values and TorchScript's own classes only.
        module: Any = torch.jit.load(str(path), map_location="cpu").eval()  # type: ignore[no-untyped-call]
        called = sorted(kind for kind in _operators(module.inlined_graph) if REFUSED.fullmatch(kind))
    except (RuntimeError, ValueError, AttributeError) as error:
        raise ValueError(f"{path}: not a TorchScript network ({brief(error)})") from None
    if called:
        raise ValueError(f"{path}: calls {', '.join(called[:3])}; only what computes is run. {EXPORT}")

    def run(given: NDArray[np.float32]) -> Any:
        try:
            with torch.inference_mode(), one_thread():
                found = module(torch.from_numpy(given))
        except (RuntimeError, ValueError) as error:
            raise ValueError(f"{path}: does not run on {_taken(given)} ({brief(error)})") from None
        found = found[0] if isinstance(found, (tuple, list)) and found else found
        if not isinstance(found, torch.Tensor):
            raise ValueError(f"{path}: gave {type(found).__name__}, expected a tensor (1, D); no speaker embedder")
        return found.numpy()

    return run


def _operators(graph: Any) -> set[str]:
    """The names of all operators in a graph, those of its inner blocks too."""
    found, waiting = set(), [graph]
    while waiting:
        for node in waiting.pop().nodes():
            found.add(node.kind())
            waiting += node.blocks()
    return found


def _check_code(path: Path) -> None:
    """Raises ValueError for what is no TorchScript file, or one whose code would run while it is read."""
    try:
        with ZipFile(path) as file:
            if file.testzip():
                raise ValueError(f"{path}: damaged; replace it")
            code = [one for one in file.infolist() if "/code/" in one.filename and one.filename.endswith(".py")]
            if not code or sum(one.file_size for one in code) > LARGEST_CODE:
                raise ValueError(f"{path}: no TorchScript network (weights alone say nothing of what to do). {EXPORT}")
            if any(AT_ONCE in file.read(one) for one in code):
                raise ValueError(f"{path}: holds code that runs while it is read ({AT_ONCE.decode()}). {EXPORT}")
    except (BadZipFile, NotImplementedError, EOFError):
        raise ValueError(f"{path}: no TorchScript network. {EXPORT}") from None


def _taken(given: NDArray[np.float32]) -> str:
    kind = "log-mel (1, frames, 80)" if given.ndim == 3 else "a wave (1, samples)"
    other = "a wave: without -mel" if given.ndim == 3 else "log-mel: with -mel"
    return f"{kind} of {given.shape}, float32; if it takes {other}"
