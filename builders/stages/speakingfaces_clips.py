"""One pass over a clip: measure every frame, align, encode, compare; and the sound without loss."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...loaders.media import ClipWriter, decode_audio, decode_frame, encode_flac
from ..core.builder import Unit
from ..core.stage import Clock, Reject
from .align import Aligner, Span
from .evidence import Evidence
from .noise import NOISY_BELOW_DB, snr_db
from .speakingfaces_facts import FORGED_TERMS, TERMS
from .speakingfaces_options import SpeakingFacesOptions
from .speakingfaces_release import FPS, RATE, Stem

Image = NDArray[np.uint8]


class Source(Protocol):
    """A clip's frames, numbered from 1, asked for in rising order, and its sounds."""

    @property
    def frames(self) -> int: ...

    @property
    def has_aligned(self) -> bool: ...

    @property
    def audio_lag(self) -> float: ...

    @property
    def stem(self) -> Stem: ...

    @property
    def first(self) -> int: ...

    @property
    def spans(self) -> list[Span]: ...

    @property
    def dropped(self) -> int: ...

    def picture(self, stream: int, number: int) -> Image:
        """(H, W, 3) uint8 RGB of stream 1 thermal, 2 visual, 3 aligned. Raises Reject for an unfit picture."""

    def sound(self, mic: int) -> NDArray[np.int16]:
        """(samples,) int16 of microphone 1 or 2. Raises Reject for an unfit sound."""


def about(unit: Unit, source: Source) -> dict[str, Any]:
    """Facts that every sample has: whose it is, what it is, and its terms; `unit` is of the release's own split."""
    facts: dict[str, Any] = dict(unit.details["person"]) | {
        "release_split": {"train": "Train", "validation": "Valid", "test": "Test"}[unit.split],
        "session": source.stem.session,
        "frames": source.frames,
        "first_frame": source.first,
        "fps": FPS,
        "seconds": source.frames / FPS,
        "release_name": f"{unit.details['archive']}:{source.stem.text}",
    }
    return facts | (FORGED_TERMS if unit.details["forged"] else TERMS)


def clip_writer(options: SpeakingFacesOptions) -> ClipWriter:
    return ClipWriter(options.effort, options.quality if options.quality >= 0 else None, FPS)


def encode(clip: ClipWriter, frame: Image, options: SpeakingFacesOptions, clock: Clock) -> None:
    """Add a frame (H, W, 3) uint8 RGB to a clip; lossless ones are decoded again and compared."""
    with clock("encode"):
        payload = clip.add(frame)
    if options.quality < 0:
        with clock("check"):
            if not np.array_equal(decode_frame(payload, frame.shape[1], frame.shape[0]), frame):
                raise ValueError("the encoded frame does not decode to the same pixels")


def sounds(source: Source, name: str, clock: Clock) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Both microphones as FLAC with identical samples, and the facts about them."""
    media, lengths, ratios = {}, [], []
    for mic in (1, 2):
        samples = source.sound(mic)
        with clock("audio"):
            media[f"mic{mic}.flac"] = encode_flac(samples, RATE)
            if not np.array_equal(decode_audio(media[f"mic{mic}.flac"])[0], samples):
                raise ValueError(f"{name}, microphone {mic}: FLAC did not keep the samples")
            lengths.append(len(samples))
            ratios.append(snr_db(samples, RATE))
    if lengths[0] != lengths[1]:
        with clock("audio"):
            raise Reject(f"microphones of different lengths: {lengths[0]} and {lengths[1]} samples", name)
    by_audio = lengths[0] * FPS // RATE
    facts: dict[str, Any] = {"sample_rate": RATE, "samples": lengths[0], "frames_by_audio": by_audio}
    facts |= {"snr_db": ratios[0], "noisy": ratios[0] < NOISY_BELOW_DB}
    return media, facts | {"audio_lag": source.audio_lag}


class ClipPass:
    """Decode, measure, align, encode, compare, frame by frame; only encoded frames are kept."""

    def __init__(self, options: SpeakingFacesOptions, aligner: Aligner, clock: Clock) -> None:
        self.options, self.aligner, self.clock = options, aligner, clock

    def run(self, source: Source) -> tuple[dict[str, bytes], dict[str, Any]]:
        """Media and evidence of one clip."""
        visual_clip, thermal_clip = clip_writer(self.options), clip_writer(self.options)
        evidence = Evidence(self.options, self.aligner.scale, self.clock)
        for number in range(1, source.frames + 1):
            thermal, visual = source.picture(1, number), source.picture(2, number)
            evidence.add(visual, thermal)
            if source.has_aligned and self.aligner.wants(number):
                aligned = source.picture(3, number)
                with self.clock("align"):
                    self.aligner.add(number, visual, aligned)
            encode(visual_clip, visual, self.options, self.clock)
            encode(thermal_clip, thermal, self.options, self.clock)
        media = {"visual.webp": visual_clip.finish(), "thermal.webp": thermal_clip.finish()}
        stored = source.has_aligned and (self.options.materialize_aligned or self.aligner.fails)
        if stored:
            aligned_clip = clip_writer(self.options)
            for number in range(1, source.frames + 1):
                encode(aligned_clip, source.picture(3, number), self.options, self.clock)
            media["aligned.webp"] = aligned_clip.finish()
        return media, {**self.aligner.facts(), **evidence.facts(), "aligned_stored": stored}
