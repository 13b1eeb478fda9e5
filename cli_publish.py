"""`facevox verify`, `convert` and `publish`: a built folder on its way to others."""

import argparse
import os
from math import isfinite
from pathlib import Path
from typing import Any

VERIFY = """Check every byte, count and promise of a built folder: all hashes, members, frame tables and facts.
Every file is read once.

  facevox verify O                     everything
  facevox verify O --sample 1000       tables and cards whole; sizes of all shards; members of 1000 random samples
  facevox verify O --sample 1%         the same with a hundredth of all samples
  facevox verify s3://bucket/O         a remote place: every byte is fetched, none is kept; --sample fetches little

With --sample the last lines say what was read and what was not. Exit code: 0 nothing wrong, 1 problems, 2 no folder."""


CONVERT = """Write a built folder in another format: the same samples, facts, bytes of members, order and shards.

  facevox convert O P --format parquet --workers 4

The raw release is not needed. Where O has its .build (that of a remote place is not read), P equals byte for byte
what `facevox build --format parquet` would give, and builds resume in it. The same command again resumes after any
interruption. O may be a remote place."""


PUBLISH = """Send a built folder to a dataset repository of the Hugging Face Hub; run it again to resume.

  facevox publish O user/name --dry-run      what would be sent, and under which terms; nothing is sent
  facevox publish O user/name                private, access granted by hand
  facevox publish O user/name --public       everybody sees the card; data still for those who were granted access

The folder is verified and its card checked first: licence, consent, intended use, bias. Faces and voices are
biometric data, so the repository is private and gated before any data is there. Of working state and people's
decisions nothing is sent but, with --with-review, review.jsonl. The token is that of `hf auth login` or HF_TOKEN;
HF_ENDPOINT names the hub."""


def add(commands: Any) -> None:
    """Put the commands among the others."""
    raw = argparse.RawDescriptionHelpFormatter
    verify = commands.add_parser(
        "verify", help="check every byte, count and promise of a folder", description=VERIFY, formatter_class=raw
    )
    verify.add_argument(
        "folder", help="a built dataset folder, or a place such as s3://bucket/O or hf://datasets/user/name"
    )
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
    convert.add_argument("out", help="the dataset folder to make or resume, on a local disk; new or empty")
    convert.add_argument("--format", required=True, metavar="FORMAT", help="tar (WebDataset), parquet or arrow")
    convert.add_argument("--workers", type=int, default=_cores(), help="processes (default: one per core)")
    convert.set_defaults(run=convert_folder)
    publish = commands.add_parser(
        "publish", help="send a folder to a hub: private, gated, checked", description=PUBLISH, formatter_class=raw
    )
    _add_publish(publish)


def _add_publish(publish: argparse.ArgumentParser) -> None:
    publish.add_argument("folder", help="a built dataset folder")
    publish.add_argument("repo", help="the repository, USER/NAME or ORGANISATION/NAME; made if it is not there")
    publish.add_argument("--dry-run", action="store_true", help="print what would be sent and the terms; send nothing")
    publish.add_argument(
        "--gated", choices=("manual", "auto"), default="manual", help="who asks is let in by hand or by itself"
    )
    publish.add_argument("--open", action="store_true", help="ask nobody who they are (not for biometric data)")
    publish.add_argument("--public", action="store_true", help="let everybody see the repository")
    publish.add_argument(
        "--yes", action="store_true", help="do not ask again about --open, --public, and hiding what is public"
    )
    publish.add_argument("--with-review", action="store_true", help="send review.jsonl, with the names of who decided")
    publish.add_argument(
        "--sample", type=_share, metavar="N|SHARE", help="read only some samples before sending, as `facevox verify`"
    )
    publish.add_argument("--workers", type=int, default=_cores(), help="threads that hash (default: one per core)")
    publish.set_defaults(run=publish_folder)


def _cores() -> int:
    return os.cpu_count() or 1


def _share(text: str) -> float | None:
    """Samples, or a share of all below 1; None, which is everything, for 100%."""
    forms = f"{text!r}: expected a number of samples as 1000, or a share of all as 0.01 or 1% (100% is everything)"
    try:
        number = float(text.removesuffix("%"))
    except ValueError:
        raise argparse.ArgumentTypeError(forms) from None
    percent = text.endswith("%")
    if not isfinite(number) or number <= 0 or (number > 100 if percent else number > 1 and number % 1):
        raise argparse.ArgumentTypeError(forms)
    if percent and number == 100:
        return None
    return number / 100 if percent else number


def _verify(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from .api import verify
    from .loaders.places import place_of

    place, total = place_of(options.folder), None
    if options.sample is None and isinstance(place, Path):
        total = sum(file.stat().st_size for file in place.rglob("*") if file.is_file())
    with tqdm(total=total, unit="B", unit_scale=True, desc="verifying", leave=False, disable=None) as bar:
        verdict = verify(options.folder, bar.update, workers=options.workers, sample=options.sample, seed=options.seed)
    print(*verdict.lines(), sep="\n")
    return 1 if verdict.problems else 0


def convert_folder(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from .builders.core.convert import ConvertOptions, convert
    from .loaders.places import local

    with tqdm(unit=" shards", desc="converting", leave=False, disable=None) as bar:

        def tell(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        out = local(options.out, "convert makes")
        report = convert(ConvertOptions(options.folder, out, options.format, options.workers), tell)
    print(*report.lines(), sep="\n")
    return 0


def publish_folder(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from .builders.core.hub import Hub
    from .builders.core.publish import PublishOptions, prepared, publish
    from .loaders.places import local

    chosen = PublishOptions(
        local(options.folder, "publish sends"),
        options.repo,
        "" if options.open else options.gated,
        options.public,
        options.with_review,
        options.sample,
        options.workers,
    )
    with tqdm(unit="B", unit_scale=True, desc="verifying", leave=False, disable=None) as bar:
        parcel = prepared(chosen, bar.update)
    hub = Hub(options.repo)
    if not options.dry_run:
        hub.check_token()
    try:
        before = hub.access()
    except (PermissionError, ConnectionError) as error:
        if not options.dry_run:
            raise
        print(*parcel.lines(), f"who sees it at the hub now is not known: {error}", sep="\n")
        return 0
    changed = [f"at the hub now: {before}; this changes it"] if before not in (None, chosen.access) else []
    if options.dry_run:
        print(*parcel.lines(), *changed, sep="\n")
        return 0
    hidden = before is not None and before.public and not options.public
    if (options.open or options.public or hidden) and not options.yes:
        effect = "A public repository becomes private" if hidden else "Faces and voices become easier to see for others"
        if not _confirmed([*parcel.terms(), *changed], effect, options.repo):
            print("nothing was sent")
            return 1
    with tqdm(total=parcel.size, unit="B", unit_scale=True, desc="publishing", leave=False, disable=None) as bar:
        report = publish(parcel, bar.update)
    print(*report.lines(), sep="\n")
    return 0


def _confirmed(terms: list[str], effect: str, repo: str) -> bool:
    """Whether somebody types the repository's name after having read the terms."""
    print(*terms, sep="\n")
    try:
        return input(f"{effect}. Type {repo} to go on: ").strip() == repo
    except EOFError:
        return False
