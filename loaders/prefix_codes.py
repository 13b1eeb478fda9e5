"""Prefix codes of VP8L (RFC 9649, sections 5 and 6): made from counts, and written bit by bit."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

CODE_LIMIT, LENGTHS_CODE_LIMIT = 15, 7
"""Most bits of a prefix code, and of the code that code lengths are written in."""
BYTE = 256
LENGTHS_ORDER = np.array([17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15])

Words = NDArray[np.uint32]
Numbers = NDArray[np.int64]


@njit(cache=True)
def put(out: Words, state: Numbers, value: int, bits: int) -> None:
    """Append at most 32 bits, lowest first; `state`: those that fill no word yet, how many they are, words written."""
    state[0] |= value << state[1]
    state[1] += bits
    if state[1] >= 32:
        out[state[2]] = state[0] & 0xFFFFFFFF
        state[0] >>= 32
        state[1] -= 32
        state[2] += 1


@njit(cache=True)
def _risen(counts: Numbers, least: int) -> Numbers:
    """The symbols that occur, rarest first, equal ones in order; a count below `least` stands for `least`."""
    symbols, used = np.zeros(len(counts), np.int64), 0
    for symbol in range(len(counts)):
        if counts[symbol]:
            at = used
            while at and max(counts[symbols[at - 1]], least) > max(counts[symbol], least):
                symbols[at] = symbols[at - 1]
                at -= 1
            symbols[at] = symbol
            used += 1
    return symbols[:used]


@njit(cache=True)
def code_lengths(counts: Numbers, limit: int) -> Numbers:
    """Huffman's lengths, at most `limit` bits: rare symbols count for more until they fit. One symbol alone has 1."""
    lengths, total = np.zeros(len(counts), np.int64), np.int64(0)
    for count in counts:
        total += count
    # What is rarer than this would get a longer code: raised to it, the first try nearly always fits.
    least = max(total >> limit, np.int64(1))
    while True:
        symbols = _risen(counts, least)
        used, longest = len(symbols), 0
        weights, parents, depth = np.zeros((3, 2 * len(counts)), np.int64)
        for leaf in range(used):
            weights[leaf] = max(counts[symbols[leaf]], least)
        leaf, inner = 0, used
        for node in range(used, 2 * used - 1):
            for _ in range(2):
                if leaf < used and (inner == node or weights[leaf] <= weights[inner]):
                    taken, leaf = leaf, leaf + 1
                else:
                    taken, inner = inner, inner + 1
                parents[taken] = node
                weights[node] += weights[taken]
        for node in range(2 * used - 3, -1, -1):
            depth[node] = depth[parents[node]] + 1
            longest = max(longest, depth[node])
        if longest <= limit:
            for leaf in range(used):
                lengths[symbols[leaf]] = max(depth[leaf], 1)
            return lengths
        least *= 2


@njit(cache=True)
def prefix_codes(lengths: Numbers) -> Numbers:
    """Canonical codes, bits reversed, their lengths from bit 16 on; a symbol alone takes no bits."""
    codes, numbers = np.zeros(len(lengths), np.int64), np.zeros(CODE_LIMIT + 1, np.int64)
    for bits in lengths:
        numbers[bits] += 1
    if numbers[0] >= len(lengths) - 1:
        return codes
    upcoming, code = np.zeros(CODE_LIMIT + 1, np.int64), 0
    for bits in range(1, CODE_LIMIT + 1):
        upcoming[bits] = code
        code = code + numbers[bits] << 1
    for symbol in range(len(lengths)):
        bits = lengths[symbol]
        for bit in range(bits):
            codes[symbol] |= (upcoming[bits] >> bit & 1) << bits - 1 - bit
        codes[symbol] |= bits << 16
        upcoming[bits] += 1
    return codes


@njit(cache=True)
def write_code(out: Words, state: Numbers, lengths: Numbers) -> None:
    """A prefix code by its lengths, run-length coded by a code of their own (RFC 9649, section 6.2.1)."""
    used, last = 0, 0
    for symbol in range(len(lengths)):
        if lengths[symbol]:
            used, last = used + 1, symbol
    if used < 2 and last < BYTE:
        put(out, state, 5 if last > 1 else 1, 3)
        put(out, state, last, 8 if last > 1 else 1)
        return
    words, extras, count, at = np.zeros(len(lengths), np.int64), np.zeros(len(lengths), np.int64), 0, 0
    while at < len(lengths):
        run = 1
        while at + run < len(lengths) and lengths[at + run] == lengths[at] and run < 138:
            run += 1
        if lengths[at] == 0 and run >= 3:
            words[count], extras[count] = (17, run - 3) if run <= 10 else (18, run - 11)
        elif at and lengths[at] == lengths[at - 1] and run >= 3:
            run = min(run, 6)
            words[count], extras[count] = 16, run - 3
        else:
            run = 1
            words[count] = lengths[at]
        at, count = at + run, count + 1
    counts = np.zeros(len(LENGTHS_ORDER), np.int64)
    for number in range(count):
        counts[words[number]] += 1
    own = code_lengths(counts, LENGTHS_CODE_LIMIT)
    written = 19
    while written > 4 and own[LENGTHS_ORDER[written - 1]] == 0:
        written -= 1
    put(out, state, written - 4 << 1, 5)
    for place in range(written):
        put(out, state, own[LENGTHS_ORDER[place]], 3)
    put(out, state, 0, 1)
    codes = prefix_codes(own)
    for number in range(count):
        word = words[number]
        put(out, state, codes[word] & 0xFFFF, codes[word] >> 16)
        if word >= 16:
            put(out, state, extras[number], 2 if word == 16 else (3 if word == 17 else 7))
