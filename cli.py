"""The command `facevox`: arguments in, one call of the library, words out."""

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from . import cli_calibrate, cli_decide
from .cli_options import add_options, chosen, named

EPILOG = """examples:
  facevox demo                                          forge, build, verify, load and draw a small dataset
  facevox forge speakingfaces --out R                   a made-up release in the real one's layout
  facevox build speakingfaces --raw R --out O --workers 2
  facevox build speakingfaces --raw R --out O --dry-run     what it would write, and how long it would take
  facevox info O;  facevox verify O;  facevox show O KEY
  facevox stats O --out S                               the paper's tables counted in O, and histograms

The same build command again resumes after any interruption. Errors are one line, exit code 2."""


FORGED_BESIDE = ("calibration", "faults")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 1 found problems, 2 bad use or input, 130 interrupted."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = _parser(given)
    options, unknown = parser.parse_known_args(given)
    if unknown and not (hasattr(options, "dataset") and options.dataset not in (*_datasets(), *FORGED_BESIDE)):
        parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    if options.version:
        # Looked up only here: reading package metadata takes longer than all the rest of --help.
        from importlib.metadata import version

        print(f"facevox {version('facevox')}")
        return 0
    if not options.run:
        parser.print_help()
        return 0
    try:
        return int(options.run(options) or 0)
    except KeyboardInterrupt:
        resume = "; nothing is lost. To resume:\n  facevox " + shlex.join(given) if options.run is _build else ""
        print(f"\nfacevox: interrupted{resume}", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Whoever read the output has seen enough; Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except ModuleNotFoundError as error:
        if options.traceback:
            raise
        extra = "forge" if error.name in ("skimage", "scipy") else "build"
        print(f"facevox: {error}. Install it: pip install 'facevox[{extra}]'", file=sys.stderr)
        return 2
    except (ValueError, OSError, RuntimeError) as error:
        if options.traceback:
            raise
        resumes = ". Mend that and run the same command: it resumes where it stopped" if options.run is _build else ""
        print(f"facevox: {_one_line(error, resumes)}", file=sys.stderr)
        return 2


def _one_line(error: BaseException, resumes: str) -> str:
    if isinstance(error, OSError) and error.errno is not None:
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{os.strerror(error.errno)}{resumes}"
    return " ".join(str(error).split())


def _parser(given: Sequence[str]) -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="facevox", description=_describe(), epilog=EPILOG, formatter_class=raw)
    parser.add_argument("--version", action="store_true", help="print the version")
    parser.add_argument("--traceback", action="store_true", help="show the full traceback of an error")
    parser.set_defaults(run=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    _add_build(
        commands.add_parser("build", help="turn a raw release into a dataset folder", formatter_class=raw), given
    )
    _add_forge(
        commands.add_parser("forge", help="make up a small release with known truth", formatter_class=raw), given
    )
    _add_train(commands.add_parser("train", help="train a model on a built folder", formatter_class=raw), given)
    _add_bench(commands.add_parser("bench", help="a published table beside measured values", formatter_class=raw))
    cli_calibrate.add(commands)
    cli_decide.add(commands)
    for name, run, text in (
        ("info", _info, "what a folder holds and how to load it"),
        ("verify", _verify, "check every byte, count and promise of a folder"),
    ):
        command = commands.add_parser(name, help=text, description=f"{text.capitalize()}.")
        command.add_argument("folder", help="a built dataset folder")
        if name == "info":
            command.add_argument("--keys", action="store_true", help="list every sample: key, config, split")
        command.set_defaults(run=run)
    show = commands.add_parser("show", help="draw one sample", description="Draw one sample and its evidence as a PNG.")
    show.add_argument("folder", help="a built dataset folder")
    show.add_argument("key", help="a sample's key, as listed by `facevox info FOLDER --keys`")
    show.add_argument("--out", help="the picture to write (default: KEY.png here)")
    show.add_argument("--frame", type=int, help="frame to show, from 1 (default: the middle one)")
    show.set_defaults(run=_show)
    _add_stats(commands.add_parser("stats", help="a folder's counts beside the published tables"))
    doctor = commands.add_parser("doctor", help="what is installed, what is missing, what to do")
    doctor.set_defaults(run=_doctor)
    demo = commands.add_parser("demo", help="the whole road on a made-up release, in minutes")
    demo.add_argument("--keep", action="store_true", help="keep what was made, in ./facevox-demo")
    demo.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes (default: one per core)")
    demo.set_defaults(run=_demo)
    return parser


def _describe() -> str:
    return (
        "Build, verify and load face, voice and thermal-video datasets as sharded WebDataset, Parquet or Arrow folders."
    )


# --- build and forge: their options are those of the dataset named on the command line ---


def _datasets() -> list[str]:
    """Every dataset, by its file: listing names must not import anything."""
    here = Path(__file__).parent / "builders"
    return sorted(path.stem for path in here.glob("*.py") if not path.stem.startswith("_"))


def _add_build(parser: argparse.ArgumentParser, given: Sequence[str]) -> None:
    here = Path(__file__).parent / "builders"
    parser.description = (
        "Turn a raw release, read in place, into a dataset folder that plain load_dataset reads.\n"
        f"datasets: {', '.join(_datasets())}; `facevox build DATASET --help` shows the dataset's own options."
    )
    parser.add_argument("dataset", help="which dataset", metavar="DATASET")
    parser.add_argument("--raw", required=True, help="the release folder (archives stay packed)")
    parser.add_argument("--out", required=True, type=Path, help="the dataset folder to make, resume or extend")
    parser.add_argument(
        "--config", action="append", default=[], help="only this config; may be repeated (default: the main ones)"
    )
    parser.add_argument(
        "--format", default="tar", metavar="FORMAT", help="tar (WebDataset), parquet or arrow (default: tar)"
    )
    parser.add_argument("--workers", type=int, default=1, help="build processes, about one per core (default: 1)")
    parser.add_argument("--shard-mb", type=int, default=1024, help="source MB per shard (default: 1024)")
    parser.add_argument(
        "--extend", action="store_true", help="accept a release that grew: new samples go to new shards"
    )
    parser.add_argument(
        "--recheck", action="store_true", help="hash finished shards, mend damaged ones, retry what was left out"
    )
    parser.add_argument("--dry-run", action="store_true", help="only list: samples, bytes, time, disk space")
    parser.set_defaults(run=_build)
    if dataset := named(given, "build", here):
        from .builders.core.builder import find

        add_options(parser.add_argument_group(f"options of {dataset}"), find(dataset).options_type)


def _build(options: argparse.Namespace) -> int:
    from .api import progress_bar, release_options
    from .builders.core.builder import find
    from .builders.core.estimate import estimate
    from .builders.core.run import BuildOptions, run

    release = release_options(options.dataset, chosen(options, find(options.dataset).options_type))
    build = BuildOptions(
        options.dataset,
        options.raw,
        options.out,
        tuple(options.config),
        options.format,
        options.shard_mb,
        options.workers,
        options.extend,
        options.recheck,
        release,
    )
    if options.dry_run:
        print(*estimate(build).lines(), sep="\n")
        return 0
    print(*run(build, progress_bar).lines(), sep="\n")
    return 0


def _add_forge(parser: argparse.ArgumentParser, given: Sequence[str]) -> None:
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
    elif dataset in (*_datasets(), "calibration"):
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


# --- training and tables ---


def _add_train(parser: argparse.ArgumentParser, given: Sequence[str]) -> None:
    here = Path(__file__).parent / "models"
    known = sorted(path.stem for path in here.glob("*.py") if not path.stem.startswith("_"))
    parser.description = (
        "Train a model on a built folder; the same command resumes exactly where it stopped.\n"
        f"models: {', '.join(known)}; `facevox train MODEL --help` shows all options."
    )
    parser.add_argument("model", help="which model", metavar="MODEL")
    parser.add_argument("--data", required=True, help="a built dataset folder")
    parser.add_argument("--out", required=True, help="where checkpoints go, as OUT/gender-mode7/seed0/best.pt")
    parser.set_defaults(run=_train)
    if model := named(given, "train", here):
        from .models.core.model import find
        from .models.core.train import TrainOptions

        add_options(parser.add_argument_group("training"), TrainOptions)
        add_options(parser.add_argument_group(f"options of {model}"), find(model).options_type)


def _train(options: argparse.Namespace) -> int:
    from .api import train
    from .models.core.model import find
    from .models.core.train import TrainOptions

    picked = {**chosen(options, find(options.model).options_type), **chosen(options, TrainOptions)}
    print(*train(options.model, options.data, options.out, progress=True, **picked).lines(), sep="\n")
    return 0


def _add_bench(parser: argparse.ArgumentParser) -> None:
    parser.description = "One published table beside values measured here; `facevox bench list` names the tables."
    parser.add_argument("name", help="which table, or list", metavar="TABLE")
    parser.add_argument("--data", default="", help="a built dataset folder")
    parser.add_argument("--runs", default="", help="the folder that `facevox train --out` wrote")
    parser.add_argument("--as-published", action="store_true", help="noise wraps around, as in the authors' code")
    parser.add_argument("--format", choices=("text", "markdown", "json"), default="text", help="how to print it")
    parser.set_defaults(run=_bench)


def _bench(options: argparse.Namespace) -> int:
    from .api import bench
    from .benchmarks.core.bench import benches

    if options.name == "list":
        print(*benches(), sep="\n")
        return 0
    if not options.data:
        raise ValueError("bench needs --data, a built dataset folder")
    table = bench(options.name, options.data, options.runs, as_published=options.as_published)
    print({"text": table.text, "markdown": table.markdown, "json": table.json}[options.format]())
    return 0


# --- looking at a folder ---


def _info(options: argparse.Namespace) -> int:
    from .loaders.folder import Folder
    from .loaders.info import describe

    folder = Folder(options.folder)
    if options.keys:
        for row in folder.index.select(["key", "config", "split"]).to_pylist():
            print(row["key"], row["config"], row["split"])
    else:
        print(describe(folder))
    return 0


def _verify(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from .loaders.folder import Folder
    from .loaders.verify import check

    sizes = [file.stat().st_size for file in Folder(options.folder).path.rglob("*") if file.is_file()]
    with tqdm(total=sum(sizes), unit="B", unit_scale=True, desc="verifying", leave=False, disable=None) as bar:
        verdict = check(options.folder, bar.update)
    print(*verdict.lines(), sep="\n")
    return 1 if verdict.problems else 0


def _show(options: argparse.Namespace) -> int:
    from .api import show

    print(show(options.folder, options.key, options.out, options.frame))
    return 0


def _add_stats(parser: argparse.ArgumentParser) -> None:
    parser.description = "The paper's statistics tables counted in a built folder, beside the published values."
    parser.add_argument("folder", help="a built dataset folder")
    parser.add_argument("--format", choices=("text", "markdown", "json"), default="text", help="how to print it")
    parser.add_argument("--out", help="also write the tables and histograms (statistics.png) into this folder")
    parser.set_defaults(run=_stats)


def _stats(options: argparse.Namespace) -> int:
    from .api import stats

    print(stats(options.folder, options.out, format=options.format).words(options.format))
    if options.out:
        print(f"written: {options.out}/statistics.png", file=sys.stderr)
    return 0


def _doctor(_: argparse.Namespace) -> int:
    from .doctor import report

    lines, missing = report()
    print(*lines, sep="\n")
    return 1 if missing else 0


def _demo(options: argparse.Namespace) -> int:
    from .demo import run

    return run(options.keep, options.workers)
