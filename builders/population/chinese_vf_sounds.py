"""What is heard in a forged video for Chinese_VF: two voices, music-like noise, the room and the microphone."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter, oaconvolve

from .chinese_vf_videos import Channel, Span, Video
from .clips import command_text
from .people import Person
from .voices import RATE, REST, Wave, utter, voice_of

Track = NDArray[np.float32]
"""(samples,) at 44,100 Hz."""
LEVEL = 0.11
"""Root mean square of a voice, and of what is set against it in decibels."""
EDGE = 0.02
"""Seconds over which noise begins and ends."""


def voice_track(video: Video, person: Person, spans: list[Span], salt: int) -> Track:
    """All that one person says in a video, before the room, zeros elsewhere.

    From phrase to phrase a voice changes a little in pitch, effort and pace, as everybody's does.
    """
    random = video.random(salt)
    track = np.zeros(video.milliseconds * RATE // 1000, np.float32)
    usual = voice_of(person)
    for span in spans:
        first, end = (edge * RATE // 1000 for edge in (span.start_ms, span.end_ms))
        pitch, tilt, pace = random.normal(0, (0.03, 0.08, 0.05))
        voice = replace(usual, pitch=usual.pitch * 2**pitch, tilt=usual.tilt * 2**tilt, pace=usual.pace * 2**pace)
        count = 3 + int(1.5 * (end - first) / RATE)
        words = " ".join(command_text("train", int(command)) for command in random.integers(1, 1297, count))
        # Its silent end is cut off: the phrase lasts as long as its span.
        said = utter(voice, words, int((end - first) / (1 - REST)) + 1, random)
        track[first:end] = said[: end - first]
    return track


def music(samples: int, random: np.random.Generator) -> Wave:
    """(samples,) float64 of root mean square LEVEL: chords that fade from beat to beat, and a drum."""
    beat = 60 / float(random.uniform(84, 136))
    root = 110 * 2 ** (int(random.integers(12)) / 12)
    clock = np.arange(samples) / RATE
    since = clock % beat
    out = np.exp(-since * 45) * random.standard_normal(samples) * 0.8
    count = int(samples / RATE / beat) + 1
    chords = ((0, 4, 7), (5, 9, 12), (7, 11, 14), (-3, 0, 4))
    for number in range(count):
        first, end = (min(samples, int(edge * beat * RATE)) for edge in (number, number + 1))
        inside = slice(first, end)
        fade = np.exp(-since[inside] * 2.5) * np.minimum(1, since[inside] / 0.01)
        for step in chords[int(random.integers(len(chords)))]:
            pitch = root * 2 ** (step / 12)
            for harmonic in range(1, 7):
                out[inside] += fade * np.sin(2 * np.pi * pitch * harmonic * clock[inside]) / harmonic**1.3
    return np.asarray(out / np.sqrt(np.mean(out**2)) * LEVEL)


def noise_track(video: Video) -> Track:
    """Music where the plan has noise; under everything else too where the channel says so."""
    random = video.random(93)
    track = np.zeros(video.milliseconds * RATE // 1000, np.float32)
    for span in video.spans:
        loud = 1.0
        if span.what != "noise":
            if video.channel.music_db is None:
                continue
            loud = 10 ** (-video.channel.music_db / 20)
        first, end = (edge * RATE // 1000 for edge in (span.start_ms, span.end_ms))
        ramp = np.minimum(np.arange(end - first), np.arange(end - first)[::-1]) / (EDGE * RATE)
        track[first:end] = loud * music(end - first, random) * np.minimum(1, ramp)
    return track


def recorded(voices: Track, music_like: Track, channel: Channel, random: np.random.Generator) -> Track:
    """Voices in a room with a microphone, music put in afterwards, hiss: (samples,) float32 in -1..1."""
    tail = int(1.2 * channel.echo_seconds * RATE)
    decay = np.exp(-np.log(1000) * np.arange(tail) / (channel.echo_seconds * RATE))
    echo = random.standard_normal(tail) * decay
    echo[: int(0.004 * RATE)] = 0
    # Walls take the treble: later sound is duller.
    echo = np.asarray(lfilter([0.35], [1, -0.65], echo))
    echo *= 10 ** (-channel.echo_db / 20) / np.sqrt(np.sum(echo**2))
    echo[0] = 1.0
    heard = oaconvolve(voices, echo.astype(np.float32))[: len(voices)]
    # A microphone's tone: treble taken off, and a broad rise or fall about 1 to 3 kHz.
    heard = lfilter([1 - channel.dull, channel.dull], [1], heard)
    heard = lfilter(*_presence(float(random.uniform(1000, 3000)), float(random.uniform(-5, 5))), heard)
    level = LEVEL * 10 ** (-channel.hiss_db / 20)
    hiss = level * random.standard_normal(len(voices), np.float32)
    return np.asarray(np.tanh(channel.gain * (heard + music_like + hiss)), np.float32)


def _presence(centre: float, decibels: float) -> tuple[list[float], list[float]]:
    """A peaking filter of quality 0.7 (Bristow-Johnson, Audio EQ Cookbook)."""
    turn = 2 * np.pi * centre / RATE
    amplitude, alpha = 10 ** (decibels / 40), np.sin(turn) / 1.4
    top = [1 + alpha * amplitude, -2 * np.cos(turn), 1 - alpha * amplitude]
    bottom = [1 + alpha / amplitude, -2 * np.cos(turn), 1 - alpha / amplitude]
    return [value / bottom[0] for value in top], [value / bottom[0] for value in bottom]


def sounds(video: Video) -> tuple[Track, Track, Track]:
    """The target's voice and the other's as spoken, and what the video's sound track holds."""
    both = [
        voice_track(video, person, [span for span in video.spans if span.what in (what, "overlap")], salt)
        for person, what, salt in ((video.speaker.person, "target", 94), (video.other, "other", 95))
    ]
    mixed = recorded(both[0] + both[1], noise_track(video), video.channel, video.random(96))
    return both[0], both[1], mixed
