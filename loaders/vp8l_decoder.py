"""Lossless WebP frames as vp8l.py writes them, decoded in less time than libwebp takes.

One predictor, one set of prefix codes and no alpha leave short loops: several pixels come out of one look into a table.
Whatever is written otherwise, or damaged, is left to libwebp: `decode` says so and has promised nothing.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .prefix_codes import CODE_LIMIT, LENGTHS_CODE_LIMIT, LENGTHS_ORDER, Numbers, Words
from .vp8l import (
    BUNDLED,
    CACHE_BITS,
    DISTANCES,
    GRADIENT,
    HASH,
    LENGTHS,
    LITERALS,
    MAX_COLOURS,
    MAX_SIDE,
    OPAQUE,
    SELECT,
    WHOLE,
)

LOOK = 12
"""Bits that one look into a table takes."""
_AT_ONCE = 4
"""Most pixels of one look."""
_LITERAL = _AT_ONCE + 1
_MASK = (1 << LOOK) - 1
_UNSET = np.uint32(OPAQUE)
"""A place of the colour cache that nothing was put in yet: residuals have no alpha."""


def decode(payload: memoryview | bytes, out: NDArray[np.uint8]) -> bool:
    """Payload of a VP8L chunk into `out` (H, W, 3) uint8 RGB, C-contiguous; False where libwebp has to do it.

    `out` is then undefined. Never reads or writes outside of the two, whatever the bytes.
    """
    if max(out.shape[:2]) > MAX_SIDE or min(out.shape[:2]) < 1:
        return False
    # Two words of zeros behind the end serve for looking ahead.
    words = np.zeros(len(payload) // 4 + 3, np.uint32)
    words.view(np.uint8)[: len(payload)] = np.frombuffer(payload, np.uint8)
    return bool(_decode(words, len(payload), out))


@njit(cache=True)
def _fill(words: Words, state: Numbers) -> None:
    if state[2] < len(words):
        state[0] |= np.int64(words[state[2]]) << state[1]
    state[1] += 32
    state[2] += 1


@njit(cache=True)
def _take(words: Words, state: Numbers, bits: int) -> int:
    """The next bits, lowest first; zeros behind the end. `state`: bits held, how many they are, words taken."""
    if state[1] < bits:
        _fill(words, state)
    value = state[0] & (1 << bits) - 1
    state[0] >>= bits
    state[1] -= bits
    return value


@njit(cache=True)
def _canonical(lengths: Numbers, symbols: Numbers, code: Numbers, table: NDArray[np.int32], look: int) -> bool:
    """A prefix code by its lengths: its `symbols` by code, first code (0) and place (1) of every length, and the table.

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
            symbols[following[bits]] = symbol
            value, mirrored = code[0, bits] + following[bits] - code[1, bits], 0
            following[bits] += 1
            if bits <= look:
                for bit in range(bits):
                    mirrored |= (value >> bit & 1) << bits - 1 - bit
                for entry in range(mirrored, 1 << look, 1 << bits):
                    table[entry] = symbol << 4 | bits
    return left == 0


@njit(cache=True)
def _long(held: int, symbols: Numbers, code: Numbers) -> int:
    """symbol << 4 | bits of a code that the table has not, -1 without one."""
    value = 0
    for bits in range(1, CODE_LIMIT + 1):
        value = value << 1 | held >> bits - 1 & 1
        place = value - code[0, bits]
        if 0 <= place < code[1, bits + 1] - code[1, bits]:
            return symbols[code[1, bits] + place] << 4 | bits
    return -1


