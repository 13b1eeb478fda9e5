"""SpeakingFaces (Abdrakhmanova et al., Sensors 2021): thermal and visual video of 142 people, silent and speaking."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..loaders.media import ClipWriter, decode_audio, decode_frame, decode_png, encode_flac, png_header
from ..loaders.sample import Config, Fact, Field, Sample
from .core.builder import Builder, ReleaseOptions, Unit
from .core.raw import Folder, Raw
from .core.stage import Clock, Reject, Rejection
from .stages.align import Aligner
from .stages.artifacts import FROZEN_FRAMES, Blur, Freeze, Palette
from .stages.speakingfaces_listing import MAX_PNG_BYTES, MAX_WAV_BYTES, Listing

FPS = 28
RATE = 44_100
MAX_SAMPLES = 120 * RATE
"""Two minutes; a whole position of the recording lasts 32 seconds."""
VISUAL = (768, 512)
THERMAL = (464, 348)
"""Sizes as (width, height) of the release's frames."""
TERMS = {
    "licence": "CC BY 4.0, https://doi.org/10.48333/smgd-yj77",
    "consent": "signed informed consent to share identifiable images as a dataset (Nazarbayev University IREC)",
    "source": "SpeakingFaces, ISSAI, Nazarbayev University",
}
FORGED_TERMS = {
    "licence": "none needed: forged by facevox",
    "consent": "none needed: a person who does not exist",
    "source": "forged by facevox in the layout of SpeakingFaces",
}

SEGMENT = pa.struct(
    [
        ("first", pa.int32()),
        ("last", pa.int32()),
        ("h", pa.list_(pa.float64())),
        ("source", pa.string()),
        ("dx", pa.int32()),
        ("dy", pa.int32()),
    ]
)
RUN = pa.struct([("first", pa.int32()), ("last", pa.int32())])
JUMP = pa.struct([("frame", pa.int32()), ("dx", pa.float32()), ("dy", pa.float32())])

