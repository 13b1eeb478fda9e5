"""MTCNN (Zhang and others 2016, "Joint Face Detection and Alignment"): three cascaded networks, in torch.

The weights are those of the Python package mtcnn 1.0.0, and so are the rules between the networks, with two faults
left out: the pyramid ends where P-Net has no cell left, so any smallest face works, and pictures do not share a batch.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .detectors import Face, rgb_picture
from .device import one_thread
from .networks import network
from .pretrained import EXTRA, locate

Rows = NDArray[np.float64]
"""(N, 5): left, top, right, bottom in pixels, and score; best first after every suppression."""

CELL, STRIDE = 12, 2
"""P-Net looks at 12x12 windows, 2 px apart."""
SCALE = 0.709
"""From one level of the pyramid to the next: about half the area."""
SMALLEST_LEVEL = 0.6 * CELL * SCALE**-1.5
"""12.06 px: levels of a smaller side are left out. It is where the package's own rule ends for faces from 20 px."""
CROPS_AT_ONCE = 64
"""More of them leave the processor's cache: O-Net then takes twice as long for each."""
CHANNELS_LAST = torch.channels_last
"""The layout in which torch pools and convolves these small pictures two to five times as fast on a CPU. Pictures of
one size in one batch bring nothing more: P-Net, where the time goes, is slower on eight of 210 px than on each."""
ROWS_AT_ONCE = 512
NUMPY_ALIGNMENT = 16
ARRAY_HEADER_END = b"K\x10ub"
"""How the stored description of an array ends (its last entry is the alignment, 16); padding and the numbers follow."""


@dataclass(frozen=True)
class MtcnnOptions:
    """The package's defaults. `min_face` is in pixels, at least 12; the thresholds are scores of P-, R- and O-Net."""

    min_face: int = 20
    thresholds: tuple[float, float, float] = (0.6, 0.7, 0.8)
    overlaps: tuple[float, float, float, float] = (0.5, 0.7, 0.7, 0.7)
    """Overlap above which the worse box goes: within a level, between levels, after R-Net, after O-Net."""

    def __post_init__(self) -> None:
        if self.min_face < CELL:
            raise ValueError(f"min_face {self.min_face}: P-Net sees no face below {CELL} px; give {CELL} or more")


class Cascade(nn.Module):
    """One of the three networks: a trunk and its heads, the last of which tells face from no face."""

    def __init__(self, trunk: nn.Sequential, heads: list[nn.Module]) -> None:
        super().__init__()
        self.trunk = trunk
        self.heads = nn.ModuleList(heads)

    def forward(self, x: Tensor) -> list[Tensor]:
        """x (N, 3, H, W) in -1..1 -> the heads' outputs, classes on axis 1; the last is a probability."""
        x = self.trunk(x)
        *others, logits = (head(x) for head in self.heads)
        return [*others, logits.softmax(1)]


class TransposedFlatten(nn.Module):
    """(N, C, H, W) -> (N, W * H * C): the order in which the dense layers' weights were stored."""

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, 3, 2, 1).flatten(1)


def _convolution(inputs: int, outputs: int, kernel: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, kernel), nn.PReLU(outputs)]


def _dense(inputs: int, outputs: int) -> list[nn.Module]:
    return [TransposedFlatten(), nn.Linear(inputs, outputs), nn.PReLU(outputs)]


def _pool(kernel: int, padded: bool) -> nn.Module:
    return nn.MaxPool2d(kernel, 2, ceil_mode=padded)


def p_net() -> Cascade:
    """Proposals: (N, 3, H, W) -> box offsets (N, 4, h, w), classes (N, 2, h, w), a cell every 2 px."""
    trunk = [*_convolution(3, 10, 3), _pool(2, True), *_convolution(10, 16, 3), *_convolution(16, 32, 3)]
    return Cascade(nn.Sequential(*trunk), [nn.Conv2d(32, 4, 1), nn.Conv2d(32, 2, 1)])


def r_net() -> Cascade:
    """Refinement: (N, 3, 24, 24) -> box offsets (N, 4), classes (N, 2)."""
    trunk = [*_convolution(3, 28, 3), _pool(3, True), *_convolution(28, 48, 3), _pool(3, False)]
    trunk += [*_convolution(48, 64, 2), *_dense(576, 128)]
    return Cascade(nn.Sequential(*trunk), [nn.Linear(128, 4), nn.Linear(128, 2)])


def o_net() -> Cascade:
    """Output: (N, 3, 48, 48) -> box offsets (N, 4), five x and five y (N, 10), classes (N, 2)."""
    trunk = [*_convolution(3, 32, 3), _pool(3, True), *_convolution(32, 64, 3), _pool(3, False)]
    trunk += [*_convolution(64, 64, 3), _pool(2, True), *_convolution(64, 128, 2), *_dense(1152, 256)]
    return Cascade(nn.Sequential(*trunk), [nn.Linear(256, 4), nn.Linear(256, 10), nn.Linear(256, 2)])


