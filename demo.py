"""The whole road on made-up releases: forge, build, verify, load with plain `datasets`, draw, train, print a table."""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

KEPT = Path("facevox-demo")
STEPS = 7
CROWD: dict[str, Any] = {
    "subjects": 56,
    "positions": 1,
    "utterances": 1,
    "frames": 14,
    "stills_frames": 0,
    "size": "small",
}
"""Enough people for a classifier to find out what men and women have in common, in frames of half the size.

More people teach it more than more utterances of each.
"""
BRIEF: dict[str, Any] = {
    "epochs": 7,
    "batch_size": 8,
    "width": 0.25,
    "frames": 1,
    "optimizer": "adam",
    "lr": 1e-3,
    "device": "cpu",
}
"""A quarter of the paper's widths and one frame a clip: learns in seconds on a CPU."""


def run(keep: bool, workers: int) -> int:
    """Run the demo, saying what it does and where things lie; returns the exit code."""
    started = time.perf_counter()
    if keep and KEPT.exists():
        raise FileExistsError(f"{KEPT}/ is there already. Remove it, or run the demo without --keep")
    if not os.access(Path.cwd(), os.W_OK):
        raise PermissionError(f"{Path.cwd()}: the demo writes its picture here; run it in a folder of your own")
    home = KEPT if keep else Path(tempfile.mkdtemp(prefix="facevox-demo-"))
    try:
        _walk(home, workers)
    finally:
        if not keep:
            shutil.rmtree(home, ignore_errors=True)
    ending = f"everything is kept in {home}/" if keep else "everything was removed again; --keep keeps it"
    print(f"\nThe demo took {time.perf_counter() - started:.0f} s; {ending}")
    return 0


@contextmanager
def _step(number: int, text: str) -> Iterator[None]:
    print(f"\n[{number}/{STEPS}] {text}", flush=True)
    start = time.perf_counter()
    yield
    print(f"      {time.perf_counter() - start:.1f} s", flush=True)


def _walk(home: Path, workers: int) -> None:
    from .api import build, forge, show, verify
    from .loaders.info import describe

    release, folder = home / "release", home / "dataset"
    with _step(1, f"forge a SpeakingFaces release of 6 people who do not exist -> {release}"):
        made = forge("speakingfaces", release, workers=workers, subjects=6, positions=1, utterances=1, frames=12)
        print(f"      {made['frame_pairs']} frame pairs, {made['bytes'] / 1e6:.0f} MB, zipped as the real release is")
    with _step(2, f"build the dataset folder with {workers} workers -> {folder}"):
        detector = "dlib-hog" if all(map(find_spec, ("dlib", "face_recognition_models"))) else "none"
        if detector == "none":
            print("      chins and jumps are not judged without dlib: pip install 'facevox[build]'")
        built = build(
            "speakingfaces", release, folder, workers=workers, progress=sys.stderr.isatty(), detector=detector
        )
        print("      " + describe(built).replace("\n", "\n      "))
    with _step(3, "verify every byte, count and promise"):
        verdict = verify(folder)
        print("      " + "\n      ".join(verdict.lines()))
        if verdict.problems:
            raise RuntimeError("the folder just built is not sound; please report this")
    with _step(4, "load it with plain `datasets`, no facevox code involved"):
        _load_plainly(folder)
    with _step(5, "draw one sample: the first test utterance"):
        key = next(r["key"] for r in built.index.select(["key", "config", "split"]).to_pylist() if _is_test(r))
        picture = show(folder, key, (home if home == KEPT else Path.cwd()) / "facevox-demo.png")
        print(f"      {picture}")
    _train(home, workers)


def _train(home: Path, workers: int) -> None:
    """Train one seed of the gender classifier on a crowd of its own and print the paper's table for it."""
    import torch

    from .api import bench, build, forge, train

    with _step(6, f"forge and build a crowd of {CROWD['subjects']} people to learn from -> {home / 'crowd'}"):
        forge("speakingfaces", home / "crowd-release", workers=workers, artifacts=False, **CROWD)
        crowd = build(
            "speakingfaces",
            home / "crowd-release",
            home / "crowd",
            configs=["utterances"],
            workers=workers,
            # The classifier looks at no verdict on faces, and a search for them would need dlib.
            detector="none",
        )
    with _step(7, "train the gender classifier of the paper on it, briefly, and print Table 4 for it"):
        # Small layers: two threads would wait for each other longer than one works.
        torch.set_num_threads(1)
        report = train("gender", crowd.path, home / "runs", progress=sys.stderr.isatty(), **BRIEF)
        print("      " + "\n      ".join(report.lines()) + "\n")
        print(bench("speakingfaces_table4", crowd.path, home / "runs", device="cpu", as_published=True).text())


def _is_test(row: dict[str, str]) -> bool:
    return (row["config"], row["split"]) == ("utterances", "test")


def _load_plainly(folder: Path) -> None:
    """Load as any user would, with the media cache inside the demo's own folder."""
    os.environ["HF_DATASETS_CACHE"] = str(folder.parent / "cache")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    import datasets

    datasets.disable_progress_bars()
    samples = datasets.load_dataset(str(folder), "utterances", split="test", streaming=True)
    first = next(iter(samples))
    media = {name: f"{len(value):,} bytes" for name, value in first.items() if isinstance(value, bytes)}
    print(f"      first test utterance {first['__key__']}: {first['json']['transcript']!r}, {media}")
    for table in ("index", "identities"):
        rows = datasets.load_dataset(
            str(folder / "tables"), table, split="train", cache_dir=str(folder.parent / "cache")
        )
        print(f"      table {table}: {len(rows)} rows")
