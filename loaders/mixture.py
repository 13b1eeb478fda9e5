"""Batches of several streams mixed by weight: each batch comes from one of them, chosen by arithmetic."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from .order import random_bits
from .stream import BatchStream

CHOICES = 2
"""Stream of random bits that chooses among streams, beside those of order.py."""
STOPPING = ("first_exhausted", "all_exhausted")


class Mixture:
    """Batches of `streams`, each from stream i with probability weights[i] / sum(weights); all ranks choose alike.

    The n-th choice is a function of `seed` and n. A mixed epoch ends with the batch that ends an epoch of any stream
    ("first_exhausted"), or when every stream has ended one since the mixed epoch began ("all_exhausted"; the short ones
    begin anew as often as they are chosen). A stream never loses samples: the next mixed epoch goes on in it where this
    one stopped. `source` is the place in `streams` that the last batch came from.
    Raises ValueError for weights that are not positive and finite, for streams of different ranks or worlds, or the
    same stream twice.
    """

    def __init__(
        self, streams: Sequence[BatchStream], weights: Sequence[float], seed: int = 0, stopping: str = STOPPING[0]
    ) -> None:
        usable = len(streams) == len(weights) > 0 and all(0 < weight < float("inf") for weight in weights)
        if not usable or seed < 0:
            raise ValueError(
                f"{len(streams)} streams, weights {list(weights)}, seed {seed}: expected a weight above 0 for each "
                "stream and a seed of at least 0"
            )
        if stopping not in STOPPING:
            raise ValueError(f"stopping={stopping!r}: expected one of {', '.join(STOPPING)}")
        if len({id(stream) for stream in streams}) < len(streams):
            raise ValueError("the same stream twice: open it once for each place")
        places = sorted({(stream.order.rank, stream.order.world) for stream in streams})
        if len(places) > 1:
            told = ", ".join(f"rank {rank} of {world}" for rank, world in places)
            raise ValueError(f"the streams are for different ranks ({told}): open all of them for the same one")
        self.streams, self.weights, self.seed, self.stopping = tuple(streams), tuple(weights), seed, stopping
        self._upper = np.cumsum(np.array(weights, np.float64)) / float(np.sum(weights))
        self.epoch = 0
        self.source: int | None = None
        self._drawn = 0
        self._ended = [False] * len(streams)
        self._moved = 0

    def choice(self, number: int) -> int:
        """Which stream gives the `number`-th batch, counted over all epochs."""
        # The upper 53 bits are a double in [0, 1) without rounding.
        uniform = int(random_bits(1, self.seed, 0, CHOICES, number)[0] >> np.uint64(11)) * 2.0**-53
        return min(int(np.searchsorted(self._upper, uniform, side="right")), len(self.streams) - 1)

    def __iter__(self) -> Iterator[Any]:
        """The rest of this mixed epoch; at its end the next iteration is the next one."""
        self._moved += 1
        moved = self._moved
        running: dict[int, Iterator[Any]] = {}
        while not (any if self.stopping == "first_exhausted" else all)(self._ended):
            at = self.choice(self._drawn)
            stream = self.streams[at]
            if stream.left == 0:
                _finish(running.pop(at) if at in running else iter(stream))
            if at not in running:
                running[at] = iter(stream)
            batch = next(running[at])
            if stream.left == 0:
                _finish(running.pop(at))
                self._ended[at] = True
            self._drawn += 1
            self.source = at
            yield batch
            if self._moved != moved:
                raise RuntimeError("another iteration or load_state_dict has moved this mixture; start a new iteration")
        self.epoch += 1
        self._ended = [False] * len(self.streams)

    def state_dict(self) -> dict[str, Any]:
        """Where the mixture and every stream of it stand."""
        own = {"epoch": self.epoch, "drawn": self._drawn, "ended": list(self._ended), **self._facts()}
        return {**own, "streams": [stream.state_dict() for stream in self.streams]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where `state_dict` was taken. Raises ValueError naming what differs, as each stream does."""
        mine = self._facts()
        if differing := [name for name in mine if mine[name] != state.get(name)]:
            was = "; ".join(f"{name} was {state.get(name)!r}, now {mine[name]!r}" for name in differing)
            raise ValueError(f"the saved position belongs to another mixture: {was}")
        for stream, own in zip(self.streams, state["streams"], strict=True):
            stream.load_state_dict(own)
        self.epoch, self._drawn = int(state["epoch"]), int(state["drawn"])
        self._ended = [bool(ended) for ended in state["ended"]]
        self._moved += 1

    def _facts(self) -> dict[str, Any]:
        return {"weights": list(self.weights), "seed": self.seed, "stopping": self.stopping}


def _finish(batches: Iterator[Any]) -> None:
    """Let a stream that has given its last batch turn to its next epoch."""
    for _ in batches:
        raise RuntimeError("a stream gave a batch after its last one")
