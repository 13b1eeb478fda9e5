"""1:2 matching of made-up people, over all triplets or over drawn ones, in a process of its own: time and memory."""

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

import numpy as np
import torch

from ...loaders.memory import peak_memory
from ...models.core.device import choose
from .embeddings import Embeddings, Vectors
from .exact import pair_matching
from .sampled import FACES, IDENTITIES, VOICES, Asked, draw_batches

DIMENSION = 512
"""Of a vector, as VFMR's."""
BATCH_TRIPLETS = IDENTITIES * (IDENTITIES - 1) * VOICES * FACES**2


@dataclass(frozen=True)
class Matched:
    """One measurement."""

    triplets: int
    pairs: int
    """Of a voice and a face, whose score was computed."""
    seconds: float
    cpu_seconds: float
    peak_bytes: int
    """Of the whole process: Python, the libraries and the vectors too."""
    accuracy: float
    error: float
    """Standard error by sampling, 0 where nothing is sampled."""
    threads: int
    device: str


@dataclass(frozen=True)
class Wanted:
    """Which way, over how many people with `each` voices and faces each.

    Raises ValueError for fewer than six people or one voice.
    """

    way: str
    people: int
    each: int
    triplets: int
    device: str
    seed: int

    def __post_init__(self) -> None:
        if self.people < 6 or self.each < 1:
            raise ValueError(
                f"{self.people} people with {self.each} voices and faces: expected 6 or more, and 1 or more of each"
            )


def made_up(people: int, each: int, seed: int = 0) -> Embeddings:
    """Random vectors of people of both genders by turns: nobody's voice goes with a face."""
    random, parts = np.random.default_rng(seed), []
    names = np.array([f"p{number:06d}" for number in range(people)])
    for kind in "vf":
        keys = np.array([f"{kind}{number}" for number in range(people * each)])
        values = random.standard_normal((people * each, DIMENSION), np.float32)
        parts.append(Vectors(values, keys, np.repeat(names, each)))
    facts = {str(name): {"gender": ("male", "female")[at % 2]} for at, name in enumerate(names)}
    return Embeddings(parts[0], parts[1], "made up", facts)


def exactly(embeddings: Embeddings, wanted: Wanted) -> tuple[int, int, float, float]:
    """Triplets, pairs, accuracy and its error: all triplets there are, half of one gender as VFMR's batches."""
    found = pair_matching(embeddings, device=wanted.device)
    return found.triplets, int(found.voices.sum() * found.faces.sum()), found.accuracy(found.balanced), 0.0


def by_samples(embeddings: Embeddings, wanted: Wanted) -> tuple[int, int, float, float]:
    """The same of VFMR's batches, drawn, looked up and scored; the vectors are there already, on the CPU."""
    steps = max(wanted.triplets // BATCH_TRIPLETS, 1)
    found = Asked(embeddings).batches(draw_batches(embeddings, steps, wanted.seed))
    of_batches = found.right.reshape(steps, -1).mean(1)
    error = float(of_batches.std(ddof=1) / np.sqrt(steps)) if steps > 1 else 0.0
    pairs = steps * IDENTITIES**2 * VOICES * FACES
    return found.trials, pairs, found.accuracy, error


WAYS: Mapping[str, Callable[[Embeddings, Wanted], tuple[int, int, float, float]]] = {
    "exact": exactly,
    "sampled": by_samples,
}


def matched(wanted: Wanted) -> Matched:
    """Measure one way in this process."""
    embeddings = made_up(wanted.people, wanted.each, wanted.seed)
    place = choose(wanted.device if wanted.way == "exact" else "cpu", "fp32")
    started, worked = time.perf_counter(), time.process_time()
    triplets, pairs, accuracy, error = WAYS[wanted.way](embeddings, wanted)
    seconds, cpu = time.perf_counter() - started, time.process_time() - worked
    held = max(peak_memory(), place.peak_bytes())
    return Matched(triplets, pairs, seconds, cpu, held, accuracy, error, torch.get_num_threads(), place.device.type)


if __name__ == "__main__":
    print("\n" + json.dumps(asdict(matched(Wanted(**json.loads(sys.argv[1]))))), flush=True)
    # Some libraries leave threads behind that would keep the process.
    os._exit(0)
