"""Config `voices`: VoxCeleb's recordings whole at 16 kHz, with the speech found and, when asked for, papers' arrays."""

from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

from ...loaders.arrays import encode_array
from ...loaders.media import encode_flac
from ...loaders.sample import Config, Fact, Field, Sample
from ..core.builder import ReleaseOptions, Unit
from ..core.raw import Folder
from ..core.stage import Clock, Reject
from .release_files import read_file
from .speech import SpeechOptions, Vad, settled_vad
from .voice_face_facts import PERSON, SPLIT_RULE_FACT, TERMS
from .voxceleb_audio import MAX_BYTES, RATE, Voice, VoiceOptions, read_voice, recording
from .voxceleb_tracks import MAX_TRACK_BYTES, read_track

FEATURES = ("sf2f", "piczak", "vfmr", "speech2face")
"""Names of models/core/voice_features.py."""
VADS: tuple[Vad, ...] = ("auto", "webrtc", "energy")

SEGMENT = pa.struct([("first", pa.int32()), ("end", pa.int32())])
VOICES = Config(
    "voices",
    "One recording of VoxCeleb as a whole at 16 kHz; `speech` says where somebody speaks, as SF2F cuts it.",
    (
        Field("voice.flac", "audio", "the recording, 16 kHz, one channel, nothing cut", optional=True),
        Field(
            "sf2f.array",
            "array",
            "float32 (40, mel_frames): natural log mel power of the joined speech, (x - 10.9915) / 3.1661 applied",
            optional=True,
        ),
        Field(
            "piczak.array",
            "array",
            "float32 (segments, 2, 60, 41): dB and slope of the whole recording at 22,050 Hz, silent segments left out",
            optional=True,
        ),
        Field(
            "vfmr.array",
            "array",
            "float32 (257, samples // 160): magnitudes of the whole recording, each frame normalised",
            optional=True,
        ),
        Field(
            "speech2face.array",
            "array",
            "float32 (2, 598, 257): compressed real and imaginary spectrum of the first 6 s, shorter ones repeated",
            optional=True,
        ),
    ),
    (
        *PERSON,
        SPLIT_RULE_FACT,
        Fact("clip", pa.string(), "YouTube id of the video"),
        Fact("segment", pa.int32(), "number of the utterance in its video"),
        Fact("recording", pa.string(), "place in the release: speaker, video, file; of a mel dictionary, its name"),
        Fact("samples", pa.int64(), "samples of voice.flac"),
        Fact("seconds", pa.float64(), "length of voice.flac"),
        Fact("sample_rate", pa.int32(), "Hz of voice.flac"),
        Fact("source_rate", pa.int32(), "Hz of the file in the release"),
        Fact("source_channels", pa.int16(), "channels of the file in the release; they were averaged"),
        Fact("codec", pa.string(), "of the file in the release: wav, flac, aac, alac, mp3 or opus"),
        Fact("vad", pa.string(), "what found the speech: webrtc (aggressiveness 1, 30 ms) or energy"),
        Fact("speech", pa.list_(SEGMENT), "speech as voice.flac[first:end], samples from 0, in order and apart"),
        Fact("speech_seconds", pa.float64(), "length of the speech together"),
        Fact("mel_frames", pa.int32(), "frames of SF2F's spectrogram of the joined speech, 100 a second"),
        Fact(
            "mel_source", pa.string(), "computed (here, from voice.flac) or published (mel dictionary of the release)"
        ),
        Fact("av_offset", pa.int32(), "frames by which sound and picture are apart, from the face track; null without"),
        Fact("fv_conf", pa.float64(), "face track: confidence that the face is this person's"),
        Fact("asd_conf", pa.float64(), "face track: confidence that the face is the one that speaks"),
        Fact("bbox_unit", pa.string(), "face track: fraction (of the frame) or pixel (of a frame 360 pixels high)"),
        Fact("track_first_frame", pa.int64(), "face track: first frame in the original video, 25 a second"),
        Fact("track_frames", pa.int32(), "face track: number of boxes"),
        Fact("track_problem", pa.string(), "why the face track that lies beside says nothing here; null otherwise"),
        *TERMS,
    ),
)


