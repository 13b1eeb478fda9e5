"""Ranges of remote shards kept on the local disk: bounded, least recently used out first, for several processes."""

import fcntl
import os
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from .durable import PART

DEFAULT_GB = 10.0
SMALLEST = 32 << 10
"""What an entry counts at least, bytes: bounds the number of files."""
DIGEST = 32
LARGEST_SHARE = 1 / 64
EVICT_TO = 0.9
"""Eviction stops at this part of the limit, so that it is not needed at every fill."""
LOCK_SECONDS = 2.0
"""How long an entry waits for another process that counts or evicts; then it is not kept."""


def default_folder() -> Path:
    """FACEVOX_CACHE, or facevox in the user's cache folder (XDG_CACHE_HOME, ~/.cache)."""
    named = os.environ.get("FACEVOX_CACHE")
    return Path(named) if named else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "facevox"


def default_gb() -> float:
    """FACEVOX_CACHE_GB, or DEFAULT_GB. Raises ValueError for what is no number."""
    named = os.environ.get("FACEVOX_CACHE_GB")
    try:
        return float(named) if named else DEFAULT_GB
    except ValueError:
        raise ValueError(
            f"FACEVOX_CACHE_GB={named!r}: expected a number of GB, as 20 or 0.5; 0 keeps nothing"
        ) from None


@dataclass(frozen=True)
class CacheOptions:
    """Where what was fetched is kept, and how much of it, in GB (10^9 bytes); 0 keeps no ranges.

    By default as the environment says: FACEVOX_CACHE and FACEVOX_CACHE_GB, else ~/.cache/facevox and 10 GB.
    """

    folder: Path = field(default_factory=default_folder)
    gb: float = field(default_factory=default_gb)


class RangeCache:
    """Bytes by key, each in a file of its own behind its sha256. A damaged entry counts as absent.

    The files of all processes together stay below the limit; an entry counts its size, and SMALLEST at least. A disk
    that is full or fails ends the keeping in this process with one warning; reading goes on without.
    """

    def __init__(self, options: CacheOptions) -> None:
        self.folder, self.limit = options.folder / "ranges", int(options.gb * 1e9)
        self._writing = options.gb > 0

    def get(self, key: str) -> bytes | None:
        """The bytes kept for a key (64 hexadecimal digits), or None."""
        if not self.limit:
            return None
        path = self._path(key)
        try:
            entry = path.read_bytes()
            if sha256(memoryview(entry)[DIGEST:]).digest() == entry[:DIGEST]:
                os.utime(path)
                return entry[DIGEST:]
            path.unlink()
        except OSError:
            pass
        return None

    def put(self, key: str, data: bytes | memoryview) -> None:
        """Keep the bytes of a key, unless they alone are more than LARGEST_SHARE of the limit."""
        size = max(len(data) + DIGEST, SMALLEST)
        if not self._writing or size > self.limit * LARGEST_SHARE:
            return
        path = self._path(key)
        part = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}{PART}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._reserve(size)
            with part.open("wb") as file:
                file.write(sha256(data).digest())
                file.write(data)
            part.replace(path)
        except (FileNotFoundError, BlockingIOError):
            # Somebody has emptied the cache meanwhile, or is at its ledger for long.
            part.unlink(missing_ok=True)
        except OSError as error:
            self._give_up(error, part)

    def _give_up(self, error: OSError, part: Path) -> None:
        part.unlink(missing_ok=True)
        going_on, self._writing = self._writing, False
        if going_on:
            warnings.warn(
                f"{self.folder}: {error.strerror or error}; going on without keeping what is fetched. "
                "Free some space, or name another folder by FACEVOX_CACHE",
                RuntimeWarning,
                stacklevel=2,
            )

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / key[2:]

    @contextmanager
    def _ledger(self) -> Iterator[int]:
        """The file that says how much all processes keep, held for as long as no other may change it.

        Raises BlockingIOError when others hold it for LOCK_SECONDS.
        """
        handle = os.open(self.folder / "size", os.O_RDWR | os.O_CREAT)
        try:
            until = time.monotonic() + LOCK_SECONDS
            while not _is_locked(handle, time.monotonic() > until):
                time.sleep(0.002)
            try:
                yield handle
            finally:
                # Closing is not enough: a process forked meanwhile has the file open too, and would keep the lock.
                fcntl.flock(handle, fcntl.LOCK_UN)
        finally:
            os.close(handle)

    def _reserve(self, size: int) -> None:
        """Count an entry before it is written, and make room for it. Nothing of the network is waited for in here."""
        with self._ledger() as handle:
            kept = os.pread(handle, 8, 0)
            total = int.from_bytes(kept, "little") + size if len(kept) == 8 else self.limit + 1
            if total > self.limit:
                total = self._evict(size) + size
            os.pwrite(handle, total.to_bytes(8, "little"), 0)

    def _evict(self, coming: int) -> int:
        """Remove the least recently used until EVICT_TO of the limit holds with what is coming; the bytes left."""
        found = []
        for folder in os.scandir(self.folder):
            if folder.is_dir():
                for entry in os.scandir(folder):
                    try:
                        stat = entry.stat()
                    except FileNotFoundError:
                        continue
                    found.append((stat.st_mtime_ns, max(stat.st_size, SMALLEST), entry.path))
        # What a killed process left half-written is as old as its last use; the youngest may be in the making.
        total = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if total + coming <= self.limit * EVICT_TO:
                break
            Path(path).unlink(missing_ok=True)
            total -= size
        return total


def _is_locked(handle: int, last: bool) -> bool:
    """Try to lock a file. Raises BlockingIOError when the `last` try fails."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        if last:
            raise
        return False
    return True
