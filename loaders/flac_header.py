"""What the header of a FLAC file says, without its frames."""

from dataclasses import dataclass


@dataclass(frozen=True)
class FlacHeader:
    """Rate in Hz, channels, bits and number of samples; `block` samples in a frame, 0 where frames differ."""

    rate: int
    channels: int
    bits: int
    samples: int
    block: int
    first_frame: int
    """Its first byte."""


def flac_header(data: memoryview | bytes) -> FlacHeader | None:
    """Read the metadata blocks (RFC 9639, 8); None for anything but a FLAC file of known length."""
    if bytes(data[:4]) != b"fLaC" or len(data) < 42 or data[4] & 0x7F:
        return None
    least, most = (int.from_bytes(data[at : at + 2], "big") for at in (8, 10))
    packed = int.from_bytes(data[18:26], "big")
    rate, channels, bits, samples = (
        packed >> 44,
        (packed >> 41 & 7) + 1,
        (packed >> 36 & 31) + 1,
        packed & (1 << 36) - 1,
    )
    at, last = 4, False
    while not last and at + 4 <= len(data):
        last = bool(data[at] & 0x80)
        at += 4 + int.from_bytes(data[at + 1 : at + 4], "big")
    if not samples or not last or at >= len(data):
        return None
    return FlacHeader(rate, channels, bits, samples, most if least == most else 0, at)
