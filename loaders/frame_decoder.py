"""Which decoder the frames of clips go to: libwebp, or this package's own, which is faster and slower to load."""

import os
from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

OWN_AFTER = 2000
"""Frames that a process leaves to libwebp: so few do not repay what loading the compiled decoder takes, 1 to 2 s."""
VARIABLE = "FACEVOX_FRAME_DECODER"
"""Environment variable: "auto" (default), "own" from the first frame on, "libwebp" always. The pixels are the same."""

Decode = Callable[[memoryview | bytes, NDArray[np.uint8]], bool]


class FrameDecoder:
    """Counts the frames of this process; `own` is the decoder to try before libwebp, or None."""

    def __init__(self) -> None:
        self._frames = 0

    def own(self) -> Decode | None:
        """To be called once for each frame. Raises ValueError for an unknown value of VARIABLE."""
        self._frames += 1
        choice = os.environ.get(VARIABLE, "auto")
        if choice not in ("auto", "own", "libwebp"):
            raise ValueError(f"{VARIABLE}={choice!r}: expected 'auto', 'own' or 'libwebp'")
        return _compiled() if choice == "own" or (choice == "auto" and self._frames > OWN_AFTER) else None


@cache
def _compiled() -> Decode | None:
    try:
        from .vp8l_decoder import decode
    except RuntimeError:
        # Numba finds no folder to keep compiled code in; libwebp needs none.
        return None
    return decode
