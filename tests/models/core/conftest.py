"""Tiny ONNX files, written number by number: no exporter is needed to test the readers."""

from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest
from facevox.models.core.networks import NETWORKS

Field = tuple[int, "int | str | bytes"]
FLOAT, INT64, INT, INTS = 1, 7, 2, 7


def varint(number: int) -> bytes:
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + varint(rest) if rest else bytes([low])


def message(*fields: Field) -> bytes:
    """Protocol buffer fields: numbers as varints, text and nested messages by length."""
    out = b""
    for key, value in fields:
        if isinstance(value, int):
            out += varint(key << 3) + varint(value & (2**64 - 1))
        else:
            stored = value.encode() if isinstance(value, str) else value
            out += varint(key << 3 | 2) + varint(len(stored)) + stored
    return out


def tensor(name: str, array: np.ndarray) -> bytes:
    kind = FLOAT if array.dtype == np.float32 else INT64
    return message(*((1, side) for side in array.shape), (2, kind), (8, name), (9, array.tobytes()))


def node(kind: str, inputs: list[str], output: str, **attributes: "int | list[int]") -> bytes:
    stored = [
        message((1, name), (20, INTS), *((8, number) for number in value))
        if isinstance(value, list)
        else message((1, name), (3, value), (20, INT))
        for name, value in attributes.items()
    ]
    return message(*((1, name) for name in inputs), (2, output), (3, output), (4, kind), *((5, a) for a in stored))


def value(name: str, shape: "list[int | str]") -> bytes:
    sides = [message((1, message((1, side) if isinstance(side, int) else (2, side)))) for side in shape]
    return message((1, name), (2, message((1, message((1, FLOAT), (2, b"".join(sides)))))))


def model(nodes, tensors, shape, outputs) -> bytes:
    graph = message(
        *((1, stored) for stored in nodes),
        (2, "graph"),
        *((5, tensor(name, array)) for name, array in tensors.items()),
        (11, value("input", shape)),
        *((12, value(name, sides)) for name, sides in outputs.items()),
    )
    return message((1, 7), (7, graph), (8, message((1, ""), (2, 12))))


@pytest.fixture(scope="session")
def colour_means() -> bytes:
    """A network of pictures (N, 3, 4, 6): output `means` (N, 3), the mean of each channel."""
    nodes = [node("GlobalAveragePool", ["input"], "pooled"), node("Flatten", ["pooled"], "means", axis=1)]
    return model(nodes, {}, ["n", 3, 4, 6], {"means": ["n", 3]})


@pytest.fixture(scope="session")
def mean_network():
    """mean_network(weights): ONNX bytes whose output (N, K) is each channel's mean times weights (C, K)."""

    def make(weights: np.ndarray, channels_last: bool = False) -> bytes:
        first = [node("Transpose", ["input"], "planes", perm=[0, 3, 1, 2])] if channels_last else []
        nodes = [
            *first,
            node("GlobalAveragePool", ["planes" if channels_last else "input"], "pooled"),
            node("Flatten", ["pooled"], "means", axis=1),
            node("MatMul", ["means", "weights"], "scores"),
        ]
        channels, count = weights.shape
        shape = ["n", "h", "w", channels] if channels_last else ["n", channels, "h", "w"]
        return model(nodes, {"weights": weights.astype(np.float32)}, shape, {"scores": ["n", count]})

    return make


@pytest.fixture(scope="session")
def pixel_network():
    """pixel_network(weights): ONNX bytes whose output (N, K, H, W) is each pixel times weights (3, K)."""

    def make(weights: np.ndarray) -> bytes:
        kernel = weights.T[:, :, None, None].astype(np.float32)
        nodes = [node("Conv", ["input", "kernel"], "scores", kernel_shape=[1, 1])]
        return model(nodes, {"kernel": kernel}, ["n", 3, "h", "w"], {"scores": ["n", len(kernel), "h", "w"]})

    return make


@pytest.fixture(scope="session")
def wave_network():
    """wave_network(kernels): ONNX bytes whose output (1, K) is the mean of a wave (1, samples) through each of the
    kernels (K, 1, size), every 160 samples, negatives taken as 0."""

    def make(kernels: np.ndarray) -> bytes:
        nodes = [
            node("Unsqueeze", ["input", "axes"], "planes"),
            node("Conv", ["planes", "kernels"], "bands", strides=[160], kernel_shape=[kernels.shape[2]]),
            node("Relu", ["bands"], "strong"),
            node("GlobalAveragePool", ["strong"], "pooled"),
            node("Flatten", ["pooled"], "vector", axis=1),
        ]
        tensors = {"kernels": kernels, "axes": np.array([1])}
        return model(nodes, tensors, [1, "samples"], {"vector": [1, len(kernels)]})

    return make


@pytest.fixture(scope="session")
def mel_network():
    """mel_network(kernels): the same for a spectrogram (1, frames, 80) and kernels (K, 80, frames); gives (1, K, 1)."""

    def make(kernels: np.ndarray) -> bytes:
        nodes = [
            node("Transpose", ["input"], "planes", perm=[0, 2, 1]),
            node("Conv", ["planes", "kernels"], "found", kernel_shape=[kernels.shape[2]]),
            node("Relu", ["found"], "strong"),
            node("GlobalAveragePool", ["strong"], "vector"),
        ]
        return model(nodes, {"kernels": kernels}, [1, "frames", 80], {"vector": [1, len(kernels), 1]})

    return make


@pytest.fixture
def place(monkeypatch):
    """place(name, stored, folder): bytes as the file of a registered network, its digest stated in the registry."""

    def add(name: str, stored: bytes, folder) -> None:
        entry = replace(NETWORKS[name], sha256=sha256(stored).hexdigest())
        monkeypatch.setitem(NETWORKS, name, entry)
        (folder / entry.file).write_bytes(stored)

    return add


@pytest.fixture(scope="session")
def red_block_finder() -> bytes:
    """A network with YuNet's twelve outputs that finds 8x8 blocks, on the grid of 8, by how red they are.

    The box is 16 px wide and high about the block's middle, its five points lie 0, 2, 4, 6, 8 px right of and below
    the cell's corner.
    """
    nodes, tensors, outputs = [], {}, {}
    for stride in (8, 16, 32):
        sides = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}
        for part, channels in sides.items():
            name = f"{part}_{stride}"
            weight = np.zeros((channels, 3, stride, stride), np.float32)
            bias = np.zeros(channels, np.float32)
            if stride == 8 and channels == 1:
                weight[0, 2] = 1 / (255 * stride * stride)
            if channels == 4:
                bias[:] = 0.5, 0.5, np.log(2), np.log(2)
            if channels == 10:
                bias[:] = np.repeat(np.arange(5) / 4, 2)
            tensors |= {f"{name}_w": weight, f"{name}_b": bias, f"{name}_shape": np.array([1, -1, channels])}
            sizes = {"kernel_shape": [stride, stride], "strides": [stride, stride]}
            nodes += [
                node("Conv", ["input", f"{name}_w", f"{name}_b"], f"{name}_map", **sizes),
                node("Transpose", [f"{name}_map"], f"{name}_last", perm=[0, 2, 3, 1]),
                node("Reshape", [f"{name}_last", f"{name}_shape"], name),
            ]
            outputs[name] = [1, f"cells_{stride}", channels]
    ordered = {f"{part}_{stride}": outputs[f"{part}_{stride}"] for part in sides for stride in (8, 16, 32)}
    return model(nodes, tensors, [1, 3, "h", "w"], ordered)
