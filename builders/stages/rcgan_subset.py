"""Config `rcgan`: the few classes of RC-GAN, every recording with its features and its class's one target face.

The target's pictures lie in every sample: 20 KB beside 300 KB of features, and a training step reads one sample.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa

from ...loaders.arrays import encode_array
from ...loaders.media import encode_still
from ...loaders.sample import Config, Fact, Field, Sample
from ...models.core.detectors import open_detector, open_landmarks
from ..core.builder import Unit
from ..core.raw import Folder
from ..core.stage import Clock, Reject, Rejection
from .openface_alignment import aligned
from .release_files import read_file
from .vggface_faces import MAX_PICTURE_BYTES, Picture, decoded, search
from .voice_face_facts import PERSON, SPLIT_GROUP_FACT, SPLIT_RULE_FACT, TERMS
from .vox_vgg_options import VoxVggOptions
from .vox_vgg_splits import rank
from .vox_vgg_units import VoxVggRelease
from .voxceleb_audio import MAX_BYTES, read_voice, recording
from .voxceleb_tables import Identity

TEST_SHARE = 0.2
"""Of each class's recordings; a recording's segments overlap by half and must not be parted."""
TRIES = 50
"""Pictures of a class drawn as target until dlib finds a face."""
SIDES = (96, 64)
"""Pixels that the face network takes, and that the generators make."""
DETECTOR = "dlib-hog"
RCGAN = Config(
    "rcgan",
    "The classes of RC-GAN: the people with most recordings, one target face each, split by recording.",
    (
        Field("piczak.array", "array", "float32 (segments, 2, 60, 41): dB and slope, silent segments left out"),
        Field("face96.webp", "image", "the class's target face as OpenFace aligns it, 96 pixels square, lossless"),
        Field("face64.webp", "image", "the same at 64 pixels, what a generator is to make"),
    ),
    (
        *PERSON,
        SPLIT_RULE_FACT,
        SPLIT_GROUP_FACT,
        Fact("class_index", pa.int32(), "class, from 0: the person with most recordings first, ties by name"),
        Fact("clip", pa.string(), "YouTube id of the video"),
        Fact("segment", pa.int32(), "number of the utterance in its video"),
        Fact("recording", pa.string(), "place in the release: speaker, video, file; of a mel dictionary, its name"),
        Fact("segments", pa.int32(), "rows of piczak.array, from 0 in order"),
        Fact("n_clips", pa.int32(), "recordings of the class"),
        Fact("n_faces", pa.int32(), "pictures of the class that the target was drawn from"),
        Fact("target_image", pa.string(), "file name of the picture that the target face was cut from"),
        Fact("target_seed", pa.int32(), "what it was drawn with"),
        *TERMS,
    ),
    default=False,
)


def rcgan_units(release: VoxVggRelease) -> Iterator[Unit | Rejection]:
    """One unit per recording of the chosen classes; a row where fewer people qualify than are asked for."""
    yield from release.problems()
    how = release.how
    found: dict[str, list[Unit]] = defaultdict(list)
    for item in release.recordings():
        if isinstance(item, Rejection):
            yield item
        else:
            found[item.identity].append(item)
    classes = _classes(release, found)
    if len(classes) < how.num_classes:
        reason = f"{len(classes)} of {how.num_classes} classes: so many people of Vox-VGG-1 have pictures and at least "
        reason += f"{how.min_voice_samples} recordings. Lower --min-voice-samples or --num-classes"
        yield Rejection("", RCGAN.name, "", "classes", "", reason)
    for index, person in enumerate(classes):
        yield from _units_of(release, index, person, found[release.corpus.identity_of(person)])


def _classes(release: VoxVggRelease, found: dict[str, list[Unit]]) -> list[Identity]:
    counts = {
        person: len(found.get(release.corpus.identity_of(person), ()))
        for person in release.people
        if person.subset == "vox1"
    }
    enough = [person for person, count in counts.items() if count >= release.how.min_voice_samples]
    ordered = sorted(enough, key=lambda person: (-counts[person], person.name))
    with_pictures = (p for p in ordered if (pictures := release.faces.of(p)) is not None and pictures.files)
    return [person for person, _ in zip(with_pictures, range(release.how.num_classes), strict=False)]


def _units_of(release: VoxVggRelease, index: int, person: Identity, units: list[Unit]) -> Iterator[Unit]:
    pictures, seed = release.faces.of(person), release.how.target_seed
    assert pictures is not None
    names = sorted((entry.name for entry in pictures.files.values()), key=lambda name: rank(seed, person.name, name))
    own = {
        "split_rule": RCGAN.name,
        "class_index": index,
        "n_clips": len(units),
        "n_faces": len(names),
        "target_seed": seed,
    }
    target = {"place": pictures.place, "drawn": names[:TRIES]}
    ordered = sorted(units, key=lambda unit: rank(seed, unit.key))
    for at, unit in enumerate(ordered):
        facts = unit.details["facts"] | own | {SPLIT_GROUP_FACT.name: unit.key}
        split = "test" if at < round(len(units) * TEST_SHARE) else "train"
        yield replace(unit, split=split, details={"file": unit.details["file"], "facts": facts, "target": target})


@dataclass
class TargetFaces:
    """The target face of each class met so far: drawn, aligned and encoded once."""

    how: VoxVggOptions
    _known: dict[str, tuple[str, dict[str, bytes]] | Reject] = field(default_factory=dict)

    def of(self, raw: Folder, identity: str, target: dict[str, Any]) -> tuple[str, dict[str, bytes]]:
        """File name of the picture, and its face by field name. Raises Reject where dlib finds a face in none."""
        if identity not in self._known:
            self._known[identity] = self._drawn(raw, target)
        known = self._known[identity]
        if isinstance(known, Reject):
            raise Reject(known.reason, known.place)
        return known

    def _drawn(self, raw: Folder, target: dict[str, Any]) -> tuple[str, dict[str, bytes]] | Reject:
        last = ""
        for name in target["drawn"]:
            try:
                picture = decoded(read_file(raw, [target["place"], name], MAX_PICTURE_BYTES))
                media = {f"face{side}.webp": encode_still(face) for side, face in self._faces(picture).items()}
            except Reject as verdict:
                last = verdict.reason
                continue
            return name.rsplit("/", 1)[-1], media
        reason = f"none of the {len(target['drawn'])} pictures drawn for the class's target serves, the last: {last}"
        return Reject(reason, target["place"])

    def _faces(self, picture: Picture) -> dict[int, Picture]:
        """The largest face that dlib finds, aligned at every side of SIDES."""
        models = self.how.models_folder
        faces = search(picture, open_detector(DETECTOR, models))
        if not faces:
            raise Reject(f"{DETECTOR} finds no face")
        box = max(faces, key=lambda face: (face.box[2] - face.box[0]) * (face.box[3] - face.box[1])).box
        landmarks = open_landmarks(models)(picture, box)
        try:
            return {side: aligned(picture, landmarks, side) for side in SIDES}
        except ValueError as error:
            raise Reject(str(error)) from None


def read_rcgan(raw: Folder, unit: Unit, how: VoxVggOptions, targets: TargetFaces, clock: Clock) -> Sample:
    """The features of one recording with the target face of its class.

    Raises Reject when it cannot be read, says nothing, is too short, or its class has no target.
    """
    # Torch takes seconds to load: only for this config.
    from ...models.core.voice_features import voice_features

    with clock("target"):
        image, media = targets.of(raw, unit.identity, unit.details["target"])
    at = unit.details["file"]
    place = "/".join(filter(None, at))
    with clock("read"):
        data = read_file(raw, at, MAX_BYTES)
    voice = read_voice(data, place, how.voice, clock)
    about = recording(at[1])
    with clock("features"):
        segments = voice_features(voice.sound, voice.speech.segments, ("piczak",))["piczak"]
        if not len(segments) or about is None:
            raise Reject("no audible segment of 0.93 s", place, {"seconds": len(voice.sound) / 16_000})
    facts = unit.details["facts"] | {"target_image": image, "segments": len(segments)}
    facts |= {"clip": about.clip, "segment": int(about.number), "recording": "/".join(at[1].split("/")[-3:])}
    arrays = {"piczak.array": encode_array(np.asarray(segments, np.float32))}
    return Sample(unit.key, unit.identity, unit.split, arrays | media, facts)
