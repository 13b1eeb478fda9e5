"""Forge a small Vox-VGG: VGGFace and VGGFace2 pictures of made-up people, and their VoxCeleb recordings."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ..stages.voice_face_facts import FORGED_MARK
from .forging import Progress, in_processes, new_release, pack_folders, truth_path, write, write_truth
from .snapshots import Photo, jpeg, plan_photo, resized, take
from .voxceleb_options import VoxcelebOptions
from .voxceleb_people import Celebrity, Roster, person_truth, strangers, write_tables
from .voxceleb_sounds import forge_sounds

__all__ = ["ForgeOptions", "forge", "truth_path"]

KINDS = {"good": 0.3, "profile": 0.25, "smile": 0.2, "pitched": 0.1, "several": 0.08, "blurred": 0.04, "none": 0.03}
"""What a picture search brings up, and how often; the first two of a person are always good."""
SURE = 2
FACTOR = (0.35, 0.7)
"""Size of a picture relative to HQ-VoxCeleb's candidates: VGGFace2's are smaller, on average 137 px wide."""
LOOSE = 0.3
"""VGGFace2's boxes are widened by this share, half of it on each side."""
FOREHEAD = 0.35
"""Height of a forehead over the brows, as a share of brows to chin: boxes hold it, landmarks do not."""
UNPACKED = ("meta_info", "meta", "bb_landmark", "files")


@dataclass(frozen=True)
class ForgeOptions(VoxcelebOptions):
    """What to forge; the same options give the same bytes.

    Two people in three have one or two recordings more than `utterances`, so that the people with most differ.
    """

    sizes: ClassVar[dict[str, tuple[int, int, int, float]]] = {"tiny": (3, 5, 4, 2.0), "small": (12, 12, 8, 4.0)}


def forge(out: Path, options: ForgeOptions, progress: Progress | None = None, workers: int = 1) -> dict[str, Any]:
    """Write a release under `out` (new or empty) and `<out>.truth.json` beside it; returns counts and bytes.

    `progress` is called after every finished person. The bytes depend on the options alone. An interrupted release is
    removed again.
    """
    out = Path(out)
    with new_release(out):
        people = options.roster
        written = write_tables(out, people, options.images) + _write_names(out, people, options.images)
        mark = {"made_by": "facevox forge", "dataset": "vox_vgg", "seed": options.seed, "size": options.size}
        written += write(out / FORGED_MARK, json.dumps(mark).encode())
        done = in_processes(partial(_forge_person, out, options), len(people.chosen), workers, progress)
        pictures = {place: facts for found, _, _ in done for place, facts in found.items()}
        written += _write_boxes(out, people, pictures)
        if options.archives:
            pack_folders(out, UNPACKED)
    recordings = {place: facts for _, found, _ in done for place, facts in found.items()}
    truth = {"options": asdict(options), "people": [person_truth(one) for one in people.chosen]}
    write_truth(out, truth | {"pictures": pictures, "recordings": recordings})
    counts = {"people": len(people.chosen), "pictures": len(pictures), "recordings": len(recordings)}
    return counts | {"bytes": written + sum(size for _, _, size in done)}


def _forge_person(out: Path, options: ForgeOptions, number: int) -> tuple[dict[str, Any], dict[str, Any], int]:
    """Pictures, recordings (truth by place) and bytes of one person."""
    one = options.roster.chosen[number]
    pictures, size = {}, 0
    for place, photo in _photos(options, one):
        shown = take(photo)
        facts = shown.truth | {"name": one.name, "subset": one.subset}
        if "landmarks" in facts:
            facts["box"] = loose_box(np.array(facts["landmarks"]))
        pictures[place] = facts
        size += write(out / place, jpeg(shown.picture, photo.quality))
    more = replace(options.sounds, utterances=options.utterances + number % 3 if options.utterances else 0)
    recordings, heard = forge_sounds(out, one, more, options.archives)
    return pictures, recordings, size + heard