@njit(cache=True)
def _read_lengths(words: Words, state: Numbers, lengths: Numbers) -> bool:
    """Code lengths of an alphabet (RFC 9649, section 6.2.1)."""
    lengths[:] = 0
    if _take(words, state, 1):
        two = _take(words, state, 1)
        symbol = _take(words, state, 8 if _take(words, state, 1) else 1)
        if two or symbol >= len(lengths):
            return False
        lengths[symbol] = 1
        return True
    own, symbols = np.zeros(len(LENGTHS_ORDER), np.int64), np.zeros(len(LENGTHS_ORDER), np.int64)
    for place in range(4 + _take(words, state, 4)):
        own[LENGTHS_ORDER[place]] = _take(words, state, 3)
    code, table = np.zeros((2, CODE_LIMIT + 2), np.int64), np.empty(1 << LENGTHS_CODE_LIMIT, np.int32)
    if _take(words, state, 1) or not _canonical(own, symbols, code, table, LENGTHS_CODE_LIMIT):
        return False
    at, before = 0, 8
    while at < len(lengths):
        if state[1] < LENGTHS_CODE_LIMIT:
            _fill(words, state)
        found = np.int64(table[state[0] & (1 << LENGTHS_CODE_LIMIT) - 1])
        _take(words, state, found & 15)
        value, run = found >> 4, 1
        if value == 16:
            value, run = before, 3 + _take(words, state, 2)
        elif value > 16:
            run = 3 + _take(words, state, 3) if value == 17 else 11 + _take(words, state, 7)
            value = 0
        elif value:
            before = value
        if at + run > len(lengths):
            return False
        lengths[at : at + run] = value
        at += run
    return True


@njit(cache=True)
def _looks(tables: NDArray[np.int32], first: int, end: int, looks: Numbers) -> None:
    """What the next LOOK bits say: pixels << 40 | bits << 32 | a byte for each pixel's symbol less `first`.

    Symbols from `first` to `end` count. A pixel in full is _LITERAL << 40 | bits << 32 | its colour. Else 0.
    """
    for entry in range(1 << LOOK):
        pixels, used, said = 0, 0, np.int64(0)
        while pixels < _AT_ONCE:
            found = np.int64(tables[0, entry >> used])
            symbol, bits = found >> 4, found & 15
            if found < 0 or not first <= symbol < end or bits == 0 or used + bits > LOOK:
                break
            said |= symbol - first << 8 * pixels
            pixels, used = pixels + 1, used + bits
        if pixels:
            looks[entry] = np.int64(pixels) << 40 | np.int64(used) << 32 | said
        elif 0 <= tables[0, entry] < LITERALS << 4:
            said, used = np.int64(tables[0, entry]) >> 4 << 8, np.int64(tables[0, entry]) & 15
            whole = True
            for channel, shift in ((1, 16), (2, 0)):
                found = np.int64(tables[channel, entry >> used]) if used <= LOOK else np.int64(-1)
                whole &= found >= 0
                said, used = said | found >> 4 << shift, used + (found & 15)
            if whole and used <= LOOK:
                looks[entry] = np.int64(_LITERAL) << 40 | np.int64(used) << 32 | said


@njit(cache=True)
def _codes(
    words: Words, state: Numbers, tables: NDArray[np.int32], codes: Numbers, symbols: Numbers
) -> bool:
    """The five codes of an image: green and the like, red, blue, alpha, distances."""
    lengths = np.empty(symbols.shape[1], np.int64)
    for number in range(5):
        size = len(lengths) if number == 0 else DISTANCES if number == 4 else LITERALS
        if not _read_lengths(words, state, lengths[:size]):
            return False
        if not _canonical(lengths[:size], symbols[number], codes[number], tables[number], LOOK):
            return False
    return True


@njit(cache=True)
def _symbol(words: Words, state: Numbers, table: NDArray[np.int32], code: Numbers, symbols: Numbers) -> int:
    """The next symbol of a code, -1 where there is none."""
    if state[1] < CODE_LIMIT:
        _fill(words, state)
    found = np.int64(table[state[0] & (1 << LOOK) - 1])
    if found < 0:
        found = np.int64(_long(state[0], symbols, code))
    if found < 0:
        return -1
    _take(words, state, found & 15)
    return found >> 4


@njit(cache=True)
def _run(symbol: int, held: int) -> tuple[int, int]:
    """Length of a run and the bits of it that follow its symbol, of those held (RFC 9649, section 5.2.2)."""
    if symbol < LITERALS + 4:
        return symbol - LITERALS + 1, 0
    extra = symbol - LITERALS - 2 >> 1
    return (2 + (symbol & 1) << extra) + (held & (1 << extra) - 1) + 1, extra


