"""VoxCeleb's recordings: which file is whose, and from wav or m4a to 16 kHz with the speech found."""

import io
import re
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ...loaders.media import decode_audio
from ...loaders.resample import resample
from ..core.stage import Clock, Reject
from .speech import Speech, SpeechOptions, find_speech

RATE = 16_000
MAX_SECONDS = 600
"""Longest recording read; VoxCeleb's longest has under 150 s."""
MAX_BYTES = 64 << 20
"""Largest file to hand to `read_voice`: 600 s of one channel at 48 kHz in 16 bits, with a header."""
CODECS = ("aac", "alac", "mp3", "opus")
"""What is decoded out of an m4a or mp4."""
ATOMS = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide")
"""What an m4a or mp4 begins with, after four bytes."""
PADDING = 2_048
"""Most samples that an encoder adds or a decoder loses at an end: two AAC frames."""
_MEMBER = re.compile(r"(?:.*/)?(id[01]\d{4})/([\w-]{11})/(\d{5})\.(wav|m4a|flac)", re.ASCII)


@dataclass(frozen=True)
class Recording:
    """One file by its place: `.../id10001/1zcIwhmdeo4/00001.wav`."""

    speaker: str
    clip: str
    """YouTube id."""
    number: str
    ending: str

    @property
    def key(self) -> str:
        """Unique over both subsets: `id10001_1zcIwhmdeo4_00001`, as SF2F names it."""
        return f"{self.speaker}_{self.clip}_{self.number}"

    @property
    def subset(self) -> str:
        """vox1 or vox2: their ids do not meet."""
        return "vox1" if self.speaker.startswith("id1") else "vox2"


def recording(member: str) -> Recording | None:
    """What a file's name in a release says, whatever folders lie above; None where it is no recording.

    Knows the official archives (`wav/`, `aac/`), SF2F's `raw_wav/vox1/dev/` and wavs or FLACs made of the m4as.
    """
    found = _MEMBER.fullmatch(member)
    return Recording(*found.groups()) if found else None


@dataclass(frozen=True)
class VoiceOptions:
    """How a recording is read."""

    speech: SpeechOptions = field(default_factory=SpeechOptions)
    max_seconds: int = MAX_SECONDS


@dataclass(frozen=True)
class Voice:
    """A recording at 16 kHz, where its speech is, and what it was stored as."""

    sound: NDArray[np.int16]
    """(samples,) the whole recording, one channel."""
    speech: Speech
    codec: str
    source_rate: int
    source_channels: int

    @property
    def spoken(self) -> NDArray[np.int16]:
        """(samples,) only the speech, joined: what SF2F and voice2face compute spectrograms of."""
        return self.speech.cut(self.sound)


def read_voice(data: bytes, place: str, options: VoiceOptions | None = None, clock: Clock | None = None) -> Voice:
    """Bytes of a wav, FLAC, m4a or mp4 -> Voice. Raises Reject when it cannot be read, is too long or says nothing.

    Channels are averaged, other rates resampled. What a file is, its first bytes say, not its name.
    """
    options, clock = options or VoiceOptions(), clock or Clock()
    with clock("decode"):
        sound, codec, rate, channels = _decode(data, place, options)
    with clock("speech"):
        speech = find_speech(sound, RATE, options.speech)
        if not speech.segments:
            measured = {"seconds": len(sound) / RATE, "codec": codec, "vad": speech.vad}
            raise Reject(f"no speech in {len(sound) / RATE:.2f} s of sound ({speech.vad})", place, measured)
    return Voice(sound, speech, codec, rate, channels)


def _decode(data: bytes, place: str, options: VoiceOptions) -> tuple[NDArray[np.int16], str, int, int]:
    """(samples,) at 16 kHz, codec, and what rate in Hz and how many channels the file has."""
    try:
        if not data or not (data[:4] in (b"RIFF", b"fLaC") or data[4:8] in ATOMS):
            found = f"begins with {data[:8]!r}" if data else "0 bytes"
            raise ValueError(f"no sound: {found}, expected a wav, FLAC, m4a or mp4")
        if data[:4] in (b"RIFF", b"fLaC"):
            samples, rate = decode_audio(data, options.max_seconds * 2 * 48_000)
            codec = "wav" if data[:4] == b"RIFF" else "flac"
            channels = 1 if samples.ndim == 1 else samples.shape[1]
            mono = samples if samples.ndim == 1 else _averaged(samples)
        else:
            mono, rate, codec, channels = decode_container(data, options.max_seconds)
        if len(mono) > options.max_seconds * rate:
            raise ValueError(f"sound of {len(mono) / rate:.1f} s, expected at most {options.max_seconds}")
        return resample(mono, rate, RATE), codec, rate, channels
    except ValueError as error:
        raise Reject(str(error), place) from None


def decode_container(data: bytes, max_seconds: int) -> tuple[NDArray[np.int16], int, str, int]:
    """First sound track of an m4a or mp4 -> (samples,) int16 averaged to one channel, Hz, codec, its channels.

    The container states the length, often to the millisecond, without an encoder's padding: what is more is cut off.
    Raises ValueError on
    damage, on a track cut short, beyond `max_seconds` or of another codec, and ImportError without PyAV.
    """
    try:
        import av
    except ImportError:
        raise ImportError("m4a: PyAV is missing; pip install 'facevox[build]'") from None
    try:
        with av.open(io.BytesIO(data), "r", format="mp4", metadata_errors="replace") as container:
            if not container.streams.audio:
                raise ValueError("file without a sound track")
            track = container.streams.audio[0]
            context = track.codec_context
            if context is None or context.name not in CODECS or not context.sample_rate:
                found = "an unknown codec" if context is None else f"{context.name} at {context.sample_rate} Hz"
                raise ValueError(f"sound track of {found}, expected one of {', '.join(CODECS)}")
            if track.duration is None or track.time_base is None:
                raise ValueError("sound track without a length in its header")
            rate, codec, channels = context.sample_rate, context.name, context.channels
            wanted = round(track.duration * track.time_base * rate)
            if not 0 < wanted <= max_seconds * rate:
                raise ValueError(f"sound of {wanted / rate:.1f} s, expected more than 0 and at most {max_seconds}")
            mixer = av.AudioResampler(format="s16", layout="mono", rate=rate)
            parts, decoded = [np.zeros(0, np.int16)], 0
            for frame in container.decode(track):
                parts += [np.asarray(part.to_ndarray()[0], np.int16) for part in mixer.resample(frame)]
                decoded += frame.samples
                if decoded > wanted + PADDING:
                    raise ValueError(f"sound longer than the {wanted:,} samples that its header states")
    except (av.FFmpegError, EOFError) as error:
        raise ValueError(f"not a readable m4a or mp4: {error}") from None
    samples = np.concatenate(parts)
    if len(samples) < wanted - PADDING:
        raise ValueError(f"sound cut short: {len(samples):,} of {wanted:,} samples")
    return samples[:wanted], rate, codec, channels


def _averaged(samples: NDArray[np.int16]) -> NDArray[np.int16]:
    return np.asarray(np.rint(samples.mean(1)), np.int16)
