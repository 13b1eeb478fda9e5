"""Lossless WebP frames as vp8l.py writes them, decoded in less time than libwebp takes.

One predictor, one set of prefix codes and no alpha leave short loops: several pixels come out of one look into a table.
Whatever is written otherwise, or damaged, is left to libwebp: `decode` says so and has promised nothing.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .prefix_codes import Numbers, Words
from .vp8l import (
    BUNDLED,
    CACHE_BITS,
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
from .vp8l_codes import LOOK, Tables, fill, long_symbol, next_symbol, read_codes, run_length, take
from .vp8l_predictors import add_green, restore_gradient, restore_numbers, restore_select

Books = tuple[Numbers, Tables, Numbers, Words]
"""What a look says (`_looks`), the five tables, their codes, the cache of recent colours."""
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
def _looks(tables: Tables, first: int, end: int, looks: Numbers) -> None:
    """What the next LOOK bits say: pixels << 40 | bits << 32 | a byte for each pixel's symbol less `first`.

    Symbols from `first` to `end` count. A pixel in full is _LITERAL << 40 | bits << 32 | its colour. Else 0.
    """
    for entry in range(1 << LOOK):
        pixels, used, said = 0, np.int64(0), np.int64(0)
        while pixels < _AT_ONCE:
            found = np.int64(tables[0, entry >> used])
            symbol, bits = found >> 4, found & 15
            if found < 0 or not first <= symbol < end or bits == 0 or used + bits > LOOK:
                break
            said |= symbol - first << 8 * pixels
            pixels, used = pixels + 1, used + bits
        if pixels:
            looks[entry] = np.int64(pixels) << 40 | used << 32 | said
        elif 0 <= tables[0, entry] < LITERALS << 4:
            said, used = np.int64(tables[0, entry]) >> 4 << 8, np.int64(tables[0, entry]) & 15
            for channel, shift in ((1, 16), (2, 0)):
                found = np.int64(tables[channel, entry >> used]) if used <= LOOK else np.int64(-1)
                said, used = said | found >> 4 << shift, used + (found & 15 if found >= 0 else LOOK + 1)
            if used <= LOOK:
                looks[entry] = np.int64(_LITERAL) << 40 | used << 32 | said


@njit(cache=True)
def _data(words: Words, state: Numbers, out: Words) -> bool:
    """The data (N,) that a transform comes with: literals, and runs of one pixel back."""
    tables, codes = np.empty((5, 1 << LOOK), np.int32), np.zeros((5, 3, LITERALS + LENGTHS), np.int64)
    i = 0
    if take(words, state, 1) or not read_codes(words, state, tables, codes):
        return False
    while i < len(out):
        green = next_symbol(words, state, tables[0], codes[0])
        if green >= LITERALS:
            if state[1] < 32:
                fill(words, state)
            length, extra = run_length(green, state[0])
            take(words, state, extra)
            if i == 0 or i + length > len(out) or next_symbol(words, state, tables[4], codes[4]) != 1:
                return False
            out[i : i + length] = out[i - 1]
            i += length
            continue
        red = next_symbol(words, state, tables[1], codes[1])
        blue = next_symbol(words, state, tables[2], codes[2])
        alpha = next_symbol(words, state, tables[3], codes[3])
        if min(green, red, blue, alpha) < 0:
            return False
        out[i] = alpha << 24 | red << 16 | green << 8 | blue
        i += 1
    return True


@njit(cache=True)
def _picture(words: Words, state: Numbers, colours: bool, out: Words) -> bool:
    """Residuals (N,) of colours, with _UNSET among them where libwebp has to decide, or of places in a palette."""
    cache_bits = take(words, state, 4) if take(words, state, 1) else 0
    if cache_bits != (CACHE_BITS if colours else 0) or take(words, state, 1):
        return False
    alphabet = LITERALS + LENGTHS + (1 << CACHE_BITS if colours else 0)
    tables, codes = np.empty((5, 1 << LOOK), np.int32), np.zeros((5, 3, alphabet), np.int64)
    if not read_codes(words, state, tables, codes):
        return False
    # Alpha has one symbol, 0, and distances one, a pixel back, where there are runs: neither takes bits.
    if tables[3].any() or tables[4, 0] & 15 or tables[4, -1] & 15:
        return False
    looks = np.zeros(1 << LOOK, np.int64)
    if colours:
        recent = np.full(1 << CACHE_BITS, _UNSET)
        recent[0] = 0
        _looks(tables, LITERALS + LENGTHS, alphabet, looks)
    elif tables[1].any() or tables[2].any():
        return False
    else:
        recent = np.arange(1 << CACHE_BITS).astype(np.uint32)
        _looks(tables, 0, LITERALS, looks)
    return bool(_pixels(words, state, (looks, tables, codes, recent), colours, out))


@njit(cache=True)
def _pixels(words: Words, state: Numbers, books: Books, colours: bool, out: Words) -> bool:
    looks, tables, codes, recent = books
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
            for place in range(_AT_ONCE):
                out[i + place] = recent[said >> 8 * place & 255]
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
            found = np.int64(long_symbol(held, codes[0]))
        held, bits, symbol = held >> (found & 15), bits - (found & 15), found >> 4
        if 0 <= symbol < LITERALS and colours:
            red = np.int64(tables[1, held & _MASK])
            if red < 0:
                red = np.int64(long_symbol(held, codes[1]))
            held, bits = held >> (red & 15), bits - (red & 15)
            if bits < 32:
                if at >= len(words):
                    return False
                held |= np.int64(words[at]) << bits
                bits, at = bits + 32, at + 1
            blue = np.int64(tables[2, held & _MASK])
            if blue < 0:
                blue = np.int64(long_symbol(held, codes[2]))
            if red < 0 or blue < 0:
                return False
            held, bits, pixel = held >> (blue & 15), bits - (blue & 15), red >> 4 << 16 | symbol << 8 | blue >> 4
            out[i] = pixel
            recent[(pixel * HASH & 0xFFFFFFFF) >> 32 - CACHE_BITS] = pixel
            i += 1
        elif LITERALS <= symbol < LITERALS + LENGTHS:
            length, extra = run_length(symbol, held)
            held, bits = held >> extra, bits - extra
            if i == 0 or i + length > len(out) or tables[4, 0] >> 4 != 1:
                return False
            out[i : i + length] = out[i - 1]
            i += length
        elif symbol < 0:
            return False
        else:
            out[i] = recent[symbol if symbol < LITERALS else symbol - LITERALS - LENGTHS]
            i += 1
    state[0], state[1], state[2] = held, bits, at
    return True


@njit(cache=True)
def _palette(words: Words, state: Numbers, palette: NDArray[np.uint8]) -> bool:
    """The colours of a picture of numbers, (256, 3) uint8 RGB, black where there are fewer."""
    differences = np.zeros(take(words, state, 8) + 1, np.uint32)
    if len(differences) <= BUNDLED or not _data(words, state, differences):
        return False
    red, green, blue, alpha = np.zeros(4, np.int64)
    for number in range(len(differences)):
        word = np.int64(differences[number])
        red, green, blue = red + (word >> 16) & 255, green + (word >> 8) & 255, blue + word & 255
        alpha = alpha + (word >> 24) & 255
        if alpha != 255:
            return False
        palette[number, 0], palette[number, 1], palette[number, 2] = red, green, blue
    return True


@njit(cache=True, nogil=True)
def _decode(words: Words, size: int, out: NDArray[np.uint8]) -> bool:
    state, palette = np.zeros(3, np.int64), np.zeros((MAX_COLOURS, 3), np.uint8)
    height, width = out.shape[0], out.shape[1]
    head = take(words, state, 8) == 0x2F and take(words, state, 14) == width - 1
    if not head or take(words, state, 14) != height - 1 or take(words, state, 4) or not take(words, state, 1):
        return False
    transform = take(words, state, 2)
    colours = transform == 2
    if transform < 2 or (transform == 3 and not _palette(words, state, palette)):
        return False
    if take(words, state, 3) != 0b001 or take(words, state, 3) != WHOLE - 2:
        return False
    modes = np.zeros(((width - 1 >> WHOLE) + 1) * ((height - 1 >> WHOLE) + 1), np.uint32)
    if not _data(words, state, modes) or take(words, state, 1) or (modes != modes[0]).any():
        return False
    mode = np.int64(modes[0]) >> 8 & 15
    residual = np.empty(height * width, np.uint32)
    if mode not in (SELECT, GRADIENT) or not _picture(words, state, colours, residual):
        return False
    if 32 * state[2] - state[1] > 8 * size:
        return False
    if not colours:
        restore_numbers(residual, width, mode)
        for y in range(height):
            row = out[y]
            for x in range(width):
                number = residual[y * width + x]
                row[x, 0], row[x, 1], row[x, 2] = palette[number, 0], palette[number, 1], palette[number, 2]
        return True
    seen = restore_gradient(residual, out) if mode == GRADIENT else restore_select(residual, out)
    add_green(out)
    return bool(seen < OPAQUE)