@njit(cache=True)
def _numbers(words: Words, state: Numbers, out: Words) -> bool:
    """The data (N,) that a transform comes with: literals, and runs of one pixel back."""
    tables, codes = np.empty((5, 1 << LOOK), np.int32), np.zeros((5, 2, CODE_LIMIT + 2), np.int64)
    symbols, i = np.zeros((5, LITERALS + LENGTHS), np.int64), 0
    if _take(words, state, 1) or not _codes(words, state, tables, codes, symbols):
        return False
    while i < len(out):
        green = _symbol(words, state, tables[0], codes[0], symbols[0])
        if green >= LITERALS:
            if state[1] < 32:
                _fill(words, state)
            length, extra = _run(green, state[0])
            _take(words, state, extra)
            if i == 0 or i + length > len(out) or _symbol(words, state, tables[4], codes[4], symbols[4]) != 1:
                return False
            out[i : i + length] = out[i - 1]
            i += length
            continue
        red = _symbol(words, state, tables[1], codes[1], symbols[1])
        blue = _symbol(words, state, tables[2], codes[2], symbols[2])
        alpha = _symbol(words, state, tables[3], codes[3], symbols[3])
        if min(green, red, blue, alpha) < 0:
            return False
        out[i] = alpha << 24 | red << 16 | green << 8 | blue
        i += 1
    return True


@njit(cache=True)
def _picture(words: Words, state: Numbers, colours: bool, out: Words) -> bool:
    """Residuals (N,) of colours, with _UNSET among them where libwebp has to decide, or of places in a palette."""
    cache_bits = _take(words, state, 4) if _take(words, state, 1) else 0
    if cache_bits != (CACHE_BITS if colours else 0) or _take(words, state, 1):
        return False
    tables, codes = np.empty((5, 1 << LOOK), np.int32), np.zeros((5, 2, CODE_LIMIT + 2), np.int64)
    cached = 1 << CACHE_BITS if colours else 0
    symbols = np.zeros((5, LITERALS + LENGTHS + cached), np.int64)
    if not _codes(words, state, tables, codes, symbols):
        return False
    # Alpha has one symbol, 0, and distances one, a pixel back, where there are runs: neither takes bits.
    if tables[3].any() or tables[4, 0] & 15 or tables[4, -1] & 15:
        return False
    looks = np.zeros(1 << LOOK, np.int64)
    if colours:
        recent = np.full(1 << CACHE_BITS, _UNSET)
        recent[0] = 0
        _looks(tables, LITERALS + LENGTHS, symbols.shape[1], looks)
    elif tables[1].any() or tables[2].any():
        return False
    else:
        recent = np.arange(1 << CACHE_BITS).astype(np.uint32)
        _looks(tables, 0, LITERALS, looks)
    return _pixels(words, state, looks, tables, codes, symbols, colours, recent, out)


@njit(cache=True)
def _pixels(
    words: Words,
    state: Numbers,
    looks: Numbers,
    tables: NDArray[np.int32],
    codes: Numbers,
    symbols: Numbers,
    colours: bool,
    recent: Words,
    out: Words,
) -> bool:
    held, bits, at, i = state[0], state[1], state[2], 0
    while i < len(out):
        if bits < 32:
            if at >= len(words):
                return False
            held |= np.int64(words[at]) << bits
            bits, at = bits + 32, at + 1
        said = looks[held & _MASK]
        pixels, used = said >> 40, said >> 32 & 255
        if 0 < pixels < _LITERAL and i + _AT_ONCE <= len(out):
            held, bits = held >> used, bits - used
            out[i] = recent[said & 255]
            out[i + 1] = recent[said >> 8 & 255]
            out[i + 2] = recent[said >> 16 & 255]
            out[i + 3] = recent[said >> 24 & 255]
            i += pixels
            continue
        if pixels == _LITERAL:
            held, bits, pixel = held >> used, bits - used, said & 0xFFFFFF
            out[i] = pixel
            recent[(pixel * HASH & 0xFFFFFFFF) >> 32 - CACHE_BITS] = pixel
            i += 1
            continue
        found = np.int64(tables[0, held & _MASK])
        if found < 0:
            found = np.int64(_long(held, symbols[0], codes[0]))
            if found < 0:
                return False
        held, bits, symbol = held >> (found & 15), bits - (found & 15), found >> 4
        if symbol < LITERALS and colours:
            red = np.int64(tables[1, held & _MASK])
            if red < 0:
                red = np.int64(_long(held, symbols[1], codes[1]))
            held, bits = held >> (red & 15), bits - (red & 15)
            if bits < 32:
                if at >= len(words):
                    return False
                held |= np.int64(words[at]) << bits
                bits, at = bits + 32, at + 1
            blue = np.int64(tables[2, held & _MASK])
            if blue < 0:
                blue = np.int64(_long(held, symbols[2], codes[2]))
            if red < 0 or blue < 0:
                return False
            held, bits = held >> (blue & 15), bits - (blue & 15)
            pixel = red >> 4 << 16 | symbol << 8 | blue >> 4
            out[i] = pixel
            recent[(pixel * HASH & 0xFFFFFFFF) >> 32 - CACHE_BITS] = pixel
            i += 1
        elif LITERALS <= symbol < LITERALS + LENGTHS:
            length, extra = _run(symbol, held)
            held, bits = held >> extra, bits - extra
            if i == 0 or i + length > len(out) or tables[4, 0] >> 4 != 1:
                return False
            for place in range(i, i + length):
                out[place] = out[i - 1]
            i += length
        else:
            out[i] = recent[symbol if symbol < LITERALS else symbol - LITERALS - LENGTHS]
            i += 1
    state[0], state[1], state[2] = held, bits, at
    return True


