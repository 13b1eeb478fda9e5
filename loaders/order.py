"""Who reads what, when: pure arithmetic on seed, epoch, rank and batch number. A position in an epoch is one number."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]


@lru_cache(maxsize=2)
def permutation(count: int, seed: int, epoch: int) -> Rows:
    """Row numbers 0..count-1 in the order of one epoch; the same on every machine and numpy version."""
    # The raw bits of a bit generator are frozen across numpy releases; Generator.permutation is not.
    draws = np.random.Philox(key=np.array([seed, epoch], np.uint64)).random_raw(count)
    return np.argsort(draws, kind="stable").astype(np.int64)


@dataclass(frozen=True)
class Order:
    """The batches of every epoch of `count` samples for one of `world` ranks.

    All ranks have the same number of batches. Without `drop_last` ranks are disjoint and complete: every sample is in
    exactly one batch of one rank. Batches hold `batch_size` samples but for the last; where too few are left to give
    every rank one, some are taken from the batch before (a batch of one cannot give: then the last ones hold two).
    Raises ValueError when there are fewer samples than ranks, or for a rank outside the world.
    """

    count: int
    batch_size: int
    seed: int = 0
    shuffle: bool = False
    drop_last: bool = False
    rank: int = 0
    world: int = 1

    def __post_init__(self) -> None:
        if not (self.batch_size > 0 and 0 <= self.rank < self.world and self.seed >= 0):
            raise ValueError(
                f"batch size {self.batch_size}, rank {self.rank} of {self.world}, seed {self.seed}: expected a batch "
                "size above 0, a rank from 0 to world - 1 and a seed of at least 0"
            )
        if self.count < self.world:
            raise ValueError(f"{self.count} samples for {self.world} ranks: every rank needs at least one")
        if self.drop_last and self.count < self.world * self.batch_size:
            raise ValueError(f"{self.count} samples do not fill one batch of {self.batch_size} on {self.world} ranks")

    def __len__(self) -> int:
        """Batches of an epoch, equal on every rank."""
        return len(self.bounds()) - 1

    def bounds(self) -> Rows:
        """Where the global batches begin and end in an epoch's order: (batches + 1,)."""
        whole = self.world * self.batch_size
        if self.drop_last:
            return np.arange(0, self.count // whole * whole + 1, whole)
        bounds = np.append(np.arange(0, self.count, whole), self.count)
        if bounds[-1] - bounds[-2] < self.world and len(bounds) > 2:
            if self.batch_size == 1:
                return np.delete(bounds, -2)
            bounds[-2] = bounds[-1] - self.world
        return bounds

    def batch(self, epoch: int, number: int) -> Rows:
        """Row numbers of one batch of this rank."""
        first, last = self.bounds()[number : number + 2]
        mine = np.arange(first + self.rank, last, self.world)
        return permutation(self.count, self.seed, epoch)[mine] if self.shuffle else mine
