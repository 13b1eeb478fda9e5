"""Decoded copies of sounds and pictures, read in the place of what they are copies of."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arrays import MAX_ARRAY_BYTES, array_header
from .shards import Range
from .sound_window import part_of

SOUND, PICTURE = "<i2", "|u1"
HEADER = len(array_header(SOUND, (1,)))
"""Bytes before the numbers of a sound's copy: the same for all lengths that have fewer than 57 digits."""


@dataclass(frozen=True)
class Copy:
    """The part of a copy that is wanted: where it lies in the shard, and what numbers these bytes are."""

    range: Range
    dtype: str
    shape: tuple[int, ...]
    header: bytes = b""
    """What the range begins with, before the numbers."""

    def values(self, data: memoryview) -> NDArray[Any]:
        """The numbers in an array of their own. Raises ValueError where the bytes are others than the index says."""
        if data[: len(self.header)] != self.header:
            raise ValueError(f"its decoded copy is no array {self.shape} of {self.dtype}")
        # What lies in `data` may be drawn twice in a batch, and changed in place once.
        return np.frombuffer(data, self.dtype, offset=len(self.header)).reshape(self.shape).copy()


def of_picture(entry: Mapping[str, Any], copy: Mapping[str, Any]) -> Copy:
    """The copy of a picture, by the index entries of both. Raises ValueError for an impossible size."""
    shape = (int(entry["height"]), int(entry["width"]), 3)
    header = array_header(PICTURE, shape)
    if copy["size"] != len(header) + shape[0] * shape[1] * 3 or copy["size"] > MAX_ARRAY_BYTES:
        raise ValueError(f"its decoded copy has {copy['size']:,} bytes, expected those of {shape}")
    return Copy((copy["offset"], copy["size"]), PICTURE, shape, header)


def of_sound(copy: Mapping[str, Any], rate: int, seconds: float, place: float | None) -> Copy:
    """The copy of a sound of one channel, or only as much of it as `seconds` and `place` ask for (see part_of)."""
    samples, odd = divmod(copy["size"] - HEADER, 2)
    if samples < 0 or odd or copy["size"] > MAX_ARRAY_BYTES:
        raise ValueError(f"its decoded copy has {copy['size']:,} bytes, expected those of 16-bit samples")
    if not seconds:
        return Copy((copy["offset"], copy["size"]), SOUND, (samples,), array_header(SOUND, (samples,)))
    first, count = part_of(samples, rate, seconds, place)
    return Copy((copy["offset"] + HEADER + 2 * first, 2 * count), SOUND, (count,))