@dataclass(frozen=True)
class VoiceReleaseOptions(ReleaseOptions):
    """How recordings are read; dataset files with a config `voices` extend it."""

    subjects: str = field(
        default="",
        metadata={"help": "only these people: VoxCeleb ids, ranges of them or names, as in id10001-id10020,P!nk"},
    )
    features: str = field(
        default="",
        metadata={
            "help": f"arrays stored beside each voice, of {', '.join(FEATURES)} (default: none; all are computed "
            "from voice.flac while training as well)"
        },
    )
    vad: str = field(
        default="auto",
        metadata={"help": "finds speech: auto is webrtc where installed, else energy", "choices": VADS},
    )

    def settled(self) -> "VoiceReleaseOptions":
        return replace(self, vad=self.voice.speech.vad)

    def as_dict(self) -> dict[str, Any]:
        return super().as_dict() | {"vad": self.voice.speech.vad}

    @property
    def feature_names(self) -> tuple[str, ...]:
        """In the order of FEATURES, each once. Raises ValueError for an unknown one."""
        asked = {name.strip() for name in self.features.split(",") if name.strip()}
        if unknown := sorted(asked - set(FEATURES)):
            raise ValueError(f"features {self.features!r}: no {unknown[0]!r}; expected some of {', '.join(FEATURES)}")
        return tuple(name for name in FEATURES if name in asked)

    @property
    def voice(self) -> VoiceOptions:
        """Raises ValueError for an unknown `vad`."""
        chosen = next((vad for vad in VADS if vad == self.vad), None)
        if chosen is None:
            raise ValueError(f"vad {self.vad!r}: expected {', '.join(VADS)}")
        return VoiceOptions(SpeechOptions(vad=settled_vad(chosen)))


def read_voice_sample(raw: Folder, unit: Unit, how: VoiceReleaseOptions, clock: Clock) -> Sample:
    """The recording of one unit. Raises Reject when it cannot be read, is too long or says nothing."""
    at = unit.details["file"]
    place = "/".join(filter(None, at))
    with clock("read"):
        data = read_file(raw, at, MAX_BYTES)
    voice = read_voice(data, place, how.voice, clock)
    with clock("encode"):
        media = {"voice.flac": encode_flac(voice.sound, RATE)}
    if names := how.feature_names:
        # Torch takes seconds to load: only for those who want arrays.
        from ...models.core.voice_features import voice_features

        with clock("features"):
            arrays = voice_features(voice.sound, voice.speech.segments, names)
            media |= {f"{name}.array": encode_array(values) for name, values in arrays.items()}
    with clock("track"):
        track = _track(raw, unit.details.get("track"), at[1])
    facts = unit.details["facts"] | _of_voice(voice, at[1]) | track
    return Sample(unit.key, unit.identity, unit.split, media, facts)


def _of_voice(voice: Voice, name: str) -> dict[str, Any]:
    about = recording(name)
    if about is None:
        raise ValueError(f"{name}: not a recording by its place")
    return {
        "clip": about.clip,
        "segment": int(about.number),
        "recording": "/".join(name.split("/")[-3:]),
        "samples": len(voice.sound),
        "seconds": len(voice.sound) / RATE,
        "sample_rate": RATE,
        "source_rate": voice.source_rate,
        "source_channels": voice.source_channels,
        "codec": voice.codec,
        "vad": voice.speech.vad,
        "speech": [{"first": first, "end": end} for first, end in voice.speech.segments],
        "speech_seconds": voice.speech.samples / RATE,
        "mel_frames": mel_frames(voice.speech.samples),
        "mel_source": "computed",
    }


def mel_frames(samples: int) -> int:
    """Frames of SF2F's spectrogram: 1 + ceil((samples - 400) / 160)."""
    return 1 + -(-max(0, samples - 400) // 160)


def _track(raw: Folder, at: list[str] | None, name: str) -> dict[str, Any]:
    """Facts of the face track beside a recording; a bad one is a fact too, since the voice is still good."""
    if at is None:
        return {}
    speaker, clip = name.split("/")[-3:-1]
    try:
        track = read_track(read_file(raw, at, MAX_TRACK_BYTES), "/".join(filter(None, at)))
    except Reject as verdict:
        return {"track_problem": f"{verdict.place}: {verdict.reason}"}
    if (track.identity, track.reference) != (speaker, clip):
        return {"track_problem": f"the track is of {track.identity} in {track.reference}, not of {speaker} in {clip}"}
    return {
        "av_offset": track.offset,
        "fv_conf": track.face_confidence,
        "asd_conf": track.speaker_confidence,
        "bbox_unit": track.unit,
        "track_first_frame": int(track.frames[0]),
        "track_frames": len(track.frames),
    }
