"""HQ-VoxCeleb from candidates: web photos in a folder per person go through eight steps; the best few are kept."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

import cv2
import numpy as np

from ...loaders.sample import Sample
from ..core.builder import Unit
from ..core.decisions import find
from ..core.raw import Folder
from ..core.review import left_out
from ..core.source_files import SourceFiles
from ..core.stage import Attempts, Clock, Reject, Rejection, as_json
from .candidate_alignment import jpeg, on_white
from .candidate_examination import Candidate, Examination, Fit, read_photo
from .candidate_options import CandidateJudges, CandidateOptions
from .hq_faces import FACES
from .release_files import ReleaseFile
from .voice_face_facts import person_facts, person_key
from .voice_listing import MAX_STRAYS, Corpus
from .voxceleb_tables import Identity

PICTURES = (".jpg", ".jpeg", ".png", ".webp")
OTHER_PICTURES = (".avif", ".bmp", ".gif", ".heic", ".jfif", ".svg", ".tif", ".tiff")
"""Endings whose files are reported, not read."""
_PLACE = re.compile(r"(?:.*/)?(vox[12])/(?:images/)?([^/]+)/([^/]+)", re.ASCII)
LAYOUT = "expected vox1/<Name>/<picture> or vox1/images/<Name>/<picture> (vox2 likewise)"
MOST_IMAGES = 9_999
"""Of one person: keys hold four digits."""
FACE_COVERED = 0.9
"""Share of the face between its landmarks that a mask must call person."""
MASK_AT_MOST = 0.98
"""A mask over more of the square than this has found no background."""


def candidate_units(files: Iterable[ReleaseFile | Rejection], corpus: Corpus) -> Iterator[Unit | Rejection]:
    """One unit per person with all photos of theirs; rows for strangers' folders, strays and files not read."""
    folders: dict[tuple[str, str], list[ReleaseFile]] = defaultdict(list)
    strays: list[tuple[ReleaseFile, str]] = []
    for file in files:
        if isinstance(file, Rejection):
            yield file
            continue
        ending, place = PurePosixPath(file.name).suffix.lower(), _PLACE.fullmatch(file.place)
        if ending in OTHER_PICTURES:
            strays.append((file, f"{ending} is not read, expected {', '.join(PICTURES)}. Convert it"))
        elif ending in PICTURES and place:
            folders[place[1], place[2]].append(file)
        elif ending in PICTURES:
            strays.append((file, f"no candidate by its place, {LAYOUT}"))
    yield from _strays(strays)
    people: dict[str, tuple[Identity, list[ReleaseFile]]] = {}
    for (subset, name), found in sorted(folders.items()):
        person = corpus.identities.find(subset, name)
        if person is None:
            if corpus.wants("", name):
                yield _stranger(corpus, subset, name, found)
        elif corpus.wants(person.speaker, person.name):
            people.setdefault(person_key(person), (person, []))[1].extend(found)
    for key, (person, found) in sorted(people.items()):
        yield _unit(key, person, found, corpus)


def _unit(key: str, person: Identity, found: list[ReleaseFile], corpus: Corpus) -> Unit | Rejection:
    split = corpus.split_of(person)
    if len(found) > MOST_IMAGES:
        reason = f"{len(found):,} pictures of {person.name}, expected at most {MOST_IMAGES:,}"
        return Rejection(key, FACES.name, split, "list", found[0].place, reason)
    facts = person_facts(person) | {"split_rule": corpus.split_rule} | dict(corpus.terms)
    details = {"pictures": numbered(found), "facts": facts}
    size = max(1, sum(file.size for file in found))
    # More than one sample whatever is kept: their keys begin with the unit's.
    return Unit(key, FACES.name, split, corpus.identity_of(person), size, details, samples=2)


