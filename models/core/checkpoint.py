"""A training run's files: checkpoints that are whole or absent, and load without running any code of theirs."""

import json
import re
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import torch
from torch._weights_only_unpickler import UnpicklingError  # type: ignore[attr-defined]
from torch.serialization import get_unsafe_globals_in_checkpoint

from ...loaders.durable import written_aside
from .model import Model, create, model_options

FORMAT = 2
"""Raised when older checkpoints can no longer be resumed."""
OLD_BEGINNING = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""How files of torch.save began before torch 1.6."""
MUST_MATCH = ("model", "folder", "config", "seed", "batch_size", "where", "limit", "initial")


def save(path: Path, state: Mapping[str, Any]) -> None:
    """Write a state of tensors and plain values; an interruption leaves the file that was there."""
    with written_aside(path) as part:
        torch.save({"format": FORMAT, **state}, part)


def save_text(path: Path, text: str) -> None:
    with written_aside(path) as part:
        part.write_text(text, encoding="utf-8")


def save_json(path: Path, value: Any) -> None:
    save_text(path, json.dumps(value, indent=1) + "\n")


def load(path: Path) -> dict[str, Any]:
    """A saved state, tensors on the CPU. Raises ValueError when the file is damaged, foreign or of another format."""
    state = read_tensors(
        path, "not a readable checkpoint. Give a best.pt or last.pt of `facevox train`; to train anew, another --out"
    )
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        found = state.get("format", "none") if isinstance(state, dict) else "none"
        raise ValueError(
            f"{path}: not a checkpoint of this version of facevox (format {FORMAT} expected, {found} found). Choose "
            "another --out, or remove it"
        )
    return state


def read_tensors(path: Path, damaged: str) -> Any:
    """What torch.save wrote, tensors on the CPU. Raises ValueError saying `damaged`, or what foreign things it names.

    Nothing in the file is run: what it names beside tensors and plain values is listed first, and refused.
    """
    try:
        # torch does not compare the checksums of the file's parts: a flipped bit would become a weight.
        with ZipFile(path) as file:
            if file.testzip():
                raise ValueError(f"{path}: {damaged}")
        if foreign := get_unsafe_globals_in_checkpoint(path):
            raise ValueError(f"{path}: names {', '.join(sorted(foreign)[:3])}; only tensors and plain values are read")
        return torch.load(path, map_location="cpu", weights_only=True)
    except (BadZipFile, NotImplementedError, EOFError, RuntimeError, KeyError, zlib.error):
        raise ValueError(f"{path}: {damaged}") from None


def read_old_tensors(path: Path, damaged: str) -> Any:
    """`read_tensors` for files of torch before 1.6, as many published weights still are.

    They have no checksums of their own: give only files whose digest was compared.
    """
    with path.open("rb") as file:
        if file.read(len(OLD_BEGINNING)) != OLD_BEGINNING:
            raise ValueError(f"{path}: {damaged}")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        named = re.search(r"GLOBAL (\S+)", str(error))
        what = f"names {named[1]}; only tensors and plain values are read" if named else damaged
        raise ValueError(f"{path}: {what}") from None
    except (EOFError, RuntimeError, IndexError, KeyError, TypeError, AttributeError, UnicodeDecodeError, struct.error):
        raise ValueError(f"{path}: {damaged}") from None


def check_match(path: Path, state: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Raise ValueError naming the first thing in which a checkpoint differs from the run that would go on."""
    advice = "Give what it was made with to resume, or choose another --out"
    for name in MUST_MATCH:
        if state.get(name, "") != wanted[name]:
            was, now = (
                str(value.get(name, ""))[:16] if name == "folder" else repr(value.get(name, ""))
                for value in (state, wanted)
            )
            what = "data folder of digest" if name == "folder" else name
            raise ValueError(f"{path}: made with {what} {was}, now {now}. {advice}")
    for name, now in wanted["options"].items():
        if state["options"].get(name) != now:
            raise ValueError(f"{path}: made with {name} {state['options'].get(name)!r}, now {now!r}. {advice}")


def restore(path: Path) -> tuple[Model, dict[str, Any]]:
    """The trained model of a checkpoint, on the CPU, and the rest of its state. Raises ValueError as `load` does.

    What it held for its next step is left behind.
    """
    state = load(path)
    model = create(state["model"], model_options(state["model"], state["options"]), state.get("people", ()))
    fresh, lasting = model.state_dict(), model.weights_without(*model.passing)
    passing = {name: tensor for name, tensor in fresh.items() if name not in lasting}
    model.load_state_dict({**state["weights"], **passing})
    return model, state
