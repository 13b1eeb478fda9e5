"""Reading VP8L bit by bit (RFC 9649): prefix codes and the symbols of them, with tables for the next LOOK bits.

`state` is [bits held, how many they are, words taken]; behind the end of the words come zeros.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .prefix_codes import CODE_LIMIT, LENGTHS_CODE_LIMIT, LENGTHS_ORDER, Numbers, Words
from .vp8l import DISTANCES, LITERALS

LOOK = 12
"""Bits that one look into a table takes."""
Tables = NDArray[np.int32]


@njit(cache=True)
def fill(words: Words, state: Numbers) -> None:
    if state[2] < len(words):
        state[0] |= np.int64(words[state[2]]) << state[1]
    state[1] += 32
    state[2] += 1


@njit(cache=True)
def take(words: Words, state: Numbers, bits: int) -> int:
    """The next bits, lowest first; zeros behind the end. `state`: bits held, how many they are, words taken."""
    if state[1] < bits:
        fill(words, state)
    value = state[0] & (1 << bits) - 1
    state[0] >>= bits
    state[1] -= bits
    return int(value)


@njit(cache=True)
def _canonical(lengths: Numbers, code: Numbers, table: Tables, look: int) -> bool:
    """A prefix code by its lengths: first code (0) and place (1) of every length, symbols by place (2); and its table.

    The table says symbol << 4 | bits for every value of the next `look` bits, -1 for longer codes.
    """
    numbers, used, last = np.zeros(CODE_LIMIT + 1, np.int64), 0, 0
    for symbol in range(len(lengths)):
        numbers[lengths[symbol]] += 1
        if lengths[symbol]:
            used, last = used + 1, symbol
    if used <= 1:
        table[:] = last << 4
        return used == 1
    upcoming, at, left = 0, 0, 1
    for bits in range(1, CODE_LIMIT + 1):
        upcoming, left = upcoming << 1, left << 1
        code[0, bits], code[1, bits] = upcoming, at
        upcoming, at, left = upcoming + numbers[bits], at + numbers[bits], left - numbers[bits]
        if left < 0:
            return False
    code[1, CODE_LIMIT + 1] = at
    table[:] = -1
    following = code[1].copy()
    for symbol in range(len(lengths)):
        bits = lengths[symbol]
        if bits:
            code[2, following[bits]] = symbol
            value, mirrored = code[0, bits] + following[bits] - code[1, bits], 0
            following[bits] += 1
            if bits <= look:
                for bit in range(bits):
                    mirrored |= (value >> bit & 1) << bits - 1 - bit
                for entry in range(mirrored, 1 << look, 1 << bits):
                    table[entry] = symbol << 4 | bits
    return left == 0


@njit(cache=True)
def long_symbol(held: int, code: Numbers) -> int:
    """symbol << 4 | bits of a code that the table has not, -1 without one."""
    value = 0
    for bits in range(1, CODE_LIMIT + 1):
        value = value << 1 | held >> bits - 1 & 1
        place = value - code[0, bits]
        if 0 <= place < code[1, bits + 1] - code[1, bits]:
            return int(code[2, code[1, bits] + place]) << 4 | bits
    return -1


@njit(cache=True)
def _read_lengths(words: Words, state: Numbers, lengths: Numbers) -> bool:
    """Code lengths of an alphabet (RFC 9649, section 6.2.1)."""
    lengths[:] = 0
    if take(words, state, 1):
        two = take(words, state, 1)
        symbol = take(words, state, 8 if take(words, state, 1) else 1)
        if two or symbol >= len(lengths):
            return False
        lengths[symbol] = 1
        return True
    own, code = np.zeros(len(LENGTHS_ORDER), np.int64), np.zeros((3, len(LENGTHS_ORDER)), np.int64)
    for place in range(4 + take(words, state, 4)):
        own[LENGTHS_ORDER[place]] = take(words, state, 3)
    table = np.empty(1 << LENGTHS_CODE_LIMIT, np.int32)
    if take(words, state, 1) or not _canonical(own, code, table, LENGTHS_CODE_LIMIT):
        return False
    at, before = 0, 8
    while at < len(lengths):
        if state[1] < LENGTHS_CODE_LIMIT:
            fill(words, state)
        found = int(table[state[0] & (1 << LENGTHS_CODE_LIMIT) - 1])
        take(words, state, found & 15)
        value, run = found >> 4, 1
        if value == 16:
            value, run = before, 3 + take(words, state, 2)
        elif value > 16:
            run = 3 + take(words, state, 3) if value == 17 else 11 + take(words, state, 7)
            value = 0
        elif value:
            before = value
        if at + run > len(lengths):
            return False
        lengths[at : at + run] = value
        at += run
    return True


@njit(cache=True)
def read_codes(words: Words, state: Numbers, tables: Tables, codes: Numbers) -> bool:
    """The five codes of an image: green and the like, red, blue, alpha, distances."""
    lengths = np.empty(codes.shape[2], np.int64)
    for number in range(5):
        size = len(lengths) if number == 0 else DISTANCES if number == 4 else LITERALS
        if not _read_lengths(words, state, lengths[:size]):
            return False
        if not _canonical(lengths[:size], codes[number], tables[number], LOOK):
            return False
    return True


@njit(cache=True)
def next_symbol(words: Words, state: Numbers, table: Tables, code: Numbers) -> int:
    """The next symbol of a code, -1 where there is none."""
    if state[1] < CODE_LIMIT:
        fill(words, state)
    found = int(table[state[0] & (1 << LOOK) - 1])
    if found < 0:
        found = long_symbol(state[0], code)
    if found < 0:
        return -1
    take(words, state, found & 15)
    return found >> 4


@njit(cache=True)
def run_length(symbol: int, held: int) -> tuple[int, int]:
    """Length of a run and the bits of it that follow its symbol, of those held (RFC 9649, section 5.2.2)."""
    if symbol < LITERALS + 4:
        return symbol - LITERALS + 1, 0
    extra = symbol - LITERALS - 2 >> 1
    return (2 + (symbol & 1) << extra) + (held & (1 << extra) - 1) + 1, extra