def load(name: str, cascade: Cascade, models: Path | None = None) -> Cascade:
    """Fill a network with the registered weights of that name. Raises what `locate` raises, and
    ModuleNotFoundError without lz4.

    The file is a compressed stream of float32 arrays, each behind a description of itself. Only the arrays' own
    numbers are read, in the order and of the sizes that the network has; nothing in the file is interpreted.
    """
    try:
        import lz4.frame
    except ModuleNotFoundError:
        raise ModuleNotFoundError(f"lz4 is not installed: {EXTRA}", name="lz4") from None
    path = locate(name, models)
    parameters = list(cascade.parameters())
    arrays = _arrays(lz4.frame.decompress(path.read_bytes()), [parameter.numel() for parameter in parameters], path)
    with torch.no_grad():
        for parameter, array in zip(parameters, arrays, strict=True):
            parameter.copy_(_stored_order(array, parameter))
    cascade.to(memory_format=CHANNELS_LAST)  # type: ignore[call-overload]  # torch's stub forgets modules
    return cascade.eval().requires_grad_(False)


def _arrays(stream: bytes, counts: list[int], path: Path) -> Iterator[NDArray[np.float32]]:
    end = 0
    for count in counts:
        header = stream.find(ARRAY_HEADER_END, end)
        at = header + len(ARRAY_HEADER_END)
        start = at + 1 + sum(stream[at : at + 1])
        end = start + 4 * count
        if header < 0 or start % NUMPY_ALIGNMENT or end > len(stream) or set(stream[at + 1 : start]) != {0xFF}:
            raise ValueError(f"{path}: no array of {count} numbers where one must be; not the weights of mtcnn 1.0.0")
        yield np.frombuffer(stream, "<f4", count, start)


def _stored_order(array: NDArray[np.float32], parameter: Tensor) -> Tensor:
    """Stored are kernels (height, width, in, out) and dense layers (in, out)."""
    shape = tuple(parameter.shape)
    order = {4: (2, 3, 1, 0), 2: (1, 0)}.get(len(shape), (0,))
    back = {4: (3, 2, 0, 1), 2: (1, 0)}.get(len(shape), (0,))
    return torch.from_numpy(array.reshape([shape[axis] for axis in order]).transpose(back).copy())


class Mtcnn:
    """The detector: faces from `min_face` px, with five points. One picture at a time, on one thread of the CPU."""

    name = "mtcnn"

    def __init__(self, options: MtcnnOptions | None = None, models: Path | None = None) -> None:
        self.options = options or MtcnnOptions()
        self.p_net = load("mtcnn-pnet", p_net(), models)
        self.r_net = load("mtcnn-rnet", r_net(), models)
        self.o_net = load("mtcnn-onet", o_net(), models)

    def __call__(self, image: NDArray[np.uint8]) -> list[Face]:
        """Faces of an RGB picture (H, W, 3) uint8, best first. Raises ValueError for anything else."""
        normal = network("mtcnn-pnet").takes.normal(rgb_picture(image))
        with one_thread(), torch.inference_mode():
            rows = self._proposals(normal)
            rows = self._refined(normal, rows)
            rows, points = self._final(normal, rows)
        return [
            Face(tuple(row[:4].tolist()), float(row[4]), xy.reshape(2, 5).T.astype(np.float32))
            for row, xy in zip(rows, points, strict=True)
        ]

    def _proposals(self, normal: NDArray[np.float32]) -> Rows:
        within, between = self.options.overlaps[:2]
        found = [np.empty((0, 5))]
        for scale in pyramid(min(normal.shape[:2]), self.options.min_face):
            height, width = (int(side * scale) for side in normal.shape[:2])
            level = torch.from_numpy(cv2.resize(normal, (width, height), interpolation=cv2.INTER_AREA))
            offsets, classes = self.p_net(level[None].permute(0, 3, 1, 2))
            rows = _cells(offsets[0].numpy(), classes[0, 1].numpy(), self.options.thresholds[0])
            rows[:, :4] /= scale
            found.append(rows[suppress(rows, within)])
        rows = np.concatenate(found)
        return _square(rows[suppress(rows, between)])

    def _refined(self, normal: NDArray[np.float32], rows: Rows) -> Rows:
        offsets, classes = _run(self.r_net, normal, rows, 24)
        rows = _moved(rows, offsets, classes)
        rows = rows[rows[:, 4] > self.options.thresholds[1]]
        return _square(rows[suppress(rows, self.options.overlaps[2])])

    def _final(self, normal: NDArray[np.float32], rows: Rows) -> tuple[Rows, NDArray[np.float64]]:
        offsets, ratios, classes = _run(self.o_net, normal, rows, 48)
        sizes = np.repeat(rows[:, 2:4] - rows[:, :2] + 1, 5, axis=1)
        points = sizes * ratios + np.repeat(rows[:, :2], 5, axis=1) - 1
        rows = _moved(rows, offsets, classes)
        sure = rows[:, 4] > self.options.thresholds[2]
        rows, points = rows[sure], points[sure]
        kept = suppress(rows, self.options.overlaps[3], of_smaller=True)
        return rows[kept], points[kept]


