"""Configs `faces` and `voices` of a collection: what the collector kept, with its scores."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from ...loaders.arrays import encode_array
from ...loaders.media import decode_picture, encode_flac
from ...loaders.sample import Config, Fact, Field, Sample
from ..core.builder import Unit
from ..core.decisions import DECISIONS
from ..core.raw import Folder
from ..core.source_files import SourceFiles
from ..core.stage import Attempts, Clock, Reject, Rejection
from .chinese_vf_options import ChineseVfOptions
from .chinese_vf_units import file_name
from .release_files import read_file
from .vggface_faces import BOX
from .voice_face_facts import SPLIT_GROUP_FACT, TERMS
from .voices import VOICES, mel_frames
from .voxceleb_audio import MAX_BYTES, RATE, read_voice

MAX_PICTURE_BYTES = 32 << 20
SLACK_MS = 100
"""By which a sound may be shorter or longer than its name says: the last window of a track ends with the track."""
JPEG_BEGINS, JPEG_ENDS = b"\xff\xd8\xff", b"\xff\xd9"
SPEAKER = (
    Fact("speaker_id", pa.string(), "the person's id in the collection, as in cvf0001; names are never stored"),
    Fact("gender", pa.string(), "m or f as marked by the collector's user; null where not marked"),
    Fact("fold", pa.int16(), "fold of the person, from 0: vfmr4 tests on one and trains on the others"),
    Fact("split_rule", pa.string(), "how the split was decided; see --splits"),
    SPLIT_GROUP_FACT,
    Fact("video_id", pa.string(), "the video in the collection; faces of one video are near-duplicates"),
)
SCORE = Fact("score", pa.float32(), "cosine of its embedding and the person's ground truth, -1 to 1")
FACES = Config(
    "faces",
    "One face that the collector kept: the square about the detector's box, untouched; do not detect again.",
    (Field("face.jpg", "image", "the JPEG of the collection, byte for byte"),),
    (
        *SPEAKER,
        Fact("frame_ms", pa.int64(), "time of the frame in its video, in ms"),
        Fact("face_number", pa.int16(), "number of the face among those found in the frame, from 0"),
        Fact("box", BOX, "the detector's box in pixels of the frame, right and bottom outside; face.jpg shows more"),
        Fact("box_scale", pa.float64(), "side of the square that was cut over the longer side of the box"),
        Fact("width", pa.int32(), "of face.jpg, in pixels"),
        Fact("height", pa.int32(), "of face.jpg, in pixels"),
        Fact("detector", pa.string(), "what found the box"),
        Fact("det_conf", pa.float32(), "score of the face, in the detector's own scale"),
        SCORE,
        Fact("tau_face", pa.float64(), "threshold of the score for faces"),
        Fact("face_embedder", pa.string(), "what the embeddings of faces are from"),
        *TERMS,
        DECISIONS,
    ),
)
_OF_SOUND = ("samples", "seconds", "sample_rate", "source_rate", "source_channels", "codec", "vad", "speech")
SPOKEN = Config(
    "voices",
    "One window of sound in which the person speaks, as the collector kept it, at 16 kHz.",
    VOICES.fields,
    (
        *SPEAKER,
        Fact("start_ms", pa.int64(), "start of the window in its video, in ms"),
        Fact("end_ms", pa.int64(), "end of the window in its video, in ms"),
        SCORE,
        Fact("tau_voice", pa.float64(), "threshold of the score for voices"),
        Fact("voice_embedder", pa.string(), "what the embeddings of voices are from"),
        *(fact for fact in VOICES.facts if fact.name in (*_OF_SOUND, "speech_seconds", "mel_frames")),
        *TERMS,
        DECISIONS,
    ),
)


def sample_files(unit: Unit, key: str) -> SourceFiles | None:
    """The file of a key; of a whole video's unit, all files."""
    stem = _stem(unit)
    rows = [row for row in unit.details["rows"].split("\n") if key in (f"{stem}_{row.partition(',')[0]}", unit.key)]
    return SourceFiles(tuple(_at(unit, row) for row in rows)) if rows else None


def _stem(unit: Unit) -> str:
    return unit.key if unit.samples > 1 else "_".join(unit.key.split("_")[:2])


