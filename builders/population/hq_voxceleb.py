"""Forge a small HQ-VoxCeleb: web images or the published crops of made-up faces, and their VoxCeleb recordings."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from ..stages.voice_face_facts import FORGED_MARK
from .forging import (
    Progress,
    in_processes,
    masks_path,
    new_release,
    pack_folders,
    truth_path,
    write,
    write_masks,
    write_truth,
)
from .mel_pickles import mel_dictionary
from .snapshots import BAD, GOOD, Figure, Photo, Taken, jpeg, plan_photo, take
from .voxceleb_options import VoxcelebOptions
from .voxceleb_people import Celebrity, person_truth, strangers, write_tables
from .voxceleb_sounds import forge_sounds

__all__ = ["ForgeOptions", "forge", "masks_path", "truth_path"]

LEAST_GOOD = 3
"""Good pictures that HQ-VoxCeleb wants of a person."""
LEAST_PEOPLE = 3
"""Of each subset, from which on some have too few good pictures."""
PLAINLY_BAD = ("profile", "tiny", "several", "blurred", "none", "cropped")
"""Kinds of pictures that no judge is needed for."""
PUPILS = (0.381, 0.623, 0.481)
"""Columns of both pupils and their row in the published crops, as fractions of the side: means of 22 samples."""
SCATTER = 0.003
ARCHIVES = {"release": "HQ-VoxCeleb", "candidates": "web_images"}
"""Names of the zip of pictures."""
_Made = tuple[dict[str, Any], dict[str, Any], int, dict[str, bytes]]
UNPACKED = ("meta_info", "vox1", "vox2")


@dataclass(frozen=True)
class ForgeOptions(VoxcelebOptions):
    """What to forge; the same options give the same bytes."""

    sizes: ClassVar[dict[str, tuple[int, int, int, float]]] = {"tiny": (3, 7, 4, 3.0), "small": (12, 12, 6, 5.0)}

    source: str = field(
        default="candidates",
        metadata={
            "help": "candidates: web images per person, good and bad; release: the published aligned crops",
            "choices": ("candidates", "release"),
        },
    )
    mels: bool = field(
        default=False, metadata={"help": "with source release: SF2F's pickled spectrograms beside the recordings"}
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.source not in ARCHIVES:
            raise ValueError(f"source must be one of {', '.join(sorted(ARCHIVES))}, got {self.source!r}.")
        if self.mels and self.source != "release":
            raise ValueError("mels are part of SF2F's tree of the release: give source release too")


def forge(out: Path, options: ForgeOptions, progress: Progress | None = None, workers: int = 1) -> dict[str, Any]:
    """Write a release under `out` (new or empty), `<out>.truth.json` and `<out>.masks.zip` beside it; returns counts.

    `progress` is called after every finished person. The bytes depend on the options alone. An interrupted release is
    removed again.
    """
    out = Path(out)
    with new_release(out):
        chosen = options.roster.chosen
        written = write_tables(out, options.roster)
        mark = {"made_by": "facevox forge", "dataset": "hq_voxceleb", "seed": options.seed, "size": options.size}
        written += write(out / FORGED_MARK, json.dumps(mark).encode())
        done = in_processes(partial(_forge_person, out, options), len(chosen), workers, progress)
        if options.archives:
            pack_folders(out, UNPACKED)
    write_masks(out, {place: mask for *_, masks in done for place, mask in masks.items()})
    pictures = {place: facts for found, *_ in done for place, facts in found.items()}
    recordings = {place: facts for _, found, *_ in done for place, facts in found.items()}
    truth = {"options": asdict(options), "people": [person_truth(one) for one in chosen]}
    write_truth(out, truth | {"pictures": pictures, "recordings": recordings})
    counts = {"people": len(chosen), "pictures": len(pictures), "recordings": len(recordings)}
    return counts | {"bytes": written + sum(size for _, _, size, _ in done)}


def _forge_person(out: Path, options: ForgeOptions, number: int) -> _Made:
    """Pictures and recordings (truth by place), bytes, and masks as PNG files by place of one person."""
    one = options.roster.chosen[number]
    pictures, masks, size = {}, {}, 0
    home = f"{ARCHIVES[options.source]}/" if options.archives else ""
    for member, data, shown in (_crops if options.source == "release" else _candidates)(options, number):
        place = home + member
        pictures[place] = shown.truth | {"name": one.name, "subset": one.subset}
        masks[place] = bytes(cv2.imencode(".png", shown.mask)[1])
        size += write(out / place, data)
    recordings, heard = forge_sounds(out, one, options.sounds, options.archives)
    if options.mels:
        size += sum(_write_mel(out, one, place, facts) for place, facts in recordings.items())
    return pictures, recordings, size + heard, masks


def candidate_kinds(number: int, images: int, people: int) -> list[str]:
    """What a person's pictures show, in order: half are good, the rest takes up where the last person's ended.

    Where there are `people` enough of each subset, the second of every five has a single good one, too few to be
    kept, and else what needs no network to be turned down.
    """
    if people >= LEAST_PEOPLE and number % 5 == 1:
        return [GOOD, *(PLAINLY_BAD[place % len(PLAINLY_BAD)] for place in range(images - 1))]
    good = max(LEAST_GOOD, images // 2)
    bad = max(0, images - good)
    rank = number - (number + 3) // 5
    return [GOOD] * min(good, images) + [BAD[(rank * bad + place) % len(BAD)] for place in range(bad)]


def _candidates(options: ForgeOptions, number: int) -> Iterator[tuple[str, bytes, Taken]]:
    """(place, file, photograph) of a person's web images, in an order that says nothing; every fifth is a PNG."""
    one = options.roster.chosen[number]
    subset = ("vox1", "vox2").index(one.subset)
    kinds = candidate_kinds(number, options.images, options.people)
    order = np.random.default_rng([options.seed, subset, one.row, 91]).permutation(len(kinds))
    others = strangers(options.seed, one.row)
    for place, taken in enumerate(order.tolist()):
        photo = plan_photo(kinds[taken], one.person, (options.seed, subset, one.row, taken), others)
        shown = take(photo)
        png = taken % 5 == 4
        data = bytes(cv2.imencode(".png", shown.picture)[1]) if png else jpeg(shown.picture, photo.quality)
        yield f"{one.subset}/{one.folder}/{place + 1:06d}.{'png' if png else 'jpg'}", data, shown


