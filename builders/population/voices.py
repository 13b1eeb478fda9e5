"""Speech-like sound from a person's latent numbers: glottal pulses through formants in the rhythm of a text."""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from .people import LATENTS, TRAITS, Person

RATE = 44100
FPS = 28
FRAME_SAMPLES = RATE // FPS
REST = 0.1
"""Share of an utterance after the last word: the release leaves up to a second there."""
PITCH_SPREAD, TRACT_SPREAD = 0.17, 0.045
"""Standard deviations among people of one gender: of the pitch in octaves, of the vocal tract's length as a share."""
Wave = NDArray[np.float64]

_VOWELS = {
    "a": (730.0, 1250.0, 2500.0),
    "e": (530.0, 1840.0, 2480.0),
    "i": (300.0, 2250.0, 2950.0),
    "o": (500.0, 900.0, 2400.0),
    "u": (320.0, 850.0, 2250.0),
    "y": (310.0, 2050.0, 2750.0),
}
"""First three formants in Hz of a 17.5 cm vocal tract."""


@dataclass(frozen=True)
class Voice:
    """What one person's speech organs do to every utterance."""

    pitch: float
    """Mean fundamental frequency, Hz."""
    tract: float
    """Vocal tract length, cm."""
    tilt: float
    """Glottal low-pass corner, Hz."""
    breath: float
    """Noise share in the source, 0..1."""
    front: float
    """Factor on the second formant (lip and mouth shape)."""
    melody: float
    """Pitch movement over a syllable, in octaves."""
    pace: float
    """Syllables per second."""


def voice_of(person: Person) -> Voice:
    """The voice that a person's voice latents give: each number leans on two or three traits of the face."""
    latent = np.asarray(person.voice)
    assert latent.shape == (LATENTS,)
    male = person.voice_gender == "Male"

    def lean(**weights: float) -> float:
        total = sum(weight * latent[TRAITS.index(name)] for name, weight in weights.items())
        return float(total / np.sqrt(sum(weight**2 for weight in weights.values())))

    return Voice(
        pitch=(118.0 if male else 208.0)
        * 2 ** (-PITCH_SPREAD * lean(jaw_length=0.8, jaw_square=0.5, brow_height=-0.3)),
        tract=(17.2 if male else 14.6) * (1 + TRACT_SPREAD * lean(jaw_width=0.8, nose_length=0.6)),
        tilt=1100.0 * 2 ** (0.5 * lean(lip_thickness=-0.8, skin_light=0.4)),
        breath=0.05 + 0.05 * (1 + np.tanh(lean(mouth_place=0.9, hair_light=0.4))) / 2 + (0.0 if male else 0.02),
        front=1 + 0.05 * lean(mouth_width=0.9, eye_distance=0.4),
        melody=0.14 + 0.06 * np.tanh(lean(brow_tilt=0.9, eye_tilt=0.5)),
        pace=4.6 * 2 ** (0.15 * lean(eye_size=0.8, nose_width=-0.5)),
    )


def syllables(text: str) -> list[tuple[str, str]]:
    """(consonants before, vowel) of each syllable of a text, roughly: one per run of vowel letters."""
    found = re.findall(r"([^aeiouy]*)([aeiouy]+)", re.sub(r"[^a-z]", "", text.lower()))
    return [(before, run[0]) for before, run in found] or [("", "a")]


def _resonate(source: Wave, centre: float, width: float, state: Wave) -> tuple[Wave, Wave]:
    """One formant: two-pole resonator of unit gain at 0 Hz, with the filter state carried over."""
    radius = np.exp(-np.pi * width / RATE)
    poles = [1.0, -2 * radius * np.cos(2 * np.pi * min(centre, 18000.0) / RATE), radius**2]
    out, after = lfilter([sum(poles)], poles, source, zi=state)
    return np.asarray(out), np.asarray(after)