def pyramid(side: int, min_face: int) -> list[float]:
    """Scales at which a picture whose smaller side is `side` px is searched: the first makes `min_face` 12 px."""
    scales = [CELL / min_face]
    while scales[-1] * side >= SMALLEST_LEVEL:
        scales.append(scales[-1] * SCALE)
    return scales[:-1]


def suppress(rows: Rows, overlap: float, of_smaller: bool = False) -> NDArray[np.int64]:
    """Which rows stay, best first: those that overlap no better row by more, even if that one goes too.

    Overlap is shared area over joint area, or over the smaller box. Of equal scores the earlier row is the better.
    """
    order = np.argsort(-rows[:, 4], kind="stable")
    left, top, right, bottom, _ = rows[order].T
    area = (right - left) * (bottom - top)
    kept = np.ones(len(order), bool)
    for first in range(0, len(order), ROWS_AT_ONCE):
        own, better = slice(first, first + ROWS_AT_ONCE), slice(0, first + ROWS_AT_ONCE)
        width = np.minimum(right[own, None], right[better]) - np.maximum(left[own, None], left[better])
        height = np.minimum(bottom[own, None], bottom[better]) - np.maximum(top[own, None], top[better])
        shared = np.maximum(width, 0) * np.maximum(height, 0)
        smaller, joint = np.minimum(area[own, None], area[better]), area[own, None] + area[better] - shared
        with np.errstate(divide="ignore", invalid="ignore"):
            over = shared / (smaller if of_smaller else joint) > overlap
        kept[own] = ~np.tril(over, first - 1).any(1)
    return order[kept]


def _cells(offsets: NDArray[np.float32], score: NDArray[np.float32], threshold: float) -> Rows:
    """Boxes of a level's cells that score above the threshold, in the level's pixels."""
    y, x = np.nonzero(score > threshold)
    corner = np.stack([x, y, x, y], axis=1) * STRIDE + np.array([1, 1, CELL, CELL])
    boxes = corner + offsets[:, y, x].T.astype(np.float64) * (CELL - 1)
    return np.concatenate([boxes, score[y, x, None]], axis=1)


def _square(rows: Rows) -> Rows:
    size = rows[:, 2:4] - rows[:, :2]
    side = size.max(1, initial=0, keepdims=True)
    corner = rows[:, :2] + size * 0.5 - side * 0.5
    return np.concatenate([corner, corner + side, rows[:, 4:]], axis=1)


def _moved(rows: Rows, offsets: NDArray[np.float32], classes: NDArray[np.float32]) -> Rows:
    sizes = np.tile(rows[:, 2:4] - rows[:, :2] + 1, 2)
    return np.concatenate([rows[:, :4] + offsets * sizes, classes[:, 1:]], axis=1)


def _run(cascade: Cascade, normal: NDArray[np.float32], rows: Rows, side: int) -> list[NDArray[np.float32]]:
    """The network's outputs for the crops of all rows, a bounded number at a time."""
    image = torch.from_numpy(normal).permute(2, 0, 1)
    starts = range(0, max(len(rows), 1), CROPS_AT_ONCE)
    parts = [cascade(crops(image, rows[at : at + CROPS_AT_ONCE, :4], side)) for at in starts]
    return [torch.cat(outputs).numpy() for outputs in zip(*parts, strict=True)]


def crops(image: Tensor, boxes: NDArray[np.float64], side: int) -> Tensor:
    """(N, 3, side, side) of an image (3, H, W): bilinear, corner on corner, 0 (mid gray) outside the picture."""
    height, width = image.shape[1:]
    y, top, lower, in_y = _steps(boxes[:, 1], boxes[:, 3], height, side)
    x, left, further, in_x = _steps(boxes[:, 0], boxes[:, 2], width, side)
    y0, y1 = top[:, :, None], lower[:, :, None]
    x0, x1 = left[:, None, :], further[:, None, :]
    weight_x, weight_y = x[:, None, :], y[:, :, None]
    above = image[:, y0, x0] + (image[:, y0, x1] - image[:, y0, x0]) * weight_x
    below = image[:, y1, x0] + (image[:, y1, x1] - image[:, y1, x0]) * weight_x
    inside = in_y[:, :, None] & in_x[:, None, :]
    found = ((above + (below - above) * weight_y) * inside).permute(1, 0, 2, 3)
    return found.contiguous(memory_format=CHANNELS_LAST)


def _steps(first: NDArray[np.float64], last: NDArray[np.float64], size: int, side: int) -> tuple[Tensor, ...]:
    """Along one axis, each (N, side): fraction to the next pixel, the pixel, its neighbour, whether inside."""
    start, end = (torch.from_numpy(edge / size).float()[:, None] * (size - 1) for edge in (first, last))
    at = start + torch.arange(side) * ((end - start) / (side - 1))
    inside = (at >= 0) & (at <= size - 1)
    low = at.floor().clamp(0, size - 1).long()
    return at - low, low, (low + 1).clamp(max=size - 1), inside
