"""Made-up voices of many kinds, to train speaker embedders on: more varied than the population's, with no face.

Each talker has organs of their own (pitch, vocal tract, each formant, hiss), says a random sequence of speech sounds,
and is recorded each time through another room, microphone and noise: what stays the same is the voice.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.signal import butter, fftconvolve, firwin2, lfilter, sosfilt

RATE = 16_000
BLOCK = 80
"""Samples (5 ms) over which the organs hold still."""
Wave = NDArray[np.float64]

VOWELS = {
    "iy": (270, 2290, 3010),
    "ih": (390, 1990, 2550),
    "eh": (530, 1840, 2480),
    "ae": (660, 1720, 2410),
    "aa": (730, 1090, 2440),
    "ao": (570, 840, 2410),
    "uh": (440, 1020, 2240),
    "uw": (300, 870, 2240),
    "ah": (640, 1190, 2390),
    "er": (490, 1350, 1690),
}
"""First three formants in Hz of men (Peterson and Barney 1952, table II)."""
VOICED = {
    "m": (280, 1000, 2200),
    "n": (280, 1600, 2600),
    "l": (360, 1100, 2700),
    "r": (350, 1100, 1600),
    "w": (300, 650, 2200),
    "j": (280, 2200, 3000),
}
"""Round values of nasals, liquids and glides."""
VOICED_LEVEL = 0.45
HISSES = {"s": (1.0, 0.9), "sh": (0.62, 1.0), "f": (0.95, 0.35), "th": (1.05, 0.3), "h": (0.35, 0.3)}
"""Place of the noise, as a factor on the talker's own, and level."""
BURSTS = {"p": 0.3, "t": 0.9, "k": 0.5}
"""Place of a stop's burst, likewise."""
UPPER = (3500.0, 4500.0)
"""Fourth and fifth formant, Hz."""
WIDTHS = (80.0, 100.0, 140.0, 220.0, 300.0)
"""Of the five formants, Hz."""


@dataclass(frozen=True)
class Talker:
    """What one person's speech organs do to everything they say."""

    pitch: float
    """Mean fundamental frequency, Hz."""
    melody: float
    """Deviation of the pitch while speaking, octaves."""
    shake: float
    """Deviation of the pitch from one 7 ms to the next, octaves."""
    stretch: float
    """Factor on all formants: 17.5 cm over the vocal tract's length."""
    formants: NDArray[np.float64]
    """(5,) factor on each formant."""
    places: dict[str, NDArray[np.float64]]
    """Factor on the three formants of each sound."""
    widths: NDArray[np.float64]
    """(5,) factor on each formant's width."""
    tilt: float
    """Glottal low-pass corner, Hz."""
    body: float
    """Pole of the glottal pulse's low end."""
    breath: float
    """Noise in the source, as a share of its level."""
    hiss: tuple[float, float, float]
    """Hz of the middle of an s, factor on its sharpness, factor on its level."""
    pace: float
    """Factor on the length of every sound."""


def draw_talker(seed: int, number: int) -> Talker:
    """The talker of that number; half of them have the pitch and tract of women."""
    random = np.random.default_rng([seed, number, 21])
    low = random.random() < 0.5

    def about(one: float, spread: float) -> float:
        return float(one * np.exp(spread * random.standard_normal()))

    return Talker(
        pitch=about(118 if low else 208, 0.14),
        melody=about(0.16, 0.3),
        shake=about(0.008, 0.5),
        stretch=about(1 if low else 17.5 / 15, 0.05),
        formants=np.exp(0.05 * random.standard_normal(5)),
        places={name: np.exp(0.06 * random.standard_normal(3)) for name in (*VOWELS, *VOICED)},
        widths=np.exp(0.25 * random.standard_normal(5)),
        tilt=about(1100, 0.4),
        body=0.97 - 0.02 * random.random(),
        breath=about(0.02, 0.8),
        hiss=(about(5600 if low else 6300, 0.12), about(1, 0.3), about(1, 0.4)),
        pace=about(1, 0.14),
    )


@dataclass
class Score:
    """What to say, block by block: (blocks,) levels of voice and hiss and the hiss's place; (blocks, 3) formants."""

    voice: Wave
    hiss: Wave
    place: Wave
    formants: Wave


def compose(talker: Talker, blocks: int, random: np.random.Generator) -> Score:
    """A random sequence of speech sounds."""
    score = Score(np.zeros(blocks), np.zeros(blocks), np.zeros(blocks), np.zeros((blocks, 3)))
    at, moments, targets = 0, [], []

    def lasting(seconds: float) -> slice:
        nonlocal at
        first = at
        at += max(3, int(random.gamma(6, seconds / 6) * talker.pace * RATE / BLOCK))
        return slice(first, min(at, blocks))

    def voiced(name: str, formants: tuple[int, int, int], part: slice, level: float) -> None:
        score.voice[part] = level * random.uniform(0.8, 1.2)
        moments.append((part.start + part.stop) / 2)
        targets.append(np.array(formants) * talker.places[name] * np.exp(0.03 * random.standard_normal(3)))

    while at < blocks:
        if random.random() < 0.05:
            lasting(0.25)
            continue
        kind = random.random()
        if kind < 0.3:
            factor, level = HISSES[str(random.choice(list(HISSES)))]
            part = lasting(0.08)
            score.hiss[part], score.place[part] = level * random.uniform(0.7, 1.3), factor
            score.voice[part] = 0.3 * (random.random() < 0.4)
        elif kind < 0.5:
            part = lasting(0.07)
            part = slice(max(part.start, part.stop - 4), part.stop)
            score.hiss[part], score.place[part] = 0.8, BURSTS[str(random.choice(list(BURSTS)))]
        elif kind < 0.85:
            name = str(random.choice(list(VOICED)))
            voiced(name, VOICED[name], lasting(0.06), VOICED_LEVEL)
        if at < blocks:
            name = str(random.choice(list(VOWELS)))
            voiced(name, VOWELS[name], lasting(0.12), 0.9)
    targets, moments = targets or [np.array([500.0, 1500.0, 2500.0])], moments or [0]
    score.formants = np.stack([np.interp(np.arange(blocks), moments, row) for row in np.array(targets).T], 1)
    score.voice = np.convolve(score.voice, np.hanning(7) / np.hanning(7).sum(), "same")
    score.hiss = np.convolve(score.hiss, np.hanning(5) / 2, "same")
    return score