@njit(cache=True)
def _palette(words: Words, state: Numbers, palette: NDArray[np.uint8]) -> bool:
    """The colours of a picture of numbers, (256, 3) uint8 RGB, black where there are fewer."""
    differences = np.zeros(_take(words, state, 8) + 1, np.uint32)
    if len(differences) <= BUNDLED or not _numbers(words, state, differences):
        return False
    red, green, blue, alpha = 0, 0, 0, 0
    for number in range(len(differences)):
        word = np.int64(differences[number])
        red, green, blue = red + (word >> 16) & 255, green + (word >> 8) & 255, blue + word & 255
        alpha = alpha + (word >> 24) & 255
        if alpha != 255:
            return False
        palette[number, 0], palette[number, 1], palette[number, 2] = red, green, blue
    return True


@njit(cache=True)
def _decode(words: Words, size: int, out: NDArray[np.uint8]) -> bool:
    state, palette = np.zeros(3, np.int64), np.zeros((MAX_COLOURS, 3), np.uint8)
    height, width = out.shape[0], out.shape[1]
    head = _take(words, state, 8) == 0x2F and _take(words, state, 14) == width - 1
    if not head or _take(words, state, 14) != height - 1 or _take(words, state, 4) or not _take(words, state, 1):
        return False
    transform = _take(words, state, 2)
    colours = transform == 2
    if transform < 2 or transform == 3 and not _palette(words, state, palette):
        return False
    if _take(words, state, 3) != 0b001 or _take(words, state, 3) != WHOLE - 2:
        return False
    modes = np.zeros(((width - 1 >> WHOLE) + 1) * ((height - 1 >> WHOLE) + 1), np.uint32)
    if not _numbers(words, state, modes) or _take(words, state, 1) or (modes != modes[0]).any():
        return False
    mode = np.int64(modes[0]) >> 8 & 15
    residual = np.empty(height * width, np.uint32)
    if mode not in (SELECT, GRADIENT) or not _picture(words, state, colours, residual):
        return False
    if 32 * state[2] - state[1] > 8 * size:
        return False
    if not colours:
        _restore_numbers(residual, width, mode)
        for y in range(height):
            row = out[y]
            for x in range(width):
                number = residual[y * width + x]
                row[x, 0], row[x, 1], row[x, 2] = palette[number, 0], palette[number, 1], palette[number, 2]
        return True
    if mode == GRADIENT:
        seen = _restore_gradient(residual, out)
    else:
        seen = _restore_select(residual, out)
    _add_green(out)
    return seen < OPAQUE


