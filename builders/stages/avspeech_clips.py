"""Config `clips`: the first six seconds of a segment's sound and the face of its speaker."""

import math
from contextlib import ExitStack
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa

from ...loaders.arrays import encode_array
from ...loaders.media import encode_flac, encode_still
from ...loaders.sample import Config, Fact, Field
from ..core.builder import Unit
from ..core.raw import Folder
from ..core.stage import Clock, Reject
from .avspeech_faces import NO_AUDIO, NO_FRAME, SEVERAL, SpeakerFace, find_speaker, judged
from .avspeech_options import AvspeechOptions
from .video import Sound, open_video
from .voice_face_facts import TERMS

RATE = 16_000
MOST_MS = 6_000
"""Of a segment's sound, from its start."""
FEATURE_SAMPLES = 96_000
"""What the voice encoder takes; shorter voices are repeated."""
USUAL_MS = (3_000, 10_000)
"""Lengths of AVSpeech's segments."""
MOST_MISSING = 0.25
"""Seconds of a segment without sound in the file that are put up with: coders round a track's length."""
SILENT_BELOW = -60.0
"""dB of full scale of the loudest sample; 16-bit rounding alone lies at -90."""

BOX = pa.struct([(edge, pa.int16()) for edge in ("left", "top", "right", "bottom")])
CLIPS = Config(
    "clips",
    "One segment of AVSpeech: up to six seconds of speech and one picture of the speaker's face. A video stands for a "
    "person: `identity` is that of the YouTube id, and nobody has checked that it shows one speaker only.",
    (
        Field(
            "voice.flac",
            "audio",
            "the segment's first 6 s or less, 16 kHz, one channel, not repeated: Speech2Face repeats it from its "
            "beginning until it has 96,000 samples (`models.core.sound.speech2face` does so)",
        ),
        Field("face.webp", "image", "224x224: the detector's box without a margin, its aspect not kept"),
        Field(
            "speech2face.array",
            "array",
            "float32 (2, 598, 257): sign(x) |x|^0.3 of the real and the imaginary spectrum of the repeated voice",
            optional=True,
        ),
        Field(
            "face_vector.array",
            "array",
            "float32 (D,): what the network `face_network` makes of the face; VGG-Face's fc7 (4096) before its "
            "rectifier is what Speech2Face learns to tell from the voice",
            optional=True,
        ),
    ),
    (
        Fact("youtube_id", pa.string(), "the video; it stands for a person"),
        Fact("start_ms", pa.int32(), "where the segment begins in the video, milliseconds"),
        Fact("end_ms", pa.int32(), "where it ends"),
        Fact("usual_length", pa.bool_(), "whether it lasts 3 to 10 s, as AVSpeech's do"),
        Fact("face_x", pa.float32(), "annotated middle of the speaker's face, fraction of the width from the left"),
        Fact("face_y", pa.float32(), "the same, fraction of the height from the top"),
        Fact("release_split", pa.string(), "the table that names it: train or test"),
        Fact("release_row", pa.int32(), "its line there, from 1"),
        Fact("split_rule", pa.string(), "hash: SHA-1 of the id modulo 10; official: test by the release's table"),
        Fact("file", pa.string(), "what it was read from"),
        Fact("whole_video", pa.bool_(), "whether that is the whole video, read at the segment's start, not a clip"),
        Fact("file_seconds", pa.float64(), "length of that file; a clip much longer than its segment was cut loosely"),
        Fact("samples", pa.int32(), "samples of voice.flac"),
        Fact("seconds", pa.float64(), "length of voice.flac"),
        Fact("sample_rate", pa.int32(), "Hz of voice.flac"),
        Fact("repeats", pa.int32(), "how often the voice begins in 96,000 samples: 1 where nothing is repeated"),
        Fact("missing_seconds", pa.float32(), "of the segment's first 6 s without sound in the file"),
        Fact("peak_db", pa.float32(), "loudest sample, dB of full scale"),
        Fact("source_rate", pa.int32(), "Hz of the file's sound"),
        Fact("source_channels", pa.int16(), "its channels, mixed down to one"),
        Fact("codec", pa.string(), "of its sound"),
        Fact("frame_width", pa.int32(), "pixels of the frame"),
        Fact("frame_height", pa.int32(), "pixels of the frame"),
        Fact("frame_attempt", pa.int8(), "which frame had a face, one a second, 1 (at the start) to 6"),
        Fact("frame_seconds", pa.float64(), "where that frame begins in the segment; below 0: shown before it began"),
        Fact("face_box", BOX, "the face in the frame, cut at its edges; right and bottom are outside"),
        Fact("face_score", pa.float32(), "of the detector, in its own scale"),
        Fact("faces", pa.int32(), "faces found in that frame"),
        Fact("face_holds_point", pa.bool_(), "whether the annotated point lies in the box"),
        Fact("face_distance", pa.float32(), "from the annotated point to the middle of the box, in widths of the box"),
        Fact("detector", pa.string(), "what found the face"),
        Fact("face_network", pa.string(), "what made face_vector.array; none where there is none"),
        *TERMS,
    ),
)


