"""VoxCeleb's recordings of made-up people: utterances cut from videos, wav or m4a, and the face tracks beside them."""

import io
import string
import wave
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...loaders.resample import resample
from .clips import command_text
from .forging import write
from .voices import RATE as SPOKEN_RATE
from .voices import Wave, speak
from .voxceleb_people import Celebrity

RATE = 16_000
FPS = 25
KINDS = ("clean", "noisy", "silent")
NOISY_DB = (3.0, 12.0)
"""Level of the speech over the noise in noisy recordings."""
_YOUTUBE = string.ascii_letters + string.digits + "-_"
_FRAME = (640, 360)
"""Width and height of a frame in the pixels of VoxCeleb1's boxes."""
_HEADER = (
    "Identity  : \t{identity}\nReference : \t{reference}\nOffset    : \t{offset}\nFV Conf   : \t{face:.3f}\t({faces})\n"
)


@dataclass(frozen=True)
class SoundOptions:
    """How much of each person is heard."""

    utterances: int
    videos: int
    seconds: float
    """Nominal length of an utterance; the actual one varies by a quarter."""
    seed: int
    faults: bool
    """Whether some recordings are noisy or silent."""


@dataclass(frozen=True)
class Utterance:
    """One recording of a person."""

    celebrity: Celebrity
    video: str
    """YouTube id."""
    take: int
    """Place among all of the person, from 0."""
    number: int
    """As in the file's name."""
    samples: int
    """At 16 kHz."""
    kind: str
    """One of KINDS."""
    seed: int

    @property
    def place(self) -> str:
        """`id10001/1zcIwhmdeo4/00001`."""
        return f"{self.celebrity.speaker}/{self.video}/{self.number:05d}"

    @property
    def key(self) -> str:
        """As SF2F names it."""
        return self.place.replace("/", "_")

    def random(self, salt: int) -> np.random.Generator:
        subset = ("vox1", "vox2").index(self.celebrity.subset)
        return np.random.default_rng([self.seed, subset, self.celebrity.row, self.take, salt])


def plan_sounds(celebrity: Celebrity, options: SoundOptions) -> list[Utterance]:
    """A person's utterances, spread over their videos; with faults the third is noisy and the fourth silent."""
    subset = ("vox1", "vox2").index(celebrity.subset)
    random = np.random.default_rng([options.seed, subset, celebrity.row, 81])
    videos = ["".join(random.choice(list(_YOUTUBE), 11)) for _ in range(options.videos)]
    found, numbers = [], dict.fromkeys(videos, 0)
    for take in range(options.utterances):
        video = videos[take % len(videos)]
        numbers[video] += int(random.integers(1, 3))
        samples = round(options.seconds * float(random.uniform(0.75, 1.25)) * RATE)
        kind = {2: "noisy", 3: "silent"}.get(take, "clean") if options.faults else "clean"
        found.append(Utterance(celebrity, video, take, numbers[video], samples, kind, options.seed))
    return found


def sound_of(utterance: Utterance) -> tuple[NDArray[np.int16], dict[str, Any]]:
    """(samples,) int16 at 16 kHz and its truth. One video has one room, microphone and kind of noise."""
    random = utterance.random(82)
    samples = round(utterance.samples * SPOKEN_RATE / RATE) + 8
    room = np.random.default_rng([utterance.seed, *utterance.video.encode(), 83])
    truth: dict[str, Any] = {"kind": utterance.kind, "seconds": round(utterance.samples / RATE, 4), "snr_db": None}
    if utterance.kind == "silent":
        sound = 1e-4 * random.standard_normal(samples)
    else:
        count = 2 + int(utterance.samples / RATE)
        text = " ".join(command_text("train", int(number)) for number in random.integers(1, 1298, count))
        sound = _in_room(speak(utterance.celebrity.person, text, samples, random), room)
        decibels = float(random.uniform(*NOISY_DB)) if utterance.kind == "noisy" else 40.0
        truth |= {"snr_db": round(decibels, 2), "text": text}
        sound = sound + _noise(samples, room, random) * np.sqrt(np.mean(sound**2)) * 10 ** (-decibels / 20)
    stepped = np.asarray(np.clip(np.rint(sound * 32_767), -32_768, 32_767), np.int16)
    return resample(stepped, SPOKEN_RATE, RATE)[: utterance.samples], truth


def _in_room(sound: Wave, room: np.random.Generator) -> Wave:
    """With the first echoes and the tone of one room."""
    heard = sound.copy()
    for _ in range(4):
        late, weight = int(room.uniform(0.004, 0.04) * SPOKEN_RATE), float(room.uniform(-0.2, 0.2))
        heard[late:] += weight * sound[: len(sound) - late]
    dull = float(room.uniform(0.0, 0.35))
    heard[1:] = (1 - dull) * heard[1:] + dull * heard[:-1]
    return np.asarray(heard * room.uniform(0.6, 1.1))


