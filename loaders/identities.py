"""Batches of P identities with so many samples of each config: which identities, which of their samples."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isqrt
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .order import Rows, permutation, random_bits

SECOND_GENDER = 3
"""Stream of random bits that orders the second gender; the first has that of the samples."""
DRAWS = 16
"""First stream of random bits that draws samples of an identity: one per config."""
PLACES = 1 << 16
"""First stream of random bits that draws where in a sample its part begins: one per config."""


class People(Protocol):
    """Which identities make which batch: Order over identities, or GenderBalanced."""

    @property
    def rank(self) -> int: ...

    @property
    def world(self) -> int: ...

    @property
    def seed(self) -> int: ...

    @property
    def block(self) -> int: ...

    def left(self, taken: int) -> int: ...

    def edge(self, number: int, taken: int = 0) -> int: ...

    def batch(self, epoch: int, number: int, taken: int = 0, block: int = 0) -> Rows: ...


@dataclass(frozen=True)
class RowsByIdentity:
    """Row numbers of one config, identity by identity: those of identity i are rows[start[i] : start[i + 1]]."""

    rows: Rows
    start: Rows

    @classmethod
    def of(cls, identity: NDArray[np.int64], count: int) -> "RowsByIdentity":
        """From the identity (rows,) of every row, a number below `count`, or -1 for a row to leave out."""
        order: Rows = np.argsort(identity, kind="stable").astype(np.int64)
        order = order[np.searchsorted(identity[order], 0) :]
        return cls(order, np.searchsorted(identity[order], np.arange(count + 1)).astype(np.int64))

    def missing(self, wanted: int) -> Rows:
        """How many samples each identity (identities,) has too few of `wanted`."""
        few: Rows = np.maximum(np.int64(0), wanted - np.diff(self.start))
        return few


@dataclass(frozen=True)
class IdentityBatch:
    """Identities (P,) and, by config, their rows (P x K,), identity after identity.

    `places` (P x K,) in 0..1, by config, are for parts that begin anywhere in a sample.
    """

    identities: Rows
    rows: Mapping[str, Rows]
    places: Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class IdentityOrder:
    """Batches of identities as `people` orders them, with `wanted[config]` samples of each identity.

    What is drawn of an identity depends on seed, epoch and identity alone, so not on rank, world or batch. Where an
    identity has too few samples all of them are drawn again, in another order: VFMR draws with replacement there.
    """

    people: People
    samples: Mapping[str, RowsByIdentity]
    wanted: Mapping[str, int]

    def __post_init__(self) -> None:
        if not self.wanted or min(self.wanted.values()) < 1 or set(self.wanted) != set(self.samples):
            raise ValueError(f"samples of an identity {dict(self.wanted)}: expected a number above 0 for each config")

    @property
    def rank(self) -> int:
        return self.people.rank

    @property
    def world(self) -> int:
        return self.people.world

    @property
    def block(self) -> int:
        return self.people.block

    def __len__(self) -> int:
        """Batches of a whole epoch, equal on every rank."""
        return self.left(0)

    def left(self, taken: int) -> int:
        """Batches that every rank still has; see the order of people."""
        return self.people.left(taken)

    def edge(self, number: int, taken: int = 0) -> int:
        """What the ranks have taken together after `number` batches from `taken` on."""
        return self.people.edge(number, taken)

    def batch(self, epoch: int, number: int, taken: int = 0, block: int = 0) -> IdentityBatch:
        """This rank's batch."""
        identities = self.people.batch(epoch, number, taken, block)
        drawn = {
            config: np.concatenate([self._drawn(config, stream, int(who), epoch) for who in identities])
            for stream, config in enumerate(self.wanted, DRAWS)
        }
        return IdentityBatch(identities, drawn, self._places(identities, epoch))

    def _places(self, identities: Rows, epoch: int) -> dict[str, NDArray[np.float64]]:
        seed = self.people.seed
        return {
            config: np.concatenate([random_bits(count, seed, epoch, stream, int(who)) >> 11 for who in identities])
            / np.float64(1 << 53)
            for stream, (config, count) in enumerate(self.wanted.items(), PLACES)
        }

    def _drawn(self, config: str, stream: int, identity: int, epoch: int) -> Rows:
        having, wanted = self.samples[config], self.wanted[config]
        own = having.rows[having.start[identity] : having.start[identity + 1]]
        rounds = -(-wanted // len(own))
        bits = random_bits(rounds * len(own), self.people.seed, epoch, stream, identity).reshape(rounds, len(own))
        return own[np.argsort(bits, axis=1, kind="stable").reshape(-1)[:wanted]]

    def repeats(self) -> dict[str, dict[str, int]]:
        """By config: identities with fewer samples than wanted, and draws of an epoch that repeat a sample."""
        missing = {config: self.samples[config].missing(wanted) for config, wanted in self.wanted.items()}
        return {c: {"identities": int((m > 0).sum()), "draws": int(m.sum())} for c, m in missing.items()}


@dataclass(frozen=True)
class GenderBalanced:
    """Batches of P identities in which exactly half of all ordered pairs are of one gender, as VFMR's test needs.

    With a of one gender and b of the other, a(a-1) + b(b-1) = 2ab holds just for a - b = sqrt(P): 3 and 1 of 4. Which
    gender is the larger part alternates from batch to batch, in each rank and (for an even world) across ranks; never
    2:2, never 4:0. An epoch ends where the next batches of all ranks would need someone a second time; who is left over
    comes in another epoch. `taken` counts batches of all ranks. Raises ValueError unless P is a square above 1 and
    there are people for one batch of every rank.
    """

    second: NDArray[np.bool_]
    """Whether an identity (identities,) is of the second gender."""
    identities: int = 4
    seed: int = 0
    rank: int = 0
    world: int = 1

    def __post_init__(self) -> None:
        if self.identities < 4 or isqrt(self.identities) ** 2 != self.identities:
            raise ValueError(
                f"{self.identities} identities in a batch: expected a square as 4 (3:1), 9 (6:3), 16 (10:6)"
            )
        if not (0 <= self.rank < self.world and self.seed >= 0):
            raise ValueError(
                f"rank {self.rank} of {self.world}, seed {self.seed}: expected 0 <= rank < world, seed >= 0"
            )
        if self.left(0) == 0:
            first, second = self._people()
            raise ValueError(
                f"{len(first)} and {len(second)} identities of two genders do not make a batch of {self.identities} "
                f"for each of {self.world} ranks"
            )

    @property
    def block(self) -> int:
        return self.world

    def __len__(self) -> int:
        return self.left(0)

    def left(self, taken: int) -> int:
        """Batches that every rank still has after `taken` batches of all ranks."""
        return max(0, self._batches() - taken) // self.world

    def edge(self, number: int, taken: int = 0) -> int:
        """Batches of all ranks after `number` of this one, from `taken` on."""
        return taken + number * self.world

    def batch(self, epoch: int, number: int, taken: int = 0, block: int = 0) -> Rows:
        """Identities (P,) of this rank's batch."""
        begin = self.edge(number, taken)
        # In an even world a rank would otherwise see the same gender in the larger part each time.
        turn = begin // self.world if self.world % 2 == 0 else 0
        at = begin + (self.rank + turn) % self.world
        first, second = self._people()
        ordered = first[permutation(len(first), self.seed, epoch)]
        drawn = random_bits(len(second), self.seed, epoch, SECOND_GENDER)
        others = second[np.argsort(drawn, kind="stable")]
        (a, b), (c, d) = self._used(at), self._used(at + 1)
        return np.concatenate([ordered[a:c], others[b:d]])

    def _people(self) -> tuple[Rows, Rows]:
        return np.flatnonzero(~self.second), np.flatnonzero(self.second)

    def _used(self, batches: int) -> tuple[int, int]:
        """Identities of each gender in so many batches of all ranks."""
        root = isqrt(self.identities)
        larger, smaller = root * (root + 1) // 2, root * (root - 1) // 2
        even, odd = (batches + 1) // 2, batches // 2
        return larger * even + smaller * odd, smaller * even + larger * odd

    def _batches(self) -> int:
        counts = [len(people) for people in self._people()]
        batches = 2 * (min(counts) // self.identities)
        while all(used <= count for used, count in zip(self._used(batches + 1), counts, strict=True)):
            batches += 1
        return batches


def codes(names: list[Any], people: list[Any]) -> NDArray[np.int64]:
    """The place of every name (rows,) in `people`, -1 for one that is not there."""
    place = {name: at for at, name in enumerate(people)}
    return np.array([place.get(name, -1) for name in names], np.int64)
