"""The folder that a build writes to: who holds it, what is half-written in it, whether it will fit."""

import errno
import fcntl
import shutil
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from ...loaders.durable import PART
from ...loaders.folder import FolderError
from .builder import Builder, Unit

SPARE_BYTES = 64 << 20
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)
"""What `flock` raises on storage without file locks, such as Lustre mounted without its option `flock`."""


@contextmanager
def locked(out: Path, shared: bool = False, patience: float = 0.0) -> Iterator[IO[str] | None]:
    """Hold the folder alone, or `shared` with others who share it; the kernel lets go when the process dies.

    Yields the locked file, None where the storage has no file locks. Raises FolderError when it is held, and still
    is after `patience` seconds.
    """
    try:
        (out / ".build").mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise FolderError(f"{out}: not a folder. Choose another --out") from None
    with (out / ".build" / "lock").open("a") as lock:
        yield lock if _taken(out, lock, fcntl.LOCK_SH if shared else fcntl.LOCK_EX, patience) else None


def _taken(out: Path, lock: IO[str], kind: int, patience: float) -> bool:
    until, told = time.monotonic() + patience, False
    while True:
        try:
            return take(lock, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                waited = f" since {patience:.0f} s ago" if patience else ""
                raise FolderError(
                    f"{out}: another build is running in this folder{waited}. Wait for it, or choose another --out"
                ) from None
        if not told:
            warnings.warn(f"{out}: held by another build; waiting up to {patience:.0f} s for it", stacklevel=2)
            told = True
        time.sleep(0.1)


def take(lock: IO[str], kind: int) -> bool:
    """Take a lock, or return False where there are no locks. Raises BlockingIOError when somebody else has it."""
    try:
        fcntl.flock(lock, kind)
    except OSError as error:
        if error.errno in NO_LOCKS:
            return False
        raise
    return True


def check_places(out: Path, raw: str) -> None:
    """Raise FolderError where a build would write among somebody else's files."""
    here, there = out.absolute().resolve(), Path(raw).absolute().resolve()
    if here == there or there in here.parents or here in there.parents:
        raise FolderError(f"{out}: the dataset folder and the release {raw} must lie apart")
    if out.is_dir() and any(out.iterdir()) and not (out / ".build").exists():
        raise FolderError(f"{out}: holds other files and no build of facevox. Choose a new or empty folder")


@contextmanager
def whole_files_only(out: Path) -> Iterator[None]:
    """Remove what an interrupted build left half-written, before and after this one."""
    clear_parts(out)
    try:
        yield
    finally:
        clear_parts(out)


def clear_parts(out: Path) -> None:
    """Remove half-written files from the places that a build writes to, and nowhere else."""
    for place in (out / "data", out / "tables", out / ".build"):
        for part in place.rglob(f"*{PART}"):
            part.unlink(missing_ok=True)
    for name in ("README.md", "croissant.json", "checksums.sha256"):
        (out / (name + PART)).unlink(missing_ok=True)


def check_space(out: Path, units: Sequence[Unit], builder: Builder) -> None:
    """Raise OSError before a build that cannot fit its disk."""
    needed = int(sum(builder.disk_bytes(unit) for unit in units)) + SPARE_BYTES
    free = shutil.disk_usage(out).free
    if units and needed > free:
        raise OSError(
            f"{out}: about {needed / 1e9:.2f} GB needed, {free / 1e9:.2f} GB free. Free some, or use --subjects"
        )
