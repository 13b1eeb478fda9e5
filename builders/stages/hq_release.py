"""HQ-VoxCeleb as published: face crops in folders by name, and mel dictionaries where no sound is there."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...loaders.arrays import encode_array
from ...loaders.media import decode_picture
from ...loaders.sample import Sample
from ...models.core.detectors import open_detector, open_landmarks
from ..core.builder import Unit
from ..core.raw import Folder
from ..core.stage import Clock, Reject, Rejection, as_json
from .candidate_faces import largest_face
from .candidate_pose import asymmetry5, asymmetry68, head_pose
from .faces import Image
from .hq_faces import FACES, NOT_JUDGED
from .hq_options import HqVoxCelebOptions
from .mel_dictionary import MAX_MEL_BYTES, MelPlace, mel_place, read_mel
from .release_files import ReleaseFile, read_file
from .voice_face_facts import person_key
from .voice_listing import SOUNDS, Corpus, strays, voice_key, voice_person, voice_units
from .voices import VOICES
from .voxceleb_tables import Identities, Identity, composed

MAX_PICTURE_BYTES = 64 << 20
"""The samples of the authors' repository have up to 2400 x 2400 px and 1 MB."""
WHITE = 250
"""Level from which a pixel counts as white background: the release's JPEGs ring a little round the silhouette."""
PICTURES = ("masked_faces", "origin_faces")
_FACE = re.compile(r"(?:.*/)?(vox[12])/(masked_faces|origin_faces)/([^/]+)/(\d{1,4})\.jpe?g", re.ASCII | re.IGNORECASE)
_OF_FACES = re.compile(r"(?:.*/)?vox[12]/(?:masked_faces|origin_faces)/.+", re.IGNORECASE)
_OF_MELS = re.compile(r"(?:.*/)?vox[12]/mel_spectrograms/.+", re.IGNORECASE)
MEL_PLACE = ".../vox1/mel_spectrograms/NAME/id10001_1zcIwhmdeo4_00001.pickle"


def face_place(member: str) -> tuple[str, str, str, int] | None:
    """Subset, masked_faces or origin_faces, folder name and number of a published face; None for any other file."""
    found = _FACE.fullmatch(member)
    return (found[1].lower(), found[2].lower(), found[3], int(found[4])) if found else None


@dataclass
class _Face:
    """The files of one face: masked and origin, and more of the same name."""

    files: dict[str, ReleaseFile] = field(default_factory=dict)
    again: list[ReleaseFile] = field(default_factory=list)


def face_units(files: Iterable[ReleaseFile | Rejection], corpus: Corpus, min_images: int) -> Iterator[Unit | Rejection]:
    """One unit per face; rows for names that no table has, for second copies, lone origins and people with too few."""
    found: dict[tuple[str, str], dict[int, _Face]] = defaultdict(lambda: defaultdict(_Face))
    other: list[ReleaseFile] = []
    for file in files:
        if isinstance(file, Rejection):
            yield file
        elif place := face_place(file.name):
            subset, kind, name, number = place
            face = found[subset, composed(name)][number]
            if face.files.setdefault(kind, file) is not file:
                face.again.append(file)
        elif _OF_FACES.fullmatch(file.name):
            other.append(file)
    yield from strays(other, FACES.name, "not a face by its place, expected .../vox1/masked_faces/NAME/1.jpg")
    for (subset, name), faces in sorted(found.items()):
        person = corpus.identities.find(subset, name)
        if corpus.wants(person.speaker if person else "", name):
            yield from _of_person(faces, person, f"{subset}/{name}", corpus, min_images)


def _of_person(
    faces: dict[int, _Face], person: Identity | None, who: str, corpus: Corpus, min_images: int
) -> Iterator[Unit | Rejection]:
    split = corpus.split_of(person) if person else ""
    shared = voice_person(person, corpus) if person else {}
    whole = sum("masked_faces" in face.files for face in faces.values())
    for number, face in sorted(faces.items()):
        key = f"{person_key(person)}_{number:04d}" if person else who
        masked = face.files.get("masked_faces")
        first = masked or next(iter(face.files.values()))
        reason = ""
        if person is None:
            reason = unknown(corpus.identities, who)
        elif masked is None:
            reason = "a face with its background and none with white: no such file in masked_faces"
        elif whole < min_images:
            reason = f"{whole} faces of {who}, expected at least {min_images} (--min-images)"
        for file in face.again:
            yield Rejection(key, FACES.name, split, "list", file.place, f"the same face as {first.place}")
        if reason or person is None:
            yield Rejection(key, FACES.name, split, "list", first.place, reason)
            continue
        details = {"files": {kind: file.at for kind, file in sorted(face.files.items())}, "facts": shared}
        size = sum(file.size for file in face.files.values())
        yield Unit(key, FACES.name, split, corpus.identity_of(person), size, details)


def unknown(identities: Identities, who: str) -> str:
    """Why the person of a folder, `vox1/NAME`, is nobody of this dataset."""
    for problem in identities.problems:
        if problem.key == who:
            return problem.reason
    subset, name = who.split("/", 1)
    return f"the meta tables of {subset} have no {name!r}"