def numbered(files: Iterable[ReleaseFile]) -> list[list[Any]]:
    """[image number, archive, name] of a person's pictures in order of the numbers.

    A picture's number is its name where all names are different numbers up to MOST_IMAGES, else its place among the
    sorted names, from 1.
    """
    listed = sorted(files, key=lambda file: (PurePosixPath(file.name).name, file.place))
    stems = [PurePosixPath(file.name).stem for file in listed]
    numbers = [int(stem) if re.fullmatch(r"\d{1,6}", stem, re.ASCII) else -1 for stem in stems]
    if len(set(numbers)) < len(numbers) or not all(0 <= number <= MOST_IMAGES for number in numbers):
        numbers = list(range(1, len(listed) + 1))
    return sorted([number, *file.at] for number, file in zip(numbers, listed, strict=True))


def _stranger(corpus: Corpus, subset: str, name: str, found: list[ReleaseFile]) -> Rejection:
    known = [problem.reason for problem in corpus.identities.problems if problem.key == f"{subset}/{name}"]
    reason = known[0] if known else f"{name} has no row in the meta table of {subset} beside the data"
    place = found[0].place.rsplit("/", 1)[0]
    why, counted = f"{len(found):,} pictures not read: {reason}", as_json({FACES.name: len(found)})
    return Rejection("", FACES.name, "", "list", place, why, measured=counted)


def _strays(strays: list[tuple[ReleaseFile, str]]) -> Iterator[Rejection]:
    for file, reason in strays[:MAX_STRAYS]:
        yield Rejection("", FACES.name, "", "list", file.place, reason, measured=as_json({FACES.name: 1}))
    if len(strays) > MAX_STRAYS:
        further = f"{len(strays) - MAX_STRAYS:,} further pictures, the last: {strays[-1][1]}"
        counted = as_json({FACES.name: len(strays) - MAX_STRAYS})
        yield Rejection("", FACES.name, "", "list", strays[-1][0].place, further, measured=counted)


def candidate_files(unit: Unit, key: str) -> SourceFiles | None:
    """The photo of a key; of a whole person's unit, all photos."""
    at = [place for number, *place in unit.details["pictures"] if key in (f"{unit.key}_{number:04d}", unit.key)]
    return SourceFiles(tuple((archive, name) for archive, name in at)) if at else None


def read_candidates(raw: Folder, unit: Unit, how: CandidateOptions, clock: Clock) -> Iterator[Sample | Rejection]:
    """The best faces of one person in key order, and a row for every other photo.

    Photos are looked at one after the other; those that fit are read a second time when their turn to be cut out
    comes, so that memory holds one photo and the encoded crops.
    """
    attempt, judges = Attempts(clock), how.judges()
    fits: list[Fit] = []
    for candidate in _candidates(unit):
        if out := left_out(candidate.key, unit.config, unit.split, unit.decisions):
            yield replace(out, place=candidate.place)
            continue
        outcome = attempt(lambda one=candidate: _examined(raw, one, how, judges, clock), _reject(unit, candidate))  # type: ignore[misc]
        if isinstance(outcome, Rejection):
            yield outcome
        else:
            fits.append(outcome)
    fits.sort(key=lambda fit: fit.order)
    picked: list[Sample] = []
    last: list[Fit] = []
    for rank, fit in enumerate(fits, 1):
        if len(fits) < how.min_images or (len(picked) >= how.max_images and not fit.candidate.wanted):
            last.append(fit)
            continue
        cut = attempt(
            lambda fit=fit, rank=rank: _cut_out(raw, unit, fit, rank, judges, clock),  # type: ignore[misc]
            _reject(unit, fit.candidate, fit.facts),
        )
        if isinstance(cut, Rejection):
            yield cut
        else:
            picked.append(cut)
    yield from _settled(unit, how, fits, picked, last)