WHO = (
    Fact("subject", pa.int16(), "subject number of the release, 1 to 142"),
    Fact("gender", pa.string(), "as in subjects.csv: Female or Male"),
    Fact("age", pa.int16(), "years, as in subjects.csv"),
    Fact("ethnicity", pa.string(), "as in subjects.csv: Asian, Black or Caucasian"),
    Fact("accessories", pa.string(), "worn in this trial: None, Glasses, Veil, Hat; several joined by ';'"),
    Fact("release_split", pa.string(), "the release's word for the split: Train, Valid or Test"),
    Fact("trial", pa.int8(), "recording day, 1 or 2, at least two weeks apart"),
    Fact("session", pa.int8(), "1 silent and still, 2 reading commands aloud"),
    Fact("position", pa.int8(), "camera position 1 to 9; 1-3 frontal, 4-6 and 7-9 from the sides; level, above, below"),
    Fact("frames", pa.int32(), "frames in each clip"),
    Fact("first_frame", pa.int32(), "release number of the clip's first frame"),
    Fact("fps", pa.int16(), "frames per second"),
    Fact("seconds", pa.float64(), "frames / fps"),
    Fact("release_name", pa.string(), "the release's archive and name stem"),
    Fact("licence", pa.string(), "licence of the release"),
    Fact("consent", pa.string(), "what the pictured person agreed to"),
    Fact("source", pa.string(), "where the release comes from"),
)
EVIDENCE = (
    Fact(
        "alignment",
        pa.list_(SEGMENT),
        "visual to thermal: matrices h (row-major) for frames first..last, counted from 1",
    ),
    Fact("alignment_covers", pa.bool_(), "whether every frame has a matrix"),
    Fact(
        "aligned_residual",
        pa.float32(),
        "grey levels between warped visual and the release's aligned frame, worst checked",
    ),
    Fact("aligned_checked", pa.int32(), "aligned frames compared"),
    Fact("aligned_stored", pa.bool_(), "whether the clip aligned.webp is kept beside the matrices"),
    Fact("blur", pa.list_(pa.float32()), "variance of the Laplacian of every grey visual frame"),
    Fact("blur_min", pa.float32(), "smallest of them"),
    Fact("blur_median", pa.float32(), "median of them"),
    Fact("blur_share", pa.float32(), "share of frames below 10"),
    Fact("blurred", pa.bool_(), "our verdict: any frame below 10"),
    Fact("freeze_runs", pa.list_(RUN), "runs of pixel-identical thermal frames, counted from 1"),
    Fact("freeze_longest", pa.int32(), "frames in the longest run"),
    Fact("freeze_share", pa.float32(), "share of frames in runs that count as frozen"),
    Fact("frozen", pa.bool_(), "our verdict: a run of at least --freeze-frames"),
    Fact(
        "chin_overshoot", pa.float32(), "pixels by which the worst chin landmark leaves the picture; null: not measured"
    ),
    Fact("chin_share", pa.float32(), "share of frames with a chin landmark outside; null: not measured"),
    Fact("faceless_share", pa.float32(), "share of frames without a detected face; null: not measured"),
    Fact("chin_cut", pa.bool_(), "our verdict; null: not judged"),
    Fact("jumps", pa.list_(JUMP), "frames that jump sideways and by how much; null: not measured"),
    Fact("flickers", pa.bool_(), "our verdict; null: not judged"),
    Fact("snr_db", pa.float32(), "estimated signal-to-noise ratio of mic 1; null: not measured or silent session"),
    Fact("noisy", pa.bool_(), "our verdict; null: not judged"),
    Fact("palette_exact", pa.bool_(), "every thermal pixel is one of the camera's 224 colours"),
    Fact("palette_outside", pa.int64(), "thermal pixels that are not"),
)
SPOKEN = (
    Fact("command", pa.int16(), "command number, unique only inside a split"),
    Fact("command_text", pa.string(), "the command shown; null without a command table"),
    Fact("transcript", pa.string(), "what was really said; null without a command table"),
    Fact("thermal_code", pa.int8(), "published: 0 clean, 1 frozen"),
    Fact("visual_code", pa.int8(), "published: 0 clean, 1 blurred, 2 cut chin, 3 both"),
    Fact("audio_code", pa.int8(), "published: 0 clean, 1 background noise"),
    Fact("text_code", pa.int8(), "published: 0 clean, 1 minor noise, 2 invalid"),
    Fact("sample_rate", pa.int32(), "Hz"),
    Fact("samples", pa.int32(), "audio samples per microphone"),
    Fact("frames_by_audio", pa.int32(), "samples * 28 // rate; the release is one frame short where this is one more"),
    Fact("audio_lag", pa.float32(), "seconds by which the release's cutting rule delays sound against picture"),
)
CLIPS = (
    Field("visual.webp", "clip", "visual frames as captured (768x512 in the real release)"),
    Field("thermal.webp", "clip", "thermal frames (464x348), colours of the camera's palette, not temperatures"),
    Field(
        "aligned.webp",
        "clip",
        "visual warped to thermal, kept only where the matrices do not reproduce it",
        optional=True,
    ),
)
SOUNDS = (
    Field("mic1.flac", "audio", "left microphone, 44.1 kHz, 16 bit"),
    Field("mic2.flac", "audio", "right microphone, 44.1 kHz, 16 bit"),
)


@dataclass(frozen=True)
class SpeakingFacesOptions(ReleaseOptions):
    """How SpeakingFaces is encoded and checked."""

    effort: int = field(default=0, metadata={"help": "lossless WebP effort, 0 fast to 6 small"})
    quality: int = field(
        default=-1, metadata={"help": "write lossy clips of this quality, 0 to 100 (default: lossless)"}
    )
    check_aligned: str = field(
        default="ends",
        metadata={
            "help": "aligned frames compared per clip: first, middle and last, or all",
            "choices": ("ends", "all"),
        },
    )
    materialize_aligned: bool = field(default=False, metadata={"help": "store the aligned clip in every sample"})
    freeze_frames: int = field(
        default=FROZEN_FRAMES, metadata={"help": "identical frames from which a clip counts as frozen"}
    )


