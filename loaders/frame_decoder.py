"""Which decoder the frames of clips go to: libwebp, or this package's own."""

from .own_decoder import OwnDecoder

OWN_AFTER = 2000
"""Frames that a process leaves to libwebp: so few do not repay what loading the compiled decoder takes, 1 to 2 s."""
VARIABLE = "FACEVOX_FRAME_DECODER"
"""Environment variable: "auto" (default), "own" from the first frame on, "libwebp" always. The pixels are the same."""


class FrameDecoder(OwnDecoder):
    """`own()(payload, out)` decodes a frame, or says that libwebp has to."""

    def __init__(self) -> None:
        super().__init__("vp8l_decoder", VARIABLE, "libwebp", OWN_AFTER)
