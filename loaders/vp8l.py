"""Lossless WebP frames (VP8L, RFC 9649) of camera pictures: one predictor, one set of prefix codes, runs, a cache.

Its own code, since libwebp's fastest setting takes more than three times as long and its thermal frames are 1.6 times
as large: the colours of a heat scale predict each other once sorted by brightness. Whatever it writes is decoded by
libwebp and compared before a shard is done.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .prefix_codes import CODE_LIMIT, Numbers, Words, code_lengths, prefix_codes, put, write_code

MAX_SIDE = 1 << 14
"""Largest width or height of a WebP picture."""
SELECT, GRADIENT = 11, 12
"""Predictors: the neighbour nearer to left + top - top left, or that sum, clamped (RFC 9649, section 4.1)."""
MAX_COLOURS, BUNDLED = 256, 16
"""Largest palette, and the size up to which a decoder expects several pixels in one."""
CACHE_BITS = 8
"""Of the cache of recent colours, which serves residuals well; 4 more bits save 0.5 % of a real visual frame."""
HASH = 0x1E35A7BD
"""Multiplier of the cache of recent colours (RFC 9649, section 5.2.3)."""
LEAST_RUN, MAX_RUN = 4, 4096
LITERALS, LENGTHS, DISTANCES = 256, 24, 40
"""Sizes of the alphabets; the first begins with literals and run lengths, and goes on with the cache."""
WHOLE = 9
"""log2 of the side of the blocks that share a predictor: the largest there is."""
SAMPLED = 32
"""Every so many rows decide between the predictors."""
OPAQUE = 0xFF000000
_EXTRA_AT, _VALUE_AT = 10, 14
"""Where in a word of `_tokens` the number of a run's extra bits and their value begin."""


class Vp8lEncoder:
    """Encodes pictures one after another; its buffers serve all of one size. Not for several threads at once.

    Equal pictures give equal bytes, on every machine.
    """

    def __init__(self) -> None:
        self._size = 0

    def __call__(self, picture: NDArray[np.uint8]) -> bytes:
        """(H, W, 3) uint8 RGB -> payload of a VP8L chunk. Raises ValueError for another shape or a side too long."""
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or 0 in picture.shape:
            raise ValueError(f"picture of shape {picture.shape}, {picture.dtype}: expected (H, W, 3), uint8")
        height, width = picture.shape[:2]
        if max(height, width) > MAX_SIDE:
            raise ValueError(f"picture of {width} x {height} pixels: a side of WebP has at most {MAX_SIDE:,}")
        if height * width != self._size:
            self._size = height * width
            self._argb, self._residual = (np.empty(self._size, np.uint32) for _ in range(2))
            self._tokens = np.empty(max(self._size, MAX_COLOURS), np.int32)
            # Four codes of 15 bits a pixel at worst, and the codes themselves.
            self._out = np.empty(2 * self._size + 4096, np.uint32)
        return self._encoded(np.ascontiguousarray(picture), width, height)

    def _encoded(self, picture: NDArray[np.uint8], width: int, height: int) -> bytes:
        argb, out, state = self._argb, self._out, np.zeros(3, np.int64)
        for value, bits in ((0x2F, 8), (width - 1, 14), (height - 1, 14), (0, 4)):
            put(out, state, value, bits)
        _pack(picture, argb)
        colours, cache = _palette(argb, self._tokens), 0
        if BUNDLED < len(colours) <= MAX_COLOURS:
            order = np.lexsort((colours, _brightness(colours)))
            colours, places = colours[order], np.argsort(order)
            put(out, state, 0b111, 3)
            put(out, state, len(colours) - 1, 8)
            _index(argb, self._tokens, places)
            _write_image(out, state, _differences(colours), self._tokens, 0, False)
        else:
            cache = CACHE_BITS
            put(out, state, 0b101, 3)
            _subtract_green(argb)
        mode = _better(argb.reshape(height, width))
        put(out, state, 0b001 | WHOLE - 2 << 3, 6)
        blocks = ((width - 1 >> WHOLE) + 1) * ((height - 1 >> WHOLE) + 1)
        _write_image(out, state, np.full(blocks, OPAQUE | mode << 8, np.uint32), self._tokens, 0, False)
        put(out, state, 0, 1)
        _predict(argb, width, mode, self._residual)
        _write_image(out, state, self._residual, self._tokens, cache, True)
        size = 4 * int(state[2]) + (int(state[1]) + 7) // 8
        put(out, state, 0, 32 - state[1])
        return bytes(out[: state[2]].astype("<u4", copy=False).tobytes()[:size])


