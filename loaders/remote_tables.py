"""The tables and cards of a remote folder, copied whole and checked into the local cache."""

import atexit
import os
import re
import shutil
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from hashlib import sha256
from pathlib import Path

from .answers import Answer, Fault
from .places import Place, shown
from .range_cache import CacheOptions
from .retries import tried
from .shards import FolderError, file_sha256

SUMS = "checksums.sha256"
OWN_FILE = re.compile(r"[A-Za-z0-9_.-]+|tables/[A-Za-z0-9_.-]+")
"""What is copied: files beside `data`, whose names cannot lead out of the folder."""
AT_ONCE = 8
UNUSED_SECONDS = 30 * 86400


def fetched(place: Place, cache: CacheOptions) -> Path:
    """A local folder with all files of a remote one but its shards, as checksums.sha256 there names them.

    What was copied before is checked and used again. Raises FolderError when there is no finished folder, or what is
    there does not have its sha256, OSError when the copies cannot be written.
    """
    sums = _sums(place)
    version = f"{sha256(shown(place.url).encode()).hexdigest()[:16]}-{sha256(sums).hexdigest()[:16]}"
    home = (_kept(cache) if cache.gb else _passing()) / version
    pairs = [
        (name, digest)
        for digest, _, name in (line.partition("  ") for line in sums.decode(errors="replace").splitlines())
    ]
    if any(len(digest) != 64 or not name or name.startswith("/") or ".." in name for name, digest in pairs):
        raise FolderError(f"{place}/{SUMS}: not a list of '<sha256>  <path>' lines; build the folder again")
    own = [(name, digest) for name, digest in pairs if OWN_FILE.fullmatch(name)]
    with ThreadPoolExecutor(AT_ONCE) as several:
        list(several.map(lambda pair: _copy(place, home, *pair), own))
    _write(home / SUMS, sums)
    os.utime(home)
    return home


def _sums(place: Place) -> bytes:
    found = place.ask(SUMS, None)
    if isinstance(found, Fault) and found.absent:
        raise FolderError(
            f"{place}: no dataset folder, or its build has not finished ({SUMS} is missing). Pass the place that "
            "`facevox build` was given as --out"
        )
    return found.data if isinstance(found, Answer) else tried(lambda: place.ask(SUMS, None), f"{place}/{SUMS}").data


def _copy(place: Place, home: Path, name: str, digest: str) -> None:
    copy = home / name
    if not copy.is_file() or file_sha256(copy) != digest:
        _write(copy, tried(partial(_whole, place, name, digest), f"{place}/{name}").data)


def _whole(place: Place, name: str, digest: str) -> Answer | Fault:
    answer = place.ask(name, None)
    if isinstance(answer, Answer) and sha256(answer.data).hexdigest() != digest:
        return Fault(f"its {len(answer.data):,} bytes do not have the sha256 of {SUMS}; a build may be under way", True)
    return answer


def _write(copy: Path, data: bytes) -> None:
    try:
        # Under a name of its own first: many processes may open the same place at the same moment.
        part = copy.with_name(f"{copy.name}.{os.getpid()}.{threading.get_ident()}")
        copy.parent.mkdir(parents=True, exist_ok=True)
        # Not flushed: a copy is hashed each time it is used.
        part.write_bytes(data)
        part.replace(copy)
    except OSError as error:
        raise OSError(
            f"{copy}: {error.strerror}; the tables of a remote folder need {len(data):,} bytes here. Free some space, "
            "or name another folder by FACEVOX_CACHE"
        ) from None


def _kept(cache: CacheOptions) -> Path:
    """The folder of all copies, without those that nobody has opened for UNUSED_SECONDS."""
    home = cache.folder / "folders"
    for old in home.iterdir() if home.is_dir() else ():
        # Another process may remove the same one.
        with suppress(FileNotFoundError):
            if old.stat().st_mtime < time.time() - UNUSED_SECONDS:
                shutil.rmtree(old, ignore_errors=True)
    return home


def _passing() -> Path:
    """A folder that this process removes at its end."""
    home = Path(tempfile.mkdtemp(prefix="facevox-"))
    atexit.register(_remove, home, os.getpid())
    return home


def _remove(home: Path, owner: int) -> None:
    # A forked worker ends before the process that made the copies.
    if os.getpid() == owner:
        shutil.rmtree(home, ignore_errors=True)
