"""The command `facevox review`."""

import argparse
import getpass
from pathlib import Path

DESCRIPTION = """Look through a built dataset folder in the browser and decide: are the artifacts that the build found
really there, which faces to keep, was a sample left out for a good reason. Every decision is one line added to
OUT/review.jsonl (see `facevox decide --help`); the next `facevox build` follows it and rebuilds only the shards
concerned. Until then nothing in OUT changes.

The page is served by this command to this machine alone, at an address with a secret of its own, and asks nothing of
any other host. It can be closed and opened at any time: every decision is on the disk before the next sample is shown,
and the page goes on where you stopped. Several people can review at once, each under a name of their own."""

EPILOG = """examples:
  facevox review O                            open the page; Ctrl-C in the terminal stops it
  facevox review O --raw R --who ann          also show what was left out; sign decisions as ann
  facevox review O --no-browser --port 8765   only print the address, to open over `ssh -L 8765:127.0.0.1:8765 HOST`

Keys: arrows move, y the artifact is there, n it is not, u undo, ? all keys. docs/review.md shows the page."""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    raw = argparse.RawDescriptionHelpFormatter
    text = "a page in the browser where people judge a built folder"
    parser = commands.add_parser("review", help=text, description=DESCRIPTION, epilog=EPILOG, formatter_class=raw)
    parser.add_argument("folder", help="the built dataset folder", metavar="OUT")
    parser.add_argument("--raw", default="", help="the release it was built from, to show what was left out")
    add_page(parser)
    parser.set_defaults(run=_review)


def add_page(parser: argparse.ArgumentParser) -> None:
    """The options of every command that opens the page."""
    parser.add_argument("--who", default="", help="who decides (default: the name of the account)")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (default: a free one)")
    parser.add_argument("--no-browser", action="store_true", help="print the address, open no browser")


def _review(options: argparse.Namespace) -> int:
    from .builders.review.server import ReviewOptions, serve

    who = options.who or getpass.getuser()
    serve(ReviewOptions(Path(options.folder), options.raw, None, who, options.port, not options.no_browser))
    return 0
