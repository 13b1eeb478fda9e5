"""FLAC of one channel and 16 bits, all of it or a part, decoded in less time than libsndfile takes.

The format is that of RFC 9639. A part is found by guessing where its first frame lies and reading the numbers in the
frames' headers, so nothing before it is decoded. Whatever is written otherwise, or damaged, is left to libsndfile:
`decode` says so and has promised nothing.
"""

from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from .flac_frames import CRC8, CRC16, Bytes, Int, checksum, find_frame, frame_header
from .flac_header import FlacHeader

Words = NDArray[np.uint32]
Numbers = NDArray[np.int64]

MOST_ORDER = 32
"""Coefficients of a linear predictor (RFC 9639, 9.2.6)."""


@intrinsic  # type: ignore[untyped-decorator]
def _leading_zeros(typing: Any, word: Any) -> Any:
    """Zeros (0..64) above the highest set bit of a uint64."""

    def generated(context: Any, builder: Any, signature: Any, words: Any) -> Any:
        return builder.ctlz(words[0], context.get_constant(types.boolean, False))

    return types.uint64(types.uint64), generated


def decode(data: memoryview | bytes, header: FlacHeader, first: int, out: NDArray[np.int16]) -> bool:
    """Samples `first` to first + len(out) of a FLAC file into `out` (n,) int16; False where libsndfile has to do it.

    `out` is then undefined. Every frame that is decoded has the checksum in it. Never reads or writes outside of the
    two, whatever the bytes.
    """
    if (header.channels, header.bits) != (1, 16) or not header.block or first + len(out) > header.samples:
        return False
    view = np.frombuffer(data, np.uint8)
    wanted = first // header.block
    at = find_frame(view, header.first_frame, wanted, -(-header.samples // header.block), CRC8)
    if at < 0:
        return False
    size = (header.block, header.samples, first)
    return bool(_decode(view[at:], _words(view[at:]), wanted, size, out, CRC8, CRC16))


def _words(view: Bytes) -> Words:
    """Bytes as numbers of 32 bits, highest first, and three of zeros behind the end for looking ahead."""
    whole = len(view) // 4
    words = np.zeros(whole + 4, np.uint32)
    words[:whole] = view[: whole * 4].view(">u4")
    words[whole] = int.from_bytes(view[whole * 4 :].tobytes().ljust(4, b"\0"), "big")
    return words


@njit(cache=True, nogil=True)
def _bits(words: Words, at: Int, count: Int) -> Int:
    """The next `count` bits (1..32) from bit `at` on, as a number."""
    place, skipped = at >> 5, np.uint64(at & 31)
    both = np.uint64(words[place]) << np.uint64(32) | np.uint64(words[place + 1])
    return np.int64((both << skipped) >> np.uint64(64 - count))


@njit(cache=True, nogil=True)
def _signed(words: Words, at: Int, count: Int) -> Int:
    value = _bits(words, at, count)
    return value - (value >> (count - 1) << count)


@njit(cache=True, nogil=True)
def _decode(
    data: Bytes,
    words: Words,
    number: int,
    size: tuple[int, int, int],
    out: NDArray[np.int16],
    crc8: NDArray[np.uint16],
    crc16: NDArray[np.uint16],
) -> bool:
    """Frame after frame from byte 0 on; `size`: samples of a frame and of the file, and which is the first wanted."""
    block, total, first = size
    scratch = np.empty(block, np.int64)
    at, done = 0, 0
    while done < len(out):
        if at + 8 > len(data):
            return False
        found, samples, length = frame_header(data, at, crc8)
        if found != number or samples != min(block, total - number * block):
            return False
        wave = scratch[:samples]
        end = _subframe(words, (at + length) * 8, len(data) * 8, wave)
        stop = end + 7 >> 3
        if end < 0 or stop + 2 > len(data):
            return False
        if checksum(data, stop, at, crc16) != (np.int64(data[stop]) << 8 | data[stop + 1]):
            return False
        skipped = max(0, first - number * block)
        taken = min(samples - skipped, len(out) - done)
        for i in range(taken):
            if not -32768 <= wave[skipped + i] <= 32767:
                return False
            out[done + i] = wave[skipped + i]
        done, at, number = done + taken, stop + 2, number + 1
    return True


@njit(cache=True, nogil=True)
def _subframe(words: Words, at: Int, end: Int, out: Numbers) -> Int:
    """One channel of a frame (n,) from bit `at` on; the bit behind it, or -1 for what is not understood."""
    kind, wasted = _bits(words, at, 7), 0
    if _bits(words, at + 7, 1):
        while wasted < 16 and at + 8 + wasted < end and not _bits(words, at + 8 + wasted, 1):
            wasted += 1
        wasted += 1
    at += 8 + wasted
    bits = 16 - wasted
    if bits < 1 or at + bits > end:
        return -1
    if kind == 0:
        out[:] = _signed(words, at, bits)
        at += bits
    elif kind == 1:
        if at + bits * len(out) > end:
            return -1
        for i in range(len(out)):
            out[i] = _signed(words, at, bits)
            at += bits
    elif 8 <= kind <= 12 or kind >= 32:
        at = _predicted(words, at, end, (kind, bits), out)
    else:
        return -1
    if wasted and at >= 0:
        out <<= wasted
    return at


@njit(cache=True, nogil=True)
def _predicted(words: Words, at: Int, end: Int, kind: tuple[int, int], out: Numbers) -> Int:
    """A subframe of a fixed or linear predictor, its first samples of so many bits as they are."""
    fixed, bits = kind[0] < 32, kind[1]
    order = kind[0] - 8 if fixed else (kind[0] & 31) + 1
    if order > len(out) or at + order * bits + (6 if fixed else 15) > end:
        return -1
    for i in range(order):
        out[i] = _signed(words, at, bits)
        at += bits
    taps, shift = np.zeros(MOST_ORDER, np.int64), 0
    if fixed:
        # Differences of so many orders (9.2.5): binomial coefficients with changing signs.
        value = np.int64(1)
        for i in range(order):
            value = value * (order - i) // (i + 1)
            taps[i] = value if i % 2 == 0 else -value
    else:
        precision, shift = _bits(words, at, 4) + 1, _signed(words, at + 4, 5)
        at += 9
        if precision == 16 or shift < 0 or at + order * precision + 6 > end:
            return -1
        for i in range(order):
            taps[i] = _signed(words, at, precision)
            at += precision
    at = _residual(words, at, end, order, out)
    if at >= 0 and order <= 4:
        _restore_4(taps, shift, order, out)
    elif at >= 0 and order <= 8:
        _restore_8(taps, shift, order, out)
    elif at >= 0:
        _restore(taps, shift, order, out)
    return at


@njit(cache=True, nogil=True)
def _restore_4(taps: Numbers, shift: int, order: int, out: Numbers) -> None:
    a, b, c, d = taps[0], taps[1], taps[2], taps[3]
    p = out[order - 1] if order > 0 else np.int64(0)
    q = out[order - 2] if order > 1 else np.int64(0)
    r = out[order - 3] if order > 2 else np.int64(0)
    s = out[order - 4] if order > 3 else np.int64(0)
    for i in range(order, len(out)):
        new = out[i] + ((b * q + c * r + d * s + a * p) >> shift)
        out[i] = new
        p, q, r, s = new, p, q, r


@njit(cache=True, nogil=True)
def _restore_8(taps: Numbers, shift: int, order: int, out: Numbers) -> None:
    a, b, c, d, e, f, g, h = taps[0], taps[1], taps[2], taps[3], taps[4], taps[5], taps[6], taps[7]
    p, q, r, s, t = out[order - 1], out[order - 2], out[order - 3], out[order - 4], out[order - 5]
    u = out[order - 6] if order > 5 else np.int64(0)
    v = out[order - 7] if order > 6 else np.int64(0)
    w = out[order - 8] if order > 7 else np.int64(0)
    for i in range(order, len(out)):
        new = out[i] + ((b * q + c * r + d * s + e * t + (f * u + g * v + h * w) + a * p) >> shift)
        out[i] = new
        p, q, r, s, t, u, v, w = new, p, q, r, s, t, u, v


@njit(cache=True, nogil=True)
def _restore(taps: Numbers, shift: int, order: int, out: Numbers) -> None:
    for i in range(order, len(out)):
        total = np.int64(0)
        for j in range(order):
            total += taps[j] * out[i - 1 - j]
        out[i] += total >> shift


@njit(cache=True, nogil=True)
def _residual(words: Words, at: Int, end: Int, order: int, out: Numbers) -> Int:
    """What the predictor left over, into out[order:]; the bit behind it, or -1."""
    method, parts = _bits(words, at, 2), _bits(words, at + 2, 4)
    at += 6
    each, width = len(out) >> parts, 4 + method
    if method > 1 or each << parts != len(out) or each < order:
        return -1
    first = order
    for part in range(1 << parts):
        if at + width + 5 > end:
            return -1
        low = _bits(words, at, width)
        at += width
        last = each * (part + 1)
        if low < (1 << width) - 1:
            at = _rice(words, at, end, low, out[first:last])
        else:
            raw = _bits(words, at, 5)
            at += 5
            if at + raw * (last - first) > end:
                return -1
            for i in range(first, last):
                out[i] = _signed(words, at, raw) if raw else 0
                at += raw
        if at < 0:
            return -1
        first = last
    return at


@njit(cache=True, nogil=True)
def _rice(words: Words, at: Int, end: Int, low: Int, out: Numbers) -> Int:
    """Numbers (n,) of a Rice code with `low` plain bits; the bit behind them, or -1."""
    place, most = at >> 5, len(words) - 1
    held, count = np.uint64(words[place]) << np.uint64(32 + (at & 31)), 32 - (at & 31)
    place += 1
    for i in range(len(out)):
        if count < 32:
            held |= np.uint64(words[min(place, most)]) << np.uint64(32 - count)
            place, count = place + 1, count + 32
        high: Int = np.int64(_leading_zeros(held))
        if high + 1 + low <= count:
            held <<= np.uint64(high + 1)
            # In two steps, since no plain bits would be a shift by 64.
            value = high << low | np.int64(held >> np.uint64(1) >> np.uint64(63 - low))
            held <<= np.uint64(low)
            count -= high + 1 + low
        else:
            at, high = place * 32 - count, 0
            while at < end and not _bits(words, at, 1):
                at, high = at + 1, high + 1
            at += 1
            if at + low > end or high > 1 << 20:
                return -1
            value = high << low | (_bits(words, at, low) if low else 0)
            at += low
            place = at >> 5
            held, count = np.uint64(words[place]) << np.uint64(32 + (at & 31)), 32 - (at & 31)
            place += 1
        out[i] = value >> 1 ^ -(value & 1)
    at = place * 32 - count
    return at if at <= end else -1
