"""Table II of the voice-GAN paper: errors of faces drawn from voices against the faces they should be."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..loaders.comparison import FORGED, is_forged
from ..loaders.folder import Folder
from ..loaders.rows import read_rows
from ..models.core.checkpoint import restore
from ..models.core.device import choose
from ..models.core.evaluate import Results, batches, joined
from ..models.core.reading import Reading
from ..models.rcgan import Rcgan
from .core.bench import BenchOptions
from .core.controls import Control
from .core.metrics import bootstrap, spread
from .core.picture_controls import DrawnPictures, target_chance, target_oracle
from .core.picture_errors import MOST_DECIBELS, picture_errors
from .core.protocol import Protocol
from .core.table import Measured, Row, Table

TITLE = "Voice-GAN (RC-GAN), Table II: errors of drawn faces"
DATASETS = ("vox_vgg",)
CONFIGS = ("rcgan",)
NEEDS = "config rcgan, checkpoints of `facevox train rcgan --kind vae`, cgan and rcgan"
TRAININGS = (
    "voice_classifier",
    "rcgan --kind vae --initial encoder={out}/voice_classifier/seed0/best.pt",
    "rcgan --kind cgan --initial encoder={out}/voice_classifier/seed0/best.pt",
    "rcgan --kind rcgan --initial encoder={out}/voice_classifier/seed0/best.pt",
)
WITHOUT = {"judge": "errors are those of the pictures' own values; no judge is asked"}
SPLIT = "test"
KINDS = {"vae": "VAE", "cgan": "C-GAN", "rcgan": "RC-GAN"}
CHECKED = 20
"""First segments of each person whose faces are also held against another's target."""
DIGITS = {"mae": 3, "mse": 3, "snr": 3, "psnr": 3, "pamse": 3, "ssim": 3}

PUBLISHED = {
    "vae": {"mae": 0.049, "mse": 0.011, "snr": 17.857, "psnr": 28.276, "pamse": 575.408, "ssim": 0.866},
    "cgan": {"mae": 0.215, "mse": 0.075, "snr": 1.125, "psnr": 11.543, "pamse": 3964.294, "ssim": 0.717},
    "rcgan": {"mae": 0.112, "mse": 0.025, "snr": 6.221, "psnr": 16.639, "pamse": 1055.896, "ssim": 0.703},
}
FLAG = "the paper says that RC-GAN is ahead of C-GAN by the numbers too; by SSIM it is behind, 0.703 to 0.717"


def run(options: BenchOptions) -> Table:
    """Measure the kinds there are checkpoints for. Raises ValueError, FolderError."""
    folder = Folder(options.data)
    found, controls = measure(folder, options)
    rows = []
    for kind, title in KINDS.items():
        home = options.runs or "W"
        first = f"--initial encoder={home}/voice_classifier/seed0/best.pt"
        command = f"facevox train rcgan --kind {kind} {first} --data {options.data} --out {home} --seed 0"
        for score, digits in DIGITS.items():
            flag = FLAG if (kind, score) == ("rcgan", "ssim") else ""
            measured = found.get((kind, score))
            rows.append(
                Row((title, score.upper()), PUBLISHED[kind][score], measured, command, digits=digits, flag=flag)
            )
    notes = (
        "of every test segment, colours on 0..1: MAE, MSE, SSIM (Gaussian window of 11); SNR, PSNR in dB, averaged in "
        f"dB, at most {MOST_DECIBELS:.0f}; PAMSE on grey levels of 0..255; 95 %: bootstrap over people",
        *((FORGED,) if is_forged(read_rows(folder, ("source",))) else ()),
        "by the printed numbers VAE is ahead of both others in every column",
        "each person has one target face: who tells the class of a voice can look the face up, with errors of 0",
    )
    return Table(
        TITLE,
        ("method", "score"),
        tuple(rows),
        notes,
        {"folder": folder.digest},
        controls=controls,
        tested=(SPLIT,),
        read=CONFIGS,
    )


# --- measuring: nothing below knows what the paper printed ---


@dataclass(frozen=True)
class Drawn:
    """What a checkpoint draws of every test segment (S,), and some of the pictures.

    `errors` holds its recording's `keys`, its `class` and each score.
    """

    errors: Results
    pictures: DrawnPictures


def measure(folder: Folder, options: BenchOptions) -> tuple[dict[tuple[str, str], Measured], tuple[Control, ...]]:
    """Every score of every kind with checkpoints `RUNS/rcgan-KIND/seed*/best.pt`, and controls of the first seeds.

    Raises ValueError for a checkpoint of another kind or folder.
    """
    found: dict[tuple[str, str], Measured] = {}
    controls: list[Control] = []
    for kind, title in KINDS.items():
        seeds = [drawn(folder, path, options) for path in checkpoints(kind, options)]
        for score in DIGITS if seeds else ():
            found[kind, score] = summary(score, [one.errors for one in seeds], options.seed)
        if seeds:
            first = seeds[0].pictures
            controls += [] if controls else [target_oracle(first.targets)]
            controls.append(target_chance(title, first, options.seed))
    return found, tuple(controls)


def checkpoints(kind: str, options: BenchOptions) -> list[Path]:
    """Those of all seeds."""
    return sorted(Path(options.runs).glob(f"rcgan-{kind}/seed*/best.pt")) if options.runs else []


def drawn(folder: Folder, path: Path, options: BenchOptions) -> Drawn:
    """Of every test segment the errors. Raises ValueError for a checkpoint of another kind or folder."""
    model, state = restore(path)
    if not isinstance(model, Rcgan) or path.parts[-3] != f"rcgan-{model.variant}":
        raise ValueError(f"{path}: holds another model than its folder's name says")
    if state["folder"] != folder.digest:
        raise ValueError(
            f"{path}: trained on a folder of digest {state['folder'][:12]}, this one has {folder.digest[:12]}. "
            "Give --data the folder it was trained on"
        )
    place, parts, kept, seen = choose(options.device, "fp32"), [], [], Counter[int]()
    model.eval().to(place.device)
    reading = Reading(folder, model.inputs(), limit=options.limit, batch_size=options.batch_size)
    for batch in (batch for batch in batches(reading.stream(SPLIT)) if batch["keys"]):
        with torch.inference_mode():
            made = model(place.move(batch)).float().cpu().clamp(0, 1)
        targets, faces = (one.permute(0, 2, 3, 1).numpy() for one in ((batch["face"].float() / 255), made))
        found, people = picture_errors(targets, faces), batch["class"].numpy()
        parts.append({"keys": np.array(batch["keys"]), "class": people, **vars(found)})
        for at, person in enumerate(people.tolist()):
            seen[person] += 1
            kept += [(targets[at], faces[at], person)] if seen[person] <= CHECKED else []
    return Drawn(joined(parts), DrawnPictures(*(np.array(part) for part in zip(*kept, strict=True))))


def summary(score: str, seeds: list[Results], seed: int) -> Measured:
    """Mean over seeds and segments, interval over people."""
    values = np.mean([one[score] for one in seeds], axis=0)
    who, keys = seeds[0]["class"], np.unique(seeds[0]["keys"])
    between = spread(np.array([one[score].mean() for one in seeds]))
    digest = Protocol.of(SPLIT, keys.tolist()).digest
    mean, interval = float(values.mean()), bootstrap(values, who, seed)
    return Measured(mean, len(values), len(np.unique(who)), interval, between, len(seeds), digest)
