"""A model's results over one pass of a stream."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .device import Place
from .model import Batch, Model

Results = dict[str, NDArray[Any]]
"""Per sample: `keys` (str), and what Model.evaluate returns, each (N,)."""


def batches(stream: Iterable[Batch]) -> Iterator[Batch]:
    """The stream's batches; reading leaves torch's random state as it was.

    A data loader draws its workers' seed from it; that must not change which units a dropout switches off.
    """
    iterator = iter(stream)
    while True:
        state = torch.get_rng_state()
        batch = next(iterator, None)
        torch.set_rng_state(state)
        if batch is None:
            return
        yield batch


def results(model: Model, batch: Batch, place: Place) -> Results:
    """Results of one batch that is on the model's device already; the model is left in evaluation mode."""
    model.eval()
    with torch.inference_mode(), place.precision():
        found = model.evaluate(batch)
    return {"keys": np.array(batch["keys"], dtype=str), **{n: v.float().cpu().numpy() for n, v in found.items()}}


def joined(parts: Iterable[Results]) -> Results:
    """Results of several batches as one. Raises ValueError when there is none."""
    listed = [part for part in parts if len(part["keys"])]
    if not listed:
        raise ValueError("nothing to evaluate: no sample of the split can be used by the model")
    return {name: np.concatenate([part[name] for part in listed]) for name in listed[0]}


def evaluate(model: Model, stream: Iterable[Batch], place: Place) -> Results:
    """Results over a whole stream. Raises ValueError when no sample can be used."""
    return joined(results(model, place.move(batch), place) for batch in batches(stream) if batch["keys"])