def _at(unit: Unit, row: str) -> tuple[str, str]:
    """Archive and name of a row's file."""
    archive, within = unit.details["folders"][int(row.rpartition(",")[2])]
    return archive, within + file_name(unit.config, row.partition(",")[0])


def read_samples(raw: Folder, unit: Unit, how: ChineseVfOptions, clock: Clock) -> Iterator[Sample | Rejection]:
    """Faces or voices of one video in order of time; a row for every one that cannot be read."""
    attempt, read = Attempts(clock), _face if unit.config == FACES.name else _voice
    stem = _stem(unit)
    for row in unit.details["rows"].split("\n"):
        moment, *cells, _ = row.split(",")
        at = list(_at(unit, row))
        key, place = f"{stem}_{moment}", "/".join(filter(None, at))
        numbers = [float(cell) for cell in cells]

        def work(key: str = key, at: list[str] = at, moment: str = moment, numbers: list[float] = numbers) -> Sample:
            media, found = read(raw, at, moment, how, clock)
            facts = unit.details["facts"] | found | _of_candidate(moment, numbers)
            return Sample(key, unit.identity, unit.split, media, facts)

        def reject(
            stage: str, _: str, reason: str, kind: str, measured: str, key: str = key, place: str = place
        ) -> Rejection:
            return Rejection(key, unit.config, unit.split, stage or "read", place, reason, kind, measured)

        yield attempt(work, reject)


def _of_candidate(moment: str, numbers: list[float]) -> dict[str, Any]:
    """Facts of a row of the collection's candidates."""
    first, second = (int(part) for part in moment.split("_"))
    *box, score = numbers
    if not box:
        return {"start_ms": first, "end_ms": second, "score": score}
    x, y, w, h, confidence = box
    edges = {"left": x, "top": y, "right": x + w, "bottom": y + h}
    return {"frame_ms": first, "face_number": second, "box": edges, "det_conf": confidence, "score": score}


Found = tuple[dict[str, bytes], dict[str, Any]]
"""Media and facts of a sample."""


def _face(raw: Folder, at: list[str], moment: str, how: ChineseVfOptions, clock: Clock) -> Found:
    with clock("read"):
        data = read_file(raw, at, MAX_PICTURE_BYTES)
    with clock("decode"):
        # Decoders fill up a JPEG that is cut short, in silence.
        if not data.startswith(JPEG_BEGINS) or not data.endswith(JPEG_ENDS):
            raise Reject(f"{len(data):,} bytes, no whole JPEG: cut short, or another kind of file")
        try:
            height, width, _ = decode_picture(data).shape
        except ValueError as error:
            raise Reject(str(error)) from None
    return {"face.jpg": data}, {"width": width, "height": height}


def _voice(raw: Folder, at: list[str], moment: str, how: ChineseVfOptions, clock: Clock) -> Found:
    with clock("read"):
        data = read_file(raw, at, MAX_BYTES)
    voice = read_voice(data, "/".join(filter(None, at)), how.voice, clock)
    sound, speech = voice.sound, voice.speech
    with clock("length"):
        first, second = (int(part) for part in moment.split("_"))
        if abs(len(sound) * 1000 / RATE - (second - first)) > SLACK_MS:
            raise Reject(f"{len(sound) / RATE:.3f} s of sound, its name says {(second - first) / 1000:.3f} s")
    with clock("encode"):
        media = {"voice.flac": encode_flac(sound, RATE)}
    if names := how.feature_names:
        # Torch takes seconds to load: only for those who want arrays.
        from ...models.core.voice_features import voice_features

        with clock("features"):
            arrays = voice_features(sound, speech.segments, names)
            media |= {f"{name}.array": encode_array(values) for name, values in arrays.items()}
    facts = {
        "samples": len(sound),
        "seconds": len(sound) / RATE,
        "sample_rate": RATE,
        "source_rate": voice.source_rate,
        "source_channels": voice.source_channels,
        "codec": voice.codec,
        "vad": speech.vad,
        "speech": [{"first": start, "end": end} for start, end in speech.segments],
        "speech_seconds": speech.samples / RATE,
        "mel_frames": mel_frames(speech.samples),
    }
    return media, facts
