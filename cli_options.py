"""Command-line options made from the fields of an options object."""

import argparse
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any


def named(given: Sequence[str], command: str, modules: Path) -> str | None:
    """The dataset named anywhere after the command word, when there is such a file."""
    words = [word for word in given if not word.startswith("-")]
    if words[:1] != [command]:
        return None
    return next((word for word in words[1:] if word.isidentifier() and (modules / f"{word}.py").is_file()), None)


def add_options(parser: Any, kind: Any) -> None:
    """One command-line option per field of an options object."""
    for option in explained(kind):
        flag = "--" + option.name.replace("_", "-")
        text = option.metadata.get("help", "")
        if isinstance(option.default, bool):
            action = argparse.BooleanOptionalAction if option.default else "store_true"
            parser.add_argument(flag, action=action, default=option.default, help=text)
            continue
        shown = "" if "default" in text or option.default == "" else f" (default: {option.default})"
        parser.add_argument(
            flag,
            type=type(option.default),
            default=option.default,
            choices=option.metadata.get("choices"),
            metavar=None if option.metadata.get("choices") else option.name.upper(),
            help=text + shown,
        )


def chosen(options: argparse.Namespace, kind: Any) -> dict[str, Any]:
    return {option.name: getattr(options, option.name) for option in explained(kind)}


def explained(kind: Any) -> list[Any]:
    """The fields of an options object that are for the command line: those with a help text."""
    return [option for option in fields(kind) if "help" in option.metadata]
