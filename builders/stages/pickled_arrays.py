"""Dictionaries of text and numpy arrays out of Python's pickle files, without unpickling: nothing in them is run.

The opcodes are read one by one and only those that spell such a dictionary mean anything here. A pickle may name
functions to call; those that numpy's arrays name are known by name alone and what they stand for is done here, any
other is refused by its name.
"""

import codecs
import io
import math
import pickletools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_OPERATIONS = 500
"""A dictionary of an array and three texts takes some 60."""
KINDS = {"f2", "f4", "f8"}
"""Floats are all that a spectrogram can be of."""

Plain = str | NDArray[np.floating[Any]]


@dataclass
class _Kind:
    """A numpy dtype in the making."""

    text: str
    order: str = "<"

    def dtype(self) -> np.dtype[np.floating[Any]]:
        return np.dtype(self.order + self.text)


@dataclass
class _Array:
    """A numpy array in the making, over the pickle's own bytes."""

    values: NDArray[np.floating[Any]] | None = None


@dataclass(frozen=True)
class _Name:
    """Something that a pickle names: known here, never looked up."""

    text: str


class _Mark:
    pass


def _array(raw: Any, kind: Any, shape: Any, columns_first: Any) -> NDArray[np.floating[Any]]:
    """Bytes in place, (H, W) or any other shape; raises ValueError unless they are just as many as the shape needs."""
    if isinstance(raw, str):
        raw = _latin(raw)
    if not isinstance(raw, (bytes, bytearray)) or not isinstance(kind, _Kind):
        raise ValueError("an array whose content is no plain bytes")
    if not isinstance(shape, tuple) or len(shape) > 4 or not all(type(side) is int and side >= 0 for side in shape):
        raise ValueError("an array whose shape is no few whole numbers")
    if math.prod(shape) * kind.dtype().itemsize != len(raw):
        raise ValueError(f"an array of {len(raw):,} bytes of {kind.text}, which is not what its shape needs")
    return np.frombuffer(raw, kind.dtype()).reshape(shape, order="F" if columns_first else "C")


def _kind(text: Any, *_: Any) -> _Kind:
    found = re.fullmatch(r"([<>=|]?)([a-zA-Z]\w*)", text if isinstance(text, str) else "")
    if not found or found[2] not in KINDS:
        raise ValueError(f"an array of {_shown(text)}, expected floats of 2, 4 or 8 bytes")
    return _Kind(found[2], found[1] if found[1] in "<>" and found[1] else "<")


def _shown(value: Any) -> str:
    # Tuples that hold each other twice and twice again would fill any memory once printed.
    return repr(value[:60]) if isinstance(value, str) else f"a {type(value).__name__}"


def _latin(text: Any) -> bytes:
    if not isinstance(text, str):
        raise ValueError("bytes spelled as something else than text")
    return text.encode("latin-1")


def _encoded(text: Any, coding: Any = "latin1") -> bytes:
    if coding not in ("latin1", "latin-1"):
        raise ValueError(f"bytes spelled in {_shown(coding)}, expected latin1")
    return _latin(text)


def _from_buffer(raw: Any, kind: Any, shape: Any, order: Any) -> _Array:
    if order not in ("C", "F"):
        raise ValueError(f"an array in the order {_shown(order)}, expected C or F")
    return _Array(_array(raw, kind, shape, order == "F"))


def _nothing_yet(kind: Any, *_: Any) -> _Array:
    if kind != _Name("numpy ndarray"):
        raise ValueError("an array of a class of its own")
    return _Array()


_CALLS: dict[str, Callable[..., Any]] = {
    "_codecs encode": _encoded,
    "__builtin__ bytes": lambda: b"",
    "numpy dtype": _kind,
    **{f"numpy.{core}.multiarray _reconstruct": _nothing_yet for core in ("core", "_core")},
    **{f"numpy.{core}.numeric _frombuffer": _from_buffer for core in ("core", "_core")},
}
_NAMES = {*_CALLS, "numpy ndarray"}
_CONSTANTS: dict[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_VALUES = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
}
"""Opcodes that push their own argument."""
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_IGNORED = {"PROTO", "FRAME"}
_OPCODES = {opcode.code: opcode for opcode in pickletools.opcodes}


