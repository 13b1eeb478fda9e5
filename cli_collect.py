"""The command `facevox collect`."""

import argparse
import getpass
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .cli_options import add_options, chosen
from .cli_review import add_page

if TYPE_CHECKING:
    from .builders.stages.collection_options import CollectOptions

DESCRIPTION = """Collect faces and voices of marked people from their videos, as Chinese_VF was made: faces by MTCNN at
one frame a second, cut at 1.3 times their box; voice windows by the corrected Algorithm 1; each scored by its cosine
to the speaker's ground truth and kept above a threshold.

VIDEOS, read in place, holds
  PERSON/VIDEO.mp4                          a folder per person; webm and mkv too. A video right in VIDEOS is a person
  marks.jsonl                               what a person marked, one JSON object a line:
    speaker       whose folder it is: an id as in cvf0001 and a gender; names of people stay in VIDEOS
    screenshot    a face of the speaker, at least three over their videos
    period        ten seconds or more in which the speaker talks alone, at least one
    accept        "turn down" leaves a video out; thresholds may be given too

OUT receives
  meta/ ground_truth/ voice/ face/          speakers with folds, videos, screenshots and periods, 16 kHz WAV, JPEG
  candidates/voice.csv face.csv             every window and face with its score, kept or why not
  candidates/refused.csv                    every video left out whole, with the reason
  config.json                               all parameters, networks and thresholds; written last

Thresholds are calibrated on the ground truths of the other speakers, of which at most 1 % may pass; with fewer than ten
speakers they do not go below the embedder's own. The same command again resumes after any interruption.

Without --marks a page opens in the browser on which V/marks.jsonl is made, and the collection seen before it is written
(docs/collecting.md). With --marks nothing is asked: the same videos and marks give the same bytes."""

EPILOG = """examples:
  facevox collect V                                       mark V on a page in the browser; detect, judge, write
  facevox forge chinese_vf --out V                        made-up talkers with marks and known truth
  facevox collect V --marks V/marks.jsonl --out C         the collection
  facevox collect V --marks V/marks.jsonl --out C --tau-voice 0.7      decided anew; no video is scanned again
  facevox collect V --marks V/marks.jsonl --out C --dry-run            what would be looked through
  facevox build chinese_vf --raw C --out O                the dataset folder"""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", given: Sequence[str]) -> None:
    """Add the command to the command line; its parameters are looked up only where it is `given`."""
    raw = argparse.RawDescriptionHelpFormatter
    text = "collect faces and voices of marked people from their videos"
    parser = commands.add_parser("collect", help=text, description=DESCRIPTION, epilog=EPILOG, formatter_class=raw)
    parser.add_argument("videos", type=Path, help="the folder of videos, read in place", metavar="VIDEOS")
    parser.add_argument("--marks", type=Path, help="the marks, for a run without the page", metavar="FILE")
    parser.add_argument("--out", type=Path, help="the collection to make or resume (default: VIDEOS-collected)")
    parser.add_argument("--workers", type=int, default=1, help="processes, about one per core (default: 1)")
    parser.add_argument("--dry-run", action="store_true", help="only list: videos, their length, what is left out")
    add_page(parser)
    parser.set_defaults(run=collect_folder)
    for what in ("face", "voice"):
        text = f"least cosine of a kept {what} (default: that of the marks, else calibrated)"
        parser.add_argument(f"--tau-{what}", type=float, help=text)
    if "collect" in given:
        from .builders.stages.collection_options import CollectOptions

        add_options(parser.add_argument_group("parameters"), CollectOptions)


def collect_folder(options: argparse.Namespace) -> int:
    """With --marks or --dry-run without the page, else on the page."""
    from .api import collect
    from .builders.stages.collection import estimate
    from .builders.stages.collection_options import CollectOptions

    out = options.out or options.videos.with_name(options.videos.resolve().name + "-collected")
    picked = {
        "workers": options.workers,
        "tau_face": options.tau_face,
        "tau_voice": options.tau_voice,
        **chosen(options, CollectOptions),
    }
    if options.marks is None and not options.dry_run:
        return _open_page(options, CollectOptions(options.videos, out, **picked))
    if options.dry_run:
        print(*estimate(CollectOptions(options.videos, out, options.marks, **picked)), sep="\n")
        return 0
    report = collect(options.videos, out, marks=options.marks, progress=True, **picked)
    print(*report.lines(), f"{out}: the collection; facevox build chinese_vf --raw {out} --out O", sep="\n")
    return 0


def _open_page(options: argparse.Namespace, collected: "CollectOptions") -> int:
    from .builders.review.server import ReviewOptions, serve
    from .builders.stages.collection_folder import check_place

    check_place(collected)
    who = options.who or getpass.getuser()
    serve(ReviewOptions(None, "", collected, who, options.port, not options.no_browser, view="collect"))
    return 0
