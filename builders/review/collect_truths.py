"""Ground truths of speakers for the page: made when first asked for, kept on the disk until their marks change."""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path

import numpy as np

from ...loaders.durable import written_aside
from ..core.stage import Reject
from ..stages.collection_options import CollectOptions
from ..stages.collection_truth import GroundTruth, ground_truth
from ..stages.collection_videos import SourceVideo
from ..stages.marks import LEAST_SCREENSHOTS, Marks

NETWORKS = threading.Lock()
"""Held while a detector or an embedder runs: they serve one thread at a time, and all threads share them."""


@dataclass
class Truths:
    """Ground truths by speaker. Safe to use from several threads."""

    cache: Path
    make: Callable[..., GroundTruth] = ground_truth
    _known: dict[str, GroundTruth | str] = field(default_factory=dict)

    def all(
        self, options: CollectOptions, videos: Mapping[str, list[SourceVideo]], marks: Marks
    ) -> dict[str, GroundTruth | str]:
        """By speaker the ground truth, or in words why there is none; speakers that are not ready are left out."""
        found = {}
        for speaker, own in videos.items():
            if is_ready(own, marks):
                found[speaker] = self._one(options, own, marks)
        return found

    def _one(self, options: CollectOptions, own: list[SourceVideo], marks: Marks) -> GroundTruth | str:
        marked = [(video.video_id, video.digest, asdict(marks.of(video.path))) for video in own]
        said = [(name, digest, mark["screenshots"], mark["period"]) for name, digest, mark in marked]
        state = json.dumps([options.scan_parameters(), own[0].speaker, own[0].gender, said], sort_keys=True)
        key = sha256(state.encode()).hexdigest()
        if key not in self._known:
            with NETWORKS:
                if key not in self._known:
                    self._known[key] = self._read(key, own) or self._made(key, options, own, marks)
        return self._known[key]

    def _made(self, key: str, options: CollectOptions, own: list[SourceVideo], marks: Marks) -> GroundTruth | str:
        try:
            truth = self.make(options, own, marks)
        except Reject as reject:
            return str(reject)
        for name, vectors in (("faces", truth.faces), ("voices", truth.voices)):
            with written_aside(self.cache / f"{key}-{name}.npy") as part, part.open("wb") as file:
                np.save(file, vectors)
        return truth

    def _read(self, key: str, own: list[SourceVideo]) -> GroundTruth | None:
        try:
            faces, voices = (np.load(self.cache / f"{key}-{name}.npy") for name in ("faces", "voices"))
        except (FileNotFoundError, ValueError, EOFError):
            return None
        # The pictures and sounds themselves are for the collection, not for scores.
        return GroundTruth(own[0].speaker, own[0].gender, faces, voices, {})


def is_ready(own: list[SourceVideo], marks: Marks) -> bool:
    """Whether a speaker's videos bear enough marks: three screenshots and a period."""
    marked = [marks.of(video.path) for video in own]
    return sum(len(one.screenshots) for one in marked) >= LEAST_SCREENSHOTS and any(one.period for one in marked)
