"""One clip as the release publishes it: PNG frames of three streams and two WAV files, read in place and checked."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...loaders.media import decode_audio, decode_png, png_header
from ..core.builder import Unit
from ..core.raw import Folder
from ..core.review import decided_trim
from ..core.stage import Clock, Reject
from .align import Span
from .speakingfaces_listing import MAX_PNG_BYTES, MAX_WAV_BYTES

FPS = 28
RATE = 44_100
MAX_SAMPLES = 120 * RATE
"""Two minutes; a whole position of the recording lasts 32 seconds."""
VISUAL = (768, 512)
THERMAL = (464, 348)
"""Sizes as (width, height) of the release's frames."""


class ReleaseClip:
    """Frames and sounds of one unit; frames count from 1, streams are 1 thermal, 2 visual, 3 aligned.

    Where a person decided on a trim, only so many samples of sound and the whole frames in them are there.
    Raises Reject for a trim that leaves no frame.
    """

    audio_lag = 1 / FPS
    """The release cuts frame start from (start - 1)/28 s on, and sound from start/28 s on."""

    dropped = 0
    """Frames cut off at the beginning."""

    def __init__(self, raw: Folder, unit: Unit, clock: Clock) -> None:
        archive = raw.inside(unit.details["archive"])
        if archive is None:
            raise FileNotFoundError(
                f"{unit.details['archive']}: gone since the release was listed. Put it back and resume"
            )
        self.archive, self.clock, self.stem = archive, clock, Stem(unit)
        self.first, self.frames = unit.details["first"], unit.details["frames"]
        self.has_aligned = bool(unit.details["aligned"])
        self.keep = decided_trim(unit)
        if self.keep is not None:
            self.frames = min(self.frames, self.keep * FPS // RATE)
            if not self.frames:
                raise Reject(f"decided to trim to {self.keep} samples of sound: not one whole frame", "review.jsonl")
        self.spans: list[Span] = [
            (first, min(last, self.frames), dx, dy)
            for first, last, dx, dy in unit.details["spans"]
            if first <= self.frames
        ]
        self.facts: dict[str, Any] = {}
        self._last: dict[int, tuple[bytes, NDArray[np.uint8]]] = {}

    def close(self) -> None:
        """Nothing is held open but the archive."""

    def picture(self, stream: int, number: int) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 RGB. Raises Reject for a picture that is not as the release's pictures are."""
        name = self.stem.picture(stream, self.first + number - 1)
        with self.clock("read"):
            data = self.archive.read(name, MAX_PNG_BYTES)
        if stream in self._last and self._last[stream][0] == data:
            # A frozen frame is the same file again: not to be decoded, and the same array to whoever compares.
            return self._last[stream][1]
        with self.clock("decode"):
            place = f"{self.archive.label}/{name}"
            header = placed(place, png_header, data)
            width, height = (round(edge * self.stem.scale) for edge in (VISUAL if stream == 2 else THERMAL))
            if (header.width, header.height, header.bits, header.colour_type) != (width, height, 8, 2):
                found = f"{header.width}x{header.height}, {header.bits} bits, colour type {header.colour_type}"
                raise Reject(f"expected {width}x{height} 8-bit RGB PNG, found {found}", place)
            image = np.asarray(placed(place, decode_png, data, header), np.uint8)
        self._last[stream] = (data, image)
        return image

    def sound(self, mic: int) -> NDArray[np.int16]:
        """(samples,) int16 at 44.1 kHz of microphone 1 or 2. Raises Reject for any other kind of sound."""
        name = self.stem.sound(mic)
        place = f"{self.archive.label}/{name}"
        with self.clock("read"):
            data = self.archive.read(name, MAX_WAV_BYTES)
        with self.clock("audio"):
            if data[:4] != b"RIFF":
                raise Reject(f"not a WAV file: {len(data)} bytes, begins with {data[:4]!r}", place)
            samples, rate = placed(place, decode_audio, data, MAX_SAMPLES)
            if rate != RATE or samples.ndim != 1 or not len(samples):
                found = f"{rate} Hz, {samples.ndim} channels" if len(samples) else "no samples"
                raise Reject(f"expected {RATE} Hz mono sound, found {found}", place)
            return np.asarray(samples, np.int16)[: self.keep]


def placed(place: str, decode: Any, *arguments: Any) -> Any:
    """Call a decoder; what it refuses is bad input at that place."""
    try:
        return decode(*arguments)
    except ValueError as error:
        raise Reject(str(error), place) from None


class Stem:
    """Member names of one unit in the release's spelling."""

    def __init__(self, unit: Unit) -> None:
        person, self.command = unit.details["person"], unit.details["command"]
        subject, trial, position = person["subject"], person["trial"], person["position"]
        self.scale = float(unit.details["scale"])
        self.session = 2 if unit.config == "utterances" else 1
        self.text = f"{subject}_{trial}_{self.session}_{position}" + (f"_{self.command}" if self.session == 2 else "")
        self._folder = f"sub_{subject}_{'ia' if self.session == 2 else 'io'}/trial_{trial}"

    def picture(self, stream: int, frame: int) -> str:
        spoken = "_cmd" if self.session == 2 else ""
        folder = ("", f"thr_image{spoken}", f"rgb_image{spoken}", f"rgb_image{spoken}_aligned")[stream]
        return f"{self._folder}/{folder}/{self.text}_{frame}_{stream}.png"

    def sound(self, mic: int) -> str:
        return f"{self._folder}/mic{mic}_audio_cmd_trim/{self.text}_{mic}.wav"