def _brightness(colours: Words) -> Numbers:
    """Luma of ITU-R BT.601 in thousandths."""
    red, green, blue = (colours.astype(np.int64) >> shift & 255 for shift in (16, 8, 0))
    return np.asarray(299 * red + 587 * green + 114 * blue)


def _differences(colours: Words) -> Words:
    """Each colour less the one before, channel by channel."""
    channels = np.stack([colours >> shift & 255 for shift in (24, 16, 8, 0)]).astype(np.uint8)
    parts = np.diff(channels, prepend=np.zeros((4, 1), np.uint8)).astype(np.uint32)
    return np.asarray(parts[0] << 24 | parts[1] << 16 | parts[2] << 8 | parts[3])


def _better(rows: Words) -> int:
    """The predictor that leaves less, SELECT or GRADIENT, on some of the rows (H, W)."""
    left = dict.fromkeys((GRADIENT, SELECT), 0)
    for y in range(1, len(rows), SAMPLED):
        pair, residual = rows[y - 1 : y + 1].reshape(-1), np.empty(2 * rows.shape[1], np.uint32)
        for mode in left:
            _predict(pair, rows.shape[1], mode, residual)
            left[mode] += int(_size(residual[rows.shape[1] :]))
    return min(left, key=lambda mode: left[mode])


@njit(cache=True)
def _size(residual: Words) -> np.int64:
    total = np.int64(0)
    for word in residual:
        for shift in (0, 8, 16):
            value = np.int64(word) >> shift & 255
            total += min(value, 256 - value)
    return total


@njit(cache=True)
def _pack(picture: NDArray[np.uint8], argb: Words) -> None:
    """(H, W, 3) -> (H * W,) words 0xAARRGGBB."""
    at = 0
    for y in range(picture.shape[0]):
        for x in range(picture.shape[1]):
            red, green, blue = np.uint32(picture[y, x, 0]), np.uint32(picture[y, x, 1]), np.uint32(picture[y, x, 2])
            argb[at] = np.uint32(OPAQUE) | red << np.uint32(16) | green << np.uint32(8) | blue
            at += 1


@njit(cache=True)
def _slot(word: np.int64, factor: int, bits: int) -> np.int64:
    return (word * factor & 0xFFFFFFFF) >> 32 - bits


@njit(cache=True)
def _place(slots: Words, colour: np.uint32) -> np.int64:
    """Where a colour lies in a table of 1024, or the free place where it belongs."""
    at = _slot(np.int64(colour), 0x9E3779B1, 10)
    while slots[at] != 0 and slots[at] != colour:
        at = at + 1 & 1023
    return np.int64(at)


@njit(cache=True)
def _palette(argb: Words, numbers: NDArray[np.int32]) -> Words:
    """The distinct colours as they come, and each pixel's number among them; or MAX_COLOURS + 1 of them, no numbers."""
    slots, seen, found = np.zeros(1024, np.uint32), np.zeros(1024, np.int32), np.empty(MAX_COLOURS + 1, np.uint32)
    count, last, number = 0, np.uint32(0), np.int32(0)
    for i in range(len(argb)):
        if argb[i] != last:
            last = argb[i]
            at = _place(slots, last)
            if slots[at] == 0:
                slots[at] = found[count] = last
                seen[at] = count
                count += 1
                if count > MAX_COLOURS:
                    break
            number = seen[at]
        numbers[i] = number
    return found[:count]


@njit(cache=True)
def _index(argb: Words, numbers: NDArray[np.int32], places: Numbers) -> None:
    """Each pixel's place in the sorted palette, in the green channel."""
    for i in range(len(argb)):
        argb[i] = OPAQUE | places[numbers[i]] << 8


