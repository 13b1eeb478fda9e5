"""`facevox verify` and `facevox convert`: a built folder on its way to others."""

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


CONVERT = """Write a built folder in another format: the same samples, facts, bytes of members, order and shards.

  facevox convert O P --format parquet --workers 4

The raw release is not needed. Where O has its .build, P equals byte for byte what `facevox build --format parquet`
would give, and builds resume in it. The same command again resumes after any interruption. O may be a remote place."""


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
    convert = commands.add_parser(
        "convert", help="a built folder in another format", description=CONVERT, formatter_class=raw
    )
    convert.add_argument("folder", help="a built dataset folder, or a place such as s3://bucket/folder")
    convert.add_argument("out", type=Path, help="the dataset folder to make or resume; new or empty")
    convert.add_argument("--format", required=True, metavar="FORMAT", help="tar (WebDataset), parquet or arrow")
    convert.add_argument("--workers", type=int, default=_cores(), help="processes (default: one per core)")
    convert.set_defaults(run=convert_folder)


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


def convert_folder(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from .builders.core.convert import ConvertOptions, convert

    with tqdm(unit=" shards", desc="converting", leave=False, disable=None) as bar:

        def tell(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        report = convert(ConvertOptions(options.folder, options.out, options.format, options.workers), tell)
    print(*report.lines(), sep="\n")
    return 0