def _noise(samples: int, room: np.random.Generator, random: np.random.Generator) -> Wave:
    """Hiss, rumble or babble of unit power: the spectrum belongs to the room, the samples to the recording."""
    slope = float(room.uniform(0.0, 1.2))
    spectrum = np.fft.rfft(random.standard_normal(samples))
    spectrum /= np.maximum(np.arange(len(spectrum)) / samples * SPOKEN_RATE, 60.0) ** slope
    noise = np.fft.irfft(spectrum, samples)
    return np.asarray(noise / np.sqrt(np.mean(noise**2)))


def wav(sound: NDArray[np.int16]) -> bytes:
    """(samples,) int16 at 16 kHz -> a wav file of one channel."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(sound.astype("<i2").tobytes())
    return buffer.getvalue()


def m4a(sound: NDArray[np.int16]) -> bytes:
    """(samples,) int16 at 16 kHz -> AAC in an m4a file, the same bytes every time. Raises ImportError without PyAV."""
    try:
        import av
    except ImportError:
        raise ImportError("m4a: PyAV is missing; pip install 'facevox[build]'") from None
    buffer = io.BytesIO()
    # Bit-exact leaves the time and the library's version out of the file.
    with av.open(buffer, "w", format="ipod", options={"fflags": "+bitexact"}) as container:
        track = container.add_stream("aac", rate=RATE, layout="mono")
        track.bit_rate = 64_000
        track.codec_context.options = {"flags": "+bitexact"}
        frame = av.AudioFrame.from_ndarray(sound[None], format="s16", layout="mono")
        frame.sample_rate = RATE
        frame.pts = 0
        for packet in (*track.encode(frame), *track.encode(None)):
            container.mux(packet)
    return buffer.getvalue()


ENCODERS: dict[str, tuple[str, str, Callable[[NDArray[np.int16]], bytes]]] = {
    "vox1": ("wav", "wav", wav),
    "vox2": ("aac", "m4a", m4a),
}
"""Per subset the folder, the ending and the encoder of its recordings."""


def track_text(utterance: Utterance) -> str:
    """The face track: boxes in pixels of a frame 360 px high in vox1, in fractions of the frame in vox2."""
    random = utterance.random(84)
    count = utterance.samples * FPS // RATE
    first = int(random.integers(40, 9000))
    size = float(random.uniform(0.2, 0.4))
    middle = random.uniform(0.35, 0.65, 2)
    lines = [
        _HEADER.format(
            identity=utterance.celebrity.speaker,
            reference=utterance.video,
            offset=int(random.integers(-3, 4)),
            face=float(random.uniform(8, 25)),
            faces=int(random.integers(1, 3)),
        )
        + f"ASD Conf  : \t{random.uniform(1.5, 9):.3f}\n\nFRAME \tX \tY \tW \tH \n"
    ]
    sway = np.cumsum(random.normal(0, 0.0015, (count, 2)), 0) + middle
    for frame, (x, y) in enumerate(sway, first):
        left, top, wide, high = x - size * _FRAME[1] / _FRAME[0] / 2, y - size / 2, size * _FRAME[1] / _FRAME[0], size
        if utterance.celebrity.subset == "vox1":
            cells = [f"{round(value * side)}" for value, side in zip((left, top, wide, high), _FRAME * 2, strict=True)]
        else:
            cells = [f"{value:.3f}" for value in (left, top, wide, high)]
        lines.append(f"{frame:06d} \t" + " \t".join(cells) + " \n")
    return "".join(lines)


def write_sound(out: Path, utterance: Utterance, sound: NDArray[np.int16], archive: str = "") -> tuple[str, int]:
    """The recording and its face track in the official layout below `out`: (place of the recording, bytes of both).

    `archive` (`vox1_dev`) puts them below folders named as the archives that hold them, `vox1_dev_wav`.
    """
    folder, ending, encode = ENCODERS[utterance.celebrity.subset]
    home, beside = (f"{archive}_{kind}/" if archive else "" for kind in (folder, "txt"))
    member = f"{home}{folder}/{utterance.place}.{ending}"
    size = write(out / member, encode(sound))
    return member, size + write(out / f"{beside}txt/{utterance.place}.txt", track_text(utterance).encode())


def forge_sounds(out: Path, one: Celebrity, options: SoundOptions, archives: bool) -> tuple[dict[str, Any], int]:
    """A person's recordings and face tracks: (truth by place, bytes).

    With `archives` they lie in folders named as VoxCeleb's zips, ready to be packed.
    """
    found, size = {}, 0
    for utterance in plan_sounds(one, options):
        sound, facts = sound_of(utterance)
        place, written = write_sound(out, utterance, sound, f"{one.subset}_{one.set}" if archives else "")
        found[place] = facts | {"name": one.name, "subset": one.subset, "video": utterance.video, "key": utterance.key}
        size += written
    return found, size
