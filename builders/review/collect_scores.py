"""Scores of scanned videos as the collect view shows them, and what two thresholds would keep of them."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...models.core.speaker import open_speaker_embedder
from ..core.stage import Reject
from ..stages.collection_options import CollectOptions
from ..stages.collection_scan import Scan, read_scan, scan, scan_folder
from ..stages.collection_scores import AGAIN, BETTER, UNLIKE, UNSURE, cohort, faces_kept, scores, thresholds
from ..stages.collection_sound import TrackSound
from ..stages.collection_truth import GroundTruth
from ..stages.collection_video import check_single_talker
from ..stages.collection_videos import SourceVideo, list_videos
from ..stages.collection_voices import Heard, VoiceFinder
from ..stages.marks import Marks
from ..stages.video import open_video
from .collect_marks import Marking, VideoFile
from .collect_run import Tell
from .collect_truths import NETWORKS, Truths, is_ready

SHOWN_TRUTHS = 200
"""Ground truths' scores drawn under a histogram; of more, every n-th in order of size."""
KEPT_VIDEOS = 4
"""Videos whose window scores stay in memory."""
WHY = ("", UNLIKE, BETTER, AGAIN, UNSURE)
"""What the page calls a face's fate by its place in this list; the first is kept."""


def look_through(options: CollectOptions, path: str, tell: Tell) -> str:
    """Scan one video in the run's own process; says why it is left out, or ""."""
    from ..stages.marks import read, settle

    listed = list_videos(options.videos, settle(read(options.marks_file).marks)).videos
    video = next((one for one in listed if one.path == path), None)
    if video is None:
        return "no longer in the folder, or turned down"
    with (options.videos / path).open("rb") as file:
        try:
            with open_video(file) as opened:
                seconds = max(opened.seconds, 1.0)
            scan(options, video, lambda reached: tell(min(1.0, reached / seconds)))
        except (Reject, ValueError) as error:
            return str(error)
    return ""


def write_collection(options: CollectOptions, piece: str, tell: Tell) -> str:
    """Make the collection, in the run's own process; says what came of it."""
    from ..stages.collection import collect

    steps = ("truth", "scan", "keep")

    def progress(step: str, done: int, total: int) -> None:
        before = steps.index(step) if step in steps else len(steps)
        tell(min(1.0, (before + done / max(total, 1)) / len(steps)))

    report = collect(replace(options, workers=1), progress)
    return "\n".join([f"written to {options.out}", *report.lines()])


