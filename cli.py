"""The command `facevox`: arguments in, one call of the library, words out."""

import argparse
import os
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import NoReturn

from . import (
    cli_bench,
    cli_build,
    cli_calibrate,
    cli_collect,
    cli_decide,
    cli_export,
    cli_generate,
    cli_plan,
    cli_publish,
    cli_review,
    cli_train,
    cli_use,
)

EPILOG = """examples:
  facevox demo                                          the whole road on made-up people, in minutes
  facevox forge speakingfaces --out R                   a made-up release in the real one's layout
  facevox build speakingfaces --raw R --out O --workers 2
  facevox plan speakingfaces --raw R --estimate             what a build would write and cost, on 1 to 256 workers
  facevox info O;  facevox verify O;  facevox show O KEY
  facevox stats O --out S                               the paper's tables counted in O, and histograms
  facevox train gender --data O --out W;  facevox bench speakingfaces_table4 --data O --runs W

The same build or train command again resumes after any interruption. Errors are one line, exit code 2."""

FORGED_BESIDE = ("calibration", "faults")
EXTRAS = {"skimage": "forge", "scipy": "forge", "starlette": "review", "uvicorn": "review"}
RESUMED = (
    cli_build.build_folder,
    cli_collect.collect_folder,
    cli_publish.convert_folder,
    cli_publish.publish_folder,
    cli_train.train_model,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 1 found problems, 2 bad use or input, 130 interrupted."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser, commands = _parser(given)
    options, unknown = parser.parse_known_args(given)
    if unknown and not (hasattr(options, "dataset") and options.dataset not in (*cli_build.datasets(), *FORGED_BESIDE)):
        _refuse(next((commands[word] for word in given if word in commands), parser), unknown)
    if options.version:
        # Looked up only here: reading package metadata takes longer than all the rest of --help.
        from importlib.metadata import version

        print(f"facevox {version('facevox')}")
        return 0
    if not options.run:
        parser.print_help()
        return 0
    # Here, not above: --help needs no tables.
    from .loaders.arrow_buffers import spare_pandas

    spare_pandas()
    try:
        return int(options.run(options) or 0)
    except KeyboardInterrupt:
        resume = "; nothing is lost. To resume:\n  facevox " + shlex.join(given) if options.run in RESUMED else ""
        print(f"\nfacevox: interrupted{resume}", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Whoever read the output has seen enough; Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except ModuleNotFoundError as error:
        if options.traceback:
            raise
        extra = EXTRAS.get(error.name or "", "build")
        advice = "" if "pip install" in str(error) else f". Install it: pip install 'facevox[{extra}]'"
        print(f"facevox: {error}{advice}", file=sys.stderr)
        return 2
    except (ValueError, OSError, RuntimeError) as error:
        if options.traceback:
            raise
        resumes = ". Mend that and run the same command: it resumes where it stopped" if options.run in RESUMED else ""
        print(f"facevox: {_one_line(error, resumes)}", file=sys.stderr)
        return 2


def _one_line(error: BaseException, resumes: str) -> str:
    if isinstance(error, OSError) and error.errno is not None:
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{os.strerror(error.errno)}{resumes}"
    return " ".join(str(error).split())


class _Parser(argparse.ArgumentParser):
    """One whose errors are one line; the usage of fifty options would hide it."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; `{self.prog} --help` tells what there is\n")


def _refuse(parser: argparse.ArgumentParser, unknown: Sequence[str]) -> NoReturn:
    """End with exit code 2, saying what a command does not know and what was nearest to it."""
    known = re.findall(r"--[a-z][a-z0-9-]*", parser.format_help())
    near = [one for word in unknown for one in get_close_matches(word.split("=")[0], known, n=1, cutoff=0.75)]
    advice = f" (did you mean {' '.join(near)}?)" if near else ""
    parser.error(f"unrecognized arguments: {' '.join(unknown)}{advice}")


def _parser(given: Sequence[str]) -> tuple[argparse.ArgumentParser, Mapping[str, argparse.ArgumentParser]]:
    """The parser, and those of its commands by name."""
    raw = argparse.RawDescriptionHelpFormatter
    parser: argparse.ArgumentParser = _Parser(
        prog="facevox", description=_describe(), epilog=EPILOG, formatter_class=raw
    )
    parser.add_argument("--version", action="store_true", help="print the version")
    parser.add_argument("--traceback", action="store_true", help="show the full traceback of an error")
    parser.set_defaults(run=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    cli_build.add_build(
        commands.add_parser("build", help="turn a raw release into a dataset folder", formatter_class=raw), given
    )
    cli_plan.add(commands, given)
    cli_build.add_forge(
        commands.add_parser("forge", help="make up a small release with known truth", formatter_class=raw), given
    )
    cli_train.add_train(
        commands.add_parser("train", help="train a model on a built folder", formatter_class=raw), given
    )
    cli_bench.add(commands.add_parser("bench", help="a published table beside measured values", formatter_class=raw))
    cli_export.add(commands)
    cli_generate.add(commands)
    cli_calibrate.add(commands)
    cli_decide.add(commands)
    cli_collect.add(commands, given)
    cli_review.add(commands)
    cli_publish.add(commands)
    cli_use.add(commands)
    text = "what a folder holds and how to load it"
    info = commands.add_parser("info", help=text, description=f"{text.capitalize()}.")
    info.add_argument("folder", help="a built dataset folder")
    info.add_argument("--keys", action="store_true", help="list every sample: key, config, split")
    info.set_defaults(run=_info)
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
    return parser, commands.choices


def _describe() -> str:
    return (
        "Build, verify and load face, voice and thermal-video datasets as sharded WebDataset, Parquet or Arrow folders."
    )


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
