"""`facevox verify`: a built folder on its way to others."""

import argparse
import os
from pathlib import Path
from typing import Any

VERIFY = """Check every byte, count and promise of a built folder: all hashes, members, frame tables and facts.
Every file is read once.

  facevox verify O                     everything
  facevox verify O --sample 1000       tables and cards whole; sizes of all shards; members of 1000 random samples
  facevox verify O --sample 1%         the same with a hundredth of all samples

With --sample the last lines say what was read and what was not. Exit code: 0 nothing wrong, 1 problems, 2 no folder."""


def add(commands: Any) -> None:
    """Put the commands among the others."""
    raw = argparse.RawDescriptionHelpFormatter
    verify = commands.add_parser(
        "verify", help="check every byte, count and promise of a folder", description=VERIFY, formatter_class=raw
    )
    verify.add_argument("folder", help="a built dataset folder")
    verify.add_argument(
        "--sample",
        type=_share,
        metavar="N|SHARE",
        help="of the shards only N random samples, or a share as 0.01 or 1%%",
    )
    verify.add_argument("--seed", type=int, default=0, help="which samples --sample takes (default: 0)")
    verify.add_argument("--workers", type=int, default=_cores(), help="threads that hash (default: one per core)")
    verify.set_defaults(run=_verify)


def _cores() -> int:
    return os.cpu_count() or 1


def _share(text: str) -> float:
    return float(text.rstrip("%")) / (100 if text.endswith("%") else 1)


def _verify(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from .api import verify
    from .loaders.folder import Folder

    total = None
    if options.sample is None:
        total = sum(file.stat().st_size for file in Path(Folder(options.folder).path).rglob("*") if file.is_file())
    with tqdm(total=total, unit="B", unit_scale=True, desc="verifying", leave=False, disable=None) as bar:
        verdict = verify(options.folder, bar.update, workers=options.workers, sample=options.sample, seed=options.seed)
    print(*verdict.lines(), sep="\n")
    return 1 if verdict.problems else 0