@njit(cache=True)
def _subtract_green(argb: Words) -> None:
    for i in range(len(argb)):
        word = np.int64(argb[i])
        green = word >> 8 & 255
        argb[i] = word & 0xFF00FF00 | (word >> 16 & 255) - green + 256 << 16 & 0xFF0000 | (word & 255) - green & 255


@njit(cache=True)
def _less(word: int, guess: int) -> int:
    """Red, green and blue of a word less those of another, each modulo 256."""
    red, green = (word >> 16 & 255) - (guess >> 16 & 255) & 255, (word >> 8 & 255) - (guess >> 8 & 255) & 255
    return red << 16 | green << 8 | (word & 255) - (guess & 255) & 255


@njit(cache=True)
def _predict(argb: Words, width: int, mode: int, residual: Words) -> None:
    """What a predictor leaves of every pixel: (H * W,) words without alpha, which is the same everywhere."""
    before = np.int64(OPAQUE)
    for x in range(width):
        residual[x] = _less(np.int64(argb[x]), before)
        before = np.int64(argb[x])
    for start in range(width, len(argb), width):
        residual[start] = _less(np.int64(argb[start]), np.int64(argb[start - width]))
        if mode == SELECT:
            _select_row(argb, start, width, residual)
        else:
            _gradient_row(argb, start, width, residual)


@njit(cache=True)
def _select_row(argb: Words, start: int, width: int, residual: Words) -> None:
    left, corner = np.int64(argb[start]), np.int64(argb[start - width])
    l2, l1, l0 = left >> 16 & 255, left >> 8 & 255, left & 255
    c2, c1, c0 = corner >> 16 & 255, corner >> 8 & 255, corner & 255
    for i in range(start + 1, start + width):
        word, top = np.int64(argb[i]), np.int64(argb[i - width])
        t2, t1, t0 = top >> 16 & 255, top >> 8 & 255, top & 255
        p2, p1, p0 = word >> 16 & 255, word >> 8 & 255, word & 255
        nearer = abs(t2 - c2) + abs(t1 - c1) + abs(t0 - c0) < abs(l2 - c2) + abs(l1 - c1) + abs(l0 - c0)
        g2, g1, g0 = (l2, l1, l0) if nearer else (t2, t1, t0)
        residual[i] = (p2 - g2 & 255) << 16 | (p1 - g1 & 255) << 8 | p0 - g0 & 255
        l2, l1, l0, c2, c1, c0 = p2, p1, p0, t2, t1, t0


@njit(cache=True)
def _rest(value: int, left: int, top: int, corner: int) -> int:
    return value - min(max(left + top - corner, 0), 255) & 255


@njit(cache=True)
def _gradient_row(argb: Words, start: int, width: int, residual: Words) -> None:
    for i in range(start + 1, start + width):
        word, left = np.int64(argb[i]), np.int64(argb[i - 1])
        top, corner = np.int64(argb[i - width]), np.int64(argb[i - width - 1])
        red = _rest(word >> 16 & 255, left >> 16 & 255, top >> 16 & 255, corner >> 16 & 255)
        green = _rest(word >> 8 & 255, left >> 8 & 255, top >> 8 & 255, corner >> 8 & 255)
        residual[i] = red << 16 | green << 8 | _rest(word & 255, left & 255, top & 255, corner & 255)


@njit(cache=True)
def _run(argb: Words, start: int) -> int:
    """How many pixels from `start` on equal the one before it, at most MAX_RUN."""
    end = start
    while end < min(len(argb), start + MAX_RUN) and argb[end] == argb[start - 1]:
        end += 1
    return end - start


@njit(cache=True)
def _run_token(length: int) -> int:
    """A run's symbol, number of extra bits and their value in one word (RFC 9649, section 5.2.2)."""
    if length <= 4:
        return LITERALS + length - 1
    rest, high = length - 1, 0
    while rest >> high > 1:
        high += 1
    symbol = 2 * high + (rest >> high - 1 & 1)
    return LITERALS + symbol | high - 1 << _EXTRA_AT | (rest & (1 << high - 1) - 1) << _VALUE_AT


