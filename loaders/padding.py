"""Batches of samples of different length: padded arrays with a mask of what is real."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .batches import together
from .sample import ARRAY


@dataclass(frozen=True)
class Padding:
    """Stacks sounds, clips and arrays of different length: `facevox.stream(..., inputs=Padding())`.

    Sounds (samples,) and clips (frames, H, W, 3) are padded at the end of their first axis, arrays (`.array`) at the
    end of their last, which in spectrograms is time; `axis` says otherwise by name, None keeps a field as it is. Beside
    NAME (n, ..., longest, ...) a batch gets NAME + ".mask" (n, longest) bool, True where real, and NAME + ".length"
    (n,) int64, also where all are of one length. The padded length is rounded up to a multiple of `multiple`, which
    keeps the number of shapes small. Everything else, pictures too, comes as `together` makes it.
    Raises ValueError when arrays differ in another axis or number of axes, or a sample lacks the field.
    """

    value: float = 0
    multiple: int = 1
    axis: Mapping[str, int | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.multiple < 1:
            raise ValueError(f"multiple {self.multiple}: expected 1 or more")

    def __call__(self, samples: list[dict[str, Any]]) -> dict[str, Any]:
        """The batch; runs in the workers."""
        axes: dict[str, int] = {}
        for sample in samples:
            for name, value in sample.items():
                axis = self._axis(name, value)
                if axis is not None:
                    axes[name] = axis
        batch = together([{name: value for name, value in sample.items() if name not in axes} for sample in samples])
        for name, axis in axes.items():
            if lacking := [sample["__key__"] for sample in samples if name not in sample]:
                raise ValueError(f"{lacking[0]} has no {name!r}, which others of its batch have; choose with fields=")
            values = [sample[name] for sample in samples]
            batch[name], length = padded(values, axis, self.value, self.multiple, name)
            batch[f"{name}.length"] = length
            longest = batch[name].shape[1:][axis]
            batch[f"{name}.mask"] = np.arange(longest) < length[:, None]
        return batch

    def _axis(self, name: str, value: Any) -> int | None:
        if not isinstance(value, np.ndarray) or value.ndim == 0:
            return None
        if name in self.axis:
            return self.axis[name]
        if name.endswith(ARRAY):
            return -1
        return 0 if name.endswith((".flac", ".wav")) or value.ndim == 4 else None


def padded(
    values: list[NDArray[Any]], axis: int, value: float = 0, multiple: int = 1, name: str = "array"
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Arrays that differ in the length of one axis as one (n, ...), and their lengths (n,).

    Raises ValueError when they differ in more, naming the shapes.
    """
    dimensions = values[0].ndim
    others = {v.shape[: axis % v.ndim] + v.shape[axis % v.ndim + 1 :] for v in values if v.ndim == dimensions}
    if not -dimensions <= axis < dimensions or len(others) != 1 or any(v.ndim != dimensions for v in values):
        shapes = ", ".join(str(shape) for shape in sorted({v.shape for v in values}))
        raise ValueError(f"{name}: shapes {shapes} differ in more than axis {axis}; they cannot be padded to one")
    lengths = np.array([v.shape[axis] for v in values], np.int64)
    shape = list(values[0].shape)
    shape[axis] = -(-int(lengths.max()) // multiple) * multiple
    whole = np.full((len(values), *shape), value, values[0].dtype)
    for place, v in zip(np.moveaxis(whole, 1 + axis % dimensions, 1), values, strict=True):
        place[: v.shape[axis]] = np.moveaxis(v, axis, 0)
    return whole, lengths
