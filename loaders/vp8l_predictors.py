"""From what VP8L's predictors leave of a picture back to the picture (RFC 9649, section 4.1)."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .prefix_codes import Words
from .vp8l import GRADIENT


@njit(cache=True)
def _first_row(words: Words, row: NDArray[np.uint8]) -> np.int64:
    """The pixels of the first row, each from its left; and the bits that are set in any residual."""
    red, green, blue, seen = np.int64(0), np.int64(0), np.int64(0), np.int64(0)
    for x in range(len(row)):
        word = np.int64(words[x])
        seen |= word
        red, green, blue = red + (word >> 16) & 255, green + (word >> 8) & 255, blue + word & 255
        row[x, 0], row[x, 1], row[x, 2] = red, green, blue
    return np.int64(seen)


@njit(cache=True)
def _clamped(value: np.int64) -> np.int64:
    return min(max(value, np.int64(0)), np.int64(255))


@njit(cache=True)
def restore_numbers(words: Words, width: int, mode: int) -> None:
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
                left = _clamped(left + top - corner) + np.int64(words[i]) & 255
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
def restore_gradient(words: Words, out: NDArray[np.uint8]) -> np.int64:
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
            l2 = _clamped(l2 + t2 - c2) + (word >> 16) & 255
            l1 = _clamped(l1 + t1 - c1) + (word >> 8) & 255
            l0 = _clamped(l0 + t0 - c0) + word & 255
            row[x, 0], row[x, 1], row[x, 2] = l2, l1, l0
            c2, c1, c0 = t2, t1, t0
    return np.int64(seen)


@njit(cache=True)
def restore_select(words: Words, out: NDArray[np.uint8]) -> np.int64:
    """As restore_gradient, by the other predictor."""
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
    return np.int64(seen)


@njit(cache=True)
def add_green(out: NDArray[np.uint8]) -> None:
    for y in range(out.shape[0]):
        row = out[y]
        for x in range(len(row)):
            row[x, 0] += row[x, 1]
            row[x, 2] += row[x, 1]