@njit(cache=True)
def _tokenize(argb: Words, tokens: NDArray[np.int32], cache_bits: int, counts: Numbers) -> None:
    """What the first code says of each pixel, -1 inside a run; how often each symbol of each code is needed."""
    recent, before, i = np.zeros(1 << cache_bits, np.uint32), np.uint32(0), 0
    while i < len(argb):
        pixel = argb[i]
        run = _run(argb, i) if i and pixel == before else 0
        if run >= LEAST_RUN:
            tokens[i] = _run_token(run)
            tokens[i + 1 : i + run] = -1
            counts[0, tokens[i] & 1023] += 1
            # One pixel back is distance code 2, prefix symbol 1 (section 5.2.2).
            counts[4, 1] += 1
            i += run
            continue
        before = pixel
        slot = _slot(np.int64(pixel), HASH, cache_bits)
        if cache_bits and recent[slot] == pixel:
            tokens[i] = LITERALS + LENGTHS + slot
        else:
            recent[slot] = pixel
            tokens[i] = np.int64(pixel) >> 8 & 255
            counts[1, np.int64(pixel) >> 16 & 255] += 1
            counts[2, np.int64(pixel) & 255] += 1
            counts[3, np.int64(pixel) >> 24] += 1
        counts[0, tokens[i]] += 1
        i += 1


def _write_image(
    out: Words, state: Numbers, argb: Words, tokens: NDArray[np.int32], cache_bits: int, whole: bool
) -> None:
    """Prefix codes and pixels of the picture itself (`whole`) or of the data of a transform."""
    alphabets = (LITERALS + LENGTHS + ((1 << cache_bits) if cache_bits else 0), LITERALS, LITERALS, LITERALS, DISTANCES)
    counts, codes = np.zeros((2, len(alphabets), alphabets[0]), np.int64)
    _tokenize(argb, tokens, cache_bits, counts)
    put(out, state, cache_bits << 1 | 1 if cache_bits else 0, 5 if cache_bits else 1)
    if whole:
        put(out, state, 0, 1)
    for number, size in enumerate(alphabets):
        lengths = code_lengths(counts[number, :size], CODE_LIMIT)
        write_code(out, state, lengths)
        codes[number, :size] = prefix_codes(lengths)
    _write_pixels(out, state, argb, tokens, codes)


@njit(cache=True)
def _write_pixels(out: Words, state: Numbers, argb: Words, tokens: NDArray[np.int32], codes: Numbers) -> None:
    # `put` spelled out: through the array, every bit would go to memory and back.
    held, bits, at = state[0], state[1], state[2]
    for i in range(len(argb)):
        token = np.int64(tokens[i])
        if token < 0:
            continue
        code = codes[0, token & 1023]
        held |= (code & 0xFFFF) << bits
        bits += code >> 16
        if bits >= 32:
            out[at] = held & 0xFFFFFFFF
            held, bits, at = held >> 32, bits - 32, at + 1
        if token < LITERALS:
            pixel = np.int64(argb[i])
            red, blue, alpha = codes[1, pixel >> 16 & 255], codes[2, pixel & 255], codes[3, pixel >> 24]
            held |= ((red & 0xFFFF) | (blue & 0xFFFF) << (red >> 16)) << bits
            bits += (red >> 16) + (blue >> 16)
            if bits >= 32:
                out[at] = held & 0xFFFFFFFF
                held, bits, at = held >> 32, bits - 32, at + 1
            held |= (alpha & 0xFFFF) << bits
            bits += alpha >> 16
        elif token < LITERALS + LENGTHS or token >= 1 << _EXTRA_AT:
            held |= (token >> _VALUE_AT) << bits
            bits += token >> _EXTRA_AT & 15
        if bits >= 32:
            out[at] = held & 0xFFFFFFFF
            held, bits, at = held >> 32, bits - 32, at + 1
    state[0], state[1], state[2] = held, bits, at
