"""Frames of a FLAC file: their headers, where one of them begins, their checksums (RFC 9639, 9)."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Int = Any
"""A whole number: int, or np.int64 where the compiler has to be told."""

SYNC = (0xFF, 0xF8)
"""How a frame of a file with one size of frames begins (9.1)."""
GUESSES = 64


def _remainders(bits: int, polynomial: int, tables: int) -> NDArray[np.uint16]:
    """What a byte with 0, 1, .. bytes of zeros behind it leaves over of a polynomial of `bits` bits: (tables, 256)."""
    found = np.zeros((tables, 256), np.uint16)
    for byte in range(256):
        rest = byte << (bits - 8)
        for table in range(tables):
            for _ in range(8):
                rest = (rest << 1 ^ polynomial if rest >> (bits - 1) else rest << 1) & (1 << bits) - 1
            found[table, byte] = rest
    return found


CRC8 = _remainders(8, 0x07, 1)[0]
CRC16 = _remainders(16, 0x8005, 8)


@njit(cache=True, nogil=True)
def frame_header(data: Bytes, at: Int, crc8: NDArray[np.uint16]) -> tuple[Int, Int, Int]:
    """Number, samples and bytes of the header of a frame at byte `at`; a number below 0 where there is none."""
    none = (-1, 0, 0)
    # Fixed block size; one channel; 16 bits, or as the file's header says.
    if at + 8 > len(data) or data[at] != SYNC[0] or data[at + 1] != SYNC[1] or data[at + 3] not in (0, 8):
        return none
    code, rate, end = data[at + 2] >> 4, data[at + 2] & 15, at + 4
    number = np.int64(data[end])
    more = 0
    if number >= 0xC0:
        while more < 6 and number & 0x40 >> more:
            more += 1
        number &= (0x40 >> more) - 1
    elif number >= 0x80:
        return none
    behind = (1 if code == 6 else 2 if code == 7 else 0) + (1 if rate == 12 else 2 if rate in (13, 14) else 0)
    if more > 5 or rate == 15 or code == 0 or end + 1 + more + behind >= len(data):
        return none
    for _ in range(more):
        end += 1
        number = number << 6 | data[end] & 0x3F
    end += 1
    if code == 6:
        samples = np.int64(data[end]) + 1
    elif code == 7:
        samples = (np.int64(data[end]) << 8 | data[end + 1]) + 1
    elif code == 1:
        samples = np.int64(192)
    else:
        samples = np.int64(576) << code - 2 if code < 6 else np.int64(256) << code - 8
    end += behind
    rest = np.uint16(0)
    for place in range(at, end):
        rest = crc8[(rest ^ data[place]) & 0xFF]
    return (number, samples, end + 1 - at) if rest == data[end] else none


@njit(cache=True, nogil=True)
def find_frame(data: Bytes, begin: Int, wanted: int, frames: int, crc8: NDArray[np.uint16]) -> Int:
    """Where the frame numbered `wanted` of so many begins, by guesses from the length of the file; -1 if not found."""
    low, low_number, high, high_number = begin, np.int64(0), len(data), np.int64(frames)
    for _ in range(GUESSES):
        # Half a frame early, so that the frame itself is met most often.
        share = max(0.0, (wanted - low_number - 0.5) / (high_number - low_number))
        at, number = low + np.int64(share * (high - low)), np.int64(-1)
        while number < 0 and at < high:
            while at < high and not (data[at] == SYNC[0] and at + 1 < high and data[at + 1] == SYNC[1]):
                at += 1
            number = frame_header(data, at, crc8)[0] if at < high else np.int64(-1)
            at += number < 0
        if number == wanted:
            return at
        if low_number <= number < wanted:
            low, low_number = at + 1, number
        elif wanted < number < high_number:
            high, high_number = at, number
        else:
            # Nothing from the guess on: what is wanted lies before it.
            high = low + np.int64(share * (high - low))
        if high <= low:
            return -1
    return -1


@njit(cache=True, nogil=True)
def checksum(data: Bytes, end: int, first: int, crc16: NDArray[np.uint16]) -> Int:
    """CRC-16 of the bytes from `first` to `end`, eight at a time."""
    rest, at = np.uint16(0), first
    while at + 8 <= end:
        rest = (
            crc16[7, data[at] ^ rest >> 8]
            ^ crc16[6, data[at + 1] ^ rest & 0xFF]
            ^ crc16[5, data[at + 2]]
            ^ crc16[4, data[at + 3]]
            ^ crc16[3, data[at + 4]]
            ^ crc16[2, data[at + 5]]
            ^ crc16[1, data[at + 6]]
            ^ crc16[0, data[at + 7]]
        )
        at += 8
    while at < end:
        rest = np.uint16(rest << 8 & 0xFFFF) ^ crc16[0, (rest >> 8 ^ data[at]) & 0xFF]
        at += 1
    return np.int64(rest)
