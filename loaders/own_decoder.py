"""Which decoder something goes to: a library's, or this package's own, which is faster and slower to load."""

import os
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

Decode = Callable[..., bool]


class OwnDecoder:
    """Counts what this process decodes; `own` is the decoder to try before the library's, or None.

    `variable` names an environment variable: "auto" (default) loads module `name` after `after` pieces, "own" at once,
    the name of the `library` never. What comes out is the same.
    """

    def __init__(self, name: str, variable: str, library: str, after: int) -> None:
        self.name, self.variable, self.library, self.after = name, variable, library, after
        self._decoded = 0

    def own(self) -> Decode | None:
        """To be called once for each piece. Raises ValueError for an unknown value of the variable."""
        self._decoded += 1
        choice = os.environ.get(self.variable, "auto")
        if choice not in ("auto", "own", self.library):
            raise ValueError(f"{self.variable}={choice!r}: expected 'auto', 'own' or {self.library!r}")
        return _compiled(self.name) if choice == "own" or (choice == "auto" and self._decoded > self.after) else None


@cache
def _compiled(name: str) -> Decode | None:
    try:
        module: Any = import_module(f".{name}", __package__)
    except RuntimeError:
        # Numba finds no folder to keep compiled code in; the library needs none.
        return None
    decode: Decode = module.decode
    return decode