def _crops(options: ForgeOptions, number: int) -> Iterator[tuple[str, bytes, Taken]]:
    """(place, file, photograph) of a person's aligned faces, each with its background and on white."""
    one = options.roster.chosen[number]
    subset = ("vox1", "vox2").index(one.subset)
    top = f"{ARCHIVES['release']}/" if options.archives else ""
    for place in range(1, 1 + min(options.images, 1 + number % 4)):
        photo = aligned_photo(one, (options.seed, subset, one.row, place))
        shown = take(photo)
        for kind, picture in (("origin_faces", shown.picture), ("masked_faces", on_white(shown))):
            named = replace(shown, truth=shown.truth | {"kind": kind})
            yield f"{top}{one.subset}/{kind}/{one.folder}/{place}.jpg", jpeg(picture, photo.quality), named


def aligned_photo(one: Celebrity, seed: tuple[int, ...]) -> Photo:
    """A good photograph already cropped as the published ones: near square, both pupils at PUPILS, nearly."""
    random = np.random.default_rng([*seed, 92])
    photo = plan_photo(GOOD, one.person, seed)
    main = photo.figures[0]
    left, right, row = PUPILS
    side = main.distance / (right - left)
    size = (round(side), round(side) + int(random.integers(-1, 2)))
    at = ((left + right) / 2 + random.normal(0, SCATTER), row + random.normal(0, SCATTER)) * np.array([side, side])
    figure = Figure(one.person, main.day, main.look, 0.0, main.distance, (float(at[0]), float(at[1])))
    return Photo(GOOD, size, photo.behind, (figure,), photo.seed, 0.0, photo.quality)


def on_white(shown: Taken) -> NDArray[np.uint8]:
    """(H, W, 3): the people of a photograph on white."""
    share = shown.mask[..., None].astype(np.float32) / 255
    return np.asarray(np.rint(255 * (1 - share) + shown.picture * share), np.uint8)


def _write_mel(out: Path, one: Celebrity, place: str, facts: dict[str, Any]) -> int:
    """The spectrogram of a recording's speech as SF2F stores it; nothing where nobody speaks. Returns its bytes."""
    import torch

    from ...models.core.sound import Sf2fOptions, sf2f
    from ..core.stage import Reject
    from ..stages.voxceleb_audio import read_voice

    try:
        voice = read_voice((out / place).read_bytes(), place)
    except Reject:
        return 0
    wave = torch.from_numpy(voice.spoken.astype(np.float64) / 32_768)
    mel = sf2f(wave, Sf2fOptions(mean=0.0, std=1.0)).numpy()
    speaker, video, number = facts["key"][:7], facts["video"], facts["key"][-5:]
    data = mel_dictionary(mel, {"spkid": speaker, "clipid": video, "wavid": number}, 3 + (one.subset == "vox2"))
    return write(out / one.subset / "mel_spectrograms" / one.folder / f"{facts['key']}.pickle", data)
