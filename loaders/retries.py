"""Tries of what the network may refuse: waits that double, a bound on their number and their time."""

import math
import threading
import time
import zlib
from collections.abc import Callable

from .answers import Answer, Fault
from .shards import FolderError

TRIES = 8
FIRST_WAIT, LONGEST_WAIT = 0.1, 1.0
PATIENCE = 15.0
"""Seconds after the first fault when no further try begins: the first try itself may be a long transfer."""


def tried(
    ask: Callable[[], Answer | Fault],
    what: str,
    stop: threading.Event | None = None,
    patience: float | None = None,
) -> Answer:
    """The first answer of up to TRIES tries within `patience` seconds (default: PATIENCE), with waits that double.

    Raises FolderError naming what failed, and why.
    """
    patience, failing_since, number = PATIENCE if patience is None else patience, math.inf, 0
    while True:
        number += 1
        found = ask()
        if isinstance(found, Answer):
            return found
        now = time.monotonic()
        failing_since = min(failing_since, now)
        if not found.again or number == TRIES or now - failing_since > patience:
            break
        # Workers that failed together should not come back together; a fixed rule keeps runs alike.
        spread = 0.75 + zlib.crc32(f"{what}:{number}".encode()) / 2**33
        wait = max(min(FIRST_WAIT * 2 ** (number - 1), LONGEST_WAIT) * spread, min(found.wait, LONGEST_WAIT * 5))
        if (stop or threading.Event()).wait(wait):
            break
    tries = f" ({number} tries)" if number > 1 else ""
    raise FolderError(f"{what}: {found.text}{tries}")