@dataclass
class _Reading:
    """The state between opcodes."""

    budget: int
    """Bytes that may still be made out of others."""
    stack: list[Any] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)

    def pop(self) -> Any:
        if not self.stack or isinstance(self.stack[-1], _Mark):
            raise ValueError("more taken than there is")
        return self.stack.pop()

    def to_mark(self) -> list[Any]:
        marks = [at for at, item in enumerate(self.stack) if isinstance(item, _Mark)]
        if not marks:
            raise ValueError("a mark is missing")
        taken = self.stack[marks[-1] + 1 :]
        del self.stack[marks[-1] :]
        return taken

    def step(self, name: str, argument: Any) -> None:
        """One opcode but STOP. Raises ValueError for any that has no business in such a dictionary."""
        if name in _VALUES:
            self.stack.append(argument)
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name])
        elif name == "MARK":
            self.stack.append(_Mark())
        elif name == "EMPTY_DICT":
            self.stack.append({})
        elif name == "DICT":
            self.stack.append(self._filled({}, self.to_mark()))
        elif name == "EMPTY_TUPLE":
            self.stack.append(())
        elif name in _TUPLES:
            self.stack.append(tuple(reversed([self.pop() for _ in range(_TUPLES[name])])))
        elif name == "TUPLE":
            self.stack.append(tuple(self.to_mark()))
        elif name in ("SETITEM", "SETITEMS"):
            items = self.to_mark() if name == "SETITEMS" else [self.pop(), self.pop()][::-1]
            self._filled(self._top(), items)
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            text = argument.split(" ", 1) if name == "GLOBAL" else [self.pop(), self.pop()][::-1]
            self._name(*text)
        elif name == "REDUCE":
            self._call()
        elif name == "BUILD":
            self._finish()
        elif not self._remember(name, argument) and name not in _IGNORED:
            raise ValueError(f"the operation {name}, which a dictionary of text and arrays does not need")

    def _top(self) -> Any:
        if not self.stack:
            raise ValueError("more taken than there is")
        return self.stack[-1]

    def _filled(self, made: Any, items: list[Any]) -> dict[str, Any]:
        keys = items[::2]
        if not isinstance(made, dict) or len(items) % 2 or not all(isinstance(key, str) for key in keys):
            raise ValueError("a dictionary whose keys are no text")
        made.update(zip(keys, items[1::2], strict=True))
        return made

    def _name(self, module: Any, name: Any) -> None:
        text = f"{module} {name}" if isinstance(module, str) and isinstance(name, str) else ""
        if text not in _NAMES:
            raise ValueError(f"the name {_shown(text.replace(' ', '.'))}, which a dictionary of arrays does not need")
        self.stack.append(_Name(text))

    def _call(self) -> None:
        arguments, called = self.pop(), self.pop()
        work = _CALLS.get(called.text) if isinstance(called, _Name) else None
        if work is None or not isinstance(arguments, tuple):
            raise ValueError("a call of something that is no part of an array")
        try:
            made = work(*arguments)
        except TypeError:
            raise ValueError(f"a call of {called.text} with {len(arguments)} arguments") from None
        self.budget -= len(made) if isinstance(made, bytes) else 0
        if self.budget < 0:
            raise ValueError("more bytes than the file holds")
        self.stack.append(made)

    def _finish(self) -> None:
        state, made = self.pop(), self._top()
        if not isinstance(state, tuple):
            raise ValueError("a state that is no tuple")
        if isinstance(made, _Kind) and len(state) >= 5 and state[1] in ("<", ">", "|", "=") and not any(state[2:5]):
            made.order = state[1] if state[1] in "<>" else "<"
        elif isinstance(made, _Array) and made.values is None and len(state) == 5:
            made.values = _array(state[4], state[2], state[1], state[3])
            self.budget -= len(state[4]) if isinstance(state[4], str) else 0
            if self.budget < 0:
                raise ValueError("more bytes than the file holds")
        else:
            raise ValueError("a state of something that is no part of a plain array")

    def _remember(self, name: str, argument: Any) -> bool:
        if name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
            self.memo[len(self.memo) if name == "MEMOIZE" else argument] = self._top()
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            if argument not in self.memo:
                raise ValueError(f"something remembered as {argument}, which was not")
            self.stack.append(self.memo[argument])
        else:
            return False
        return True


def _operations(data: bytes) -> Iterator[tuple[str, Any]]:
    """Opcodes by name with their arguments, up to STOP, which must be the last byte."""
    file = io.BytesIO(data)
    for _ in range(MAX_OPERATIONS):
        code = file.read(1)
        opcode = _OPCODES.get(code.decode("latin-1"))
        if opcode is None:
            raise ValueError(f"byte {code!r} where an operation should be" if code else "it is cut short")
        if opcode.name == "STOP":
            if file.read(1):
                raise ValueError("something behind the end")
            return
        if opcode.name == "STRING":
            # Python 2's text may be any bytes; the standard reader takes ASCII only.
            yield opcode.name, _quoted(file.readline()).decode("latin-1")
        else:
            yield opcode.name, opcode.arg.reader(file) if opcode.arg else None
    raise ValueError(f"more than {MAX_OPERATIONS} operations")


def _quoted(line: bytes) -> bytes:
    text = line.strip()
    if len(text) < 2 or text[:1] not in (b"'", b'"') or text[:1] != text[-1:]:
        raise ValueError("text without its quotes")
    plain, _ = codecs.escape_decode(text[1:-1])
    return bytes(plain)


def read_pickled(data: bytes, place: str) -> dict[str, Plain]:
    """A pickle of one dictionary -> text and arrays of floats by key; arrays are views of `data`.

    Reads protocols 0 to 5, as Python 2 and 3 and numpy 1 and 2 write them. Raises ValueError for anything else,
    naming what it found: other types, functions to call, arrays of objects, shapes that do not fit, damage.
    """
    reading = _Reading(2 * len(data))
    try:
        for name, argument in _operations(data):
            reading.step(name, argument)
        if len(reading.stack) != 1:
            raise ValueError("something beside the dictionary")
        return _plain(reading.pop())
    except (ValueError, IndexError, UnicodeError, OverflowError, TypeError) as error:
        raise ValueError(f"{place}: not a pickled dictionary of text and arrays: {error}") from None


def _plain(found: Any) -> dict[str, Plain]:
    if not isinstance(found, dict):
        raise ValueError(f"it holds a {type(found).__name__}")
    plain: dict[str, Plain] = {}
    for key, value in found.items():
        inner = value.values if isinstance(value, _Array) else value
        if not isinstance(inner, (str, np.ndarray)):
            raise ValueError(f"{_shown(key)} is a {type(inner).__name__}, expected text or an array")
        plain[key] = inner
    return plain