def _source(voice: Voice, bounds: NDArray[np.int64], random: np.random.Generator) -> Wave:
    """Glottal pulses with a melody over the syllables, breath included, about unit level."""
    count = int(bounds[-1])
    place = np.interp(np.arange(count), bounds, np.arange(len(bounds)))
    accent = random.normal(0, 0.5, len(bounds))
    bend = (
        np.interp(place, np.arange(len(bounds)), accent) + 0.6 * np.sin(2 * np.pi * place) - 0.8 * place / len(bounds)
    )
    shaky = np.repeat(random.normal(0, 0.012, count // 220 + 1), 220)[:count]
    phase = np.cumsum(voice.pitch * 2 ** (voice.melody * bend + shaky)) / RATE
    pulses = np.diff(np.floor(phase), prepend=0.0) * np.sqrt(RATE / voice.pitch)
    decay = np.exp(-2 * np.pi * voice.tilt / RATE)
    glottis = lfilter([1 - decay], [1, -decay], pulses)
    glottis = lfilter([1.0, -0.995], [1.0, -0.97], glottis)
    return np.asarray(glottis + voice.breath * random.standard_normal(count))


def speak(person: Person, text: str, samples: int, random: np.random.Generator) -> Wave:
    """(samples,) float64 speech-like sound in -1..1, 44,100 Hz; too long a text is cut at the end.

    The words end after 90 % of the time, see REST.
    """
    return utter(voice_of(person), text, samples, random)


def utter(voice: Voice, text: str, samples: int, random: np.random.Generator) -> Wave:
    """As `speak`, in a voice that need not be a person's usual one."""
    parts = syllables(text)
    spoken = samples * (1 - REST)
    room = max(1, round(spoken / RATE * voice.pace))
    parts = parts[:room]
    weights = np.array([0.8 + 0.15 * len(before) for before, _ in parts]) * random.uniform(0.85, 1.15, len(parts))
    bounds = np.concatenate([[0], np.round(np.cumsum(weights) / weights.sum() * spoken)]).astype(np.int64)
    source = _source(voice, bounds, random)
    loud = np.zeros(samples)
    hiss = np.zeros(samples)
    out = np.zeros(samples)
    stretch = 17.5 / voice.tract
    states = [np.zeros(2) for _ in range(5)]
    for (before, vowel), start, end in zip(parts, bounds[:-1], bounds[1:], strict=True):
        first, second, third = _VOWELS[vowel]
        formants = (first, second * voice.front, third, 3500.0, 4500.0)
        piece = source[start:end]
        for number, (centre, width) in enumerate(zip(formants, (80.0, 100.0, 140.0, 220.0, 300.0), strict=True)):
            piece, states[number] = _resonate(piece, centre * stretch, width * stretch, states[number])
        out[start:end] = piece
        span = np.linspace(0, 1, end - start)
        loud[start:end] = np.sin(np.pi * np.clip((span - 0.12) / 0.88, 0, 1)) ** 0.7
        if re.search(r"[sfhtkpcxz]", before):
            hiss[start:end] = np.exp(-(((span - 0.08) / 0.06) ** 2)) * (0.5 if "s" in before else 0.25)
    sharp = lfilter([1.0, -0.9], [1.0], random.standard_normal(samples)) * hiss * 0.12
    level = np.sqrt(np.mean((out * loud) ** 2)) + 1e-9
    mixed = out * loud / level * 0.11 + sharp
    return np.asarray(np.tanh(mixed), np.float64)


def loudness(wave: Wave, frames: int) -> Wave:
    """Level of each video frame's 1575 samples, (frames,) in 0..1: how far the mouth opens."""
    level = np.sqrt(np.mean(wave[: frames * FRAME_SAMPLES].reshape(frames, FRAME_SAMPLES) ** 2, 1))
    return np.asarray(np.clip(level / 0.2, 0, 1))


def microphones(wave: Wave, random: np.random.Generator, noise: bool = False) -> NDArray[np.int16]:
    """Left and right recording (2, samples) int16: own gain, delay and hiss; `noise` adds a loud common disturbance."""
    count = len(wave)
    common = np.zeros(count)
    if noise:
        clock = np.arange(count) / RATE
        rumble = lfilter([0.05], [1.0, -0.95], random.standard_normal(count)) * 0.5
        hum = 0.05 * np.sign(np.sin(2 * np.pi * random.uniform(90, 160) * clock))
        common = (rumble + hum) * (1 + 0.5 * np.sin(2 * np.pi * 1.7 * clock))
    tracks = []
    for gain, delay in ((1.0, 0), (float(random.uniform(0.82, 0.94)), int(random.integers(2, 9)))):
        heard = np.concatenate([np.zeros(delay), (wave + common)[: count - delay]]) * gain
        tracks.append(heard + 0.0012 * random.standard_normal(count))
    return np.asarray(np.clip(np.round(np.stack(tracks) * 32767), -32768, 32767), np.int16)
