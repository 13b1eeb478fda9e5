"""How like the target every face and voice window is, and from where on it is taken for the target's."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .collection_options import CollectOptions
from .collection_scan import Scan
from .collection_truth import SAME_FACE, GroundTruth
from .face_tracks import Duplicates
from .marks import Marks

SAME_VOICE: Mapping[str, float] = {"mfcc": 0.65}
"""Cosine that 1 % of the pairs of two real voices exceed (docs/speaker-embedding.md)."""
FEW = 10
"""Speakers below which other people's ground truths say too little of people unseen: then a threshold is not taken
below the embedder's own (SAME_FACE, SAME_VOICE), and no voice window is kept that is nearer to another speaker."""
ROOM = 0.5
"""Share of the way from there to what 95 % of the speakers' own ground truths reach, by which few speakers raise it."""
UNSURE, UNLIKE, BETTER, AGAIN = (
    "score of the detector below min_confidence",
    "cosine not above tau_face",
    "another face of the frame is more like the target",
    "nearly the same as an earlier kept face of the video",
)


@dataclass(frozen=True)
class Scores:
    """Cosines to the speaker's ground truth, -1 to 1."""

    faces: NDArray[np.float32]
    """(faces,) of a scan; NaN for those without a descriptor."""
    voices: NDArray[np.float32]
    """(windows,) of s_min, one at every s_step."""


@dataclass(frozen=True)
class Threshold:
    """A cosine that a kept face or window must exceed."""

    value: float
    how: str
    """In words: where it is from."""
    others: tuple[float, ...] = ()
    """Cosines of other speakers' ground truths, in falling order."""
    passing: float = 0.0
    """Share of them above the value; of few speakers' voices, of those not nearer to their own speaker."""
    own: float = 0.0
    """Share of the speakers' own ground truths above it."""


def scores(scan: Scan, truth: GroundTruth) -> Scores:
    """Of all faces and windows of a scan."""
    tracks = np.array([face.track for face in scan.faces], np.int64)
    faces = np.full(len(tracks), np.nan, np.float32)
    if (tracks >= 0).any():
        by_track = scan.descriptors() @ truth.face
        faces[tracks >= 0] = by_track[tracks[tracks >= 0]]
    voices = scan.voices()
    return Scores(faces, voices @ truth.voice if len(voices) else np.zeros(0, np.float32))


def faces_kept(scan: Scan, scored: NDArray[np.float32], tau: float, duplicate: float) -> list[str]:
    """For each face of a scan why it is left out, or "" for a kept one."""
    best: dict[int, float] = {}
    for face, score in zip(scan.faces, scored.tolist(), strict=True):
        if face.track >= 0:
            best[face.ms] = max(score, best.get(face.ms, -2.0))
    looks, seen = scan.looks(), Duplicates(duplicate)
    reasons, taken = [], set()
    for number, (face, score) in enumerate(zip(scan.faces, scored.tolist(), strict=True)):
        if face.track < 0:
            reasons.append(UNSURE)
        elif not score > tau:
            reasons.append(UNLIKE)
        elif score < best[face.ms] or face.ms in taken:
            reasons.append(BETTER)
        else:
            taken.add(face.ms)
            reasons.append(AGAIN if seen.add(looks[number]) else "")
    return reasons


def cohort(options: CollectOptions, truths: Mapping[str, GroundTruth], speaker: str) -> NDArray[np.float32]:
    """(n, D) mean voices of the other speakers, to one of which a window of this speaker must not be nearer.

    None with FEW speakers and more: among many there is always one who happens to be nearer, and the calibrated
    threshold holds; none with --strict-paper either.
    """
    if options.strict_paper or not 1 < len(truths) < FEW:
        return np.zeros((0, len(truths[speaker].voice)), np.float32)
    return np.stack([truth.voice for name, truth in sorted(truths.items()) if name != speaker])


def thresholds(options: CollectOptions, marks: Marks, truths: Sequence[GroundTruth]) -> tuple[Threshold, Threshold]:
    """Of faces and of voices: an option's, else the marks', else calibrated on the other speakers' ground truths.

    Raises ValueError for a single speaker and an embedder of which no threshold is known.
    """
    faces = [(truth.face, truth.faces) for truth in truths]
    voices = [(truth.voice, truth.voices) for truth in truths]
    return (
        _threshold("face", options, (options.tau_face, marks.face), faces, SAME_FACE.get(options.face_embedder)),
        _threshold("voice", options, (options.tau_voice, marks.voice), voices, SAME_VOICE.get(options.voice_embedder)),
    )


def _threshold(
    what: str,
    options: CollectOptions,
    given: tuple[float | None, float | None],
    truths: Sequence[tuple[NDArray[np.float32], NDArray[np.float32]]],
    known: float | None,
) -> Threshold:
    cross, nearer = [], []
    for number, (target, _) in enumerate(truths):
        for second, (theirs, other) in enumerate(truths):
            if second != number:
                cross.append(other @ target)
                nearer.append(other @ theirs > other @ target)
    others = np.concatenate(cross) if cross else np.zeros(0, np.float32)
    few = what == "voice" and len(truths) < FEW and not options.strict_paper
    # What the cohort turns down needs no threshold.
    left = np.where(np.concatenate(nearer), np.float32(-1), others) if few and nearer else others
    own = np.concatenate([vectors @ target for target, vectors in truths]) if truths else np.zeros(0, np.float32)
    value, how = _chosen(what, options, given, (np.sort(left)[::-1], own), len(truths), known)
    shares = [float(np.mean(some > value)) if len(some) else 0.0 for some in (left, own)]
    return Threshold(value, how, tuple(round(float(one), 6) for one in np.sort(others)[::-1]), *shares)


def _chosen(
    what: str,
    options: CollectOptions,
    given: tuple[float | None, float | None],
    truths: tuple[NDArray[np.float32], NDArray[np.float32]],
    speakers: int,
    known: float | None,
) -> tuple[float, str]:
    (option, marked), (others, own) = given, truths
    if option is not None:
        return option, f"given as --tau-{what}"
    if marked is not None:
        return marked, "given by the marks"
    if not len(others):
        if known is None:
            raise ValueError(f"tau-{what}: one speaker, and no threshold of this embedder is known. Give --tau-{what}")
        return known, "of the embedder: with one speaker there is nothing to calibrate on"
    # Above the value lie at most so many of the others.
    passing = int(options.others_pass * len(others))
    value = math.ceil(float(others[passing]) * 1e6) / 1e6 if passing < len(others) else -1.0
    share = f"calibrated: at most {options.others_pass:.1%} of {len(others):,} other speakers' ground truths pass"
    if speakers < FEW and known is not None:
        least = max(known, value)
        room = max(0.0, float(np.percentile(own, 5)) - least) * ROOM
        if least + room > value:
            words = (
                f"of the embedder and the speakers' own {what}s: {speakers} speakers are too few"
                if room
                else (f"of the embedder: {speakers} speakers are too few to go below it")
            )
            return round(least + room, 6), words + (f" (calibrated {value:.3f})" if value > -1 else "")
    return value, share
