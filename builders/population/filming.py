"""What cameras and microphones take of a clip, frame by frame, wherever it is written to."""

import io
import wave
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .clips import Cast, Clip, ForgeOptions, Segment
from .scene import Pose, Shot, at_position
from .voices import RATE, Wave, microphones, speak

_CHIN_ROOM = 18.0
"""Rows that a clean clip keeps free below the chin for swaying and speaking."""


def _segment(clip: Clip, frame: int) -> Segment:
    return next(part for part in clip.segments if part.first <= frame <= part.last)


def shots(clip: Clip, options: ForgeOptions, chin: float, opening: NDArray[np.float64]) -> Iterator[Shot]:
    """What the cameras see, frame by frame; the head sways a little. `chin`: rows from face centre to chin."""
    random = np.random.default_rng(
        [options.seed, clip.subject, clip.trial, clip.session, clip.position, clip.command, 9]
    )
    base = clip.segments[-1]
    dx, dy = base.dx / options.scale, base.dy / options.scale
    still = at_position(clip.position, 378.0 + dx + random.normal(0, 4), min(252.0 + dy, 512.0 - _CHIN_ROOM - chin))
    if clip.artifact in ("chin", "both"):
        still = replace(still, y=512.0 - chin + random.uniform(42, 50))
    phase, sway = random.uniform(0, 2 * np.pi, 3), random.uniform(0.6, 2.0, 3)
    for frame in range(1, clip.frames + 1):
        turn = np.sin(2 * np.pi * frame / np.array([61.0, 83.0, 47.0]) + phase) * sway
        pose: Pose = replace(still, x=still.x + 1.5 * turn[0], y=still.y + turn[1], roll=still.roll + 0.8 * turn[2])
        part = _segment(clip, frame)
        jump = part.dx - base.dx if part.why == "jump" else 0
        blurred = clip.artifact in ("blur", "both") and clip.span[0] <= frame <= clip.span[1]
        shift = base if part.why == "jump" else part
        pose = replace(pose, opening=float(opening[frame - 1]))
        yield Shot(pose, shift.dx, shift.dy, jump, 5.0 if blurred else 0.0)


def wav(track: NDArray[np.int16]) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(track.astype("<i2").tobytes())
    return buffer.getvalue()


def heard(clip: Clip, cast: Cast, options: ForgeOptions) -> tuple[Wave, NDArray[np.int16]]:
    """The spoken sound, (samples,) float64 in -1..1, and what both microphones make of it, (2, samples) int16."""
    random = np.random.default_rng([options.seed, clip.subject, clip.trial, clip.position, clip.command, 13])
    sound = speak(cast.person, clip.said, clip.samples, random)
    return sound, microphones(sound, random, clip.artifact == "noise")


def grain(clip: Clip, options: ForgeOptions, frame: int) -> np.random.Generator:
    """The noise of both cameras in one frame, from 1."""
    place = [clip.subject, clip.trial, clip.session, clip.position, clip.command, frame]
    return np.random.default_rng([options.seed, *place, 10])