@njit(cache=True)
def _restore_numbers(words: Words, width: int, mode: int) -> None:
    """Residuals of green alone -> the numbers they are of, in place."""
    left = np.int64(0)
    for x in range(width):
        left = left + np.int64(words[x]) & 255
        words[x] = left
    for start in range(width, len(words), width):
        corner = np.int64(words[start - width])
        left = corner + np.int64(words[start]) & 255
        words[start] = left
        if mode == GRADIENT:
            for i in range(start + 1, start + width):
                top = np.int64(words[i - width])
                left = min(max(left + top - corner, 0), 255) + np.int64(words[i]) & 255
                words[i] = left
                corner = top
        else:
            for i in range(start + 1, start + width):
                top = np.int64(words[i - width])
                guess = left if abs(top - corner) < abs(left - corner) else top
                left = guess + np.int64(words[i]) & 255
                words[i] = left
                corner = top


@njit(cache=True)
def _first_row(words: Words, row: NDArray[np.uint8]) -> np.int64:
    """The pixels of the first row, each from its left; and the bits that are set in any residual."""
    red, green, blue, seen = np.int64(0), np.int64(0), np.int64(0), np.int64(0)
    for x in range(len(row)):
        word = np.int64(words[x])
        seen |= word
        red, green, blue = red + (word >> 16) & 255, green + (word >> 8) & 255, blue + word & 255
        row[x, 0], row[x, 1], row[x, 2] = red, green, blue
    return seen


@njit(cache=True)
def _restore_gradient(words: Words, out: NDArray[np.uint8]) -> np.int64:
    """Residuals (H * W,) -> the pixels they are of, (H, W, 3); and the bits that are set in any residual."""
    height, width = out.shape[0], out.shape[1]
    seen = _first_row(words[:width], out[0])
    for y in range(1, height):
        row, above = out[y], out[y - 1]
        word = np.int64(words[y * width])
        seen |= word
        c2, c1, c0 = np.int64(above[0, 0]), np.int64(above[0, 1]), np.int64(above[0, 2])
        l2, l1, l0 = c2 + (word >> 16) & 255, c1 + (word >> 8) & 255, c0 + word & 255
        row[0, 0], row[0, 1], row[0, 2] = l2, l1, l0
        for x in range(1, width):
            word = np.int64(words[y * width + x])
            seen |= word
            t2, t1, t0 = np.int64(above[x, 0]), np.int64(above[x, 1]), np.int64(above[x, 2])
            l2 = min(max(l2 + t2 - c2, 0), 255) + (word >> 16) & 255
            l1 = min(max(l1 + t1 - c1, 0), 255) + (word >> 8) & 255
            l0 = min(max(l0 + t0 - c0, 0), 255) + word & 255
            row[x, 0], row[x, 1], row[x, 2] = l2, l1, l0
            c2, c1, c0 = t2, t1, t0
    return seen


@njit(cache=True)
def _restore_select(words: Words, out: NDArray[np.uint8]) -> np.int64:
    """As _restore_gradient, by the other predictor."""
    height, width = out.shape[0], out.shape[1]
    seen = _first_row(words[:width], out[0])
    for y in range(1, height):
        row, above = out[y], out[y - 1]
        word = np.int64(words[y * width])
        seen |= word
        c2, c1, c0 = np.int64(above[0, 0]), np.int64(above[0, 1]), np.int64(above[0, 2])
        l2, l1, l0 = c2 + (word >> 16) & 255, c1 + (word >> 8) & 255, c0 + word & 255
        row[0, 0], row[0, 1], row[0, 2] = l2, l1, l0
        for x in range(1, width):
            word = np.int64(words[y * width + x])
            seen |= word
            t2, t1, t0 = np.int64(above[x, 0]), np.int64(above[x, 1]), np.int64(above[x, 2])
            nearer = abs(t2 - c2) + abs(t1 - c1) + abs(t0 - c0) < abs(l2 - c2) + abs(l1 - c1) + abs(l0 - c0)
            g2, g1, g0 = (l2, l1, l0) if nearer else (t2, t1, t0)
            l2, l1, l0 = g2 + (word >> 16) & 255, g1 + (word >> 8) & 255, g0 + word & 255
            row[x, 0], row[x, 1], row[x, 2] = l2, l1, l0
            c2, c1, c0 = t2, t1, t0
    return seen


@njit(cache=True)
def _add_green(out: NDArray[np.uint8]) -> None:
    for y in range(out.shape[0]):
        row = out[y]
        for x in range(len(row)):
            row[x, 0] += row[x, 1]
            row[x, 2] += row[x, 1]
