"""How every release is forged: piece by piece in several processes, whole or not at all, the truth beside it."""

import json
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..core.engine import Pieces as Progress
from ..core.engine import in_processes

__all__ = [
    "STAMP",
    "Progress",
    "in_processes",
    "masks_path",
    "new_release",
    "pack",
    "pack_folders",
    "truth_path",
    "write",
    "write_masks",
    "write_truth",
]
STAMP = (2020, 1, 1, 0, 0, 0)
"""Time of every member of a forged archive: the same release twice has the same bytes."""


def truth_path(out: Path) -> Path:
    """Where the truth of a release lies: beside it, named after it."""
    return out.parent / (out.name + ".truth.json")


def write_truth(out: Path, truth: dict[str, Any]) -> None:
    truth_path(out).write_text(json.dumps(truth, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def masks_path(out: Path) -> Path:
    """Where the masks of a release's pictures lie: beside it, named after it."""
    return out.parent / (out.name + ".masks.zip")


def write_masks(out: Path, masks: Mapping[str, bytes]) -> None:
    """PNG masks by the place of their pictures: members `<place>.png`."""
    with zipfile.ZipFile(masks_path(out), "w", zipfile.ZIP_STORED) as file:
        for place, data in sorted(masks.items()):
            _add(file, f"{place}.png", data)


def _add(file: zipfile.ZipFile, name: str, data: bytes) -> None:
    entry = zipfile.ZipInfo(name, STAMP)
    entry.external_attr = 0o644 << 16
    file.writestr(entry, data)


@contextmanager
def new_release(out: Path) -> Iterator[None]:
    """A new or empty folder to forge into, removed again when forging fails: half a release looks like a damaged one.

    Raises FileExistsError for a folder with anything in it.
    """
    if out.exists() and any(out.iterdir()):
        raise FileExistsError(f"{out}: expected a new or empty folder to forge into. Choose another, or remove it.")
    out.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        shutil.rmtree(out, ignore_errors=True)
        raise


def write(path: Path, data: bytes) -> int:
    """Write a file and the folders above it; returns its bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return len(data)


def pack(folder: Path, archive: Path, root: Path) -> None:
    """Move every file below `folder` into a stored zip under its path from `root`, sorted, and remove the folder."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as file:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                _add(file, path.relative_to(root).as_posix(), path.read_bytes())
    shutil.rmtree(folder)


def pack_folders(out: Path, unpacked: tuple[str, ...]) -> None:
    """Every folder of a release but `unpacked` becomes a stored zip of its name, its content at the top."""
    for folder in sorted(path for path in out.iterdir() if path.is_dir() and path.name not in unpacked):
        pack(folder, out / f"{folder.name}.zip", folder)
