"""Config `pairs`: the thermal/visual face pairs of the paper's translation task, drawn anew by a seed."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import pyarrow as pa

from ...loaders.media import encode_still
from ...loaders.sample import Config, Fact, Field, Sample
from ..core.builder import Unit
from ..core.stage import Clock, Reject, Rejection
from .aligned_frames import AlignedFrames, cut
from .speakingfaces_clips import Source, about
from .speakingfaces_facts import DECIDED, WHO
from .speakingfaces_options import SpeakingFacesOptions
from .speakingfaces_release import FPS

PER_POSITION = 3
"""Frames per position, trial and subject: 2700 in 100 subjects and one trial, as the paper counts."""
TRIES = 30
"""Frames drawn of one position until so many faces are found."""
TRAIN_UP_TO = 100
SWAPPED = {90: "test", 140: "train"}
"""The published embeddings hold subjects 101 to 142 without 140, and 90."""

BOX = pa.struct([(edge, pa.int16()) for edge in ("left", "top", "right", "bottom")])
OF_FRAME = (
    Fact("command", pa.int16(), "command number, unique only inside a split"),
    Fact("translation_split", pa.string(), "train or test of the translation task: this config's own split"),
    Fact("frame", pa.int32(), "release number of the frame inside its command, from 1"),
    Fact("published_name", pa.string(), "file name of such a pair in the published set"),
    Fact("face_box", BOX, "face in the 464x348 frame, cut at its edges; right and bottom are outside"),
    Fact("face_score", pa.float32(), "of the detector, in its own scale"),
    Fact("detector", pa.string(), "what found the face on the aligned visual frame"),
)
PAIRS = Config(
    "pairs",
    "Three seeded frames per position, trial and subject: the face on the aligned visual frame and the same box of the "
    "thermal one. Its splits are those of the translation task, 100 and 42 people, with subject 90 in test and 140 in "
    "train as published: a person may be in another split of the other configs.",
    (
        Field("visual.webp", "image", "face cut out of the visual frame as aligned to thermal, lossless"),
        Field("thermal.webp", "image", "the same pixels of the thermal frame, lossless"),
    ),
    (*WHO, *OF_FRAME, *DECIDED),
    default=False,
)
Open = Callable[[Unit], AbstractContextManager[Source]]


def translation_split(subject: int) -> str:
    """train or test, as the published set has it."""
    return SWAPPED.get(subject, "train" if subject <= TRAIN_UP_TO else "test")


def pair_units(utterances: Iterable[Unit | Rejection]) -> Iterator[Unit | Rejection]:
    """One unit per subject, trial and position from the listing of its utterances; rejections as they are."""
    groups: dict[str, list[Unit]] = defaultdict(list)
    for item in utterances:
        if isinstance(item, Rejection):
            subject = item.key.split("_")[0]
            split = translation_split(int(subject)) if subject.isdigit() else item.split
            yield replace(item, config="pairs", split=split)
        else:
            groups[item.key.rsplit("_", 1)[0]].append(item)
    for key, clips in sorted(groups.items()):
        first = clips[0]
        frames = sum(clip.details["frames"] for clip in clips)
        size = max(1, PER_POSITION * sum(clip.size for clip in clips) // max(frames, 1))
        own = [{"key": c.key, "split": c.split, "size": c.size, "details": dict(c.details)} for c in clips]
        split = translation_split(first.details["person"]["subject"])
        yield Unit(key, "pairs", split, first.identity, size, {"clips": own}, samples=PER_POSITION)


def drawn(unit: Unit, seed: int) -> list[tuple[Unit, int]]:
    """Every (utterance, frame from 1) of a position in the order of the draw: by hash, so that no library decides it.

    Utterances that people left out are not drawn from.
    """
    found: list[tuple[str, Unit, int]] = []
    for clip in unit.details["clips"]:
        decisions = tuple(decision for decision in unit.decisions if decision.key == clip["key"])
        if any(decision.verdict == "leave out" for decision in decisions):
            continue
        utterance = Unit(
            clip["key"], "utterances", clip["split"], unit.identity, clip["size"], clip["details"], decisions=decisions
        )
        for frame in range(1, clip["details"]["frames"] + 1):
            rank = hashlib.sha256(f"{seed} {clip['key']} {frame}".encode()).hexdigest()
            found.append((rank, utterance, frame))
    return [(utterance, frame) for _, utterance, frame in sorted(found, key=lambda item: item[0])]


def read_pairs(unit: Unit, how: SpeakingFacesOptions, clock: Clock, open_clip: Open) -> Iterator[Sample | Rejection]:
    """Up to three pairs in key order, rows for the first drawn frames that cannot be read, a row if pairs are missing.

    That row counts the frames that could not be read and those without a face.
    """
    kept: list[Sample] = []
    unread: list[Rejection] = []
    tried = 0
    for utterance, frame in drawn(unit, how.pairs_seed):
        if len(kept) == PER_POSITION or tried == TRIES:
            break
        tried += 1
        try:
            with open_clip(utterance) as source:
                if frame > source.frames:
                    # Trimmed off: never there to be drawn.
                    tried -= 1
                    continue
                pair = _pair(unit, utterance, source, frame, how, clock)
        except Reject as verdict:
            key = f"{utterance.key}_{frame:04d}"
            unread.append(Rejection(key, unit.config, unit.split, "frame", verdict.place or key, verdict.reason))
            continue
        if pair is not None:
            kept.append(pair)
    yield from unread[:PER_POSITION]
    if len(kept) < PER_POSITION:
        reason = (
            f"{how.open_detector().name} found a face in {len(kept)} of {tried} frames drawn, expected {PER_POSITION}"
        )
        reason += f"; {len(unread)} could not be read, the last: {unread[-1].reason}" if unread else ""
        yield Rejection(unit.key, unit.config, unit.split, "faces", unit.key, reason)
    yield from sorted(kept, key=lambda sample: sample.key)


def _pair(
    unit: Unit, utterance: Unit, source: Source, frame: int, how: SpeakingFacesOptions, clock: Clock
) -> Sample | None:
    frames, detector = AlignedFrames(source, how.calibrated()), how.open_detector()
    aligned = frames.picture(frame)
    with clock("faces"):
        found = frames.face(aligned, detector)
    if found is None:
        return None
    face, box = found
    thermal = source.picture(1, frame)
    with clock("encode"):
        media = {"visual.webp": encode_still(cut(aligned, box)), "thermal.webp": encode_still(cut(thermal, box))}
    facts: dict[str, Any] = about(utterance, source) | {
        "command": source.stem.command,
        "frames": 1,
        "first_frame": frame,
        "seconds": 1 / FPS,
        "translation_split": unit.split,
        "frame": frame,
        "published_name": f"{source.stem.text}_{frame}_1.jpg",
        "face_box": dict(zip(("left", "top", "right", "bottom"), box, strict=True)),
        "face_score": face.score,
        "detector": detector.name,
    }
    return Sample(f"{utterance.key}_{frame:04d}", unit.identity, unit.split, media, facts)