def _pulses(talker: Talker, samples: int, random: np.random.Generator) -> Wave:
    """Glottal pulses of unit level, their pitch moving as in speech."""
    clock = np.arange(samples) / RATE
    knots = random.standard_normal(samples * 3 // RATE + 2)
    bend = np.interp(clock, np.linspace(0, samples / RATE, len(knots)), knots) - 0.5 * (clock % 2.5) / 2.5
    shake = np.repeat(random.normal(0, talker.shake, samples // 110 + 1), 110)[:samples]
    today = talker.pitch * 2 ** (0.06 * random.standard_normal())
    phase = np.cumsum(today * 2 ** (talker.melody * bend + shake)) / RATE
    pulses = np.diff(np.floor(phase), prepend=0.0) * (1 + 0.1 * random.standard_normal(samples))
    # The effort of the day moves the tilt: louder speech is brighter.
    decay = np.exp(-2 * np.pi * talker.tilt * np.exp(0.3 * random.standard_normal()) / RATE)
    pulses = lfilter([1, -0.995], [1, -talker.body], lfilter([1 - decay], [1, -decay], pulses))
    return np.asarray(pulses / (pulses.std() + 1e-9))


@njit(cache=True)
def _resonated(source: Wave, first: Wave, second: Wave) -> Wave:
    """(samples,) through one two-pole resonator after the other; `first` and `second` are their coefficients."""
    out = source.copy()
    for number in range(first.shape[1]):
        last = before = 0.0
        for sample in range(len(out)):
            one, two = first[sample // BLOCK, number], second[number]
            now = (1 + one + two) * out[sample] - one * last - two * before
            out[sample] = now
            last, before = now, last
    return out


def _formed(talker: Talker, source: Wave, formants: Wave) -> Wave:
    """The source through five resonators of unit gain at 0 Hz that move block by block."""
    upper = np.tile(UPPER, (len(formants), 1))
    centres = np.minimum(np.concatenate([formants, upper], 1) * talker.formants * talker.stretch, 7600)
    radii = np.exp(-np.pi * np.array(WIDTHS) * talker.widths * talker.stretch / RATE)
    first, second = -2 * radii * np.cos(2 * np.pi * centres / RATE), radii**2
    out = _resonated(source, first, second)
    out = lfilter([1, -0.6], [1], out)
    return np.asarray(out / (out.std() + 1e-9))


def talk(talker: Talker, seconds: float, random: np.random.Generator) -> Wave:
    """(samples,) float64 at 16 kHz of about unit level, before any room or microphone."""
    samples = int(seconds * RATE)
    score = compose(talker, samples // BLOCK + 1, random)
    breath = talker.breath * random.standard_normal(samples)
    source = (_pulses(talker, samples, random) + breath) * np.repeat(score.voice, BLOCK)[:samples]
    voice = _formed(talker, source, score.formants)
    middle, sharpness, level = talker.hiss
    noise, hiss = random.standard_normal(samples), np.zeros(samples)
    for factor in np.unique(score.place[score.hiss > 0]):
        centre = float(np.clip(middle * factor, 500, 7000))
        half = centre / (3 * sharpness)
        band = [max(100, centre - half), min(7900, centre + half)]
        heard = sosfilt(butter(2, band, "bandpass", fs=RATE, output="sos"), noise)
        hiss += heard / (heard.std() + 1e-9) * np.repeat(score.place == factor, BLOCK)[:samples]
    return np.asarray(voice + 0.3 * level * hiss * np.repeat(score.hiss, BLOCK)[:samples])


def record(wave: Wave, random: np.random.Generator) -> NDArray[np.int16]:
    """A wave as one recording has it: colour of a microphone, often a room, noise 15 to 50 dB below, some level."""
    gains = np.cumsum(random.normal(0, 2.5, 8))
    gains -= gains.mean()
    gains[0] -= 10 * (random.random() < 0.3)
    heard = lfilter(firwin2(101, np.linspace(0, 1, 8), 10 ** (gains / 20)), 1, wave)
    if random.random() < 0.5:
        length = int(random.uniform(0.05, 0.35) * RATE)
        room = random.standard_normal(length) * np.exp(-6 * np.arange(length) / length)
        room *= random.uniform(0.1, 0.5) / np.linalg.norm(room)
        room[0] = 1
        heard = fftconvolve(heard, room)[: len(heard)]
    heard = heard / (heard.std() + 1e-9)
    noise = lfilter([1], [1, -random.uniform(0, 0.95)], random.standard_normal(len(heard)))
    heard = heard + noise / noise.std() * 10 ** (-random.uniform(15, 50) / 20)
    level = 0.06 * 10 ** (random.uniform(-8, 6) / 20)
    return np.asarray(np.rint(np.tanh(heard * level) * 32_767), np.int16)