@dataclass
class _Heard:
    """Scores of windows of one video against one voice, each looked at once."""

    heard: Heard = field(default_factory=Heard)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Scores:
    """Safe to use from several threads."""

    def __init__(self, options: CollectOptions, marking: Marking, cache: Path) -> None:
        self._options, self._marking = options, marking
        self._truths = Truths(cache)
        self._heard: OrderedDict[tuple[str, bytes, bytes], _Heard] = OrderedDict()
        self._lock = threading.Lock()

    # --- which videos ---

    def listed(self, shown: VideoFile | None = None) -> dict[str, SourceVideo]:
        """Videos of known speakers by path, without those that were turned down; `shown` stays, whatever was said."""
        marks = self._marking.marks()
        if shown is not None and shown.path in marks.videos:
            own = replace(marks.videos[shown.path], verdict="")
            marks = replace(marks, videos={**marks.videos, shown.path: own})
        listing = list_videos(self._options.videos, marks, self._marking.digest_at)
        return {video.path: video for video in listing.videos}

    def ready(self) -> list[SourceVideo]:
        """Videos of speakers with enough ground truth, in order of their ids."""
        by_speaker, marks = _by_speaker(self.listed().values()), self._marking.marks()
        return [video for own in by_speaker.values() if is_ready(own, marks) for video in own]

    def scanned(self, video: SourceVideo | None) -> bool:
        """Whether there is a scan, at a glance: of the present content and parameters it need not be."""
        return video is not None and (scan_folder(self._options, video) / "scan.json").is_file()

    # --- scores ---

    def results(self, video: VideoFile) -> dict[str, Any]:
        """Everything that the histograms show, or `problem`: in words why there is nothing to show."""
        listed, marks = self.listed(video), self._marking.marks()
        source = listed.get(video.path)
        found = read_scan(self._options, source) if source else None
        if source is None or found is None:
            return {"problem": ""}
        truths = self._truths.all(self._options, _by_speaker(listed.values()), marks)
        truth = truths.get(source.speaker, "the speaker has too few marks for scores")
        if isinstance(truth, str):
            return {"problem": truth}
        others = [one for name, one in truths.items() if name != source.speaker and isinstance(one, GroundTruth)]
        scored = scores(found, truth)
        return {
            "problem": _problem(self._options, found),
            "faces": _faces(found, scored.faces),
            "voice": {
                "scores": _rounded(scored.voices),
                "step_ms": round(self._options.s_step * 1000),
                "least_ms": round(self._options.s_min * 1000),
                "length_ms": round(found.facts.seconds * 1000),
            },
            "own": {"face": _some(truth.faces @ truth.face), "voice": _some(truth.voices @ truth.voice)},
            "others": {
                "face": _some(_joined([one.faces @ truth.face for one in others])),
                "voice": _some(_joined([one.voices @ truth.voice for one in others])),
            },
            "marked": {"face": marks.face, "voice": marks.voice},
            "given": self._calibrated(marks, [one for one in truths.values() if isinstance(one, GroundTruth)]),
        }

    def _calibrated(self, marks: Marks, truths: Sequence[GroundTruth]) -> dict[str, dict[str, Any]]:
        """The thresholds in force where the marks name none, and in words where they come from."""
        try:
            face, voice = thresholds(self._options, replace(marks, face=None, voice=None), truths)
        except ValueError as error:
            return {name: {"value": None, "how": str(error)} for name in ("face", "voice")}
        return {name: {"value": one.value, "how": one.how} for name, one in (("face", face), ("voice", voice))}

    def effect(self, video: VideoFile, face: float, voice: float) -> dict[str, Any]:
        """What two thresholds keep: of each face a place in WHY, and the voice segments [start ms, end ms, score].

        Raises ValueError without a scan or ground truth.
        """
        listed, marks = self.listed(video), self._marking.marks()
        source = listed.get(video.path)
        found = read_scan(self._options, source) if source else None
        if source is None or found is None:
            raise ValueError(f"{video.name}: no scan of it, detect first")
        told = self._truths.all(self._options, _by_speaker(listed.values()), marks)
        truth = told.get(source.speaker, "too few marks")
        if isinstance(truth, str):
            raise ValueError(truth)
        truths = {name: one for name, one in told.items() if isinstance(one, GroundTruth)}
        scored = scores(found, truth)
        reasons = faces_kept(found, scored.faces, face, self._options.duplicate)
        segments = self._segments(source, truth.voice, cohort(self._options, truths, source.speaker), voice)
        return {"faces": [WHY.index(why) for why in reasons], "segments": segments}

    def _segments(
        self, video: SourceVideo, target: NDArray[np.float32], others: NDArray[np.float32], tau: float
    ) -> list[list[float]]:
        """What the collector keeps at a threshold; what earlier thresholds asked for is not heard again."""
        with self._lock:
            key = video.digest, target.tobytes(), others.tobytes()
            heard = self._heard.setdefault(key, _Heard())
            self._heard.move_to_end(key)
            while len(self._heard) > KEPT_VIDEOS:
                self._heard.popitem(last=False)
        options = self._options
        with heard.lock, NETWORKS, (options.videos / video.path).open("rb") as file, open_video(file) as opened:
            embed = open_speaker_embedder(options.voice_embedder, options.models_folder)
            found = VoiceFinder(options, TrackSound(opened), embed, target, tau, others, heard.heard).windows()
        return [[one.start_ms, one.end_ms, round(one.score, 4)] for one in found if not one.reason]

    def crop(self, video: VideoFile, number: int) -> bytes:
        """The JPEG of a face of the scan. Raises KeyError where there is none of that number."""
        source = self.listed(video).get(video.path)
        found = read_scan(self._options, source) if source else None
        if found is None or not 0 <= number < len(found.faces):
            raise KeyError(number)
        return found.crop(number)


def _by_speaker(videos: Any) -> dict[str, list[SourceVideo]]:
    found: dict[str, list[SourceVideo]] = {}
    for video in videos:
        found.setdefault(video.speaker, []).append(video)
    return found


def _problem(options: CollectOptions, found: Scan) -> str:
    try:
        check_single_talker(options, found.facts)
    except Reject as reject:
        return f"this video is left out: {reject}"
    return ""


def _faces(found: Scan, scored: NDArray[np.float32]) -> list[dict[str, Any]]:
    """Faces with a descriptor: number in the scan, moment, score."""
    return [
        {"number": number, "ms": face.ms, "score": round(float(scored[number]), 4)}
        for number, face in enumerate(found.faces)
        if face.track >= 0
    ]


def _rounded(values: NDArray[np.float32]) -> list[float]:
    return [round(float(value), 4) for value in values]


def _joined(parts: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def _some(values: NDArray[np.float32]) -> list[float]:
    ordered = np.sort(values)[::-1]
    step = max(1, -(-len(ordered) // SHOWN_TRUTHS))
    return _rounded(ordered[::step])