def read_clip(raw: Folder, unit: Unit, how: AvspeechOptions, clock: Clock) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Media and facts of one segment. Raises Reject where it has no frame, no face or no sound."""
    place, (start, end) = "/".join(filter(None, unit.details["file"])), unit.details["span"]
    begin = start if unit.details["whole"] else 0
    known: dict[str, Any] = {"file": place, "whole_video": unit.details["whole"]}
    try:
        with ExitStack() as stack:
            with judged(clock, "open", NO_FRAME):
                video = stack.enter_context(open_video(stack.enter_context(_open(raw, unit.details["file"]))))
            known["file_seconds"] = video.seconds
            face = find_speaker(video, (begin, begin + end - start), unit.details["point"], how.open_detector(), clock)
            known |= _of_face(face) | {"frame_seconds": face.seconds - begin / 1000}
            with judged(clock, "faces", SEVERAL):
                if how.one_face and face.faces > 1:
                    raise Reject(f"{face.faces} faces in the frame, expected one (--one-face)")
            with judged(clock, "sound", NO_AUDIO):
                sound = video.sound(begin, begin + min(end - start, MOST_MS), RATE)
                known |= _of_sound(sound)
                _check_sound(sound, known["peak_db"])
    except (Reject, ValueError) as error:
        raise Reject(str(error), place, known) from None
    with clock("encode"):
        media = {"voice.flac": encode_flac(sound.samples, RATE), "face.webp": encode_still(face.picture, how.quality)}
    if how.features:
        with clock("features"):
            # Torch takes seconds to load: only for those who want arrays.
            from ...models.core.voice_features import voice_features

            arrays = voice_features(sound.samples, (), (how.features,))
            media |= {f"{name}.array": encode_array(values) for name, values in arrays.items()}
    if how.face_network:
        with clock("face vectors"):
            vector = how.open_face_vector()(face.frame, face.face, face.picture)
            media["face_vector.array"] = encode_array(vector)
    return media, known | {"detector": how.open_detector().name, "face_network": how.face_network or None}


def _open(raw: Folder, at: list[str]) -> BinaryIO:
    stem, name = at
    archive = raw.inside(stem) if stem else raw
    if archive is None:
        raise FileNotFoundError(f"{raw.label}/{stem}: the archive is gone since the release was listed")
    return archive.open(name)


def _of_face(face: SpeakerFace) -> dict[str, Any]:
    return {
        "frame_width": face.frame_size[0],
        "frame_height": face.frame_size[1],
        "frame_attempt": face.attempt,
        "face_box": dict(zip(("left", "top", "right", "bottom"), face.box, strict=True)),
        "face_score": face.face.score,
        "faces": face.faces,
        "face_holds_point": face.inside,
        "face_distance": face.distance,
    }


def _of_sound(sound: Sound) -> dict[str, Any]:
    peak = int(np.abs(sound.samples.astype(np.int32)).max(initial=0))
    count = len(sound.samples)
    return {
        "samples": count,
        "seconds": count / RATE,
        "sample_rate": RATE,
        "repeats": -(-FEATURE_SAMPLES // max(count, 1)),
        "missing_seconds": sound.missing,
        "peak_db": 20 * math.log10(peak / 32_768) if peak else None,
        "source_rate": sound.rate,
        "source_channels": sound.channels,
        "codec": sound.codec,
    }


def _check_sound(sound: Sound, peak: float | None) -> None:
    if sound.missing > MOST_MISSING:
        raise Reject(f"{sound.missing:.2f} s of the segment without sound in the file, expected at most {MOST_MISSING}")
    if peak is None or peak < SILENT_BELOW:
        found = "all samples are 0" if peak is None else f"its loudest sample lies at {peak:.0f} dB"
        raise Reject(f"silent: {found}, expected at least {SILENT_BELOW:.0f} dB of full scale")