def _photos(options: ForgeOptions, one: Celebrity) -> Iterator[tuple[str, Photo]]:
    """(place, photograph): VGGFace2 numbers picture and face, VGGFace pictures alone."""
    subset = ("vox1", "vox2").index(one.subset)
    random = np.random.default_rng([options.seed, subset, one.row, 95])
    for number in range(1, options.images + 1):
        kind = "good" if number <= SURE else str(random.choice(list(KINDS), p=list(KINDS.values())))
        photo = plan_photo(
            kind, one.person, (options.seed, subset, one.row, 1000 + number), strangers(options.seed, one.row)
        )
        face = 1 + (kind == "several")
        yield picture_place(one, number, face), resized(photo, float(random.uniform(*FACTOR)))


def picture_place(one: Celebrity, number: int, face: int) -> str:
    """Where a picture lies: `train/n000012/0001_01.jpg` of VGGFace2, `vggface1/<Name>/00000001.jpg` of VGGFace."""
    if one.subset == "vox1":
        return f"vggface1/{one.folder}/{number:08d}.jpg"
    return f"{part_of(one)}/{one.vggface}/{number:04d}_{face:02d}.jpg"


def part_of(one: Celebrity) -> str:
    """VGGFace2's own train or test, which is not VoxCeleb2's."""
    return "train" if one.in_vggface2_train else "test"


def loose_box(points: np.ndarray[Any, np.dtype[np.float64]]) -> list[int]:
    """(68, 2) landmarks -> left, top, width, height in pixels of a loose box; it may reach beyond the picture."""
    left, top = points.min(0)
    right, bottom = points.max(0)
    top -= FOREHEAD * (bottom - top)
    across, down = (right - left) * LOOSE / 2, (bottom - top) * LOOSE / 2
    wide, high = right - left + 2 * across, bottom - top + 2 * down
    return [round(float(value)) for value in (left - across, top - down, wide, high)]


def _write_names(out: Path, people: Roster, images: int) -> int:
    """VGGFace2's own table, blanks behind its commas as published."""
    lines = ["Class_ID, Name, Sample_Num, Flag, Gender"]
    for one in people.vox2:
        lines.append(f'{one.vggface}, "{one.name}", {images}, {int(one.in_vggface2_train)}, {one.gender}')
    return write(out / "meta" / "identity_meta.csv", ("\n".join(lines) + "\n").encode())


def _write_boxes(out: Path, people: Roster, pictures: dict[str, Any]) -> int:
    """VGGFace2's boxes by part and VGGFace's list of each person; a picture without anybody has the whole of it."""
    loose: dict[str, list[str]] = {"train": [], "test": []}
    lists: dict[str, list[str]] = {}
    for place, facts in sorted(pictures.items()):
        *_, who, file = place.split("/")
        left, top, wide, high = facts.get("box", [0, 0, *facts["size"]])
        if facts["subset"] == "vox2":
            loose[place.split("/")[0]].append(f'"{who}/{file[:-4]}",{left},{top},{wide},{high}')
            continue
        score, curated = 3 - abs(facts.get("yaw", 40.0)) / 20, int(facts["kind"] not in ("none", "blurred"))
        edges = f"{left:.2f} {top:.2f} {left + wide:.2f} {top + high:.2f}"
        url = f"http://example.org/{len(lists.setdefault(facts['name'], []))}.jpg"
        pose = 3 if abs(facts.get("yaw", 0.0)) < 15 else 2
        lists[facts["name"]].append(f"{file[:-4]} {url} {edges} {pose} {score:.2f} {curated}")
    size = 0
    for part, rows in loose.items():
        text = "\n".join(["NAME_ID,X,Y,W,H", *rows]) + "\n"
        size += write(out / "bb_landmark" / f"loose_bb_{part}.csv", text.encode())
    for name, rows in lists.items():
        size += write(out / "files" / f"{name}.txt", ("\n".join(rows) + "\n").encode())
    return size
