"""Tries of what the network may refuse: waits that double, a bound on their number and their time."""

import threading
import time
import zlib
from collections.abc import Callable

from .places import Answer, Fault
from .shards import FolderError

TRIES = 8
FIRST_WAIT, LONGEST_WAIT = 0.1, 1.0
PATIENCE = 15.0
"""Seconds after which no further try begins."""


def tried(ask: Callable[[], Answer | Fault], what: str, stop: threading.Event | None = None) -> Answer:
    """The first answer of up to TRIES tries, with waits that double. Raises FolderError naming what failed, and why."""
    begun, number = time.monotonic(), 0
    while True:
        number += 1
        found = ask()
        if isinstance(found, Answer):
            return found
        if not found.again or number == TRIES or time.monotonic() - begun > PATIENCE:
            break
        # Workers that failed together should not come back together; a fixed rule keeps runs alike.
        spread = 0.75 + zlib.crc32(f"{what}:{number}".encode()) / 2**33
        wait = max(min(FIRST_WAIT * 2 ** (number - 1), LONGEST_WAIT) * spread, min(found.wait, LONGEST_WAIT * 5))
        if (stop or threading.Event()).wait(wait):
            break
    tries = f" ({number} tries)" if number > 1 else ""
    raise FolderError(f"{what}: {found.text}{tries}")
