"""The next batch made by a thread while the present one is used."""

import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
MAKING = threading.RLock()
"""Held while a batch is made by a thread: whoever forks then would leave the child with locks that nobody opens."""
_END = object()


def made_ahead(items: Generator[Item]) -> Generator[Item]:
    """The items in their order; what making one raises comes in its turn."""
    try:
        with ThreadPoolExecutor(1, "facevox-batches") as thread:
            coming = thread.submit(_next, items)
            while (item := coming.result()) is not _END:
                coming = thread.submit(_next, items)
                yield item  # type: ignore[misc]
    finally:
        # The thread has ended: nobody is in the middle of an item.
        items.close()


def _next(items: Generator[Item]) -> object:
    with MAKING:
        return next(items, _END)
