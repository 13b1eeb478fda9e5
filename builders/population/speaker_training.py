"""Makes models/core/data/speaker_space.npy: python -m facevox.builders.population.speaker_training OUT (2 minutes).

All voices are forged; no recording of a person goes into it. Another processor or numpy may round the last bits
otherwise.
"""

import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...loaders.resample import resample
from ...models.core.speaker_space import fit
from ...models.core.voice_frames import RATE, voice_frames
from ...models.core.voice_vector import LEAST_FRAMES, voice_measures, voiced_frames
from ..core.engine import fresh_processes
from .people import draw
from .talkers import draw_talker, record, talk
from .voices import RATE as POPULATION_RATE
from .voices import speak


@dataclass(frozen=True)
class TrainingOptions:
    """What the space is fitted to; the defaults are those of the shipped file."""

    talkers: int = 240
    """Of talkers.py."""
    people: int = 60
    """Of the population, as the datasets have them."""
    recordings: int = 4
    """Of each."""
    seconds: float = 8.0
    window: float = 3.0
    """Seconds of a window; windows overlap by half."""
    seed: int = 20261121
    """Of voices that no dataset of the population has."""


def training_space(options: TrainingOptions, workers: int = 1) -> NDArray[np.float32]:
    """The space (speaker_space.fit) of forged voices; the same for any number of workers."""
    numbers = range(options.talkers + options.people)
    if workers == 1:
        vectors = [_measured(options, number) for number in numbers]
    else:
        with ProcessPoolExecutor(workers, mp_context=fresh_processes()) as pool:
            vectors = list(pool.map(partial(_measured, options), numbers, chunksize=4))
    return fit(np.stack(vectors))


def _measured(options: TrainingOptions, number: int) -> NDArray[np.float64]:
    """(windows, MEASURES) of one speaker's recordings."""
    size = round(options.window * RATE)
    found = []
    for take in range(options.recordings):
        random = np.random.default_rng([options.seed, number, take])
        sound = _recording(options, number, random)
        for start in range(0, len(sound) - size + 1, size // 2):
            frames = voice_frames(sound[start : start + size])
            voiced = voiced_frames(frames)
            if voiced.sum() < LEAST_FRAMES:
                # Rare: noise drowned the voice. The most periodic frames stand for it, so that all have equally many.
                voiced = frames.periodic >= np.sort(frames.periodic)[-LEAST_FRAMES]
            found.append(voice_measures(frames, voiced))
    return np.stack(found)


def _recording(options: TrainingOptions, number: int, random: np.random.Generator) -> NDArray[np.int16]:
    if number < options.talkers:
        return record(talk(draw_talker(options.seed, number), options.seconds, random), random)
    person = draw(options.seed, number)
    letters = "".join(random.choice(list("bdfghklmnprst"), 400))
    vowels = random.choice(list("aeiouy"), 400)
    text = "".join(before + vowel for before, vowel in zip(letters, vowels, strict=True))
    sound = speak(person, text, round(options.seconds * POPULATION_RATE), random)
    low = resample(np.asarray(np.rint(sound * 32_767), np.int16), POPULATION_RATE, RATE)
    return record(low / 32_768 / (np.std(low / 32_768) + 1e-9), random)


def main(out: Path) -> None:
    held = BytesIO()
    np.save(held, training_space(TrainingOptions(), workers=2))
    out.write_bytes(held.getvalue())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
