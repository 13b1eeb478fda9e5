"""What of the release a sample is made of: its digest stays whatever is decided about it and however it is encoded."""

import hashlib
import json
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from .raw import Folder

KEPT = 64
"""Checksums remembered: the samples cut from one video follow each other."""


@dataclass(frozen=True)
class SourceFiles:
    """Files of a release, each as (archive's place without its ending or "", name there), and what `part` of them."""

    files: tuple[tuple[str, str], ...]
    part: Any = None
    """Plain JSON: the span of a video, a published box; None for the files as a whole."""


class Checksums:
    """Digests of sources in one release. Files that lie in no zip are read for it, a zip states its checksums."""

    def __init__(self, raw: Folder) -> None:
        self._raw = raw
        self._sums: OrderedDict[tuple[str, str], tuple[int, int]] = OrderedDict()

    def digest(self, source: SourceFiles | None) -> str:
        """sha256 over size and CRC-32 of every file, and the part; "" for no source or one that cannot be read.

        Names and packing are no part of it: a release unpacked, renamed or moved has the same samples.
        """
        if source is None:
            return ""
        try:
            sums = [self._sum(file) for file in source.files]
        except (ValueError, FileNotFoundError):
            return ""
        return hashlib.sha256(json.dumps([sums, source.part], sort_keys=True).encode()).hexdigest()

    def _sum(self, file: tuple[str, str]) -> tuple[int, int]:
        if file not in self._sums:
            archive = self._raw.inside(file[0]) if file[0] else self._raw
            if archive is None:
                raise FileNotFoundError(f"{file[0]}: gone since the release was listed")
            self._sums[file] = archive.checksum(file[1])
            while len(self._sums) > KEPT:
                self._sums.popitem(last=False)
        return self._sums[file]
