"""Sample by sample what a number is the mean of: what controls and slices of any table are made from."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .metrics import mean_accuracy


@dataclass(frozen=True, eq=False)
class Outcomes:
    """The samples of one row of a table, all arrays in one order.

    A table that gives its outcomes gets chance, oracle, leakage check and slices without a line of its own.
    """

    row: tuple[str, ...]
    """The labels of the row."""
    split: str
    keys: NDArray[Any]
    """(N,) sample keys, each once."""
    merit: NDArray[Any]
    """(N,) 0 wrong to 1 right; between, for means over seeds."""
    groups: NDArray[Any]
    """(N,) the person of each."""
    truth: NDArray[Any] | None = None
    """(N,) classes, where there are such."""
    predicted: NDArray[Any] | None = None
    """(S, N) classes that each of S seeds gave."""
    config: str = ""
    """Config of the keys; empty: every key is in one config only."""
    score: Callable[[NDArray[Any], NDArray[Any]], float] = mean_accuracy
    """The table's own metric of truth (N,) and predictions (S, N), 0 to 1: what its number is made with."""

    def __post_init__(self) -> None:
        """Raise ValueError for arrays of different lengths."""
        sizes = {len(self.keys), len(self.merit), len(self.groups)}
        sizes |= set() if self.truth is None else {len(self.truth)}
        sizes |= set() if self.predicted is None else {self.predicted.shape[-1]}
        if len(sizes) != 1:
            raise ValueError(f"outcomes of {self.name}: arrays of {sorted(sizes)} samples, expected as many in all")

    def __eq__(self, other: object) -> bool:
        """Whether all values are equal."""
        if not isinstance(other, Outcomes):
            return NotImplemented
        pairs = [(getattr(self, f.name), getattr(other, f.name)) for f in fields(self)]
        return all(np.array_equal(a, b) if isinstance(a, np.ndarray) else a is b or a == b for a, b in pairs)

    __hash__ = None  # type: ignore[assignment]

    @property
    def name(self) -> str:
        """The row in words."""
        return ", ".join(filter(None, self.row))
