"""The next batch made by a thread while the present one is used."""

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")


def made_ahead(items: Generator[Item]) -> Generator[Item]:
    """The items, none of them None, in their order; what making one raises comes in its turn."""
    try:
        with ThreadPoolExecutor(1, "facevox-batches") as thread:
            coming = thread.submit(next, items, None)
            while (item := coming.result()) is not None:
                coming = thread.submit(next, items, None)
                yield item
    finally:
        # The thread has ended: nobody is in the middle of an item.
        items.close()
