"""Config `crops`: mouths and faces cut out of every frame of an utterance, visual and thermal, as clips."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np
import pyarrow as pa

from ...loaders.media import ClipWriter
from ...loaders.sample import Config, Fact, Field, Sample
from ..core.builder import Unit
from ..core.stage import Clock, Reject, Rejection
from .aligned_frames import AlignedFrames, cut
from .faces import FaceTracker, Image, TrackedFace
from .mouths import MOUTH_SIZE, UPPER_LANDMARK, PixelBox, mouth_box, mouth_crop
from .shifts import spans
from .speakingfaces_clips import Source, about, clip_writer, encode
from .speakingfaces_facts import DECIDED, SPOKEN, WHO
from .speakingfaces_options import SpeakingFacesOptions
from .speakingfaces_pairs import BOX, Open
from .speakingfaces_tables import Metadata

SAID = tuple(fact for fact in SPOKEN if fact.name in ("command", "command_text", "transcript"))
OF_CLIP = (
    Fact("mouth_boxes", pa.list_(BOX), "per frame, in the 464x348 frame, before it is cut at the edges; 0 where none"),
    Fact("mouthless", pa.list_(pa.int32()), "frames, from 1, without a mouth box: black in the mouth clips"),
    Fact("mouth_fixed", pa.bool_(), "whether any frame has the fixed box of the published tables"),
    Fact("face_box", BOX, "the one box of the face clips; null where no face was found"),
    Fact("face_share", pa.float32(), "share of frames in which a face was found"),
    Fact("detector", pa.string(), "what found the faces on aligned visual frames"),
)
CROPS = Config(
    "crops",
    "Streams 4 to 7 of one spoken command. Mouths follow the published rule frame by frame: chin landmarks, the upper "
    "one as in the published tables or the usual one of the position, or their fixed box; 128x64. Faces keep one box "
    "per clip, the median of the frames', so that all frames have one size and nothing is resampled; the five pictures "
    "that the authors cut are its frames 1 + i ((N - 1) // 4), i from 0 to 4.",
    (
        Field("mouth_visual.webp", "clip", "stream 4: mouth on the visual frame as aligned to thermal, 128x64"),
        Field("mouth_thermal.webp", "clip", "stream 5: the same box of the thermal frame, 128x64"),
        Field("face_thermal.webp", "clip", "stream 6: face on the thermal frame", optional=True),
        Field("face_visual.webp", "clip", "stream 7: face on the aligned visual frame", optional=True),
    ),
    (*WHO, *SAID, *OF_CLIP, *DECIDED),
    default=False,
)


def crop_units(utterances: Iterable[Unit | Rejection], tables: Metadata) -> Iterator[Unit | Rejection]:
    """The utterances again, with the published mouth rule of every frame: [first, last, upper landmark, fixed box]."""
    for item in utterances:
        if isinstance(item, Rejection):
            yield replace(item, config="crops")
            continue
        person, command, frames = item.details["person"], item.details["command"], item.details["frames"]
        rules = tables.rules(person["subject"], person["trial"], person["position"])
        found = spans(rules, command, frames)
        mouths = [[a, b, r and r.upper, list(r.box) if r is not None and r.box else None] for a, b, r in found]
        yield replace(item, config="crops", details={**item.details, "mouths": mouths})


@dataclass
class _Places:
    """Where mouth and face are, frame by frame."""

    mouths: list[PixelBox | None] = field(default_factory=list)
    faces: list[TrackedFace] = field(default_factory=list)
    fixed: bool = False


def read_crops(unit: Unit, how: SpeakingFacesOptions, clock: Clock, open_clip: Open) -> Iterator[Sample]:
    """One sample of mouth clips, and face clips where a face was found.

    Raises Reject when there is neither a face nor a fixed mouth box in any frame.
    """
    with open_clip(replace(unit, config="utterances")) as source:
        frames = AlignedFrames(source, how.calibrated())
        places = _located(unit, source, frames, how, clock)
        if not any(places.mouths):
            name = how.open_detector().name
            raise Reject(f"{name} found no face in any of {source.frames} frames, and no fixed box is published")
        median = np.median([face.box for face in places.faces], 0) if places.faces else None
        box = None if median is None else frames.clamped(tuple(median.tolist()))
        media = _encoded(source, frames, places.mouths, box, how, clock)
        row = {fact.name: unit.details.get("row", {}).get(fact.name) for fact in SAID}
        facts: dict[str, Any] = (
            about(unit, source)
            | row
            | {
                "command": source.stem.command,
                "mouth_boxes": [_edges(mouth or (0, 0, 0, 0)) for mouth in places.mouths],
                "mouthless": [number for number, mouth in enumerate(places.mouths, 1) if mouth is None],
                "mouth_fixed": places.fixed,
                "face_box": None if box is None else _edges(box),
                "face_share": len(places.faces) / source.frames,
                "detector": how.open_detector().name,
            }
        )
        yield Sample(unit.key, unit.identity, unit.split, media, facts)


def _edges(box: PixelBox) -> dict[str, int]:
    return dict(zip(("left", "top", "right", "bottom"), box, strict=True))


def _located(unit: Unit, source: Source, frames: AlignedFrames, how: SpeakingFacesOptions, clock: Clock) -> _Places:
    """One pass over the aligned frames: faces tracked, mouth boxes by the rule of each frame."""
    with clock("faces"):
        tracker = how.open_tracker()
    found, scale, position = _Places(), source.stem.scale, unit.details["person"]["position"]
    for number in range(1, source.frames + 1):
        aligned = frames.picture(number)
        with clock("faces"):
            face = _tracked(tracker, frames.release_size(aligned), scale)
        if face is not None:
            found.faces.append(face)
        upper, fixed = _rule(unit, number + source.dropped)
        mouth: PixelBox | None = None
        if fixed is not None:
            left, top, right, bottom = (round(edge * scale) for edge in fixed)
            mouth, found.fixed = (left, top, right, bottom), True
        elif face is not None:
            low = upper if upper in range(4) else UPPER_LANDMARK[position]
            mouth = mouth_box(face.points, position, low, scale)
        inside = mouth is not None and mouth_crop(aligned, mouth) is not None
        found.mouths.append(mouth if inside else None)
    return found


def _tracked(tracker: FaceTracker, working: Image, scale: float) -> TrackedFace | None:
    return tracker.add(working, np.asarray(cv2.cvtColor(working, cv2.COLOR_RGB2GRAY), np.uint8), scale)


def _rule(unit: Unit, number: int) -> tuple[int | None, list[int] | None]:
    """(upper landmark, fixed box) published for a frame counted as the tables do, or None, None."""
    for first, last, upper, box in unit.details["mouths"]:
        if first <= number <= last:
            return upper, box
    return None, None


def _encoded(
    source: Source,
    frames: AlignedFrames,
    mouths: list[PixelBox | None],
    box: PixelBox | None,
    how: SpeakingFacesOptions,
    clock: Clock,
) -> dict[str, bytes]:
    """A second pass: only encoded frames are kept, since a clip's decoded frames need gigabytes."""
    clips: dict[str, ClipWriter] = {f"mouth_{stream}.webp": clip_writer(how) for stream in ("visual", "thermal")}
    if box is not None:
        clips |= {f"face_{stream}.webp": clip_writer(how) for stream in ("visual", "thermal")}
    black = np.zeros((MOUTH_SIZE[1], MOUTH_SIZE[0], 3), np.uint8)
    for number, mouth in enumerate(mouths, 1):
        for stream, picture in (("visual", frames.picture(number)), ("thermal", source.picture(1, number))):
            small = mouth_crop(picture, mouth) if mouth is not None else None
            encode(clips[f"mouth_{stream}.webp"], black if small is None else small, how, clock)
            if box is not None:
                encode(clips[f"face_{stream}.webp"], cut(picture, box), how, clock)
    return {name: clip.finish() for name, clip in clips.items()}
