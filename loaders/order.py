"""Who reads what, when: pure arithmetic on seed, epoch, rank and batch number. A position in an epoch is one number."""

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
POOL = 64
"""Global batches whose samples are sorted by length together: near lengths, and the shuffle stays a shuffle."""
BLOCKS = 1
"""Stream of random bits, beside that of the samples (0), that orders the batches of a pool."""


@lru_cache(maxsize=2)
def permutation(count: int, seed: int, epoch: int) -> Rows:
    """Row numbers 0..count-1 in the order of one epoch; the same on every machine and numpy version."""
    return np.argsort(random_bits(count, seed, epoch), kind="stable").astype(np.int64)


def random_bits(count: int, seed: int, epoch: int, stream: int = 0, member: int = 0) -> NDArray[np.uint64]:
    """Independent uniform 64-bit numbers (count,) for every (seed, epoch, stream, member): Philox by its counter."""
    # The raw bits of a bit generator are frozen across numpy releases; Generator.permutation is not.
    key, counter = np.array([seed, epoch], np.uint64), np.array([0, member, stream, 0], np.uint64)
    return np.random.Philox(key=key, counter=counter).random_raw(count)


@dataclass(frozen=True)
class Order:
    """The batches of every epoch of `count` samples for one of `world` ranks.

    What the ranks have taken together is always a beginning of the epoch's order, which does not depend on `world` or
    `batch_size`. So `taken`, the length of that beginning, is a position from which any other number of ranks goes on
    without repeating or losing a sample.

    All ranks have the same number of batches. Without `drop_last` ranks are disjoint and complete: every sample is in
    exactly one batch of one rank. Batches hold `batch_size` samples but for the last; where too few are left to give
    every rank one, some are taken from the batch before (a batch of one cannot give: then the last ones hold two).
    With `lengths` (count,) batches hold samples of near length: POOL global batches are sorted together and handed out
    in random order (in rising length without `shuffle`).
    Raises ValueError when there are fewer samples than ranks, or for a rank outside the world.
    """

    count: int
    batch_size: int
    seed: int = 0
    shuffle: bool = False
    drop_last: bool = False
    rank: int = 0
    world: int = 1
    lengths: NDArray[np.float64] | None = field(default=None, compare=False, repr=False)
    _made: dict[tuple[int, int], Rows] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not (self.batch_size > 0 and 0 <= self.rank < self.world and self.seed >= 0):
            raise ValueError(
                f"batch size {self.batch_size}, rank {self.rank} of {self.world}, seed {self.seed}: expected a batch "
                "size above 0, a rank from 0 to world - 1 and a seed of at least 0"
            )
        if self.count < self.world:
            raise ValueError(f"{self.count} samples for {self.world} ranks: every rank needs at least one")
        if self.drop_last and self.count < self.block:
            raise ValueError(f"{self.count} samples do not fill one batch of {self.batch_size} on {self.world} ranks")
        if self.lengths is not None and self.lengths.shape != (self.count,):
            raise ValueError(f"lengths of shape {self.lengths.shape} for {self.count} samples")

    @property
    def block(self) -> int:
        """Samples of one batch of all ranks."""
        return self.world * self.batch_size

    def __len__(self) -> int:
        """Batches of a whole epoch, equal on every rank."""
        return self.left(0)

    def left(self, taken: int) -> int:
        """Batches that every rank still has in an epoch after `taken` samples.

        Raises ValueError where fewer samples are left than ranks, so that some would have nothing to do.
        """
        full, rest = divmod(self.count - taken, self.block)
        if self.drop_last or rest == 0:
            return full
        if full == 0 and rest < self.world:
            raise ValueError(
                f"too few samples of the epoch are left, {rest} for {self.world} ranks: finish the epoch with at most "
                f"{rest} rank(s), or leave them out with drop_last=True"
            )
        return full + (self.batch_size > 1 or rest >= self.world)

    def edge(self, number: int, taken: int = 0) -> int:
        """Samples that the ranks have taken together after `number` batches from `taken` on."""
        batches = self.left(taken)
        if self.drop_last or number == 0:
            return taken + number * self.block
        if number == batches:
            return self.count
        edge = taken + number * self.block
        return min(edge, self.count - self.world) if number == batches - 1 else edge

    def batch(self, epoch: int, number: int, taken: int = 0, block: int = 0) -> Rows:
        """Row numbers of this rank's batch, the `number`-th from `taken` on; for `block` see `sequence`."""
        mine = np.arange(self.edge(number, taken) + self.rank, self.edge(number + 1, taken), self.world)
        return self.sequence(epoch, block)[mine] if self.shuffle or self.lengths is not None else mine

    def sequence(self, epoch: int, block: int = 0) -> Rows:
        """The order (count,) of one epoch. `block`: samples of one batch of all ranks when the epoch began.

        Only an order by length depends on it; a state keeps it, so that the order stays when the number of ranks or the
        batch size changes within the epoch.
        """
        if self.lengths is None:
            return permutation(self.count, self.seed, epoch) if self.shuffle else np.arange(self.count)
        asked = (epoch, block or self.block)
        if asked not in self._made:
            self._made.clear()
            self._made[asked] = self._by_length(*asked)
        return self._made[asked]

    def _by_length(self, epoch: int, block: int) -> Rows:
        assert self.lengths is not None
        order = permutation(self.count, self.seed, epoch) if self.shuffle else np.arange(self.count)
        pool = block * POOL if self.shuffle else self.count
        order = order[np.lexsort((self.lengths[order], np.arange(self.count) // pool))]
        if not self.shuffle:
            return order
        # Whole blocks change places within their pool; what fills no block stays last, as the epoch's last batch.
        whole = self.count // block
        drawn = random_bits(whole, self.seed, epoch, BLOCKS)
        blocks = np.lexsort((drawn, np.arange(whole) // POOL))
        return np.concatenate(
            [order[: whole * block].reshape(whole, block)[blocks].reshape(-1), order[whole * block :]]
        )
