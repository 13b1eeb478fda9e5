"""The commands `facevox build` and `facevox forge`: their options are those of the dataset named on the line."""

import argparse
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .cli_options import add_options, chosen, named

if TYPE_CHECKING:
    from .builders.core.run import BuildOptions


def datasets() -> list[str]:
    """Every dataset, by its file: listing names must not import anything."""
    here = Path(__file__).parent / "builders"
    return sorted(path.stem for path in here.glob("*.py") if not path.stem.startswith("_"))


def add_release(parser: argparse.ArgumentParser) -> None:
    """What `build` and `plan` both ask: of which release, which part, into what shards."""
    parser.add_argument("dataset", help="which dataset", metavar="DATASET")
    parser.add_argument("--raw", required=True, help="the release folder (archives stay packed)")
    parser.add_argument(
        "--config",
        action="append",
        default=[],
        help="only this config; may be repeated (default: the main ones; DATASET --help names all)",
    )
    parser.add_argument(
        "--format", default="tar", metavar="FORMAT", help="tar (WebDataset), parquet or arrow (default: tar)"
    )
    parser.add_argument("--shard-mb", type=int, default=1024, help="source MB per shard (default: 1024)")


def add_dataset_options(parser: argparse.ArgumentParser, command: str, given: Sequence[str]) -> None:
    """The options of the dataset that is named after the command."""
    if dataset := named(given, command, Path(__file__).parent / "builders"):
        from .builders.core.builder import find

        builder = find(dataset)
        main, more = (", ".join(c.name for c in builder.configs if c.default is kind) for kind in (True, False))
        text = f"configs: {main}" + (f"; only when named with --config: {more}" if more else "")
        add_options(parser.add_argument_group(f"options of {dataset}", text), builder.options_type)


def build_options(options: argparse.Namespace, out: Path | str) -> "BuildOptions":
    """What the arguments of `add_release` and the dataset's own say. Raises ValueError for an unknown dataset."""
    from .api import release_options
    from .builders.core.builder import find
    from .builders.core.run import BuildOptions

    release = release_options(options.dataset, chosen(options, find(options.dataset).options_type))
    return BuildOptions(
        options.dataset, options.raw, out, tuple(options.config), options.format, options.shard_mb, release=release
    )


def add_build(parser: argparse.ArgumentParser, given: Sequence[str]) -> None:
    parser.description = (
        "Turn a raw release, read in place, into a dataset folder that plain load_dataset reads.\n"
        f"datasets: {', '.join(datasets())}; `facevox build DATASET --help` shows the dataset's own options."
    )
    add_release(parser)
    parser.add_argument(
        "--out", required=True, help="the dataset folder to make, resume or extend: a path, or s3://bucket/O"
    )
    parser.add_argument("--workers", type=int, default=1, help="build processes, about one per core (default: 1)")
    parser.add_argument(
        "--extend", action="store_true", help="accept a release that grew: new samples go to new shards"
    )
    parser.add_argument(
        "--recheck", action="store_true", help="hash finished shards, mend damaged ones, retry what was left out"
    )
    parser.add_argument("--dry-run", action="store_true", help="only list: samples, bytes, time, disk space")
    _add_machines(parser.add_argument_group("many machines", "all of them see --raw and --out: shared storage"))
    parser.set_defaults(run=build_folder)
    add_dataset_options(parser, "build", given)


def _add_machines(group: Any) -> None:
    group.add_argument(
        "--engine",
        default="",
        metavar="ENGINE",
        help="dask or ray: one task per shard on a cluster, started again when a worker is lost; the same bytes "
        "(default: processes on this machine)",
    )
    group.add_argument(
        "--address",
        default="",
        help="the running cluster: tcp://HOST:PORT or a scheduler file for dask, HOST:PORT for ray "
        "(default: --workers processes here)",
    )
    group.add_argument(
        "--rank", type=int, help="without an engine: build this process's share of the shards, from 0; needs --world"
    )
    group.add_argument("--world", type=int, help="how many ranks build the folder; the last to end finishes it")


def build_folder(options: argparse.Namespace) -> int:
    from .api import progress_bar
    from .builders.core.estimate import estimate
    from .builders.core.run import run

    if (options.rank is None) != (options.world is None) or options.world == 0:
        raise ValueError("--rank and --world go together, as in --rank 0 --world 16")
    build = replace(
        build_options(options, options.out),
        workers=options.workers,
        extend=options.extend,
        recheck=options.recheck,
        engine=options.engine,
        address=options.address,
        rank=options.rank or 0,
        world=options.world or 0,
    )
    if options.dry_run:
        print(*estimate(build).lines(), sep="\n")
        return 0
    print(*run(build, progress_bar).lines(), sep="\n")
    return 0


def add_forge(parser: argparse.ArgumentParser, given: Sequence[str]) -> None:
    here = Path(__file__).parent / "builders"
    parser.description = (
        "Make up a small release in the exact layout of the real one, with people who do not exist and known truth\n"
        "beside it; captures of a marker sheet (calibration); or a damaged copy of a release (faults).\n"
        "`facevox forge DATASET --help` shows the options."
    )
    parser.add_argument("dataset", help="which dataset, or calibration, or faults", metavar="DATASET")
    parser.add_argument("--out", required=True, type=Path, help="the release folder to make; new or empty")
    parser.set_defaults(run=_forge)
    dataset = named(given, "forge", here / "population")
    if dataset == "faults":
        parser.add_argument("--release", required=True, type=Path, help="the forged release to copy and damage")
        parser.add_argument("--seed", type=int, default=0, help="which places are damaged (default: 0)")
        parser.set_defaults(run=_faults)
    elif dataset in (*datasets(), "calibration"):
        from .api import forge_module

        parser.add_argument(
            "--workers", type=int, default=os.cpu_count() or 1, help="processes (default: one per core)"
        )
        add_options(parser.add_argument_group(f"options of {dataset}"), forge_module(dataset).ForgeOptions)


def _forge(options: argparse.Namespace) -> int:
    from .api import forge, forge_module

    picked = chosen(options, forge_module(options.dataset).ForgeOptions)
    made = forge(options.dataset, options.out, workers=options.workers, progress=True, **picked)
    counts = ", ".join(f"{value:,} {name.replace('_', ' ')}" for name, value in made.items() if isinstance(value, int))
    print(f"{options.out}: {counts}; truth in {options.out}.truth.json")
    return 0


def _faults(options: argparse.Namespace) -> int:
    from .builders.population.faults import damage

    for fault in damage(options.release, options.out, options.seed):
        print(f"{fault.name}: {fault.archive} {fault.member}".rstrip())
    return 0