def read_face(raw: Folder, unit: Unit, how: HqVoxCelebOptions, clock: Clock) -> Sample:
    """The release's own bytes of one face, with what its pixels say.

    One that no detector finds stays: people chose it. Raises Reject when a picture is no JPEG, cannot be decoded, or
    the two differ in size.
    """
    pictures, media = {}, {}
    for kind, at in unit.details["files"].items():
        place = "/".join(filter(None, at))
        with clock("read"):
            data = read_file(raw, at, MAX_PICTURE_BYTES)
        with clock("decode"):
            if data[:2] != b"\xff\xd8":
                raise Reject(f"begins with {data[:4]!r}, expected a JPEG", place)
            try:
                pictures[kind] = decode_picture(data)
            except ValueError as error:
                raise Reject(str(error), place) from None
        media[f"{kind.removesuffix('_faces')}.jpg"] = data
    masked = pictures["masked_faces"]
    if len({picture.shape for picture in pictures.values()}) > 1:
        (h, w), (high, wide) = (pictures[kind].shape[:2] for kind in PICTURES)
        raise Reject(f"masked face of {w} x {h} px, the one with background of {wide} x {high}", unit.key)
    name = "/".join(unit.details["files"]["masked_faces"][1].split("/")[-4:])
    facts: dict[str, Any] = {
        "image_name": name,
        "image_id": int(unit.key.rsplit("_", 1)[1]),
        "width": masked.shape[1],
        "height": masked.shape[0],
        "picked_by": "release",
        "white_share": float(np.mean((masked >= WHITE).all(-1))),
        "emotion_judge": NOT_JUDGED,
        "drawing": NOT_JUDGED,
    }
    if how.detector != "none":
        with clock("faces"):
            facts |= _measured(pictures.get("origin_faces", masked), how)
    return Sample(unit.key, unit.identity, unit.split, media, unit.details["facts"] | facts)


def _measured(picture: Image, how: HqVoxCelebOptions) -> dict[str, Any]:
    """Pupils and pose on the crop itself."""
    detector = open_detector(how.detector, how.models_folder)
    face = largest_face(picture, detector, open_landmarks(how.models_folder))
    if face is None:
        return {"detector": detector.name, "n_faces": 0}
    pose = head_pose(face.points)
    return {
        "detector": detector.name,
        "n_faces": face.count,
        "face_box": dict(zip(("left", "top", "right", "bottom"), face.box, strict=True)),
        "face_score": face.score,
        "pupils": [{"x": float(x), "y": float(y)} for x, y in face.pupils],
        "ipd_px": face.ipd,
        "asym5": abs(asymmetry5(face.points)),
        "asym68": asymmetry68(face.points),
        "yaw_deg": pose.yaw,
        "pitch_deg": pose.pitch,
        "roll_deg": pose.roll,
    }


# --- voices ---


def hq_voice_units(files: Iterable[ReleaseFile | Rejection], corpus: Corpus) -> Iterator[Unit | Rejection]:
    """Recordings, and published mel dictionaries of those that are not there as sound.

    One row for each person with dictionaries beside their recordings; rows for files among them that are none.
    """
    listed = list(files)
    other = [file for file in listed if isinstance(file, ReleaseFile) and _no_mel(file.name)]
    yield from strays(other, VOICES.name, f"not a mel dictionary by its place, expected {MEL_PLACE}")
    mels = [(about, file) for file in listed if isinstance(file, ReleaseFile) and (about := mel_place(file.name))]
    heard = set()
    for item in voice_units(listed, corpus):
        heard.add(item.key)
        yield item
    beside: dict[str, list[ReleaseFile]] = defaultdict(list)
    people: dict[str, Identity] = {}
    for about, file in mels:
        person = corpus.identities.find(about.subset, about.folder)
        if not corpus.wants(about.speaker, person.name if person else ""):
            continue
        if problem := _mel_problem(about, file, person, corpus.identities):
            split = corpus.split_of(person) if person else ""
            yield Rejection(f"{about.subset}/{about.folder}", VOICES.name, split, "list", file.place, problem)
        elif person and (key := voice_key(person, about.clip, about.number)) not in heard:
            details = {"mel": file.at, "facts": voice_person(person, corpus)}
            yield Unit(key, VOICES.name, corpus.split_of(person), corpus.identity_of(person), file.size, details)
        elif person:
            people[person_key(person)] = person
            beside[person_key(person)].append(file)
    for who, found in sorted(beside.items()):
        reason = f"{len(found):,} mel dictionaries not read: their recordings lie here as sound"
        measured = as_json({"mel_dictionaries": len(found)})
        split = corpus.split_of(people[who])
        yield Rejection(who, VOICES.name, split, "mel", found[0].place, reason, measured=measured)


def _no_mel(name: str) -> bool:
    """Whether a file lies among the mel dictionaries and is none; sounds are reported by the listing of recordings."""
    return bool(_OF_MELS.fullmatch(name)) and not mel_place(name) and not name.lower().endswith(SOUNDS)


def _mel_problem(about: MelPlace, file: ReleaseFile, person: Identity | None, identities: Identities) -> str:
    if person is None:
        return unknown(identities, f"{about.subset}/{composed(about.folder)}")
    if person.speaker and person.speaker != about.speaker:
        return f"{about.speaker} in the folder of {person.name}, who is {person.speaker} in the meta tables"
    return f"{file.size:,} bytes, expected at most {MAX_MEL_BYTES:,}" if file.size > MAX_MEL_BYTES else ""


def read_mel_sample(raw: Folder, unit: Unit, clock: Clock) -> Sample:
    """The published spectrogram of one recording. Raises Reject when its file is anything but that."""
    at = unit.details["mel"]
    about = mel_place(at[1])
    if about is None:
        raise ValueError(f"{at[1]}: not a mel dictionary by its place")
    with clock("read"):
        data = read_file(raw, at, MAX_MEL_BYTES)
    with clock("decode"):
        mel = read_mel(data, about, "/".join(filter(None, at)))
    facts = {
        "clip": about.clip,
        "segment": int(about.number),
        "recording": at[1].rsplit("/", 1)[1],
        "mel_frames": mel.shape[1],
        "mel_source": "published",
    }
    media = {"sf2f.array": encode_array(mel)}
    return Sample(unit.key, unit.identity, unit.split, media, unit.details["facts"] | facts)