def _settled(
    unit: Unit, how: CandidateOptions, fits: list[Fit], picked: list[Sample], last: list[Fit]
) -> Iterator[Sample | Rejection]:
    """The picked samples if they are enough for an identity, and rows for what is left."""
    places = {fit.candidate.key: (rank, fit) for rank, fit in enumerate(fits, 1)}

    def out(key: str, stage: str, reason: str) -> Rejection:
        rank, fit = places[key]
        measured = as_json(fit.facts | {"rank": rank})
        return Rejection(key, unit.config, unit.split, stage, fit.candidate.place, reason, measured=measured)

    enough = len(picked) >= how.min_images
    total = len(picked) if picked else len(fits)
    too_few = f"{total} pictures of this person fit, expected {how.min_images} or more"
    for fit in last:
        key = fit.candidate.key
        reason = f"ranked {places[key][0]} of {len(fits)}, {len(picked)} kept" if enough else too_few
        yield out(key, "rank" if enough else "identity", reason)
    for sample in sorted(picked, key=lambda sample: sample.key):
        yield sample if enough else out(sample.key, "identity", too_few)


def _candidates(unit: Unit) -> Iterator[Candidate]:
    for number, *at in unit.details["pictures"]:
        key = f"{unit.key}_{number:04d}"
        said = find((decision for decision in unit.decisions if decision.key == key), "face")
        yield Candidate(key, number, at, said is not None and said.verdict == "keep")


def _reject(unit: Unit, candidate: Candidate, facts: dict[str, Any] | None = None) -> Any:
    def rejection(stage: str, place: str, reason: str, kind: str, measured: str) -> Rejection:
        known = measured or as_json(facts or {})
        where = place or candidate.place
        return Rejection(candidate.key, unit.config, unit.split, stage or "read", where, reason, kind, known)

    return rejection


def _examined(raw: Folder, candidate: Candidate, how: CandidateOptions, judges: CandidateJudges, clock: Clock) -> Fit:
    with clock("decode"):
        photo = read_photo(raw, candidate)
    return Examination(candidate, how, judges, clock, {}).run(photo)


def _cut_out(raw: Folder, unit: Unit, fit: Fit, rank: int, judges: CandidateJudges, clock: Clock) -> Sample:
    """The aligned face with and without its background. Raises Reject where the segmenter lost the face."""
    candidate, alignment = fit.candidate, fit.alignment
    with clock("decode"):
        photo = read_photo(raw, candidate)
    with clock("alignment"):
        crop, inside = alignment.cut(photo)
    with clock("segmentation"):
        middle = alignment.carried(np.array([np.reshape(fit.face.box, (2, 2)).mean(0) - 0.5]))[0] + 0.5
        half = (fit.face.box[2] - fit.face.box[0]) / 2, (fit.face.box[3] - fit.face.box[1]) / 2
        box = (middle[0] - half[0], middle[1] - half[1], middle[0] + half[0], middle[1] + half[1])
        mask = judges.segmenter(crop, box) * inside
        facts = fit.facts | {"mask_fraction": float(mask.mean()), "segmenter": judges.segmenter.name}
        problem = mask_problem(mask, inside, alignment.carried(fit.face.points))
        if problem:
            raise Reject(f"{judges.segmenter.name}: {problem}", candidate.place, facts)
    with clock("encode"):
        media = {"masked.jpg": jpeg(on_white(crop, mask)), "origin.jpg": jpeg(on_white(crop, inside))}
    facts |= {"image_name": candidate.at[1], "image_id": candidate.image_id, "rank": rank}
    facts |= {"picked_by": "decision" if candidate.wanted else "rank"}
    return Sample(candidate.key, unit.identity, unit.split, media, unit.details["facts"] | facts)


def mask_problem(mask: "np.ndarray[Any, Any]", inside: "np.ndarray[Any, Any]", points: "np.ndarray[Any, Any]") -> str:
    """What is wrong with a mask (side, side) float32 given the 68 landmarks in the square; "" when nothing is."""
    face = np.zeros(mask.shape, np.uint8)
    cv2.fillConvexPoly(face, np.round(cv2.convexHull(points.astype(np.float32))).astype(np.int32), 1)
    where = (face > 0) & (inside > 0.5)
    covered = float((mask[where] > 0.5).mean()) if where.any() else 0.0
    if covered < FACE_COVERED:
        return f"the mask holds {covered:.2f} of the face, expected {FACE_COVERED:g} or more"
    if (share := float(mask.mean())) > MASK_AT_MOST:
        return f"the mask holds {share:.3f} of the crop: no background was found"
    return ""
