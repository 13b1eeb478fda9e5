"""The command `facevox plan`: a build before it is paid for."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from .cli_build import add_dataset_options, add_release, build_options, datasets

DESCRIPTION = """What `facevox build` with the same options would make of a release: shards, samples, bytes.
--estimate builds a few units of each config for real and tells milliseconds per stage, core-hours, bytes, and hours on
1, 16 and 256 workers with what limits them: cores, the number of shards, or the storage (--read-mb-s).

  facevox plan speakingfaces --raw R --estimate --read-mb-s 500
  facevox plan speakingfaces --raw SAMPLE --estimate --source-gb 3800     a few archives stand for the whole release"""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", given: Sequence[str]) -> None:
    """Add `plan` to the commands of `facevox`."""
    parser = commands.add_parser(
        "plan",
        help="what a build would make and cost, before it starts",
        description=f"{DESCRIPTION}\n\ndatasets: {', '.join(datasets())}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_release(parser)
    parser.add_argument("--out", default="", help="where it would be built: is there room?")
    parser.add_argument("--estimate", action="store_true", help="build a few units, tell time and bytes")
    cost = parser.add_argument_group("with --estimate")
    cost.add_argument(
        "--read-mb-s", type=float, default=0.0, help="what the release's storage gives to all workers together, MB/s"
    )
    cost.add_argument("--source-gb", type=float, default=0.0, help="as if the release had so many GB, of the same mix")
    cost.add_argument(
        "--source-frames", type=int, default=0, help="... and so many frames in its clips: work goes with pixels"
    )
    parser.set_defaults(run=plan_folder)
    add_dataset_options(parser, "plan", given)


def plan_folder(options: argparse.Namespace) -> int:
    from .builders.core.estimate import Scale, estimate, survey

    scale = (options.source_gb, options.source_frames, options.read_mb_s)
    if min(scale) < 0 or (any(scale) and not options.estimate):
        raise ValueError("--read-mb-s, --source-gb and --source-frames: above 0, and with --estimate")
    build, anywhere = build_options(options, options.out or Path()), not options.out
    if not options.estimate:
        print(*survey(build, anywhere).counts(), sep="\n")
        return 0
    found = estimate(build, Scale(1e9 * options.source_gb, options.source_frames), anywhere)
    print(*found.counts(), *found.cost(options.read_mb_s), sep="\n")
    return 0
