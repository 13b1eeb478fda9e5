"""The sound of a video as speaker embedders hear it: 16 kHz, one channel, read in place, block by block."""

import wave
from collections import OrderedDict
from collections.abc import Iterator
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from ...models.core.speaker import SpeakerEmbedder
from .collection_options import CollectOptions
from .video import Video

RATE = 16_000
BLOCK_MS = 20_000
"""Decoded at once; always the same ones, so that a sample does not depend on what was asked for before."""
BLOCKS = 3
"""Kept in memory: a window of ten seconds lies in two."""
LEAST_LEVEL = -60.0
"""dB of full scale that a second of sound must reach to count as one."""
Samples = NDArray[np.int16]


class TrackSound:
    """The whole sound track of an open video, as far as it is asked for; silence where the file has none."""

    def __init__(self, video: Video) -> None:
        self._video = video
        self._blocks: OrderedDict[int, Samples] = OrderedDict()
        self.samples = int(video.seconds * RATE)
        """Of the whole file at RATE."""

    def read(self, first: int, end: int) -> Samples:
        """Samples [first, end), (end - first,) int16. Raises ValueError without a sound track that is read."""
        size = BLOCK_MS * RATE // 1000
        parts = []
        for number in range(first // size, -(-end // size)):
            start = number * size
            parts.append(self._block(number)[max(first - start, 0) : min(end - start, size)])
        return np.concatenate(parts) if parts else np.zeros(0, np.int16)

    def _block(self, number: int) -> Samples:
        if number not in self._blocks:
            sound = self._video.sound(number * BLOCK_MS, (number + 1) * BLOCK_MS, RATE, silent=True)
            block = np.zeros(BLOCK_MS * RATE // 1000, np.int16)
            block[: len(sound.samples)] = sound.samples
            self._blocks[number] = block
            while len(self._blocks) > BLOCKS:
                self._blocks.popitem(last=False)
        self._blocks.move_to_end(number)
        return self._blocks[number]

    def seconds(self) -> Iterator[Samples]:
        """The track second by second."""
        for first in range(0, self.samples, RATE):
            yield self.read(first, min(first + RATE, self.samples))


def is_loud(samples: Samples) -> bool:
    """Whether a piece of sound reaches LEAST_LEVEL, by its mean power."""
    if not len(samples):
        return False
    power = float(np.mean(np.square(samples.astype(np.float64) / 32_768)))
    return power > 10 ** (LEAST_LEVEL / 10)


def window_vectors(
    sound: TrackSound, options: CollectOptions, embed: SpeakerEmbedder
) -> tuple[NDArray[np.float32], float]:
    """((windows, D) unit vectors of the windows of s_min that begin at every s_step, seconds that are loud)."""
    track = embed.track(sound.read, sound.samples)
    size = round(options.s_min * RATE)
    vectors, loud, heard = [], 0, 0
    for start in starts(sound.samples, options):
        vectors.append(track(start, start + size))
        while heard + RATE <= start + size:
            loud += is_loud(sound.read(heard, heard + RATE))
            heard += RATE
    empty = np.zeros((0, 0), np.float32)
    return (np.stack(vectors).astype(np.float32) if vectors else empty), float(loud)


def starts(samples: int, options: CollectOptions) -> range:
    """Where the windows of s_min begin."""
    size, step = round(options.s_min * RATE), round(options.s_step * RATE)
    return range(0, samples - size + 1, step)


def wav(samples: Samples) -> bytes:
    """(samples,) int16 as a WAV file of one channel at RATE, PCM of 16 bit."""
    held = BytesIO()
    with wave.open(held, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.astype("<i2").tobytes())
    return held.getvalue()