class SpeakingFaces(Builder):
    """Utterances (session 2) and stills (session 1) from the published archives, zipped or extracted."""

    name = "speakingfaces"
    title = "SpeakingFaces"
    licence = "cc-by-4.0"
    tags = ("face", "thermal", "speech", "biometrics", "multimodal")
    person_facts = ("subject", "gender", "age", "ethnicity", "release_split")
    options_type = SpeakingFacesOptions
    configs = (
        Config("utterances", "One spoken command of session 2.", (*SOUNDS, *CLIPS), (*WHO, *SPOKEN, *EVIDENCE)),
        Config("stills", "Up to 100 frames of the silent session 1 at one position.", CLIPS, (*WHO, *EVIDENCE)),
    )

    def __init__(self, options: ReleaseOptions) -> None:
        super().__init__(options)
        if not isinstance(options, SpeakingFacesOptions):
            raise TypeError(f"expected SpeakingFacesOptions, found {type(options).__name__}")
        if options.check_aligned not in ("ends", "all"):
            raise ValueError(f"check_aligned {options.check_aligned!r}: expected ends or all")
        if options.freeze_frames < 2:
            raise ValueError(f"freeze_frames {options.freeze_frames}: a run needs at least 2 identical frames")
        self.how = options
        self.expected_ratio = 0.9 if options.materialize_aligned else 0.62
        self._clip()

    def notes(self) -> list[str]:
        if self.how.quality < 0:
            return []
        return [f"Clips are LOSSY (WebP quality {self.how.quality}); facts were measured on the original frames."]

    def _clip(self) -> ClipWriter:
        return ClipWriter(self.how.effort, self.how.quality if self.how.quality >= 0 else None, FPS)

    def units(self, raw: Folder, config: str) -> Iterator[Unit | Rejection]:
        return Listing(raw, config, self.how.subjects).units()

    def read(self, raw: Folder, unit: Unit, clock: Clock) -> Iterator[Sample]:
        archive = raw.inside(unit.details["archive"])
        if archive is None:
            raise FileNotFoundError(
                f"{unit.details['archive']}: gone since the release was listed. Put it back and resume"
            )
        stem = Stem(unit)
        sounds, audio = self._sounds(archive, stem, clock) if unit.config == "utterances" else ({}, {})
        clips, evidence = self._clips(archive, stem, unit, clock)
        person, row = unit.details["person"], unit.details.get("row", {})
        about: dict[str, Any] = {"release_split": {"train": "Train", "validation": "Valid", "test": "Test"}[unit.split]}
        about |= {
            "session": stem.session,
            "frames": unit.details["frames"],
            "first_frame": unit.details["first"],
            "fps": FPS,
        }
        about |= {"seconds": unit.details["frames"] / FPS, "release_name": f"{unit.details['archive']}:{stem.text}"}
        about |= FORGED_TERMS if unit.details["forged"] else TERMS
        yield Sample(unit.key, unit.identity, unit.split, sounds | clips, person | about | row | audio | evidence)

    def _sounds(self, archive: Raw, stem: "Stem", clock: Clock) -> tuple[dict[str, bytes], dict[str, Any]]:
        """Both microphones as FLAC with identical samples, and the facts about them."""
        media, lengths = {}, []
        for mic in (1, 2):
            name = stem.sound(mic)
            with clock("read"):
                data = archive.read(name, MAX_WAV_BYTES)
            with clock("audio"):
                if data[:4] != b"RIFF":
                    raise Reject(
                        f"not a WAV file: {len(data)} bytes, begins with {data[:4]!r}", f"{archive.label}/{name}"
                    )
                samples, rate = _placed(f"{archive.label}/{name}", decode_audio, data, MAX_SAMPLES)
                if rate != RATE or samples.ndim != 1 or not len(samples):
                    found = f"{rate} Hz, {samples.ndim} channels" if len(samples) else "no samples"
                    raise Reject(f"expected {RATE} Hz mono sound, found {found}", f"{archive.label}/{name}")
                media[f"mic{mic}.flac"] = encode_flac(samples, RATE)
                if not np.array_equal(decode_audio(media[f"mic{mic}.flac"])[0], samples):
                    raise ValueError(f"{name}: FLAC did not keep the samples")
                lengths.append(len(samples))
        if lengths[0] != lengths[1]:
            with clock("audio"):
                raise Reject(f"microphones of different lengths: {lengths[0]} and {lengths[1]} samples", stem.text)
        by_audio = lengths[0] * FPS // RATE
        facts = {"command": stem.command, "sample_rate": RATE, "samples": lengths[0], "frames_by_audio": by_audio}
        # The release cuts frame start from (start-1)/28 s on, and sound from start/28 s on.
        return media, facts | {"audio_lag": 1 / FPS}

    def _clips(self, archive: Raw, stem: "Stem", unit: Unit, clock: Clock) -> tuple[dict[str, bytes], dict[str, Any]]:
        """One pass over the frames: decode, measure, align, encode, compare; only encoded frames are kept."""
        visual_clip, thermal_clip = self._clip(), self._clip()
        blur, freeze, palette = Blur(), Freeze(self.how.freeze_frames), Palette()
        aligner = Aligner([tuple(span) for span in unit.details["spans"]], stem.scale, self.how.check_aligned == "all")
        first, count = unit.details["first"], unit.details["frames"]
        for number in range(1, count + 1):
            release_number = first + number - 1
            thermal = self._picture(archive, stem, 1, release_number, clock)
            visual = self._picture(archive, stem, 2, release_number, clock)
            with clock("artifacts"):
                blur.add(visual)
                freeze.add(thermal)
                palette.add(thermal)
            if unit.details["aligned"] and aligner.wants(number):
                aligned = self._picture(archive, stem, 3, release_number, clock)
                with clock("align"):
                    aligner.add(number, visual, aligned)
            self._encode(visual_clip, visual, clock)
            self._encode(thermal_clip, thermal, clock)
        media = {"visual.webp": visual_clip.finish(), "thermal.webp": thermal_clip.finish()}
        stored = unit.details["aligned"] and (self.how.materialize_aligned or aligner.fails)
        if stored:
            aligned_clip = self._clip()
            for number in range(first, first + count):
                self._encode(aligned_clip, self._picture(archive, stem, 3, number, clock), clock)
            media["aligned.webp"] = aligned_clip.finish()
        return media, {**aligner.facts(), "aligned_stored": stored, **blur.facts(), **freeze.facts(), **palette.facts()}

    def _picture(self, archive: Raw, stem: "Stem", stream: int, frame: int, clock: Clock) -> NDArray[np.uint8]:
        name = stem.picture(stream, frame)
        with clock("read"):
            data = archive.read(name, MAX_PNG_BYTES)
        with clock("decode"):
            place = f"{archive.label}/{name}"
            header = _placed(place, png_header, data)
            width, height = (round(edge * stem.scale) for edge in (VISUAL if stream == 2 else THERMAL))
            if (header.width, header.height, header.bits, header.colour_type) != (width, height, 8, 2):
                found = f"{header.width}x{header.height}, {header.bits} bits, colour type {header.colour_type}"
                raise Reject(f"expected {width}x{height} 8-bit RGB PNG, found {found}", place)
            return np.asarray(_placed(place, decode_png, data, header), np.uint8)

    def _encode(self, clip: ClipWriter, frame: NDArray[np.uint8], clock: Clock) -> None:
        with clock("encode"):
            payload = clip.add(frame)
        if self.how.quality < 0:
            with clock("check"):
                if not np.array_equal(decode_frame(payload, frame.shape[1], frame.shape[0]), frame):
                    raise ValueError("the encoded frame does not decode to the same pixels")


def _placed(place: str, decode: Any, *arguments: Any) -> Any:
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


BUILDER = SpeakingFaces
